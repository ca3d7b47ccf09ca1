"""Plots of driving scenes: images with boxes, 3D boxes, and the bird's-eye view."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.driving import CLASSES
from ..datasets.streets import GroundTruth, Streets
from ..experiments.training.upsampling import match_targets
from ..geometry.boxes import Detections
from ..metrics.detection3d import Detections3D
from ..metrics.matching import match_greedily
from .figures import draw_box, draw_boxes, show_image
from .palette import FOLD, GRID, GROUND_TRUTH, INK, MARK, MARKERS, PAPER, PREDICTION

CLASS_COLOURS = (PREDICTION, FOLD, MARK)
"""Colours of cars, pedestrians and signs."""

_EDGES = (
    (0, 1), (1, 3), (3, 2), (2, 0), (4, 5), (5, 7), (7, 6), (6, 4), (0, 4), (1, 5), (2, 6), (3, 7),
)  # fmt: skip
"""Edges of a 3D box, as pairs of indices of its `corners`."""


def draw_labelled(ax: Axes, boxes: Tensor, labels: Tensor) -> None:
    """Draw boxes `n 4`, xyxy in [-1, 1], in the colours of their classes."""
    for box, label in zip(boxes, labels.tolist(), strict=True):
        draw_box(ax, box, CLASS_COLOURS[label]).set_linewidth(1.5)


def class_legend(ax: Axes, ground_truth: bool = False) -> None:
    """Add a legend of the class colours, and on request of the colour of ground truth."""
    handles = (
        [Patch(edgecolor=GROUND_TRUTH, facecolor="none", label="true")] if ground_truth else []
    )
    handles += [
        Patch(edgecolor=colour, facecolor="none", linewidth=2, label=name)
        for name, colour in zip(CLASSES, CLASS_COLOURS, strict=True)
    ]
    ax.legend(handles=handles, frameon=False, ncols=4, loc="upper center", fontsize="small",
              bbox_to_anchor=(0.5, 0))  # fmt: skip


def corners(boxes_3d: Tensor) -> Tensor:
    """Return the corners of boxes `n 7` in the camera frame: `n 8 3`, in metres.

    In the axes of the box: x (left, right) varies slowest, then y (top, bottom), z (back, front).
    """
    sides = torch.tensor([-0.5, 0.5], dtype=boxes_3d.dtype)
    unit = torch.cartesian_prod(sides, sides, sides)
    in_box_axes = unit * boxes_3d[:, None, 3:6]
    sine, cosine = boxes_3d[:, 6, None].sin(), boxes_3d[:, 6, None].cos()
    x, y, z = in_box_axes.unbind(-1)
    rotated = torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], dim=-1)
    return rotated + boxes_3d[:, None, :3]


def draw_boxes_3d(
    ax: Axes,
    boxes_3d: Tensor,
    camera: Tensor,
    size: Sequence[int],
    colour: str,
    width: float = 1.2,
) -> LineCollection:
    """Draw the edges of 3D boxes over an image.

    Args:
        ax: over [-1, 1] x [-1, 1].
        boxes_3d: `n 7`, in the camera frame.
        camera: (focal length, x, y of the principal point) in pixels of ``size``.
        size: (rows, columns) of the image.
        colour: of the lines.
        width: of the lines.
    """
    ahead = boxes_3d[boxes_3d[:, 2] > 1.0] if len(boxes_3d) else boxes_3d.reshape(0, 7)
    points = corners(ahead)
    depth = points[..., 2:].clamp(min=0.3)
    pixels = camera[0] * points[..., :2] / depth + camera[1:]
    positions = (pixels / torch.tensor([size[1], size[0]]) * 2 - 1).numpy()
    lines: list[NDArray[np.float32]] = [box[list(edge)] for box in positions for edge in _EDGES]
    drawn = LineCollection(lines, colors=colour, linewidths=width)
    ax.add_collection(drawn)
    ax.set(xlim=(-1, 1), ylim=(1, -1))
    return drawn


def show_from_above(
    ax: Axes,
    ground_truth: Tensor,
    detections: Tensor,
    camera: Tensor,
    size: Sequence[int],
    reach: float = 70.0,
) -> None:
    """Show 3D boxes `n 7` in bird's-eye view: ground truth filled, detections as outlines.

    The camera is at the bottom and faces upwards; blue lines bound its field of view. The short
    line out of a box is its heading.
    """
    half = reach * 0.45
    for side in (0.0, float(size[1])):
        slope = (side - float(camera[1])) / float(camera[0])
        ax.plot((0, slope * reach), (0, reach), color=GRID, linewidth=0.8, zorder=0)
    ax.axvspan(-half, half, color=PAPER, zorder=-1)
    for boxes, colour, filled in (
        (ground_truth, GROUND_TRUTH, True),
        (detections, PREDICTION, False),
    ):
        for box in boxes:
            _draw_from_above(ax, box, colour, filled)
    ax.set(xlim=(-half, half), ylim=(0, reach), aspect="equal", xlabel="m to the right",
           ylabel="m ahead")  # fmt: skip


def _draw_from_above(ax: Axes, box: Tensor, colour: str, filled: bool) -> None:
    x, _, z, width, _, length, yaw = box.tolist()
    # Enlarge small objects so that they are visible.
    width, length = max(width, 0.9), max(length, 0.9)
    sine, cosine = math.sin(yaw), math.cos(yaw)
    ring = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    outline = [
        (x + cosine * a * width + sine * b * length, z + cosine * b * length - sine * a * width)
        for a, b in ring
    ]
    edge = INK if filled else colour
    ax.fill(*zip(*outline, strict=True), facecolor=colour if filled else "none", edgecolor=edge,
            linewidth=0.8 if filled else 1.6)  # fmt: skip
    ax.plot((x, x + sine * (length / 2 + 1.2)), (z, z + cosine * (length / 2 + 1.2)), color=edge,
            linewidth=0.8 if filled else 1.6)  # fmt: skip


def show_detections(
    figure: Figure,
    scene: int,
    score: float,
    *,
    streets: Streets,
    detections: Mapping[str, Sequence[Detections]],
) -> None:
    """Show the detections of several systems in a scene, one above the other.

    Ground truth is thin and yellow; detections have the colours of their classes.

    Args:
        figure: empty.
        scene: index into the streets.
        score: minimum score of the boxes shown.
        streets: the scenes.
        detections: by the name of the system, for each scene.
    """
    image, ground_truth = streets.image([scene]), streets.ground_truth[scene]
    axes = figure.subplots(len(detections), 1, squeeze=False)[:, 0]
    for ax, (name, every) in zip(axes, detections.items(), strict=True):
        each = every[scene]
        sure = each.scores >= score
        right = int(match_targets([each], [ground_truth], score).sum())
        title = (
            f"{name}: {right} of {len(ground_truth.boxes)} found, {int(sure.sum()) - right} false"
        )
        show_image(ax, image, title)
        draw_boxes(ax, ground_truth.boxes, GROUND_TRUTH, 1)
        draw_labelled(ax, each.boxes[sure], each.labels[sure])
    class_legend(axes[-1], ground_truth=True)


AROUND = 4.0
"""Maximum distance on the ground, in metres, at which an object is shown as detected."""

_FAR = 90.0  # metres, reach of the bird's-eye view


def show_in_space(
    figure: Figure,
    scene: int,
    system: str,
    score: float,
    *,
    streets: Streets,
    detections: Mapping[str, Sequence[Detections3D]],
) -> None:
    """Show the 3D detections of a system: in the image, in a close-up of its middle, from above.

    Ground truth is yellow, detections are blue.

    Args:
        figure: empty.
        scene: index into the streets.
        system: a name in ``detections``.
        score: minimum score of the boxes shown.
        streets: the scenes.
        detections: by the name of the system, for each scene.
    """
    image, ground_truth = streets.image([scene]), streets.ground_truth[scene]
    predicted = detections[system][scene]
    above_score = predicted.scores >= score
    boxes = predicted.boxes[above_score]
    axes = figure.subplot_mosaic("ac;bc", width_ratios=(2.1, 1))
    n_found = _near(boxes, predicted.labels[above_score], ground_truth)
    title = f"{system}: {n_found} of {len(ground_truth.boxes)} found within {AROUND:g} m"
    for name, text in (("a", title), ("b", "close-up of the middle, twice as large")):
        show_image(axes[name], image, text)
        for boxes_3d, colour, width in (
            (ground_truth.boxes_3d, GROUND_TRUTH, 2.0),
            (boxes, PREDICTION, 1.2),
        ):
            draw_boxes_3d(
                axes[name], boxes_3d, ground_truth.camera, streets.size, colour, width=width
            )
    axes["b"].set(xlim=(-0.5, 0.5), ylim=(0.4, -0.6))
    show_from_above(
        axes["c"], ground_truth.boxes_3d, boxes, ground_truth.camera, streets.size, _FAR
    )
    axes["c"].set_title("from above: true yellow, predicted blue", color=INK)


def _near(boxes_3d: Tensor, labels: Tensor, ground_truth: GroundTruth) -> int:
    """Return the number of boxes matched with a ground truth object of their class.

    The boxes are in descending order of score; a match is at most `AROUND` away on the ground.
    """
    distance = torch.cdist(boxes_3d[:, [0, 2]], ground_truth.boxes_3d[:, [0, 2]])
    distance = distance.where(labels[:, None] == ground_truth.labels, torch.inf)
    return int((match_greedily(distance.numpy(), AROUND) >= 0).sum())


def show_depths(ax: Axes, true: Tensor, pred: Tensor, labels: Tensor, title: str = "") -> None:
    """Plot predicted against true depths in metres; NaN in ``pred`` is skipped.

    The solid line is equality, dashed lines are 10 % above and below.
    """
    ends = torch.tensor([8.0, 100.0])
    ax.plot(ends, ends, color=INK, linewidth=1)
    for times in (0.9, 1.1):
        ax.plot(ends, ends * times, "--", color=INK, linewidth=0.7)
    for label, name in enumerate(CLASSES):
        of_class = labels == label
        ax.plot(true[of_class], pred[of_class], MARKERS[label], color=CLASS_COLOURS[label],
                markersize=3.5, alpha=0.7, label=name)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlim=ends.tolist(), ylim=ends.tolist(), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_ticks([10, 20, 40, 80], ["10", "20", "40", "80"])
    ax.set(xlabel="true depth (m)", ylabel="predicted depth (m)")
    ax.set_title(title, color=INK)
