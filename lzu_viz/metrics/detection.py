"""Average precision as COCO measures it, and how sure it is.

The matching and the areas are those of `pycocotools`, the code behind the published figures (Lin et
al., "Microsoft COCO", ECCV 2014): boxes and truth in pixels of the source, small below 32 x 32
pixels, large from 96 x 96 on.
"""

import contextlib
import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .._extras import needs
from ..geometry import check
from ..geometry.boxes import Detections, to_pixels

if TYPE_CHECKING:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

N_BOOTSTRAP = 200
"""How often scenes are drawn anew for an interval."""


class DetectionMetrics(NamedTuple):
    """Average precision in 0..1; NaN where there is nothing of that size to find.

    Attributes:
        ap: mean over the thresholds of IoU from 0.5 to 0.95.
        ap50: at IoU 0.5.
        small: as `ap`, of things below 32 x 32 pixels.
        medium: as `ap`, between.
        large: as `ap`, from 96 x 96 pixels on.
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
    """Compare what a detector found in each scene with what is there, for one class.

    Args:
        detections: one a scene; boxes xyxy in [-1, 1] of the source frame.
        ground_truth: `n 4` a scene, likewise.
        size: (rows, columns) of the source in pixels.
        label: the class that is looked at; 0 is COCO's person.

    Raises:
        ValueError: there are not as many answers as scenes, or none.

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
    """Return the bootstrap interval of average precision over scenes.

    Args:
        detections: as for :func:`average_precision`.
        ground_truth: likewise.
        size: likewise.
        label: likewise.
        level: of the interval.
        seed: of the drawing.

    Returns:
        Its lower and its upper end.
    """
    matched = _matched(detections, ground_truth, size, label)
    draw = np.random.default_rng(seed)
    scenes = len(ground_truth)
    drawn = [_summary(matched, draw.integers(0, scenes, scenes)) for _ in range(N_BOOTSTRAP)]
    outside = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a size that is in no scene, both ends are NaN
        low, high = np.nanquantile(np.array(drawn), (outside, 1 - outside), axis=0)
    return DetectionMetrics(*low.tolist()), DetectionMetrics(*high.tolist())


def _matched(
    detections: Sequence[Detections],
    ground_truth: Sequence[Tensor],
    size: Sequence[int],
    label: int,
) -> "COCOeval":
    """Match what was found with what is there, scene by scene, at every threshold."""
    with needs("metrics"):
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    if len(detections) != len(ground_truth) or not ground_truth:
        raise ValueError(
            f"there must be one answer a scene and at least one, got {len(detections)} answers "
            f"and {len(ground_truth)} scenes"
        )
    rows, columns = check.size(size)
    things: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for scene, boxes in enumerate(ground_truth):
        for x, y, width, height in _corners(boxes, size):
            things.append(
                {
                    "id": len(things) + 1,
                    "image_id": scene,
                    "category_id": 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    for scene, each in enumerate(detections):
        ours = each.labels == label
        for bbox, score in zip(_corners(each.boxes[ours], size), each.scores[ours], strict=True):
            answers.append(
                {"image_id": scene, "category_id": 1, "bbox": bbox, "score": float(score)}
            )
    images = [{"id": scene, "height": rows, "width": columns} for scene in range(len(ground_truth))]
    with contextlib.redirect_stdout(io.StringIO()):  # it reports each step
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": images,
            "annotations": things,
            "categories": [{"id": 1}],
        }
        coco.createIndex()
        seen = coco.loadRes(answers) if answers else _nothing(coco)
        matched = COCOeval(coco, seen, "bbox")
        matched.evaluate()
    return matched


def _nothing(coco: "COCO") -> "COCO":
    """Return answers that are none: `loadRes` cannot read an empty list."""
    empty = type(coco)()
    empty.dataset = {**coco.dataset, "annotations": []}
    empty.createIndex()
    return empty


def _corners(boxes: Tensor, size: Sequence[int]) -> list[list[float]]:
    """Return boxes as COCO has them: left, top, width and height in pixels."""
    pixels = to_pixels(boxes.detach().to(torch.float64).reshape(-1, 4), size)
    return torch.cat([pixels[:, :2], pixels[:, 2:] - pixels[:, :2]], dim=-1).tolist()


def _summary(matched: "COCOeval", scenes: Any = None) -> DetectionMetrics:
    """Sum matches up: of all scenes, or of those that are drawn, some perhaps several times."""
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
    precision = matched.eval["precision"]  # threshold, recall, class, area, number of answers
    precision = np.where(precision < 0, np.nan, precision)[:, :, 0, :, -1]

    def mean(values: Any) -> float:
        return float(values.mean())  # all are NaN where there is nothing of that size

    return DetectionMetrics(
        ap=mean(precision[..., 0]),
        ap50=mean(precision[0, :, 0]),
        small=mean(precision[..., 1]),
        medium=mean(precision[..., 2]),
        large=mean(precision[..., 3]),
    )
