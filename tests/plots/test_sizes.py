"""Tests of the plots by object size."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from lzu_viz.plots import sizes


@pytest.fixture
def ax() -> Axes:
    _, axes = plt.subplots()
    return axes


def ends_of(drawn: ErrorbarContainer) -> list[tuple[float, float]]:
    """Return the lower and the upper end of each bar."""
    (bars,) = drawn.lines[2]
    return [(bar[0, 1], bar[1, 1]) for bar in bars.get_segments()]


def test_each_box_has_its_name_below_it(ax: Axes) -> None:
    boxes = torch.tensor([[-0.5, -0.5, 0.0, 0.25], [0.5, 0.0, 1.0, 0.5]])
    names = sizes.name_boxes(ax, boxes, ["target", "other"])
    assert [name.get_text() for name in names] == ["target", "other"]
    assert [name.xy for name in names] == [(-0.25, 0.25), (0.75, 0.5)]
    assert [patch.get_xy() for patch in ax.patches] == [(-0.5, -0.5), (0.5, 0.0)]


def test_show_contrast_marks_periods_below_the_limit(ax: Axes) -> None:
    curves = {"means": [0.1, 0.5, 0.9], "single pixels": [1.0, 1.0, 1.0]}
    lines = sizes.show_contrast(ax, [0.5, 2, 8], curves, "Stripes")
    assert [line.get_label() for line in lines] == list(curves)
    assert np.allclose(lines[0].get_xydata(), [(0.5, 0.1), (2, 0.5), (8, 0.9)])
    (span,) = ax.patches
    assert (span.get_x(), span.get_x() + span.get_width()) == (0.5, 2)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.5", "1", "2", "4", "8"]


def test_show_by_size_plots_means_and_intervals(ax: Axes) -> None:
    curves = {
        "uniform": {20.0: (0.1, 0.0, 0.3), 80.0: (0.5, 0.4, 0.7)},
        "crop": {20.0: (0.6, 0.5, 0.8)},
    }
    uniform, crop = sizes.show_by_size(ax, curves, "Found", ticks=(20, 80))
    assert np.allclose(ends_of(uniform), [(0.0, 0.3), (0.4, 0.7)])
    assert np.allclose(ends_of(crop), [(0.5, 0.8)])
    assert np.allclose(uniform.lines[0].get_xdata(), [20, 80], rtol=0.05)
    assert np.allclose(uniform.lines[0].get_ydata(), [0.1, 0.5])
    # The curves are shifted to both sides of the actual height.
    assert uniform.lines[0].get_xdata()[0] < 20 < crop.lines[0].get_xdata()[0]


def test_show_by_size_does_not_shift_a_single_curve(ax: Axes) -> None:
    (drawn,) = sizes.show_by_size(ax, {"uniform": {30.0: (0.5, 0.4, 0.6)}})
    assert drawn.lines[0].get_xdata() == pytest.approx([30.0])


def test_show_system_means_draws_persons_side_by_side(ax: Axes) -> None:
    means = {
        "target": {"uniform": (0.2, 0.1, 0.3), "crop": (0.8, 0.7, 0.9)},
        "other": {"uniform": (0.2, 0.1, 0.4), "crop": (0.0, 0.0, 0.1)},
    }
    target, other = sizes.show_system_means(ax, means, "Detector")
    assert np.allclose(target.lines[0].get_ydata(), [0.2, 0.8])
    assert np.allclose(ends_of(other), [(0.1, 0.4), (0.0, 0.1)])
    assert (target.lines[0].get_xdata() < other.lines[0].get_xdata()).all()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["uniform", "crop"]


def test_persons_with_different_systems_raise(ax: Axes) -> None:
    means = {"target": {"uniform": (0.2, 0.1, 0.3)}, "other": {"crop": (0.0, 0.0, 0.1)}}
    with pytest.raises(ValueError, match="expected the systems"):
        sizes.show_system_means(ax, means)
