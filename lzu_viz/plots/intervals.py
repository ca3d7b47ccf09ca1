"""Means with their intervals, drawn alike on every page."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

Interval = tuple[float, float, float]
"""A mean, and the lower and the upper end of its interval."""


def draw_intervals(
    ax: Axes,
    places: Sequence[float],
    intervals: Sequence[Interval],
    *,
    colour: str,
    mark: str,
    line: str = "-",
    label: str = "",
    horizontal: bool = False,
) -> ErrorbarContainer:
    """Draw means as marks and their intervals as bars.

    Args:
        ax: where to draw.
        places: one a mean, on the other axis.
        intervals: of the means.
        colour: of all.
        mark: of a mean.
        line: from mean to mean; empty for none.
        label: in the legend.
        horizontal: whether the bars lie, and the places are from bottom to top.
    """
    where = np.asarray(places, dtype=float)
    middle, low, high = np.array(intervals).T
    # The interval of a mean need not hold it; matplotlib refuses that.
    apart = np.maximum([middle - low, high - middle], 0)
    drawn = ax.errorbar(
        middle if horizontal else where,
        where if horizontal else middle,
        xerr=apart if horizontal else None,
        yerr=None if horizontal else apart,
        color=colour,
        marker=mark,
        linestyle=line,
        capsize=3,
        label=label,
    )
    return drawn


def dodge(count: int, number: int, of: int, apart: float) -> list[float]:
    """Return the places 0 to ``count - 1``, moved aside for one of several that share them.

    Example:
        >>> dodge(2, number=0, of=2, apart=0.5), dodge(2, number=1, of=2, apart=0.5)
        ([-0.25, 0.75], [0.25, 1.25])
    """
    return [place + apart * (number - (of - 1) / 2) for place in range(count)]
