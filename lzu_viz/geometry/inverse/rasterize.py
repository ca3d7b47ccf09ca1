r"""Raster: which piece of a grid holds each pixel, found row by row as a polygon is filled.

Along a row of pixels the piece changes only where the row crosses an edge of a piece. With pieces
numbered from 1, and 0 for what is outside all of them, an edge that separates piece m on its left
from piece n on its right adds n - m to every pixel right of it:

.. math:: \mathrm{piece}(p) = \sum_{\text{edges left of } p} (n - m)

So each edge is cut by the few rows that it meets, each cut writes one number, and a running sum
over the pixels does the rest (scan conversion: Wylie et al., "Half-tone perspective drawings by
computer", AFIPS 1967). The sum is of whole numbers, and an end of an edge belongs to the edge below
it alone: nothing is lost where edges meet, and a pixel of no piece gets 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..check import Size


def pieces_under(grid: Tensor, sizes: Sequence[Size]) -> Tensor:
    """Return which piece of a grid holds the centre of each pixel, of images of several sizes.

    Args:
        grid: `b rows+1 columns+1 2`, values at the nodes, (x, y) in [-1, 1]; no piece folded.
        sizes: (rows, columns) of each image that spans [-1, 1].

    Returns:
        `b n`, int32, for the pixels of the first image row by row, then of the second, and so on:
        row * columns + column of the piece, or -1 where none is. Where pieces overlap, as those of
        a grid that folds over itself as a whole may, it can be any piece.

    Example:
        >>> nodes = torch.tensor([[[-0.8, -1.0], [0.4, -1.0], [0.8, -1.0]],
        ...                       [[-0.8, 1.0], [0.0, 1.0], [0.8, 1.0]]])
        >>> pieces_under(nodes[None], [(1, 10)])
        tensor([[-1,  0,  0,  0,  0,  0,  1,  1,  1, -1]], dtype=torch.int32)
    """
    batch, rows, columns = len(grid), grid.shape[1] - 1, grid.shape[2] - 1
    start, stop, change = _edges(grid.detach())
    (x, y), (end_x, end_y) = start.T, stop.T
    pixels = [height * width for height, width in sizes]
    image = torch.arange(batch, dtype=torch.double, device=grid.device) * sum(pixels)
    first = [sum(pixels[:k]) for k in range(len(sizes))]
    # For each size and each edge: the rows that it crosses, in either direction.
    height, width, first = start.new_tensor([*zip(*sizes, strict=True), first])[:, :, None]
    first = first + image.repeat_interleave(len(start) // batch)
    above, below = _pixels_before(y, height), _pixels_before(end_y, height)
    change = torch.where(below >= above, change, -change)
    # The pixels of a row that come before an edge are an affine function of the row. It is infinite
    # only for edges that no row crosses.
    lean = (end_x - x) / (end_y - y)
    before = ((1 / height - 1 - y) * lean + x + 1) * (width / 2) - 0.5
    further, width = lean * (width / height), width.expand_as(before)
    every = [torch.minimum(above, below), before, further, width, first, change]
    each = torch.stack(every).flatten(1)
    edge, step = runs((below - above).abs().flatten().long())
    row, before, further, width, first, change = each.index_select(1, edge)
    row = row + step
    before = torch.addcmul(before, row, further).ceil_().clamp_(min=0).minimum(width)
    # What is right of a row's last pixel starts where the next row does: there the changes of the
    # whole row add up to nothing, as it ends outside, where it began.
    pixel = torch.addcmul(first, row, width).add_(before).long()
    # One more, for what is right of the last pixel of all.
    changes = torch.zeros(batch * sum(pixels) + 1, dtype=torch.int32, device=grid.device)
    changes.index_add_(0, pixel, change.int())
    numbers = changes[:-1].cumsum(0, dtype=torch.int32)
    return numbers.clamp_(0, rows * columns).sub_(1).view(batch, sum(pixels))


def runs(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Count up to each length in turn.

    Example:
        >>> runs(torch.tensor([2, 0, 1]))
        (tensor([0, 0, 2]), tensor([0, 1, 0]))
    """
    run = torch.repeat_interleave(lengths)
    return run, torch.arange(len(run), device=run.device) - (lengths.cumsum(0) - lengths)[run]


def _edges(grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both ends of each edge, `b*e 2`, and the change of the piece index across it, `b*e`.

    It changes so from left to right across an edge that leads down; across one that leads up, by
    the opposite.
    """
    batch, rows, columns = len(grid), grid.shape[1] - 1, grid.shape[2] - 1
    # Rounding could put two cuts near a node in the wrong order.
    grid = grid.double()
    number = torch.arange(1, rows * columns + 1, dtype=grid.dtype, device=grid.device)
    number = F.pad(number.view(rows, columns), (1, 1, 1, 1))
    # An edge between columns has the next column on its right, where it leads down; one between
    # rows has the row before on its right, where it leads down.
    across = number[1:-1, 1:] - number[1:-1, :-1]
    along = number[:-1, 1:-1] - number[1:, 1:-1]
    change = torch.cat([across.flatten(), along.flatten()]).expand(batch, -1)
    start = torch.cat([grid[:, :-1].flatten(1, 2), grid[:, :, :-1].flatten(1, 2)], dim=1)
    stop = torch.cat([grid[:, 1:].flatten(1, 2), grid[:, :, 1:].flatten(1, 2)], dim=1)
    return start.flatten(0, 1), stop.flatten(0, 1), change.flatten()


def _pixels_before(places: Tensor, count: Tensor) -> Tensor:
    """Return how many of an axis' pixels have their centres before places in [-1, 1]."""
    return ((places + 1) * (count / 2) - 0.5).ceil_().clamp_(min=0).minimum(count)
