"""Plots of the reproduction: training losses, metrics over seeds, and accuracy against cost."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..experiments.profiling import Cost, CostPoint
from ..experiments.reproduce.results import Run, RunResult, gain, select_results, spread
from ..experiments.training.trained_systems import SYSTEMS
from .figures import show_pareto_front
from .palette import INK, MARKERS, SERIES

FAMILIES = {"uniform": 0, "lz": 3, "fovea": 1, "edge": 3, "lzu": 2}
"""Indices into `SERIES` of the colours of systems, by name prefix; other systems use the last."""


def colour_of(system: str) -> str:
    """Return the colour of a system, the same in every figure."""
    return SERIES[FAMILIES.get(system.lower().split("-")[0], 3)]


def smoothed(losses: Sequence[float], over: int = 25) -> list[float]:
    """Return the running mean of the losses over a window of the last ``over`` values."""
    sums = np.cumsum([0.0, *losses])
    ends = np.arange(1, len(losses) + 1)
    starts = np.maximum(ends - over, 0)
    means: list[float] = ((sums[ends] - sums[starts]) / (ends - starts)).tolist()
    return means


def show_losses(ax: Axes, losses: Mapping[str, Sequence[float]], steps: int) -> list[Line2D]:
    """Plot the smoothed losses of each system so far, on an x axis that covers all steps.

    Args:
        ax: axes to draw on.
        losses: one for each step so far, by name of the system.
        steps: number of steps of the whole training.
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


NAMES = {
    "ap": "AP",
    "ap50": "AP at IoU 0.5",
    "small": "AP, small things",
    "medium": "AP, medium things",
    "clip_ap": "AP on films",
    "shifted_ap": "AP on other streets",
    "miou": "mean IoU",
    "miou_fine": "mean IoU of things",
    "boundary_f": "F of outlines",
    "score": "score of 3D boxes",
    "translation": "error of place, m",
}
"""Labels of metrics."""

TITLES = {
    "detection": "2D detection",
    "segmentation": "segmentation",
    "detection3d": "monocular 3D detection",
}
"""Titles of tasks."""

MAIN = {"detection": "ap", "segmentation": "miou", "detection3d": "ap"}
"""Main metric of each task."""

FIGURES = (
    *(("detection", name) for name in ("ap", "ap50", "small", "medium", "clip_ap", "shifted_ap")),
    *(("segmentation", name) for name in ("miou", "miou_fine", "boundary_f")),
    *(("detection3d", name) for name in ("ap", "translation", "score")),
)
"""(task, metric) pairs that can be plotted."""

GROUPS = {
    "short table": ("uniform", "fovea", "edge", "lzu"),
    "how to unzoom": ("uniform", "lz", "fovea", "lzu", "uniform-fine", "lzu-fine"),
    "where to look": (
        "uniform", "lzu", "lzu-full", "lzu-adaptive", "lzu-cascaded", "edge", "edge-expected",
        "lzu-wrong",
    ),
    "no detail in the source": ("uniform", "uniform-destroyed", "lzu", "lzu-destroyed"),
}  # fmt: skip
"""Groups of systems that are compared with each other."""


def groups() -> dict[str, tuple[str, ...]]:
    """Return `GROUPS`, with an additional group of registered systems that are in none of them."""
    grouped = {name for names in GROUPS.values() for name in names}
    others = tuple(name for name in SYSTEMS if name not in grouped)
    return {**GROUPS, **({"other systems": others} if others else {})}


def show_systems(
    ax: Axes, results: Sequence[RunResult], metric: str, systems: Sequence[str], title: str = ""
) -> None:
    """Plot a metric of each system: a bar for the mean, a dot for each seed."""
    for row, system in enumerate(systems):
        of_system = select_results(results, system=system)
        mean, _, high, _ = spread(of_system, metric)
        colour = colour_of(system)
        ax.barh(row, mean, color=colour, alpha=0.35, height=0.7)
        values = [result.metrics.get(metric, np.nan) for result in of_system]
        ax.plot(values, [row] * len(values), "o", color=colour, markersize=5)
        ax.annotate(f"{mean:.3f}", (high, row), (6, 0), textcoords="offset points",
                    va="center", color=INK, fontsize="small")  # fmt: skip
    _name_rows(ax, systems)
    ax.margins(x=0.28)
    ax.set_xlim(left=0)
    ax.set_xlabel(NAMES.get(metric, metric))
    ax.set_title(title, color=INK)


def show_gains(ax: Axes, results: Sequence[RunResult], metric: str, systems: Sequence[str]) -> None:
    """Plot the difference of each system from uniform: a dot for the mean, a line for the range.

    The dot is filled if there are several seeds and their differences have the same sign, and
    hollow otherwise. Without a difference to show, a text says so.
    """
    drawn = False
    for row, system in enumerate(systems):
        mean, low, high, seeds = gain(results, system, "uniform", metric)
        if system == "uniform" or not seeds:
            continue
        colour = colour_of(system)
        same_sign = seeds > 1 and (low > 0 or high < 0)
        drawn = True
        ax.plot([low, high], [row, row], "|-", color=colour, linewidth=3, markersize=14)
        ax.plot(mean, row, "o", color=colour, markersize=6,
                markerfacecolor=colour if same_sign else "white")  # fmt: skip
        ax.annotate(f"{mean:+.3f}", (high, row), (8, 0), textcoords="offset points",
                    va="center", color=INK, fontsize="small")  # fmt: skip
    if not drawn:
        ax.text(0.5, 0.5, "no other system was run with\nthe same seeds as uniform",
                transform=ax.transAxes, ha="center", va="center", color=INK)  # fmt: skip
    ax.axvline(0, color=INK, linewidth=1)
    _name_rows(ax, systems)
    ax.margins(x=0.25)
    ax.set_xlabel(f"{NAMES.get(metric, metric)}, minus uniform's")


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Label the rows with names, the first on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)


def show_table(
    figure: Figure, results: Sequence[RunResult], what: tuple[str, str], group: str, scale: float
) -> None:
    """Plot a metric of the systems in a group, and beside it their gain over uniform.

    Args:
        figure: to draw on.
        results: from which the matching ones are selected.
        what: (task, metric).
        group: name of a group in :func:`groups`.
        scale: size of the network's input relative to the image.

    Raises:
        ValueError: there are no matching results.
    """
    task, metric = what
    matching = select_results(results, task=task, scale=scale, preset="far")
    systems = [
        name
        for name in groups()[group]
        if spread(select_results(matching, system=name), metric).seeds
    ]
    if not systems:
        raise ValueError(
            f"no result of {task} at scale {scale:g} has the metric {metric!r}; choose another "
            "task, metric or scale"
        )
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    show_systems(left, matching, metric, systems)
    show_gains(right, matching, metric, systems)
    right.set_yticklabels([])
    seeds = len({result.seed for result in matching if result.system in systems})
    figure.suptitle(f"{TITLES[task]} at {scale:g} of the size, seeds: {seeds}", color=INK)


def show_frontier(
    figure: Figure,
    results: Sequence[RunResult],
    costs: Mapping[Run, Cost],
    task: str,
    systems: Sequence[str],
    scales: Sequence[float],
) -> None:
    """Plot accuracy against operations and against time, side by side.

    Raises:
        ValueError: there are no matching results.
    """
    metric = MAIN[task]
    figures: dict[str, dict[float, tuple[Cost, float]]] = {}
    for name in systems:
        for scale in scales:
            of_scale = select_results(results, task=task, system=name, scale=scale, preset="far")
            cost = costs.get(Run(task, name, scale, 0))
            if of_scale and cost is not None:
                figures.setdefault(name, {})[scale] = cost, spread(of_scale, metric).mean
    if not figures:
        raise ValueError(
            f"no result of {task} for the systems {[*systems]} at the scales {[*scales]}; choose "
            "systems that support the task"
        )
    axes = figure.subplots(1, 2, sharey=True)
    for ax, part, unit, label in (
        (axes[0], "flops", 1e9, "billions of operations a picture"),
        (axes[1], "seconds", 1e-3, "milliseconds a picture, one thread"),
    ):
        points = {
            name: {
                scale: (getattr(cost, part) / unit, value) for scale, (cost, value) in row.items()
            }
            for name, row in figures.items()
        }
        show_pareto(ax, points, label)
    axes[0].set_ylabel(NAMES[metric])
    figure.suptitle(TITLES[task], color=INK)


def show_pareto(ax: Axes, points: Mapping[str, Mapping[float, CostPoint]], cost: str) -> None:
    """Plot accuracy against cost: a line for each system, a marker for each scale.

    The thick grey line is the Pareto front.
    """
    every = [point for by_scale in points.values() for point in by_scale.values()]
    show_pareto_front(ax, every)
    for number, (name, by_scale) in enumerate(points.items()):
        ordered = [by_scale[scale] for scale in sorted(by_scale)]
        ax.plot(*zip(*ordered, strict=True), color=colour_of(name), label=name,
                marker=MARKERS[number % len(MARKERS)],
                linestyle=("-", "--", ":", "-.")[number % 4])  # fmt: skip
        if number == 0:
            for scale, point in by_scale.items():
                ax.annotate(f"{scale:g}", point, (4, -12), textcoords="offset points",
                            color=INK, fontsize="small")  # fmt: skip
    ax.set_xlim(left=0)
    ax.margins(x=0.12, y=0.1)
    ax.set_xlabel(cost)
    ax.legend(frameon=False, fontsize="small")
