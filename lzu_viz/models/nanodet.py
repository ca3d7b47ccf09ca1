"""NanoDet-g, a small one-stage detector, split where its features can be unzoomed.

Upstream: RangiLyu/nanodet, configuration `nanodet-g`, v0.x (COCO mAP 22.9 as its authors report).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from kornia.geometry.bbox import nms
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.boxes import Detections, sides_to_source
from ..geometry.resampling import pixel_centres, resize
from ..geometry.warp import Warp
from . import weights as _weights
from .coco import COCO_CLASSES
from .inputs import check_image
from .registry import NETWORKS, NetworkEntry

SHIPPED = Path(__file__).with_name("nanodet_g.safetensors")
SHA256 = "fcc4cfe6fe5e89f7d9d854e999d2327cb878631139b34908a05129b9112ffc99"

_BINS = 11  # each side's distance is predicted as a distribution over 0..10 strides
_CANDIDATES = 1000  # limit before non-maximum suppression, whose time grows quadratically
_LONG_SIDE = 416  # of the training images


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)


def _act(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.1)


class _Stage(nn.Module):
    """Stage of the backbone, with `2 * width` output channels."""

    def __init__(self, inputs: int, width: int, residuals: int, stride: int) -> None:
        super().__init__()
        half = width // 2
        self.reduce = _conv(inputs, width, stride=stride)
        self.residual = nn.ModuleList(
            nn.ModuleList((_conv(width, half), _conv(half, half))) for _ in range(residuals)
        )
        self.fuse = _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        entry = last = _act(self.reduce(x))
        for pair in self.residual:
            first, second = pair.children()
            t = _act(first(last))
            last = torch.cat((_act(second(t)), t), dim=1)
        return torch.cat((_act(self.fuse(last)), entry), dim=1)


class _Head(nn.Module):
    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv = _conv(channels, channels)
        self.predict = _conv(channels, outputs, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.predict(_act(self.conv(x)))
        return out


def _add_resized(x: Tensor, other: Tensor) -> Tensor:
    # Bilinear without antialiasing, also when downsampling, as in training.
    return x + F.interpolate(other, x.shape[-2:], mode="bilinear", align_corners=False)


class NanoDet(nn.Module):
    """Detector of the 80 COCO classes: image -> features -> head -> boxes.

    `forward` is `head(features(image))`. LZU unzooms the three feature maps between, which have
    strides 8, 16 and 32. By default, the pretrained weights that come with the package are loaded
    as float32, and the network is in eval mode.

    Args:
        weights: path of a `.safetensors` file; `None` initialises the weights randomly.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or belongs to another network.

    >>> network = NanoDet()
    >>> [tuple(f.shape) for f in network.features(torch.rand(1, 3, 64, 96))]
    [(1, 128, 8, 12), (1, 128, 4, 6), (1, 128, 2, 3)]
    """

    strides: ClassVar[tuple[int, int, int]] = (8, 16, 32)
    classes: ClassVar[tuple[str, ...]] = COCO_CLASSES

    mean: Tensor
    deviation: Tensor

    def __init__(self, weights: str | Path | None = SHIPPED) -> None:
        super().__init__()
        self.stem = _conv(3, 32, stride=2)
        self.stages = nn.ModuleList(
            (
                _Stage(32, 32, residuals=1, stride=1),
                _Stage(64, 64, residuals=2, stride=2),
                _Stage(128, 128, residuals=2, stride=2),
                _Stage(256, 256, residuals=3, stride=2),
            )
        )
        self.lateral = nn.ModuleList(_conv(c, 128, kernel=1) for c in (128, 256, 512))
        outputs = len(COCO_CLASSES) + 4 * _BINS
        self.heads = nn.ModuleList(_Head(128, outputs) for _ in self.strides)
        bgr = {"mean": (103.53, 116.28, 123.675), "deviation": (57.375, 57.12, 58.395)}
        for name, values in bgr.items():
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)
        if weights is not None:
            checksum = SHA256 if weights == SHIPPED else None
            # The file calls the heads `head`, which is the name of a method here.
            _weights.load_weights(self, weights, checksum, rename={"head": "heads"})

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the feature maps of an image, by backbone and feature pyramid.

        Args:
            image: `b 3 h w`, RGB, 0..1; both sides multiples of 32.

        Returns:
            Three maps `b 128 h/s w/s` for the strides s = 8, 16, 32, in the frame of `image`.

        Raises:
            ValueError: the shape is wrong, or the dtype is not that of the weights.
        """
        check_image(image, self.strides[-1], self.stem.weight.dtype)
        bgr = (255 * image.flip(1) - self.mean) / self.deviation
        x = F.max_pool2d(_act(self.stem(bgr)), 3, stride=2, padding=1)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        fine, middle, coarse = (f(c) for f, c in zip(self.lateral, levels[1:], strict=True))
        middle = _add_resized(middle, coarse)
        fine = _add_resized(fine, middle)
        middle = _add_resized(middle, fine)
        coarse = _add_resized(coarse, middle)
        return [fine, middle, coarse]

    def head(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the raw predictions of each cell of each feature map.

        Args:
            features: the three maps of `features`, at any resolution and in any frame.

        Returns:
            Three maps `b 124 h w`: 80 class logits, then 4 sides (left, top, right, bottom) of
            11 logits each. A side's distance from the cell's centre is
            `stride * sum(softmax(logits) * (0..10))`, in pixels of the network's input.
        """
        return [head(f) for head, f in zip(self.heads, features, strict=True)]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the raw predictions for an image, `head(features(image))`."""
        return self.head(self.features(image))

    def decode(
        self,
        outputs: Sequence[Tensor],
        warp: Warp | None = None,
        *,
        size: tuple[int, int] | None = None,
        threshold: float = 0.35,
        iou: float = 0.6,
        top: int = 100,
    ) -> list[Detections]:
        """Decode raw predictions to boxes, in the frame of the grid of `outputs`.

        A box spans the four distances around its cell's centre. The centre of column j is at
        (j + 1/2) / w of the grid of `outputs`, which may be finer than the network's own. The
        distances are in pixels of the network's input.

        **With a warp.** If features or outputs were unzoomed, the grid is in the source frame, but
        the distances are still in zoomed pixels. Given the warp T, they are corrected: each cell's
        centre is mapped to the zoomed frame, moved there by the distance, and mapped back through
        T. To first order this multiplies left and right by dT_x/dx, top and bottom by dT_y/dy;
        where the fovea is smaller than the box, the first order is not accurate enough. Cells that
        T does not reach have no features, and are dropped.

        **Which map to unzoom.** The heads were trained on images without a warp, so they measure
        boxes in pixels of the input, and their 3x3 convolutions expect undistorted patterns. With
        unzoomed features neither holds, and a frozen head loses more than zooming gains. A head
        trained on unzoomed features, as in the paper, adapts to both. Without training, run the
        head on the zoomed features, unzoom its outputs on a finer grid, and correct the distances:
        this is close to mapping the corners of boxes. AP at IoU 0.5 of persons on 300 controlled
        scenes, warp from the true boxes, by rows of the input:

        =============================================== ==== ==== ====
        frozen detector                                  128  192  256
        =============================================== ==== ==== ====
        uniform downsampling                             .22  .40  .53
        zoom, boxes mapped back through T                .45  .58  .64
        features unzoomed, then the head                 .09  .16  .17
        the same, distances scaled                       .20  .34  .41
        head, then outputs unzoomed, distances scaled    .35  .47  .53
        the same on a grid 4 times finer                 .39  .54  .59
        =============================================== ==== ==== ====

        **Half a cell.** Every convolution pads by k // 2 on both sides, so at stride s the
        receptive field of a cell is centred (s - 1) / 2 pixels up and left of the centre used here.
        The head has learnt that shift. Unzooming moves cells, but not their receptive fields, so
        where T stretches strongly the shift differs from the learnt one.

        Args:
            outputs: three maps `b 124 h w`, as returned by `head`.
            warp: warp T from zoomed to source frame, batch 1 or b; `None` if the grid is in the
                frame of the network's input.
            size: (rows, columns) of the network's input; by default 8 times the first grid, which
                is right unless the outputs were upsampled.
            threshold: score that boxes must exceed, in 0..1.
            iou: IoU above which the lower-scoring of two boxes of a class is suppressed.
            top: maximum number of boxes per image.

        Returns:
            One `Detections` per image, boxes xyxy in [-1, 1], clipped to the frame.

        Raises:
            ValueError: the shape of an output, or the batch of the warp, is wrong.
        """
        self._check_outputs(outputs)
        rows, columns = outputs[0].shape[-2:]
        height, width = size or (rows * self.strides[0], columns * self.strides[0])
        # Scale from pixels to [-1, 1], for the four sides.
        unit = _at_least_float32(outputs[0]).new_tensor((2 / width, 2 / height) * 2)

        scores, boxes = [], []
        for output, stride in zip(map(_at_least_float32, outputs), self.strides, strict=True):
            cells = output.flatten(2).transpose(1, 2)
            logits, sides = cells[..., : len(COCO_CLASSES)], cells[..., len(COCO_CLASSES) :]
            bins = torch.arange(_BINS, dtype=output.dtype, device=output.device)
            probabilities = sides.reshape(*sides.shape[:2], 4, _BINS).softmax(-1)
            distance = stride * unit * (probabilities @ bins)
            centre = pixel_centres(
                (output.shape[-2], output.shape[-1]), device=output.device, dtype=output.dtype
            ).flatten(1, 2)
            score = logits.sigmoid()
            if warp is None:
                low, high = centre - distance[..., :2], centre + distance[..., 2:]
            else:
                reached, low, high = sides_to_source(warp, centre, distance)
                score = torch.where(reached, score, -torch.inf)  # passes no threshold
            boxes.append(torch.cat((low, high), dim=-1))
            scores.append(score)
        return [
            _select(b.clamp(-1, 1), s, threshold, iou, top)
            for b, s in zip(torch.cat(boxes, 1), torch.cat(scores, 1), strict=True)
        ]

    @torch.no_grad()
    def detect(
        self,
        image: Tensor,
        size: tuple[int, int] | None = None,
        *,
        threshold: float = 0.35,
        iou: float = 0.6,
        top: int = 100,
    ) -> list[Detections]:
        """Return the boxes in an image of any size, resized to the network's input; no gradient.

        Args:
            image: `b 3 h w`, RGB, 0..1.
            size: (rows, columns) of the network's input, multiples of 32; by default the image's
                size, reduced to a long side of at most 416 and rounded.
            threshold: score that boxes must exceed, see `decode`.
            iou: IoU threshold of the suppression, see `decode`.
            top: maximum number of boxes per image.

        Returns:
            One `Detections` per image, boxes xyxy in [-1, 1] of the image.
        """
        if size is None:
            height, width = image.shape[-2:]
            scale = min(1.0, _LONG_SIDE / max(height, width))
            multiple = self.strides[-1]
            rows, columns = (
                max(multiple, round(side * scale / multiple) * multiple) for side in (height, width)
            )
            size = (rows, columns)
        outputs = self(resize(image, size))
        return self.decode(outputs, threshold=threshold, iou=iou, top=top)

    def _check_outputs(self, outputs: Sequence[Tensor]) -> None:
        channels = len(COCO_CLASSES) + 4 * _BINS
        shapes = [tuple(output.shape) for output in outputs]
        if len(shapes) != len(self.strides) or any(
            len(shape) != 4 or shape[:2] != (shapes[0][0], channels) for shape in shapes
        ):
            raise ValueError(
                f"outputs must be {len(self.strides)} maps of shape (b, {channels}, h, w) with "
                f"the same batch size, as returned by `head`, got shapes {shapes}"
            )


def _at_least_float32(x: Tensor) -> Tensor:
    """Convert half precision to float32, as it is too coarse for coordinates."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _select(boxes: Tensor, scores: Tensor, threshold: float, iou: float, top: int) -> Detections:
    """Apply non-maximum suppression within each class to boxes `n 4`, scores `n classes`."""
    cell, label = (scores > threshold).nonzero(as_tuple=True)
    score = scores[cell, label]
    score, order = score.sort(descending=True, stable=True)
    cell, label, score = cell[order[:_CANDIDATES]], label[order[:_CANDIDATES]], score[:_CANDIDATES]
    box = boxes[cell]
    # Boxes are in [-1, 1]: an offset of 4 per class prevents overlap between classes.
    # On the CPU, as suppression reads a value for each box, and not all devices have float64.
    shifted = box.detach().cpu().double() + 4 * label.cpu()[:, None]
    keep = nms(shifted, score.detach().cpu(), iou)[:top].to(box.device)
    return Detections(box[keep], label[keep], score[keep])


NETWORKS.register(
    "detector",
    NetworkEntry(
        NanoDet,
        "detection",
        "boxes around 80 kinds of objects",
        NanoDet.strides,
        unzoom={"unzoom": "outputs", "upsample_factor": 2},
    ),
)
