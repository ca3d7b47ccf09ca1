"""Metrics of masks: intersection over union, and the F-score of outlines."""

import torch
from torch import Tensor

from ..geometry import check


def mask_iou(predicted: Tensor, ground_truth: Tensor) -> Tensor:
    """Intersection over union of masks: pixels in both over pixels in either.

    Args:
        predicted: boolean `b 1 h w`; compare probabilities with a threshold first.
        ground_truth: boolean, of the same shape.

    Returns:
        `b` in 0..1; 1 where both masks are empty.

    Raises:
        ValueError: the shapes differ, or a mask is not boolean.

    Example:
        >>> ground_truth = torch.tensor([True, True, False, False]).view(1, 1, 1, 4)
        >>> mask_iou(ground_truth.roll(1, -1), ground_truth)
        tensor([0.3333])
    """
    _check_masks(predicted, ground_truth)
    both = (predicted & ground_truth).flatten(1).sum(dim=1)
    either = (predicted | ground_truth).flatten(1).sum(dim=1)
    return torch.where(either > 0, both / either, 1.0)


def boundary_f(predicted: Tensor, ground_truth: Tensor, tolerance: int = 3) -> Tensor:
    """F-score of the outlines of masks: how much of each lies near the other.

    Precision is the part of the predicted outline that has true outline within ``tolerance``
    pixels along each axis, recall the part of the true outline that has predicted outline as near;
    F is their harmonic mean (Csurka et al., "What is a good evaluation measure for semantic
    segmentation?", BMVC 2013, there with round discs). Unlike IoU it does not forgive the outlines
    of large things.

    Args:
        predicted: boolean `b 1 h w`.
        ground_truth: boolean, of the same shape.
        tolerance: in pixels.

    Returns:
        `b` in 0..1; 1 for equal masks, 0 where only one is empty.

    Raises:
        ValueError: the shapes differ, a mask is not boolean, or the tolerance is negative.

    Example:
        >>> ground_truth = torch.zeros(1, 1, 20, 20, dtype=torch.bool)
        >>> ground_truth[..., 5:15, 5:15] = True
        >>> boundary_f(ground_truth.roll(2, -1), ground_truth, tolerance=2)
        tensor([1.])
    """
    _check_masks(predicted, ground_truth)
    if tolerance < 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance} pixels")
    ours, theirs = _outline(predicted), _outline(ground_truth)
    precision = _part_near(ours, theirs, tolerance)
    recall = _part_near(theirs, ours, tolerance)
    # Equal masks may have no outline at all: nobody, or nothing else.
    equal = (predicted == ground_truth).flatten(1).all(dim=1)
    both = precision + recall
    return torch.where(equal, 1.0, torch.where(both > 0, 2 * precision * recall / both, 0.0))


def _check_masks(predicted: Tensor, ground_truth: Tensor) -> None:
    if predicted.shape != ground_truth.shape or predicted.ndim != 4:
        raise ValueError(
            f"masks must both be `b 1 h w`, got {check.shape(predicted)} "
            f"and {check.shape(ground_truth)}"
        )
    if predicted.dtype != torch.bool or ground_truth.dtype != torch.bool:
        raise ValueError(
            f"masks must be boolean, got {predicted.dtype} and {ground_truth.dtype}; "
            "compare probabilities with a threshold, as in `mask > 0.5`"
        )


def _outline(mask: Tensor) -> Tensor:
    """Return the pixels of a mask that have a neighbour, of eight, outside of it."""
    return mask & _grown(~mask, 1)


def _part_near(outline: Tensor, other: Tensor, tolerance: int) -> Tensor:
    near = _grown(other, tolerance)
    return (outline & near).flatten(1).sum(dim=1) / outline.flatten(1).sum(dim=1).clamp(min=1)


def _grown(mask: Tensor, reach: int) -> Tensor:
    """Add all pixels up to ``reach`` rows and columns away, along one axis, then the other."""
    for axis in (-2, -1):
        line, length = mask, mask.shape[axis]
        mask = line.clone()
        # Shifted copies are many times as fast as pooling their maximum.
        for step in range(1, min(reach, length - 1) + 1):
            low, high = (0, length - step), (step, length - step)  # first, and how many
            for to, of in ((low, high), (high, low)):
                mask.narrow(axis, *to).logical_or_(line.narrow(axis, *of))
    return mask
