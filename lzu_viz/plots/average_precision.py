"""Plots of detections and average precision (notebook 07)."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle
from torch import Tensor

from .figures import draw_boxes, show_image
from .intervals import Interval, dodge, draw_intervals
from .palette import FOVEA, GRID, GROUND_TRUTH, INK, MARK, PREDICTION

STYLES: Mapping[str, tuple[str, str, str]] = {
    "uniform": (INK, "o", "-"),
    "LZ": (FOVEA, "v", "-"),
    "FOVEA": (PREDICTION, "s", "-"),
    "features": (GRID, "^", ":"),
    "features, sizes": (GRID, "D", "-"),
    "outputs x1": (MARK, "<", ":"),
    "outputs x2": (MARK, ">", "--"),
    "outputs x4": (MARK, "P", "-"),
}
"""Colour, marker and line style of each system; related systems share a colour."""

SIZES = {"small": "below 32 px", "medium": "32 to 96 px", "large": "from 96 px"}
"""COCO's size classes, by the square root of the box area."""


def show_boxes(
    ax: Axes, image: Tensor, detections: Tensor, ground_truth: Tensor, title: str = ""
) -> list[Rectangle]:
    """Show an image with ground truth boxes (yellow) and, over them, detections (blue).

    Args:
        ax: axes to draw on.
        image: `1 3 h w`.
        detections: `n 4`, xyxy in [-1, 1].
        ground_truth: `m 4`, xyxy in [-1, 1].
        title: of the axes.

    Returns:
        The rectangles of the detections.
    """
    show_image(ax, image, title)
    # Wider, to be visible around a matching box.
    draw_boxes(ax, ground_truth, GROUND_TRUTH, width=4)
    return draw_boxes(ax, detections, PREDICTION)


def show_precision(
    ax: Axes, summary: Sequence[Mapping[str, Any]], systems: Sequence[str]
) -> list[ErrorbarContainer]:
    """Plot average precision against input size, one line per system, with its interval.

    Args:
        ax: axes to draw on.
        summary: rows with `rows`, `system`, `ap50`, `ap50 low` and `ap50 high`.
        systems: that are drawn.
    """
    drawn = []
    sizes = sorted({row["rows"] for row in summary})
    for number, system in enumerate(systems):
        rows_of_system = {row["rows"]: row for row in summary if row["system"] == system}
        colour, mark, line = STYLES[system]
        drawn.append(
            draw_intervals(
                ax,
                dodge(len(sizes), number, len(systems), 0.05),
                [_interval(rows_of_system[rows], "ap50") for rows in sizes],
                colour=colour,
                mark=mark,
                line=line,
                label=system,
            )
        )
    ax.set_xticks(range(len(sizes)), [f"{rows} x {rows * 3 // 2}" for rows in sizes])
    top = max(row["ap50 high"] for row in summary if row["system"] in systems)
    # Leave room for the legend above the curves.
    ax.set(xlabel="rows x columns of the input", ylabel="AP at IoU 0.5", ylim=(0, 1.35 * top))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", ncols=2, loc="upper left")
    return drawn


def show_sizes(
    ax: Axes, summary: Sequence[Mapping[str, Any]], systems: Sequence[str], rows: int
) -> list[ErrorbarContainer]:
    """Plot the average precision on small, medium and large objects at one input size, as bars."""
    drawn = []
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        (row,) = (entry for entry in summary if (entry["rows"], entry["system"]) == (rows, system))
        positions = dodge(len(SIZES), number, len(systems), width)
        colour, mark, _ = STYLES[system]
        ax.bar(positions, [row[size] for size in SIZES], width, color=colour, alpha=0.35)
        drawn.append(
            draw_intervals(
                ax,
                positions,
                [_interval(row, size) for size in SIZES],
                colour=colour,
                mark=mark,
                line="",
                label=system,
            )
        )
    ax.set_xticks(range(len(SIZES)), [f"{size}\n{span}" for size, span in SIZES.items()])
    ax.set(ylabel="AP", ylim=(0, None))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return drawn


def _interval(row: Mapping[str, Any], column: str) -> Interval:
    return row[column], row[f"{column} low"], row[f"{column} high"]
