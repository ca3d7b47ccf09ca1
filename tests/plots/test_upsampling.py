"""Tests of the plots of objects in downsampled images."""

import pytest
import torch
from matplotlib.figure import Figure

from lzu_viz.geometry.warp import Warp
from lzu_viz.plots import upsampling as plots


def test_show_object_marks_and_enlarges_the_object() -> None:
    left, right = Figure().subplots(1, 2)
    box = torch.tensor([0.1, 0.0, 0.2, 0.2])
    plots.show_object((left, right), torch.rand(1, 3, 48, 160), Warp.identity((1, 1)), box, "a")
    assert left.get_title() == "a"
    (mark,) = left.patches
    assert mark.get_xy() == pytest.approx((0.1, 0.0), abs=1e-4)
    low, high = right.get_xlim()
    assert low < 0.1 < 0.2 < high < 0.5


def test_show_recall_omits_bins_with_few_objects() -> None:
    heights = torch.arange(40.0) / 10
    detected = heights < 1
    ax = Figure().subplots()
    plots.show_recall(ax, {"a": (heights, detected)}, [0, 1, 2, 9, 20], "height")
    drawn = ax.lines[0].get_ydata()
    assert drawn[:3].tolist() == [1, 0, 0]
    assert bool(torch.tensor(drawn[3]).isnan())
    assert [label.get_text() for label in ax.get_xticklabels()][-1] == "over 9"
