"""Attraction, drawn: its terms, its curves, and what it does to a picture.

Functions that draw on matplotlib axes they are given, and return what they drew.
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

from .palette import ANSWER, FOLD, FOVEA, GRID, INK, PAPER, SERIES

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)))


def show_terms(
    axes: Sequence[Axes], cells: Tensor, terms: Mapping[str, Tensor], point: float, drawn: float
) -> list[BarContainer]:
    """Show the terms of the attraction of one point on one axis, one below the other.

    A dashed line marks the point in all of them; in the last an arrow leads from it to the place
    that it is drawn to.

    Args:
        axes: one a term, from top to bottom.
        cells: `n`, equally spaced places of the cells in [-1, 1].
        terms: `n` values each, by the label of their axis.
        point: p, in [-1, 1].
        drawn: T(p).

    Returns:
        The bars of each term.

    Raises:
        ValueError: there are not as many axes as terms.
    """
    if len(axes) != len(terms):
        raise ValueError(f"show_terms needs one axis a term, got {len(axes)} and {len(terms)}")
    places, width = _numbers(cells), 0.8 * 2 / len(cells)
    bars = []
    for ax, colour, (label, values) in zip(axes, (GRID, FOVEA, ANSWER), terms.items(), strict=True):
        bars.append(ax.bar(places, _numbers(values), width, color=colour))
        ax.axvline(point, color=INK, linestyle="--", linewidth=1)
        ax.set(xlim=(-1, 1), ylabel=label, yticks=(), ylim=(0, 1.3 * float(values.max())))
    last, height = axes[-1], 1.15 * float(values.max())
    last.axvline(drawn, color=FOLD, linewidth=2)
    last.annotate(
        "",
        (drawn, height),
        (point, height),
        arrowprops={"arrowstyle": "->", "color": FOLD, "lw": 2, "shrinkA": 0, "shrinkB": 0},
    )
    right = drawn >= point
    for place, name, colour, before in ((point, "p", INK, right), (drawn, "T(p)", FOLD, not right)):
        side = -0.02 if before else 0.02
        last.text(
            place + side, height, name, color=colour, ha="right" if before else "left", va="center"
        )
    last.set(xlabel="x")
    return bars


def show_threads(ax: Axes, zoomed: Tensor, source: Tensor, title: str = "") -> LineCollection:
    """Show a map of one axis as threads, from pixels of the zoomed frame down to the source.

    Args:
        ax: where to draw.
        zoomed: `n`, places in [-1, 1] of the zoomed frame.
        source: `n`, the places of the source frame that they show.
        title: above it.
    """
    top, bottom = _numbers(zoomed), _numbers(source)
    ends = np.stack([top, np.ones_like(top), bottom, np.zeros_like(bottom)], axis=-1)
    threads = LineCollection(list(ends.reshape(-1, 2, 2)), colors=ANSWER, linewidths=0.8)
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
    """Show functions of one axis of the zoomed frame, apart in colour and in dashes.

    Args:
        ax: where to draw.
        places: `n`, in increasing order.
        curves: `n` values each, by name; at most five.
        title: above it.
        even: whether the identity is drawn too, thin and dotted, as "uniform".
    """
    if even:
        ax.plot(_numbers(places), _numbers(places), ":", color=INK, linewidth=1, label="uniform")
    lines = [
        ax.plot(_numbers(places), _numbers(values), color=colour, linestyle=dashes, label=name)[0]
        for (name, values), colour, dashes in zip(curves.items(), SERIES, _DASHES, strict=False)
    ]
    ax.set_title(title, color=INK)
    ax.legend()
    return lines


def show_magnification(
    ax: Axes, values: Tensor, title: str = "", maximum: float = 4.0, shape: float | None = None
) -> AxesImage:
    """Show how much larger (orange) or smaller (purple) each place of the source is drawn.

    Args:
        ax: where to draw.
        values: `1 h w`, linear, 1 for no change; NaN where there is none, which stays grey.
        title: above it.
        maximum: at which the scale ends, and 1 over this at which it begins.
        shape: height over width of the source; that of the map where None.
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
    """Add the scale of :func:`show_magnification` beside one or several axes."""
    minimum, maximum = drawn.get_clim()
    powers = range(round(np.log2(minimum)), round(np.log2(maximum)) + 1)
    figure = (axes if isinstance(axes, Axes) else axes[0]).figure
    bar = figure.colorbar(drawn, ax=axes if isinstance(axes, Axes) else list(axes), shrink=0.8)
    bar.set_ticks([2.0**power for power in powers], labels=[f"{2.0**power:g}" for power in powers])
    bar.minorticks_off()
    bar.set_label("times as large per side")
    return bar


def draw_fovea(ax: Axes, centre: tuple[float, float], sigma: float) -> Ellipse:
    """Draw a ring one standard deviation (a fraction of the sides) around a place in [-1, 1]."""
    ring = Ellipse(centre, 4 * sigma, 4 * sigma, fill=False, color=FOVEA, linewidth=2)
    ax.add_patch(ring)
    return ring


def dim_unseen(ax: Axes, covered: Tensor) -> AxesImage:
    """Darken the places of the source that the zoomed picture does not show.

    Args:
        ax: on which the source is drawn, over [-1, 1] x [-1, 1].
        covered: `1 h w`, boolean.
    """
    veil = torch.zeros(*covered.shape[-2:], 4)
    veil[..., 3] = 0.75 * (~covered[0]).float()
    aspect = ax.get_aspect()
    drawn = ax.imshow(veil.cpu().numpy(), extent=(-1, 1, 1, -1))
    ax.set_aspect(aspect)
    return drawn


def _numbers(values: Tensor) -> np.ndarray:
    return np.asarray(values.detach().cpu())
