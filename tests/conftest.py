"""What every test shares."""

import os

import pytest
import torch

os.environ["MPLBACKEND"] = "Agg"  # no window, whatever the machine has


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Give each test the same random numbers, whichever tests ran before it."""
    torch.manual_seed(0)
