"""A small one-stage detector: feature pyramid, shared head and focal loss, as in RetinaNet.

Objects are represented by their centres instead of anchors, as in CenterNet (Zhou et al., "Objects
as points", 2019): the target heatmap of a class has a Gaussian of height 1 at each object's centre.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from kornia.geometry.bbox import nms
from torch import Tensor, nn
from torch.nn import functional as F

from ...geometry.boxes import Detections, box_centres
from ...geometry.check import Size
from ...geometry.resampling import pixel_centres
from ...geometry.warp import Warp
from .pyramid import CHANNELS, Pyramid, append_coordinates, conv_gn_relu

MAX_SIDES = (8.0, 16.0)
"""Maximum longer side of objects assigned to levels 0 and 1, in pixels of the network's input."""

REFERENCE_SIDE = 2.7
"""Reference side length, in strides of the level, encoded as 0."""

MIN_TARGET = 0.4
"""Cells where an object's Gaussian target exceeds this contribute to its regression loss."""

_CANDIDATES = 150
_MAX_DETECTIONS = 100
_MIN_SCORE = 0.02
_MAX_IOU = 0.5


class Targets(NamedTuple):
    """Ground truth of one image for training, in the frame of the detector's head.

    Attributes:
        boxes: `n 4`, xyxy in [-1, 1].
        labels: `n`, class indices.
        projected_centres: `n 2`, (x, y) of the projected centre of each 3D box; used in 3D only.
        encoded_3d: `n 6`, encoded 3D boxes, see `encode_boxes_3d`; used in 3D only.
    """

    boxes: Tensor
    labels: Tensor
    projected_centres: Tensor
    encoded_3d: Tensor


class Peaks(NamedTuple):
    """Detections in one image, with the raw regression outputs of their cells.

    Attributes:
        detections: boxes, labels and scores.
        outputs: `n m`, outputs of the head other than the class logits.
        centres: `n 2`, centre of the cell of each detection, (x, y) in [-1, 1].
        strides: `n 2`, stride of the cell's level, (x, y) in units of [-1, 1].
    """

    detections: Detections
    outputs: Tensor
    centres: Tensor
    strides: Tensor


class Detector(nn.Module):
    """Detector of cars, pedestrians and signs: image -> features -> head -> boxes.

    Args:
        classes: number of classes.
        extra: number of regression outputs per cell in addition to the box.

    Example:
        >>> network = Detector()
        >>> [tuple(level.shape) for level in network(torch.rand(1, 3, 48, 160))]
        [(1, 7, 24, 80), (1, 7, 12, 40), (1, 7, 6, 20)]
    """

    def __init__(self, classes: int = 3, extra: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.pyramid = Pyramid()
        self.tower = nn.Sequential(
            conv_gn_relu(CHANNELS + 2, CHANNELS), conv_gn_relu(CHANNELS, CHANNELS)
        )
        self.predict = nn.Conv2d(CHANNELS, classes + 4 + extra, 1)
        nn.init.normal_(self.predict.weight, std=0.01)
        bias = torch.zeros(classes + 4 + extra)
        bias[:classes] = -4.0  # low initial scores, as most cells are background
        self.predict.bias = nn.Parameter(bias)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the pyramid levels `b 32 h/s w/s` of an image `b 3 h w` in 0..1."""
        levels: list[Tensor] = self.pyramid(image)
        return levels

    def head(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return class logits and regression outputs of each level, `b classes+4+extra h w`."""
        return [self.predict(self.tower(append_coordinates(level))) for level in levels]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the outputs for an image, `head(features(image))`."""
        return self.head(self.features(image))

    def loss(self, outputs: Sequence[Tensor], targets: Sequence[Targets], size: Size) -> Tensor:
        """Return the training loss of outputs and ground truth in the same frame.

        Args:
            outputs: outputs of :meth:`head`.
            targets: ground truth, one entry per image.
            size: (rows, columns) of the network's input.

        Returns:
            A scalar: focal loss plus the regression loss near each object's centre, divided by the
            number of objects.
        """
        all_targets = Targets(*(torch.cat(values) for values in zip(*targets, strict=True)))
        counts = torch.tensor([len(image_targets.boxes) for image_targets in targets])
        image_of_object = torch.repeat_interleave(counts)
        total = torch.zeros(())
        for level, output in enumerate(outputs):
            heat, regression = output.float().split(
                [self.classes, output.shape[1] - self.classes], 1
            )
            objects, heatmap = gaussian_targets(all_targets.boxes, level, heat.shape[-2:], size)
            total = total + focal(
                heat, _heat(heat, heatmap, image_of_object[objects], all_targets.labels[objects])
            )
            # Regression is trained only in the few cells near an object's centre.
            target, row, column = (heatmap > MIN_TARGET).nonzero(as_tuple=True)
            near_objects = objects[target]
            regression_near = regression[image_of_object[near_objects], :, row, column]
            cell_targets = Targets(*(values[near_objects] for values in all_targets))
            centres = pixel_centres(heat.shape[-2:])[0, row, column]
            cell_loss = self.regression_loss(
                regression_near, cell_targets, centres, stride(level, size)
            )
            weight = heatmap[target, row, column]
            weights = torch.zeros(len(objects)).index_add(0, target, weight)
            total = total + (cell_loss * weight / weights[target]).sum()
        return total / max(len(image_of_object), 1)

    def regression_loss(
        self, outputs: Tensor, targets: Targets, centres: Tensor, strides: Tensor
    ) -> Tensor:
        """Return the smooth L1 loss of regression outputs, summed over the outputs of each cell.

        Args:
            outputs: `n m`, regression outputs of `n` cells.
            targets: ground truth of the object assigned to each cell.
            centres: `n 2`, centres of the cells.
            strides: `2`, stride of their level.

        Returns:
            `n`, the loss of each cell.
        """
        encoded = encode_boxes(targets.boxes, centres, strides)
        return F.smooth_l1_loss(outputs[:, :4], encoded, reduction="none", beta=0.1).sum(dim=1)

    def decode(
        self, outputs: list[Tensor], warp: Warp | None = None, *, size: Sequence[int]
    ) -> list[Detections]:
        """Decode outputs to boxes.

        Args:
            outputs: outputs of :meth:`head`.
            warp: not used, as the head is trained on unzoomed features; see
                :class:`lzu_viz.systems.Decode`.
            size: (rows, columns) of the network's input.

        Returns:
            At most 100 boxes per image, xyxy in [-1, 1] of the outputs' frame.
        """
        return [peaks.detections for peaks in self.peaks(outputs, (size[0], size[1]))]

    def peaks(self, outputs: Sequence[Tensor], size: Size) -> list[Peaks]:
        """Return the local maxima of the class scores of all levels, after suppression."""
        levels = [self._peaks(output.float(), level, size) for level, output in enumerate(outputs)]
        return [
            _suppressed(*(torch.cat(values) for values in zip(*parts, strict=True)))
            for parts in zip(*levels, strict=True)
        ]

    def _peaks(self, output: Tensor, level: int, size: Size) -> list[tuple[Tensor, ...]]:
        heat, regression = output.split([self.classes, output.shape[1] - self.classes], dim=1)
        shape = heat.shape[-2:]
        # Only local maxima are candidates.
        heat = heat.sigmoid()
        heat = torch.where(heat == F.max_pool2d(heat, 3, stride=1, padding=1), heat, 0.0)
        cells = shape[0] * shape[1]
        scores, index = heat.flatten(1).topk(min(_CANDIDATES, self.classes * cells))
        cell = index % cells
        values = regression.flatten(2).transpose(1, 2)
        values = values.gather(1, cell[..., None].expand(-1, -1, values.shape[2]))
        centres = pixel_centres(shape)[0].flatten(0, 1)[cell]
        strides = stride(level, size).expand_as(centres)
        boxes = decode_boxes(values[..., :4], centres, strides)
        return list(zip(boxes, index // cells, scores, values, centres, strides, strict=True))


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Return the focal loss summed over cells, with less weight on negatives near object centres.

    The loss of a cell is -(1 - p)^2 log p at an object's centre, where the target t is 1, and
    -(1 - t)^4 p^2 log(1 - p) elsewhere (Law and Deng, "CornerNet", ECCV 2018, after Lin et al.,
    "Focal loss", ICCV 2017).
    """
    p = logits.sigmoid()
    positive = (1 - p) ** 2 * F.logsigmoid(logits)
    negative = (1 - target) ** 4 * p**2 * F.logsigmoid(-logits)
    return -torch.where(target > 0.99, positive, negative).sum()


def stride(level: int, size: Size) -> Tensor:
    """Return the stride of a level as (x, y) in units of [-1, 1], before any unzooming."""
    return torch.tensor([2 / size[1], 2 / size[0]]) * Pyramid.strides[level]


def gaussian_targets(
    boxes: Tensor, level: int, shape: Sequence[int], size: Size
) -> tuple[Tensor, Tensor]:
    """Return the objects assigned to a level by their size, and a Gaussian target for each.

    Returns:
        Indices of the objects, `k`, and their targets `k h w`, which are 1 in the cell that
        contains the object's centre and decay around it.
    """
    longest = ((boxes[:, 2:] - boxes[:, :2]) / 2 * torch.tensor([size[1], size[0]])).amax(dim=1)
    objects = (torch.bucketize(longest, torch.tensor(MAX_SIDES)) == level).nonzero()[:, 0]
    boxes = boxes[objects]
    rows, columns = shape
    cell = torch.tensor([2 / columns, 2 / rows])
    centre = box_centres(boxes)
    # Centring the Gaussian on a cell makes the target exactly 1 there.
    centre = ((centre.clamp(-1, 1 - 1e-5) + 1) / cell).floor().add(0.5) * cell - 1
    sigma = torch.maximum(0.12 * (boxes[:, 2:] - boxes[:, :2]), 0.55 * cell)
    centres = pixel_centres((rows, columns))[0]
    x = (centres[0, :, 0] - centre[:, 0:1]) / sigma[:, 0:1]
    y = (centres[:, 0, 1] - centre[:, 1:2]) / sigma[:, 1:2]
    return objects, (-(x**2) / 2).exp()[:, None, :] * (-(y**2) / 2).exp()[:, :, None]


def _heat(like: Tensor, heatmap: Tensor, image: Tensor, label: Tensor) -> Tensor:
    """Merge Gaussian targets `k h w` into heatmaps of each image and class, by maximum."""
    batch, classes, *shape = like.shape
    index = (image * classes + label)[:, None, None].expand_as(heatmap)
    empty = torch.zeros(batch * classes, *shape)
    return empty.scatter_reduce(0, index, heatmap, "amax").view_as(like)


def encode_boxes(boxes: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Return the regression targets `... 4` of boxes `... 4` for cells with centres `... 2`.

    The targets are the offset (x, y) of the box's centre in strides of the level, and
    log(side / stride / `REFERENCE_SIDE`) of width and height.
    """
    box_centre = box_centres(boxes)
    sides = ((boxes[..., 2:] - boxes[..., :2]) / strides / REFERENCE_SIDE).clamp(min=1e-3).log()
    offset = (box_centre - centres) / strides
    return torch.cat([offset, sides.expand_as(offset)], dim=-1)


def decode_boxes(outputs: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Return the boxes of regression outputs, clipped to [-1, 1]; inverse of `encode_boxes`.

    Args:
        outputs: `... 4`, regression outputs.
        centres: `... 2`, centres of their cells.
        strides: `... 2`, stride of their level.
    """
    box_centre = centres + outputs[..., :2] * strides
    half = outputs[..., 2:].clamp(max=6).exp() * REFERENCE_SIDE * strides / 2
    return torch.cat([box_centre - half, box_centre + half], dim=-1).clamp(-1, 1)


def _suppressed(
    boxes: Tensor,
    labels: Tensor,
    scores: Tensor,
    outputs: Tensor,
    centres: Tensor,
    strides: Tensor,
) -> Peaks:
    """Drop low scores, and apply non-maximum suppression at IoU 0.5 within each class."""
    keep = (scores > _MIN_SCORE).nonzero()[:, 0]
    if len(keep):
        # An offset per class prevents suppression between different classes.
        shifted = (boxes[keep] + 4.0 * labels[keep, None]).cpu()
        keep = keep[nms(shifted, scores[keep].cpu(), _MAX_IOU)[:_MAX_DETECTIONS].to(keep.device)]
    detections = Detections(boxes[keep], labels[keep], scores[keep])
    return Peaks(detections, outputs[keep], centres[keep], strides[keep])
