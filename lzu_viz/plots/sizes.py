"""Sizes, drawn: what a small picture leaves of a person, and who is found at what size.

Every function draws on matplotlib axes it is given, and returns what it drew.
"""

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import NullLocator
from torch import Tensor

from .figures import draw_box
from .palette import ANSWER, FOLD, FOVEA, INK, MARK, TRUTH

Interval = tuple[float, float, float]
"""A mean, and the lower and the upper end of its interval."""

_COLOURS = (INK, ANSWER, FOVEA, FOLD, MARK)
_MARKERS = ("o", "s", "^", "D", "v")

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
        for (name, values), colour, marker in zip(curves.items(), _COLOURS, _MARKERS, strict=False)
    ]
    ax.set(xlabel="a stripe and its gap, in pixels of the small picture", ylabel="contrast left")
    ax.set_ylim(bottom=0)
    _log_axis(ax, [period for period in (0.5, 1, 2, 4, 8) if period <= max(periods)])
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
    styles = zip(curves.items(), _COLOURS, _MARKERS, strict=False)
    for index, ((name, points), colour, marker) in enumerate(styles):
        places = [height * _APART ** (index - (len(curves) - 1) / 2) for height in points]
        drawn.append(
            ax.errorbar(
                places,
                [mean for mean, _, _ in points.values()],
                _bars(points.values()),
                marker=marker,
                color=colour,
                capsize=3,
                label=name,
            )
        )
    ax.set_ylim(-0.04, 1.04)
    _log_axis(ax, ticks)
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
    styles = zip(means.items(), (ANSWER, FOVEA, FOLD, MARK, INK), _MARKERS, strict=False)
    for index, ((person, by_system), colour, marker) in enumerate(styles):
        systems = systems or list(by_system)
        if list(by_system) != systems:
            raise ValueError(f"all need the systems {systems}, got {list(by_system)} of {person}")
        aside = 0.24 * (index - (len(means) - 1) / 2)
        drawn.append(
            ax.errorbar(
                [place + aside for place in range(len(systems))],
                [mean for mean, _, _ in by_system.values()],
                _bars(by_system.values()),
                fmt=marker,
                color=colour,
                markersize=8,
                capsize=4,
                label=person,
            )
        )
    ax.set_xticks(range(len(systems)), systems)
    ax.set(xlim=(-0.5, len(systems) - 0.5), ylim=(-0.04, 1.04))
    ax.set_title(title, color=INK)
    ax.legend(fontsize=9, loc="upper left")
    return drawn


def _bars(intervals: Iterable[Interval]) -> list[list[float]]:
    """Give how far the ends lie below and above the means, as matplotlib wants it."""
    apart = [[mean - low, high - mean] for mean, low, high in intervals]
    return [list(side) for side in zip(*apart, strict=True)]


def _log_axis(ax: Axes, ticks: Sequence[float]) -> None:
    """Put some numbers on a logarithmic x axis."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(list(ticks), [f"{tick:g}" for tick in ticks])
