"""Tests of rasterisation: the piece under each pixel, for grids of many shapes."""

import pytest
import torch
from torch import Tensor

from grids import KINDS, random_warp
from lzu_viz import Warp, saliency
from lzu_viz.geometry.inverse.rasterize import pieces_under
from lzu_viz.geometry.resampling import pixel_centres
from oracles import pieces_containing

TURN = torch.tensor([[0.6, 0.5], [-0.7, 0.6]], dtype=torch.float64)


def cropped() -> Tensor:
    saliency_map = saliency.gaussian(torch.tensor([[[0.2, -0.1]]]), 0.2)
    return Warp.from_saliency(saliency_map, (6, 7), 0.3, separable=False, anti_crop=False).grid


def bulging() -> Tensor:
    """Return a grid with wavy lines of nodes: a row of pixels crosses one several times."""
    grid = Warp.identity((9, 8)).grid.clone()
    grid[..., 1] += 0.35 * torch.sin(3 * grid[..., 0]) * (1 - grid[..., 1] ** 2)
    grid[..., 0] += 0.5 * torch.sin(5 * grid[..., 1])
    return grid


GRIDS = {
    **{kind: random_warp(kind, 7, (6, 9)).grid for kind in KINDS},
    "turned": (Warp.identity((5, 7)).grid.double() @ TURN).float(),
    "upside down": -Warp.identity((5, 7)).grid,
    "much larger than the frame": 5 * Warp.identity((5, 7)).grid + 0.3,
    "beside the frame": Warp.identity((5, 7)).grid + 3,
    "one piece": Warp.identity((1, 1)).grid * 0.7,
    "cropped": cropped(),
    "bulging": bulging(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDS)
def test_piece_under_each_pixel_matches_reference(name: str) -> None:
    grid, size = GRIDS[name], (13, 17)
    columns = grid.shape[2] - 1
    nodes = grid[0].double().numpy()
    centres = pixel_centres(size, dtype=torch.float64)[0].flatten(0, 1).numpy()
    for piece, centre in zip(pieces_under(grid, [size])[0].tolist(), centres, strict=True):
        containing = pieces_containing(nodes, centre)
        if piece < 0:
            assert not containing, f"{centre} lies in {containing}"
        else:
            assert divmod(piece, columns) in containing


def test_fraction_of_pixels_covered_by_pieces() -> None:
    covered = {name: float((pieces_under(grid, [(40, 40)]) >= 0).float().mean())
               for name, grid in GRIDS.items()}  # fmt: skip
    assert covered["beside the frame"] == 0
    assert covered["one piece"] == pytest.approx(0.49)
    assert 0.1 < covered["cropped"] < 0.99
    assert covered["turned"] < 0.9
    assert all(covered[kind] == 1 for kind in KINDS)


def test_batch_and_several_sizes_match_single_calls() -> None:
    grids = torch.cat([random_warp(kind, 3, (8, 5)).grid for kind in ("sharp", "strong")])
    sizes = [(9, 16), (1, 1), (5, 8), (3, 2)]
    together = pieces_under(grids, sizes)
    assert together.shape == (2, 9 * 16 + 1 + 40 + 6)
    for image in range(2):
        alone = [pieces_under(grids[image : image + 1], [size])[0] for size in sizes]
        assert torch.equal(together[image], torch.cat(alone))


def test_self_overlapping_grid_gives_valid_piece_indices() -> None:
    """Check a spiral of 1.25 turns, whose pieces overlap although none is folded."""
    angle = torch.linspace(0, 2.5 * torch.pi, 41)
    radius = torch.linspace(0.9, 0.3, 4)[:, None]
    spiral = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)[None]
    pieces = pieces_under(spiral, [(50, 50)])
    assert int(pieces.min()) == -1
    assert 60 < int(pieces.max()) < 120
