"""Image quality metrics."""

from kornia.metrics import psnr as _psnr
from torch import Tensor


def psnr(image: Tensor, reference: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio, 10 log10(1 / mean squared error), in dB.

    Args:
        image: of any shape, in 0..1.
        reference: of the same shape.

    Returns:
        A scalar, over all pixels; infinite for equal images.

    Example:
        >>> import torch
        >>> psnr(torch.full((1, 3, 8, 8), 0.6), torch.full((1, 3, 8, 8), 0.5))
        tensor(20.0000)
    """
    return _psnr(image, reference, max_val=1.0)
