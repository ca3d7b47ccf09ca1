"""Merging of detections that several predictions of one image have in common."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from kornia.geometry.bbox import nms
from torch import Tensor

from . import check
from .boxes import Detections, area

Merge = Literal["nms", "nmm"]


def merge_detections(
    parts: Sequence[Detections], method: Merge = "nms", threshold: float = 0.5, top: int = 100
) -> Detections:
    """Return the detections of several predictions as one, without duplicates.

    Duplicates are sought within each class, in descending order of score.

    Args:
        parts: at least one, with boxes in the same frame.
        method: "nms", non-maximum suppression: of boxes whose intersection over union exceeds the
            threshold, the one with the highest score is kept. "nmm", greedy non-maximum merging
            (Akyon et al., "Slicing Aided Hyper Inference", ICIP 2022): boxes that share more than
            the threshold of the smaller one's area become one box around both, so that an object
            that two tiles show in part is found as a whole.
        threshold: in 0..1.
        top: maximum number of detections.

    Returns:
        Detections in descending order of score.

    Raises:
        ValueError: there is no part, or the method or the threshold is unknown.

    Example:
        >>> left = torch.tensor([[0.0, 0.0, 0.5, 0.4]]), torch.tensor([0]), torch.tensor([0.9])
        >>> right = torch.tensor([[0.2, 0.0, 0.6, 0.4]]), torch.tensor([0]), torch.tensor([0.8])
        >>> parts = [Detections(*left), Detections(*right)]
        >>> merge_detections(parts, "nmm").boxes
        tensor([[0.0000, 0.0000, 0.6000, 0.4000]])
    """
    check.one_of(method, get_args(Merge), "method")
    if not parts:
        raise ValueError("there must be at least one prediction to merge")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in 0..1, got {threshold}")
    boxes, labels, scores = (torch.cat(fields) for fields in zip(*parts, strict=True))
    order = scores.argsort(descending=True, stable=True)
    boxes, labels, scores = boxes[order], labels[order], scores[order]
    if method == "nms":
        keep = _suppressed(boxes, labels, scores, threshold)
    else:
        keep, boxes = _merged(boxes, labels, threshold)
    keep = keep[:top]
    return Detections(boxes[keep], labels[keep], scores[keep])


def _suppressed(boxes: Tensor, labels: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Return the indices that non-maximum suppression within each class keeps."""
    if not len(boxes):
        return labels
    # Boxes are in [-1, 1]: an offset of 4 per class prevents overlap between classes.
    shifted = boxes.detach().cpu().double() + 4 * labels.cpu()[:, None]
    return nms(shifted, scores.detach().cpu().double(), threshold).to(boxes.device)


def _merged(boxes: Tensor, labels: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the indices that greedy merging keeps, and all boxes with these grown."""
    grown, values = boxes.clone(), boxes.detach().cpu()
    low = torch.maximum(values[:, None, :2], values[None, :, :2])
    high = torch.minimum(values[:, None, 2:], values[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = area(values)
    smaller = torch.minimum(areas[:, None], areas[None])
    same_class = labels.cpu()[:, None] == labels.cpu()[None]
    matches = (shared > threshold * smaller) & same_class
    is_free = torch.ones(len(boxes), dtype=torch.bool)
    keep = []
    for index in range(len(boxes)):
        if not is_free[index]:
            continue
        group = matches[index] & is_free
        group[index] = True
        is_free &= ~group
        members = boxes[group.to(boxes.device)]
        grown[index] = torch.cat([members[:, :2].amin(dim=0), members[:, 2:].amax(dim=0)])
        keep.append(index)
    return torch.tensor(keep, dtype=torch.int64, device=boxes.device), grown
