"""Tests of the inverse of a warp: random grids, reference implementation, gradients."""

import pytest
import torch
from torch import Tensor

from grids import KINDS, random_warp
from lzu_viz import Warp, saliency
from lzu_viz.geometry.inverse.invert import invert_axis, invert_pieces, invert_pixels
from oracles import invert_point

SOURCE = (256, 512)
GRIDS_PER_KIND = 400
"""Number of random grids of each kind; with five kinds, 2000 in all."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_holes_and_no_errors_on_random_grids(kind: str) -> None:
    """Check that each source pixel has an inverse that maps to within 1e-3 px of its centre."""
    worst, holes = 0.0, 0
    for seed in range(GRIDS_PER_KIND):
        warp = random_warp(kind, seed)
        (zoomed,) = invert_pixels(warp.grid, [SOURCE])
        holes += int(zoomed.isnan().any(dim=-1).sum())
        worst = max(worst, max_error(warp, zoomed))
    print(f"{kind}: {GRIDS_PER_KIND} grids, {holes} holes, worst {worst:.1e} px")
    assert holes == 0
    assert worst < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_to_zoomed_at_pixel_centres_matches_zoomed_map(kind: str) -> None:
    """Check that the inverses of single points equal those of the dense map."""
    for seed in range(5):
        warp = random_warp(kind, seed)
        dense = warp.zoomed_map(SOURCE)
        centres = Warp.identity((1, 1)).source_map(SOURCE).flatten(1, 2)
        zoomed = warp.to_zoomed(centres).view_as(dense)
        assert max_error(warp, zoomed) < 1e-3
        assert (zoomed - dense).abs().max() < 1e-5


def max_error(warp: Warp, zoomed: Tensor) -> float:
    """Return the largest distance, in source pixels, of mapped inverses from pixel centres."""
    centres = Warp.identity((1, 1), dtype=torch.float64).source_map(SOURCE).flatten(1, 2)
    exact = warp.to(dtype=torch.float64).to_source(zoomed.double().flatten(1, 2))
    half_pixels = torch.tensor([SOURCE[1] / 2, SOURCE[0] / 2])
    return float(((exact - centres) * half_pixels).abs().nan_to_num(0).max())


def test_zoomed_map_of_cropped_rotated_and_ill_shaped_grids() -> None:
    """Check a batch of a cropped grid, a rotated one and one with a nearly triangular piece."""
    saliency_map = saliency.gaussian(torch.tensor([[[0.2, -0.1]]]), 0.2)
    cropped = Warp.from_saliency(saliency_map, (6, 7), 0.3, separable=False, anti_crop=False).grid
    turned = Warp.identity((6, 7)).grid @ torch.tensor([[0.8, 0.6], [-0.6, 0.7]])
    ill = Warp.identity((6, 7)).grid.clone()
    ill[0, 3, 3] = torch.lerp(ill[0, 2, 3], ill[0, 3, 2], 0.5) + 1e-4
    for dtype in (torch.float32, torch.float64):
        warp = Warp.from_grid(torch.cat([cropped, turned, ill]).to(dtype))
        assert len(warp.folds()) == 0
        dense = warp.zoomed_map((90, 160))
        centres = Warp.identity((1, 1), dtype=dtype).source_map((90, 160)).flatten(1, 2)
        searched = warp.to_zoomed(centres.expand(3, -1, -1)).view_as(dense)
        assert torch.equal(dense.isnan(), searched.isnan())
        assert 0 < int(dense.isnan().sum()) < dense.numel() / 2
        back = warp.to_source(dense.flatten(1, 2)) - centres
        assert back.abs().nan_to_num(0).max() < 2e-6


def test_self_overlapping_grid_gives_one_valid_inverse_per_pixel() -> None:
    """Check a spiral, a grid that overlaps itself although no piece is folded."""
    angle, radius = torch.linspace(0, 2.5 * torch.pi, 41), torch.linspace(0.9, 0.3, 4)[:, None]
    spiral = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)[None]
    warp = Warp.from_grid(spiral)
    assert len(warp.folds()) == 0
    centres = Warp.identity((1, 1)).source_map((50, 50))
    zoomed = warp.zoomed_map((50, 50))
    ring = (centres.norm(dim=-1) > 0.31) & (centres.norm(dim=-1) < 0.89)
    assert zoomed.isfinite().all(dim=-1)[ring].all()
    back = warp.to_source(zoomed.flatten(1, 2)).view_as(centres) - centres
    assert back.abs().nan_to_num(0).max() < 4e-6


def test_zoomed_maps_match_zoomed_map_per_size() -> None:
    warp = random_warp("strong", 1)
    sizes = [(64, 128), (32, 64), (15, 31), (1, 1)]
    for size, level in zip(sizes, warp.zoomed_maps(sizes), strict=True):
        assert torch.equal(level, Warp.from_grid(warp.grid).zoomed_map(size))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_to_zoomed_matches_reference(kind: str) -> None:
    warp = random_warp(kind, seed=500, pieces=(7, 9)).to(dtype=torch.float64)
    points = torch.rand(1, 12, 2, dtype=torch.float64) * 2 - 1
    grid = warp.grid[0].numpy()
    for point, solution in zip(points[0].numpy(), warp.to_zoomed(points)[0].numpy(), strict=True):
        expected = invert_point(grid, point)
        assert expected is not None
        assert solution == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_to_zoomed_is_nan_where_reference_finds_no_inverse() -> None:
    saliency_map = saliency.gaussian(torch.tensor([[[0.2, -0.1]]]), 0.2).double()
    warp = Warp.from_saliency(saliency_map, (6, 6), 0.3, separable=False, anti_crop=False)
    points = torch.rand(1, 200, 2, dtype=torch.float64) * 2 - 1
    solution = warp.to_zoomed(points)[0]
    expected = [invert_point(warp.grid[0].numpy(), point) for point in points[0].numpy()]
    assert [bool(each.isnan().any()) for each in solution] == [each is None for each in expected]
    assert 10 < sum(each is None for each in expected) < 195


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip_both_ways(separable: bool, dtype: torch.dtype) -> None:
    centres = torch.tensor([[[0.5, -0.3], [-0.7, 0.9]], [[0.0, 0.0], [1.0, 1.0]]], dtype=dtype)
    saliency_map = saliency.mix(saliency.uniform().to(dtype), saliency.gaussian(centres, 0.05))
    warp = Warp.from_saliency(saliency_map, separable=separable)
    points = torch.rand(2, 5000, 2, dtype=dtype) * 2 - 1
    assert (warp.to_source(warp.to_zoomed(points)) - points).abs().max() < 2e-5
    assert (warp.to_zoomed(warp.to_source(points)) - points).abs().max() < 2e-5


@pytest.mark.parametrize("separable", [True, False])
def test_corners_and_edges_of_the_frame_have_an_inverse(separable: bool) -> None:
    """Check border points, where an eps below float32's resolution would leave holes."""
    saliency_map = saliency.gaussian(torch.tensor([[[0.9, -0.9]]]), 0.05)
    warp = Warp.from_saliency(saliency_map, (27, 48), (0.37, 0.21), separable)
    line = torch.linspace(-1, 1, 501)
    edges = [torch.stack([line, torch.full_like(line, side)], -1) for side in (-1.0, 1.0)]
    points = torch.cat(edges + [edge.flip(-1) for edge in edges])[None]
    zoomed = warp.to_zoomed(points)
    assert zoomed.isfinite().all()
    assert (warp.to_source(zoomed) - points).abs().max() < 2e-6


def test_inverse_of_parallelogram_pieces() -> None:
    """Check pieces whose quadratic is linear; a wrong sign of its root would leave holes."""
    grid = Warp.identity((5, 7)).grid @ torch.tensor([[0.8, 0.1], [-0.2, 0.7]])
    warp = Warp.from_grid(grid)
    points = torch.rand(1, 1000, 2) * 2 - 1
    assert (warp.to_zoomed(warp.to_source(points)) - points).abs().max() < 2e-6
    assert Warp.from_grid(Warp.identity().grid).coverage((57, 100)).all()


@pytest.mark.parametrize("separable", [True, False])
def test_gradients(separable: bool) -> None:
    saliency_map = saliency.gaussian(
        torch.tensor([[[0.3, -0.3]]], dtype=torch.float64), 0.2, size=(6, 6)
    )
    warp = Warp.from_saliency(saliency_map, (3, 4), 0.4, separable)
    points = (torch.rand(1, 6, 2, dtype=torch.float64) * 1.8 - 0.9).requires_grad_()
    if separable:
        x, y = (axis.detach().requires_grad_() for axis in warp.axes or ())
        inputs, make = (x, y), Warp.from_axes
    else:
        inputs, make = (warp.grid.detach().requires_grad_(),), Warp.from_grid
    assert torch.autograd.gradcheck(lambda p, *g: make(*g).to_zoomed(p), (points, *inputs))
    assert torch.autograd.gradcheck(lambda p, *g: make(*g).to_source(p), (points, *inputs))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_in_float32_match_float64(kind: str) -> None:
    grid = random_warp(kind, 3).grid
    gradients = []
    for dtype in (torch.float32, torch.float64):
        nodes = grid.to(dtype, copy=True).requires_grad_()
        zoomed = Warp.from_grid(nodes).zoomed_map((64, 128))
        weight = torch.linspace(-1, 1, zoomed.numel(), dtype=dtype).view_as(zoomed)
        (zoomed * weight).sum().backward()
        assert nodes.grad is not None
        gradients.append(nodes.grad.double())
    assert (gradients[0] - gradients[1]).norm() / gradients[1].norm() < 1e-4


@pytest.mark.slow
def test_gradients_of_dense_maps_and_second_derivatives() -> None:
    saliency_map = saliency.gaussian(
        torch.tensor([[[0.3, -0.3]]], dtype=torch.float64), 0.2, size=(6, 6)
    )
    cropped = Warp.from_saliency(saliency_map, (3, 4), 0.4, separable=False, anti_crop=False)
    grid = cropped.grid.detach().requires_grad_()

    def dense(nodes: Tensor) -> Tensor:
        return torch.cat([zoomed.flatten() for zoomed in invert_pixels(nodes, [(5, 7), (2, 3)])])

    assert bool(dense(grid).isnan().any())
    assert torch.autograd.gradcheck(lambda nodes: dense(nodes).nan_to_num(0), (grid,))
    points = torch.tensor([[[0.1, 0.2], [-0.4, 0.3]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(invert_pieces, (grid, points))


def test_invert_axis_with_nearly_flat_last_segment() -> None:
    nodes = torch.tensor([[-1.0, 0.999, 1.0]])
    points = torch.tensor([[-1.0, 0.0, 0.999, 0.9995, 1.0]])
    assert invert_axis(nodes, points)[0].tolist() == pytest.approx(
        [-1, -0.499750, 0, 0.5, 1], abs=1e-4
    )


def test_gradients_are_finite_where_there_is_no_inverse() -> None:
    nodes = [[[-0.25, -0.5], [0.25, -0.5]], [[-0.5, 0.5], [0.5, 0.5]]]
    grid = torch.tensor([nodes], requires_grad=True)
    Warp.from_grid(grid).unzoom(torch.rand(1, 1, 8, 8), (8, 8)).sum().backward()
    assert grid.grad is not None
    assert grid.grad.isfinite().all()
    assert grid.grad.abs().sum() > 0


def test_pieces_that_are_nearly_triangles_have_no_holes() -> None:
    nodes = [[[-1, -1.0], [1, -1]], [[-1, 1.0], [-1 + 1e-3, 1 - 0.5e-3]]]
    warp = Warp.from_grid(torch.tensor([nodes]))
    assert len(warp.folds()) == 0
    inside = torch.rand(1, 100_000, 2, dtype=torch.float64) * 2 - 1
    points = warp.to(dtype=torch.float64).to_source(inside)
    zoomed = warp.to_zoomed(points.float())
    assert zoomed.isfinite().all()
    back = warp.to(dtype=torch.float64).to_source(zoomed.double())
    assert (back - points).abs().max() < 4e-6


def test_inverse_on_the_edge_between_ill_shaped_pieces() -> None:
    """Check a point where an unguarded last Newton step would leave the piece, by 8e-3 px."""
    grid = Warp.identity((2, 2)).grid.clone()
    grid[0, 0, 1, 0], grid[0, 1, 0, 1] = -0.1, 0.26
    grid[0, 1, 1] = torch.tensor([0.88, -0.65])
    grid[0, 1, 2, 1], grid[0, 2, 1, 0] = -0.61, 0.03
    warp = Warp.from_grid(grid)
    points = torch.tensor([[[0.8789219856262207, -0.6503849625587463]]])
    assert (warp.to_source(warp.to_zoomed(points)) - points).abs().max() < 4e-6


def test_large_grid_covers_all_pixels() -> None:
    warp = Warp.from_grid(Warp.identity((8, 8)).grid * 8)
    assert warp.coverage((64, 64)).all()


@pytest.mark.parametrize("separable", [True, False])
def test_empty_batches_of_points(separable: bool) -> None:
    saliency_map = saliency.gaussian(torch.tensor([[[0.9, -0.9]]]), 0.05)
    assert Warp.from_saliency(saliency_map, separable=separable).to_zoomed(
        torch.zeros(1, 0, 2)
    ).shape == (
        1,
        0,
        2,
    )
