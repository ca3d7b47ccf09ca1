r"""Piecewise bilinear maps, defined by their values at the nodes of a control grid.

The frame [-1, 1] x [-1, 1] is divided into rows x columns equal pieces. On each piece, with local
coordinates (u, v) in [0, 1] and corners :math:`P_{00}, P_{10}, P_{01}, P_{11}` (first index along
x),

.. math:: T(u, v) = P_{00} + u\, b + v\, c + u v\, d, \qquad
          b = P_{10} - P_{00},\; c = P_{01} - P_{00},\; d = P_{11} - P_{10} - P_{01} + P_{00}
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Pieces(NamedTuple):
    """The coefficients of pieces; each `... 2`, (x, y) in the target frame of the map."""

    origin: Tensor
    along_x: Tensor
    along_y: Tensor
    twist: Tensor

    def at(self, u: Tensor, v: Tensor) -> Tensor:
        """Return the points `... 2` at local coordinates `...`."""
        u, v = u[..., None], v[..., None]
        return self.origin + u * self.along_x + v * (self.along_y + u * self.twist)

    def derivatives(self, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return the derivatives along u and v, each `... 2`."""
        return self.along_x + v[..., None] * self.twist, self.along_y + u[..., None] * self.twist


class Located(NamedTuple):
    """Pieces and local coordinates of points.

    Attributes:
        row: `b n`, of the piece.
        column: `b n`, of the piece.
        u: `b n`, local coordinate along x in [0, 1].
        v: `b n`, local coordinate along y in [0, 1].
    """

    row: Tensor
    column: Tensor
    u: Tensor
    v: Tensor


def cross(first: Tensor, second: Tensor) -> Tensor:
    """Return the cross product (signed area) of two vectors: `... 2`, `... 2` to `...`."""
    (x, y), (other_x, other_y) = first.unbind(-1), second.unbind(-1)
    return torch.addcmul(x * other_y, y, other_x, value=-1)


def dot(first: Tensor, second: Tensor) -> Tensor:
    """Return the dot product of two vectors: `... 2`, `... 2` to `...`."""
    (x, y), (other_x, other_y) = first.unbind(-1), second.unbind(-1)
    return torch.addcmul(x * other_x, y, other_y)


def pieces_of(grid: Tensor) -> Pieces:
    """Return all pieces of a grid: `b rows+1 columns+1 2` to coefficients `b rows columns 2`."""
    origin = grid[:, :-1, :-1]
    along_x = grid[:, :-1, 1:] - origin
    along_y = grid[:, 1:, :-1] - origin
    return Pieces(origin, along_x, along_y, grid[:, 1:, 1:] - grid[:, 1:, :-1] - along_x)


def pieces_at(pieces: Pieces, row: Tensor, column: Tensor) -> Pieces:
    """Return one piece for each point: coefficients `b rows columns 2`, by `b n`, to `b n 2`."""
    columns = pieces.origin.shape[2]
    index = (row * columns + column)[..., None].expand(-1, -1, 2)
    batch = index.shape[0]
    return Pieces(
        *(
            coefficient.flatten(1, 2).expand(batch, -1, -1).gather(1, index)
            for coefficient in pieces
        )
    )


def locate_axis(points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which of ``count`` pieces of [-1, 1] contains each point, and the local coordinate."""
    position = (points + 1) * (count / 2)
    piece = position.detach().floor().clamp(0, count - 1)
    return piece.long(), position - piece


def locate(points: Tensor, rows: int, columns: int) -> Located:
    """Return the piece and the local coordinates of points `b n 2` in [-1, 1]."""
    column, u = locate_axis(points[..., 0], columns)
    row, v = locate_axis(points[..., 1], rows)
    return Located(row, column, u, v)


def to_frame(location: Located, rows: int, columns: int) -> Tensor:
    """Return the points `b n 2` of pieces and local coordinates: the inverse of :func:`locate`."""
    x = (location.column + location.u) * (2 / columns) - 1
    y = (location.row + location.v) * (2 / rows) - 1
    return torch.stack([x, y], dim=-1)


def evaluate_axis(nodes: Tensor, points: Tensor) -> Tensor:
    """Return a piecewise linear function of one axis at given points.

    Args:
        nodes: `b k+1`, values at k + 1 equally spaced nodes of [-1, 1].
        points: `b n` in [-1, 1]; nodes or points of batch 1 are broadcast.

    Returns:
        `b n` values.
    """
    piece, local = locate_axis(points, nodes.shape[-1] - 1)
    batch = points.shape[0] if nodes.shape[0] == 1 else nodes.shape[0]
    nodes, piece = nodes.expand(batch, -1), piece.expand(batch, -1)
    # A weighted sum of both ends, unlike low + local * step, is exact at the ends of the frame.
    return (1 - local) * nodes.gather(1, piece) + local * nodes.gather(1, piece + 1)


def evaluate(grid: Tensor, points: Tensor) -> Tensor:
    """Return a piecewise bilinear function at given points.

    Args:
        grid: `b rows+1 columns+1 2`, values at equally spaced nodes of the frame.
        points: `b n 2`, (x, y) in [-1, 1]; a grid or points of batch 1 are broadcast.

    Returns:
        `b n 2` values.
    """
    pieces, location = _select_at(grid, points)
    return pieces.at(location.u, location.v)


def differentiate(grid: Tensor, points: Tensor) -> Tensor:
    """Return the Jacobian of a piecewise bilinear function at given points.

    Args:
        grid: as in :func:`evaluate`.
        points: as in :func:`evaluate`.

    Returns:
        `b n 2 2`; ``[..., i, j]`` is the derivative of coordinate i (0 is x) by coordinate j.
    """
    pieces, location = _select_at(grid, points)
    along_u, along_v = pieces.derivatives(location.u, location.v)
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    return torch.stack([along_u * (columns / 2), along_v * (rows / 2)], dim=-1)


def evaluate_on_grid(grid: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return a piecewise bilinear function and its Jacobian determinant on a grid of points.

    Equal to :func:`evaluate` and :func:`determinant` of :func:`differentiate`, but faster, as all
    points of a row (or column) lie in the same row (or column) of pieces.

    Args:
        grid: as in :func:`evaluate`.
        x: `w`, columns of the grid of points, in [-1, 1].
        y: `h`, rows of the grid of points, in [-1, 1].

    Returns:
        `b h w 2` values and `b h w` determinants.
    """
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    column, u = locate_axis(x, columns)
    row, v = locate_axis(y, rows)
    # All x before all y, so that memory accesses vectorise.
    coefficients = torch.stack(pieces_of(grid)).movedim(-1, 1)
    selected = Pieces(*coefficients.index_select(-2, row).index_select(-1, column).movedim(1, -1))
    u, v = u.expand(y.shape[0], -1), v[:, None].expand(-1, x.shape[0])
    along_u, along_v = selected.derivatives(u, v)
    return selected.at(u, v), cross(along_u * (columns / 2), along_v * (rows / 2))


def differentiate_axis(nodes: Tensor, points: Tensor) -> Tensor:
    """Return the derivative of :func:`evaluate_axis` at points `n`: `b n`."""
    piece, _ = locate_axis(points, nodes.shape[-1] - 1)
    return nodes.diff(dim=-1)[:, piece] * ((nodes.shape[-1] - 1) / 2)


def determinant(jacobian: Tensor) -> Tensor:
    """Return the determinant of Jacobians `... 2 2`: source area over zoomed area."""
    return cross(jacobian[..., 0], jacobian[..., 1])


def _select_at(grid: Tensor, points: Tensor) -> tuple[Pieces, Located]:
    """Return the piece that contains each point, and the location in it."""
    location = locate(
        points.expand(points.shape[0] if grid.shape[0] == 1 else grid.shape[0], -1, -1),
        grid.shape[1] - 1,
        grid.shape[2] - 1,
    )
    return pieces_at(pieces_of(grid), location.row, location.column), location


def min_determinant(grid: Tensor) -> Tensor:
    """Return the minimum Jacobian determinant of each piece, `b rows columns`.

    On a piece the determinant is an affine function of (u, v), so that its minimum is at a corner.
    """
    rows, columns = grid.shape[1] - 1, grid.shape[2] - 1
    _, b, c, d = pieces_of(grid)
    base, by_u, by_v = cross(b, c), cross(b, d), cross(d, c)
    corners = torch.stack([base, base + by_u, base + by_v, base + by_u + by_v])
    return corners.amin(dim=0) * (rows * columns / 4)
