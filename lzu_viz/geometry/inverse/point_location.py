"""Search: which piece of a grid holds a point, wherever it lies; slow, sure, in double precision.

The piece is found by comparing the point with the bounding boxes of the pieces, and the place in it
by :mod:`lzu_viz.geometry.inverse.inverse_bilinear`. Every answer is mapped forward again, and
counts only if it comes back to its point.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..bilinear import Located, Pieces, pieces_of
from .inverse_bilinear import refine, solve
from .rasterize import runs

PAIRS_AT_ONCE = 1 << 18
"""How many pairs of a point and a piece are held in memory together."""


def tolerance(values: Tensor) -> float:
    """Return how far, in the source frame, an answer mapped forward may miss its point.

    16 units in the last place: 2e-6 of [-1, 1] in float32, half a thousandth of a pixel on 512.
    """
    return 16 * torch.finfo(values.dtype).eps * max(1.0, float(values.detach().abs().amax()))


def find(grid: Tensor, points: Tensor) -> Located:
    """Find the piece and the place in it of every point.

    Args:
        grid: `b rows+1 columns+1 2`, values at the nodes; no piece folded.
        points: `b n 2`, none NaN; same batch as the grid.

    Returns:
        Both, in float64; row -1 where no piece holds the point.
    """
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
        place_u, place_v, residual = refine(near, flat[of_point], *solve(near, flat[of_point]))
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
    piece, step = runs(last_y - first_y + 1)
    bin_row = (
        image.repeat_interleave(len(low) // batch)[piece] * bins + first_y[piece] + step
    ) * bins
    start = torch.searchsorted(bin_of_point, bin_row + first_x[piece])
    length = torch.searchsorted(bin_of_point, bin_row + last_x[piece], right=True) - start

    chunk = (length.cumsum(0) // PAIRS_AT_ONCE).unique_consecutive(return_counts=True)[1]
    for some in torch.arange(len(length), device=length.device).split(chunk.tolist()):
        run, step = runs(length[some])
        of_point = order[start[some][run] + step]
        of_piece = piece[some][run]
        place = flat[of_point]
        inside = ((place >= low[of_piece]) & (place <= high[of_piece])).all(dim=-1)
        yield of_piece[inside], of_point[inside]


def _bin(points: Tensor, bins: int) -> Tensor:
    """Return each coordinate's bin, of ``bins`` in [-1, 1]; the outermost for what is outside."""
    return ((points + 1) * (bins / 2)).floor().clamp(0, bins - 1).long()
