"""Detections as records of other libraries: dictionaries, COCO results, supervision fields."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry import check
from ..geometry.boxes import Detections, from_pixels, to_pixels

COCO_IDS = tuple(
    number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
)
"""COCO's `category_id` of each of its 80 classes; the numbers have gaps."""


class DetectionFields(Protocol):
    """Fields of `supervision.Detections`."""

    @property
    def xyxy(self) -> NDArray[Any]:
        """Boxes `n 4`, xyxy in pixels."""
        ...

    @property
    def confidence(self) -> NDArray[Any] | None:
        """Scores `n`."""
        ...

    @property
    def class_id(self) -> NDArray[Any] | None:
        """Classes `n`."""
        ...


def to_dict(detections: Detections, size: Sequence[int]) -> dict[str, Tensor]:
    """Return detections as torchvision's dictionary.

    Args:
        detections: boxes in [-1, 1] of the image.
        size: (rows, columns) of the image.

    Returns:
        `boxes` `n 4`, xyxy in pixels; `labels` `n`; `scores` `n`.

    Example:
        >>> one = Detections(
        ...     torch.tensor([[-1.0, -1.0, 0.0, 1.0]]), torch.tensor([3]), torch.tensor([0.5])
        ... )
        >>> to_dict(one, (90, 160))["boxes"]
        tensor([[ 0.,  0., 80., 90.]])
    """
    boxes = to_pixels(detections.boxes, size)
    return {"boxes": boxes, "labels": detections.labels, "scores": detections.scores}


def from_dict(record: Mapping[str, Tensor], size: Sequence[int]) -> Detections:
    """Return detections of torchvision's dictionary: the inverse of :func:`to_dict`.

    Detections are sorted by descending score; a dictionary without scores, such as a target, gets
    scores of 1.

    Raises:
        ValueError: a key is missing.
    """
    missing = {"boxes", "labels"} - record.keys()
    if missing:
        raise ValueError(f"a record of detections needs {sorted(missing)}, got {list(record)}")
    boxes = record["boxes"].reshape(-1, 4)
    scores = record.get("scores", boxes.new_ones(len(boxes)))
    return _sorted(from_pixels(boxes, size), record["labels"], scores)


def to_coco(
    detections: Detections, size: Sequence[int], image_id: int, categories: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """Return detections as COCO's records of results, which `COCO.loadRes` reads.

    Args:
        detections: boxes in [-1, 1] of the image.
        size: (rows, columns) of the image.
        image_id: of the image.
        categories: the `category_id` of each label; by default the labels themselves.

    Returns:
        One dictionary for each detection, with the `bbox` as (left, top, width, height) in pixels.

    Example:
        >>> one = Detections(
        ...     torch.tensor([[-1.0, -1.0, 0.0, 1.0]]), torch.tensor([3]), torch.tensor([0.5])
        ... )
        >>> to_coco(one, (90, 160), image_id=7)
        [{'image_id': 7, 'category_id': 3, 'bbox': [0.0, 0.0, 80.0, 90.0], 'score': 0.5}]
    """
    left_top, right_bottom = to_pixels(detections.boxes.cpu().double(), size).chunk(2, dim=-1)
    boxes = torch.cat([left_top, right_bottom - left_top], dim=-1).tolist()
    labels, scores = detections.labels.tolist(), detections.scores.tolist()
    return [
        {
            "image_id": image_id,
            "category_id": categories[label] if categories else label,
            "bbox": box,
            "score": score,
        }
        for box, label, score in zip(boxes, labels, scores, strict=True)
    ]


def from_coco(
    records: Iterable[Mapping[str, Any]], size: Sequence[int], categories: Sequence[int] = ()
) -> Detections:
    """Return detections of COCO's records of one image: the inverse of :func:`to_coco`.

    Annotations, which have no score, get scores of 1.
    """
    listed = list(records)
    boxes = torch.tensor([record["bbox"] for record in listed], dtype=torch.float32).view(-1, 4)
    boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=-1)
    index = {category: label for label, category in enumerate(categories)}
    labels = [index.get(record["category_id"], record["category_id"]) for record in listed]
    scores = torch.tensor([float(record.get("score", 1)) for record in listed])
    return _sorted(from_pixels(boxes, size), torch.tensor(labels, dtype=torch.int64), scores)


def to_fields(detections: Detections, size: Sequence[int]) -> dict[str, NDArray[Any]]:
    """Return detections as the fields of `supervision.Detections`, as NumPy arrays.

    `supervision.Detections(**to_fields(detections, size))` makes such an object.
    """
    record = to_dict(detections, size)
    boxes, labels, scores = (
        record[key].detach().cpu().numpy() for key in ("boxes", "labels", "scores")
    )
    return {"xyxy": boxes, "confidence": scores, "class_id": labels}


def from_fields(fields: DetectionFields, size: Sequence[int]) -> Detections:
    """Return detections of an object with the fields of `supervision.Detections`."""
    boxes = torch.from_numpy(np.asarray(fields.xyxy, dtype=np.float32).reshape(-1, 4))
    count = len(boxes)
    scores = np.ones(count) if fields.confidence is None else np.asarray(fields.confidence)
    labels = np.zeros(count) if fields.class_id is None else np.asarray(fields.class_id)
    return _sorted(
        from_pixels(boxes, size),
        torch.from_numpy(labels.astype(np.int64)),
        torch.from_numpy(scores.astype(np.float32)),
    )


def _sorted(boxes: Tensor, labels: Tensor, scores: Tensor) -> Detections:
    """Return detections in descending order of score."""
    if not len(boxes) == len(labels) == len(scores):
        raise ValueError(
            "there must be one box, label and score for each detection, got "
            f"{check.shape(boxes)}, {check.shape(labels)} and {check.shape(scores)}"
        )
    order = scores.argsort(descending=True, stable=True)
    return Detections(boxes[order], labels[order], scores[order])
