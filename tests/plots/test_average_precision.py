"""Tests of the plots of boxes and of average precision."""

import matplotlib.pyplot as plt
import pytest
import torch

from lzu_viz.experiments.frozen import load
from lzu_viz.plots import average_precision

SUMMARY = [
    {
        "rows": rows,
        "system": system,
        **{name: value for name in ("ap50", *average_precision.SIZES)},
        **{f"{name} low": value - 0.1 for name in ("ap50", *average_precision.SIZES)},
        **{f"{name} high": value + 0.2 for name in ("ap50", *average_precision.SIZES)},
    }
    for rows, system, value in [
        (192, "FOVEA", 0.6),
        (128, "FOVEA", 0.4),
        (128, "uniform", 0.2),
        (192, "uniform", 0.3),
    ]
]


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_show_boxes_draws_detections_over_ground_truth(ax):
    box = torch.tensor([[-0.5, -0.4, 0.1, 0.2]])
    (drawn,) = average_precision.show_boxes(ax, torch.zeros(1, 3, 20, 30), box, box + 0.1, "title")
    assert drawn.get_xy() == pytest.approx((-0.5, -0.4))
    assert (drawn.get_width(), drawn.get_height()) == pytest.approx((0.6, 0.6))
    assert [patch.get_xy()[0] for patch in ax.patches] == pytest.approx([-0.4, -0.5])
    assert ax.get_title() == "title"


def test_show_precision_plots_values_and_intervals_by_size(ax):
    drawn = average_precision.show_precision(ax, SUMMARY, ["uniform", "FOVEA"])
    for container, values in zip(drawn, ([0.2, 0.3], [0.4, 0.6]), strict=True):
        line, _, (bars,) = container
        assert line.get_ydata().tolist() == pytest.approx(values)
        assert line.get_xdata().round().tolist() == [0, 1]
        for (low, high), value in zip(bars.get_segments(), values, strict=True):
            assert (low[1], high[1]) == pytest.approx((value - 0.1, value + 0.2))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["128 x 192", "192 x 288"]


def test_show_sizes_draws_systems_side_by_side(ax):
    drawn = average_precision.show_sizes(ax, SUMMARY, ["uniform", "FOVEA"], rows=192)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.3] * 3 + [0.6] * 3)
    assert drawn[0][0].get_ydata().tolist() == pytest.approx([0.3] * 3)
    assert all(a < b for a, b in zip(drawn[0][0].get_xdata(), drawn[1][0].get_xdata(), strict=True))


def test_every_evaluated_system_has_a_style():
    assert {row["system"] for row in load("detector").summary} == set(average_precision.STYLES)
