"""A small monocular 3D detector, FCOS3D-like: to the 2D detector's numbers it adds eight more.

Wang et al., "FCOS3D", ICCV Workshops 2021: where the middle of the 3D box is seen, how far it is,
how large, and how turned. Geometry then gives its place in space.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...geometry.boxes import Detections
from ...geometry.check import Size
from ...geometry.warp import Warp
from ...metrics.detection3d import Detections3D
from .detector import Detector, Targets

DEPTH = 30.0
"""Metres; the number for a depth is log(depth / DEPTH)."""

SIZES = ((1.8, 1.5, 4.3), (0.65, 1.7, 0.6), (1.0, 1.0, 0.12))
"""Width, height and length about which cars, pedestrians and signs vary, in metres."""


class RawDetections3D(NamedTuple):
    """What was found in one image, before geometry.

    Attributes:
        detections: boxes of the picture, in the outputs' frame.
        middles: `n 2`, where the middles of the 3D boxes are seen, likewise.
        numbers: `n 6`, log depth, three log sizes, sine and cosine of the angle of view.
    """

    detections: Detections
    middles: Tensor
    numbers: Tensor


class Detector3D(Detector):
    """The detector, with eight more numbers a thing.

    Args:
        classes: how many; their usual sizes are `SIZES`.
    """

    def __init__(self, classes: int = 3) -> None:
        super().__init__(classes, extra=8)

    def regression_loss(self, numbers: Tensor, own: Targets, place: Tensor, step: Tensor) -> Tensor:
        """Add to what the 2D numbers are off by how far the others are."""
        # Depth, size and angle are to be the same, whichever cell near the middle says them.
        wanted = torch.cat([(own.middles - place) / step, own.numbers], dim=1)
        extra_loss = F.smooth_l1_loss(numbers[:, 4:], wanted, reduction="none", beta=0.1)
        return super().regression_loss(numbers, own, place, step) + extra_loss.sum(dim=1)

    def predict_3d(self, outputs: Sequence[Tensor], size: Size) -> list[RawDetections3D]:
        """Find things; their 3D boxes come from :func:`lift`."""
        return [
            RawDetections3D(
                peaks.detections,
                peaks.place + peaks.numbers[:, 4:6] * peaks.step,
                peaks.numbers[:, 6:],
            )
            for peaks in self.peaks(outputs, size)
        ]


def encode_boxes_3d(boxes_3d: Tensor, labels: Tensor) -> Tensor:
    """Write 3D boxes `n 7` as the numbers `n 6` that the head says.

    The angle is that at which the thing is seen, yaw - atan2(x, z): it, and not the yaw, is what a
    picture shows.
    """
    typical = torch.tensor(SIZES)[labels]
    angle = boxes_3d[:, 6] - torch.atan2(boxes_3d[:, 0], boxes_3d[:, 2])
    depth = (boxes_3d[:, 2:3] / DEPTH).log()
    return torch.cat(
        [depth, (boxes_3d[:, 3:6] / typical).log(), angle.sin()[:, None], angle.cos()[:, None]], 1
    )


def project_centres(boxes_3d: Tensor, camera: Tensor, size: Size) -> Tensor:
    """Project the middles of 3D boxes `n 7` into the picture: `n 2`, (x, y) in [-1, 1]."""
    pixels = camera[0] * boxes_3d[:, :2] / boxes_3d[:, 2:3] + camera[1:]
    return pixels / torch.tensor([size[1], size[0]]) * 2 - 1


def lift(seen: RawDetections3D, camera: Tensor, size: Size) -> Detections3D:
    """Return the 3D boxes of what was seen.

    Args:
        seen: in the source frame.
        camera: (focal, x, y) in pixels.
        size: (rows, columns) of the picture that these are pixels of.
    """
    numbers = seen.numbers
    depth = DEPTH * numbers[:, 0].clamp(-4, 3).exp()
    pixels = (seen.middles + 1) / 2 * torch.tensor([size[1], size[0]])
    place = (pixels - camera[1:]) / camera[0] * depth[:, None]
    sizes = torch.tensor(SIZES)[seen.detections.labels] * numbers[:, 1:4].clamp(-2, 2).exp()
    yaw = torch.atan2(numbers[:, 4], numbers[:, 5]) + torch.atan2(place[:, 0], depth)
    yaw = (yaw + math.pi) % (2 * math.pi) - math.pi
    boxes = torch.cat([place, depth[:, None], sizes, yaw[:, None]], dim=1)
    return Detections3D(boxes, seen.detections.labels, seen.detections.scores)


def to_source(seen: RawDetections3D, warp: Warp) -> RawDetections3D:
    """Map what was seen in a zoomed image back to the source: boxes and middles."""
    boxes = warp.boxes_to_source(seen.detections.boxes)
    middles = warp.to_source(seen.middles.clamp(-1, 1)[None])[0]
    return seen._replace(detections=seen.detections._replace(boxes=boxes), middles=middles)
