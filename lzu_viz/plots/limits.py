"""Limits, drawn: what two networks say, what a warp pays, and what is gained or lost by it.

Every function draws on matplotlib axes it is given, and returns what it drew.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.image import AxesImage
from torch import Tensor

from .figures import draw_box, show_image
from .palette import ANSWER, FOLD, FOVEA, GRID, INK, MARK, TRUTH

Interval = tuple[float, float, float]
"""A mean, and the lower and the upper end of its interval."""

_COLOURS = (ANSWER, FOVEA, MARK, GRID, INK)
_MARKERS = ("o", "s", "^", "D", "v")


def show_answer(
    ax: Axes, image: Tensor, mask: Tensor, boxes: Tensor, truth: Tensor, title: str = ""
) -> AxesImage:
    """Show an image with a mask (tinted blue), boxes (blue), and what is true (yellow).

    Args:
        ax: where to draw.
        image: `1 3 h w` in 0..1.
        mask: `1 1 h w`, boolean.
        boxes: `n 4`, xyxy in [-1, 1]; n may be 0.
        truth: `m 4`, likewise.
        title: above it.
    """
    blue = torch.tensor(to_rgb(ANSWER)).view(1, 3, 1, 1)
    tinted = torch.where(mask.cpu(), 0.35 * image.cpu() + 0.65 * blue, image.cpu())
    drawn = show_image(ax, tinted, title)
    for box in truth:
        draw_box(ax, box, TRUTH)
    for box in boxes:
        draw_box(ax, box, ANSWER)
    return drawn


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
    ax.set(xlim=(0, 1), ylim=(0, 5), xlabel="share of the source", ylabel="pixels, of uniform's")
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
    drawn = []
    styles = zip(curves.items(), _COLOURS, _MARKERS, strict=False)
    for (name, points), colour, marker in styles:
        middle, apart = _parts(list(points.values()))
        drawn.append(
            ax.errorbar(
                list(points), middle, apart, marker=marker, color=colour, capsize=4, label=name
            )
        )
    ax.set(xlabel=label)
    ax.set_title(title, color=INK)
    ax.legend()
    return drawn


def rank(
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
    middle, apart = _parts([interval for _, interval in ordered])
    places = np.arange(len(ordered))
    colours = [FOLD if mean < 0 else ANSWER for mean in middle]
    ax.barh(places, middle, color=colours, alpha=0.45)
    drawn = ax.errorbar(middle, places, xerr=apart, fmt="o", color=INK, capsize=3, markersize=4)
    ax.axvline(0, color=INK, linewidth=1)
    ax.set_yticks(places, [name for name, _ in ordered])
    ax.set(xlabel=label)
    ax.set_title(title, color=INK)
    return drawn


def _mean(named: tuple[str, Interval]) -> float:
    return named[1][0]


def _parts(intervals: Sequence[Interval]) -> tuple[list[float], list[list[float]]]:
    """Give the means, and how far the ends lie below and above them, as matplotlib wants it."""
    middle = [mean for mean, _, _ in intervals]
    below = [mean - low for mean, low, _ in intervals]
    above = [high - mean for mean, _, high in intervals]
    return middle, [below, above]
