"""Limits, drawn: what two networks say, what a warp pays, and what is gained or lost by it.

Every function draws on matplotlib axes it is given, and returns what it drew.
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
from .palette import ANSWER, FOLD, FOVEA, INK, MARK, MARKERS, SERIES, TRUTH


def show_answer(
    ax: Axes, image: Tensor, mask: Tensor, boxes: Tensor, ground_truth: Tensor, title: str = ""
) -> AxesImage:
    """Show an image with a mask (tinted blue), boxes (blue), and what is true (yellow).

    Args:
        ax: where to draw.
        image: `1 3 h w` in 0..1.
        mask: `1 1 h w`, boolean.
        boxes: `n 4`, xyxy in [-1, 1]; n may be 0.
        ground_truth: `m 4`, likewise.
        title: above it.
    """
    tint = show_mask(ax, image, mask, title)
    draw_boxes(ax, ground_truth, TRUTH)
    draw_boxes(ax, boxes, ANSWER)
    return tint


def show_budget(
    ax: Axes, magnification: Tensor, title: str = ""
) -> tuple[FillBetweenPolyCollection, FillBetweenPolyCollection]:
    """Show how many of the zoomed pixels each part of the source gets, from most to least.

    The curve is the square of the magnification, over the share of the source that gets so many
    or more. What lies above 1 is taken from what lies below: both areas are equal.

    Args:
        ax: where to draw.
        magnification: `1 h w`, linear; of a warp with anti-crop, so that no place is out of view.
        title: above it.

    Returns:
        What is gained (orange) and what is paid (purple).

    Raises:
        ValueError: some places are out of view.
    """
    if not bool(magnification.isfinite().all()):
        raise ValueError("some of the source is out of view, so that the budget is not closed")
    pixels = magnification[0].flatten().square().sort(descending=True).values.cpu().numpy()
    share = (np.arange(len(pixels)) + 0.5) / len(pixels)
    ax.axhline(1, color=INK, linewidth=1)
    gained = ax.fill_between(share, pixels, 1, where=pixels > 1, color=FOVEA, label="gained")
    paid = ax.fill_between(share, pixels, 1, where=pixels <= 1, color=MARK, label="paid")
    ax.set(xlim=(0, 1), ylim=(0, 5), xlabel="share of the source", ylabel="pixels (uniform = 1)")
    ax.set_title(title, color=INK)
    ax.legend()
    return gained, paid


def show_gain(
    ax: Axes,
    curves: Mapping[str, Mapping[float, Interval]],
    title: str = "",
    label: str = "",
) -> list[ErrorbarContainer]:
    """Show differences with uniform, with their intervals, against a number; below 0 is worse.

    Args:
        ax: where to draw.
        curves: by name (at most five), then by that number, rising.
        title: above it.
        label: of the number.
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


def show_ranked(
    ax: Axes, gains: Mapping[str, Interval], title: str = "", label: str = ""
) -> ErrorbarContainer:
    """Show differences with uniform as bars, the greatest loss on top: red is loss, blue is gain.

    Args:
        ax: where to draw.
        gains: by name.
        title: above it.
        label: of the differences.

    Raises:
        ValueError: there are none.
    """
    if not gains:
        raise ValueError("there is nothing to rank")
    ordered = sorted(gains.items(), key=_mean, reverse=True)
    intervals = [interval for _, interval in ordered]
    places = list(range(len(ordered)))
    colours = [FOLD if mean < 0 else ANSWER for mean, _, _ in intervals]
    ax.barh(places, [mean for mean, _, _ in intervals], color=colours, alpha=0.45)
    drawn = draw_intervals(ax, places, intervals, colour=INK, mark="o", line="", horizontal=True)
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(places, [name for name, _ in ordered])
    ax.set(xlabel=label)
    ax.set_title(title, color=INK)
    return drawn


def _mean(named: tuple[str, Interval]) -> float:
    return named[1][0]
