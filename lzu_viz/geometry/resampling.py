"""Resampling: every image and every feature map is read at other points here, and only here.

Convention: a point is (x, y) in [-1, 1] over the image's extent. -1 and 1 are its outer edges, so
pixel j of a row of w pixels covers [-1 + 2 j / w, -1 + 2 (j + 1) / w] and has its centre at -1 + (2
j + 1) / w. That is ``align_corners=False``. A point then means the same place at every resolution
and every feature stride.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from kornia.geometry import create_meshgrid
from torch import Tensor

from . import check
from .area_resampling import MeanPlan, area_means, plan_means

MANY_CHANNELS = 16
"""From so many on, laying an image out channels last pays, if it is read at more points than it
has pixels."""


def pixel_centres(
    size: Sequence[int],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the centre of every pixel of an image.

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


@lru_cache(maxsize=64)
def axis_centres(count: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the centres of the pixels of one axis, `count` in ]-1, 1[; not to be written to."""
    # A tensor that is made in inference mode may not be used outside it.
    with torch.inference_mode(False):
        return pixel_centres((1, count), device=device, dtype=dtype)[0, 0, :, 0].contiguous()


@lru_cache(maxsize=64)
def axis_edges(count: int) -> Tensor:
    """Return the edges of the pixels of one axis, `count+1` in float64; not to be written to."""
    with torch.inference_mode(False):
        return torch.linspace(-1, 1, count + 1, dtype=torch.float64)


def sample(
    image: Tensor, points: Tensor, fill_value: float = 0.0, *, all_finite: bool | None = None
) -> Tensor:
    """Read an image or a feature map at any points, bilinearly.

    Points within half a pixel of the border, and beyond it, take the border pixel's value.

    Args:
        image: `b c h w`; a batch of 1 serves any batch of points. What is laid out channels last is
            read faster, if it has many channels.
        points: `b h' w' 2`, (x, y) in [-1, 1]; a batch of 1 serves any batch of images.
            NaN marks a point that lies nowhere in the image.
        fill_value: the value at points that are NaN.
        all_finite: whether no point is NaN; looked for if None.

    Returns:
        `b c h' w'` in the image's dtype. The arithmetic is float32 or better.
    """
    check.same_batch(len(image), len(points), "image and points")
    # Looking is cheap; choosing, point by point and channel by channel, is not.
    if is_all_finite(points) if all_finite is None else all_finite:
        return _read(image, points)
    known = points.isfinite().all(dim=-1)
    # NaN must not enter the arithmetic: it would come back out of the gradients even where it is
    # masked.
    values = _read(image, torch.where(known[..., None], points, 0.0))
    return torch.where(known[:, None], values, fill_value)


def is_all_finite(points: Tensor) -> bool:
    """Return whether all points are finite; a compiled program cannot look, and says no."""
    return not torch.compiler.is_compiling() and bool(torch.isfinite(points.detach().sum()))


def _read(image: Tensor, points: Tensor) -> Tensor:
    """Do what :func:`sample` does for points that are all finite."""
    batch = max(len(image), len(points))
    dtype = torch.promote_types(image.dtype, points.dtype)
    image, kept = image.to(dtype), image.dtype
    pixels, wanted = image[0, 0].numel(), points[0, ..., 0].numel()
    if image.device.type == "cpu" and image.shape[1] >= MANY_CHANNELS and wanted > 3 * pixels:
        image = image.contiguous(memory_format=torch.channels_last)
    return F.grid_sample(
        image.expand(batch, -1, -1, -1),
        points.to(dtype).expand(batch, -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    ).to(kept)


class Reading(NamedTuple):
    """One of the readings that are added up.

    Attributes:
        from_atlas: whether the map that holds all further levels is read, or the image itself.
        points: `b h w 2`, where.
        weight: `b 1 h w`, what it counts; those of all readings are together 1.
    """

    from_atlas: bool
    points: Tensor
    weight: Tensor


class MipmapPlan(NamedTuple):
    """How to read an image at points that each stand for an area; made by :func:`plan_mipmap`.

    Attributes:
        readings: the image's own, and two of levels that follow one another; those that count
            nothing at any point are left out.
        top: the last level.
    """

    readings: tuple[Reading, ...]
    top: int


def plan_mipmap(size: Sequence[int], points: Tensor, footprint: Tensor) -> MipmapPlan:
    """Plan how to read images of a size, each point as the mean over about the area of its pixel.

    A pyramid of 2x2 means; each point reads, trilinearly, the two levels whose pixels are nearest
    in size to its footprint (Williams, "Pyramidal parametrics", SIGGRAPH 1983). A footprint that is
    longer than wide is treated as the square of the same area: it is smoothed a little too much
    along one side, too little along the other.

    Args:
        size: (rows, columns) of the image.
        points: `b h w 2`, (x, y) in [-1, 1], none NaN.
        footprint: `b h w`, side in source pixels of the square that each point stands for; at most
            1: bilinear.

    Returns:
        What :func:`sample_mipmap` needs.
    """
    highest = min(size).bit_length() - 1
    level = footprint.clamp(1.0, 2.0**highest).log2()
    # Where rounding alone lifts a level by 1e-7, no further level is read for it.
    top = int((level.detach().amax() - 1e-4).ceil().clamp(min=0))
    level = level.clamp(max=float(top))
    lower = level.detach().floor().clamp(1, max(top - 1, 1))
    itself, upper = (1 - level).clamp(min=0), (level - lower).clamp(min=0)
    weights = [itself, 1 - itself - upper, upper][: min(top, 2) + 1]
    places = [points]
    if top:
        layout = points.new_tensor([*zip(*_atlas_layout(size, top), strict=True)])
        places += [_to_atlas(points, layout, (lower + k).long() - 1) for k in range(min(top, 2))]
    readings = [
        Reading(from_atlas=index > 0, points=place, weight=weight[:, None])
        for index, (place, weight) in enumerate(zip(places, weights, strict=True))
        if bool(weight.detach().any())
    ]
    return MipmapPlan(tuple(readings), top)


def sample_mipmap(image: Tensor, plan: MipmapPlan, *, finite: bool = False) -> Tensor:
    """Read an image as it was planned.

    Args:
        image: `b c h w`, of the size that was planned for.
        plan: of :func:`plan_mipmap`.
        finite: whether an image with NaN or infinite pixels is refused.

    Returns:
        `b c h' w'` in the image's dtype.
    """
    levels = _mipmap_atlas(image, plan.top) if plan.top else image
    if finite:
        # The last level is small, and every pixel is in it.
        last = _atlas_layout(image.shape[-2:], plan.top)[-1] if plan.top else (0,)
        check.finite(image, levels[..., int(last[0]) :, :])
    total: Tensor | None = None
    for from_atlas, points, weight in plan.readings:
        # In place: a new tensor of this size costs as much as the product.
        weight, values = weight.to(image.dtype), _read(levels if from_atlas else image, points)
        total = values.mul_(weight) if total is None else total.addcmul_(weight, values)
    assert total is not None, "shares add up to 1, so that some reading counts"
    return total


def _atlas_layout(size: Sequence[int], top: int) -> list[tuple[float, ...]]:
    """Return where levels 1 to ``top`` of an image's pyramid lie in the map that holds them all.

    They stand one below the other.

    Returns:
        For each level its first row and its rows and columns in the map's pixels, the number of
        these that the image itself takes up, and in the last place the size of the map.
    """
    rows, columns = size
    high, wide = float(rows), float(columns)
    layout: list[tuple[float, ...]] = []
    first = 0
    for _ in range(top):
        rows, columns, high, wide = (rows + 1) // 2, (columns + 1) // 2, high / 2, wide / 2
        layout.append((first, rows, columns, high, wide))
        first += rows
    return [(*region, first, layout[0][2]) for region in layout]


def _to_atlas(points: Tensor, layout: Tensor, index: Tensor) -> Tensor:
    """Return where in the map of levels points of the image lie, each in the level of its index."""
    region = layout.index_select(1, index.flatten()).unflatten(1, index.shape)
    first, rows, columns, high, wide, all_rows, all_columns = region
    # Not nearer to another level than half a pixel: beyond it the border's own values go on.
    x = ((points[..., 0] + 1) / 2 * wide).clamp(min=0.5).minimum(columns - 0.5)
    y = ((points[..., 1] + 1) / 2 * high).clamp(min=0.5).minimum(rows - 0.5) + first
    return torch.stack([x / all_columns, y / all_rows], dim=-1) * 2 - 1


def _mipmap_atlas(image: Tensor, top: int) -> Tensor:
    """Put levels 1 to ``top`` of a pyramid one below the other: `b c h w`."""
    layout = _atlas_layout(image.shape[-2:], top)
    *_, rows, columns = layout[0]
    atlas = image.new_empty(*image.shape[:2], int(rows), int(columns))
    # Neither gradients nor compiled programs take a result that is written where it belongs.
    in_place = not (image.requires_grad or torch.compiler.is_compiling())
    for first, rows, columns in ([int(each) for each in region[:3]] for region in layout):
        # Beside a level nothing counts, but it is read, and must not be NaN by chance.
        atlas[..., first : first + rows, columns:] = 0
        region = atlas[..., first : first + rows, :columns]
        if in_place:
            image = _halve(image, into=region)
        else:
            image = _halve(image)
            region[:] = image
    return atlas


def _halve(image: Tensor, into: Tensor | None = None) -> Tensor:
    """Take 2x2 means of an image `b c h w`; a side that is odd is first repeated by one pixel."""
    rows, columns = image.shape[-2:]
    if rows % 2 or columns % 2:
        image = F.pad(image, (0, columns % 2, 0, rows % 2), mode="replicate")
    # Rows first: four times as fast as `avg_pool2d` on a CPU.
    rows_halved = torch.lerp(image[..., ::2, :], image[..., 1::2, :], 0.5)
    return torch.lerp(rows_halved[..., ::2], rows_halved[..., 1::2], 0.5, out=into)


def resize(image: Tensor, size: Sequence[int], antialias: bool = True) -> Tensor:
    """Resample an image to another size: the identity warp.

    Args:
        image: `b c h w`, floating.
        size: (rows, columns) wanted.
        antialias: whether pixels of a smaller image are means over the areas that they stand for;
            otherwise each is one bilinear sample. See :mod:`lzu_viz.geometry.area_resampling`.

    Returns:
        `b c *size`.

    Example:
        >>> resize(torch.arange(16.0).reshape(1, 1, 4, 4), (2, 2))[0, 0]
        tensor([[ 2.5000,  4.5000],
                [10.5000, 12.5000]])
    """
    check.features(image, "image")
    dtype = torch.promote_types(image.dtype, torch.float32)
    if not antialias:
        return sample(image, pixel_centres(size, device=image.device, dtype=dtype))
    rows, columns = image.shape[-2:]
    plan = _even_plan((rows, columns), check.size(size), dtype, image.device)
    return area_means(image, plan)


@lru_cache(maxsize=32)
def _even_plan(
    source: check.Size, size: check.Size, dtype: torch.dtype, device: torch.device
) -> MeanPlan:
    """Plan to read for each pixel its equal share of an image; once for all images of a size."""
    # A tensor that is made in inference mode may not be used outside it.
    with torch.inference_mode(False):
        rows, columns = (axis_edges(count)[None] for count in size)
        return plan_means(source, rows, columns, dtype, device)


def footprints(source: Sequence[int], points: Tensor, determinant: Tensor) -> Tensor:
    """Return the side, in source pixels, of the square that each zoomed pixel stands for.

    Args:
        source: (rows, columns) of the source image.
        points: `b h' w' 2`, whose size is that of the zoomed image.
        determinant: `b h' w'`, of the warp's Jacobian.

    Returns:
        `b h' w'`: the square root of the area.
    """
    rows, columns = points.shape[1:3]
    return (determinant.abs() * (source[0] * source[1] / (rows * columns))).clamp(min=1e-12).sqrt()
