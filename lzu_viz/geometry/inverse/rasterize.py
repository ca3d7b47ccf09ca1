r"""Rasterisation: the piece of a grid that contains each pixel, by scan conversion.

Along a row of pixels the piece changes only where the row crosses an edge of a piece. With pieces
numbered from 1, and 0 outside all pieces, an edge that separates piece m on its left from piece n
on its right adds n - m to every pixel right of it:

.. math:: \mathrm{piece}(p) = \sum_{\text{edges left of } p} (n - m)

So each edge is intersected with the few rows that it crosses, each intersection adds one number,
and a cumulative sum over the pixels gives the pieces (Wylie et al., "Half-tone perspective drawings
by computer", AFIPS 1967). The sum is exact, as it is of integers, and where edges meet, their
common end is counted only for the edge below it; pixels outside all pieces get 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..check import Size
from ..precision import in_float64


def pieces_under(grid: Tensor, sizes: Sequence[Size]) -> Tensor:
    """Return the piece of a grid that contains each pixel centre, for images of several sizes.

    Args:
        grid: `b rows+1 columns+1 2`, values at the nodes, (x, y) in [-1, 1]; no piece folded.
        sizes: (rows, columns) of each image; each spans [-1, 1].

    Returns:
        `b n`, int32, for the pixels of all images in row-major order, one image after the other:
        row * columns + column of the piece, or -1 where there is none. Where pieces overlap, as in
        a grid that overlaps itself as a whole, it may be any piece.

    Example:
        >>> nodes = torch.tensor([[[-0.8, -1.0], [0.4, -1.0], [0.8, -1.0]],
        ...                       [[-0.8, 1.0], [0.0, 1.0], [0.8, 1.0]]])
        >>> pieces_under(nodes[None], [(1, 10)])
        tensor([[-1,  0,  0,  0,  0,  0,  1,  1,  1, -1]], dtype=torch.int32)
    """
    batch, rows, columns = len(grid), grid.shape[1] - 1, grid.shape[2] - 1
    device = grid.device
    # In float32, rounding could reverse the order of two intersections near a node.
    grid = in_float64(grid.detach())
    start, stop, change = _edges(grid)
    (x, y), (end_x, end_y) = start.T, stop.T
    pixels = [height * width for height, width in sizes]
    image = torch.arange(batch, dtype=torch.double, device=grid.device) * sum(pixels)
    first = [sum(pixels[:k]) for k in range(len(sizes))]
    # For each size and each edge: the rows that the edge crosses, in either direction.
    height, width, first = start.new_tensor([*zip(*sizes, strict=True), first])[:, :, None]
    first = first + image.repeat_interleave(len(start) // batch)
    above, below = _pixels_before(y, height), _pixels_before(end_y, height)
    change = torch.where(below >= above, change, -change)
    # The number of pixels of a row left of an edge is an affine function of the row. It is infinite
    # only for edges that no row crosses.
    slope = (end_x - x) / (end_y - y)
    pixels_left = ((1 / height - 1 - y) * slope + x + 1) * (width / 2) - 0.5
    increment, width = slope * (width / height), width.expand_as(pixels_left)
    edge_values = [torch.minimum(above, below), pixels_left, increment, width, first, change]
    table = torch.stack(edge_values).flatten(1)
    edge, offset = runs((below - above).abs().flatten().long())
    row, pixels_left, increment, width, first, change = table.index_select(1, edge)
    row = row + offset
    pixels_left = torch.addcmul(pixels_left, row, increment).ceil_().clamp_(min=0).minimum(width)
    # A change right of a row's last pixel is added at the next row's first pixel, where the changes
    # of the whole row sum to zero, as a row begins and ends outside all pieces.
    pixel = torch.addcmul(first, row, width).add_(pixels_left).long()
    # One extra element for changes right of the very last pixel.
    changes = torch.zeros(batch * sum(pixels) + 1, dtype=torch.int32, device=grid.device)
    changes.index_add_(0, pixel, change.int())
    piece_numbers = changes[:-1].cumsum(0, dtype=torch.int32)
    return piece_numbers.clamp_(0, rows * columns).sub_(1).view(batch, sum(pixels)).to(device)


def runs(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the index of the run, and the position in it, of each element of consecutive runs.

    Example:
        >>> runs(torch.tensor([2, 0, 1]))
        (tensor([0, 0, 2]), tensor([0, 1, 0]))
    """
    run = torch.repeat_interleave(lengths)
    return run, torch.arange(len(run), device=run.device) - (lengths.cumsum(0) - lengths)[run]


def _edges(grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both ends of each edge, `b*e 2`, and the change of the piece number across it, `b*e`.

    The change is from left to right for an edge that runs downwards, and the opposite for an edge
    that runs upwards.
    """
    batch, rows, columns = len(grid), grid.shape[1] - 1, grid.shape[2] - 1
    number = torch.arange(1, rows * columns + 1, dtype=grid.dtype, device=grid.device)
    number = F.pad(number.view(rows, columns), (1, 1, 1, 1))
    # If it runs downwards, an edge between columns has the next column of pieces on its right, and
    # an edge between rows has the previous row of pieces on its right.
    between_columns = number[1:-1, 1:] - number[1:-1, :-1]
    between_rows = number[:-1, 1:-1] - number[1:, 1:-1]
    change = torch.cat([between_columns.flatten(), between_rows.flatten()]).expand(batch, -1)
    start = torch.cat([grid[:, :-1].flatten(1, 2), grid[:, :, :-1].flatten(1, 2)], dim=1)
    stop = torch.cat([grid[:, 1:].flatten(1, 2), grid[:, :, 1:].flatten(1, 2)], dim=1)
    return start.flatten(0, 1), stop.flatten(0, 1), change.flatten()


def _pixels_before(positions: Tensor, count: Tensor) -> Tensor:
    """Return the number of pixel centres of an axis before given positions in [-1, 1]."""
    return ((positions + 1) * (count / 2) - 0.5).ceil_().clamp_(min=0).minimum(count)
