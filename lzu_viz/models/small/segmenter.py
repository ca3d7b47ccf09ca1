"""A small semantic segmenter with pyramid pooling for global context, as in PSPNet."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ...geometry.resampling import resize
from .pyramid import CHANNELS, Pyramid, append_coordinates, conv_bn_relu


class Segmenter(nn.Module):
    """Semantic segmenter of streets: image -> features of stride 2 -> head -> logits.

    Args:
        classes: number of classes.

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
        """Return logits `b classes h w` of features `b 32 h w` on any grid."""
        logits: Tensor = self.predict(self.tower(append_coordinates(features)))
        return logits

    def forward(self, image: Tensor) -> Tensor:
        """Return logits `b classes h/2 w/2` of an image, `head(features(image))`."""
        return self.head(self.features(image))

    def loss(self, outputs: Tensor, semantic_mask: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean cross-entropy with masks in the outputs' frame.

        Args:
            outputs: logits of :meth:`head`.
            semantic_mask: `b h w`, true class of each pixel.
            weights: `classes`, weight of each class.
        """
        logits = resize(outputs.float(), semantic_mask.shape[-2:], antialias=False)
        return F.cross_entropy(logits, semantic_mask.long(), weights)

    def decode(self, outputs: Tensor, size: Sequence[int]) -> Tensor:
        """Return the most probable class of each pixel, `b *size`."""
        # `max` is about five times as fast as `argmax`.
        return resize(outputs.float(), size, antialias=False).max(dim=1).indices
