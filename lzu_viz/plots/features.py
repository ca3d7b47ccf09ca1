"""Plots of feature maps: the part of the image that a cell covers, and the weights of cells.

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Mapping, Sequence

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.quiver import Quiver
from torch import Tensor, nn

from ..geometry import saliency
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..systems.attach import attach
from .figures import log_axis, show_image
from .palette import FOLD, GRID, INK, MARK, MARKERS, SERIES

_ALONG = 65
"""Points per line of cells, as warped lines are curved."""


def draw_cells(ax: Axes, size: Sequence[int], warp: Warp | None = None) -> LineCollection:
    """Draw the cells of a feature map.

    Args:
        ax: over the frame [-1, 1] x [-1, 1].
        size: (rows, columns) of the map.
        warp: maps the cells from the zoomed frame to the source frame that the axes show; the first
            of a batch. None for cells in the frame of the axes.

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
    drawn = LineCollection(list(points.numpy()), colors=GRID, linewidths=1)
    ax.add_collection(drawn)
    return drawn


def show_map(ax: Axes, values: Tensor, title: str = "", shape: float | None = None) -> AxesImage:
    """Show a map, each cell a block, over [-1, 1] x [-1, 1].

    Args:
        ax: axes to draw on.
        values: `h w`.
        title: of the axes.
        shape: height over width of the frame; that of the map if None.
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


def show_readers(ax: Axes, weights: Tensor, title: str = "") -> AxesImage:
    """Show the total weight of each cell of a map in the samples taken from it.

    Args:
        ax: axes to draw on.
        weights: `h w`, sums of interpolation weights: 0 is red; from dark to bright, up to 1 and
            above.
        title: of the axes.
    """
    drawn = show_map(ax, torch.where(weights > 0, weights, -1.0), title)
    drawn.set_cmap(colormaps["cividis"].with_extremes(under=FOLD))
    drawn.set_clim(0, 1)
    return drawn


def draw_drift(ax: Axes, places: Tensor, drift: Tensor) -> Quiver:
    """Draw an arrow from each point to the true position of its features.

    Args:
        ax: over the frame [-1, 1] x [-1, 1].
        places: `n 2`, (x, y) in [-1, 1].
        drift: `n 2`, offsets in the same units.
    """
    (x, y), (u, v) = places.cpu().T.numpy(), drift.cpu().T.numpy()
    drawn: Quiver = ax.quiver(
        x, y, u, v, color=FOLD, angles="xy", scale_units="xy", scale=1, width=0.006, zorder=3
    )
    ax.plot(x, y, ".", color=FOLD, markersize=3)
    return drawn


def show_by_stride(
    ax: Axes, strides: Sequence[int], curves: Mapping[str, Sequence[float]], title: str = ""
) -> list[Line2D]:
    """Plot values against stride, on a logarithmic axis.

    Args:
        ax: axes to draw on.
        strides: powers of two, ascending.
        curves: one value per stride, by name; at most five.
        title: of the axes.
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
    """Show the effective receptive field of a cell, in pixels relative to the cell's centre.

    Args:
        ax: axes to draw on.
        strength: `h w`, influence of each pixel on the cell; not negative.
        centre: (x, y) of the cell's centre in pixels, from the outer corner of the first pixel.
        stride: side of the cell in pixels.
        title: of the axes.

    Returns:
        The markers of the cell's centre and of the centre of its receptive field.
    """
    rows, columns = strength.shape
    x, y = centre
    ax.imshow(strength.sqrt().cpu().numpy(), extent=(-x, columns - x, rows - y, -y), cmap="cividis")
    half, weights = stride / 2, strength.cpu() / strength.cpu().sum()
    field_centre = (
        float((weights.sum(0) * (torch.arange(columns) + 0.5)).sum()) - x,
        float((weights.sum(1) * (torch.arange(rows) + 0.5)).sum()) - y,
    )
    outline = (-half, half, half, -half, -half), (-half, -half, half, half, -half)
    ax.plot(*outline, color=GRID, linewidth=2)
    (cell,) = ax.plot(0, 0, "o", color=GRID, markersize=9, label="the cell's centre")
    (field,) = ax.plot(
        *field_centre, "P", color=FOLD, markersize=11, label="centre of its receptive field"
    )
    reach = 2 * stride
    ax.set(xlim=(-reach, reach), ylim=(reach, -reach), xlabel="pixels", ylabel="pixels")
    ax.set_title(title, color=INK)
    return cell, field


@torch.no_grad()
def show_attached(
    figure: Figure,
    x: float,
    strength: float,
    level: int,
    *,
    image: Tensor,
    network: nn.Module,
    size: Size,
    y: float,
    place: tuple[float, float],
    label: int = 0,
) -> None:
    """Show a class's map of scores with the zoom alone, and with zoom and unzoom.

    A ring marks a place in the source frame.

    Args:
        figure: empty.
        x: of the centre of the fovea, in [-1, 1].
        strength: weight of the fovea in the saliency, 0..1.
        level: index of the map.
        image: `1 3 h w` in 0..1.
        network: from an image to a list of maps, whose first channels are logits of classes.
        size: (rows, columns) of the zoomed image.
        y: of the centre of the fovea, in [-1, 1].
        place: (x, y) of the ring.
        label: index of the class.
    """
    fovea = saliency.gaussian(torch.tensor([[[x, y]]]), sigma=0.1)
    weights = (1 - strength, strength)
    warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea, weights=weights))
    zoomed = warp.zoom(image, size)
    with attach(network, warp, size=size):
        attached = network(image)[level]
    alone = network(zoomed)[level]
    source_shape, zoomed_shape = image.shape[-2] / image.shape[-1], size[0] / size[1]
    axes = figure.subplots(1, 4)
    show_image(axes[0], image, "Source")
    show_image(axes[1], zoomed, f"Zoomed, {size[0]} x {size[1]}")
    show_map(axes[2], alone[0, label].sigmoid(), "Scores, not unzoomed", zoomed_shape)
    show_map(axes[3], attached[0, label].sigmoid(), "Scores, attached", source_shape)
    for ax in (axes[0], axes[2], axes[3]):
        mark_place(ax, place)


def mark_place(ax: Axes, place: tuple[float, float]) -> Line2D:
    """Draw a ring around a place (x, y) in [-1, 1]."""
    (ring,) = ax.plot(*place, "o", color=MARK, fillstyle="none", markersize=13, markeredgewidth=2)
    return ring
