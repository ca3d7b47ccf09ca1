"""Plots of a comparison of systems on annotated images.

Functions draw on the given matplotlib axes, and return the artists.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..experiments.comparison import FEW, HEIGHTS, height_range
from .figures import log_axis
from .palette import GRID, INK, MARK
from .reproduction import colour_of

SYSTEM_STYLES: Mapping[str, tuple[str, str]] = {
    "uniform": (colour_of("uniform"), "o"),
    "fovea": (colour_of("fovea"), "s"),
    "lzu": (colour_of("lzu"), "^"),
    "sliced": (MARK, "D"),
    "sliced_native": (INK, "v"),
    "crop": (GRID, "P"),
}
"""Colour and marker of each system."""


def comparison_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return a figure of average precision at all sizes, and of recall by height at the smallest.

    Args:
        rows: of :func:`lzu_viz.experiments.comparison.summarise_systems`.
    """
    smallest = min(row["size"] for row in rows)
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    show_average_precision(left, rows)
    show_recall_by_height(right, [row for row in rows if row["size"] == smallest])
    right.set_title(f"at {smallest[0]} x {smallest[1]} pixels")
    left.legend()
    return figure


def show_average_precision(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> list[Line2D]:
    """Plot average precision against the rows of the network's input, one line per system.

    Args:
        ax: axes to draw on.
        rows: of :func:`lzu_viz.experiments.comparison.summarise_systems`.
    """
    lines = []
    for system, of_system in _by_system(rows).items():
        colour, marker = SYSTEM_STYLES[system]
        of_system = sorted(of_system, key=lambda row: row["size"])
        heights = [row["size"][0] for row in of_system]
        lines += ax.plot(
            heights,
            [row["ap"] for row in of_system],
            color=colour,
            marker=marker,
            label=system,
        )
    log_axis(ax, sorted({row["size"][0] for row in rows}))
    ax.set(xlabel="rows of the network's input", ylabel="average precision")
    ax.set_ylim(bottom=0)
    return lines


def show_recall_by_height(ax: Axes, rows: Sequence[Mapping[str, Any]]) -> list[Line2D]:
    """Plot recall against the height of the objects, one line per system, at one size.

    Ranges with few objects are left out.

    Args:
        ax: axes to draw on.
        rows: of :func:`lzu_viz.experiments.comparison.summarise_systems`, all of one size.
    """
    names = [height_range(low, high) for low, high in pairwise(HEIGHTS)]
    lines = []
    for system, (row,) in _by_system(rows).items():
        colour, marker = SYSTEM_STYLES[system]
        values = [recall if count >= FEW else math.nan for count, recall in row["recall by height"]]
        lines += ax.plot(range(len(names)), values, color=colour, marker=marker, label=system)
    counts = [count for count, _ in rows[0]["recall by height"]]
    ax.set_xticks(
        range(len(names)),
        [f"{name}\n({count})" for name, count in zip(names, counts, strict=True)],
    )
    ax.set(xlabel="height of the object relative to the image (number of objects)",
           ylabel="recall at IoU 0.5", ylim=(0, 1.02))  # fmt: skip
    return lines


def _by_system(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    systems: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        systems.setdefault(row["system"], []).append(row)
    return systems
