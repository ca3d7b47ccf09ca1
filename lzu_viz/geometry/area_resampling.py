r"""Area resampling: the exact means of an image over axis-aligned rectangles, one a pixel.

Under a separable warp each pixel of the zoomed image stands for a rectangle of the source, so that
the mean over it is two products, one along each axis:

.. math:: Z = R\, I\, C^\top

Row i of R (and of C) belongs to an interval [low, high] of the source axis, in pixels from the
edge. The weight of source pixel k is the length that [k, k + 1] shares with the interval, divided
by the interval's length. An interval shorter than one pixel is widened to one pixel about its
midpoint; a mean over one pixel's width is linear interpolation. Hence the image is interpolated
bilinearly where the warp magnifies, averaged where it shrinks, and the two meet continuously.
Beyond the frame the border pixels continue.

A row has only a few weights that are not 0, so that on a CPU both products are sparse: an
``embedding_bag``, which reads the rows of an image of any number of channels as they lie in memory.
Elsewhere, in compiled programs and for gradients by the image, the rows of R are taken in blocks:
the weights of neighbouring rows lie next to each other, in a band of small dense matrices.

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
"""How many neighbouring output pixels share one dense product."""

SNAP = 4
"""An edge this many units in the last place, of the side's length, from the edge of a source pixel
lies on it: then the identity returns the image unchanged."""


class Block(NamedTuple):
    """Weights of consecutive output pixels.

    Attributes:
        start: first source pixel that has a weight.
        stop: the one after the last.
        weights: `m stop-start`, one row for each of at most ``BLOCK`` output pixels.
    """

    start: int
    stop: int
    weights: Tensor


class AxisWeights(NamedTuple):
    """The weights of one axis, twice: as a sparse matrix and as a band of dense blocks.

    Attributes:
        indices: `k`, the source pixel of each weight, output pixel by output pixel.
        offsets: `n`, where each output pixel's begin.
        values: `k`, the weights.
        blocks: the same weights; together they have n rows.
        first: `n`, the source pixel at the low end of each output pixel's interval.
        last: `n`, the source pixel at its high end.
        whole: whether every source pixel has a weight.
    """

    indices: Tensor
    offsets: Tensor
    values: Tensor
    blocks: tuple[Block, ...]
    first: Tensor
    last: Tensor
    whole: bool


class AxisPlan(NamedTuple):
    """The intervals of one axis and their weights.

    Attributes:
        bounds: `b n 2`, (low, high) in source pixels, float64 on the CPU; differentiable.
        weights: for each of the batch.
    """

    bounds: Tensor
    weights: tuple[AxisWeights, ...]


class MeanPlan(NamedTuple):
    """How to average images of one size; made by :func:`plan_means`."""

    rows: AxisPlan
    columns: AxisPlan


def intervals(edges: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Return the intervals of the source axis that output pixels are the means of.

    Args:
        edges: `b n+1`, the output pixels' edges in the source frame, whose own edges are -1 and 1.
        count: pixels of the source axis.
        dtype: how precise the edges are; see ``SNAP``.

    Returns:
        `b n 2`, (low, high) in source pixels, none shorter than one; differentiable.

    Example:
        >>> intervals(torch.tensor([[-1.0, 0.0, 0.25, 1.0]]), 4, torch.float32)[0]
        tensor([[0.0000, 2.0000],
                [1.7500, 2.7500],
                [2.5000, 4.0000]])
    """
    places = (edges + 1) * (count / 2)
    with torch.no_grad():
        whole = places.round()
        near = SNAP * torch.finfo(dtype).eps * count
        snap = torch.where((places - whole).abs() <= near, whole - places, 0.0)
    places = places + snap
    one, other = places[:, :-1], places[:, 1:]
    middle, half = (one + other) / 2, ((other - one).abs() / 2).clamp(min=0.5)
    return torch.stack([middle - half, middle + half], dim=-1)


def plan_axis(bounds: Tensor, count: int, dtype: torch.dtype, device: torch.device) -> AxisPlan:
    """Work out the weights of intervals.

    Args:
        bounds: `b n 2`, of :func:`intervals`.
        count: pixels of the source axis.
        dtype: of the weights.
        device: where the images are.
    """
    bounds = bounds.to("cpu", torch.float64)
    ends = bounds.detach().numpy()
    return AxisPlan(
        bounds, tuple(_weights(low, high, count, dtype, device) for low, high in ends.mT)
    )


def plan_means(
    size: check.Size, rows: Tensor, columns: Tensor, dtype: torch.dtype, device: torch.device
) -> MeanPlan:
    """Plan how to average images of one size over rectangles.

    Args:
        size: (rows, columns) of the images.
        rows: `b h'+1`, the edges of the output's rows in the source frame; -1 and 1 are the
            image's own edges. A falling axis is averaged like a rising one.
        columns: `b w'+1`, likewise.
        dtype: of the weights, and how precise the edges are.
        device: where the images are.

    Returns:
        What :func:`area_means` needs.
    """
    return MeanPlan(
        *(
            plan_axis(intervals(edges, count, dtype), count, dtype, device)
            for edges, count in zip((rows, columns), size, strict=True)
        )
    )


def area_means(image: Tensor, plan: MeanPlan, *, finite: bool = False) -> Tensor:
    """Average an image over the rectangles of a plan.

    Args:
        image: `b c h w`, floating, of the size that was planned for; a batch of 1 serves any batch
            of plans, and the other way round. Where the products are dense, a pixel that is not
            finite spoils others of its row and column.
        plan: of :func:`plan_means`.
        finite: whether an image with NaN or infinite pixels is refused.

    Returns:
        `b c h' w'` in the image's dtype, differentiable in the image and in the plan's bounds. The
        arithmetic is float32 or better.
    """
    kind = image.device.type
    if torch.is_autocast_enabled(kind):
        with torch.autocast(kind, enabled=False):
            return area_means(image, plan, finite=finite)
    # Rows first: they are read as they lie in memory, and what is left is small.
    means = image.to(torch.promote_types(image.dtype, torch.float32))
    for axis, dim in ((plan.rows, -2), (plan.columns, -1)):
        means = _along(means, axis, dim)
    if finite:
        seen = all(each.whole for axis in plan for each in axis.weights)
        check.finite(image, means if seen else image)
    return means.to(image.dtype)


def _weights(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    count: int,
    dtype: torch.dtype,
    device: torch.device,
) -> AxisWeights:
    """Work out the weights of intervals `n` on an axis of ``count`` pixels."""
    first = np.floor(low).clip(0, count - 1).astype(np.int64)
    last = (np.ceil(high) - 1).clip(first, count - 1).astype(np.int64)
    taken = last - first + 1
    offsets = taken.cumsum() - taken
    row = np.arange(len(low)).repeat(taken)
    index = np.arange(len(row)) - (offsets - first)[row]
    # The border pixels continue beyond the frame.
    left = np.where(index == 0, -np.inf, index)
    right = np.where(index == count - 1, np.inf, index + 1)
    shared = np.minimum(high[row], right) - np.maximum(low[row], left)
    values = shared.clip(0) / (high - low)[row]

    begin = np.arange(0, len(low), BLOCK)
    start, stop = np.minimum.reduceat(first, begin), np.maximum.reduceat(last, begin) + 1
    height = np.diff(begin, append=len(low))
    ends = (height * (stop - start)).cumsum()
    block = row // BLOCK
    dense = np.zeros(ends[-1])
    where = (ends - height * (stop - start))[block] + (row - begin[block]) * (stop - start)[block]
    dense[where + index - start[block]] = values
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
        whole=bool(first.min() == 0 and last.max() == count - 1),
    )


def _along(image: Tensor, axis: AxisPlan, dim: int) -> Tensor:
    """Average an image `b c h w` along its rows (``dim`` -2) or columns (-1)."""
    if torch.compiler.is_compiling() and not axis.bounds.requires_grad:
        return _product(image, axis.weights, dim)
    if torch.is_grad_enabled() and (image.requires_grad or axis.bounds.requires_grad):
        means: Tensor = _Means.apply(image, axis.bounds, axis.weights, dim)  # type: ignore[no-untyped-call]
        return means
    return _product(image, axis.weights, dim)


def _product(image: Tensor, weights: tuple[AxisWeights, ...], dim: int) -> Tensor:
    if len(weights) == 1:
        return _one_product(image, weights[0], dim)
    images = image.expand(len(weights), -1, -1, -1).split(1)
    return torch.cat(
        [_one_product(one, each, dim) for one, each in zip(images, weights, strict=True)]
    )


def _one_product(image: Tensor, weights: AxisWeights, dim: int) -> Tensor:
    """Multiply all images of a batch by the same weights."""
    if image.device.type == "cpu" and not torch.compiler.is_compiling():
        return _bags(image, weights, dim)
    parts = []
    for start, stop, block in weights.blocks:
        under, block = image.narrow(dim, start, stop - start), block.to(image.dtype)
        parts.append(block @ under if dim == -2 else under @ block.mT)
    return torch.cat(parts, dim=dim)


def _bags(image: Tensor, weights: AxisWeights, dim: int) -> Tensor:
    """Multiply as a sparse matrix, whose factors are rows of a table: what lies at one pixel."""
    batch, channels, height, width = image.shape
    order: tuple[int, ...]
    if dim == -2 and image.is_contiguous():
        # As it lies in memory, each channel being an image of its own.
        table, order = image.view(batch * channels, height, width), (0, 1, 2)
    else:
        order = (0, 2, 3, 1) if dim == -2 else (0, 3, 1, 2)
        table = image.permute(order)
    images, count = table.shape[:2]
    every = torch.arange(images)[:, None]
    means = F.embedding_bag(
        (weights.indices + every * count).flatten(),
        table.detach().reshape(images * count, -1),
        (weights.offsets + every * len(weights.indices)).flatten(),
        mode="sum",
        per_sample_weights=weights.values.to(image.dtype).expand(images, -1).flatten(),
    )
    if len(order) == 3:
        return means.view(batch, channels, -1, width)
    means = means.view(batch, -1, *table.shape[2:])
    # The columns' product reads any layout, and comes last.
    return means.movedim(-1, 1) if dim == -2 else means.movedim(1, -1).contiguous()


def _spread(gradient: Tensor, weights: AxisWeights, shape: torch.Size, dim: int) -> Tensor:
    """Multiply by the transpose of :func:`_one_product`."""
    spread = gradient.new_zeros(shape)
    begin = 0
    for start, stop, block in weights.blocks:
        some = gradient.narrow(dim, begin, len(block))
        block = block.to(gradient.dtype)
        into = spread.narrow(dim, start, stop - start)
        into += block.mT @ some if dim == -2 else some @ block
        begin += len(block)
    return spread


def _dense(image: Tensor, bounds: Tensor, dim: int) -> Tensor:
    """Do what :func:`_along` does by a dense matrix, every step differentiable any number of times.

    Args:
        image: `b c h w`.
        bounds: `b n 2`, in the image's dtype and on its device.
        dim: -2 or -1.
    """
    count = image.shape[dim]
    left = torch.arange(count, device=image.device, dtype=image.dtype)
    right = left + 1
    left[0], right[-1] = -torch.inf, torch.inf
    low, high = bounds[..., :1], bounds[..., 1:]
    shared = torch.minimum(high, right) - torch.maximum(low, left)
    weights = (shared.clamp(min=0) / (high - low))[:, None]
    return weights @ image if dim == -2 else image @ weights.mT


class _Means(torch.autograd.Function):
    """The means along one axis, with their derivatives by image and bounds."""

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
            # Second derivatives are asked for: the products below do not have them.
            wanted = [each for each, need in zip((image, bounds), needed, strict=True) if need]
            again = _dense(image, bounds.to(image), ctx.dim)
            detections = iter(torch.autograd.grad(again, wanted, gradient, create_graph=True))
            return *(next(detections) if need else None for need in needed), None, None
        by_image = _by_image(gradient, image, ctx.weights, ctx.dim) if needed[0] else None
        by_bounds = None
        if needed[1]:
            by_bounds = _by_bounds(gradient, image, means, ctx.weights, ctx.dim)
            by_bounds = by_bounds.to(bounds) / (bounds[..., 1:] - bounds[..., :1])
        return by_image, by_bounds, None, None


def _by_image(
    gradient: Tensor, image: Tensor, weights: tuple[AxisWeights, ...], dim: int
) -> Tensor:
    if len(weights) == 1:
        return _spread(gradient, weights[0], image.shape, dim)
    shape = image[:1].shape
    parts = [
        _spread(one, each, shape, dim) for one, each in zip(gradient.split(1), weights, strict=True)
    ]
    every = torch.cat(parts)
    return every.sum(dim=0, keepdim=True) if len(image) == 1 else every


def _by_bounds(
    gradient: Tensor, image: Tensor, means: Tensor, weights: tuple[AxisWeights, ...], dim: int
) -> Tensor:
    """Return the derivatives by (low, high), `b n 2`, times the intervals' lengths."""
    detections = []
    whole = slice(None)
    for index, each in enumerate(weights):
        own = whole if len(weights) == 1 else slice(index, index + 1)
        source = image if len(image) == 1 else image[own]
        ends = (source.index_select(dim, end) - means[own] for end in (each.first, each.last))
        others = [other for other in (0, 1, 2, 3) if other != dim % 4]
        low, high = ((gradient[own] * end).sum(dim=others) for end in ends)
        detections.append(torch.stack([-low, high], dim=-1))
    return torch.stack(detections)
