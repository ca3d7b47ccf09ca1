r"""The inverse of one bilinear piece in closed form.

With q = p - P00 and the coefficients of :mod:`lzu_viz.geometry.bilinear`, eliminating u from
q = u b + v c + u v d gives

.. math:: v^2 (d \times c) + v\, (b \times c + q \times d) + q \times b = 0

whose derivative at a solution is the Jacobian determinant. In a piece that is not folded this is
positive, which selects the root of the equation. With the square root in the denominator, the
solution also covers parallelograms (d = 0), where the equation is linear.
"""

import torch
from torch import Tensor

from ..bilinear import Pieces, cross, dot, pieces_of


def has_positive_linear_terms(grid: Tensor) -> bool:
    """Return whether the linear term of the equation is positive at all points of all pieces.

    It is an affine function of the point, so that it has its minimum at a corner of the piece.

    Args:
        grid: `b rows+1 columns+1 2`, no piece folded.
    """
    _, b, c, d = pieces_of(grid)
    base, by_b, by_c = cross(b, c), cross(b, d), cross(c, d)
    corners = torch.stack([base, base + by_b, base + by_c, base + by_b + by_c])
    return bool((corners > 0).all())


def solve(
    pieces: Pieces, points: Tensor, *, ordinary: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the local coordinates of points, one in each piece.

    Args:
        pieces: coefficients `n 2`, of pieces that are not folded.
        points: `n 2`.
        ordinary: whether the linear term is known to be positive, see
            :func:`has_positive_linear_terms`.

    Returns:
        u and v, each `n` in [0, 1], and the residual `n`, the maximum of the errors of T(u, v) in x
        and y; NaN where a coefficient is NaN.

    Example:
        >>> from lzu_viz.geometry.bilinear import pieces_of
        >>> grid = torch.tensor([[[[0.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [4.0, 1.0]]]])
        >>> piece = Pieces(*(each.view(1, 2) for each in pieces_of(grid)))
        >>> [value.item() for value in solve(piece, torch.tensor([[0.75, 0.5]]))]
        [0.25, 0.5, 0.0]
    """
    origin, b, c, d = pieces
    q = points - origin
    square, linear, constant = cross(d, c), cross(b, c) + cross(q, d), cross(q, b)
    root = torch.addcmul(linear**2, square, constant, value=-4).clamp_(min=0).sqrt_()
    v = constant / (linear + root) * -2
    if not ordinary and bool((linear < 0).any()):
        # The same root in a form without cancellation where ``linear`` is negative.
        v = torch.where(linear >= 0, v, (root - linear) / (2 * square))
    v = v.clamp_(0, 1)
    side = torch.addcmul(b, v[:, None], d)
    remainder = torch.addcmul(q, v[:, None], c, value=-1)
    u = (dot(remainder, side) / dot(side, side)).clamp_(0, 1)
    return u, v, torch.addcmul(remainder, u[:, None], side, value=-1).abs_().amax(dim=-1)


def refine(
    pieces: Pieces, points: Tensor, u: Tensor, v: Tensor, residual: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return local coordinates improved by a Newton step, to recover digits lost to cancellation.

    Args:
        pieces: coefficients `n 2`, of pieces that are not folded.
        points: `n 2`.
        u: `n`, from :func:`solve`.
        v: `n`, from :func:`solve`.
        residual: `n`, from :func:`solve`.

    Returns:
        u, v and residual; unchanged where the step does not reduce the residual.
    """
    error = points - pieces.at(u, v)
    along_u, along_v = pieces.derivatives(u, v)
    area = cross(along_u, along_v)
    better_u = (u + cross(error, along_v) / area).clamp(0, 1)
    better_v = (v + cross(along_u, error) / area).clamp(0, 1)
    new_residual = (points - pieces.at(better_u, better_v)).abs().amax(dim=-1)
    helps = ~(new_residual >= residual)
    return (
        torch.where(helps, better_u, u),
        torch.where(helps, better_v, v),
        torch.where(helps, new_residual, residual),
    )
