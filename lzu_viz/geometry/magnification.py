r"""Limits on the magnification of a warp.

A warp T is blended with the identity just as far as needed. With J the Jacobian of T, that of
:math:`(1 - a)\,\mathrm{id} + a\,T` has the determinant

.. math:: (1 - a)^2 + a (1 - a)\,\mathrm{tr}\,J + a^2 \det J

at most :math:`1 / m^2` of which is a linear magnification of at least m. The warp of a saliency map
has positive traces and determinants, so that :math:`a = 1 - 1/m` always suffices.
"""

import torch
from torch import Tensor

from .bilinear import cross, pieces_of

MARGIN = 1e-4
"""Relative margin for rounding in float32."""


def limit_axis(nodes: Tensor, limit: float) -> Tensor:
    """Return the nodes of a monotone axis, along which nothing is magnified more than the limit.

    Args:
        nodes: `b k+1`, not decreasing.
        limit: maximum magnification along this axis, more than 1.

    Returns:
        `b k+1`; the nodes themselves where the limit is kept.

    Example:
        >>> limit_axis(torch.tensor([[-1.0, 0.0, 0.1, 1.0]]), limit=2.0).diff()
        tensor([[0.8627, 0.3334, 0.8039]])
    """
    count = nodes.shape[-1] - 1
    identity = torch.linspace(-1, 1, count + 1, device=nodes.device, dtype=nodes.dtype)
    lowest = nodes.diff(dim=-1).amin(dim=-1, keepdim=True) * (count / 2)
    target = (1 + MARGIN) / limit
    exceeds = lowest < target
    amount = (1 - target) / (1 - torch.where(exceeds, lowest, 0.0))
    return torch.where(exceeds, torch.lerp(identity.expand_as(nodes), nodes, amount), nodes)


def limit_grid(grid: Tensor, limit: float) -> Tensor:
    """Return the nodes of a warp whose linear magnification nowhere exceeds the limit.

    Args:
        grid: `b rows+1 columns+1 2`, without folds.
        limit: maximum of the square root of zoomed over source area, more than 1.

    Returns:
        `b rows+1 columns+1 2`; the nodes themselves where the limit is kept.
    """
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    x = torch.linspace(-1, 1, columns + 1, device=grid.device, dtype=grid.dtype)
    y = torch.linspace(-1, 1, rows + 1, device=grid.device, dtype=grid.dtype)
    identity = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)
    _, along_x, along_y, twist = pieces_of(grid)
    target = ((1 + MARGIN) / limit) ** 2
    amounts = []
    # At the corners, where the determinant of a piece is least.
    for u in (0, 1):
        for v in (0, 1):
            by_x = (along_x + v * twist) * (columns / 2)
            by_y = (along_y + u * twist) * (rows / 2)
            trace, determinant = by_x[..., 0] + by_y[..., 1], cross(by_x, by_y)
            square, linear, constant = 1 - trace + determinant, trace - 2, 1 - target
            discriminant = linear**2 - 4 * square * constant
            # The smaller positive root, in a form that also covers a linear equation.
            denominator = discriminant.clamp(min=1e-12).sqrt() - linear
            reached = (discriminant >= 0) & (denominator > 2 * constant)
            amounts.append(torch.where(reached, 2 * constant / denominator.clamp(min=1e-6), 1.0))
    amount = torch.stack(amounts).amin(dim=(0, 2, 3))[:, None, None, None]
    return torch.where(amount < 1, torch.lerp(identity.expand_as(grid), grid, amount), grid)
