"""What every test shares."""

import os
import sys
from collections.abc import Iterator

import pytest
import torch

os.environ["MPLBACKEND"] = "Agg"  # no window, whatever the machine has
# On a busy machine, threads that wait for one another take far longer than they save. The variable
# is for programs that tests start.
torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Return each test the same random numbers, whichever tests ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_figure_stays_open() -> Iterator[None]:
    """Close what a test has drawn, or Matplotlib warns of the twentieth figure."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
