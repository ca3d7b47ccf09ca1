"""Plots by object size: contrast lost by downsampling, and recall or IoU against height.

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.text import Text
from torch import Tensor

from .figures import draw_box, log_axis
from .intervals import Interval, dodge, draw_intervals
from .palette import FOLD, GROUND_TRUTH, INK, MARKERS, SERIES

_COLOURS = (INK, *SERIES)
"""Colours of curves; the first, uniform downsampling, is drawn in ink."""

_APART = 1.035
"""Factor between the x positions of neighbouring curves, so that error bars do not overlap."""


def name_boxes(ax: Axes, boxes: Tensor, names: Sequence[str]) -> list[Text]:
    """Draw boxes `n 4`, xyxy in [-1, 1], each with its name below it, and return the texts."""
    texts: list[Text] = []
    for box, name in zip(boxes, names, strict=True):
        draw_box(ax, box, GROUND_TRUTH)
        left, _, right, bottom = box.tolist()
        texts.append(
            ax.annotate(
                name,
                ((left + right) / 2, bottom),
                (0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=9,
                color=INK,
                bbox={"boxstyle": "round,pad=0.2", "facecolor": GROUND_TRUTH, "edgecolor": "none"},
            )
        )
    return texts


def show_contrast(
    ax: Axes, periods: Sequence[float], curves: Mapping[str, Sequence[float]], title: str = ""
) -> list[Line2D]:
    """Plot the remaining contrast of stripes against their period; the limit is at 2 pixels.

    Args:
        ax: axes to draw on.
        periods: in pixels of the downsampled image, ascending.
        curves: remaining fraction of the contrast for each period, by name; at most five.
        title: of the axes.
    """
    ax.axvspan(
        min(periods), 2, color=FOLD, alpha=0.12, linewidth=0, label="too fine to be represented"
    )
    lines = [
        ax.plot(periods, list(values), marker=marker, color=colour, label=name)[0]
        for (name, values), colour, marker in zip(curves.items(), _COLOURS, MARKERS, strict=False)
    ]
    ax.set(
        xlabel="period of the stripes, in pixels of the small picture", ylabel="remaining contrast"
    )
    ax.set_ylim(bottom=0)
    log_axis(ax, [period for period in (0.5, 1, 2, 4, 8) if period <= max(periods)])
    ax.set_title(title, color=INK)
    ax.legend(fontsize=9)
    return lines


def show_by_size(
    ax: Axes,
    curves: Mapping[str, Mapping[float, Interval]],
    title: str = "",
    ticks: Sequence[float] = (10, 20, 40, 80, 160),
) -> list[ErrorbarContainer]:
    """Plot means with their intervals against height, on a logarithmic axis.

    Args:
        ax: axes to draw on.
        curves: by name (at most five) and by height; drawn with a small offset from each other.
        title: of the axes.
        ticks: heights with a tick label.

    Returns:
        One container for each curve.
    """
    ax.axhline(0.5, color=INK, linestyle=":", linewidth=1)
    drawn = []
    styles = zip(curves.items(), _COLOURS, MARKERS, strict=False)
    for index, ((name, points), colour, marker) in enumerate(styles):
        positions = [height * _APART ** (index - (len(curves) - 1) / 2) for height in points]
        drawn.append(
            draw_intervals(
                ax, positions, list(points.values()), colour=colour, mark=marker, label=name
            )
        )
    ax.set_ylim(-0.04, 1.04)
    log_axis(ax, ticks)
    ax.set_title(title, color=INK)
    ax.legend(fontsize=9)
    return drawn


def show_system_means(
    ax: Axes, means: Mapping[str, Mapping[str, Interval]], title: str = ""
) -> list[ErrorbarContainer]:
    """Plot means with their intervals for several persons, by system, side by side.

    Args:
        ax: axes to draw on.
        means: by person (at most five), then by system; the systems are the same for all persons.
        title: of the axes.

    Returns:
        One container for each person.

    Raises:
        ValueError: the systems differ between persons.
    """
    drawn = []
    systems: list[str] = []
    styles = zip(means.items(), SERIES, MARKERS, strict=False)
    for index, ((person, by_system), colour, marker) in enumerate(styles):
        systems = systems or list(by_system)
        if list(by_system) != systems:
            raise ValueError(
                f"expected the systems {systems} for each person, got {list(by_system)} "
                f"for {person!r}"
            )
        positions = dodge(len(systems), index, len(means), 0.24)
        drawn.append(
            draw_intervals(
                ax,
                positions,
                list(by_system.values()),
                colour=colour,
                mark=marker,
                line="",
                label=person,
            )
        )
    ax.set_xticks(range(len(systems)), systems)
    ax.set(xlim=(-0.5, len(systems) - 0.5), ylim=(-0.04, 1.04))
    ax.set_title(title, color=INK)
    ax.legend(fontsize=9, loc="upper left")
    return drawn
