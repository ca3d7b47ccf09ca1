"""Fixtures and settings of all tests."""

import os
import sys
from collections.abc import Iterator

import pytest
import torch

os.environ["MPLBACKEND"] = "Agg"  # no windows
# On a busy machine, synchronising threads takes longer than they save. The environment variable is
# for subprocesses.
torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Seed torch before each test, so that its random numbers do not depend on other tests."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    """Close all figures after each test; Matplotlib warns if there are more than 20."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
