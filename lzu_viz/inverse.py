r"""The warp backwards: from the source frame to the zoomed frame, in closed form on each piece.

Separable: on each axis a monotone piecewise linear function; find the piece by bisection, then
    divide.

Non-separable: which piece holds a point is found by comparing it with the bounding boxes of the
pieces. In a piece, with q = p - P00 and the coefficients of :mod:`lzu_viz.bilinear`, eliminating u
from q = u b + v c + u v d gives

.. math:: v^2 (d \times c) + v\, (b \times c + q \times d) + q \times b = 0

whose derivative at a solution is the Jacobian determinant. In a piece that is not folded that is
positive, which tells the right root from the wrong one; written with the root in the denominator it
also covers parallelograms (d = 0), where the equation is linear. Every answer is mapped forward
again, and counts only if it comes back to its point.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from .bilinear import (
    Located,
    Pieces,
    cross,
    delocate,
    determinant,
    differentiate,
    evaluate,
    pieces_of,
)

PAIRS_AT_ONCE = 1 << 20
"""How many pairs of a point and a piece are held in memory together."""


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
    batch, count = max(len(nodes), len(points)), nodes.shape[-1] - 1
    nodes, points = nodes.expand(batch, -1), points.expand(batch, -1)
    inner = nodes[:, 1:-1].detach().contiguous()
    piece = torch.searchsorted(inner, points.detach().contiguous(), right=True)
    low, high = nodes.gather(1, piece), nodes.gather(1, piece + 1)
    local = (points - low) / (high - low)
    slack = tolerance(nodes)
    known = (points >= nodes[:, :1] - slack) & (points <= nodes[:, -1:] + slack)
    return torch.where(known, (piece + local.clamp(0, 1)) * (2 / count) - 1, torch.nan)


def invert_pieces(grid: Tensor, points: Tensor) -> Tensor:
    """Undo a piecewise bilinear function.

    Args:
        grid: `b rows+1 columns+1 2`, values at equally spaced nodes of the frame; no piece folded.
        points: `b n 2`, values, none NaN; same batch as the grid.

    Returns:
        `b n 2` in [-1, 1], differentiable in both; NaN where no point has that value.
    """
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    with torch.no_grad():
        found = _search(grid.detach(), points.detach())
        known = (found.row >= 0)[..., None]
        answer = torch.where(known, delocate(found, rows, columns), 0.0).to(points.dtype)
        slopes = differentiate(grid, answer)
    # The derivative of the inverse, by the implicit function theorem, is that of one Newton step at
    # the answer, whatever way the answer was found. The step itself is only rounding.
    miss = points - evaluate(grid, answer)
    along_x, along_y = slopes[..., 0], slopes[..., 1]
    step = torch.stack([cross(miss, along_y), cross(along_x, miss)], dim=-1)
    step = step / determinant(slopes)[..., None]
    return torch.where(known, answer + (step - step.detach()), torch.nan)


def tolerance(values: Tensor) -> float:
    """Give how far, in the source frame, an answer mapped forward may miss its point.

    16 units in the last place: 2e-6 of [-1, 1] in float32, half a thousandth of a pixel on 512.
    """
    return 16 * torch.finfo(values.dtype).eps * max(1.0, float(values.detach().abs().amax()))


def _search(grid: Tensor, points: Tensor) -> Located:
    """Find the piece and the place in it of every point; row -1 where no piece holds it."""
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    batch, count = points.shape[:2]
    slack = tolerance(grid)
    # In a piece that is nearly a triangle, float32 loses points that lie well inside.
    grid, points = grid.double(), points.double()
    pieces = Pieces(*(each.reshape(-1, 2) for each in pieces_of(grid)))
    flat = points.reshape(-1, 2)
    best = flat.new_full((batch * count,), torch.inf)
    piece = torch.full_like(best, -1, dtype=torch.long)
    u, v = torch.zeros_like(best), torch.zeros_like(best)
    for of_piece, of_point in _candidates(grid, points, slack):
        near = Pieces(*(each[of_piece] for each in pieces))
        place_u, place_v, residual = _solve(near, flat[of_point])
        closest = best.scatter_reduce(0, of_point, residual, "amin")
        wins = ((residual == closest[of_point]) & (residual < best[of_point])).nonzero()[:, 0]
        # On a shared edge two pieces may answer alike; one of them is taken, for all three values.
        taken = torch.full_like(piece, -1)
        taken[of_point[wins]] = wins
        index = (taken >= 0).nonzero()[:, 0]
        pair = taken[index]
        piece[index], u[index], v[index] = of_piece[pair], place_u[pair], place_v[pair]
        best = closest
    piece = torch.where(best <= slack, piece, -1)
    row = torch.where(piece >= 0, piece % (rows * columns) // columns, -1)
    shape = (batch, count)
    return Located(row.view(shape), (piece % columns).view(shape), u.view(shape), v.view(shape))


def _solve(pieces: Pieces, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Solve `n` pieces for `n 2` points: u and v in [0, 1], and how far T(u, v) misses."""
    origin, b, c, d = pieces
    q = points - origin
    square, linear, constant = cross(d, c), cross(b, c) + cross(q, d), cross(q, b)
    root = (linear**2 - 4 * square * constant).clamp(min=0).sqrt()
    # Of the two ways to write the same root, the one that does not subtract nearly equal numbers.
    v = torch.where(linear >= 0, -2 * constant / (linear + root), (root - linear) / (2 * square))
    v = v.nan_to_num(0.5).clamp(0, 1)
    side = b + v[:, None] * d
    u = ((q - v[:, None] * c) * side).sum(dim=-1) / side.square().sum(dim=-1)
    u = u.clamp(0, 1)
    # A Newton step mends what cancellation took; kept only where it helps.
    miss = points - pieces.at(u, v)
    along_u, along_v = pieces.slopes(u, v)
    area = cross(along_u, along_v)
    better_u = (u + cross(miss, along_v) / area).clamp(0, 1)
    better_v = (v + cross(along_u, miss) / area).clamp(0, 1)
    after = (points - pieces.at(better_u, better_v)).abs().amax(dim=-1)
    before = miss.abs().amax(dim=-1)
    helps = after < before
    return (
        torch.where(helps, better_u, u),
        torch.where(helps, better_v, v),
        torch.where(helps, after, before),
    )


def _candidates(grid: Tensor, points: Tensor, slack: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Pair each point with the pieces whose bounding box holds it.

    The source frame is cut into bins and the points are sorted by bin. The points in one row of
    bins under a bounding box are then one run of the sorted list.

    Yields:
        Pairs (index of the piece, index of the point), both flat over the batch, some at a time.
    """
    batch, count = points.shape[:2]
    bins = min(max(round((count / 4) ** 0.5), 1), 512)
    corners = torch.stack([grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, :-1], grid[:, 1:, 1:]])
    low = corners.amin(dim=0).reshape(-1, 2) - slack
    high = corners.amax(dim=0).reshape(-1, 2) + slack
    image = torch.arange(batch, device=points.device)

    flat = points.reshape(-1, 2)
    bin_x, bin_y = _bin(flat, bins).unbind(-1)
    bin_of_point, order = ((image.repeat_interleave(count) * bins + bin_y) * bins + bin_x).sort()

    (first_x, first_y), (last_x, last_y) = _bin(low, bins).unbind(-1), _bin(high, bins).unbind(-1)
    piece, step = _ragged(last_y - first_y + 1)
    bin_row = (
        image.repeat_interleave(len(low) // batch)[piece] * bins + first_y[piece] + step
    ) * bins
    start = torch.searchsorted(bin_of_point, bin_row + first_x[piece])
    length = torch.searchsorted(bin_of_point, bin_row + last_x[piece], right=True) - start

    chunk = (length.cumsum(0) // PAIRS_AT_ONCE).unique_consecutive(return_counts=True)[1]
    for runs in torch.arange(len(length), device=length.device).split(chunk.tolist()):
        run, step = _ragged(length[runs])
        of_point = order[start[runs][run] + step]
        of_piece = piece[runs][run]
        place = flat[of_point]
        inside = ((place >= low[of_piece]) & (place <= high[of_piece])).all(dim=-1)
        yield of_piece[inside], of_point[inside]


def _bin(points: Tensor, bins: int) -> Tensor:
    """Give each coordinate's bin, of ``bins`` in [-1, 1]; the outermost for what is outside."""
    return ((points + 1) * (bins / 2)).floor().clamp(0, bins - 1).long()


def _ragged(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Count up to each length in turn: (2, 0, 1) gives runs (0, 0, 2) and steps (0, 1, 0)."""
    run = torch.repeat_interleave(lengths)
    return run, torch.arange(len(run), device=run.device) - (lengths.cumsum(0) - lengths)[run]
