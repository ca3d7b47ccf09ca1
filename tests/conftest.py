"""Settings and fixtures of all tests."""

import os
import sys
from collections.abc import Iterator

import pytest
import torch

os.environ["MPLBACKEND"] = "Agg"  # never open a window
# On a busy machine several threads are slower than one. The environment variable is for processes
# that tests start.
torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Seed the random numbers of each test, which then do not depend on the order of tests."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_figure_stays_open() -> Iterator[None]:
    """Close the figures of a test: Matplotlib warns of more than twenty open ones."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
