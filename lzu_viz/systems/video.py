"""Adaptive saliency: what was found in the last frame says where to look in this one.

The loop of FOVEA and LZU on video (Thavamani et al., 2021 and 2023): boxes -> saliency -> warp ->
the next frame's boxes. What it misses once, it will look at less the next time.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from ..geometry.boxes import Detections, iou
from ..geometry.warp import Warp
from .base import Decode, System

Motion = Callable[[Tensor, Tensor], Tensor]
"""From the boxes `n 4` of the frame before last and `m 4` of the last, to `m 4` of this one."""


class FrameResult(NamedTuple):
    """What the loop did in one frame.

    Attributes:
        detections: in this frame, boxes in its own frame [-1, 1].
        warp: through which it looked.
        expected: `n 4`, the boxes that it looked at; of frames before this one.
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
    label: int = 0,
    patience: int = 0,
    motion: Motion | None = None,
) -> Iterator[FrameResult]:
    """Run a system on a video, each frame through a warp made from what was found before it.

    Args:
        system: any of the systems; one that is not `Uniform` uses the warp.
        frames: images `1 3 h w`, in order.
        decode: the model's way from outputs to boxes.
        warp_from_boxes: from the boxes `n 4` to look at, xyxy in [-1, 1] of the source, n may be 0,
            to a warp.
        label: the class that is followed; 0 is COCO's person.
        patience: for how many frames it goes on looking at where things were last found. With 0 it
            looks everywhere alike as soon as it finds nothing.
        motion: how boxes move on to the next frame; where None they stay. See
            :func:`constant_velocity`.

    Yields:
        One a frame.

    Raises:
        ValueError: patience is negative.
    """
    if patience < 0:
        raise ValueError(f"patience must not be negative, got {patience}")
    previous = last = torch.zeros(0, 4)
    missed = 0
    for frame in frames:
        expected = motion(previous, last).clamp(-1, 1) if motion and len(last) else last
        warp = warp_from_boxes(expected)
        (detections,) = system.detect(frame, decode, warp)
        # A copy leaves behind what the warp remembers, megabytes a frame.
        yield FrameResult(detections, copy(warp), expected)
        boxes = detections.boxes[detections.labels == label]
        missed = 0 if len(boxes) else missed + 1
        if len(boxes):
            previous, last = last, boxes
        elif missed > patience:
            previous = last = torch.zeros(0, 4)
        else:
            previous, last = last, expected


def constant_velocity(gain: float = 1.0) -> Motion:
    """Return the motion of things that keep their velocity.

    Each box of the last frame is compared with the box of the frame before that overlaps it most,
    or, where none does, with the one whose middle is nearest.

    Args:
        gain: what part of the velocity is believed; 1 is right for a constant velocity, 0 is none,
            -1 goes the wrong way.

    Example:
        >>> first = torch.tensor([[0.0, 0.0, 0.2, 0.2]])
        >>> constant_velocity()(first, first + 0.1)
        tensor([[0.2000, 0.2000, 0.4000, 0.4000]])
    """

    def moved(previous: Tensor, last: Tensor) -> Tensor:
        if not len(previous):
            return last
        far = torch.cdist(_middles(last), _middles(previous))
        # Distances are at most 2 sqrt 2, so that any overlap outweighs them.
        partner = previous[
            (iou(last, previous) - far / 4 + (iou(last, previous) > 0)).argmax(dim=1)
        ]
        return last + gain * (_middles(last) - _middles(partner)).repeat(1, 2)

    return moved


def _middles(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
