"""A small segmenter, PSPNet-like: pyramid pooling tells each place what the whole picture shows."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ...geometry.resampling import resize
from .pyramid import CHANNELS, Pyramid, append_coordinates, conv_bn_relu


class Segmenter(nn.Module):
    """Segmenter of a street: image -> features of stride 2 -> head -> logits.

    Args:
        classes: how many.

    Example:
        >>> import torch
        >>> tuple(Segmenter().eval()(torch.rand(1, 3, 48, 160)).shape)
        (1, 9, 24, 80)
    """

    def __init__(self, classes: int = 9) -> None:
        super().__init__()
        self.pyramid = Pyramid(levels=1, pooling=True)
        self.tower = conv_bn_relu(CHANNELS + 2, CHANNELS)
        self.predict = nn.Conv2d(CHANNELS, classes, 1)

    def features(self, image: Tensor) -> Tensor:
        """Return features `b 32 h/2 w/2` of an image `b 3 h w` in 0..1."""
        features: Tensor = self.pyramid(image)[0]
        return features

    def head(self, features: Tensor) -> Tensor:
        """Return logits `b classes h w` of features of any grid."""
        logits: Tensor = self.predict(self.tower(append_coordinates(features)))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Run both."""
        return self.head(self.features(image))

    def loss(self, outputs: Tensor, semantic_mask: Tensor, weights: Tensor) -> Tensor:
        """Return the mean cross-entropy with masks in the outputs' frame.

        Args:
            outputs: of :meth:`head`.
            semantic_mask: `b h w`, the true classes.
            weights: `classes`, what a pixel of each counts.
        """
        logits = resize(outputs.float(), semantic_mask.shape[-2:], antialias=False)
        return F.cross_entropy(logits, semantic_mask.long(), weights)

    def decode(self, outputs: Tensor, size: Sequence[int]) -> Tensor:
        """Return the most probable class of each pixel, `b *size`."""
        # As `argmax`, in a fifth of the time.
        return resize(outputs.float(), size, antialias=False).max(dim=1).indices
