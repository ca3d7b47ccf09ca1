"""Saliency policies for training: from training scenes, from boxes and from class boundaries."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...datasets.streets import GroundTruth
from ...geometry import saliency
from ...geometry.boxes import box_centres
from ...geometry.warp import Warp
from ...models.small.pyramid import conv_bn_relu
from .mipmap_zoom import resize_by_mipmap

Boxes = Literal["ground truth", "detected"]

NODES = (32, 32)
"""(rows, columns) of every saliency map."""

PIECES = (32, 32)

FWHM = (0.2, 0.4)
"""FWHM of the attraction kernel as fractions of (height, width): 38 and 256 px of 192 x 640."""

SIGMA = 0.04
"""Standard deviation of the Gaussians in the fixed saliency, as a fraction of the frame side."""

UNIFORM_WEIGHT: Mapping[str, float] = {"detection": 0.0, "segmentation": 0.5, "detection3d": 0.0}
"""Weight of the uniform map in the fixed saliency; masks are evaluated in the whole frame."""

AMPLITUDE = 1.0
"""Weight of a box relative to the uniform floor in the box saliency."""

FIXED_WEIGHT = 0.5
"""Weight of the fixed saliency in the box saliency, so that new objects are still resolved."""

FLOOR = 0.02
"""Edge saliency of a cell without boundary pixels; a cell full of them adds 1."""

JITTER = 0.03
"""Standard deviation of the jitter of box positions in training, in the units of [-1, 1]."""


def warp_of(saliency_map: Tensor, separable: bool = True) -> Warp:
    """Return the warp of a saliency map, with the kernel and grid that all systems share."""
    return Warp.from_saliency(saliency_map, PIECES, FWHM, separable=separable)


def fixed_saliency(ground_truth: Sequence[GroundTruth], sigma: float = SIGMA) -> Tensor:
    """Return the mean saliency of training scenes: a Gaussian at each box centre and its mirror.

    The weight of an object is the inverse of its height, as small objects need more magnification.

    Args:
        ground_truth: of each training scene.
        sigma: standard deviation of the Gaussians, as a fraction of the frame side.

    Returns:
        `1 1 h w`, symmetric under horizontal flips.
    """
    boxes = torch.cat([each.boxes for each in ground_truth])
    centres = box_centres(boxes)
    both = torch.cat([centres, centres * torch.tensor([-1.0, 1.0])])
    weight = 1 / (boxes[:, 3] - boxes[:, 1]).repeat(2)
    saliency_map = saliency.gaussian(both[None], sigma=sigma, weight=weight[None], size=NODES)
    # Restore the symmetry lost to rounding: a mirrored image must get the mirrored warp.
    return (saliency_map + saliency_map.flip(-1)) / 2


def mix_uniform(fixed: Tensor, task: str) -> Tensor:
    """Return a fixed map mixed with the uniform one, `1 1 h w`, with the weight of the task."""
    uniform_weight = UNIFORM_WEIGHT[task]
    return saliency.mix(
        saliency.uniform(NODES), fixed, weights=(uniform_weight, 1 - uniform_weight)
    )


def box_saliency(boxes: Sequence[Tensor], fixed: Tensor) -> Tensor:
    """Return saliency `b 1 h w` from boxes `n 4` of each image, mixed with the fixed saliency."""
    saliency_maps = [
        saliency.from_boxes_scale_free(image_boxes, AMPLITUDE, size=NODES) for image_boxes in boxes
    ]
    return saliency.mix(torch.cat(saliency_maps), fixed, weights=(1 - FIXED_WEIGHT, FIXED_WEIGHT))


def jittered(boxes: Tensor, draw: torch.Generator) -> Tensor:
    """Return boxes `n 4` shifted at random, so that networks learn to tolerate wrong saliency."""
    shift = JITTER * torch.randn(len(boxes), 2, generator=draw)
    return (boxes + shift.repeat(1, 2)).clamp(-1, 1)


def edge_saliency(semantic_mask: Tensor) -> Tensor:
    """Return saliency `b 1 h w` that is high on the class boundaries of masks `b h w`."""
    return saliency.normalise(outlines(semantic_mask) + FLOOR)


def outlines(semantic_mask: Tensor) -> Tensor:
    """Return the fraction of boundary pixels in each saliency cell: `b 1 h w` in 0..1."""
    edge = torch.zeros(semantic_mask.shape, dtype=torch.float32)
    edge[:, 1:] += semantic_mask[:, 1:] != semantic_mask[:, :-1]
    edge[:, :, 1:] += semantic_mask[:, :, 1:] != semantic_mask[:, :, :-1]
    return F.adaptive_avg_pool2d(edge.clamp(max=1)[:, None], NODES)


class EdgePredictor(nn.Module):
    """Small network that predicts class boundaries from a uniformly downsampled image.

    As in Jin et al., "Learning to downsample for segmentation of ultra-high resolution images",
    ICLR 2022, it is supervised with ground truth boundaries; the task loss alone is not enough.

    Args:
        size: (rows, columns) of its input.
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
        """Return logits of the fraction of boundary pixels in each cell, `b 1 h w`."""
        small = resize_by_mipmap(image, self.size)
        return F.adaptive_avg_pool2d(self.layers(4 * (small - 0.5)), NODES)

    def saliency(self, logits: Tensor) -> Tensor:
        """Return the saliency `b 1 h w` of predicted boundaries."""
        return saliency.normalise(logits.sigmoid() + FLOOR)

    def loss(self, logits: Tensor, semantic_mask: Tensor) -> Tensor:
        """Return the cross-entropy with the boundaries of ground truth masks `b h w`."""
        return F.binary_cross_entropy_with_logits(logits, outlines(semantic_mask))


# --- policies ---------------------------------------------------------------------------------


class TrainingPolicy(nn.Module):
    """Base class of the saliency policies that systems are trained and evaluated with.

    Args:
        fixed: `1 1 h w`, the mean saliency of the training scenes, see :func:`mix_uniform`.
        size: (rows, columns) of the network's input.

    Attributes:
        is_static: whether the map is the same for all images.
        from_masks: whether the map of a scene depends on its ground truth mask alone, so that it
            is computed once.
        boxes: the boxes that the policy is trained with: those of the "ground truth", those
            "detected" in the previous frame, or none.
        unzooms_masks: whether masks are predicted in the zoomed frame and then unzoomed.
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
        """Return the saliency maps of images, `b 1 h w`, and the policy's auxiliary loss.

        Args:
            image: `b 3 h w` in 0..1.
            semantic_masks: `b h w`, ground truth classes, for losses and oracle policies.
            boxes: `n 4` for each image if the policy has `boxes`, otherwise empty.
        """
        return self.fixed, torch.zeros(())

    def static_warp(self, separable: bool) -> Warp:
        """Return the warp that a static policy uses for all images."""
        return warp_of(self.fixed, separable)


class UniformPolicy(TrainingPolicy):
    """Uniform downsampling."""

    is_static = True

    def static_warp(self, separable: bool) -> Warp:
        """Return the identity."""
        return Warp.identity((1, 1))


class FixedPolicy(TrainingPolicy):
    """Fixed saliency: the mean over the training scenes."""

    is_static = True


class WrongPolicy(FixedPolicy):
    """Wrong fixed saliency: rolled by half a frame on both axes."""

    def __init__(self, fixed: Tensor, size: tuple[int, int]) -> None:
        super().__init__(fixed.roll((NODES[0] // 2, NODES[1] // 2), (-2, -1)), size)


class BoxPolicy(TrainingPolicy):
    """Boxes of the previous frame; trained with jittered ground truth boxes of the current one."""

    boxes: ClassVar[Boxes] = "ground truth"

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency of the boxes and a zero loss."""
        return box_saliency(boxes, self.fixed), torch.zeros(())


class DetectedBoxPolicy(BoxPolicy):
    """Boxes of the previous frame; trained with jittered detections in it."""

    boxes: ClassVar[Boxes] = "detected"


class EdgePolicy(TrainingPolicy):
    """Ground truth class boundaries: an upper bound."""

    from_masks = True
    unzooms_masks = True

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency of the ground truth boundaries and a zero loss."""
        return edge_saliency(semantic_masks), torch.zeros(())


class ExpectedEdgePolicy(TrainingPolicy):
    """Class boundaries predicted by a small network, which is trained with the segmenter."""

    unzooms_masks = True

    def __init__(self, fixed: Tensor, size: tuple[int, int]) -> None:
        super().__init__(fixed, size)
        self.edge_predictor = EdgePredictor(size)

    def forward(
        self, image: Tensor, semantic_masks: Tensor, boxes: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the saliency of the predicted boundaries, and the loss of the prediction."""
        logits = self.edge_predictor(image)
        loss = self.edge_predictor.loss(logits, semantic_masks)
        return self.edge_predictor.saliency(logits.detach()), loss
