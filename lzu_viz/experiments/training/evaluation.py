"""Evaluation of a trained network in its system, on held-out scenes."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ...datasets.driving import CLASSES, SEMANTIC_CLASSES
from ...datasets.streets import GroundTruth, Streets
from ...geometry.boxes import Detections, box_centres
from ...geometry.warp import Warp
from ...metrics.detection import DetectionMetrics, average_precision
from ...metrics.detection3d import Detections3D, average_precision_3d
from ...metrics.masks import boundary_f
from ...metrics.matching import match_greedily
from ...models.small.detector import Detector
from ...models.small.detector3d import Detector3D, lift, project_centres, to_source
from ...models.small.segmenter import Segmenter
from ...systems import Fovea
from .trained_systems import SmallNetwork
from .trainer import run
from .warped_dataset import Batch, WarpedDataset

Metrics = dict[str, float]

_AT_ONCE = 20

ORIENTED_CLASSES = (0, 1)
"""Classes whose orientation is evaluated; signs always face the road."""

FINE_CLASSES = ("car", "pedestrian", "sign")
"""Classes whose boundaries are evaluated."""


def evaluate_network(network: SmallNetwork, dataset: WarpedDataset) -> Metrics:
    """Return the metrics of a network on the scenes of a dataset.

    Returns:
        Metrics by name, all in 0..1 except errors in metres and radians.
    """
    if isinstance(network, Segmenter):
        return evaluate_masks(network, dataset)
    if isinstance(network, Detector3D):
        return evaluate_boxes_3d(predict_boxes_3d(network, dataset), dataset.streets.ground_truth)
    return evaluate_boxes(predict_boxes(network, dataset), dataset.streets)


@torch.no_grad()
def outputs_of(
    network: SmallNetwork, dataset: WarpedDataset
) -> Iterator[tuple[Batch, list[Tensor]]]:
    """Run a network on all scenes of a dataset, batch by batch.

    Yields:
        The batch and the network's outputs, one map per level.
    """
    network.eval()
    dataset.eval()
    for start in range(0, len(dataset), _AT_ONCE):
        scenes = np.arange(start, min(start + _AT_ONCE, len(dataset)))
        batch = dataset.batch(scenes, np.zeros(len(scenes), bool))
        yield batch, run(network, dataset.system, batch.zoomed, batch.warp, dataset.size)


def predict_boxes(network: Detector, dataset: WarpedDataset) -> list[Detections]:
    """Return the detections in each scene, in the source frame."""
    return [detections for detections, _ in predict_boxes_through(network, dataset)]


def predict_boxes_through(
    network: Detector, dataset: WarpedDataset
) -> Iterator[tuple[Detections, Warp]]:
    """Yield the detections in each scene, and the warp that the scene was zoomed with."""
    for batch, outputs in outputs_of(network, dataset):
        system = dataset.system.around(network, batch.warp, dataset.size)
        predictions = system.decode(outputs, batch.warp)
        for index, detections in enumerate(predictions):
            yield detections, batch.warp[0 if len(batch.warp) == 1 else index]


def predict_boxes_3d(network: Detector3D, dataset: WarpedDataset) -> list[Detections3D]:
    """Return the 3D detections in each scene, in the camera frame."""
    detections: list[Detections3D] = []
    for batch, outputs in outputs_of(network, dataset):
        for index, raw in enumerate(network.predict_3d(outputs, dataset.size)):
            if issubclass(dataset.system.kind, Fovea):
                raw = to_source(raw, batch.warp[0 if len(batch.warp) == 1 else index])
            detections.append(
                lift(
                    raw, dataset.streets.ground_truth[len(detections)].camera, dataset.streets.size
                )
            )
    return detections


def evaluate_boxes(detections: Sequence[Detections], streets: Streets) -> Metrics:
    """Return COCO average precision, averaged over classes and for each class."""
    per_class = [
        average_precision(
            detections,
            [scene.boxes[scene.labels == label] for scene in streets.ground_truth],
            streets.size,
            label,
        )
        for label in range(len(CLASSES))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean is NaN if there are no objects of a size
        means = {
            name: float(np.nanmean([getattr(metrics, name) for metrics in per_class]))
            for name in DetectionMetrics._fields
        }
    return means | {
        f"ap_{name}": metrics.ap for name, metrics in zip(CLASSES, per_class, strict=True)
    }


def evaluate_boxes_3d(
    detections: Sequence[Detections3D], ground_truth: Sequence[GroundTruth]
) -> Metrics:
    """Return average precision and true positive errors as defined by nuScenes."""
    metrics = average_precision_3d(
        detections,
        [(scene.boxes_3d, scene.labels) for scene in ground_truth],
        len(CLASSES),
        ORIENTED_CLASSES,
    )
    summary = {name: value for name, value in metrics._asdict().items() if name != "per_class"}
    return summary | {f"ap_{name}": ap for name, ap in zip(CLASSES, metrics.per_class, strict=True)}


def predicted_depths(every: Sequence[Detections3D], streets: Streets, score: float = 0.3) -> Tensor:
    """Return the predicted depth of each ground truth object: metres, NaN if it was not detected.

    Objects are matched in the image, regardless of depth. In order of decreasing score, each
    detection is assigned to the nearest unmatched object of its class whose 2D box contains the
    projected centre of the detection.

    Args:
        every: 3D detections of each scene.
        streets: the scenes.
        score: minimum score of a detection.

    Returns:
        `n`, one per ground truth object, scene after scene.
    """
    depths_by_scene = []
    for detections, objects in zip(every, streets.ground_truth, strict=True):
        order = detections.scores.argsort(descending=True)
        order = order[detections.scores[order] >= score]
        boxes, labels = detections.boxes[order], detections.labels[order]
        projected = project_centres(boxes, objects.camera, streets.size)
        x, y = projected[:, :1], projected[:, 1:]
        left, top, right, bottom = objects.boxes.T
        allowed = (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
        allowed &= labels[:, None] == objects.labels
        distance = (projected[:, None] - box_centres(objects.boxes)).norm(dim=-1)
        matched = torch.from_numpy(match_greedily(distance.where(allowed, torch.inf).numpy()))
        depths = torch.full((len(objects.boxes),), torch.nan)
        depths[matched[matched >= 0]] = boxes[matched >= 0, 2]
        depths_by_scene.append(depths)
    return torch.cat(depths_by_scene)


def evaluate_masks(network: Segmenter, dataset: WarpedDataset) -> Metrics:
    """Return mean IoU, the IoU of each class, and the boundary F-score."""
    confusion = torch.zeros(len(SEMANTIC_CLASSES), len(SEMANTIC_CLASSES), dtype=torch.long)
    fscores: dict[str, list[float]] = {name: [] for name in FINE_CLASSES}
    scene = 0
    for batch, (outputs,) in outputs_of(network, dataset):
        if dataset.policy.unzooms_masks:
            outputs = batch.warp.unzoom(outputs, dataset.streets.size)
        semantic_mask = network.decode(outputs, dataset.streets.size)
        ground_truth = dataset.streets.area(range(scene, scene + len(semantic_mask))).long()
        scene += len(semantic_mask)
        confusion += torch.bincount(
            (ground_truth * len(SEMANTIC_CLASSES) + semantic_mask).flatten(),
            minlength=len(SEMANTIC_CLASSES) ** 2,
        ).view_as(confusion)
        for name in FINE_CLASSES:
            label = SEMANTIC_CLASSES.index(name)
            present = (ground_truth == label).flatten(1).any(dim=1)
            fscore = boundary_f(
                (semantic_mask == label)[present][:, None],
                (ground_truth == label)[present][:, None],
                2,
            )
            fscores[name] += fscore.tolist()
    intersection = confusion.diagonal()
    iou = intersection / (confusion.sum(0) + confusion.sum(1) - intersection)
    return {
        "miou": float(iou.mean()),
        "miou_fine": float(
            np.mean([float(iou[SEMANTIC_CLASSES.index(name)]) for name in FINE_CLASSES])
        ),
        "boundary_f": float(np.mean([np.mean(scores) for scores in fscores.values()])),
        **{f"iou_{name}": float(value) for name, value in zip(SEMANTIC_CLASSES, iou, strict=True)},
    }
