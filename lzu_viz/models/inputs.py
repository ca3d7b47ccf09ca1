"""Validation of network inputs."""

import torch
from torch import Tensor

from ..geometry import check


def check_image(image: Tensor, multiple: int, dtype: torch.dtype) -> None:
    """Raise unless an image is `b 3 h w` with sides that are positive multiples of a number.

    Args:
        image: input of the network, RGB, 0..1.
        multiple: number of which both sides must be multiples.
        dtype: dtype of the network's weights.

    Raises:
        ValueError: the shape or the dtype is wrong.
    """
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(
            f"image must have shape (b, 3, h, w), RGB in 0..1, got {check.shape(image)}; "
            "add a batch axis, or move the channels to the second axis"
        )
    if image.dtype != dtype:
        raise ValueError(
            f"image must have the dtype of the network's weights, {dtype}, got {image.dtype}; "
            "convert it, and divide an image in 0..255 by 255"
        )
    height, width = image.shape[-2:]
    if height == 0 or width == 0 or height % multiple or width % multiple:
        raise ValueError(
            f"the sides of the network's input must be multiples of {multiple}, "
            f"got (rows, columns) = {(height, width)}; resize or zoom the image"
        )
