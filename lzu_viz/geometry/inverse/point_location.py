"""Point location: the piece of a grid that contains a point; slow but robust, in float64.

Candidate pieces are those whose bounding box contains the point; the local coordinates are solved
by :mod:`lzu_viz.geometry.inverse.inverse_bilinear`. A solution is accepted only if the forward map
reproduces the point.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..bilinear import Located, Pieces, pieces_of
from ..precision import in_float64
from .inverse_bilinear import refine, solve
from .rasterize import runs

PAIRS_AT_ONCE = 1 << 18
"""Approximate number of (point, piece) pairs in memory at once."""


def tolerance(values: Tensor) -> Tensor:
    """Return the maximum residual of a solution, in coordinates of the source frame: a scalar.

    16 units in the last place: 2e-6 of [-1, 1] in float32, 5e-4 pixels at 512 pixels.
    """
    return 16 * torch.finfo(values.dtype).eps * values.detach().abs().max().clamp(min=1)


def find(grid: Tensor, points: Tensor) -> Located:
    """Return the piece of every point and the local coordinates in it.

    Args:
        grid: `b rows+1 columns+1 2`, values at the nodes; no piece folded.
        points: `b n 2`, none NaN; same batch as the grid.

    Returns:
        The locations, u and v in float64, on the CPU if the grid's device has no float64; row -1
        where no piece contains the point.
    """
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    batch, count = points.shape[:2]
    slack = in_float64(tolerance(grid))
    # In a nearly triangular piece, float32 misses points well inside it.
    grid, points = in_float64(grid), in_float64(points)
    pieces = Pieces(*(coefficient.reshape(-1, 2) for coefficient in pieces_of(grid)))
    flat = points.reshape(-1, 2)
    best = flat.new_full((batch * count,), torch.inf)
    piece = torch.full_like(best, -1, dtype=torch.long)
    u, v = torch.zeros_like(best), torch.zeros_like(best)
    for of_piece, of_point in _candidates(grid, points, slack):
        candidates = Pieces(*(coefficient[of_piece] for coefficient in pieces))
        candidate_u, candidate_v, residual = refine(
            candidates, flat[of_point], *solve(candidates, flat[of_point])
        )
        closest = best.scatter_reduce(0, of_point, residual, "amin")
        wins = ((residual == closest[of_point]) & (residual < best[of_point])).nonzero()[:, 0]
        # On a shared edge two pieces may have equal residuals: take all values from the same piece.
        winner = torch.full_like(piece, -1)
        winner[of_point[wins]] = wins
        index = (winner >= 0).nonzero()[:, 0]
        pair = winner[index]
        piece[index], u[index], v[index] = of_piece[pair], candidate_u[pair], candidate_v[pair]
        best = closest
    piece = torch.where(best <= slack, piece, -1)
    row = torch.where(piece >= 0, piece % (rows * columns) // columns, -1)
    shape = (batch, count)
    return Located(row.view(shape), (piece % columns).view(shape), u.view(shape), v.view(shape))


def _candidates(grid: Tensor, points: Tensor, slack: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pair each point with the pieces whose bounding box contains it.

    The source frame is divided into bins and the points are sorted by bin, so that the points in
    one row of bins within a bounding box are one run of the sorted list.

    Yields:
        Indices of pieces and of points, flat over the batch, for a chunk of pairs.
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
    piece, offset = runs(last_y - first_y + 1)
    bin_row = (
        image.repeat_interleave(len(low) // batch)[piece] * bins + first_y[piece] + offset
    ) * bins
    start = torch.searchsorted(bin_of_point, bin_row + first_x[piece])
    length = torch.searchsorted(bin_of_point, bin_row + last_x[piece], right=True) - start

    chunk = (length.cumsum(0) // PAIRS_AT_ONCE).unique_consecutive(return_counts=True)[1]
    for selected in torch.arange(len(length), device=length.device).split(chunk.tolist()):
        run, offset = runs(length[selected])
        of_point = order[start[selected][run] + offset]
        of_piece = piece[selected][run]
        candidates = flat[of_point]
        inside = ((candidates >= low[of_piece]) & (candidates <= high[of_piece])).all(dim=-1)
        yield of_piece[inside], of_point[inside]


def _bin(points: Tensor, bins: int) -> Tensor:
    """Return the bin of each coordinate, of ``bins`` in [-1, 1], clamped to the outermost bins."""
    return ((points + 1) * (bins / 2)).floor().clamp(0, bins - 1).long()
