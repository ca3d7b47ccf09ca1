"""Tests of the plots of masks and of intervals in groups."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from lzu_viz.experiments.frozen import load
from lzu_viz.plots import figures, masks
from lzu_viz.plots.palette import PREDICTION


@pytest.fixture
def ax() -> Axes:
    _, axes = plt.subplots()
    return axes


def test_show_mask_tints_the_pixels_of_the_mask(ax: Axes) -> None:
    mask = torch.zeros(1, 1, 4, 6, dtype=torch.bool)
    mask[..., 1, 2:5] = True
    tint = masks.show_mask(ax, torch.zeros(1, 3, 40, 60), mask, "title")
    colours = np.asarray(tint.get_array())
    assert ((colours[..., 3] > 0) == mask[0, 0].numpy()).all()
    assert colours[1, 2, :3] == pytest.approx(to_rgb(PREDICTION))
    assert tint.get_extent() == [-1, 1, 1, -1]
    assert ax.get_aspect() == pytest.approx(40 / 60)
    assert ax.get_title() == "title"


def test_draw_outline_follows_pixel_edges_and_keeps_axis_limits(ax: Axes) -> None:
    mask = torch.zeros(1, 1, 20, 40, dtype=torch.bool)
    mask[..., 5:10, 10:30] = True
    figures.show_image(ax, torch.zeros(1, 3, 20, 40))
    limits = ax.get_xlim(), ax.get_ylim()
    drawn = masks.draw_outline(ax, mask)
    corners = np.concatenate([path.vertices for path in drawn.get_paths()])
    assert corners.min(axis=0) == pytest.approx([-0.5, -0.5])
    assert corners.max(axis=0) == pytest.approx([0.5, 0.0], abs=1e-6)
    assert (ax.get_xlim(), ax.get_ylim()) == limits


def test_show_intervals_groups_systems_side_by_side(ax: Axes) -> None:
    intervals_of = {"uniform": [(0.1, 0.0, 0.3), (0.2, 0.1, 0.4)], "box": [(0.5, 0.4, 0.6)] * 2}
    drawn = masks.show_intervals(ax, ["small", "large"], intervals_of, "IoU", "title")
    for container, intervals in zip(drawn, intervals_of.values(), strict=True):
        line, _, (bars,) = container
        assert line.get_ydata().tolist() == pytest.approx([interval[0] for interval in intervals])
        assert line.get_xdata().round().tolist() == [0, 1]
        for (low, high), interval in zip(bars.get_segments(), intervals, strict=True):
            assert (low[1], high[1]) == pytest.approx(interval[1:])
    first, second = (container[0].get_xdata() for container in drawn)
    assert (first < second).all()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["small", "large"]
    assert (ax.get_ylabel(), ax.get_title()) == ("IoU", "title")


def test_every_evaluated_system_and_network_has_a_style() -> None:
    systems = {record["system"] for record in load("segmenter").records}
    networks = {record["network"] for record in load("sizes").records}
    assert systems | networks == set(masks.STYLES)
