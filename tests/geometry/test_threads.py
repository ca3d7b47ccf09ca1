"""Tests of `threads`, which sets the number of threads, and of its use by the inverse."""

import threading

import pytest
import torch

from lzu_viz import Warp
from lzu_viz.geometry import warp as module
from lzu_viz.geometry.threads import threads


def test_thread_count_is_restored() -> None:
    with threads(2):
        with threads(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(KeyError), threads(3):
            raise KeyError
        assert torch.get_num_threads() == 2


def test_other_threads_keep_their_thread_count() -> None:
    counts: list[int] = []
    started, changed = threading.Event(), threading.Event()

    def run() -> None:
        torch.set_num_threads(2)
        assert torch.get_num_threads() == 2
        started.set()
        changed.wait(10)
        counts.append(torch.get_num_threads())

    other = threading.Thread(target=run, daemon=True)
    with threads(3):
        other.start()
        assert started.wait(10)
        with threads(1):
            changed.set()
            other.join(10)
    assert counts == [2]


@pytest.mark.parametrize("separable", [True, False])
def test_the_inverse_runs_on_one_thread(separable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    name = "invert_axis" if separable else "invert_pixels"
    run = getattr(module, name)
    monkeypatch.setattr(
        module, name, lambda *a, **k: counts.append(torch.get_num_threads()) or run(*a, **k)
    )
    grid = Warp.identity((3, 4))
    warp = grid if separable else Warp.from_grid(grid.grid)
    with threads(2):
        warp.zoomed_map((6, 8))
        assert torch.get_num_threads() == 2
    assert set(counts) == {1}
