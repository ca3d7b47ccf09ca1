r"""Area resampling: exact means of an image over axis-aligned rectangles, one for each pixel.

A separable warp maps each pixel of the zoomed image to a rectangle of the source, so that all means
are two matrix products, one along each axis:

.. math:: Z = R\, I\, C^\top

Row i of R (or C) corresponds to an interval [low, high] of the source axis, in pixels from the
edge. The weight of source pixel k is the length of the intersection of [k, k + 1] with the
interval, divided by the interval's length. An interval shorter than one pixel is widened to one
pixel about its midpoint; a mean over one pixel's width is linear interpolation. Hence the image is
interpolated bilinearly where the warp magnifies and averaged where it shrinks, with a continuous
transition. Outside the frame the border pixels continue.

Each row has few nonzero weights, so that on a CPU both products are sparse: an ``embedding_bag``,
which reads the rows of an image with any number of channels in memory order. On other devices, in
compiled programs and for gradients with respect to the image, the rows of R are grouped into
blocks: neighbouring rows have neighbouring weights, which form a band of small dense matrices.

With f the piecewise constant source and m its mean over [low, high], the derivatives are

.. math:: \frac{\partial m}{\partial\, \mathrm{high}}
          = \frac{f(\mathrm{high}) - m}{\mathrm{high} - \mathrm{low}}, \qquad
          \frac{\partial m}{\partial\, \mathrm{low}}
          = \frac{m - f(\mathrm{low})}{\mathrm{high} - \mathrm{low}}
"""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from . import check

BLOCK = 32
"""Number of neighbouring output pixels in one dense product."""

SNAP = 4
"""Tolerance for snapping an interval's edge to a source pixel's edge, in units in the last place of
the side's length, so that the identity returns the image unchanged."""


class Block(NamedTuple):
    """Weights of consecutive output pixels.

    Attributes:
        start: first source pixel with a weight.
        stop: one past the last source pixel with a weight.
        weights: `m stop-start`, one row for each of at most ``BLOCK`` output pixels.
    """

    start: int
    stop: int
    weights: Tensor


class AxisWeights(NamedTuple):
    """The weights of one axis, both as a sparse matrix and as a band of dense blocks.

    Attributes:
        indices: `k`, the source pixel of each weight, output pixel by output pixel.
        offsets: `n`, index of each output pixel's first weight.
        values: `k`, the weights.
        blocks: the same weights as dense blocks, with n rows in total.
        first: `n`, the source pixel at the low end of each output pixel's interval.
        last: `n`, the source pixel at its high end.
        complete: whether every source pixel has a weight.
    """

    indices: Tensor
    offsets: Tensor
    values: Tensor
    blocks: tuple[Block, ...]
    first: Tensor
    last: Tensor
    complete: bool


class AxisPlan(NamedTuple):
    """The intervals of one axis and their weights.

    Attributes:
        bounds: `b n 2`, (low, high) in source pixels, float64 on the CPU; differentiable.
        weights: one for each element of the batch.
    """

    bounds: Tensor
    weights: tuple[AxisWeights, ...]


class MeanPlan(NamedTuple):
    """The weights to average images of one size; made by :func:`plan_means`."""

    rows: AxisPlan
    columns: AxisPlan


def intervals(edges: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Return the intervals of the source axis over which output pixels are averaged.

    Args:
        edges: `b n+1`, the output pixels' edges in the source frame [-1, 1].
        count: number of pixels of the source axis.
        dtype: precision of the edges, for the tolerance ``SNAP``.

    Returns:
        `b n 2`, (low, high) in source pixels, at least one pixel long; differentiable.

    Example:
        >>> intervals(torch.tensor([[-1.0, 0.0, 0.25, 1.0]]), 4, torch.float32)[0]
        tensor([[0.0000, 2.0000],
                [1.7500, 2.7500],
                [2.5000, 4.0000]])
    """
    positions = (edges + 1) * (count / 2)
    with torch.no_grad():
        rounded = positions.round()
        tolerance = SNAP * torch.finfo(dtype).eps * count
        snap = torch.where((positions - rounded).abs() <= tolerance, rounded - positions, 0.0)
    positions = positions + snap
    first_edge, second_edge = positions[:, :-1], positions[:, 1:]
    midpoint, half_length = (
        (first_edge + second_edge) / 2,
        ((second_edge - first_edge).abs() / 2).clamp(min=0.5),
    )
    return torch.stack([midpoint - half_length, midpoint + half_length], dim=-1)


def plan_axis(bounds: Tensor, count: int, dtype: torch.dtype, device: torch.device) -> AxisPlan:
    """Return intervals with their weights.

    Args:
        bounds: `b n 2`, from :func:`intervals`.
        count: number of pixels of the source axis.
        dtype: of the weights.
        device: of the images.
    """
    bounds = bounds.cpu().double()
    ends = bounds.detach().numpy()
    return AxisPlan(
        bounds, tuple(_weights(low, high, count, dtype, device) for low, high in ends.mT)
    )


def plan_means(
    size: check.Size, rows: Tensor, columns: Tensor, dtype: torch.dtype, device: torch.device
) -> MeanPlan:
    """Return a plan to average images of one size over rectangles.

    Args:
        size: (rows, columns) of the images.
        rows: `b h'+1`, edges of the output rows in the source frame [-1, 1], increasing or
            decreasing.
        columns: `b w'+1`, edges of the output columns in the source frame [-1, 1].
        dtype: of the weights, and precision of the edges.
        device: of the images.

    Returns:
        The plan for :func:`area_means`.
    """
    return MeanPlan(
        *(
            plan_axis(intervals(edges, count, dtype), count, dtype, device)
            for edges, count in zip((rows, columns), size, strict=True)
        )
    )


def dense_means(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return :func:`area_means` by dense matrix products, for programs that are traced.

    Args:
        image: `b c h w`, floating.
        rows: `b h'+1`, edges of the output rows in the source frame, as in :func:`plan_means`.
        columns: `b w'+1`, edges of the output columns.

    Returns:
        `b c h' w'` in the image's dtype, differentiable any number of times, in any mode.
    """
    means = image.to(torch.promote_types(image.dtype, torch.float32))
    for edges, dim in ((rows, -2), (columns, -1)):
        bounds = intervals(edges, image.shape[dim], means.dtype)
        means = _dense(means, bounds.to(means.dtype).to(means.device), dim)
    return means.to(image.dtype)


def area_means(image: Tensor, plan: MeanPlan, *, finite: bool = False) -> Tensor:
    """Return the means of an image over the rectangles of a plan.

    Args:
        image: `b c h w`, floating, of the size given to :func:`plan_means`; an image or a plan of
            batch 1 is broadcast. In dense products, a non-finite pixel also affects other means in
            its row and column.
        plan: made by :func:`plan_means`.
        finite: whether to raise ``ValueError`` for NaN or infinite pixels.

    Returns:
        `b c h' w'` in the image's dtype, differentiable in the image and in the plan's bounds. The
        arithmetic is float32 or better.
    """
    kind = image.device.type
    if check.is_autocast_enabled(kind):
        with torch.autocast(kind, enabled=False):
            return area_means(image, plan, finite=finite)
    if check.same_batch(image.shape[0], len(plan.rows.weights), "image and plan") == 0:
        sizes = (axis.bounds.shape[1] for axis in plan)
        return image.new_empty(0, image.shape[1], *sizes)
    # Rows first: they are contiguous in memory, and the second product is then smaller.
    means = image.to(torch.promote_types(image.dtype, torch.float32))
    for axis, dim in ((plan.rows, -2), (plan.columns, -1)):
        means = _means_along(means, axis, dim)
    if finite:
        complete = all(weights.complete for axis in plan for weights in axis.weights)
        check.finite(image, means if complete else image)
    return means.to(image.dtype)


def _weights(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    count: int,
    dtype: torch.dtype,
    device: torch.device,
) -> AxisWeights:
    """Return the weights of intervals `n` on an axis of ``count`` pixels."""
    first = np.floor(low).clip(0, count - 1).astype(np.int64)
    last = (np.ceil(high) - 1).clip(first, count - 1).astype(np.int64)
    lengths = last - first + 1
    offsets = lengths.cumsum() - lengths
    row = np.arange(len(low)).repeat(lengths)
    index = np.arange(len(row)) - (offsets - first)[row]
    # The border pixels continue outside the frame.
    left = np.where(index == 0, -np.inf, index)
    right = np.where(index == count - 1, np.inf, index + 1)
    overlap = np.minimum(high[row], right) - np.maximum(low[row], left)
    values = overlap.clip(0) / (high - low)[row]

    begin = np.arange(0, len(low), BLOCK)
    start, stop = np.minimum.reduceat(first, begin), np.maximum.reduceat(last, begin) + 1
    height = np.diff(begin, append=len(low))
    ends = (height * (stop - start)).cumsum()
    block = row // BLOCK
    dense = np.zeros(ends[-1])
    row_start = (ends - height * (stop - start))[block] + (row - begin[block]) * (stop - start)[
        block
    ]
    dense[row_start + index - start[block]] = values
    parts = torch.from_numpy(dense).to(dtype).to(device)
    blocks = [
        Block(a, b, part.view(-1, b - a))
        for a, b, part in zip(
            start.tolist(),
            stop.tolist(),
            parts.split((height * (stop - start)).tolist()),
            strict=True,
        )
    ]
    return AxisWeights(
        indices=torch.from_numpy(index),
        offsets=torch.from_numpy(offsets),
        values=torch.from_numpy(values).to(dtype),
        blocks=tuple(blocks),
        first=torch.from_numpy(first).to(device),
        last=torch.from_numpy(last).to(device),
        complete=bool(first.min() == 0 and last.max() == count - 1),
    )


def _means_along(image: Tensor, axis: AxisPlan, dim: int) -> Tensor:
    """Return the means of an image `b c h w` along dimension ``dim``, -2 or -1."""
    if check.is_transformed(image) and not axis.bounds.requires_grad:
        return _product(image, axis.weights, dim)
    if check.is_differentiated(image) and not image.requires_grad:
        return _product(image, axis.weights, dim)
    if torch.is_grad_enabled() and (image.requires_grad or axis.bounds.requires_grad):
        means: Tensor = _Means.apply(image, axis.bounds, axis.weights, dim)  # type: ignore[no-untyped-call]
        return means
    return _product(image, axis.weights, dim)


def _product(image: Tensor, weights: tuple[AxisWeights, ...], dim: int) -> Tensor:
    if len(weights) == 1:
        return _shared_product(image, weights[0], dim)
    images = image.expand(len(weights), -1, -1, -1).split(1)
    return torch.cat(
        [
            _shared_product(single_image, image_weights, dim)
            for single_image, image_weights in zip(images, weights, strict=True)
        ]
    )


def _shared_product(image: Tensor, weights: AxisWeights, dim: int) -> Tensor:
    """Return the product of all images of a batch with the same weights."""
    if image.device.type == "cpu" and not (
        check.is_transformed(image) or check.is_differentiated(image)
    ):
        return _sparse_product(image, weights, dim)
    parts = []
    for start, stop, block in weights.blocks:
        region, block = image.narrow(dim, start, stop - start), block.to(image.dtype)
        parts.append(block @ region if dim == -2 else region @ block.mT)
    return torch.cat(parts, dim=dim)


def _sparse_product(image: Tensor, weights: AxisWeights, dim: int) -> Tensor:
    """Return the sparse product, by weighted sums of table rows, one row for each source pixel."""
    batch, channels, height, width = image.shape
    order: tuple[int, ...]
    if dim == -2 and image.is_contiguous():
        # A view in memory order, with each channel as a separate image.
        table, order = image.view(batch * channels, height, width), (0, 1, 2)
    else:
        order = (0, 2, 3, 1) if dim == -2 else (0, 3, 1, 2)
        table = image.permute(order)
    images, count = table.shape[:2]
    image_index = torch.arange(images)[:, None]
    means = F.embedding_bag(
        (weights.indices + image_index * count).flatten(),
        table.detach().reshape(images * count, -1),
        (weights.offsets + image_index * len(weights.indices)).flatten(),
        mode="sum",
        per_sample_weights=weights.values.to(image.dtype).expand(images, -1).flatten(),
    )
    if len(order) == 3:
        return means.view(batch, channels, -1, width)
    means = means.view(batch, -1, *table.shape[2:])
    # The product along columns is last and reads any layout: only its result must be contiguous.
    return means.movedim(-1, 1) if dim == -2 else means.movedim(1, -1).contiguous()


def _transposed_product(
    gradient: Tensor, weights: AxisWeights, shape: torch.Size, dim: int
) -> Tensor:
    """Return the product with the transpose of the weights of :func:`_shared_product`."""
    total = gradient.new_zeros(shape)
    begin = 0
    for start, stop, block in weights.blocks:
        part = gradient.narrow(dim, begin, len(block))
        block = block.to(gradient.dtype)
        target = total.narrow(dim, start, stop - start)
        target += block.mT @ part if dim == -2 else part @ block
        begin += len(block)
    return total


def _dense(image: Tensor, bounds: Tensor, dim: int) -> Tensor:
    """Return :func:`_means_along` by a dense matrix product, differentiable any number of times.

    Args:
        image: `b c h w`.
        bounds: `b n 2`, in the image's dtype and on its device.
        dim: -2 or -1.
    """
    count = image.shape[dim]
    pixel = torch.arange(count, device=image.device, dtype=image.dtype)
    # The border pixels continue outside the frame.
    left = torch.where(pixel == 0, -torch.inf, pixel)
    right = torch.where(pixel == count - 1, torch.inf, pixel + 1)
    low, high = bounds[..., :1], bounds[..., 1:]
    overlap = torch.minimum(high, right) - torch.maximum(low, left)
    weights = (overlap.clamp(min=0) / (high - low))[:, None]
    return weights @ image if dim == -2 else image @ weights.mT


class _Means(torch.autograd.Function):
    """The means along one axis, with first derivatives by image and bounds."""

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, bounds: Tensor, weights: tuple[AxisWeights, ...], dim: int
    ) -> Tensor:
        means = _product(image, weights, dim)
        ctx.save_for_backward(image, bounds, means)
        ctx.weights, ctx.dim = weights, dim
        return means

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, bounds, means = ctx.saved_tensors
        needed = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():
            # Second derivatives are requested, which the products below do not support.
            inputs = [tensor for tensor, need in zip((image, bounds), needed, strict=True) if need]
            dense_means = _dense(image, bounds.to(image.dtype).to(image.device), ctx.dim)
            gradients = iter(torch.autograd.grad(dense_means, inputs, gradient, create_graph=True))
            return *(next(gradients) if need else None for need in needed), None, None
        by_image = _image_gradient(gradient, image, ctx.weights, ctx.dim) if needed[0] else None
        by_bounds = None
        if needed[1]:
            by_bounds = _bounds_gradient(gradient, image, means, ctx.weights, ctx.dim)
            by_bounds = by_bounds.cpu().double() / (bounds[..., 1:] - bounds[..., :1])
        return by_image, by_bounds, None, None


def _image_gradient(
    gradient: Tensor, image: Tensor, weights: tuple[AxisWeights, ...], dim: int
) -> Tensor:
    if len(weights) == 1:
        return _transposed_product(gradient, weights[0], image.shape, dim)
    shape = image[:1].shape
    parts = [
        _transposed_product(image_gradient, image_weights, shape, dim)
        for image_gradient, image_weights in zip(gradient.split(1), weights, strict=True)
    ]
    total = torch.cat(parts)
    return total.sum(dim=0, keepdim=True) if len(image) == 1 else total


def _bounds_gradient(
    gradient: Tensor, image: Tensor, means: Tensor, weights: tuple[AxisWeights, ...], dim: int
) -> Tensor:
    """Return the derivatives by (low, high) times the intervals' lengths, `b n 2`."""
    derivatives = []
    everything = slice(None)
    for index, image_weights in enumerate(weights):
        selection = everything if len(weights) == 1 else slice(index, index + 1)
        source = image if len(image) == 1 else image[selection]
        ends = (
            source.index_select(dim, end) - means[selection]
            for end in (image_weights.first, image_weights.last)
        )
        other_dims = [axis for axis in (0, 1, 2, 3) if axis != dim % 4]
        low, high = ((gradient[selection] * end).sum(dim=other_dims) for end in ends)
        derivatives.append(torch.stack([-low, high], dim=-1))
    return torch.stack(derivatives)
