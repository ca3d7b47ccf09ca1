"""Tests of the plots of features: cells, maps, drift, receptive fields."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from lzu_viz import Warp
from lzu_viz.plots import features
from lzu_viz.plots.palette import FOLD


@pytest.fixture
def ax() -> Axes:
    _, axes = plt.subplots()
    return axes


def test_cells_are_equal_parts_of_the_frame(ax: Axes) -> None:
    lines = [path.vertices for path in features.draw_cells(ax, (2, 4)).get_paths()]
    assert [line[0, 1] for line in lines[:3]] == [-1, 0, 1]
    assert [line[0, 0] for line in lines[3:]] == [-1, -0.5, 0, 0.5, 1]
    assert np.allclose(lines[0][[0, -1]], [(-1, -1), (1, -1)])
    assert np.allclose(lines[-1][[0, -1]], [(1, -1), (1, 1)])


def test_cells_in_the_source_frame_are_mapped_by_the_warp(ax: Axes) -> None:
    x, y = torch.tensor([[-1.0, 0.5, 1.0]]), torch.tensor([[-1.0, -0.25, 1.0]])
    warp = Warp.from_axes(x, y)
    lines = [path.vertices for path in features.draw_cells(ax, (2, 4), warp).get_paths()]
    assert np.allclose([line[0, 1] for line in lines[:3]], [-1, -0.25, 1])
    assert np.allclose([line[0, 0] for line in lines[3:]], [-1, -0.25, 0.5, 0.75, 1])


def test_draw_cells_uses_the_first_warp_of_a_float64_batch(ax: Axes) -> None:
    x = torch.tensor([[-1.0, 0.5, 1.0], [-1.0, 0.0, 1.0]], dtype=torch.float64)
    warp = Warp.from_axes(x, torch.tensor([[-1.0, 1.0]], dtype=torch.float64).expand(2, -1))
    lines = features.draw_cells(ax, (1, 2), warp).get_paths()
    assert lines[3].vertices[0, 0] == pytest.approx(0.5)


def test_show_map_fills_the_frame_upright(ax: Axes) -> None:
    values = torch.arange(6.0).reshape(2, 3)
    drawn = features.show_map(ax, values, "strength", shape=0.5)
    assert tuple(drawn.get_extent()) == (-1, 1, 1, -1)
    assert np.array_equal(drawn.get_array(), values.numpy())
    assert ax.get_title() == "strength"
    assert ax.get_aspect() == 0.5


def test_show_readers_marks_unread_cells_red(ax: Axes) -> None:
    drawn = features.show_readers(ax, torch.tensor([[0.0, 0.01, 3.0]]))
    unread, little, much = drawn.to_rgba(drawn.get_array())[0]
    assert to_hex(unread) == FOLD.lower()
    assert np.allclose(little, drawn.get_cmap()(0.01))
    assert np.allclose(much, drawn.get_cmap()(1.0))


def test_draw_drift_draws_arrows_from_places(ax: Axes) -> None:
    places, drift = (
        torch.tensor([[-0.5, 0.25], [0.5, 0.0]]),
        torch.tensor([[0.1, 0.2], [0.0, -0.3]]),
    )
    drawn = features.draw_drift(ax, places, drift)
    assert np.allclose(drawn.XY, places)
    assert np.allclose(np.stack([drawn.U, drawn.V], -1), drift)
    assert (drawn.angles, drawn.scale_units, drawn.scale) == ("xy", "xy", 1)


def test_show_by_stride_has_a_logarithmic_axis(ax: Axes) -> None:
    lines = features.show_by_stride(ax, (4, 8, 16), {"a": [1, 2, 3], "b": [3, 2, 1]}, "drift")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["4", "8", "16"]
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[0] == 0
    assert len({line.get_color() for line in lines}) == len({line.get_marker() for line in lines})
    assert list(lines[1].get_ydata()) == [3, 2, 1]


def test_receptive_field_is_relative_to_the_cell(ax: Axes) -> None:
    strength = torch.zeros(20, 30)
    strength[5, 12] = 2.0
    cell, mark = features.show_receptive_field(ax, strength, (16.0, 8.0), stride=8)
    assert cell.get_xydata().tolist() == [[0, 0]]
    # The middle of that pixel is at (12.5, 5.5).
    assert np.allclose(mark.get_xydata(), [[-3.5, -2.5]])
    assert ax.yaxis_inverted()
    plt.gcf().canvas.draw()
