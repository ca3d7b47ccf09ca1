"""Outlines mapped by a warp: exact bounds of mapped boxes, and polygons with added vertices.

On each piece a warp maps the lines of its grid to straight lines, and any other straight line to a
smooth curve along which both coordinates are monotonic if the line is parallel to an axis. Hence a
mapped side of a box attains its extremes at the box's corners or where it crosses the grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .inverse.invert import invert_axis

BOXES_AT_ONCE = 64
"""Number of boxes that are intersected with the grid at once, to limit memory."""

PARTS = 4
"""Number of straight parts that replace the curve of an edge of a polygon in one piece."""


def nodes(pieces: int, device: torch.device | str | None, dtype: torch.dtype) -> Tensor:
    """Return the `pieces + 1` nodes of one axis, from edge to edge of the frame."""
    return torch.linspace(-1, 1, pieces + 1, device=device, dtype=dtype)


def bounds_in_source(
    boxes: Tensor, pieces: tuple[int, int], to_source: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the bounds, in the source frame, of boxes of the zoomed frame.

    Args:
        boxes: `b n 4`, xyxy in [-1, 1] of the zoomed frame, to which they are clipped.
        pieces: (rows, columns) of the warp.
        to_source: the warp, of points `b n 2`.

    Returns:
        `b n 4`, xyxy of the source frame.
    """
    sides = boxes.clamp(-1, 1)[..., None]
    left, top, right, bottom = sides.unbind(dim=-2)
    rows, columns = pieces
    x = nodes(columns, boxes.device, boxes.dtype).clamp(left, right)
    y = nodes(rows, boxes.device, boxes.dtype).clamp(top, bottom)
    along_x = [torch.stack([x, side.expand_as(x)], dim=-1) for side in (top, bottom)]
    along_y = [torch.stack([side.expand_as(y), y], dim=-1) for side in (left, right)]
    edges = torch.cat(along_x + along_y, dim=-2)
    mapped = to_source(edges.flatten(1, 2)).unflatten(1, edges.shape[1:3])
    return torch.cat([mapped.amin(dim=-2), mapped.amax(dim=-2)], dim=-1)


def bounds_in_zoomed_by_axes(boxes: Tensor, axes: tuple[Tensor, Tensor]) -> Tensor:
    """Return the bounds, in the zoomed frame, of boxes of the source frame, for a separable warp.

    Args:
        boxes: `b n 4`, xyxy of the source frame.
        axes: x and y of the nodes, `b columns+1` and `b rows+1`.

    Returns:
        `b n 4`, xyxy in [-1, 1]; NaN for boxes outside the part of the source that the warp covers.
    """
    bounds = []
    for axis, values in enumerate(axes):
        low, high = boxes[..., axis], boxes[..., axis + 2]
        first, last = values[:, :1], values[:, -1:]
        outside = (high < first) | (low > last)
        for end in (low, high):
            inverse = invert_axis(values, torch.minimum(torch.maximum(end, first), last))
            bounds.append(torch.where(outside, torch.nan, inverse))
    left, right, top, bottom = bounds
    result = torch.stack([left, top, right, bottom], dim=-1)
    return torch.where(result.isnan().any(dim=-1, keepdim=True), torch.nan, result)


def bounds_in_zoomed(boxes: Tensor, grid: Tensor, to_zoomed: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the bounds, in the zoomed frame, of boxes of the source frame, for any warp.

    Args:
        boxes: `b n 4`, xyxy of the source frame.
        grid: `b rows+1 columns+1 2`, the warp's nodes.
        to_zoomed: the inverse of the warp, of points `b n 2`.

    Returns:
        `b n 4`, xyxy in [-1, 1]; NaN for boxes outside the part of the source that the warp covers.
    """
    parts = [_bounds_in_zoomed(part, grid, to_zoomed) for part in boxes.split(BOXES_AT_ONCE, dim=1)]
    return torch.cat(parts, dim=1)


def _bounds_in_zoomed(boxes: Tensor, grid: Tensor, to_zoomed: Callable[[Tensor], Tensor]) -> Tensor:
    left, top, right, bottom = boxes.unbind(dim=-1)
    corners = torch.stack(
        [torch.stack([x, y], dim=-1) for x in (left, right) for y in (top, bottom)], dim=2
    )
    inverse = to_zoomed(corners.flatten(1, 2)).unflatten(1, corners.shape[1:3])
    candidates, valid = [inverse], [inverse.isfinite().all(dim=-1)]
    zoomed = _identity_grid(grid)
    # Nodes inside a box: only those at the frame's edge can be extreme, where the warp crops.
    x, y = grid.flatten(1, 2)[:, None].unbind(dim=-1)
    inside = (x >= left[..., None]) & (x <= right[..., None])
    inside = inside & (y >= top[..., None]) & (y <= bottom[..., None])
    candidates.append(zoomed.flatten(1, 2)[:, None].expand(*inside.shape, 2))
    valid.append(inside)
    for start, stop, zoomed_start, zoomed_stop in _edges(grid, zoomed):
        for side, axis in ((left, 0), (right, 0), (top, 1), (bottom, 1)):
            low, high = (top, bottom) if axis == 0 else (left, right)
            at, other = _crossing(start, stop, side[..., None], axis)
            hits = (at >= 0) & (at <= 1) & (other >= low[..., None]) & (other <= high[..., None])
            at = torch.where(hits, at, 0.0)[..., None]
            candidates.append(torch.lerp(zoomed_start, zoomed_stop, at))
            valid.append(hits)
    points, is_valid = torch.cat(candidates, dim=2), torch.cat(valid, dim=2)[..., None]
    low = torch.where(is_valid, points, torch.inf).amin(dim=2)
    high = torch.where(is_valid, points, -torch.inf).amax(dim=2)
    return torch.where(is_valid.any(dim=2), torch.cat([low, high], dim=-1), torch.nan)


def _identity_grid(grid: Tensor) -> Tensor:
    """Return the nodes in the zoomed frame, `1 rows+1 columns+1 2`."""
    y, x = (nodes(count - 1, grid.device, grid.dtype) for count in grid.shape[1:3])
    return torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)[None]


def _edges(grid: Tensor, zoomed: Tensor) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Return both ends of the grid's edges along x, and of those along y, in both frames.

    Returns:
        For each direction: start and stop in the source frame, and in the zoomed frame, each `b 1
        e 2`.
    """
    ends = []
    for part in (
        (slice(None), slice(None, -1), slice(None), slice(1, None)),
        (slice(None, -1), slice(None), slice(1, None), slice(None)),
    ):
        rows, columns, next_rows, next_columns = part
        ends.append(
            tuple(
                values[:, some_rows, some_columns].flatten(1, 2)[:, None]
                for values in (grid, zoomed)
                for some_rows, some_columns in ((rows, columns), (next_rows, next_columns))
            )
        )
    return [(start, stop, first, last) for start, stop, first, last in ends]


def _crossing(start: Tensor, stop: Tensor, value: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return where edges reach a value of one coordinate, in 0..1, and the other coordinate there.

    Args:
        start: `b 1 e 2`.
        stop: `b 1 e 2`.
        value: `b n 1`.
        axis: of the coordinate.
    """
    step = stop - start
    along, other = step[..., axis], step[..., 1 - axis]
    # Edges parallel to the side begin or end at other edges that cross it.
    parallel = along == 0
    at = (value - start[..., axis]) / torch.where(parallel, 1.0, along)
    at = torch.where(parallel, -1.0, at)
    return at, start[..., 1 - axis] + at * other


def subdivide_in_zoomed(polygon: Tensor, pieces: tuple[int, int]) -> Tensor:
    """Return a polygon of the zoomed frame with vertices added where it crosses the grid.

    Between two of these vertices, `PARTS - 1` further ones approximate the curve of the mapped
    edge.

    Args:
        polygon: `n 2`, (x, y) of the zoomed frame; the last vertex is joined to the first.
        pieces: (rows, columns) of the warp.

    Returns:
        `m 2`.
    """
    crossings = []
    start, step = polygon, polygon.roll(-1, dims=0) - polygon
    for axis, count in ((0, pieces[1]), (1, pieces[0])):
        lines = nodes(count, polygon.device, polygon.dtype)
        along = step[:, axis, None]
        crossings.append((lines - start[:, axis, None]) / torch.where(along == 0, torch.nan, along))
    return _with_vertices(polygon, torch.cat(crossings, dim=1))


def subdivide_in_source(polygon: Tensor, grid: Tensor) -> Tensor:
    """Return a polygon of the source frame with vertices added where it crosses the warp's grid.

    Args:
        polygon: `n 2`, (x, y) of the source frame; the last vertex is joined to the first.
        grid: `1 rows+1 columns+1 2`, the warp's nodes.

    Returns:
        `m 2`.
    """
    crossings = []
    step = (polygon.roll(-1, dims=0) - polygon)[:, None]
    for start, stop, _, _ in _edges(grid, grid):
        edge = (stop - start)[0]
        # Solve polygon + t * step = start + s * edge.
        offset = start[0] - polygon[:, None]
        area = step[..., 0] * edge[..., 1] - step[..., 1] * edge[..., 0]
        area = torch.where(area == 0, torch.nan, area)
        at = (offset[..., 0] * edge[..., 1] - offset[..., 1] * edge[..., 0]) / area
        along = (offset[..., 0] * step[..., 1] - offset[..., 1] * step[..., 0]) / area
        crossings.append(torch.where((along >= 0) & (along <= 1), at, torch.nan))
    return _with_vertices(polygon, torch.cat(crossings, dim=1))


def _with_vertices(polygon: Tensor, at: Tensor) -> Tensor:
    """Return a polygon with vertices added at fractions `n k` of its edges, and between them."""
    following = polygon.roll(-1, dims=0)
    vertices = []
    for start, stop, fractions in zip(polygon, following, at, strict=True):
        inner = fractions[(fractions > 0) & (fractions < 1)].detach()
        ends = torch.cat([fractions.new_zeros(1), inner.sort().values, fractions.new_ones(1)])
        parts = torch.arange(PARTS, device=ends.device, dtype=ends.dtype) / PARTS
        positions = torch.lerp(ends[:-1, None], ends[1:, None], parts).flatten()
        vertices.append(torch.lerp(start, stop, positions.unique()[:, None]))
    return torch.cat(vertices)
