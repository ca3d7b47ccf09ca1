"""Zoom and resize by a mipmap, as in the recorded runs.

The recorded networks were trained on images that a mipmap had antialiased. :meth:`Warp.zoom`
averages areas exactly where a warp is separable. A network evaluated on images that are antialiased
in another way than its training images loses some of its accuracy.
"""

from torch import Tensor

from ...geometry.check import Size
from ...geometry.warp import Warp


def zoom_by_mipmap(image: Tensor, warp: Warp, size: Size) -> Tensor:
    """Return images zoomed by a warp, antialiased by a mipmap.

    Args:
        image: `b c h w` in 0..1.
        warp: of batch 1 or b, separable or not.
        size: (rows, columns) of the zoomed images.

    Returns:
        `b c *size`.
    """
    # The same nodes without their axes: a warp that is not known to be separable has a mipmap.
    return Warp.from_grid(warp.grid).zoom(image, size)


def resize_by_mipmap(image: Tensor, size: Size) -> Tensor:
    """Return images `b c h w` resized to `b c *size`, antialiased by a mipmap."""
    return zoom_by_mipmap(image, Warp.identity((1, 1), device=image.device), size)
