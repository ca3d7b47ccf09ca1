"""Metrics of masks: intersection over union and boundary F-score."""

import torch
from torch import Tensor

from ..geometry import check


def mask_iou(predicted: Tensor, ground_truth: Tensor) -> Tensor:
    """Return the intersection over union of masks.

    Args:
        predicted: boolean `b 1 h w`; threshold probabilities first.
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
    intersection = (predicted & ground_truth).flatten(1).sum(dim=1)
    union = (predicted | ground_truth).flatten(1).sum(dim=1)
    return torch.where(union > 0, intersection / union, 1.0)


def boundary_f(predicted: Tensor, ground_truth: Tensor, tolerance: int = 3) -> Tensor:
    """Return the F-score of mask boundaries.

    Precision is the fraction of the predicted boundary within ``tolerance`` pixels, along each
    axis, of the true boundary; recall is the fraction of the true boundary within that distance of
    the predicted one; F is their harmonic mean (Csurka et al., "What is a good evaluation measure
    for semantic segmentation?", BMVC 2013, who use round discs). Unlike IoU, it also penalises
    boundary errors of large objects.

    Args:
        predicted: boolean `b 1 h w`.
        ground_truth: boolean, of the same shape.
        tolerance: distance in pixels.

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
        raise ValueError(f"tolerance must be non-negative, in pixels, got {tolerance}")
    predicted_outline, true_outline = _outline(predicted), _outline(ground_truth)
    precision = _fraction_near(predicted_outline, true_outline, tolerance)
    recall = _fraction_near(true_outline, predicted_outline, tolerance)
    # Equal masks that are all false or all true have no boundary, and precision 0.
    equal = (predicted == ground_truth).flatten(1).all(dim=1)
    total = precision + recall
    return torch.where(equal, 1.0, torch.where(total > 0, 2 * precision * recall / total, 0.0))


def _check_masks(predicted: Tensor, ground_truth: Tensor) -> None:
    if predicted.shape != ground_truth.shape or predicted.ndim != 4:
        raise ValueError(
            "masks must have the same shape (b, 1, h, w), "
            f"got {check.shape(predicted)} and {check.shape(ground_truth)}"
        )
    if predicted.dtype != torch.bool or ground_truth.dtype != torch.bool:
        raise ValueError(
            f"masks must be boolean, got {predicted.dtype} and {ground_truth.dtype}; "
            "apply a threshold to probabilities, for example `mask > 0.5`"
        )


def _outline(mask: Tensor) -> Tensor:
    """Return the pixels of a mask with at least one of their 8 neighbours outside it."""
    return mask & _dilated(~mask, 1)


def _fraction_near(outline: Tensor, other_outline: Tensor, tolerance: int) -> Tensor:
    dilated = _dilated(other_outline, tolerance)
    return (outline & dilated).flatten(1).sum(dim=1) / outline.flatten(1).sum(dim=1).clamp(min=1)


def _dilated(mask: Tensor, radius: int) -> Tensor:
    """Dilate a mask by a square of side ``2 radius + 1``, one axis after the other."""
    for axis in (-2, -1):
        line, length = mask, mask.shape[axis]
        mask = line.clone()
        # Combining shifted copies is much faster than max pooling.
        for shift in range(1, min(radius, length - 1) + 1):
            low, high = (0, length - shift), (shift, length - shift)  # (start, length)
            for target, source in ((low, high), (high, low)):
                mask.narrow(axis, *target).logical_or_(line.narrow(axis, *source))
    return mask
