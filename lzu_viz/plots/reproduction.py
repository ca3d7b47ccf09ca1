"""The paper in miniature: losses while training, figures over seeds, accuracy against cost."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..reproduce.results import Result, select, spread
from .palette import INK, MARKERS, SERIES

FAMILIES = {"uniform": 0, "lz": 3, "fovea": 1, "edge": 3, "lzu": 2}
"""Systems whose names begin alike have one colour, an index into `SERIES`."""


def colour_of(system: str) -> str:
    """Give the colour of a system, the same in every figure."""
    return SERIES[FAMILIES[system.lower().split("-")[0]]]


def smoothed(losses: Sequence[float], over: int = 25) -> list[float]:
    """Give the mean of each loss and those before it, at most ``over`` of them."""
    sums = np.cumsum([0.0, *losses])
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(ends - over, 0)
    means: list[float] = ((sums[ends] - sums[starts]) / (ends - starts)).tolist()
    return means


def show_losses(ax: Axes, losses: Mapping[str, Sequence[float]], steps: int) -> list[Line2D]:
    """Draw a curve of smoothed losses for each system, up to now.

    The axes keep their limits while the curves grow.
    """
    drawn = []
    for number, (name, values) in enumerate(losses.items()):
        (line,) = ax.plot(smoothed(values), color=colour_of(name), label=name,
                          linestyle=("-", "--", ":", "-.")[number % 4])  # fmt: skip
        drawn.append(line)
    ax.set(xlim=(0, steps), xlabel="step", ylabel="loss, mean of 25 steps")
    ax.set_ylim(bottom=0)
    if any(losses.values()):
        ax.legend(frameon=False)
    return drawn


def show_systems(
    ax: Axes, results: Sequence[Result], metric: str, systems: Sequence[str], title: str = ""
) -> None:
    """Draw a figure of each system as a bar over seeds, and a dot for each seed."""
    for row, system in enumerate(reversed(systems)):
        some = select(results, system=system)
        whole = spread(some, metric)
        colour = colour_of(system)
        ax.barh(row, whole.mean, color=colour, alpha=0.35, height=0.7)
        values = [each.metrics.get(metric, np.nan) for each in some]
        ax.plot(values, [row] * len(values), "o", color=colour, markersize=5)
        ax.annotate(f"{whole.mean:.2f}", (whole.high, row), (6, 0), textcoords="offset points",
                    va="center", color=INK, fontsize="small")  # fmt: skip
    ax.set_yticks(range(len(systems)), list(reversed(systems)))
    ax.margins(x=0.15)
    ax.set_xlim(left=0)
    ax.set_title(title, color=INK)


Point = tuple[float, float]
"""Cost and accuracy."""


def show_pareto(
    ax: Axes,
    points: Mapping[str, Mapping[float, Point]],
    cost: str,
    figure: str,
    title: str = "",
) -> None:
    """Draw accuracy against cost: a line for each system, a mark for each scale.

    The thick grey line joins what nothing else beats at its cost.
    """
    every = sorted(point for by_scale in points.values() for point in by_scale.values())
    best: list[Point] = []
    for point in every:
        if not best or point[1] > best[-1][1]:
            best.append(point)
    if best:
        ax.step(*zip(*best, strict=True), where="post", color="0.8", linewidth=6, zorder=0)
    for number, (name, by_scale) in enumerate(points.items()):
        ordered = [by_scale[scale] for scale in sorted(by_scale)]
        ax.plot(*zip(*ordered, strict=True), color=colour_of(name), marker=MARKERS[number % 5],
                linestyle=("-", "--", ":")[number % 3], label=name)  # fmt: skip
    ax.set(xlabel=cost, ylabel=figure)
    ax.set_title(title, color=INK)
    if points:
        ax.legend(frameon=False, fontsize="small")
