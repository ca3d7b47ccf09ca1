"""Adaptive saliency on video: detections in the previous frame define the saliency of this one.

The loop of FOVEA and LZU on video (Thavamani et al., 2021 and 2023): boxes -> saliency -> warp ->
boxes in the next frame. An object that is missed once is magnified less in the next frame.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from ..geometry.boxes import Detections, box_centres, iou
from ..geometry.warp import Warp
from .base import Decode, System

Motion = Callable[[Tensor, Tensor], Tensor]
"""From the boxes `n 4` two frames ago and `m 4` one frame ago to the expected boxes `m 4`."""


class FrameResult(NamedTuple):
    """The result of one video frame.

    Attributes:
        detections: in this frame, boxes in [-1, 1] of the source frame (`LZ`: the zoomed frame).
        warp: the warp by which the frame was zoomed.
        expected: `n 4`, the boxes from which the warp was made: of previous frames, moved by the
            motion model.
    """

    detections: Detections
    warp: Warp
    expected: Tensor


def follow(
    system: System,
    frames: Iterable[Tensor],
    decode: Decode,
    warp_from_boxes: Callable[[Tensor], Warp],
    *,
    label: int | None = 0,
    patience: int = 0,
    motion: Motion | None = None,
) -> Iterator[FrameResult]:
    """Run a system on a video, zooming each frame by a warp made from previous detections.

    Args:
        system: any of the systems; all but `Uniform` use the warp.
        frames: images `1 3 h w`, in order.
        decode: from outputs to detections.
        warp_from_boxes: from the salient boxes `n 4`, xyxy in [-1, 1] of the source frame, to a
            warp; n may be 0.
        label: the class to follow; 0 is COCO's person. None follows all classes.
        patience: number of frames without detections for which the last expected boxes are kept.
            With 0, the first such frame is followed by a frame without salient boxes.
        motion: extrapolates boxes to the next frame, for example :func:`constant_velocity`; if
            None, boxes stay in place.

    Yields:
        The result of each frame.

    Raises:
        ValueError: if patience is negative.
    """
    if patience < 0:
        raise ValueError(f"patience must be non-negative, got {patience}")
    previous = last = torch.zeros(0, 4)
    missed = 0
    for frame in frames:
        previous, last = previous.to(frame.device), last.to(frame.device)
        expected = motion(previous, last).clamp(-1, 1) if motion and len(last) else last
        warp = warp_from_boxes(expected)
        (detections,) = system.detect(frame, decode, warp)
        # The copy excludes the warp's cache, which takes megabytes for each frame.
        yield FrameResult(detections, copy(warp), expected)
        boxes = detections.boxes
        if label is not None:
            boxes = boxes[detections.labels == label]
        missed = 0 if len(boxes) else missed + 1
        if len(boxes):
            previous, last = last, boxes
        elif missed > patience:
            previous = last = torch.zeros(0, 4)
        else:
            previous, last = last, expected


def constant_velocity(gain: float = 1.0) -> Motion:
    """Return a motion model of constant velocity.

    The velocity of a box in the last frame is measured from the box of the frame before that
    overlaps it most, or, if none does, from the one with the nearest centre.

    Args:
        gain: factor applied to the velocity: 1 for a constant velocity, 0 for none, -1 to reverse
            it.

    Example:
        >>> first = torch.tensor([[0.0, 0.0, 0.2, 0.2]])
        >>> constant_velocity()(first, first + 0.1)
        tensor([[0.2000, 0.2000, 0.4000, 0.4000]])
    """

    def extrapolate(previous: Tensor, last: Tensor) -> Tensor:
        if not len(previous):
            return last
        distance = torch.cdist(box_centres(last), box_centres(previous))
        # Distances are at most 2 sqrt 2, so that any overlap (+1) outweighs them.
        partner = previous[
            (iou(last, previous) - distance / 4 + (iou(last, previous) > 0)).argmax(dim=1)
        ]
        return last + gain * (box_centres(last) - box_centres(partner)).repeat(1, 2)

    return extrapolate
