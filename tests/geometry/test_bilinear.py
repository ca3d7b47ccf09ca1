"""Tests of piecewise bilinear maps: values, derivatives, determinants."""

import numpy as np
import torch

from lzu_viz import Warp
from lzu_viz.geometry import bilinear
from oracles import evaluate_point


def random_grid(rows: int = 3, columns: int = 4) -> torch.Tensor:
    identity = Warp.identity((rows, columns), dtype=torch.float64).grid
    return identity + 0.15 * torch.randn_like(identity)


def test_evaluate_matches_reference() -> None:
    grid, points = random_grid(), torch.rand(1, 200, 2, dtype=torch.float64) * 2 - 1
    expected = [evaluate_point(grid[0].numpy(), x, y) for x, y in points[0].tolist()]
    assert np.allclose(bilinear.evaluate(grid, points)[0].numpy(), expected, atol=1e-12)


def test_evaluate_axis_matches_evaluate_on_separable_grid() -> None:
    nodes = torch.randn(2, 6)
    points = torch.rand(1, 50) * 2 - 1
    grid = nodes[:, None, :, None].expand(2, 2, 6, 2)
    flat = torch.stack([points, torch.zeros_like(points)], dim=-1)
    assert torch.allclose(
        bilinear.evaluate_axis(nodes, points), bilinear.evaluate(grid, flat)[..., 0], atol=1e-6
    )


def test_evaluate_at_nodes_returns_the_grid() -> None:
    grid = random_grid().float()
    nodes = Warp.identity((3, 4)).grid.flatten(1, 2)
    assert torch.equal(
        bilinear.evaluate(grid, nodes)[:, [0, 4, -5, -1]], grid.flatten(1, 2)[:, [0, 4, -5, -1]]
    )
    assert torch.allclose(bilinear.evaluate(grid, nodes), grid.flatten(1, 2), atol=1e-6)


def test_evaluate_on_grid_matches_evaluate_and_determinant() -> None:
    grid = torch.cat([random_grid(), random_grid()])
    x, y = (torch.rand(count, dtype=torch.float64) * 2 - 1 for count in (7, 5))
    points = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1).flatten(0, 1)[None]
    values, area = bilinear.evaluate_on_grid(grid, x, y)
    assert torch.equal(values, bilinear.evaluate(grid, points).view(2, 5, 7, 2))
    expected = bilinear.determinant(bilinear.differentiate(grid, points)).view(2, 5, 7)
    assert torch.allclose(area, expected, rtol=1e-12)


def test_differentiate_axis_matches_autograd() -> None:
    nodes, points = torch.randn(2, 6, dtype=torch.float64), torch.rand(9, dtype=torch.float64)
    points = points.requires_grad_()
    for row in range(2):
        values = bilinear.evaluate_axis(nodes[[row]], points[None])
        (expected,) = torch.autograd.grad(values.sum(), points)
        assert torch.allclose(bilinear.differentiate_axis(nodes, points.detach())[row], expected)


def test_to_frame_inverts_locate() -> None:
    points = torch.rand(2, 100, 2, dtype=torch.float64) * 2 - 1
    place = bilinear.locate(points, 5, 7)
    assert place.u.min() >= 0
    assert place.u.max() <= 1
    assert torch.allclose(bilinear.to_frame(place, 5, 7), points)


def test_min_determinant_bounds_sampled_determinants_per_piece() -> None:
    grid, (rows, columns) = random_grid(), (3, 4)
    line = (torch.arange(columns * 20, dtype=torch.float64) + 0.5) / (columns * 10) - 1
    down = (torch.arange(rows * 20, dtype=torch.float64) + 0.5) / (rows * 10) - 1
    y, x = torch.meshgrid(down, line, indexing="ij")
    derivatives = bilinear.differentiate(grid, torch.stack([x, y], dim=-1).flatten(0, 1)[None])
    areas = bilinear.determinant(derivatives).view(rows, 20, columns, 20)
    sampled = areas.amin(dim=(1, 3))
    minimum = bilinear.min_determinant(grid)[0]
    assert (minimum <= sampled).all()
    assert (sampled - minimum).max() < 0.2
    assert torch.allclose(areas, torch.linalg.det(derivatives).view_as(areas))
