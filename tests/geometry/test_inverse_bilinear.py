"""Tests of the inverse of one bilinear piece, for random pieces without folds."""

import pytest
import torch
from torch import Tensor

from lzu_viz.geometry.bilinear import Pieces, min_determinant, pieces_of
from lzu_viz.geometry.inverse.inverse_bilinear import refine, solve


def random_pieces(count: int, dtype: torch.dtype = torch.float64) -> Pieces:
    """Return random quadrilaterals whose determinant is positive everywhere."""
    grid = torch.rand(20 * count, 2, 2, 2, dtype=dtype) * 2 - 1
    unfolded = min_determinant(grid)[:, 0, 0] > 1e-2
    assert int(unfolded.sum()) >= count
    return Pieces(*(coefficient[unfolded][:count, 0, 0] for coefficient in pieces_of(grid)))


def random_uv(count: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    u, v = torch.rand(2, count, dtype=dtype)
    return u, v


@pytest.mark.parametrize(("dtype", "maximum"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_solve_inverts_the_forward_map(dtype: torch.dtype, maximum: float) -> None:
    pieces, (u, v) = random_pieces(2000, dtype), random_uv(2000, dtype)
    found_u, found_v, residual = solve(pieces, pieces.at(u, v))
    assert (found_u - u).abs().quantile(0.99) < maximum
    assert (found_v - v).abs().quantile(0.99) < maximum
    missed = (pieces.at(found_u, found_v) - pieces.at(u, v)).abs().amax(dim=-1)
    assert torch.allclose(residual, missed, atol=maximum)


def test_solve_for_parallelograms_and_negative_linear_coefficients() -> None:
    """Check also negative linear coefficients, for which the usual root suffers cancellation."""
    pieces = random_pieces(2000)
    flat = pieces._replace(twist=torch.zeros_like(pieces.twist))
    u, v = random_uv(2000)
    for tested in (flat, pieces):
        assert solve(tested, tested.at(u, v))[2].max() < 1e-7
    wide = Pieces(*torch.tensor([[[0, 0]], [[0.01, 0]], [[0, 1]], [[1, 0]]], dtype=torch.float64))
    half = torch.tensor([0.5], dtype=torch.float64)
    assert [tested.item() for tested in solve(wide, wide.at(half, half))] == [0.5, 0.5, 0]


def test_residual_outside_a_piece_is_the_distance() -> None:
    square = Pieces(*torch.tensor([[[0.0, 0]], [[1.0, 0]], [[0, 1.0]], [[0, 0]]]))
    u, v, residual = solve(square, torch.tensor([[1.5, 0.25]]))
    assert (u.item(), v.item(), residual.item()) == (1.0, 0.25, 0.5)
    nothing = Pieces(*(torch.full_like(coefficient, torch.nan) for coefficient in square))
    assert solve(nothing, torch.tensor([[0.5, 0.5]]))[2].isnan().all()


def test_refine_never_increases_the_residual() -> None:
    pieces, (u, v) = random_pieces(500), random_uv(500)
    points = pieces.at(u, v)
    near_u, near_v = (u + 1e-3).clamp(0, 1), (v - 1e-3).clamp(0, 1)
    residual = (pieces.at(near_u, near_v) - points).abs().amax(dim=-1)
    better = refine(pieces, points, near_u, near_v, residual)
    assert (better[2] <= residual).all()
    assert better[2].median() < 1e-3 * residual.median()
    exact = solve(pieces, points)
    again = refine(pieces, points, *exact)
    assert (again[2] <= exact[2]).all()
