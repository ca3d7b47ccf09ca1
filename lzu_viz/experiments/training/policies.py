"""Where the systems look: saliency from training scenes, from boxes and from outlines."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...datasets.streets import Truth
from ...geometry import saliency
from ...geometry.resampling import resize
from ...geometry.warp import Warp
from ...models.small.pyramid import block
from .trained_systems import System, Task

NODES = (32, 32)
"""Cells of every saliency map."""

PIECES = (32, 32)

FWHM = (0.2, 0.4)
"""Reach of the attraction, parts of (height, width): 38 and 256 pixels of 192 x 640."""

SPREAD = 0.04
"""Standard deviation of a thing's bump in the fixed saliency, a part of the frame's side."""

EVENLY: dict[Task, float] = {"detection": 0.0, "segmentation": 0.5, "detection3d": 0.0}
"""Share of the even map in the fixed saliency: a mask has to be right everywhere."""

AMPLITUDE = 1.0
"""What a box weighs against the even floor in the saliency of boxes."""

SHARE = 0.5
"""Of the fixed saliency in that from boxes: what comes new is still seen."""

FLOOR = 0.02
"""What a cell without any outline weighs in the saliency of edges; one full of it weighs 1."""

JITTER = 0.03
"""Standard deviation of the places of boxes in training, in [-1, 1]."""


def warp_of(look: Tensor, separable: bool = True) -> Warp:
    """Give the warp that a saliency asks for, the same way in all systems."""
    return Warp.from_saliency(look, PIECES, FWHM, separable=separable)


def fixed_saliency(truth: Sequence[Truth], spread: float = SPREAD) -> Tensor:
    """Look where things were in training: a bump for each thing's middle, and its mirror image.

    A thing weighs one over its height: the smaller it is, the more it needs to be magnified.

    Args:
        truth: of the scenes.
        spread: standard deviation of the bumps, a part of the frame's side.

    Returns:
        `1 1 h w`, the same from left to right and from right to left.
    """
    boxes = torch.cat([each.boxes for each in truth])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    both = torch.cat([middles, middles * torch.tensor([-1.0, 1.0])])
    weight = 1 / (boxes[:, 3] - boxes[:, 1]).repeat(2)
    look = saliency.gaussian(both[None], width=spread, weight=weight[None], size=NODES)
    # Rounding must not keep a mirrored picture from having the mirrored warp.
    return (look + look.flip(-1)) / 2


def evened(fixed: Tensor, task: Task) -> Tensor:
    """Look everywhere alike for a part, as large as the task wants: `1 1 h w`."""
    share = EVENLY[task]
    return saliency.mix(saliency.uniform(NODES), fixed, weights=(share, 1 - share))


def still_warp(system: System, fixed: Tensor) -> Warp:
    """Give the warp of a system that looks at the same place in every picture."""
    if system.look == "nowhere":
        return Warp.identity((1, 1))
    look = fixed
    if system.look == "wrong":
        look = look.roll((NODES[0] // 2, NODES[1] // 2), (-2, -1))
    return warp_of(look, system.separable)


def box_saliency(boxes: Sequence[Tensor], fixed: Tensor) -> Tensor:
    """Look at boxes `n 4` of each image, and a little where things usually are: `b 1 h w`."""
    looks = [saliency.from_boxes_scale_free(each, AMPLITUDE, size=NODES) for each in boxes]
    return saliency.mix(torch.cat(looks), fixed, weights=(1 - SHARE, SHARE))


def jittered(boxes: Tensor, draw: torch.Generator) -> Tensor:
    """Move each box `n 4` a little, so that a network learns that saliency may be off."""
    shift = JITTER * torch.randn(len(boxes), 2, generator=draw)
    return (boxes + shift.repeat(1, 2)).clamp(-1, 1)


def edge_saliency(areas: Tensor) -> Tensor:
    """Look at the outlines of masks `b h w`: how much outline is in each cell, `b 1 h w`."""
    return saliency.normalise(outlines(areas) + FLOOR)


def outlines(areas: Tensor) -> Tensor:
    """Tell which part of each cell is outline: `b 1 h w` of the saliency's cells, in 0..1."""
    edge = torch.zeros(areas.shape, dtype=torch.float32)
    edge[:, 1:] += areas[:, 1:] != areas[:, :-1]
    edge[:, :, 1:] += areas[:, :, 1:] != areas[:, :, :-1]
    return F.adaptive_avg_pool2d(edge.clamp(max=1)[:, None], NODES)


class Outlines(nn.Module):
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
            block(3, 16), block(16, 16, stride=2), block(16, 16), nn.Conv2d(16, 1, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Give logits of the part of each cell that is outline, `b 1 h w`."""
        small = resize(image, self.size)
        return F.adaptive_avg_pool2d(self.layers(4 * (small - 0.5)), NODES)

    def saliency(self, logits: Tensor) -> Tensor:
        """Look where outlines are expected."""
        return saliency.normalise(logits.sigmoid() + FLOOR)

    def loss(self, logits: Tensor, areas: Tensor) -> Tensor:
        """Compare with the true outlines of masks `b h w`."""
        return F.binary_cross_entropy_with_logits(logits, outlines(areas))
