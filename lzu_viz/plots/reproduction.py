"""The paper in miniature: losses while training."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .palette import SERIES

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
