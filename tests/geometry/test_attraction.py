"""Tests of `attract`, the continuous map: sums, fixed edges, folds, gradients."""

import numpy as np
import pytest
import torch

from lzu_viz import Warp, attract, saliency
from oracles import attract_point


def _random_map(seed: int, size: tuple[int, int] = (6, 9)) -> torch.Tensor:
    cells = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed)).double() ** 4
    return saliency.normalise(cells)


@pytest.mark.parametrize("anti_crop", [True, False])
@pytest.mark.parametrize("fwhm", [(0.3, 0.3), (0.21, 0.6)])
def test_attract_matches_reference(anti_crop: bool, fwhm: tuple[float, float]) -> None:
    saliency_map = _random_map(0)
    points = torch.rand(1, 20, 2, dtype=torch.float64) * 2 - 1
    got = attract(points, saliency_map, fwhm, separable=False, anti_crop=anti_crop)
    expected = [
        attract_point(x, y, saliency_map[0, 0].numpy(), fwhm, anti_crop)
        for x, y in points[0].tolist()
    ]
    assert np.allclose(got[0].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("anti_crop", [True, False])
def test_separable_form_uses_the_sums_of_rows_and_columns(anti_crop: bool) -> None:
    saliency_map = _random_map(1)
    points = torch.rand(1, 20, 2, dtype=torch.float64) * 2 - 1
    got = attract(points, saliency_map, 0.3, anti_crop=anti_crop)[0].numpy()
    by_column = saliency_map[0, 0].sum(0, keepdim=True).numpy()
    by_row = saliency_map[0, 0].sum(1, keepdim=True).numpy()
    for place, (x, y) in zip(got, points[0].tolist(), strict=True):
        assert place[0] == pytest.approx(attract_point(x, 0, by_column, (0.3, 0.3), anti_crop)[0])
        assert place[1] == pytest.approx(attract_point(0, y, by_row, (0.3, 0.3), anti_crop)[1])


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_anti_crop_fixes_the_edges_exactly(separable: bool, dtype: torch.dtype) -> None:
    for seed in range(30):
        saliency_map = _random_map(seed, (7 + seed, 300 - 9 * seed)).to(dtype)
        fwhm = 0.02 + 0.1 * seed
        grid = Warp.from_saliency(saliency_map, (9, 11), fwhm, separable).grid
        assert (grid[:, :, 0, 0] == -1).all()
        assert (grid[:, :, -1, 0] == 1).all()
        assert (grid[:, 0, :, 1] == -1).all()
        assert (grid[:, -1, :, 1] == 1).all()


def test_without_anti_crop_a_central_fovea_crops() -> None:
    saliency_map = saliency.gaussian(torch.zeros(1, 1, 2), 0.05)
    corners = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]])
    assert attract(corners, saliency_map, 0.4, anti_crop=False).abs().max() < 0.9


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_uniform_saliency_gives_the_identity(separable: bool, anti_crop: bool) -> None:
    points = torch.rand(2, 50, 2, dtype=torch.float64) * 2 - 1
    mapped = attract(points, saliency.uniform().double(), 0.25, separable, anti_crop)
    assert torch.allclose(mapped, points, atol=1e-9)


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("anti_crop", [True, False])
def test_warps_from_random_saliency_have_no_folds(separable: bool, anti_crop: bool) -> None:
    for seed in range(25):
        saliency_map = _random_map(seed, (16, 16))
        warp = Warp.from_saliency(saliency_map, (40, 40), 0.15 + 0.02 * seed, separable, anti_crop)
        assert len(warp.folds()) == 0


@pytest.mark.parametrize("separable", [True, False])
def test_attract_at_nodes_matches_grid_of_warp(separable: bool) -> None:
    saliency_map = torch.cat([_random_map(2), _random_map(3)])
    warp = Warp.from_saliency(saliency_map, (4, 6), (0.2, 0.4), separable)
    nodes = Warp.identity((4, 6), dtype=torch.float64).grid.flatten(1, 2)
    assert torch.allclose(
        attract(nodes, saliency_map, (0.2, 0.4), separable), warp.grid.flatten(1, 2)
    )


@pytest.mark.slow
@pytest.mark.parametrize("separable", [True, False])
def test_gradients(separable: bool) -> None:
    points = (torch.rand(1, 5, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    # The finite differences need values well above 0.
    saliency_map = torch.rand(1, 1, 4, 5, dtype=torch.float64).add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p, s: attract(p, s, 0.3, separable), (points, saliency_map)
    )


def test_narrow_kernel_gives_finite_points() -> None:
    points = torch.rand(1, 100, 2) * 2 - 1
    assert attract(points, saliency.uniform(), 1e-3).isfinite().all()


@pytest.mark.parametrize("separable", [True, False])
def test_gradient_at_fixed_edges_matches_finite_difference(separable: bool) -> None:
    saliency_map = torch.rand(1, 1, 4, 5, dtype=torch.float64) + 0.1
    edge = torch.tensor([[[1.0, -1.0]]], dtype=torch.float64, requires_grad=True)
    attract(edge, saliency_map, 0.3, separable)[..., 0].sum().backward()
    inner = torch.tensor([[[1 - 1e-7, -1.0]]], dtype=torch.float64)
    slope = (1 - attract(inner, saliency_map, 0.3, separable)[0, 0, 0]) / 1e-7
    assert edge.grad is not None
    assert edge.grad[0, 0, 0].item() == pytest.approx(slope.item(), rel=1e-4)


@pytest.mark.parametrize("separable", [True, False])
def test_attract_is_unaffected_by_autocast(separable: bool) -> None:
    centres = torch.tensor([[[0.4, -0.2]]])
    points = torch.rand(1, 50, 2) * 2 - 1

    def mapped_points() -> torch.Tensor:
        saliency_map = saliency.gaussian(centres, 0.05)
        return attract(points, saliency_map, 0.3, separable)

    plain = mapped_points()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(mapped_points(), plain)
        saliency_map = saliency.gaussian(centres, 0.05)
        grid = Warp.from_saliency(saliency_map, separable=separable).grid
    assert torch.equal(grid, Warp.from_saliency(saliency_map, separable=separable).grid)


def test_mixed_dtypes_are_promoted_to_float64() -> None:
    mapped = attract(torch.zeros(1, 1, 2), saliency.uniform().double())
    assert mapped.dtype == torch.float64


def test_invalid_input_raises() -> None:
    points = torch.zeros(1, 1, 2)
    with pytest.raises(ValueError, match="divide a length in pixels or nodes"):
        attract(points, saliency.uniform(), fwhm=10)
    with pytest.raises(ValueError, match=r"\(b, 1, h, w\), got \(32, 64\)"):
        attract(points, saliency.uniform()[0, 0])
    with pytest.raises(ValueError, match="positive everywhere, got a minimum of 0"):
        attract(points, torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="NaN"):
        attract(points, torch.full((1, 1, 4, 4), torch.nan))
    with pytest.raises(ValueError, match=r"equal batch sizes.* got 2 and 3"):
        attract(points.expand(2, -1, -1), saliency.uniform().expand(3, -1, -1, -1))
