"""Saliency that moves, drawn: what the loop expects, sees and finds, frame by frame.

What notebook 09 draws. Every function draws on matplotlib axes it is given, and returns what it
drew.
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
from .palette import ANSWER, FOVEA, INK, MARK, PAPER, TRUTH

STYLES: Mapping[str, tuple[str, str, str]] = {
    "uniform": (INK, "o", "--"),
    "strong": (FOVEA, "s", ":"),
    "gentle": (FOVEA, "s", "-"),
    "patient": (MARK, "^", "-"),
    "drift 1": (MARK, "D", ":"),
    "told, strong": (ANSWER, "v", ":"),
    "told, gentle": (ANSWER, "v", "-"),
}
"""Colour, mark and line of each system; any other is drawn in ink."""


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
    """Show one frame of a film: what was expected, true and found, and below what the network saw.

    Args:
        above: for the frame, with the true boxes (yellow), those expected (orange) and, over them,
            those found (blue).
        below: for the zoomed picture.
        image: the frame, `1 3 h w`.
        seen: what the loop did in it.
        ground_truth: `n 4`, xyxy in [-1, 1].
        size: (rows, columns) of the zoomed picture.
        title: above the frame.
        label: the class whose boxes are shown; 0 is COCO's person.

    Returns:
        The rectangles of what was expected, and the zoomed picture.
    """
    show_image(above, image, title)
    draw_boxes(above, ground_truth, TRUTH)
    expected = draw_boxes(above, seen.expected, FOVEA)
    for edge in expected:
        edge.set_linestyle("--")
    draw_boxes(above, seen.detections.boxes[seen.detections.labels == label], ANSWER)
    return expected, show_image(below, seen.warp.zoom(image, size))


def show_hits(ax: Axes, hits: Mapping[str, Sequence[bool]]) -> list[Rectangle]:
    """Show in which frames each system found what it follows: a row a system, a square a frame.

    Args:
        ax: where to draw.
        hits: for each system, one a frame.

    Returns:
        The squares, row by row: blue where it was found, grey where not.
    """
    squares: list[Rectangle] = []
    for row, hits_of_system in enumerate(hits.values()):
        for frame, hit in enumerate(hits_of_system):
            square = Rectangle(
                (frame - 0.42, row - 0.36),
                0.84,
                0.72,
                facecolor=ANSWER if hit else PAPER,
                edgecolor=INK,
                linewidth=0.6,
            )
            ax.add_patch(square)
            squares.append(square)
    frames = max(len(hits_of_system) for hits_of_system in hits.values())
    ax.set_yticks(range(len(hits)), list(hits))
    ax.set(
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
    """Show means with their intervals, a line a system.

    Args:
        ax: where to draw.
        means: for each system one (mean, lower end, upper end) a tick.
        at: names of the ticks.
        title: above it.

    Returns:
        What was drawn, one a system.
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
