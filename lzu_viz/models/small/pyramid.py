"""A small backbone with a feature pyramid, used by all three small networks."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...geometry.resampling import pixel_centres

WIDTHS = (20, 32, 48, 64)
"""Channels of the backbone at strides 2, 4, 8 and 16."""

CHANNELS = 32
"""Channels of each pyramid level."""

GROUPS = 4
"""Number of channel groups of the group normalisation in a head shared by all levels."""

BINS = (1, 2, 3, 6)
"""Side lengths of the grids of pyramid pooling."""


def conv_bn_relu(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Return a block of convolution, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def conv_gn_relu(inputs: int, outputs: int) -> nn.Sequential:
    """Return a block of convolution, group normalisation and ReLU, for a head shared by all levels.

    Batch normalisation is not suitable there: it normalises each level by its own statistics in
    training, but all levels by one running average in evaluation.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(GROUPS, outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Residual block of two convolutions (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_bn_relu(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to the same shape."""
        return F.relu(x + self.second(self.first(x)))


class PyramidPooling(nn.Module):
    """Pyramid pooling, which adds global context to each cell (Zhao et al., PSPNet, CVPR 2017)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        part = channels // len(BINS)
        self.parts = nn.ModuleList(conv_bn_relu(channels, part, kernel=1) for _ in BINS)
        self.join = conv_bn_relu(channels + part * len(BINS), channels, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to the same shape."""
        pooled = [
            F.interpolate(
                part(F.adaptive_avg_pool2d(x, bins)), x.shape[-2:], mode="bilinear",
                align_corners=False,
            )
            for part, bins in zip(self.parts, BINS, strict=True)
        ]  # fmt: skip
        out: Tensor = self.join(torch.cat([x, *pooled], dim=1))
        return out


class Pyramid(nn.Module):
    """Backbone of strides 2 to 16 with a feature pyramid of strides 2, 4 and 8.

    Follows Lin et al., CVPR 2017, but with finer levels, as the input images are small.

    Args:
        levels: number of pyramid levels, from the finest on.
        pooling: whether to apply pyramid pooling to the coarsest backbone map.
    """

    strides: ClassVar[tuple[int, int, int]] = (2, 4, 8)

    def __init__(self, levels: int = 3, pooling: bool = False) -> None:
        super().__init__()
        inputs = (3, *WIDTHS[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(conv_bn_relu(inputs_of_stage, width, stride=2), Residual(width))
            for inputs_of_stage, width in zip(inputs, WIDTHS, strict=True)
        )
        self.pooling = PyramidPooling(WIDTHS[-1]) if pooling else nn.Identity()
        self.lateral = nn.ModuleList(nn.Conv2d(width, CHANNELS, 1) for width in WIDTHS)
        self.smooth = nn.ModuleList(conv_bn_relu(CHANNELS, CHANNELS) for _ in range(levels))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the levels `b 32 h/s w/s` of an image `b 3 h w` in 0..1, the finest first."""
        x, maps = 4 * (image - 0.5), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        top = self.lateral[-1](self.pooling(maps[-1]))
        merged: list[Tensor] = []
        for side, lateral in zip(maps[-2::-1], reversed(self.lateral[:-1]), strict=True):
            top = lateral(side) + F.interpolate(top, side.shape[-2:], mode="nearest")
            merged.insert(0, top)
        return [smooth(level) for smooth, level in zip(self.smooth, merged, strict=False)]


def append_coordinates(level: Tensor) -> Tensor:
    """Return a feature map `b c h w` with two more channels, x and y of each cell (CoordConv).

    The magnification of an object depends on its position, and so small a network cannot infer
    positions from the borders of its maps, as large networks do.
    """
    coordinates = pixel_centres(level.shape[-2:], dtype=level.dtype, device=level.device)
    return torch.cat([level, coordinates.permute(0, 3, 1, 2).expand(len(level), -1, -1, -1)], dim=1)


def count_parameters(network: nn.Module) -> int:
    """Return the number of parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())
