"""Resampling: every image and every feature map is read at other points here, and only here.

Convention: a point is (x, y) in [-1, 1] over the image's extent. -1 and 1 are its outer edges, so
pixel j of a row of w pixels covers [-1 + 2 j / w, -1 + 2 (j + 1) / w] and has its centre at -1 + (2
j + 1) / w. That is ``align_corners=False``. A point then means the same place at every resolution
and every feature stride.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from kornia.geometry import create_meshgrid
from kornia.geometry.transform import remap
from torch import Tensor

from . import check


def pixel_centres(
    size: Sequence[int],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Give the centre of every pixel of an image.

    Args:
        size: (rows, columns) of the image.
        device: where the result lives.
        dtype: of the result.

    Returns:
        `1 h w 2`, (x, y) in ]-1, 1[.

    Example:
        >>> pixel_centres((1, 4))[0, 0, :, 0]
        tensor([-0.7500, -0.2500,  0.2500,  0.7500])
    """
    rows, columns = check.size(size)
    device = None if device is None else torch.device(device)
    return create_meshgrid(rows, columns, device=device, dtype=dtype, align_corners=False)


def sample(image: Tensor, points: Tensor, fill: float = 0.0) -> Tensor:
    """Read an image or a feature map at any points, bilinearly.

    Points within half a pixel of the border, and beyond it, take the border pixel's value.

    Args:
        image: `b c h w`; a batch of 1 serves any batch of points.
        points: `b h' w' 2`, (x, y) in [-1, 1]; a batch of 1 serves any batch of images.
            NaN marks a point that lies nowhere in the image.
        fill: the value at points that are NaN.

    Returns:
        `b c h' w'` in the image's dtype. The arithmetic is float32 or better.
    """
    batch = check.same_batch(len(image), len(points), "image and points")
    known = points.isfinite().all(dim=-1)
    # NaN must not enter the arithmetic: it would come back out of the gradients even where it is
    # masked.
    x, y = torch.where(known[..., None], points, 0.0).expand(batch, -1, -1, -1).unbind(-1)
    dtype = torch.promote_types(image.dtype, points.dtype)
    values = remap(
        image.to(dtype).expand(batch, -1, -1, -1),
        x.to(dtype),
        y.to(dtype),
        padding_mode="border",
        align_corners=False,
        normalized_coordinates=True,
    ).to(image.dtype)
    return torch.where(known[:, None], values, fill)


def sample_antialiased(image: Tensor, points: Tensor, footprint: Tensor) -> Tensor:
    """Read an image at any points, each as the mean over about the area that its pixel stands for.

    A pyramid of 2x2 means; each point reads, trilinearly, the two levels whose pixels are nearest
    in size to its footprint (Williams, "Pyramidal parametrics", SIGGRAPH 1983). A footprint that is
    longer than wide is treated as the square of the same area: it is smoothed a little too much
    along one side, too little along the other.

    Args:
        image: `b c h w`.
        points: `b h' w' 2`, (x, y) in [-1, 1].
        footprint: `b h' w'`, side in source pixels of the square that each point stands for; at
            most 1: bilinear.

    Returns:
        `b c h' w'` in the image's dtype.
    """
    highest = min(image.shape[-2:]).bit_length() - 1
    level = footprint.clamp(1.0, 2.0**highest).log2()
    # Where rounding alone lifts a level by 1e-7, no further level is read for it.
    top = int((level.detach().amax() - 1e-4).ceil().clamp(min=0))
    level = level.clamp(max=float(top))
    total = torch.zeros((), dtype=image.dtype, device=image.device)
    for index, (floor, extent) in enumerate(pyramid(image, top)):
        weight = (1 - (level - index).abs()).clamp(min=0)[:, None].to(image.dtype)
        total = total + weight * sample(floor, (points + 1) * extent.to(points) - 1)
    return total


def pyramid(image: Tensor, top: int) -> list[tuple[Tensor, Tensor]]:
    """Halve an image again and again by 2x2 means.

    A side that is odd is first repeated by one pixel, so that a level may cover slightly more than
    the image.

    Args:
        image: `b c h w`.
        top: the last level; level 0 is the image itself.

    Returns:
        For each level the image `b c h w`, and the part (x, y) of its extent that the first image
        takes up.
    """
    extent = torch.ones(2, dtype=torch.float64)
    levels = [(image, extent)]
    for _ in range(top):
        rows, columns = image.shape[-2:]
        if rows % 2 or columns % 2:
            image = F.pad(image, (0, columns % 2, 0, rows % 2), mode="replicate")
        # Rows first: three to four times as fast as `avg_pool2d` on a CPU.
        image = image[..., ::2, :] + image[..., 1::2, :]
        image = (image[..., ::2] + image[..., 1::2]) / 4
        extent = (
            extent
            * torch.tensor([columns, rows])
            / torch.tensor([columns + columns % 2, rows + rows % 2])
        )
        levels.append((image, extent))
    return levels


def resize(image: Tensor, size: Sequence[int], antialias: bool = True) -> Tensor:
    """Resample an image to another size: the identity warp.

    Args:
        image: `b c h w`, floating.
        size: (rows, columns) wanted.
        antialias: whether a smaller image takes means; otherwise it picks bilinear samples.

    Returns:
        `b c *size`.

    Example:
        >>> resize(torch.arange(16.0).reshape(1, 1, 4, 4), (2, 2))[0, 0]
        tensor([[ 2.5000,  4.5000],
                [10.5000, 12.5000]])
    """
    check.features(image, "image")
    points = pixel_centres(
        size, device=image.device, dtype=torch.promote_types(image.dtype, torch.float32)
    )
    if not antialias:
        return sample(image, points)
    return sample_antialiased(
        image, points, footprints(image.shape[-2:], points, torch.ones_like(points[..., 0]))
    )


def footprints(source: Sequence[int], points: Tensor, determinant: Tensor) -> Tensor:
    """Give the side, in source pixels, of the square that each zoomed pixel stands for.

    Args:
        source: (rows, columns) of the source image.
        points: `b h' w' 2`, whose size is that of the zoomed image.
        determinant: `b h' w'`, of the warp's Jacobian.

    Returns:
        `b h' w'`: the square root of the area.
    """
    rows, columns = points.shape[1:3]
    return (determinant.abs() * (source[0] * source[1] / (rows * columns))).clamp(min=1e-12).sqrt()
