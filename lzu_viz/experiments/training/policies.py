"""Where the systems look: saliency from training scenes, from boxes and from outlines."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...datasets.streets import GroundTruth
from ...geometry import saliency
from ...geometry.resampling import resize
from ...geometry.warp import Warp
from ...models.small.pyramid import conv_bn_relu

Boxes = Literal["ground truth", "detected"]

NODES = (32, 32)
"""Cells of every saliency map."""

PIECES = (32, 32)

FWHM = (0.2, 0.4)
"""Reach of the attraction, parts of (height, width): 38 and 256 pixels of 192 x 640."""

RELATIVE_SIGMA = 0.04
"""Standard deviation of a thing's bump in the fixed saliency, a part of the frame's side."""

EVENLY: Mapping[str, float] = {"detection": 0.0, "segmentation": 0.5, "detection3d": 0.0}
"""Share of the even map in the fixed saliency: a mask has to be right everywhere."""

AMPLITUDE = 1.0
"""What a box weighs against the even floor in the saliency of boxes."""

SHARE = 0.5
"""Of the fixed saliency in that from boxes: what comes new is still seen."""

FLOOR = 0.02
"""What a cell without any outline weighs in the saliency of edges; one full of it weighs 1."""

JITTER = 0.03
"""Standard deviation of the places of boxes in training, in [-1, 1]."""


def warp_of(saliency_map: Tensor, separable: bool = True) -> Warp:
    """Return the warp that a saliency asks for, the same way in all systems."""
    return Warp.from_saliency(saliency_map, PIECES, FWHM, separable=separable)


def fixed_saliency(ground_truth: Sequence[GroundTruth], sigma: float = RELATIVE_SIGMA) -> Tensor:
    """Look where things were in training: a bump for each thing's middle, and its mirror image.

    A thing weighs one over its height: the smaller it is, the more it needs to be magnified.

    Args:
        ground_truth: of the scenes.
        sigma: standard deviation of the bumps, a part of the frame's side.

    Returns:
        `1 1 h w`, the same from left to right and from right to left.
    """
    boxes = torch.cat([each.boxes for each in ground_truth])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    both = torch.cat([middles, middles * torch.tensor([-1.0, 1.0])])
    weight = 1 / (boxes[:, 3] - boxes[:, 1]).repeat(2)
    saliency_map = saliency.gaussian(both[None], sigma=sigma, weight=weight[None], size=NODES)
    # Rounding must not keep a mirrored picture from having the mirrored warp.
    return (saliency_map + saliency_map.flip(-1)) / 2


def mix_uniform(fixed: Tensor, task: str) -> Tensor:
    """Look everywhere alike for a part, as large as the task wants: `1 1 h w`."""
    share = EVENLY[task]
    return saliency.mix(saliency.uniform(NODES), fixed, weights=(share, 1 - share))


def box_saliency(boxes: Sequence[Tensor], fixed: Tensor) -> Tensor:
    """Look at boxes `n 4` of each image, and a little where things usually are: `b 1 h w`."""
    looks = [saliency.from_boxes_scale_free(each, AMPLITUDE, size=NODES) for each in boxes]
    return saliency.mix(torch.cat(looks), fixed, weights=(1 - SHARE, SHARE))


def jittered(boxes: Tensor, draw: torch.Generator) -> Tensor:
    """Move each box `n 4` a little, so that a network learns that saliency may be off."""
    shift = JITTER * torch.randn(len(boxes), 2, generator=draw)
    return (boxes + shift.repeat(1, 2)).clamp(-1, 1)


def edge_saliency(semantic_mask: Tensor) -> Tensor:
    """Look at the outlines of masks `b h w`: how much outline is in each cell, `b 1 h w`."""
    return saliency.normalise(outlines(semantic_mask) + FLOOR)


def outlines(semantic_mask: Tensor) -> Tensor:
    """Return which part of each cell is outline: `b 1 h w` of the saliency's cells, in 0..1."""
    edge = torch.zeros(semantic_mask.shape, dtype=torch.float32)
    edge[:, 1:] += semantic_mask[:, 1:] != semantic_mask[:, :-1]
    edge[:, :, 1:] += semantic_mask[:, :, 1:] != semantic_mask[:, :, :-1]
    return F.adaptive_avg_pool2d(edge.clamp(max=1)[:, None], NODES)


class EdgePredictor(nn.Module):
    """Expect outlines from a small, plainly downsampled picture.

    As in Jin et al., "Learning to downsample for segmentation of ultra-high resolution images",
    ICLR 2022: it is trained towards true outlines, as the loss of the task alone does not teach it.

    Args:
        size: (rows, columns) of the picture that it looks at.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(
            conv_bn_relu(3, 16),
            conv_bn_relu(16, 16, stride=2),
            conv_bn_relu(16, 16),
            nn.Conv2d(16, 1, 1),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the part of each cell that is outline, `b 1 h w`."""
        small = resize(image, self.size)
        return F.adaptive_avg_pool2d(self.layers(4 * (small - 0.5)), NODES)

    def saliency(self, logits: Tensor) -> Tensor:
        """Look where outlines are expected."""
        return saliency.normalise(logits.sigmoid() + FLOOR)

    def loss(self, logits: Tensor, semantic_mask: Tensor) -> Tensor:
        """Compare with the true outlines of masks `b h w`."""
        return F.binary_cross_entropy_with_logits(logits, outlines(semantic_mask))


# --- policies ---------------------------------------------------------------------------------


class TrainingPolicy(nn.Module):
    """Where a system looks while it is trained and evaluated; a subclass is one policy.

    Args:
        fixed: `1 1 h w`, the mean saliency of the training scenes, as the task wants it.
        size: (rows, columns) of the network's input.

    Attributes:
        is_static: whether the map is the same for all images.
        from_masks: whether the map of a scene follows from its ground truth masks alone, so that it
            is computed once.
        boxes: the boxes it needs: those of the "ground truth", those "detected" in the frame
            before, or none.
        unzooms_masks: whether masks that are predicted in the zoomed frame are unzoomed.
    """

    is_static: ClassVar[bool] = False
    from_masks: ClassVar[bool] = False
    boxes: ClassVar[Boxes | None] = None
    unzooms_masks: ClassVar[bool] = False

    def __init__(self, fixed: Tensor, size: tuple[int, int]) -> None:
        super().__init__()
        self.fixed = fixed
        self.size = size

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency maps `b 1 h w` of images, and a loss of the policy's own.

        Args:
            image: `b 3 h w` in 0..1.
            semantic_masks: `b h w`, ground truth classes, for losses and upper bounds.
            boxes: `n 4` for each image, for a policy with `boxes`; otherwise empty.
        """
        return self.fixed, torch.zeros(())

    def static_warp(self, separable: bool) -> Warp:
        """Return the one warp of a static policy."""
        return warp_of(self.fixed, separable)


class UniformPolicy(TrainingPolicy):
    """Uniform downsampling."""

    is_static = True

    def static_warp(self, separable: bool) -> Warp:
        """Return the identity."""
        return Warp.identity((1, 1))


class FixedPolicy(TrainingPolicy):
    """Where objects were in training."""

    is_static = True


class WrongPolicy(FixedPolicy):
    """Where objects were not in training: the fixed saliency, half a frame off."""

    def __init__(self, fixed: Tensor, size: tuple[int, int]) -> None:
        super().__init__(fixed.roll((NODES[0] // 2, NODES[1] // 2), (-2, -1)), size)


class BoxPolicy(TrainingPolicy):
    """At boxes of the frame before; trained on ground truth boxes of this one, jittered."""

    boxes: ClassVar[Boxes] = "ground truth"

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency of boxes."""
        return box_saliency(boxes, self.fixed), torch.zeros(())


class DetectedBoxPolicy(BoxPolicy):
    """At boxes of the frame before; trained on those that were detected in it, jittered."""

    boxes: ClassVar[Boxes] = "detected"


class EdgePolicy(TrainingPolicy):
    """At ground truth outlines: an upper bound."""

    from_masks = True
    unzooms_masks = True

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency of outlines."""
        return edge_saliency(semantic_masks), torch.zeros(())


class ExpectedEdgePolicy(TrainingPolicy):
    """At the outlines that a small network predicts, trained beside the segmenter."""

    unzooms_masks = True

    def __init__(self, fixed: Tensor, size: tuple[int, int]) -> None:
        super().__init__(fixed, size)
        self.edge_predictor = EdgePredictor(size)

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency of predicted outlines, and the loss of their prediction."""
        logits = self.edge_predictor(image)
        loss = self.edge_predictor.loss(logits, semantic_masks)
        return self.edge_predictor.saliency(logits.detach()), loss
