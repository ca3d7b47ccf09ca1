"""Plots of the limits: predictions of both networks, the pixel budget, and gains and losses.

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.image import AxesImage
from torch import Tensor

from .figures import draw_boxes
from .intervals import Interval, draw_intervals
from .masks import show_mask
from .palette import FOLD, FOVEA, GROUND_TRUTH, INK, MARK, MARKERS, PREDICTION, SERIES


def show_answer(
    ax: Axes, image: Tensor, mask: Tensor, boxes: Tensor, ground_truth: Tensor, title: str = ""
) -> AxesImage:
    """Show an image with predicted mask (tinted blue) and boxes (blue), and true boxes (yellow).

    Args:
        ax: axes to draw on.
        image: `1 3 h w` in 0..1.
        mask: `1 1 h w`, boolean.
        boxes: `n 4`, xyxy in [-1, 1]; n may be 0.
        ground_truth: `m 4`, xyxy in [-1, 1].
        title: of the axes.
    """
    tint = show_mask(ax, image, mask, title)
    draw_boxes(ax, ground_truth, GROUND_TRUTH)
    draw_boxes(ax, boxes, PREDICTION)
    return tint


def show_budget(
    ax: Axes, magnification: Tensor, title: str = ""
) -> tuple[FillBetweenPolyCollection, FillBetweenPolyCollection]:
    """Plot the zoomed pixels per unit of source area relative to uniform, from most to least.

    The curve is the square of the magnification, sorted, over the fraction of the source area. The
    areas above and below 1 are equal, as the number of zoomed pixels is fixed.

    Args:
        ax: axes to draw on.
        magnification: `1 h w`, linear; of a warp with anti-crop, so that all points are visible.
        title: of the axes.

    Returns:
        The areas of gained (orange) and lost (purple) pixels.

    Raises:
        ValueError: parts of the source are not visible.
    """
    if not bool(magnification.isfinite().all()):
        raise ValueError(
            "expected finite magnification everywhere, got NaN or infinity: parts of the source "
            "are out of view; use a warp with anti-crop"
        )
    pixels = magnification[0].flatten().square().sort(descending=True).values.cpu().numpy()
    fraction = (np.arange(len(pixels)) + 0.5) / len(pixels)
    ax.axhline(1, color=INK, linewidth=1)
    gained = ax.fill_between(fraction, pixels, 1, where=pixels > 1, color=FOVEA, label="gained")
    lost = ax.fill_between(fraction, pixels, 1, where=pixels <= 1, color=MARK, label="lost")
    ax.set(
        xlim=(0, 1),
        ylim=(0, 5),
        xlabel="fraction of the source area",
        ylabel="pixels (uniform = 1)",
    )
    ax.set_title(title, color=INK)
    ax.legend()
    return gained, lost


def show_gain(
    ax: Axes,
    curves: Mapping[str, Mapping[float, Interval]],
    title: str = "",
    label: str = "",
) -> list[ErrorbarContainer]:
    """Plot differences from uniform with their intervals against a number; below 0 is worse.

    Args:
        ax: axes to draw on.
        curves: by name (at most five), then by number, ascending.
        title: of the axes.
        label: of the x axis.
    """
    ax.axhline(0, color=INK, linewidth=1)
    drawn = [
        draw_intervals(
            ax, list(points), list(points.values()), colour=colour, mark=marker, label=name
        )
        for (name, points), colour, marker in zip(curves.items(), SERIES, MARKERS, strict=False)
    ]
    ax.set(xlabel=label)
    ax.set_title(title, color=INK)
    ax.legend()
    return drawn


def show_ranked(ax: Axes, gains: Mapping[str, Interval], title: str = "") -> ErrorbarContainer:
    """Plot differences from uniform as bars, the largest loss on top: losses red, gains blue.

    Args:
        ax: axes to draw on.
        gains: differences with their intervals, by name.
        title: of the axes.

    Raises:
        ValueError: there are no gains.
    """
    if not gains:
        raise ValueError("expected at least one gain, got an empty mapping")
    ordered = sorted(gains.items(), key=_mean, reverse=True)
    intervals = [interval for _, interval in ordered]
    positions = list(range(len(ordered)))
    colours = [FOLD if mean < 0 else PREDICTION for mean, _, _ in intervals]
    ax.barh(positions, [mean for mean, _, _ in intervals], color=colours, alpha=0.45)
    drawn = draw_intervals(ax, positions, intervals, colour=INK, mark="o", line="", horizontal=True)
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(positions, [name for name, _ in ordered])
    ax.set_title(title, color=INK)
    return drawn


def _mean(item: tuple[str, Interval]) -> float:
    return item[1][0]
