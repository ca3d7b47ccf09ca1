"""Fixtures and settings of all tests."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from requirements import require_program

os.environ["MPLBACKEND"] = "Agg"  # no windows
# On a busy machine, synchronising threads takes longer than they save. The environment variable is
# for subprocesses.
torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture(scope="session")
def network_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files of the networks that run in pages; do not change it."""
    require_program(
        shutil.which("npm"), "no npm on PATH: the runtime of the networks cannot be fetched"
    )
    # Here, as the tests of the core run without the extra.
    from lzu_viz.widgets.page_networks import write_networks

    folder = tmp_path_factory.mktemp("networks")
    write_networks(folder)
    return folder


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
