"""Plots of means with confidence intervals."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

Interval = tuple[float, float, float]
"""(mean, lower end, upper end) of an interval."""


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
    """Draw means as markers and their intervals as error bars.

    Args:
        ax: axes to draw on.
        places: position of each mean on the other axis.
        intervals: means with the ends of their intervals.
        colour: of markers and lines.
        mark: matplotlib marker of the means.
        line: style of the line that joins the means; empty for none.
        label: in the legend.
        horizontal: whether values are on the x axis and places on the y axis.
    """
    positions = np.asarray(places, dtype=float)
    middle, low, high = np.array(intervals).T
    # An interval may exclude its mean; matplotlib rejects negative error bars.
    errors = np.maximum([middle - low, high - middle], 0)
    drawn = ax.errorbar(
        middle if horizontal else positions,
        positions if horizontal else middle,
        xerr=errors if horizontal else None,
        yerr=None if horizontal else errors,
        color=colour,
        marker=mark,
        linestyle=line,
        capsize=3,
        label=label,
    )
    return drawn


def dodge(count: int, number: int, of: int, apart: float) -> list[float]:
    """Return the positions 0 to ``count - 1``, offset for series ``number`` of ``of``, to dodge.

    Example:
        >>> dodge(2, number=0, of=2, apart=0.5), dodge(2, number=1, of=2, apart=0.5)
        ([-0.25, 0.75], [0.25, 1.25])
    """
    return [index + apart * (number - (of - 1) / 2) for index in range(count)]
