"""Sizes, drawn: what a small picture leaves of a person, and who is found at what size.

Every function draws on matplotlib axes it is given, and returns what it drew.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.text import Text
from torch import Tensor

from .figures import draw_box, log_axis
from .intervals import Interval, dodge, draw_intervals
from .palette import FOLD, INK, MARKERS, SERIES, TRUTH

_COLOURS = (INK, *SERIES)
"""Uniform downsampling, which has no colour, comes first."""

_APART = 1.035
"""By what factor neighbouring curves stand apart, so that their bars do not cover one another."""


def name_boxes(ax: Axes, boxes: Tensor, names: Sequence[str], colour: str = TRUTH) -> list[Text]:
    """Draw boxes `n 4`, xyxy in [-1, 1], each with its name below it.

    Returns:
        The names.
    """
    written: list[Text] = []
    for box, name in zip(boxes, names, strict=True):
        draw_box(ax, box, colour)
        left, _, right, bottom = box.tolist()
        written.append(
            ax.annotate(
                name,
                ((left + right) / 2, bottom),
                (0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=9,
                color=INK,
                bbox={"boxstyle": "round,pad=0.2", "facecolor": colour, "edgecolor": "none"},
            )
        )
    return written


def show_contrast(
    ax: Axes, periods: Sequence[float], curves: Mapping[str, Sequence[float]], title: str = ""
) -> list[Line2D]:
    """Show how much of the contrast of stripes is left, by their period; the limit is at 2 pixels.

    Args:
        ax: where to draw.
        periods: in pixels of the small picture, rising.
        curves: the part that is left for each period, by name; at most five.
        title: above it.
    """
    ax.axvspan(min(periods), 2, color=FOLD, alpha=0.12, linewidth=0, label="too fine to be shown")
    lines = [
        ax.plot(periods, list(values), marker=marker, color=colour, label=name)[0]
        for (name, values), colour, marker in zip(curves.items(), _COLOURS, MARKERS, strict=False)
    ]
    ax.set(xlabel="a stripe and its gap, in pixels of the small picture", ylabel="contrast left")
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
    """Show means with their intervals against a height, which is on a logarithmic scale.

    Args:
        ax: where to draw.
        curves: by name (at most five) and by height. Each stands a little beside the one before.
        title: above it.
        ticks: heights that are written below it.

    Returns:
        One a curve.
    """
    ax.axhline(0.5, color=INK, linestyle=":", linewidth=1)
    drawn = []
    styles = zip(curves.items(), _COLOURS, MARKERS, strict=False)
    for index, ((name, points), colour, marker) in enumerate(styles):
        places = [height * _APART ** (index - (len(curves) - 1) / 2) for height in points]
        drawn.append(
            draw_intervals(
                ax, places, list(points.values()), colour=colour, mark=marker, label=name
            )
        )
    ax.set_ylim(-0.04, 1.04)
    log_axis(ax, ticks)
    ax.set_title(title, color=INK)
    ax.legend(fontsize=9)
    return drawn


def show_systems(
    ax: Axes, means: Mapping[str, Mapping[str, Interval]], title: str = ""
) -> list[ErrorbarContainer]:
    """Show means with their intervals for several systems, side by side, of several persons.

    Args:
        ax: where to draw.
        means: by person (at most five), then by system; all with the same systems.
        title: above it.

    Returns:
        One a person.

    Raises:
        ValueError: the systems differ.
    """
    drawn = []
    systems: list[str] = []
    styles = zip(means.items(), SERIES, MARKERS, strict=False)
    for index, ((person, by_system), colour, marker) in enumerate(styles):
        systems = systems or list(by_system)
        if list(by_system) != systems:
            raise ValueError(f"all need the systems {systems}, got {list(by_system)} of {person}")
        places = dodge(len(systems), index, len(means), 0.24)
        drawn.append(
            draw_intervals(
                ax,
                places,
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
