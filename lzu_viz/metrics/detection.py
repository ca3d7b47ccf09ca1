"""COCO average precision of boxes, and its bootstrap interval.

Matching and size ranges are those of `pycocotools`, the code behind the published figures (Lin et
al., "Microsoft COCO", ECCV 2014): boxes are in pixels of the source; an object is small below
32 x 32 pixels and large from 96 x 96 pixels on.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._extras import needs
from ..geometry import check
from ..geometry.boxes import Detections, to_pixels
from .bootstrap import percentile_interval, resample

if TYPE_CHECKING:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

N_BOOTSTRAP = 200
"""Number of bootstrap resamples of an interval."""


class DetectionMetrics(NamedTuple):
    """Average precision in 0..1; NaN where no ground-truth box is of that size.

    Attributes:
        ap: mean over the IoU thresholds 0.5, 0.55, ..., 0.95.
        ap50: average precision at IoU 0.5.
        small: `ap` of objects below 32 x 32 pixels.
        medium: `ap` of objects from 32 x 32 to 96 x 96 pixels.
        large: `ap` of objects from 96 x 96 pixels on.
    """

    ap: float
    ap50: float
    small: float
    medium: float
    large: float


def average_precision(
    detections: Sequence[Detections],
    ground_truth: Sequence[Tensor],
    size: Sequence[int],
    label: int = 0,
) -> DetectionMetrics:
    """Return the COCO average precision of one class over all scenes.

    Args:
        detections: one entry per scene; boxes xyxy in [-1, 1] of the source frame.
        ground_truth: boxes `n 4` of that class, one tensor per scene, in the same coordinates.
        size: (rows, columns) of the source in pixels.
        label: class whose detections are evaluated; 0 is COCO's person.

    Raises:
        ValueError: the numbers of predictions and scenes differ, or there are no scenes.

    Example:
        >>> box = torch.tensor([[-0.5, -0.5, 0.5, 0.5]])
        >>> sure = Detections(box, torch.tensor([0]), torch.tensor([0.9]))
        >>> round(average_precision([sure], [box], size=(200, 300)).ap, 6)
        1.0
    """
    return _summary(_matched(detections, ground_truth, size, label))


def precision_interval(
    detections: Sequence[Detections],
    ground_truth: Sequence[Tensor],
    size: Sequence[int],
    label: int = 0,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[DetectionMetrics, DetectionMetrics]:
    """Return the bootstrap interval of average precision, resampling scenes.

    Args:
        detections: one entry per scene; boxes xyxy in [-1, 1] of the source frame.
        ground_truth: boxes `n 4`, one tensor per scene.
        size: (rows, columns) of the source in pixels.
        label: class whose detections are evaluated.
        level: confidence level of the interval.
        seed: of the resampling.

    Returns:
        The lower and the upper end of the interval of each metric.
    """
    matched = _matched(detections, ground_truth, size, label)
    resamples = resample(len(ground_truth), N_BOOTSTRAP, seed)
    low, high = percentile_interval([_summary(matched, scenes) for scenes in resamples], level)
    return DetectionMetrics(*low.tolist()), DetectionMetrics(*high.tolist())


def _matched(
    detections: Sequence[Detections],
    ground_truth: Sequence[Tensor],
    size: Sequence[int],
    label: int,
) -> "COCOeval":
    """Match detections with ground truth in each scene, at every IoU threshold."""
    with needs("metrics"):
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    if len(detections) != len(ground_truth) or not ground_truth:
        raise ValueError(
            "expected one entry of detections per scene, and at least one scene, "
            f"got {len(detections)} entries and {len(ground_truth)} scenes"
        )
    rows, columns = check.size(size)
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for scene, boxes in enumerate(ground_truth):
        for x, y, width, height in _coco_boxes(boxes, size):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": scene,
                    "category_id": 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    for scene, scene_detections in enumerate(detections):
        of_class = scene_detections.labels == label
        for bbox, score in zip(
            _coco_boxes(scene_detections.boxes[of_class], size),
            scene_detections.scores[of_class],
            strict=True,
        ):
            results.append(
                {"image_id": scene, "category_id": 1, "bbox": bbox, "score": float(score)}
            )
    images = [{"id": scene, "height": rows, "width": columns} for scene in range(len(ground_truth))]
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1}],
        }
        coco.createIndex()
        coco_results = coco.loadRes(results) if results else _empty_results(coco)
        evaluation = COCOeval(coco, coco_results, "bbox")
        evaluation.evaluate()
    return evaluation


def _empty_results(coco: "COCO") -> "COCO":
    """Return an empty set of detections, as `loadRes` cannot read an empty list."""
    empty = type(coco)()
    empty.dataset = {**coco.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _coco_boxes(boxes: Tensor, size: Sequence[int]) -> list[list[float]]:
    """Return boxes in COCO's format: left, top, width and height in pixels."""
    pixels = to_pixels(boxes.detach().cpu().double().reshape(-1, 4), size)
    return torch.cat([pixels[:, :2], pixels[:, 2:] - pixels[:, :2]], dim=-1).tolist()


def _summary(matched: "COCOeval", scenes: Any = None) -> DetectionMetrics:
    """Accumulate the matches of all scenes, or of the given scene indices (with repetition)."""
    all_images = matched.evalImgs
    areas, count = len(matched.params.areaRng), len(matched.params.imgIds)
    try:
        if scenes is not None:
            matched.evalImgs = [
                all_images[area * count + k] for area in range(areas) for k in scenes
            ]
        with contextlib.redirect_stdout(io.StringIO()):
            matched.accumulate()
    finally:
        matched.evalImgs = all_images
    precision = matched.eval["precision"]  # axes: IoU, recall, class, area, max detections
    precision = np.where(precision < 0, np.nan, precision)[:, :, 0, :, -1]

    def mean(values: Any) -> float:
        return float(values.mean())  # all NaN where no object is of that size

    return DetectionMetrics(
        ap=mean(precision[..., 0]),
        ap50=mean(precision[0, :, 0]),
        small=mean(precision[..., 1]),
        medium=mean(precision[..., 2]),
        large=mean(precision[..., 3]),
    )
