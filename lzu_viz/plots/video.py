"""Plots of adaptive saliency on video, frame by frame (notebook 09).

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from torch import Tensor

from ..systems.video import FrameResult
from .figures import draw_boxes, show_image
from .intervals import Interval, dodge, draw_intervals
from .palette import FOVEA, GROUND_TRUTH, INK, MARK, PAPER, PREDICTION

STYLES: Mapping[str, tuple[str, str, str]] = {
    "uniform": (INK, "o", "--"),
    "strong": (FOVEA, "s", ":"),
    "gentle": (FOVEA, "s", "-"),
    "patient": (MARK, "^", "-"),
    "drift 1": (MARK, "D", ":"),
    "told, strong": (PREDICTION, "v", ":"),
    "told, gentle": (PREDICTION, "v", "-"),
}
"""Colour, marker and line style of each system; others are drawn in ink."""


def show_step(
    above: Axes,
    below: Axes,
    image: Tensor,
    seen: FrameResult,
    ground_truth: Tensor,
    size: Sequence[int],
    title: str = "",
    label: int = 0,
) -> tuple[list[Rectangle], AxesImage]:
    """Show one frame of a video with its boxes, and below it the zoomed image.

    Args:
        above: axes of the frame, with ground truth boxes (yellow), the expected boxes that the
            saliency was computed from (orange), and detections (blue).
        below: axes of the zoomed image.
        image: the frame, `1 3 h w`.
        seen: result in this frame.
        ground_truth: `n 4`, xyxy in [-1, 1].
        size: (rows, columns) of the zoomed image.
        title: of the upper axes.
        label: class of the detections shown; 0 is COCO's person.

    Returns:
        The rectangles of the expected boxes, and the artist of the zoomed image.
    """
    show_image(above, image, title)
    draw_boxes(above, ground_truth, GROUND_TRUTH)
    expected = draw_boxes(above, seen.expected, FOVEA)
    for edge in expected:
        edge.set_linestyle("--")
    draw_boxes(above, seen.detections.boxes[seen.detections.labels == label], PREDICTION)
    return expected, show_image(below, seen.warp.zoom(image, size))


def show_hits(ax: Axes, hits: Mapping[str, Sequence[bool]]) -> list[Rectangle]:
    """Show in which frames each system detected its target: a row per system, a square per frame.

    Args:
        ax: axes to draw on.
        hits: for each system, one value per frame.

    Returns:
        The squares, row by row: blue if the target was detected, otherwise grey.
    """
    squares: list[Rectangle] = []
    for row, hits_of_system in enumerate(hits.values()):
        for frame, hit in enumerate(hits_of_system):
            square = Rectangle(
                (frame - 0.42, row - 0.36),
                0.84,
                0.72,
                facecolor=PREDICTION if hit else PAPER,
                edgecolor=INK,
                linewidth=0.6,
            )
            ax.add_patch(square)
            squares.append(square)
    frames = max(len(hits_of_system) for hits_of_system in hits.values())
    ax.set_yticks(range(len(hits)), list(hits))
    ax.set(
        title="Found in each frame (blue), or missed",
        xlim=(-0.6, frames - 0.4),
        ylim=(len(hits) - 0.5, -0.5),
        xticks=range(0, frames, 3),
        xlabel="frame",
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return squares


def show_means(
    ax: Axes,
    means: Mapping[str, Sequence[Interval]],
    at: Sequence[str],
    title: str = "",
) -> list[ErrorbarContainer]:
    """Plot means with their intervals, one line per system.

    Args:
        ax: axes to draw on.
        means: for each system, one (mean, lower end, upper end) per tick.
        at: labels of the ticks.
        title: of the axes.

    Returns:
        One container for each system.
    """
    drawn = []
    for number, (system, rows) in enumerate(means.items()):
        colour, mark, line = STYLES.get(system, (INK, "o", "-"))
        drawn.append(
            draw_intervals(
                ax,
                dodge(len(at), number, len(means), 0.06),
                rows,
                colour=colour,
                mark=mark,
                line=line,
                label=system,
            )
        )
    ax.set_xticks(range(len(at)), list(at))
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(title, color=INK)
    return drawn
