"""Pictures that were reduced before they are zoomed, and what is still found in them."""

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
from .palette import FOVEA, INK, MARKERS, SERIES, TRUTH
from .streets import class_legend, draw_labelled

SeeScene = Callable[[int, Size], Mapping[str, SystemResult]]
"""From a scene and the size that it is reduced to, to what each network sees."""


def show_thing(
    axes: Sequence[Axes], zoomed: Tensor, warp: Warp, box: Tensor, title: str = ""
) -> None:
    """Show a zoomed picture `1 3 h w` with a thing marked, and beside it the thing enlarged.

    Args:
        axes: two.
        zoomed: the picture.
        warp: through which it was zoomed.
        box: `4`, of the thing, in the source.
        title: of the first.
    """
    there = warp.to_zoomed(box.reshape(1, 2, 2)).reshape(4)
    for ax in axes:
        show_image(ax, zoomed)
    axes[0].set_title(title, color=INK)
    draw_box(axes[0], there, FOVEA)
    close_up(axes[1], there, 1.6)


def show_upsampled(
    figure: Figure, scene: int, kept: Size, score: float, *, streets: Streets, see_scene: SeeScene
) -> None:
    """Fill a figure with what networks find in a zoomed picture, one above the other.

    Boxes are drawn where they are in the zoomed picture.

    Args:
        figure: empty.
        scene: index into the streets.
        kept: (rows, columns) that the scene is reduced to before the zoom.
        score: from which on a box is shown.
        streets: the scenes.
        see_scene: gives what each network sees.
    """
    ground_truth, every = streets.ground_truth[scene], see_scene(scene, kept)
    axes = figure.subplots(len(every), 1, squeeze=False)[:, 0]
    for ax, (name, seen) in zip(axes, every.items(), strict=True):
        sure = seen.detections.scores >= score
        right = int(match_targets([seen.detections], [ground_truth], score).sum())
        title = (
            f"{name}: {right} of {len(ground_truth.boxes)} found, {int(sure.sum()) - right} false"
        )
        show_image(ax, seen.zoomed, title)
        true, predicted = (
            seen.warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
            for boxes in (ground_truth.boxes, seen.detections.boxes[sure])
        )
        draw_boxes(ax, true, TRUTH, 1)
        draw_labelled(ax, predicted, seen.detections.labels[sure])
    class_legend(axes[-1], ground_truth=True)


def show_recall(
    ax: Axes,
    curves: Mapping[str, tuple[Tensor, Tensor]],
    edges: Sequence[float],
    label: str,
) -> None:
    """Draw the share of things that are found against their height, with its standard error.

    Bins with too few things are left out.

    Args:
        ax: to be drawn on.
        curves: by name, for each thing its height and whether it was found.
        edges: of the bins, rising.
        label: what the height is.
    """
    places = range(len(edges) - 1)
    for number, (name, (heights, there)) in enumerate(curves.items()):
        values, counts = binned_recall(heights, there, edges)
        error = (values * (1 - values) / counts).sqrt()
        ax.errorbar(places, values, error, color=SERIES[number], marker=MARKERS[number],
                    linestyle=("-", "--", ":")[number % 3], capsize=3, label=name)  # fmt: skip
    names = [f"{low:g}–{high:g}" for low, high in pairwise(edges[:-1])]
    ax.set_xticks(list(places), [*names, f"over {edges[-2]:g}"])
    ax.set(ylim=(0, 1), xlabel=label, ylabel="share found")
    ax.legend(frameon=False, fontsize="small", loc="lower right")
