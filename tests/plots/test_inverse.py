"""Tests of the plots of the inverse."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from lzu_viz import Warp
from lzu_viz.geometry.bilinear import Pieces, pieces_of
from lzu_viz.geometry.inverse.invert import invert_axis
from lzu_viz.plots import inverse
from lzu_viz.plots.palette import FOLD, PREDICTION


@pytest.fixture
def ax() -> Axes:
    _, axes = plt.subplots()
    return axes


def test_mark_places_numbers_or_labels_points(ax: Axes) -> None:
    points = torch.tensor([[-0.5, 0.25], [0.5, 0.0]])
    marks = inverse.mark_places(ax, points)
    assert [mark.get_text() for mark in marks] == ["1", "2"]
    assert marks[0].get_position() == (-0.5, 0.25)
    assert [mark.get_text() for mark in inverse.mark_places(ax, points, ["a", "b"])] == ["a", "b"]


def test_show_step_back_turns_at_the_curve(ax: Axes) -> None:
    nodes = torch.tensor([-1.0, 0.5, 1.0])
    position = float(invert_axis(nodes[None], torch.tensor([[-0.25]])))
    line = inverse.show_step_back(ax, nodes, -0.25, position)
    assert np.allclose(line.get_xydata(), [(-1, -0.25), (-0.5, -0.25), (-0.5, -1)])


def test_lines_of_both_roots_pass_through_the_point(ax: Axes) -> None:
    grid = torch.tensor([[[0.0, 0.0], [2.0, 0.5]], [[0.5, 1.0], [1.5, 2.0]]])
    piece = Pieces(*(coefficient[0, 0, 0] for coefficient in pieces_of(grid[None])))
    point = piece.at(torch.tensor(0.4), torch.tensor(0.3))
    # The two roots of 1.25 v^2 + linear v + constant have this product.
    _, b, c, d = piece
    q = point - piece.origin
    other = float((q[0] * b[1] - q[1] * b[0]) / (d[0] * c[1] - d[1] * c[0])) / 0.3
    lines = inverse.show_piece(ax, piece, point, torch.tensor([0.3, other]))
    for line in lines:
        (x0, y0), (x1, y1) = line.get_xydata()
        distance = (x1 - x0) * (float(point[1]) - y0) - (y1 - y0) * (float(point[0]) - x0)
        assert abs(distance) < 1e-5
    assert lines[0].get_color() == PREDICTION
    assert lines[0].get_label() == "right: v = 0.30"
    assert ax.yaxis_inverted()


def test_show_quadratic_returns_rising_and_falling_tangents(ax: Axes) -> None:
    for square in (2.0, -2.0):
        rising, falling = inverse.show_quadratic(ax, square, 1.0, -0.5 if square > 0 else 0.05)
        (x0, y0), (x1, y1) = rising.get_xydata()
        assert (y1 - y0) / (x1 - x0) > 0
        (x0, y0), (x1, y1) = falling.get_xydata()
        assert (y1 - y0) / (x1 - x0) < 0


@pytest.mark.parametrize("terms", [(0.0, 1.0, 1.0), (1.0, 0.0, 1.0)])
def test_quadratic_without_two_real_roots_raises(
    ax: Axes, terms: tuple[float, float, float]
) -> None:
    with pytest.raises(ValueError, match="two real roots"):
        inverse.show_quadratic(ax, *terms)


def test_draw_bounds_encloses_the_pieces(ax: Axes) -> None:
    grid = Warp.identity((2, 4)).grid.clone()
    grid[0, 1, 2] += torch.tensor([0.1, -0.2])
    warp = Warp.from_grid(grid)
    (box,) = inverse.draw_bounds(ax, warp, torch.tensor([[0, 2]]))
    assert box.get_xy() == (0.0, -1.0)
    assert box.get_width() == pytest.approx(0.5)
    assert box.get_height() == pytest.approx(1.0)
    (shapes,) = ax.collections
    corners = shapes.get_paths()[0].vertices[:4]
    expected = [(0.0, -1.0), (0.5, -1.0), (0.5, 0.0), (0.1, -0.2)]
    assert np.allclose(corners, expected)


def test_fill_pieces_for_no_piece_and_several_pieces(ax: Axes) -> None:
    warp = Warp.identity((3, 3))
    assert len(inverse.fill_pieces(ax, warp, torch.zeros(0, 2, dtype=torch.long)).get_paths()) == 0
    shapes = inverse.fill_pieces(ax, warp, torch.tensor([[0, 0], [2, 1]]))
    assert len(shapes.get_paths()) == 2
    assert to_hex(shapes.get_facecolor()[0]) == FOLD.lower()


def test_hatch_covers_the_mask(ax: Axes) -> None:
    where = torch.zeros(1, 20, 30, dtype=torch.bool)
    where[:, :, 15:] = True
    drawn = inverse.hatch(ax, where)
    corners = np.concatenate([path.vertices for path in drawn.get_paths()])
    assert corners[:, 0].min() == pytest.approx(0.0, abs=0.05)
    assert corners[:, 0].max() == pytest.approx(1.0, abs=0.05)
    plt.gcf().canvas.draw()


def test_hatch_of_an_empty_mask_is_empty(ax: Axes) -> None:
    drawn = inverse.hatch(ax, torch.zeros(1, 4, 4, dtype=torch.bool))
    assert sum(len(path.vertices) for path in drawn.get_paths()) == 0


def test_show_pieces_alternates_shades_and_masks_missing_pieces(ax: Axes) -> None:
    pieces = torch.tensor([[0, 0, 1], [3, 4, -1]])
    shade = inverse.show_pieces(ax, pieces, columns=3).get_array()
    assert shade.filled(-1).tolist() == [[0, 0, 1], [1, 0, -1]]
