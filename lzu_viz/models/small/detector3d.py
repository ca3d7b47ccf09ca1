"""A small monocular 3D detector: the 2D detector with eight more outputs, as in FCOS3D.

The outputs are the projected centre of the 3D box, its depth, its size and its observation angle
(Wang et al., "FCOS3D", ICCV Workshops 2021); the 3D position follows by back-projection.
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
"""Reference depth in metres; a depth is encoded as log(depth / DEPTH)."""

SIZES = ((1.8, 1.5, 4.3), (0.65, 1.7, 0.6), (1.0, 1.0, 0.12))
"""Reference width, height and length of cars, pedestrians and signs, in metres."""


class RawDetections3D(NamedTuple):
    """3D detections in one image, before back-projection.

    Attributes:
        detections: 2D boxes, in the outputs' frame.
        projected_centres: `n 2`, projected centres of the 3D boxes, (x, y) in the outputs' frame.
        encoded_3d: `n 6`, log depth, three log sizes, sine and cosine of the observation angle.
    """

    detections: Detections
    projected_centres: Tensor
    encoded_3d: Tensor


class Detector3D(Detector):
    """Monocular 3D detector: the 2D detector with eight more outputs per cell.

    Args:
        classes: number of classes; their reference sizes are `SIZES`.
    """

    def __init__(self, classes: int = 3) -> None:
        super().__init__(classes, extra=8)

    def regression_loss(
        self, outputs: Tensor, targets: Targets, centres: Tensor, strides: Tensor
    ) -> Tensor:
        """Return the smooth L1 loss of 2D and 3D regression outputs, `n`, summed per cell."""
        # Unlike the offset, the targets of depth, size and angle do not depend on the cell.
        encoded = torch.cat(
            [(targets.projected_centres - centres) / strides, targets.encoded_3d], dim=1
        )
        extra_loss = F.smooth_l1_loss(outputs[:, 4:], encoded, reduction="none", beta=0.1)
        return super().regression_loss(outputs, targets, centres, strides) + extra_loss.sum(dim=1)

    def predict_3d(self, outputs: Sequence[Tensor], size: Size) -> list[RawDetections3D]:
        """Return raw 3D detections per image; :func:`lift` converts them to 3D boxes."""
        return [
            RawDetections3D(
                peaks.detections,
                peaks.centres + peaks.outputs[:, 4:6] * peaks.strides,
                peaks.outputs[:, 6:],
            )
            for peaks in self.peaks(outputs, size)
        ]


def encode_boxes_3d(boxes_3d: Tensor, labels: Tensor) -> Tensor:
    """Return 3D boxes `n 7` encoded as the regression targets `n 6`.

    The encoded angle is the observation angle, yaw - atan2(x, z), as the appearance of an object
    in an image depends on it and not on the yaw.
    """
    typical = torch.tensor(SIZES)[labels]
    angle = boxes_3d[:, 6] - torch.atan2(boxes_3d[:, 0], boxes_3d[:, 2])
    depth = (boxes_3d[:, 2:3] / DEPTH).log()
    return torch.cat(
        [depth, (boxes_3d[:, 3:6] / typical).log(), angle.sin()[:, None], angle.cos()[:, None]], 1
    )


def project_centres(boxes_3d: Tensor, camera: Tensor, size: Size) -> Tensor:
    """Return the projected centres `n 2` of 3D boxes `n 7`, (x, y) in [-1, 1] of the image."""
    pixels = camera[0] * boxes_3d[:, :2] / boxes_3d[:, 2:3] + camera[1:]
    return pixels / torch.tensor([size[1], size[0]]) * 2 - 1


def lift(raw: RawDetections3D, camera: Tensor, size: Size) -> Detections3D:
    """Return the 3D boxes of raw detections, by back-projection.

    Args:
        raw: raw detections in the source frame.
        camera: (focal length, x, y of the principal point), in pixels.
        size: (rows, columns) of the image in those pixels.
    """
    encoded = raw.encoded_3d
    depth = DEPTH * encoded[:, 0].clamp(-4, 3).exp()
    pixels = (raw.projected_centres + 1) / 2 * torch.tensor([size[1], size[0]])
    xy = (pixels - camera[1:]) / camera[0] * depth[:, None]
    sizes = torch.tensor(SIZES)[raw.detections.labels] * encoded[:, 1:4].clamp(-2, 2).exp()
    yaw = torch.atan2(encoded[:, 4], encoded[:, 5]) + torch.atan2(xy[:, 0], depth)
    yaw = (yaw + math.pi) % (2 * math.pi) - math.pi
    boxes = torch.cat([xy, depth[:, None], sizes, yaw[:, None]], dim=1)
    return Detections3D(boxes, raw.detections.labels, raw.detections.scores)


def to_source(raw: RawDetections3D, warp: Warp) -> RawDetections3D:
    """Map the boxes and projected centres of raw detections from zoomed to source frame."""
    boxes = warp.boxes_to_source(raw.detections.boxes)
    projected_centres = warp.to_source(raw.projected_centres.clamp(-1, 1)[None])[0]
    return raw._replace(
        detections=raw.detections._replace(boxes=boxes), projected_centres=projected_centres
    )
