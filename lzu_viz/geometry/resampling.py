"""Resampling of images and feature maps: bilinear, by a mipmap, and by exact means.

Convention: a point is (x, y) in [-1, 1] over the image's extent. -1 and 1 are the outer edges, so
that pixel j of a row of w pixels covers [-1 + 2 j / w, -1 + 2 (j + 1) / w] and has its centre at
-1 + (2 j + 1) / w. This is ``align_corners=False``: a point denotes the same location at every
resolution and every feature stride.
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
from .caching import cached_tensor

MANY_CHANNELS = 16
"""Minimum number of channels for which conversion to channels-last layout is faster, if the image
is sampled at more than three times as many points as it has pixels."""


def pixel_centres(
    size: Sequence[int],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Return the pixel centres of an image.

    Args:
        size: (rows, columns) of the image.
        device: of the result.
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


@cached_tensor
def axis_centres(count: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the pixel centres of one axis, `count` in ]-1, 1[; cached, do not modify in place."""
    return pixel_centres((1, count), device=device, dtype=dtype)[0, 0, :, 0].contiguous()


@cached_tensor
def axis_edges(count: int) -> Tensor:
    """Return the pixel edges of one axis, `count+1` in float64; cached, do not modify in place."""
    return torch.linspace(-1, 1, count + 1, dtype=torch.float64)


def sample(
    image: Tensor, points: Tensor, fill_value: float = 0.0, *, all_finite: bool | None = None
) -> Tensor:
    """Return an image or a feature map, sampled bilinearly at given points.

    Points within half a pixel of the border, or outside it, take the border pixel's value.

    Args:
        image: `b c h w`; a batch of 1 is broadcast. With many channels, channels-last layout is
            sampled faster.
        points: `b h' w' 2`, (x, y) in [-1, 1]; a batch of 1 is broadcast. NaN marks a point that
            has no location in the image.
        fill_value: the value at points that are NaN.
        all_finite: whether all points are finite; tested if None.

    Returns:
        `b c h' w'` in the image's dtype. The arithmetic is float32 or better.
    """
    check.same_batch(image.shape[0], points.shape[0], "image and points")
    # Testing all points is much cheaper than `torch.where` on all channels.
    if are_all_finite([points])[0] if all_finite is None else all_finite:
        return _read(image, points)
    is_defined = points.isfinite().all(dim=-1)
    # NaN must not enter the arithmetic: masked NaN values still spread through gradients.
    values = _read(image, torch.where(is_defined[..., None], points, 0.0))
    return torch.where(is_defined[:, None], values, fill_value)


def sample_nearest(image: Tensor, points: Tensor, fill_value: float = 0.0) -> Tensor:
    """Return an image at given points: the value of the pixel that contains each point.

    Args:
        image: `b c h w` of any dtype, such as a map of labels; a batch of 1 is broadcast.
        points: `b h' w' 2`, (x, y) in [-1, 1]; a batch of 1 is broadcast. Points outside take the
            border pixel's value; NaN marks a point that has no location in the image.
        fill_value: the value at points that are NaN.

    Returns:
        `b c h' w'` in the image's dtype.

    Example:
        >>> labels = torch.tensor([[[[3, 7]]]])
        >>> sample_nearest(labels, pixel_centres((1, 4)))
        tensor([[[[3, 3, 7, 7]]]])
    """
    batch = check.same_batch(image.shape[0], points.shape[0], "image and points")
    height, width = image.shape[-2:]
    is_defined = points.isfinite().all(dim=-1)
    located = torch.where(is_defined[..., None], points.detach(), 0.0)
    column = ((located[..., 0] + 1) * (width / 2)).floor().long().clamp(0, width - 1)
    row = ((located[..., 1] + 1) * (height / 2)).floor().long().clamp(0, height - 1)
    index = (row * width + column).flatten(1).expand(batch, -1)[:, None]
    flat = image.flatten(2).expand(batch, -1, -1)
    values = flat.gather(2, index.expand(-1, flat.shape[1], -1)).unflatten(2, points.shape[1:3])
    return torch.where(is_defined[:, None], values, values.new_full((), fill_value))


def are_all_finite(maps: Sequence[Tensor]) -> list[bool]:
    """Return for each tensor whether all points are known to be finite.

    False where values are unknown; otherwise, they are read from the device once.
    """
    finite = torch.stack([torch.isfinite(points.detach().sum()) for points in maps])
    if check.value_of(finite.any()) is None:
        return [False] * len(maps)
    verdicts: list[bool] = finite.cpu().tolist()
    return verdicts


def _read(image: Tensor, points: Tensor) -> Tensor:
    """Return :func:`sample` for points that are all finite."""
    batch = check.same_batch(image.shape[0], points.shape[0], "image and points")
    dtype = torch.promote_types(image.dtype, points.dtype)
    image, image_dtype = image.to(dtype), image.dtype
    pixels, samples = image.shape[-2:].numel(), points.shape[1:3].numel()
    if image.device.type == "cpu" and image.shape[1] >= MANY_CHANNELS and samples > 3 * pixels:
        image = image.contiguous(memory_format=torch.channels_last)
    image = image.expand(batch, -1, -1, -1)
    points = points.to(dtype).expand(batch, -1, -1, -1)
    try:
        values = F.grid_sample(
            image, points, mode="bilinear", padding_mode="border", align_corners=False
        )
    except NotImplementedError:
        # PyTorch's operator has no derivative in forward mode.
        values = _read_in_forward_mode(image, points)
    return values.to(image_dtype)


def _read_in_forward_mode(image: Tensor, points: Tensor) -> Tensor:
    """Return :func:`_read` by operations that have a derivative in forward mode.

    Args:
        image: `b c h w`.
        points: `b h' w' 2`.
    """
    sides = points.new_tensor([image.shape[-1], image.shape[-2]])
    pixels = ((points + 1) * (sides / 2) - 0.5).flatten(1, 2)
    # As in `grid_sample`, the derivative is zero where a point is clamped to the border.
    pixels = torch.where((pixels > 0) & (pixels < sides - 1), pixels, pixels.detach())
    pixels = torch.minimum(pixels.clamp(min=0), sides - 1)
    first = pixels.detach().floor().long()
    second = torch.minimum(first + 1, sides.long() - 1)
    across, down = (pixels - first)[:, None].unbind(-1)

    def at(column: Tensor, row: Tensor) -> Tensor:
        index = (row * image.shape[-1] + column)[:, None].expand(-1, image.shape[1], -1)
        return image.flatten(2).gather(2, index)

    (left, top), (right, bottom) = first.unbind(-1), second.unbind(-1)
    above = torch.lerp(at(left, top), at(right, top), across)
    below = torch.lerp(at(left, bottom), at(right, bottom), across)
    values: Tensor = torch.lerp(above, below, down).unflatten(2, points.shape[1:3])
    return values


class Reading(NamedTuple):
    """One bilinear sample in the weighted sum of a mipmap plan.

    Attributes:
        from_atlas: whether to sample the mipmap atlas (levels 1 and up) or the image (level 0).
        points: `b h w 2`, in the frame of the atlas or of the image.
        weight: `b 1 h w`; the weights of all readings sum to 1.
    """

    from_atlas: bool
    points: Tensor
    weight: Tensor


class MipmapPlan(NamedTuple):
    """How to sample images by a mipmap; made by :func:`plan_mipmap`.

    Attributes:
        readings: of the image, and of two consecutive levels; those of weight zero everywhere are
            omitted.
        top: the highest level.
    """

    readings: tuple[Reading, ...]
    top: int


def plan_mipmap(size: Sequence[int], points: Tensor, footprint: Tensor) -> MipmapPlan:
    """Return a plan to sample images by a mipmap: approximate means over each point's footprint.

    The mipmap is a pyramid of 2x2 means; each point interpolates trilinearly between the two levels
    whose pixels are nearest in size to its footprint (Williams, "Pyramidal parametrics", SIGGRAPH
    1983). An anisotropic footprint is treated as a square of the same area: it is smoothed slightly
    too much along one side and too little along the other.

    Args:
        size: (rows, columns) of the image.
        points: `b h w 2`, (x, y) in [-1, 1], none NaN.
        footprint: `b h w`, side in source pixels of the square that each point covers; sampling is
            bilinear where it is at most 1.

    Returns:
        The plan for :func:`sample_mipmap`.
    """
    highest = min(size).bit_length() - 1
    level = footprint.clamp(1.0, 2.0**highest).log2()
    # The margin prevents a further level from being used because of rounding errors (1e-7).
    top = int((level.detach().amax() - 1e-4).ceil().clamp(min=0)) if len(level) else 0
    level = level.clamp(max=float(top))
    lower = level.detach().floor().clamp(1, max(top - 1, 1))
    image_weight, upper_weight = (1 - level).clamp(min=0), (level - lower).clamp(min=0)
    weights = [image_weight, 1 - image_weight - upper_weight, upper_weight][: min(top, 2) + 1]
    level_points = [points]
    if top:
        layout = points.new_tensor([*zip(*_atlas_layout(size, top), strict=True)])
        level_points += [
            _to_atlas(points, layout, (lower + k).long() - 1) for k in range(min(top, 2))
        ]
    readings = [
        Reading(from_atlas=index > 0, points=points_of_level, weight=weight[:, None])
        for index, (points_of_level, weight) in enumerate(zip(level_points, weights, strict=True))
        if top == 0 or bool(weight.detach().any())
    ]
    return MipmapPlan(tuple(readings), top)


def sample_mipmap(image: Tensor, plan: MipmapPlan, *, finite: bool = False) -> Tensor:
    """Return an image sampled by a mipmap plan.

    Args:
        image: `b c h w`, of the size given to :func:`plan_mipmap`.
        plan: made by :func:`plan_mipmap`.
        finite: whether to raise ``ValueError`` for NaN or infinite pixels.

    Returns:
        `b c h' w'` in the image's dtype.
    """
    levels = _mipmap_atlas(image, plan.top) if plan.top else image
    if finite:
        # The highest level is small, and depends on every pixel.
        last = _atlas_layout(image.shape[-2:], plan.top)[-1] if plan.top else (0,)
        check.finite(image, levels[..., int(last[0]) :, :])
    total: Tensor | None = None
    for from_atlas, points, weight in plan.readings:
        weight, values = weight.to(image.dtype), _read(levels if from_atlas else image, points)
        if check.is_transformed(values):
            total = values * weight if total is None else total + values * weight
            continue
        # In place, as allocating a tensor of this size costs as much as the product.
        total = values.mul_(weight) if total is None else total.addcmul_(weight, values)
    assert total is not None, "the weights sum to 1, so that there is at least one reading"
    return total


def _atlas_layout(size: Sequence[int], top: int) -> list[tuple[float, ...]]:
    """Return the layout of levels 1 to ``top`` in the mipmap atlas, stacked vertically.

    Returns:
        For each level, in pixels of the atlas: the first row, the rows and columns of the level,
        those that the unpadded image covers (fractional), and the rows and columns of the atlas.
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
    """Return points of the image as points of the atlas, each in the level of its index."""
    region = layout.index_select(1, index.flatten()).unflatten(1, index.shape)
    first, rows, columns, high, wide, all_rows, all_columns = region
    # Stay half a pixel inside the level, so that its border values continue, not the next level.
    x = ((points[..., 0] + 1) / 2 * wide).clamp(min=0.5).minimum(columns - 0.5)
    y = ((points[..., 1] + 1) / 2 * high).clamp(min=0.5).minimum(rows - 0.5) + first
    return torch.stack([x / all_columns, y / all_rows], dim=-1) * 2 - 1


def _mipmap_atlas(image: Tensor, top: int) -> Tensor:
    """Return levels 1 to ``top`` of the pyramid, stacked vertically: `b c h w`."""
    layout = _atlas_layout(image.shape[-2:], top)
    *_, rows, columns = layout[0]
    atlas = image.new_empty(*image.shape[:2], int(rows), int(columns))
    # Neither autograd nor traced programs support ``out=``.
    in_place = not (check.is_differentiated(image) or check.is_transformed(image))
    for first, rows, columns in ([int(value) for value in region[:3]] for region in layout):
        # The pixels beside a level have weight zero, but are read and must not be NaN.
        atlas[..., first : first + rows, columns:] = 0
        region = atlas[..., first : first + rows, :columns]
        if in_place:
            image = _halve(image, into=region)
        else:
            image = _halve(image)
            region[:] = image
    return atlas


def _halve(image: Tensor, into: Tensor | None = None) -> Tensor:
    """Return 2x2 means of an image `b c h w`; an odd side is padded by repeating its last pixel."""
    rows, columns = image.shape[-2:]
    if rows % 2 or columns % 2:
        image = F.pad(image, (0, columns % 2, 0, rows % 2), mode="replicate")
    # Rows first: four times as fast as `avg_pool2d` on a CPU.
    rows_halved = torch.lerp(image[..., ::2, :], image[..., 1::2, :], 0.5)
    return torch.lerp(rows_halved[..., ::2], rows_halved[..., 1::2], 0.5, out=into)


def resize(image: Tensor, size: Sequence[int], antialias: bool = True) -> Tensor:
    """Return an image resampled to another size, as by the identity warp.

    Args:
        image: `b c h w`, floating.
        size: (rows, columns) of the result.
        antialias: whether pixels of a smaller image are means over the areas that they cover;
            otherwise each is one bilinear sample. See :mod:`lzu_viz.geometry.area_resampling`.

    Returns:
        `b c *size` in the image's dtype.

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
    """Return the plan for means over equal rectangles, cached for each pair of sizes."""
    # Tensors created in inference mode cannot be used in autograd later.
    with torch.inference_mode(False):
        rows, columns = (axis_edges(count)[None] for count in size)
        return plan_means(source, rows, columns, dtype, device)


def footprints(source: Sequence[int], points: Tensor, determinant: Tensor) -> Tensor:
    """Return the side, in source pixels, of the square with the area that each zoomed pixel covers.

    Args:
        source: (rows, columns) of the source image.
        points: `b h' w' 2`, only used for (rows, columns) of the zoomed image.
        determinant: `b h' w'`, of the warp's Jacobian.

    Returns:
        `b h' w'`: the square root of the area.
    """
    rows, columns = points.shape[1:3]
    return (determinant.abs() * (source[0] * source[1] / (rows * columns))).clamp(min=1e-12).sqrt()
