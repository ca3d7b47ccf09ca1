"""Judge a trained network in its system, on scenes that it has never seen."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ...datasets.driving import AREAS, CLASSES
from ...datasets.streets import GroundTruth, Streets
from ...geometry.boxes import Detections
from ...geometry.warp import Warp
from ...metrics.detection import DetectionMetrics, average_precision
from ...metrics.detection3d import Detections3D, average_precision_3d
from ...metrics.masks import boundary_f
from ...models.small.detector import Detector
from ...models.small.detector3d import Detector3D, lift, project_centres, to_source
from ...models.small.segmenter import Segmenter
from ...systems import Fovea
from .trained_systems import Network
from .trainer import run
from .warped_dataset import Batch, Feed

Metrics = dict[str, float]

_AT_ONCE = 20

ORIENTED = (0, 1)
"""Classes whose heading counts: the plate of a sign always faces the road."""

FINE = ("car", "pedestrian", "sign")
"""Classes whose outlines are judged."""


def judge(network: Network, feed: Feed) -> Metrics:
    """Judge a network on the scenes of a feed.

    Returns:
        Names of figures and their values, all in 0..1 but for errors in metres and radians.
    """
    if isinstance(network, Segmenter):
        return masks_judged(network, feed)
    if isinstance(network, Detector3D):
        return boxes_3d_judged(predict_boxes_3d(network, feed), feed.streets.ground_truth)
    return boxes_judged(predict_boxes(network, feed), feed.streets)


@torch.no_grad()
def outputs_of(network: Network, feed: Feed) -> Iterator[tuple[Batch, list[Tensor]]]:
    """Run a network over all scenes of a feed, some at a time.

    Yields:
        The batch and the outputs, one map a level.
    """
    network.eval()
    feed.eval()
    for start in range(0, len(feed), _AT_ONCE):
        scenes = np.arange(start, min(start + _AT_ONCE, len(feed)))
        batch = feed.batch(scenes, np.zeros(len(scenes), bool))
        yield batch, run(network, feed.system, batch.zoomed, batch.warp, feed.size)


def predict_boxes(network: Detector, feed: Feed) -> list[Detections]:
    """Return what is found in each scene."""
    return [each for each, _ in predict_boxes_through(network, feed)]


def predict_boxes_through(network: Detector, feed: Feed) -> Iterator[tuple[Detections, Warp]]:
    """Return what is found in each scene, and the warp through which it was seen."""
    for batch, outputs in outputs_of(network, feed):
        system = feed.system.around(network, batch.warp, feed.size)
        predictions = system.decode(outputs, batch.warp)
        for row, each in enumerate(predictions):
            yield each, batch.warp[0 if len(batch.warp) == 1 else row]


def predict_boxes_3d(network: Detector3D, feed: Feed) -> list[Detections3D]:
    """Return what is found in space in each scene."""
    every: list[Detections3D] = []
    for batch, outputs in outputs_of(network, feed):
        for row, seen in enumerate(network.predict_3d(outputs, feed.size)):
            if issubclass(feed.system.kind, Fovea):
                seen = to_source(seen, batch.warp[0 if len(batch.warp) == 1 else row])
            every.append(
                lift(seen, feed.streets.ground_truth[len(every)].camera, feed.streets.size)
            )
    return every


def boxes_judged(every: Sequence[Detections], streets: Streets) -> Metrics:
    """Return average precision as COCO defines it, the mean over classes, and of each class."""
    each = [
        average_precision(
            every,
            [one.boxes[one.labels == label] for one in streets.ground_truth],
            streets.size,
            label,
        )
        for label in range(len(CLASSES))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where nothing is of a size, its mean is NaN
        means = {
            name: float(np.nanmean([getattr(one, name) for one in each]))
            for name in DetectionMetrics._fields
        }
    return means | {f"ap_{name}": one.ap for name, one in zip(CLASSES, each, strict=True)}


def boxes_3d_judged(every: Sequence[Detections3D], ground_truth: Sequence[GroundTruth]) -> Metrics:
    """Return average precision and errors as nuScenes defines them."""
    metrics = average_precision_3d(
        every, [(one.boxes_3d, one.labels) for one in ground_truth], len(CLASSES), ORIENTED
    )
    summary = {name: value for name, value in metrics._asdict().items() if name != "per_class"}
    return summary | {f"ap_{name}": v for name, v in zip(CLASSES, metrics.per_class, strict=True)}


def predicted_depths(every: Sequence[Detections3D], streets: Streets, score: float = 0.3) -> Tensor:
    """Return how far away each true thing was said to be: metres, NaN where it was not found.

    Things are matched in the picture, so that a depth may be as wrong as it likes: in turn, the
    surest first, a box takes the thing of its class inside whose box its middle is seen, the
    nearest of those that are left.

    Args:
        every: what was found, one a scene.
        streets: the scenes.
        score: from which on a box counts.

    Returns:
        `n`, one a true thing of the first scene, the second, and so on.
    """
    depths_by_scene = []
    for each, ground_truth in zip(every, streets.ground_truth, strict=True):
        middles = project_centres(each.boxes, ground_truth.camera, streets.size)
        depths = torch.full((len(ground_truth.boxes),), torch.nan)
        for row in each.scores.argsort(descending=True):
            x, y = middles[row]
            left, top, right, bottom = ground_truth.boxes.T
            fits = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
            fits &= (ground_truth.labels == each.labels[row]) & depths.isnan()
            if each.scores[row] >= score and fits.any():
                offset = (ground_truth.boxes[:, :2] + ground_truth.boxes[:, 2:]) / 2 - middles[row]
                depths[offset.norm(dim=1).where(fits, torch.inf).argmin()] = each.boxes[row, 2]
        depths_by_scene.append(depths)
    return torch.cat(depths_by_scene)


def masks_judged(network: Segmenter, feed: Feed) -> Metrics:
    """Return mean intersection over union, of each class, and how well outlines fit."""
    confusion = torch.zeros(len(AREAS), len(AREAS), dtype=torch.long)
    fits: dict[str, list[float]] = {name: [] for name in FINE}
    scene = 0
    for batch, (outputs,) in outputs_of(network, feed):
        if feed.policy.unzooms_masks:
            outputs = batch.warp.unzoom(outputs, feed.streets.size)
        semantic_mask = network.decode(outputs, feed.streets.size)
        ground_truth = feed.streets.area(range(scene, scene + len(semantic_mask))).long()
        scene += len(semantic_mask)
        confusion += torch.bincount(
            (ground_truth * len(AREAS) + semantic_mask).flatten(), minlength=len(AREAS) ** 2
        ).view_as(confusion)
        for name in FINE:
            label = AREAS.index(name)
            there = (ground_truth == label).flatten(1).any(dim=1)
            fit = boundary_f(
                (semantic_mask == label)[there][:, None], (ground_truth == label)[there][:, None], 2
            )
            fits[name] += fit.tolist()
    both = confusion.diagonal()
    iou = both / (confusion.sum(0) + confusion.sum(1) - both)
    return {
        "miou": float(iou.mean()),
        "miou_fine": float(np.mean([float(iou[AREAS.index(name)]) for name in FINE])),
        "boundary_f": float(np.mean([np.mean(each) for each in fits.values()])),
        **{f"iou_{name}": float(value) for name, value in zip(AREAS, iou, strict=True)},
    }
