r"""Attraction: the continuous map from zoomed to source frame that a saliency map asks for.

Every point of the zoomed frame is drawn towards salient places near it (Recasens et al., "Learning
to Zoom", ECCV 2018):

.. math:: T(p) = \frac{\sum_{p'} S(p')\, k(p, p')\, p'}{\sum_{p'} S(p')\, k(p, p')}, \qquad
          k(p, p') = \exp(-4 \ln 2\; |p - p'|^2 / \mathrm{fwhm}^2)

The kernel is the product of one along x and one along y, so that on a grid of points every sum is
two small matrix products. In the separable form S is replaced by its column sums and row sums, and
T by one function on each axis.

The map cannot fold: its Jacobian is the covariance of p' under S k, divided by the kernel's
variance.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import check

FWHM = 0.25
"""Full width at half maximum of the kernel, a fraction of the frame's side, where none is asked
for."""

NARROWEST, WIDEST = 1e-3, 4.0
"""The kernels taken. The narrowest makes staircases; the widest leaves T all but the identity."""


@check.full_precision
def attract(
    points: Tensor,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    separable: bool = True,
    anti_crop: bool = True,
) -> Tensor:
    """Map points of the zoomed frame to the source frame, exactly: no grid, no pieces.

    Args:
        points: `b n 2`, (x, y) in [-1, 1] of the zoomed frame.
        saliency: `b 1 h w`, positive. A batch of 1 serves any batch of points, and the other way
            round.
        fwhm: full width at half maximum of the kernel, a fraction of the frame's side, one number
            or (rows, columns). Below about one cell of the saliency the map becomes a staircase.
        separable: whether each axis is mapped by itself, from the column sums and row sums of the
            saliency.
        anti_crop: whether the saliency is mirrored at the frame's edge, the edge cell repeated, so
            that the edge stays where it is: T(-1) = -1 and T(1) = 1. Otherwise its last value goes
            on, and the map may crop the frame or leave it.

    Returns:
        `b n 2`, (x, y) of the source frame; in [-1, 1] with ``anti_crop``.

    Raises:
        ValueError: for another shape, a saliency that is not positive, or a ``fwhm`` outside
            [0.001, 4].

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), width=0.1)
        >>> attract(torch.tensor([[[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]]), fovea)[0, :, 0] > 0.2
        tensor([False,  True,  True])
    """
    check.points(points)
    frame = _frame(saliency, points)
    check.same_batch(len(points), len(frame), "points and saliency")
    rows, columns = _kernels(points[..., 1], points[..., 0], frame, fwhm, anti_crop)
    if separable:
        x, y = columns.drawn(frame.sum(dim=-2)), rows.drawn(frame.sum(dim=-1))
    else:
        by_row = rows.weight @ frame
        total = (by_row * columns.weight).sum(dim=-1)
        x = columns.points + (by_row * columns.moment).sum(dim=-1) / total
        y = rows.points + (rows.moment @ frame * columns.weight).sum(dim=-1) / total
    source = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
    return _framed(source, points, anti_crop)


@check.full_precision
def attract_axes(
    x: Tensor,
    y: Tensor,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    anti_crop: bool = True,
) -> tuple[Tensor, Tensor]:
    """Map each axis by itself: the separable form of :func:`attract` at all points of a grid.

    Args:
        x: `n`, columns of the grid, in [-1, 1] of the zoomed frame.
        y: `m`, rows of the grid.
        saliency: `b 1 h w`, positive.
        fwhm: as in :func:`attract`.
        anti_crop: as in :func:`attract`.

    Returns:
        (`b n`, `b m`), x and y of the source frame.
    """
    frame = _frame(saliency, x)
    rows, columns = _kernels(y[None], x[None], frame, fwhm, anti_crop)
    x, y = columns.drawn(frame.sum(dim=-2)), rows.drawn(frame.sum(dim=-1))
    return _framed(x, columns.points, anti_crop), _framed(y, rows.points, anti_crop)


@check.full_precision
def attract_grid(
    x: Tensor,
    y: Tensor,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    anti_crop: bool = True,
) -> Tensor:
    """Map a grid of points: the non-separable form of :func:`attract`, as small matrix products.

    Args:
        x: `n`, columns of the grid, in [-1, 1] of the zoomed frame.
        y: `m`, rows of the grid.
        saliency: `b 1 h w`, positive.
        fwhm: as in :func:`attract`.
        anti_crop: as in :func:`attract`.

    Returns:
        `b m n 2`, (x, y) of the source frame.
    """
    frame = _frame(saliency, x)
    rows, columns = _kernels(y[None], x[None], frame, fwhm, anti_crop)
    by_row = rows.weight @ frame
    total = by_row @ columns.weight.mT
    source_x = x + by_row @ columns.moment.mT / total
    source_y = y[:, None] + rows.moment @ frame @ columns.weight.mT / total
    nodes = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)
    return _framed(torch.stack([source_x, source_y], dim=-1), nodes, anti_crop)


class _Kernel(NamedTuple):
    """The kernel along one axis: how strongly each point is drawn by each cell, and how far.

    Attributes:
        points: `b n`, coordinates of the points on this axis.
        weight: `b n cells`, k; a cell's mirror images (or repetitions) beyond the frame are added
            to it.
        moment: `b n cells`, k times the way from the point to the cell.
    """

    points: Tensor
    weight: Tensor
    moment: Tensor

    def drawn(self, marginal: Tensor) -> Tensor:
        """Map the points by the `b cells` saliency of this axis alone."""
        # Displacements are small, so that they round better than places do.
        share = marginal[..., None]
        return self.points + ((self.moment @ share) / (self.weight @ share))[..., 0]


def _kernels(
    y: Tensor, x: Tensor, frame: Tensor, fwhm: float | Sequence[float], anti_crop: bool
) -> tuple[_Kernel, _Kernel]:
    lengths = check.per_axis(fwhm, "fwhm", NARROWEST, WIDEST)
    rows, columns = frame.shape[-2:]
    x, y = x.to(frame.dtype), y.to(frame.dtype)
    return _kernel(y, rows, lengths[0], anti_crop), _kernel(x, columns, lengths[1], anti_crop)


def _kernel(points: Tensor, cells: int, fwhm: float, anti_crop: bool) -> _Kernel:
    # So far out that even a cell a million million times as salient as its neighbours counts for
    # nothing.
    reach = fwhm * math.sqrt(
        (math.log(1e12) - math.log(torch.finfo(points.dtype).eps)) / (4 * math.log(2))
    )
    beyond = math.ceil(max(1.0, reach) * cells)
    position = torch.arange(-beyond, cells + beyond, device=points.device)
    way = (2 * position.to(points.dtype) + 1) / cells - 1 - points[..., None]
    exponent = -4 * math.log(2) * (way / (2 * fwhm)) ** 2
    # A common factor leaves T alone; this one keeps a narrow kernel from vanishing at every cell.
    strength = (exponent - exponent.detach().amax(dim=-1, keepdim=True)).exp()
    mirrored = torch.minimum(position % (2 * cells), (-1 - position) % (2 * cells))
    cell = mirrored if anti_crop else position.clamp(0, cells - 1)
    empty = strength.new_zeros(*points.shape, cells)
    return _Kernel(
        points, empty.index_add(-1, cell, strength), empty.index_add(-1, cell, strength * way)
    )


def _framed(source: Tensor, points: Tensor, anti_crop: bool) -> Tensor:
    """Undo what rounding alone does: with anti-crop the edges stay, and nothing leaves them."""
    if not anti_crop:
        # Points do leave it; clipping would flatten the map, and take its inverse away.
        return source
    exact = torch.where(points.abs() == 1, points, source.clamp(-1, 1))
    return source + (exact - source).detach()


def _frame(saliency: Tensor, points: Tensor) -> Tensor:
    """Return the saliency as `b h w`, in float32 or better."""
    check.saliency(saliency)
    dtype = torch.promote_types(torch.promote_types(saliency.dtype, points.dtype), torch.float32)
    return saliency[:, 0].to(dtype)
