"""Plots of the cost of stages, and of accuracy against cost."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from ..experiments.frozen.pareto import AccuracyByCost
from ..experiments.profiling import STAGES, Cost, Setting, Stage
from .figures import show_pareto_front
from .palette import FOLD, FOVEA, GRID, GROUND_TRUTH, INK, MARK, MARKERS, PREDICTION

COLOURS: Mapping[Stage, str] = {
    "saliency": MARK, "grid": FOLD, "zoom": FOVEA, "network": "0.75", "inverse": PREDICTION,
    "unzoom": GRID, "head": GROUND_TRUTH,
}  # fmt: skip
"""Colours of the stages: the network's in grey and yellow, the warp's in other colours."""


def setting_label(setting: Setting) -> str:
    """Return the label of a setting: its size, saliency and kind of warp."""
    if setting.saliency == "uniform":
        return f"{setting.size[0]}×{setting.size[1]}, uniform"
    kind = "separable" if setting.separable else "non-separable"
    return f"{setting.size[0]}×{setting.size[1]}, {setting.saliency}, {kind}"


def show_stages(
    ax: Axes, costs: Mapping[Setting, Mapping[Stage, Cost]], title: str = ""
) -> list[BarContainer]:
    """Plot the milliseconds of the stages as a stacked bar for each setting, with the sum.

    Args:
        ax: axes to draw on.
        costs: of each setting; the first one is at the top.
        title: of the axes.

    Returns:
        The bars of each stage.
    """
    names = [setting_label(setting) for setting in costs]
    ends = [0.0] * len(names)
    bars = []
    for stage in STAGES:
        widths = [cost[stage].seconds * 1e3 for cost in costs.values()]
        bars.append(ax.barh(names, widths, left=ends, color=COLOURS[stage], label=stage,
                            edgecolor="white", linewidth=0.5))  # fmt: skip
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    ax.bar_label(bars[-1], [f"{end:.0f}" for end in ends], padding=3, fontsize="small", color=INK)
    ax.invert_yaxis()
    ax.set_xlabel("milliseconds for one picture")
    ax.set_title(title, color=INK)
    ax.legend(ncols=len(STAGES), loc="upper center", bbox_to_anchor=(0.4, -0.2), frameon=False,
              fontsize="small", columnspacing=1.0, handlelength=1.0)  # fmt: skip
    return bars


def show_shares(ax: Axes, costs: Mapping[Setting, Mapping[Stage, Cost]]) -> list[BarContainer]:
    """Plot the warp's fraction of the operations and of the time for each setting."""
    names = [setting_label(setting) for setting in costs]
    positions = range(len(names))
    bars = []
    for part, shift, colour, label in (
        ("flops", -0.2, "0.75", "of the operations"),
        ("seconds", 0.2, FOVEA, "of the time"),
    ):
        percentages = [100 * warp_share(cost, part) for cost in costs.values()]
        bars.append(
            ax.barh(
                [position + shift for position in positions],
                percentages,
                height=0.38,
                color=colour,
                label=label,
            )
        )
        ax.bar_label(bars[-1], fmt="%.1f", padding=3, fontsize="small", color=INK)
    ax.set_yticks([*positions], names)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set_xlabel("per cent for the warp: saliency, grid, zoom, inverse, unzoom")
    ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.4, -0.2), frameon=False)
    return bars


def warp_share(costs: Mapping[Stage, Cost], part: str) -> float:
    """Return the warp's fraction of the operations ("flops") or of the time ("seconds")."""
    values = {stage: float(getattr(cost, part)) for stage, cost in costs.items()}
    return 1 - (values["network"] + values["head"]) / sum(values.values())


def show_accuracy_by_cost(figure: Figure, rows: int, *, systems: AccuracyByCost) -> None:
    """Plot accuracy against operations and against time, side by side; a ring marks one size.

    Args:
        figure: empty.
        rows: number of input rows of the size that is marked.
        systems: costs and accuracies of the systems.
    """
    axes: Sequence[Axes] = figure.subplots(1, 2, sharey=True)
    for ax, part, unit, label in (
        (axes[0], "flops", 1e9, "billions of operations for one picture"),
        (axes[1], "seconds", 1e-3, "milliseconds for one picture"),
    ):
        points = {
            name: {size: (getattr(cost, part) / unit, value) for size, (cost, value) in row.items()}
            for name, row in systems.items()
        }
        every = [point for row in points.values() for point in row.values()]
        show_pareto_front(ax, every, label="Pareto front")
        for number, (name, row) in enumerate(points.items()):
            ordered = [row[size] for size in sorted(row)]
            colour = ("0.4", FOVEA, PREDICTION, FOLD)[number % 4]
            ax.plot(*zip(*ordered, strict=True), color=colour, label=name,
                    marker=MARKERS[number % len(MARKERS)],
                    linestyle=("-", "--", ":", "-.")[number % 4])  # fmt: skip
            if rows in row:
                ax.plot(*row[rows], "o", markersize=16, markerfacecolor="none",
                        markeredgecolor=colour, markeredgewidth=2)  # fmt: skip
        ax.set_xlim(left=0)
        ax.margins(x=0.1, y=0.12)
        ax.set_xlabel(label)
    axes[0].set_ylabel("AP at IoU 0.5")
    axes[1].legend(frameon=False, fontsize="small", loc="lower right")
    summary = " · ".join(
        f"{name} {row[rows][1]:.2f} for {row[rows][0].seconds * 1e3:.0f} ms"
        for name, row in systems.items() if rows in row
    )  # fmt: skip
    figure.suptitle(f"{rows} rows: {summary}", color=INK, fontsize="medium")
