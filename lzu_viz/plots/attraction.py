"""Plots of the attraction: its terms, its curves, and its effect on an image.

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LogNorm
from matplotlib.container import BarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from torch import Tensor

from .palette import FOLD, FOVEA, GRID, INK, PAPER, PREDICTION, SERIES

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)))


def show_terms(
    axes: Sequence[Axes], cells: Tensor, terms: Mapping[str, Tensor], point: float, mapped: float
) -> list[BarContainer]:
    """Show the terms of the attraction of a point in one dimension, one below the other.

    A dashed line marks the point on all axes; on the last, an arrow leads from it to T(p).

    Args:
        axes: one for each term, from top to bottom.
        cells: `n`, equally spaced cell centres in [-1, 1].
        terms: `n` values each, by axis label.
        point: p, in [-1, 1].
        mapped: T(p), in [-1, 1].

    Returns:
        The bars of each term.

    Raises:
        ValueError: the numbers of axes and terms differ.
    """
    if len(axes) != len(terms):
        raise ValueError(f"expected one axis per term, got {len(axes)} axes, {len(terms)} terms")
    positions, width = _to_numpy(cells), 0.8 * 2 / len(cells)
    bars = []
    for ax, colour, (label, values) in zip(
        axes, (GRID, FOVEA, PREDICTION), terms.items(), strict=True
    ):
        bars.append(ax.bar(positions, _to_numpy(values), width, color=colour))
        ax.axvline(point, color=INK, linestyle="--", linewidth=1)
        ax.set(xlim=(-1, 1), ylabel=label, yticks=(), ylim=(0, 1.3 * float(values.max())))
    bottom_ax, height = axes[-1], 1.15 * float(values.max())
    bottom_ax.axvline(mapped, color=FOLD, linewidth=2)
    bottom_ax.annotate(
        "",
        (mapped, height),
        (point, height),
        arrowprops={"arrowstyle": "->", "color": FOLD, "lw": 2, "shrinkA": 0, "shrinkB": 0},
    )
    moves_right = mapped >= point
    for x, name, colour, is_left in (
        (point, "p", INK, moves_right),
        (mapped, "T(p)", FOLD, not moves_right),
    ):
        offset = -0.02 if is_left else 0.02
        bottom_ax.text(
            x + offset, height, name, color=colour, ha="right" if is_left else "left", va="center"
        )
    bottom_ax.set(xlabel="x")
    return bars


def show_threads(ax: Axes, zoomed: Tensor, source: Tensor, title: str = "") -> LineCollection:
    """Show a map in one dimension as lines from points of the zoomed frame down to the source.

    Args:
        ax: axes to draw on.
        zoomed: `n`, positions in [-1, 1] of the zoomed frame.
        source: `n`, their positions in the source frame.
        title: of the axes.
    """
    top, bottom = _to_numpy(zoomed), _to_numpy(source)
    ends = np.stack([top, np.ones_like(top), bottom, np.zeros_like(bottom)], axis=-1)
    threads = LineCollection(list(ends.reshape(-1, 2, 2)), colors=PREDICTION, linewidths=0.8)
    ax.add_collection(threads)
    ax.plot(top, np.ones_like(top), "|", color=INK, markersize=8)
    ax.plot(bottom, np.zeros_like(bottom), "|", color=INK, markersize=8)
    ax.set(xlim=(-1.05, 1.05), ylim=(-0.1, 1.1), xticks=(-1, 0, 1), xlabel="x")
    ax.set_yticks((1, 0), ("zoomed x", "source T(x)"))
    ax.set_title(title, color=INK)
    return threads


def show_curves(
    ax: Axes, places: Tensor, curves: Mapping[str, Tensor], title: str = "", even: bool = True
) -> list[Line2D]:
    """Plot functions of one axis of the zoomed frame, with different colours and line styles.

    Args:
        ax: axes to draw on.
        places: `n`, positions in increasing order.
        curves: `n` values each, by name; at most five.
        title: of the axes.
        even: whether the identity is drawn too, thin and dotted, labelled "uniform".
    """
    if even:
        ax.plot(_to_numpy(places), _to_numpy(places), ":", color=INK, linewidth=1, label="uniform")
    lines = [
        ax.plot(_to_numpy(places), _to_numpy(values), color=colour, linestyle=dashes, label=name)[0]
        for (name, values), colour, dashes in zip(curves.items(), SERIES, _DASHES, strict=False)
    ]
    ax.set_title(title, color=INK)
    ax.legend()
    return lines


def show_magnification(
    ax: Axes, values: Tensor, title: str = "", maximum: float = 4.0, shape: float | None = None
) -> AxesImage:
    """Show the magnification of the source: larger in orange, smaller in purple.

    Args:
        ax: axes to draw on.
        values: `1 h w`, linear, 1 for no change; NaN is grey.
        title: of the axes.
        maximum: upper end of the logarithmic colour scale; the lower end is its inverse.
        shape: height over width of the source; that of the map if None.
    """
    drawn = ax.imshow(
        values[0].detach().cpu().numpy(),
        extent=(-1, 1, 1, -1),
        aspect=shape if shape else values.shape[-2] / values.shape[-1],
        norm=LogNorm(1 / maximum, maximum),
        cmap=colormaps["PuOr_r"].with_extremes(bad=PAPER),
    )
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, color=INK)
    return drawn


def add_scale(drawn: AxesImage, axes: Axes | Sequence[Axes]) -> Colorbar:
    """Add a colour bar for :func:`show_magnification` beside one or several axes."""
    minimum, maximum = drawn.get_clim()
    powers = range(round(np.log2(minimum)), round(np.log2(maximum)) + 1)
    figure = (axes if isinstance(axes, Axes) else axes[0]).figure
    bar = figure.colorbar(drawn, ax=axes if isinstance(axes, Axes) else list(axes), shrink=0.8)
    bar.set_ticks([2.0**power for power in powers], labels=[f"{2.0**power:g}" for power in powers])
    bar.minorticks_off()
    bar.set_label("times as large per side")
    return bar


def draw_fovea(ax: Axes, centre: tuple[float, float], sigma: float) -> Ellipse:
    """Draw a ring at one standard deviation (a fraction of the sides) around a point in [-1, 1]."""
    ring = Ellipse(centre, 4 * sigma, 4 * sigma, fill=False, color=FOVEA, linewidth=2)
    ax.add_patch(ring)
    return ring


def dim_unseen(ax: Axes, covered: Tensor) -> AxesImage:
    """Darken the parts of the source that are not visible in the zoomed image.

    Args:
        ax: axes that show the source over [-1, 1] x [-1, 1].
        covered: `1 h w`, boolean.
    """
    shade = torch.zeros(*covered.shape[-2:], 4)
    shade[..., 3] = 0.75 * (~covered[0]).float()
    aspect = ax.get_aspect()
    drawn = ax.imshow(shade.cpu().numpy(), extent=(-1, 1, 1, -1))
    ax.set_aspect(aspect)
    return drawn


def _to_numpy(values: Tensor) -> np.ndarray:
    return np.asarray(values.detach().cpu())
