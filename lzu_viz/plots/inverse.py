"""Plots of the inverse: inverted pieces, their roots, and points with no or several inverses.

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Iterable

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.contour import QuadContourSet
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from torch import Tensor

from ..geometry.bilinear import Pieces
from ..geometry.warp import Warp
from .palette import FOLD, GRID, GROUND_TRUTH, INK, MARK, PREDICTION


def mark_places(ax: Axes, points: Tensor, names: Iterable[str] = ()) -> list[Text]:
    """Mark points `n 2`, (x, y) in the frame of the axes, with names, by default numbers."""
    labels = list(names) or [str(index + 1) for index in range(len(points))]
    return [
        ax.text(
            x,
            y,
            label,
            ha="center",
            va="center",
            fontsize=9,
            color=INK,
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": GROUND_TRUTH, "edgecolor": INK},
            clip_on=True,
        )
        for (x, y), label in zip(points.tolist(), labels, strict=True)
    ]


def show_step_back(ax: Axes, nodes: Tensor, value: float, position: float) -> Line2D:
    """Show the inversion of a piecewise linear function in one dimension.

    Args:
        ax: axes to draw on.
        nodes: `k+1`, increasing values at equally spaced nodes of [-1, 1].
        value: that is inverted, in the source frame.
        position: the inverse of ``value``, in the zoomed frame.

    Returns:
        The line from the value across to the curve, and down to the position.
    """
    positions = torch.linspace(-1, 1, len(nodes)).tolist()
    ax.vlines(positions, -1, nodes.tolist(), color=GRID, linewidth=0.8)
    ax.hlines(nodes.tolist(), -1, positions, color=GRID, linewidth=0.8)
    ax.plot(positions, nodes.tolist(), ".-", color=PREDICTION, label="T")
    (line,) = ax.plot(
        (-1, position, position), (value, value, -1), "--", color=FOLD, label="inversion"
    )
    ax.plot(position, value, "o", color=FOLD)
    ax.set(xlim=(-1, 1), ylim=(-1, 1), xlabel="position in the zoomed image", ylabel="source")
    ax.legend(loc="upper left")
    return line


def show_piece(ax: Axes, piece: Pieces, point: Tensor, roots: Tensor) -> list[Line2D]:
    """Show a bilinear piece, its lines of constant v, and the two of them through a point.

    Args:
        ax: axes to draw on.
        piece: coefficients of the piece, each `2`.
        point: `2`, (x, y) in the source frame.
        roots: `2`, the two values of v, the valid one first.

    Returns:
        The two lines for u in [0, 1], in the order of the roots.
    """
    ends = torch.tensor([0.0, 1.0])
    for v in torch.linspace(0, 1, 6):
        ax.plot(*piece.at(ends, v.expand(2)).T.tolist(), color=GRID, linewidth=0.8)
    edge = piece.at(torch.tensor([0.0, 1, 1, 0, 0]), torch.tensor([0.0, 0, 1, 1, 0]))
    ax.plot(*edge.T.tolist(), color=INK)
    lines = []
    for v, colour, name in zip(roots, (PREDICTION, FOLD), ("right", "wrong"), strict=True):
        style = "-" if name == "right" else "--"
        label = f"{name}: v = {float(v):.2f}"
        x, y = piece.at(ends, v.expand(2)).T.tolist()
        lines += ax.plot(x, y, style, color=colour, linewidth=3, label=label)
    # Fix the limits before the extensions of the lines are drawn.
    ax.margins(0.25)
    ax.autoscale_view()
    ax.autoscale(False)
    for v, line in zip(roots, lines, strict=True):
        extension = piece.at(torch.tensor([-9.0, 10.0]), v.expand(2)).T.tolist()
        ax.plot(*extension, line.get_linestyle(), color=line.get_color(), linewidth=1)
    position = (float(point[0]), float(point[1]))
    ax.plot(*position, "o", color=MARK, markersize=8, zorder=3)
    ax.annotate("q", position, (9, 6), textcoords="offset points", color=INK)
    # In image coordinates, y points downwards.
    ax.set(aspect="equal", xlabel="x of the source", ylabel="y of the source")
    ax.invert_yaxis()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return lines


def show_quadratic(ax: Axes, square: float, linear: float, constant: float) -> list[Line2D]:
    """Plot f(v) = square v^2 + linear v + constant, with tangents at its two real roots.

    Returns:
        The tangents, the one at the valid root (where f increases) first.

    Raises:
        ValueError: there are not two real roots.
    """
    discriminant = linear**2 - 4 * square * constant
    if square == 0 or discriminant <= 0:
        raise ValueError(
            f"expected a polynomial with two real roots, got {square} v^2 + {linear} v + {constant}"
        )
    roots = [(sign * discriminant**0.5 - linear) / (2 * square) for sign in (1, -1)]
    middle, half = sum(roots) / 2, abs(roots[0] - roots[1])
    v = torch.linspace(min(middle - 0.75 * half, -0.1), max(middle + 0.75 * half, 1.1), 101)
    ax.axvspan(0, 1, color=GRID, alpha=0.25, label="inside the piece")
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.plot(v.tolist(), (square * v**2 + linear * v + constant).tolist(), color=INK)
    tangents = []
    for root, colour, name in zip(roots, (PREDICTION, FOLD), ("rises", "falls"), strict=True):
        slope = 2 * square * root + linear
        step = half / 5
        tangent_ends = (root - step, root + step)
        style = "-" if name == "rises" else "--"
        label = f"f {name} at {root:.2f}"
        tangents += ax.plot(
            tangent_ends, (-slope * step, slope * step), style, color=colour, lw=3, label=label
        )
        ax.plot(root, 0, "o", color=colour)
    ax.set(xlabel="v", ylabel="f(v)")
    ax.legend()
    return tangents


def draw_bounds(ax: Axes, warp: Warp, places: Tensor) -> list[Rectangle]:
    """Draw pieces of a warp, the first of a batch, filled and with their bounding boxes.

    Args:
        ax: over the source frame.
        warp: that contains the pieces.
        places: `k 2`, (row, column) of each piece.

    Returns:
        The bounding boxes.
    """
    fill_pieces(ax, warp, places, PREDICTION)
    boxes = []
    for corners in _corners(warp, places):
        (left, top), (right, bottom) = corners.amin(dim=0).tolist(), corners.amax(dim=0).tolist()
        rectangle = (left, top), right - left, bottom - top
        boxes.append(
            Rectangle(*rectangle, fill=False, edgecolor=FOLD, linestyle="--", linewidth=1.5)
        )
        ax.add_patch(boxes[-1])
    return boxes


def fill_pieces(ax: Axes, warp: Warp, places: Tensor, colour: str = FOLD) -> PolyCollection:
    """Fill pieces `k 2`, (row, column), of a warp, the first of a batch, over the source frame."""
    outlines = _corners(warp, places)[:, [0, 1, 3, 2]].numpy()
    shapes = PolyCollection(list(outlines), facecolor=colour, alpha=0.35)
    ax.add_collection(shapes)
    return shapes


def show_pieces(ax: Axes, pieces: Tensor, columns: int) -> AxesImage:
    """Show the piece of each source pixel, with pieces coloured like a chessboard.

    Args:
        ax: axes to draw on.
        pieces: `h w`, index of the piece, row * columns + column; -1 for none.
        columns: number of columns of pieces.
    """
    parity = (pieces.div(columns, rounding_mode="floor") + pieces % columns) % 2
    shade = parity.float().masked_fill(pieces < 0, torch.nan)
    colours = ListedColormap(["white", MARK])
    drawn = ax.imshow(shade.numpy(), colours, alpha=0.5, vmin=0, vmax=1, extent=(-1, 1, 1, -1))
    ax.set(aspect="auto", xlabel="x of the source", ylabel="y of the source")
    return drawn


def hatch(ax: Axes, where: Tensor) -> QuadContourSet:
    """Hatch the pixels of a mask `1 h w`, those without a value, over [-1, 1] x [-1, 1]."""
    rows, columns = where.shape[-2:]
    x = (torch.arange(columns) * 2 + 1) / columns - 1
    y = (torch.arange(rows) * 2 + 1) / rows - 1
    drawn = ax.contourf(
        x.numpy(),
        y.numpy(),
        where[0].float().cpu().numpy(),
        levels=[0.5, 1.5],
        colors=["white"],
        hatches=["////"],
    )
    drawn.set_edgecolor(FOLD)
    drawn.set_linewidth(0.0)
    return drawn


def _corners(warp: Warp, places: Tensor) -> Tensor:
    """Return the corners of pieces `k 2`, (row, column): `k 4 2`, row by row."""
    grid = warp.grid[0].detach().cpu()
    row, column = places[:, 0, None], places[:, 1, None]
    return grid[row + torch.tensor([0, 0, 1, 1]), column + torch.tensor([0, 1, 0, 1])]
