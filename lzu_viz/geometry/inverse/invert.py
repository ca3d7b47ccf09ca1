r"""The inverse of a warp: from the source to the zoomed frame.

Separable: each axis is a monotone piecewise linear function; find the piece by bisection, then
divide.

Non-separable: find the piece (`rasterize` for the pixels of an image, `point_location` for any
points), then solve for the local coordinates (`inverse_bilinear`). Each solution is verified: the
forward map in its piece has to reproduce the point.

The derivatives of a solution z of T(z) = p follow from the implicit function theorem, with J the
Jacobian of T at z:

.. math:: dz = J^{-1} (dp - dT)
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import check
from ..bilinear import Pieces, cross, locate, pieces_of, to_frame
from ..caching import cached_tensor
from ..check import Size
from ..resampling import axis_centres
from .inverse_bilinear import has_positive_linear_terms, solve
from .point_location import find, tolerance
from .rasterize import pieces_under

PIXELS_AT_ONCE = 1 << 14
"""Number of pixels solved at once on a CPU; small enough to stay in a core's cache."""


def invert_axis(nodes: Tensor, points: Tensor, *, all_attained: bool = False) -> Tensor:
    """Return the inverse of a piecewise linear function of one axis.

    Args:
        nodes: `b k+1`, strictly increasing values at k + 1 equally spaced nodes of [-1, 1].
        points: `b n`, values; nodes or points of batch 1 are broadcast.
        all_attained: whether all values are known to be attained.

    Returns:
        `b n` in [-1, 1], differentiable in both; NaN where a value is not attained.

    Example:
        >>> nodes = torch.tensor([[-1.0, 0.5, 1.0]])
        >>> invert_axis(nodes, torch.tensor([[-1.0, -0.25, 0.5, 0.75, 1.1]]))
        tensor([[-1.0000, -0.5000,  0.0000,  0.5000,     nan]])
    """
    count = nodes.shape[-1] - 1
    if nodes.shape[0] != points.shape[0]:
        batch = points.shape[0] if nodes.shape[0] == 1 else nodes.shape[0]
        nodes, points = nodes.expand(batch, -1), points.expand(batch, -1)
    inner, values = nodes[:, 1:-1].detach().contiguous(), points.detach().contiguous()
    if torch.compiler.is_compiling():
        # The number of inner nodes up to a value: ONNX has no bisection.
        piece = (values[:, :, None] >= inner[:, None]).sum(dim=-1)
    else:
        piece = torch.searchsorted(inner, values, right=True)
    low = nodes.gather(1, piece)
    width = nodes.gather(1, piece + 1) - low
    local = (points - low) / width
    inside = local.clamp(0, 1)
    inverse = (piece + inside) * (2 / count) - 1
    if not all_attained and check.value_of((local != inside).any()) is not False:
        attained = ((local - inside) * width).abs() <= tolerance(nodes)
        inverse = torch.where(attained, inverse, torch.nan)
    return inverse


def invert_pieces(grid: Tensor, points: Tensor) -> Tensor:
    """Return the inverse of a piecewise bilinear function at any points.

    Args:
        grid: `b rows+1 columns+1 2`, values at equally spaced nodes of the frame; no piece folded.
        points: `b n 2`, values, none NaN; same batch as the grid.

    Returns:
        `b n 2` in [-1, 1], differentiable in both; NaN where a value is not attained.
    """
    with torch.no_grad():
        piece, inverse = _searched(grid.detach(), points.detach())
    return _differentiable(grid, points, piece, inverse)


def invert_pixels(grid: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """Return the inverse of a piecewise bilinear function at all pixel centres of several images.

    Args:
        grid: as in :func:`invert_pieces`.
        sizes: (rows, columns) of each image; each spans the same frame.

    Returns:
        `b h w 2` in [-1, 1] for each image, differentiable in the grid; NaN where no point of the
        zoomed frame is mapped to the pixel.
    """
    with torch.no_grad():
        piece = pieces_under(grid.detach(), sizes)
        inverse = _solved(grid.detach(), sizes, piece)
    inverse = _differentiable(grid, None, piece, inverse)
    parts = inverse.split([height * width for height, width in sizes], dim=1)
    return [part.unflatten(1, size) for part, size in zip(parts, sizes, strict=True)]


def _solved(grid: Tensor, sizes: Sequence[Size], piece: Tensor) -> Tensor:
    """Return the inverse at all pixels, given their pieces `b n`; NaN where there is no piece.

    Where the residual is too large, the piece is searched, and ``piece`` is corrected in place.
    Values are read from the device a constant number of times, whatever the batch.
    """
    slack = tolerance(grid) / 4
    # All x before all y, here and in the table, so that memory accesses are contiguous.
    centres = [_centres(size, grid) for size in sizes]
    points = (torch.cat(centres, dim=1) if len(centres) > 1 else centres[0]).T
    inverse = grid.new_empty(len(grid), 2, len(points)).mT
    accurate = torch.empty_like(piece, dtype=torch.bool)
    table, ordinary = _table(grid), has_positive_linear_terms(grid)
    at_once = PIXELS_AT_ONCE if grid.device.type == "cpu" else len(points)
    # Reuse one buffer, as repeated allocation takes longer than filling it.
    buffer = grid.new_empty(10, min(at_once, len(points)))
    for image in range(len(grid)):
        for start in range(0, len(points), at_once):
            chunk = slice(start, start + at_once)
            chunk_inverse, chunk_piece = inverse[image, chunk], piece[image, chunk]
            if len(chunk_piece) != buffer.shape[1]:
                buffer = grid.new_empty(10, len(chunk_piece))
            torch.index_select(table[image], 1, chunk_piece + 1, out=buffer)
            *coefficients, corner = buffer.unflatten(0, (5, 2)).mT
            u, v, residual = solve(Pieces(*coefficients), points[chunk], ordinary=ordinary)
            torch.add(corner[:, 0], u, alpha=2 / (grid.shape[2] - 1), out=chunk_inverse[:, 0])
            torch.add(corner[:, 1], v, alpha=2 / (grid.shape[1] - 1), out=chunk_inverse[:, 1])
            torch.le(residual, slack, out=accurate[image, chunk])
    unsolved = (piece >= 0) & ~accurate
    count = int(unsolved.sum(dim=1).amax()) if len(grid) else 0
    if count:
        # As many points of each image; solved ones among them are left as they are.
        index = unsolved.byte().topk(count, dim=1).indices
        some = torch.gather(unsolved, 1, index)
        points_of_image = points[index]
        searched_piece, searched = _searched(grid, points_of_image)
        piece.scatter_(1, index, torch.where(some, searched_piece, piece.gather(1, index)))
        index, some = index[..., None].expand(-1, -1, 2), some[..., None]
        inverse.scatter_(1, index, torch.where(some, searched, inverse.gather(1, index)))
    return inverse


def _centres(size: Size, like: Tensor) -> Tensor:
    """Return the pixel centres of an image as `2 n`: all x, then all y."""
    y, x = (axis_centres(count, like.device, like.dtype) for count in size)
    return torch.stack(torch.broadcast_tensors(x, y[:, None])).flatten(1)


def _table(grid: Tensor) -> Tensor:
    """Return a table of the pieces, `b 10 pieces+1`; entry 0, for no piece, is NaN.

    The 10 rows are x and y of the four coefficients and of the first corner in the zoomed frame.
    """
    pieces = grid.shape[1] - 1, grid.shape[2] - 1
    corner = _corners(pieces, grid.device, grid.dtype).expand(len(grid), -1, -1, -1)
    values = torch.cat([*pieces_of(grid), corner], dim=-1).flatten(1, 2).mT
    return F.pad(values, (1, 0), value=torch.nan).contiguous()


@cached_tensor
def _corners(pieces: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the first corner of each piece in the zoomed frame: `rows columns 2`."""
    y, x = (torch.arange(n, dtype=dtype, device=device) * (2 / n) - 1 for n in pieces)
    return torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)


def _searched(grid: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the piece `b n` (-1: none) and the inverse `b n 2` (NaN: none) of any points."""
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    location = find(grid, points)
    found = location.row >= 0
    inverse = torch.where(found[..., None], to_frame(location, rows, columns), torch.nan)
    piece = torch.where(found, location.row * columns + location.column, -1)
    return piece.int().to(points.device), inverse.to(points.dtype).to(points.device)


def _differentiable(grid: Tensor, points: Tensor | None, piece: Tensor, inverse: Tensor) -> Tensor:
    """Return the solutions `b n 2` in pieces `b n`, differentiable in the grid and the points."""
    differentiated = [
        tensor
        for tensor in (grid, points)
        if tensor is not None and check.is_differentiated(tensor)
    ]
    in_reverse_mode_only = all(tensor.requires_grad for tensor in differentiated)
    if not differentiated or (in_reverse_mode_only and not torch.is_grad_enabled()):
        return inverse
    pieces = grid.shape[1] - 1, grid.shape[2] - 1
    coefficients = torch.cat(
        [coefficient.flatten(1, 2) for coefficient in pieces_of(grid)], dim=-1
    ).mT
    connected: Tensor = _Inverse.apply(coefficients, points, piece, inverse, pieces)  # type: ignore[no-untyped-call]
    return connected


class _Inverse(torch.autograd.Function):
    """The identity on solutions, with derivatives by the implicit function theorem."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        coefficients: Tensor, points: Tensor | None, piece: Tensor, inverse: Tensor, pieces: Size
    ) -> Tensor:
        return inverse.view_as(inverse)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        coefficients, _, piece, _, pieces = inputs
        # The output, not the input, so that second derivatives go through it.
        ctx.save_for_backward(coefficients, piece, output)
        ctx.save_for_forward(coefficients, piece, output)
        ctx.pieces = pieces

    @staticmethod
    def jvp(ctx: Any, of_coefficients: Tensor, of_points: Tensor | None, *others: object) -> Tensor:
        """Return the derivative along tangents: dz = J^-1 (dp - dT)."""
        coefficients, piece, inverse = ctx.saved_tensors
        solved, index, u, v, along_u, along_v = _local(coefficients, piece, inverse, ctx.pieces)
        change = torch.zeros_like(inverse)
        if of_coefficients is not None:
            tangents = of_coefficients.gather(2, index).unflatten(1, (4, 2))
            change = change - Pieces(*tangents.permute(1, 0, 3, 2)).at(u, v)
        if of_points is not None:
            change = change + of_points
        area = cross(along_u, along_v)
        rows, columns = ctx.pieces
        by_u, by_v = cross(change, along_v) / area, cross(along_u, change) / area
        step = torch.stack([by_u * (2 / columns), by_v * (2 / rows)], dim=-1)
        return torch.where(solved, step, 0.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, piece, inverse = ctx.saved_tensors
        rows, columns = ctx.pieces
        solved, index, u, v, along_u, along_v = _local(coefficients, piece, inverse, ctx.pieces)
        by_u, by_v = torch.where(solved, gradient, 0.0).unbind(-1)
        by_u, by_v = by_u * (2 / columns), by_v * (2 / rows)
        x = by_u * along_v[..., 1] - by_v * along_u[..., 1]
        y = by_v * along_u[..., 0] - by_u * along_v[..., 0]
        back = torch.stack([x, y], dim=1) / cross(along_u, along_v)[:, None]
        weights = torch.stack([torch.ones_like(u), u, v, u * v], dim=1)
        contribution = (weights[:, :, None] * back[:, None]).flatten(1, 2)
        total = torch.zeros_like(coefficients).scatter_add(2, index, contribution)
        return -total, back.mT if ctx.needs_input_grad[1] else None, None, None, None


def _local(
    coefficients: Tensor, piece: Tensor, inverse: Tensor, pieces: Size
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return local quantities of solutions.

    Returns:
        `b n 1`, whether there is a solution; `b 8 n`, the index of its piece for each coefficient;
        u and v, each `b n`; and the derivatives along them, each `b n 2`.
    """
    rows, columns = pieces
    solved = (piece >= 0)[..., None]
    # Without a solution the location is arbitrary, as its derivatives are set to zero.
    location = locate(torch.where(solved, inverse, 0.0), rows, columns)
    index = piece.clamp(min=0).long()
    u = location.u + location.column - index % columns
    v = location.v + location.row - index.div(columns, rounding_mode="floor")
    index = index[:, None].expand(-1, 8, -1)
    selected = Pieces(*coefficients.gather(2, index).unflatten(1, (4, 2)).permute(1, 0, 3, 2))
    along_u, along_v = selected.derivatives(u, v)
    return solved, index, u, v, along_u, along_v
