"""Features, drawn: which part of a picture each cell of a map stands for, and who reads it.

Every function draws on matplotlib axes it is given, and returns what it drew.
"""

from collections.abc import Mapping, Sequence

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.quiver import Quiver
from torch import Tensor

from ..geometry.warp import Warp
from .figures import log_axis
from .palette import FOLD, GRID, INK, MARKERS, SERIES

_ALONG = 65
"""Points of a line that T bends."""


def draw_cells(
    ax: Axes, size: Sequence[int], warp: Warp | None = None, colour: str = GRID
) -> LineCollection:
    """Draw the cells of a feature map.

    Args:
        ax: over the frame [-1, 1] x [-1, 1].
        size: (rows, columns) of cells.
        warp: where the axes show the source and the cells are those of the zoomed frame: each is
            drawn around the part of the source that it stands for. Of a batch the first.
        colour: of the lines.

    Returns:
        The lines between cells, the horizontal ones first.
    """
    rows, columns = size
    along = torch.linspace(-1, 1, _ALONG)
    lines = [torch.stack([along, y.expand(_ALONG)], -1) for y in torch.linspace(-1, 1, rows + 1)]
    lines += [
        torch.stack([x.expand(_ALONG), along], -1) for x in torch.linspace(-1, 1, columns + 1)
    ]
    points = torch.stack(lines)
    if warp is not None:
        flat = points.reshape(1, -1, 2).to(warp.grid)
        points = warp[0].to_source(flat).reshape(points.shape).detach().cpu()
    drawn = LineCollection(list(points.numpy()), colors=colour, linewidths=1)
    ax.add_collection(drawn)
    return drawn


def show_map(ax: Axes, values: Tensor, title: str = "", shape: float | None = None) -> AxesImage:
    """Show one number a cell, each cell a block, over [-1, 1] x [-1, 1].

    Args:
        ax: where to draw.
        values: `h w`.
        title: above it.
        shape: height over width of the frame; that of the map where None.
    """
    drawn = ax.imshow(
        values.detach().cpu().numpy(),
        extent=(-1, 1, 1, -1),
        aspect=shape if shape else values.shape[-2] / values.shape[-1],
        cmap="cividis",
    )
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, color=INK)
    return drawn


def show_readers(
    ax: Axes, weights: Tensor, title: str = "", shape: float | None = None
) -> AxesImage:
    """Show how much each cell of a map counts in what is read from it.

    Args:
        ax: where to draw.
        weights: `h w`, how many readers a cell has, in parts. Red: nobody reads it; from dark to
            bright: up to one reader or more.
        title: above it.
        shape: as in :func:`show_map`.
    """
    drawn = show_map(ax, torch.where(weights > 0, weights, -1.0), title, shape)
    drawn.set_cmap(colormaps["cividis"].with_extremes(under=FOLD))
    drawn.set_clim(0, 1)
    return drawn


def draw_drift(ax: Axes, places: Tensor, drift: Tensor, colour: str = FOLD) -> Quiver:
    """Draw an arrow from each place to where its features really come from.

    Args:
        ax: over the frame [-1, 1] x [-1, 1].
        places: `n 2`, (x, y) in [-1, 1].
        drift: `n 2`, in the same unit.
        colour: of the arrows.
    """
    (x, y), (u, v) = places.cpu().T.numpy(), drift.cpu().T.numpy()
    drawn: Quiver = ax.quiver(
        x, y, u, v, color=colour, angles="xy", scale_units="xy", scale=1, width=0.006, zorder=3
    )
    ax.plot(x, y, ".", color=colour, markersize=3)
    return drawn


def show_by_stride(
    ax: Axes, strides: Sequence[int], curves: Mapping[str, Sequence[float]], title: str = ""
) -> list[Line2D]:
    """Show numbers by stride, on a logarithmic axis; the curves differ in colour and in marker.

    Args:
        ax: where to draw.
        strides: powers of two, rising.
        curves: one value a stride, by name; at most five.
        title: above it.
    """
    lines = [
        ax.plot(strides, list(values), marker=marker, color=colour, label=name)[0]
        for (name, values), colour, marker in zip(curves.items(), SERIES, MARKERS, strict=False)
    ]
    log_axis(ax, strides)
    ax.set(xlabel="stride")
    ax.set_ylim(bottom=0)
    ax.set_title(title, color=INK)
    ax.legend()
    return lines


def show_receptive_field(
    ax: Axes, strength: Tensor, centre: tuple[float, float], stride: int, title: str = ""
) -> tuple[Line2D, Line2D]:
    """Show what one cell looks at, in pixels about its centre.

    Args:
        ax: where to draw.
        strength: `h w`, how much each pixel moves the cell; not negative.
        centre: (x, y) of the cell's centre in pixels, counted from the outer corner of the first.
        stride: side of the cell.
        title: above it.

    Returns:
        The marks of the cell's centre and of the centre of what it looks at.
    """
    rows, columns = strength.shape
    x, y = centre
    ax.imshow(strength.sqrt().cpu().numpy(), extent=(-x, columns - x, rows - y, -y), cmap="cividis")
    half, share = stride / 2, strength.cpu() / strength.cpu().sum()
    where = (
        float((share.sum(0) * (torch.arange(columns) + 0.5)).sum()) - x,
        float((share.sum(1) * (torch.arange(rows) + 0.5)).sum()) - y,
    )
    around = (-half, half, half, -half, -half), (-half, -half, half, half, -half)
    ax.plot(*around, color=GRID, linewidth=2)
    (cell,) = ax.plot(0, 0, "o", color=GRID, markersize=9, label="the cell's centre")
    (mark,) = ax.plot(*where, "P", color=FOLD, markersize=11, label="centre of what it looks at")
    reach = 2 * stride
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach), xlabel="pixels", ylabel="pixels")
    ax.set_title(title, color=INK)
    return cell, mark
