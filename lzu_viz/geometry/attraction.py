r"""Attraction: the continuous map from the zoomed to the source frame defined by a saliency map.

Every point of the zoomed frame is attracted by the salient regions around it (Recasens et al.,
"Learning to Zoom", ECCV 2018):

.. math:: T(p) = \frac{\sum_{p'} S(p')\, k(p, p')\, p'}{\sum_{p'} S(p')\, k(p, p')}, \qquad
          k(p, p') = \exp(-4 \ln 2\; |p - p'|^2 / (2\,\mathrm{fwhm})^2)

The kernel is the product of one along x and one along y, so that on a grid of points each sum is
two small matrix products. In the separable form S is replaced by its column sums and row sums, and
T by one function of each axis.

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
"""Default full width at half maximum of the kernel, as a fraction of the frame's side."""

NARROWEST, WIDEST = 1e-3, 4.0
"""Limits of the full width at half maximum. The narrowest makes T a staircase, the widest nearly
the identity."""


@check.full_precision
def attract(
    points: Tensor,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    separable: bool = True,
    anti_crop: bool = True,
) -> Tensor:
    """Map points from the zoomed to the source frame by the exact, continuous warp.

    Args:
        points: `b n 2`, (x, y) in [-1, 1] of the zoomed frame.
        saliency: `b 1 h w`, positive. Points and saliency are broadcast against each other where
            one has a batch of 1.
        fwhm: full width at half maximum of the kernel, as a fraction of the frame's side: one
            number or (rows, columns). Below about one cell of the saliency map, T is a staircase.
        separable: whether each axis is mapped independently, from the column sums and row sums of
            the saliency.
        anti_crop: whether the saliency is mirrored at the frame's edge (the edge cell repeated), so
            that the edge stays fixed: T(-1) = -1 and T(1) = 1. Otherwise the edge value continues
            outside, and T may crop the source frame or extend beyond it.

    Returns:
        `b n 2`, (x, y) of the source frame; in [-1, 1] with ``anti_crop``.

    Raises:
        ValueError: if a shape is wrong, the saliency is not positive, or ``fwhm`` is outside
            [0.001, 4].

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), sigma=0.1)
        >>> attract(torch.tensor([[[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]]), fovea)[0, :, 0] > 0.2
        tensor([False,  True,  True])
    """
    check.points(points)
    density = _density(saliency, points)
    check.same_batch(points.shape[0], density.shape[0], "points and saliency")
    rows, columns = _kernels(points[..., 1], points[..., 0], density, fwhm, anti_crop)
    if separable:
        x, y = columns.attracted(density.sum(dim=-2)), rows.attracted(density.sum(dim=-1))
    else:
        by_row = rows.weight @ density
        total = (by_row * columns.weight).sum(dim=-1)
        x = columns.points + (by_row * columns.moment).sum(dim=-1) / total
        y = rows.points + (rows.moment @ density * columns.weight).sum(dim=-1) / total
    source = torch.stack(torch.broadcast_tensors(x, y), dim=-1)
    return _fix_borders(source, points, anti_crop)


@check.full_precision
def attract_axes(
    x: Tensor,
    y: Tensor,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    anti_crop: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the separable form of :func:`attract` on the axes of a grid.

    Args:
        x: `n`, columns of the grid, in [-1, 1] of the zoomed frame.
        y: `m`, rows of the grid, in [-1, 1] of the zoomed frame.
        saliency: `b 1 h w`, positive.
        fwhm: as in :func:`attract`.
        anti_crop: as in :func:`attract`.

    Returns:
        (`b n`, `b m`), x and y of the source frame.
    """
    density = _density(saliency, x)
    rows, columns = _kernels(y[None], x[None], density, fwhm, anti_crop)
    x, y = columns.attracted(density.sum(dim=-2)), rows.attracted(density.sum(dim=-1))
    return _fix_borders(x, columns.points, anti_crop), _fix_borders(y, rows.points, anti_crop)


@check.full_precision
def attract_grid(
    x: Tensor,
    y: Tensor,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    anti_crop: bool = True,
) -> Tensor:
    """Return the non-separable form of :func:`attract` on a grid, by small matrix products.

    Args:
        x: `n`, columns of the grid, in [-1, 1] of the zoomed frame.
        y: `m`, rows of the grid, in [-1, 1] of the zoomed frame.
        saliency: `b 1 h w`, positive.
        fwhm: as in :func:`attract`.
        anti_crop: as in :func:`attract`.

    Returns:
        `b m n 2`, (x, y) of the source frame.
    """
    density = _density(saliency, x)
    rows, columns = _kernels(y[None], x[None], density, fwhm, anti_crop)
    by_row = rows.weight @ density
    total = by_row @ columns.weight.mT
    source_x = x + by_row @ columns.moment.mT / total
    source_y = y[:, None] + rows.moment @ density @ columns.weight.mT / total
    nodes = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)
    return _fix_borders(torch.stack([source_x, source_y], dim=-1), nodes, anti_crop)


class _Kernel(NamedTuple):
    """The kernel along one axis, between each point and each cell of the saliency map.

    Attributes:
        points: `b n`, coordinates of the points on this axis.
        weight: `b n cells`, k summed over the cell and its mirror images (or repetitions) outside
            the frame.
        moment: `b n cells`, the same sum of k times the displacement from the point to the cell.
    """

    points: Tensor
    weight: Tensor
    moment: Tensor

    def attracted(self, marginal: Tensor) -> Tensor:
        """Return the points mapped by the marginal saliency `b cells` of this axis."""
        # Averaging small displacements loses less to rounding than averaging positions.
        column = marginal[..., None]
        return self.points + ((self.moment @ column) / (self.weight @ column))[..., 0]


def _kernels(
    y: Tensor, x: Tensor, density: Tensor, fwhm: float | Sequence[float], anti_crop: bool
) -> tuple[_Kernel, _Kernel]:
    lengths = check.per_axis(fwhm, "fwhm", NARROWEST, WIDEST)
    rows, columns = density.shape[-2:]
    x, y = x.to(density.dtype), y.to(density.dtype)
    return _kernel(y, rows, lengths[0], anti_crop), _kernel(x, columns, lengths[1], anti_crop)


def _kernel(points: Tensor, cells: int, fwhm: float, anti_crop: bool) -> _Kernel:
    # Beyond this distance even a cell 1e12 times as salient as its neighbours is lost in rounding.
    radius = fwhm * math.sqrt(
        (math.log(1e12) - math.log(torch.finfo(points.dtype).eps)) / (4 * math.log(2))
    )
    margin = math.ceil(max(1.0, radius) * cells)
    position = torch.arange(-margin, cells + margin, device=points.device)
    displacement = (2 * position.to(points.dtype) + 1) / cells - 1 - points[..., None]
    exponent = -4 * math.log(2) * (displacement / (2 * fwhm)) ** 2
    # A common factor cancels in T; this one prevents a narrow kernel from underflowing everywhere.
    strength = (exponent - exponent.detach().amax(dim=-1, keepdim=True)).exp()
    mirrored = torch.minimum(position % (2 * cells), (-1 - position) % (2 * cells))
    cell = mirrored if anti_crop else position.clamp(0, cells - 1)
    zeros = strength.new_zeros(*points.shape, cells)
    return _Kernel(
        points,
        zeros.index_add(-1, cell, strength),
        zeros.index_add(-1, cell, strength * displacement),
    )


def _fix_borders(source: Tensor, points: Tensor, anti_crop: bool) -> Tensor:
    """Restore exact borders after rounding: with anti-crop, edges are fixed and T is in [-1, 1]."""
    if not anti_crop:
        # T may leave the frame here; clipping would flatten it, and it would not be invertible.
        return source
    exact = torch.where(points.abs() == 1, points, source.clamp(-1, 1))
    return source + (exact - source).detach()


def _density(saliency: Tensor, points: Tensor) -> Tensor:
    """Return the saliency as `b h w`, in float32 or better."""
    check.saliency(saliency)
    dtype = torch.promote_types(torch.promote_types(saliency.dtype, points.dtype), torch.float32)
    return saliency[:, 0].to(dtype)
