"""Bounding boxes: xyxy in [-1, 1] over the extent of a frame, and conversion to pixels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from . import check

if TYPE_CHECKING:
    from .warp import Warp


class Detections(NamedTuple):
    """Detections in one image, in descending order of score.

    Attributes:
        boxes: `n 4`, (left, top, right, bottom) in [-1, 1] over the frame's extent.
        labels: `n`, int64, the classes.
        scores: `n`, in 0..1, descending.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor


def to_pixels(boxes: Tensor, size: Sequence[int]) -> Tensor:
    """Return boxes or points in pixels of an image, with the origin at its top left corner.

    Args:
        boxes: `... 4`, xyxy in [-1, 1], or `... 2`, (x, y) in [-1, 1].
        size: (rows, columns) of the image.

    Returns:
        The same shape, in pixels.

    Example:
        >>> to_pixels(torch.tensor([[-1.0, -1.0, 0.0, 1.0]]), (90, 160))
        tensor([[ 0.,  0., 80., 90.]])
    """
    return (boxes + 1) / 2 * _sides(boxes, size)


def from_pixels(boxes: Tensor, size: Sequence[int]) -> Tensor:
    """Return boxes or points in [-1, 1] from pixels: the inverse of :func:`to_pixels`."""
    return boxes / _sides(boxes, size) * 2 - 1


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the intersection over union of every pair of boxes.

    Args:
        first: `n 4`, xyxy.
        second: `m 4`, xyxy, in the same frame.

    Returns:
        `n m` in 0..1; 0 where both boxes are empty.

    Example:
        >>> iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
        tensor([[0.3333]])
    """
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = (high - low).clamp(min=0).prod(dim=-1)
    union = area(first)[:, None] + area(second)[None] - intersection
    return torch.where(union > 0, intersection / union, 0.0)


def box_centres(boxes: Tensor) -> Tensor:
    """Return the centre (x, y) of each box: `... 4` to `... 2`, in the same coordinates.

    Example:
        >>> box_centres(torch.tensor([[0.0, 0.0, 2.0, 4.0]]))
        tensor([[1., 2.]])
    """
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def area(boxes: Tensor) -> Tensor:
    """Return the area of each box, in the square of its units: `... 4` to `...`."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def sides_to_source(
    warp: "Warp", points: Tensor, distances: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sides, in the source frame, of boxes that are predicted in the zoomed frame.

    An anchor-free detector predicts the distances of a box's sides from a point. A head that works
    on unzoomed features still predicts them in the zoomed frame: each point is mapped there, moved
    by each distance along its axis, and mapped back.

    Args:
        warp: of batch 1 or b.
        points: `1 n 2`, (x, y) in the source frame.
        distances: `b n 4`, from the point to (left, top, right, bottom), in units of half the sides
            of the zoomed frame; not negative.

    Returns:
        `b n 1`, whether T reaches each point; `b n 2`, left and top; `b n 2`, right and bottom.

    Raises:
        ValueError: the batch of the warp is wrong.
    """
    batch = len(distances)
    if len(warp) not in (1, batch):
        raise ValueError(
            "the batch size of the warp must be 1 or that of the predictions, "
            f"{batch}, got {len(warp)}"
        )
    zoomed = warp.to_zoomed(points).expand(batch, -1, -1)
    reached = zoomed.isfinite().all(dim=-1, keepdim=True)
    zoomed = torch.where(reached, zoomed, 0.0)
    zero = torch.zeros_like(distances[..., 0])
    left, top, right, bottom = distances.unbind(-1)
    ends = [
        warp.to_source((zoomed + torch.stack(displacement, dim=-1)).clamp(-1, 1))[..., axis]
        for axis, displacement in (
            (0, (-left, zero)),
            (1, (zero, -top)),
            (0, (right, zero)),
            (1, (zero, bottom)),
        )
    ]
    return reached, torch.stack(ends[:2], dim=-1), torch.stack(ends[2:], dim=-1)


def _sides(boxes: Tensor, size: Sequence[int]) -> Tensor:
    check.is_tensor(boxes, "boxes")
    if boxes.shape[-1:] not in ((4,), (2,)):
        raise ValueError(
            "boxes must have shape (..., 4), with (left, top, right, bottom) in the last axis, or "
            f"points (..., 2), with (x, y), got {check.shape(boxes)}"
        )
    rows, columns = check.size(size)
    sides = [columns, rows] * (boxes.shape[-1] // 2)
    return torch.tensor(sides, dtype=boxes.dtype, device=boxes.device)
