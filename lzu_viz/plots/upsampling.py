"""Plots of images that are downsampled before the zoom, and of the detections in them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..datasets.streets import Streets
from ..experiments.training.upsampling import SystemResult, binned_recall, match_targets
from ..geometry.check import Size
from ..geometry.warp import Warp
from .figures import close_up, draw_box, draw_boxes, show_image
from .palette import FOVEA, GROUND_TRUTH, INK, MARKERS, SERIES
from .streets import class_legend, draw_labelled

DetectScene = Callable[[int, Size], Mapping[str, SystemResult]]
"""From a scene and the size that it is downsampled to, to the result of each network."""


def show_object(
    axes: Sequence[Axes], zoomed: Tensor, warp: Warp, box: Tensor, title: str = ""
) -> None:
    """Show a zoomed image with an object marked, and a close-up of the object beside it.

    Args:
        axes: two axes.
        zoomed: `1 3 h w`, the zoomed image.
        warp: that the image was zoomed with.
        box: `4`, of the object, in the source frame.
        title: of the first axes.
    """
    zoomed_box = warp.to_zoomed(box.reshape(1, 2, 2)).reshape(4)
    for ax in axes:
        show_image(ax, zoomed)
    axes[0].set_title(title, color=INK)
    draw_box(axes[0], zoomed_box, FOVEA)
    close_up(axes[1], zoomed_box, 1.6)


def show_upsampled(
    figure: Figure,
    scene: int,
    kept: Size,
    score: float,
    *,
    streets: Streets,
    detect_scene: DetectScene,
) -> None:
    """Show the detections of several networks in a zoomed image, one above the other.

    Boxes are drawn in the zoomed frame.

    Args:
        figure: empty.
        scene: index into the streets.
        kept: (rows, columns) that the scene is downsampled to before the zoom.
        score: minimum score of the boxes shown.
        streets: the scenes.
        detect_scene: returns the results of the networks.
    """
    ground_truth, results = streets.ground_truth[scene], detect_scene(scene, kept)
    axes = figure.subplots(len(results), 1, squeeze=False)[:, 0]
    for ax, (name, result) in zip(axes, results.items(), strict=True):
        above_score = result.detections.scores >= score
        n_found = int(match_targets([result.detections], [ground_truth], score).sum())
        n_false = int(above_score.sum()) - n_found
        title = f"{name}: {n_found} of {len(ground_truth.boxes)} found, {n_false} false"
        show_image(ax, result.zoomed, title)
        true, predicted = (
            result.warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
            for boxes in (ground_truth.boxes, result.detections.boxes[above_score])
        )
        draw_boxes(ax, true, GROUND_TRUTH, 1)
        draw_labelled(ax, predicted, result.detections.labels[above_score])
    class_legend(axes[-1], ground_truth=True)


def show_recall(
    ax: Axes,
    curves: Mapping[str, tuple[Tensor, Tensor]],
    edges: Sequence[float],
    label: str,
) -> None:
    """Plot recall against the height of objects, with its standard error.

    Bins with too few objects are omitted.

    Args:
        ax: axes to draw on.
        curves: by name, the heights `n` of objects, and `n` whether each was detected.
        edges: of the bins, ascending.
        label: of the x axis.
    """
    positions = range(len(edges) - 1)
    for number, (name, (heights, detected)) in enumerate(curves.items()):
        values, counts = binned_recall(heights, detected, edges)
        error = (values * (1 - values) / counts).sqrt()
        ax.errorbar(positions, values, error, color=SERIES[number], marker=MARKERS[number],
                    linestyle=("-", "--", ":")[number % 3], capsize=3, label=name)  # fmt: skip
    names = [f"{low:g}–{high:g}" for low, high in pairwise(edges[:-1])]
    ax.set_xticks(list(positions), [*names, f"over {edges[-2]:g}"])
    ax.set(ylim=(0, 1), xlabel=label, ylabel="recall")
    ax.legend(frameon=False, fontsize="small", loc="lower right")
