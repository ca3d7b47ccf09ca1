r"""The warp backwards: from the source frame to the zoomed frame.

Separable: on each axis a monotone piecewise linear function; find the piece by bisection, then
    divide.

Non-separable: find the piece (`rasterize` for the pixels of an image, `point_location` for any
points), then solve it (`inverse_bilinear`). Each pixel certifies its own answer: mapped forward
inside its piece, it has to come back to the pixel.

Whatever way an answer z was found, its derivatives are those of the equation T(z) = p that it
solves (implicit function theorem), with J the Jacobian of T at z:

.. math:: dz = J^{-1} (dp - dT)
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..bilinear import Pieces, cross, locate, pieces_of, to_frame
from ..check import Size
from ..resampling import axis_centres
from .inverse_bilinear import solve
from .point_location import find, tolerance
from .rasterize import pieces_under

PIXELS_AT_ONCE = 1 << 14
"""How many pixels a CPU solves together: few enough to stay in a core's cache."""


def invert_axis(nodes: Tensor, points: Tensor) -> Tensor:
    """Undo a piecewise linear function of one axis.

    Args:
        nodes: `b k+1`, strictly rising values at k + 1 equally spaced nodes of [-1, 1].
        points: `b n`, values; a batch of 1 serves any batch of nodes, and the other way round.

    Returns:
        `b n` in [-1, 1], differentiable in both; NaN where no point has that value.

    Example:
        >>> nodes = torch.tensor([[-1.0, 0.5, 1.0]])
        >>> invert_axis(nodes, torch.tensor([[-1.0, -0.25, 0.5, 0.75, 1.1]]))
        tensor([[-1.0000, -0.5000,  0.0000,  0.5000,     nan]])
    """
    count = nodes.shape[-1] - 1
    if len(nodes) != len(points):
        batch = max(len(nodes), len(points))
        nodes, points = nodes.expand(batch, -1), points.expand(batch, -1)
    inner = nodes[:, 1:-1].detach().contiguous()
    piece = torch.searchsorted(inner, points.detach().contiguous(), right=True)
    low = nodes.gather(1, piece)
    step = nodes.gather(1, piece + 1) - low
    local = (points - low) / step
    inside = local.clamp(0, 1)
    answer = (piece + inside) * (2 / count) - 1
    if bool((local != inside).any()):
        known = ((local - inside) * step).abs() <= tolerance(nodes)
        answer = torch.where(known, answer, torch.nan)
    return answer


def invert_pieces(grid: Tensor, points: Tensor) -> Tensor:
    """Undo a piecewise bilinear function at any points.

    Args:
        grid: `b rows+1 columns+1 2`, values at equally spaced nodes of the frame; no piece folded.
        points: `b n 2`, values, none NaN; same batch as the grid.

    Returns:
        `b n 2` in [-1, 1], differentiable in both; NaN where no point has that value.
    """
    with torch.no_grad():
        piece, answer = _searched(grid.detach(), points.detach())
    return _differentiable(grid, points, piece, answer)


def invert_pixels(grid: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """Undo a piecewise bilinear function at the centres of all pixels, of several images at once.

    Args:
        grid: as in :func:`invert_pieces`.
        sizes: (rows, columns) of each image, all over the same frame.

    Returns:
        For each image `b h w 2` in [-1, 1], differentiable in the grid; NaN where no point of the
        zoomed frame is mapped to that pixel.
    """
    with torch.no_grad():
        piece = pieces_under(grid.detach(), sizes)
        answer = _solved(grid.detach(), sizes, piece)
    answer = _differentiable(grid, None, piece, answer)
    parts = answer.split([height * width for height, width in sizes], dim=1)
    return [part.unflatten(1, size) for part, size in zip(parts, sizes, strict=True)]


def _solved(grid: Tensor, sizes: Sequence[Size], piece: Tensor) -> Tensor:
    """Solve pieces `b n` for all pixels; search for those whose answer is not certain.

    Of these, ``piece`` is put right. Without a piece the answer is NaN.
    """
    slack = tolerance(grid) / 4
    # What is read together lies together, here and in the table: all x, then all y.
    centres = [_centres(size, grid) for size in sizes]
    points = (torch.cat(centres, dim=1) if len(centres) > 1 else centres[0]).T
    answer = grid.new_empty(len(grid), 2, len(points)).mT
    at_once = PIXELS_AT_ONCE if grid.device.type == "cpu" else len(points)
    # Memory that is asked for again and again takes longer to come than to fill.
    read = grid.new_empty(10, min(at_once, len(points)))
    for image, table in enumerate(_table(grid)):
        for start in range(0, len(points), at_once):
            some = slice(start, start + at_once)
            mine, which = answer[image, some], piece[image, some]
            if len(which) != read.shape[1]:
                read = grid.new_empty(10, len(which))
            torch.index_select(table, 1, which + 1, out=read)
            *coefficients, corner = read.unflatten(0, (5, 2)).mT
            u, v, residual = solve(Pieces(*coefficients), points[some])
            torch.add(corner[:, 0], u, alpha=2 / (grid.shape[2] - 1), out=mine[:, 0])
            torch.add(corner[:, 1], v, alpha=2 / (grid.shape[1] - 1), out=mine[:, 1])
            certain = residual <= slack
            if not bool(certain.all()):
                index = ((which >= 0) & ~certain).nonzero()[:, 0]
                again = points[some][index][None]
                which[index], mine[index] = (
                    each[0] for each in _searched(grid[image : image + 1], again)
                )
    return answer


def _centres(size: Size, like: Tensor) -> Tensor:
    """Return the centres of an image's pixels as `2 n`: all x, then all y."""
    y, x = (axis_centres(count, like.device, like.dtype) for count in size)
    return torch.stack(torch.broadcast_tensors(x, y[:, None])).flatten(1)


def _table(grid: Tensor) -> Tensor:
    """Return for each image the numbers of each piece: `b 10 pieces+1`; the first is none, all NaN.

    They are its coefficients and its corner in the zoomed frame; x and y of each.
    """
    pieces = grid.shape[1] - 1, grid.shape[2] - 1
    corner = _corners(pieces, grid.device, grid.dtype).expand(len(grid), -1, -1, -1)
    numbers = torch.cat([*pieces_of(grid), corner], dim=-1).flatten(1, 2).mT
    return F.pad(numbers, (1, 0), value=torch.nan).contiguous()


@lru_cache(maxsize=64)
def _corners(pieces: Size, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the first corner of each piece in the zoomed frame: `rows columns 2`."""
    with torch.inference_mode(False):
        y, x = (torch.arange(n, dtype=dtype, device=device) * (2 / n) - 1 for n in pieces)
        return torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)


def _searched(grid: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the piece `b n`, -1 for none, and the inverse `b n 2`, NaN for none, of any points."""
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    place = find(grid, points)
    known = place.row >= 0
    answer = torch.where(known[..., None], to_frame(place, rows, columns), torch.nan)
    piece = torch.where(known, place.row * columns + place.column, -1)
    return piece.int(), answer.to(points.dtype)


def _differentiable(grid: Tensor, points: Tensor | None, piece: Tensor, answer: Tensor) -> Tensor:
    """Connect answers `b n 2` in pieces `b n` with the grid and points that they follow from."""
    moving = grid.requires_grad or (points is not None and points.requires_grad)
    if not (torch.is_grad_enabled() and moving):
        return answer
    pieces = grid.shape[1] - 1, grid.shape[2] - 1
    coefficients = torch.cat([each.flatten(1, 2) for each in pieces_of(grid)], dim=-1).mT
    connected: Tensor = _Inverse.apply(coefficients, points, piece, answer, pieces)  # type: ignore[no-untyped-call]
    return connected


class _Inverse(torch.autograd.Function):
    """Pass on answers that were found, with the derivatives of the equation that they solve."""

    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, points: Tensor, piece: Tensor, answer: Tensor, pieces: Size
    ) -> Tensor:
        answer = answer.view_as(answer)
        ctx.save_for_backward(coefficients, piece, answer)
        ctx.pieces = pieces
        return answer

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, piece, answer = ctx.saved_tensors
        rows, columns = ctx.pieces
        known = (piece >= 0)[..., None]
        # Where there is no answer any place serves, and nothing flows.
        place = locate(torch.where(known, answer, 0.0), rows, columns)
        index = piece.clamp(min=0).long()
        u = place.u + place.column - index % columns
        v = place.v + place.row - index.div(columns, rounding_mode="floor")
        index = index[:, None].expand(-1, 8, -1)
        mine = Pieces(*coefficients.gather(2, index).unflatten(1, (4, 2)).permute(1, 0, 3, 2))
        along_u, along_v = mine.derivatives(u, v)
        by_u, by_v = torch.where(known, gradient, 0.0).unbind(-1)
        by_u, by_v = by_u * (2 / columns), by_v * (2 / rows)
        x = by_u * along_v[..., 1] - by_v * along_u[..., 1]
        y = by_v * along_u[..., 0] - by_u * along_v[..., 0]
        back = torch.stack([x, y], dim=1) / cross(along_u, along_v)[:, None]
        weights = torch.stack([torch.ones_like(u), u, v, u * v], dim=1)
        share = (weights[:, :, None] * back[:, None]).flatten(1, 2)
        total = torch.zeros_like(coefficients).scatter_add(2, index, share)
        return -total, back.mT if ctx.needs_input_grad[1] else None, None, None, None
