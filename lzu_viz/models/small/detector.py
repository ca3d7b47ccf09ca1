"""A small one-stage detector, RetinaNet-like: a pyramid, one head for all levels, focal loss.

Instead of anchors each thing has a middle, as in CenterNet (Zhou et al., "Objects as points",
2019): the target of a class is a bump of 1 in the middle of each thing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from kornia.geometry.bbox import nms
from torch import Tensor, nn
from torch.nn import functional as F

from ...geometry.boxes import Detections
from ...geometry.check import Size
from ...geometry.resampling import pixel_centres
from ...geometry.warp import Warp
from .pyramid import CHANNELS, Pyramid, append_coordinates, conv_gn_relu

LONGEST = (8.0, 16.0)
"""Up to these longer sides, in pixels of the network's input, a thing belongs to levels 0 and 1."""

SIDE = 2.7
"""A box whose side is so many strides of its level long is foretold by the number 0."""

NEAR = 0.4
"""Cells where a thing's bump is higher than this say its numbers."""

_CANDIDATES = 150
_KEPT = 100
_LEAST_SCORE = 0.02
_OVERLAP = 0.5


class Targets(NamedTuple):
    """What a detector is to find in one image, in the frame that its head works in.

    Attributes:
        boxes: `n 4`, xyxy in [-1, 1].
        labels: `n`.
        middles: `n 2`, where the middle of each 3D box is seen; only needed in 3D.
        numbers: `n 6`, what is to be said of the 3D box, see `detector3d`; likewise.
    """

    boxes: Tensor
    labels: Tensor
    middles: Tensor
    numbers: Tensor


class Peaks(NamedTuple):
    """What was found in one image, with the numbers that the head says there.

    Attributes:
        detections: the boxes.
        numbers: `n m`, all numbers of the head but the classes.
        place: `n 2`, the middle of the cell that said them.
        step: `n 2`, the stride of its level, (x, y) in [-1, 1].
    """

    detections: Detections
    numbers: Tensor
    place: Tensor
    step: Tensor


class Detector(nn.Module):
    """Detector of cars, pedestrians and signs: image -> features -> head -> boxes.

    Args:
        classes: how many.
        extra: how many numbers are said of each thing beyond its box.

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
        at_first = torch.zeros(classes + 4 + extra)
        at_first[:classes] = -4.0  # nothing is anywhere
        self.predict.bias = nn.Parameter(at_first)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the pyramid's levels `b 32 h/s w/s` of an image `b 3 h w` in 0..1."""
        levels: list[Tensor] = self.pyramid(image)
        return levels

    def head(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return for each level logits of the classes and numbers, `b classes+4+extra h w`."""
        return [self.predict(self.tower(append_coordinates(level))) for level in levels]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Run both."""
        return self.head(self.features(image))

    def loss(self, outputs: Sequence[Tensor], targets: Sequence[Targets], size: Size) -> Tensor:
        """Compare outputs with the truth, both in the same frame.

        Args:
            outputs: of :meth:`head`.
            targets: one an image.
            size: (rows, columns) of the network's input.

        Returns:
            A scalar: focal loss, and how far the numbers near each thing's middle are off, summed
            over things and divided by how many there are.
        """
        every = Targets(*(torch.cat(each) for each in zip(*targets, strict=True)))
        owner = torch.repeat_interleave(torch.tensor([len(each.boxes) for each in targets]))
        total = torch.zeros(())
        for level, output in enumerate(outputs):
            heat, numbers = output.float().split([self.classes, output.shape[1] - self.classes], 1)
            thing, heatmap = gaussian_targets(every.boxes, level, heat.shape[-2:], size)
            total = total + focal(heat, _heat(heat, heatmap, owner[thing], every.labels[thing]))
            # Of thousands of cells only the few near a middle have to say numbers.
            which, row, column = (heatmap > NEAR).nonzero(as_tuple=True)
            near = thing[which]
            numbers_near = numbers[owner[near], :, row, column]
            own = Targets(*(each[near] for each in every))
            place = pixel_centres(heat.shape[-2:])[0, row, column]
            regression_loss = self.regression_loss(numbers_near, own, place, stride(level, size))
            weight = heatmap[which, row, column]
            weights = torch.zeros(len(thing)).index_add(0, which, weight)
            total = total + (regression_loss * weight / weights[which]).sum()
        return total / max(len(owner), 1)

    def regression_loss(self, numbers: Tensor, own: Targets, place: Tensor, step: Tensor) -> Tensor:
        """Return how far numbers are off.

        Args:
            numbers: `n m`, said by `n` cells.
            own: the thing near each cell.
            place: `n 2`, the middle of each cell.
            step: `2`, the stride of their level.

        Returns:
            `n`.
        """
        wanted = encode_boxes(own.boxes, place, step)
        return F.smooth_l1_loss(numbers[:, :4], wanted, reduction="none", beta=0.1).sum(dim=1)

    def decode(
        self, outputs: list[Tensor], warp: Warp | None = None, *, size: Sequence[int]
    ) -> list[Detections]:
        """Turn outputs into boxes.

        Args:
            outputs: of :meth:`head`.
            warp: not used, as the head is trained on unzoomed features; see `lzu.Decode`.
            size: (rows, columns) of the network's input.

        Returns:
            For each image at most 100 boxes, xyxy in [-1, 1] of the outputs' frame.
        """
        return [peaks.detections for peaks in self.peaks(outputs, (size[0], size[1]))]

    def peaks(self, outputs: Sequence[Tensor], size: Size) -> list[Peaks]:
        """Find the peaks of all levels, and suppress those that find the same thing again."""
        levels = [self._peaks(output.float(), level, size) for level, output in enumerate(outputs)]
        return [
            _suppressed(*(torch.cat(each) for each in zip(*parts, strict=True)))
            for parts in zip(*levels, strict=True)
        ]

    def _peaks(self, output: Tensor, level: int, size: Size) -> list[tuple[Tensor, ...]]:
        heat, numbers = output.split([self.classes, output.shape[1] - self.classes], dim=1)
        shape = heat.shape[-2:]
        # A place that a neighbour outdoes is only that neighbour's rim.
        heat = heat.sigmoid()
        heat = torch.where(heat == F.max_pool2d(heat, 3, stride=1, padding=1), heat, 0.0)
        cells = shape[0] * shape[1]
        scores, where = heat.flatten(1).topk(min(_CANDIDATES, self.classes * cells))
        cell = where % cells
        values = numbers.flatten(2).transpose(1, 2)
        values = values.gather(1, cell[..., None].expand(-1, -1, values.shape[2]))
        place = pixel_centres(shape)[0].flatten(0, 1)[cell]
        step = stride(level, size).expand_as(place)
        boxes = decode_boxes(values[..., :4], place, step)
        return list(zip(boxes, where // cells, scores, values, place, step, strict=True))


def focal(logits: Tensor, target: Tensor) -> Tensor:
    """Sum the focal loss over cells; near a middle, what is not quite it counts less.

    At the middle of a thing, where the target t is 1: -(1 - p)^2 log p; elsewhere -(1 - t)^4 p^2
    log(1 - p) (Law and Deng, "CornerNet", ECCV 2018, after Lin et al., "Focal loss", ICCV 2017).
    """
    p = logits.sigmoid()
    positive = (1 - p) ** 2 * F.logsigmoid(logits)
    negative = (1 - target) ** 4 * p**2 * F.logsigmoid(-logits)
    return -torch.where(target > 0.99, positive, negative).sum()


def stride(level: int, size: Size) -> Tensor:
    """Return the stride of a level as (x, y) in [-1, 1], whatever grid it was unzoomed onto."""
    return torch.tensor([2 / size[1], 2 / size[0]]) * Pyramid.strides[level]


def gaussian_targets(
    boxes: Tensor, level: int, shape: Sequence[int], size: Size
) -> tuple[Tensor, Tensor]:
    """Choose the things of a level by their size, and tell which cells are in their middle.

    Returns:
        Their indices `k`, and `k h w`: 1 in the cell of a thing's middle, falling about it.
    """
    longest = ((boxes[:, 2:] - boxes[:, :2]) / 2 * torch.tensor([size[1], size[0]])).amax(dim=1)
    thing = (torch.bucketize(longest, torch.tensor(LONGEST)) == level).nonzero()[:, 0]
    boxes = boxes[thing]
    rows, columns = shape
    cell = torch.tensor([2 / columns, 2 / rows])
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    # The cell that holds the middle gets exactly 1.
    middle = ((middle.clamp(-1, 1 - 1e-5) + 1) / cell).floor().add(0.5) * cell - 1
    sigma = torch.maximum(0.12 * (boxes[:, 2:] - boxes[:, :2]), 0.55 * cell)
    centres = pixel_centres((rows, columns))[0]
    x = (centres[0, :, 0] - middle[:, 0:1]) / sigma[:, 0:1]
    y = (centres[:, 0, 1] - middle[:, 1:2]) / sigma[:, 1:2]
    return thing, (-(x**2) / 2).exp()[:, None, :] * (-(y**2) / 2).exp()[:, :, None]


def _heat(like: Tensor, heatmap: Tensor, image: Tensor, label: Tensor) -> Tensor:
    """Draw bumps `k h w` into the maps of their classes, the larger one where two meet."""
    batch, classes, *shape = like.shape
    index = (image * classes + label)[:, None, None].expand_as(heatmap)
    empty = torch.zeros(batch * classes, *shape)
    return empty.scatter_reduce(0, index, heatmap, "amax").view_as(like)


def encode_boxes(boxes: Tensor, place: Tensor, step: Tensor) -> Tensor:
    """Write boxes `... 4` as a cell whose middle is at a place `... 2` has to say them: `... 4`.

    The way to the middle, in strides of the level; and log(side / stride / `SIDE`) of both sides.
    """
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    sides = ((boxes[..., 2:] - boxes[..., :2]) / step / SIDE).clamp(min=1e-3).log()
    way = (middle - place) / step
    return torch.cat([way, sides.expand_as(way)], dim=-1)


def decode_boxes(numbers: Tensor, place: Tensor, step: Tensor) -> Tensor:
    """Undo :func:`encode_boxes` for numbers `... 4` said at a place `... 2`."""
    middle = place + numbers[..., :2] * step
    half = numbers[..., 2:].clamp(max=6).exp() * SIDE * step / 2
    return torch.cat([middle - half, middle + half], dim=-1).clamp(-1, 1)


def _suppressed(
    boxes: Tensor, labels: Tensor, scores: Tensor, numbers: Tensor, place: Tensor, step: Tensor
) -> Peaks:
    """Drop what is unsure, and of boxes of a class that overlap by half all but the surest."""
    kept = (scores > _LEAST_SCORE).nonzero()[:, 0]
    if len(kept):
        # Classes are moved apart, so that boxes of different classes do not suppress each other.
        apart = boxes[kept] + 4.0 * labels[kept, None]
        kept = kept[nms(apart, scores[kept], _OVERLAP)[:_KEPT]]
    detections = Detections(boxes[kept], labels[kept], scores[kept])
    return Peaks(detections, numbers[kept], place[kept], step[kept])
