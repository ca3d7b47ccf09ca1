"""MediaPipe's selfie segmenter of people, with 0.1 M parameters.

Upstream: MediaPipe, `selfie_segmentation.tflite`, the general model for 256x256.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.check import Size
from ..geometry.resampling import resize
from ..geometry.warp import Warp
from . import weights as _weights
from .inputs import check_image
from .registry import NETWORKS, NetworkEntry

SHIPPED = Path(__file__).with_name("selfie.safetensors")
SHA256 = "ca8dc90eadbac0f4e125720d34f131ae0f226bd7f670bec021914eeb328b4d60"


def _global_mean(x: Tensor) -> Tensor:
    return x.mean((-2, -1), keepdim=True)


def _same(x: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Convolve with TensorFlow's SAME padding, which pads an odd pixel right and below."""
    total = convolution.kernel_size[0] - convolution.stride[0]
    pad_before, pad_after = total // 2, total - total // 2
    out: Tensor = convolution(F.pad(x, (pad_before, pad_after, pad_before, pad_after)))
    return out


class _Gate(nn.Module):
    """Squeeze-excite gate: one weight in 0..1 per channel, from the global mean."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.expand(F.relu(self.reduce(_global_mean(x)))))


class _Block(nn.Module):
    """Inverted residual block: expand, depthwise, squeeze-excite, project; residual at stride 1."""

    def __init__(
        self, inputs: int, hidden: int, outputs: int, kernel: int, stride: int, squeeze: int
    ) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, hidden, 1)
        self.depthwise = nn.Conv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.se = _Gate(hidden, squeeze) if squeeze else None
        self.project = nn.Conv2d(hidden, outputs, 1)
        self.act = F.hardswish if kernel == 5 else F.relu
        self.residual = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(_same(self.act(self.expand(x)), self.depthwise))
        if self.se is not None:
            y = y * self.se(y)
        out: Tensor = self.project(y)
        return x + out if self.residual else out


class _Context(nn.Module):
    """Bottleneck of the network, gated by the global mean."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)
        self.gate = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)) * torch.sigmoid(self.gate(_global_mean(x)))


class _Decoder(nn.Module):
    """Decoder stage that doubles the resolution: upsample, add the gated skip, mix."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(inputs, outputs, 1)
        self.gate = _Gate(outputs, outputs)
        self.mix = nn.Conv2d(outputs, outputs, 1)
        self.depthwise = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = F.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
        y = self.lateral(up)
        z = F.relu(self.mix(skip * self.gate(skip + y) + y))
        return z + F.relu(self.depthwise(z))


class SelfieSegmenter(nn.Module):
    """Segmenter of people: image -> features -> head -> mask.

    `forward` is `head(features(image))`. The network is split just before the last layer, a 2x2
    transposed convolution of stride 2. The layers before contain global means (in squeeze-excite
    blocks and gates), which must be computed over the zoomed image, as over any input. The last
    layer maps each cell to four pixels independently of the others, so unzooming before it changes
    nothing that the network has learnt. Therefore this network shows the effect of LZU without
    training.

    By default, the pretrained weights that come with the package are loaded as float32, and the
    network is in eval mode.

    Args:
        weights: path of a `.safetensors` file; `None` initialises the weights randomly.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or belongs to another network.

    >>> network = SelfieSegmenter()
    >>> network.features(torch.rand(1, 3, 64, 96)).shape, network(torch.rand(1, 3, 64, 96)).shape
    (torch.Size([1, 16, 32, 48]), torch.Size([1, 1, 64, 96]))
    """

    strides: ClassVar[tuple[int]] = (2,)
    classes: ClassVar[tuple[str]] = ("person",)

    def __init__(self, weights: str | Path | None = SHIPPED) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2)
        self.blocks = nn.ModuleList(
            (
                _Block(16, 16, 16, kernel=3, stride=2, squeeze=8),
                _Block(16, 72, 24, kernel=3, stride=2, squeeze=0),
                _Block(24, 88, 24, kernel=3, stride=1, squeeze=0),
                _Block(24, 96, 32, kernel=5, stride=2, squeeze=24),
                _Block(32, 128, 32, kernel=5, stride=1, squeeze=32),
                _Block(32, 128, 32, kernel=5, stride=1, squeeze=32),
                _Block(32, 96, 32, kernel=5, stride=1, squeeze=24),
                _Block(32, 96, 32, kernel=5, stride=1, squeeze=24),
            )
        )
        self.aspp = _Context(32, 128)
        self.decoder = nn.ModuleList((_Decoder(128, 24), _Decoder(24, 16), _Decoder(16, 16)))
        self.last = nn.ConvTranspose2d(16, 1, 2, stride=2)
        if weights is not None:
            checksum = SHA256 if weights == SHIPPED else None
            # The file calls the last layer `segment`, which is the name of a method here.
            _weights.load_weights(self, weights, checksum, rename={"segment": "last"})

    def features(self, image: Tensor) -> Tensor:
        """Return the features of an image, the input of the last layer.

        Args:
            image: `b 3 h w`, RGB, 0..1; both sides multiples of 16. The network was trained at
                256x256.

        Returns:
            `b 16 h/2 w/2`, in the frame of `image`.

        Raises:
            ValueError: the shape is wrong, or the dtype is not that of the weights.
        """
        check_image(image, 16, self.stem.weight.dtype)
        half = F.hardswish(_same(image, self.stem))
        quarter = self.blocks[0](half)
        eighth = self.blocks[2](self.blocks[1](quarter))
        y: Tensor = eighth
        for block in list(self.blocks)[3:]:
            y = block(y)
        y = self.aspp(y)
        for decoder, skip in zip(self.decoder, (eighth, quarter, half), strict=True):
            y = decoder(y, skip)
        return y

    def head(self, features: Tensor) -> Tensor:
        """Map features `b 16 h w`, in any frame, to logits of the mask `b 1 2h 2w`."""
        logits: Tensor = self.last(features)
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of the mask `b 1 h w`, `head(features(image))`."""
        return self.head(self.features(image))

    def decode(
        self,
        outputs: Tensor | Sequence[Tensor],
        warp: Warp | None = None,
        *,
        size: Size | None = None,
    ) -> Tensor:
        """Return the probability of a person at each pixel, in the frame of `outputs`.

        Args:
            outputs: logits `b 1 h w`, or a list that holds them.
            warp: warp from zoomed to source frame, if features or outputs were unzoomed; batch 1 or
                b. Pixels that it does not reach get probability 0.
            size: not used; accepted as other networks need it.

        Returns:
            `b 1 h w` in 0..1.
        """
        logits = outputs if isinstance(outputs, Tensor) else outputs[0]
        mask = logits.sigmoid()
        if warp is None:
            return mask
        height, width = logits.shape[-2:]
        return torch.where(warp.coverage((height, width))[:, None], mask, 0)

    @torch.no_grad()
    def segment(self, image: Tensor, size: tuple[int, int] = (256, 256)) -> Tensor:
        """Return the mask of an image of any size, resized to the network's input; no gradient.

        Args:
            image: `b 3 h w`, RGB, 0..1.
            size: (rows, columns) of the network's input, multiples of 16. As upstream, the aspect
                ratio of the image is not preserved.

        Returns:
            Probability of a person `b 1 h w`, 0..1, at the size of `image`.
        """
        height, width = image.shape[-2:]
        return resize(self.decode(self(resize(image, size))), (height, width))


NETWORKS.register(
    "segmenter",
    NetworkEntry(
        SelfieSegmenter,
        "segmentation",
        "a mask of people",
        SelfieSegmenter.strides,
        unzoom={"unzoom": "predictions"},
    ),
)
