"""Random warps without folds, of all kinds that an inverse is tested with."""

import torch
from torch import Tensor

from lzu_viz import Warp, saliency
from lzu_viz.geometry.bilinear import min_determinant

KINDS = ("sharp", "edge", "boxes", "jittered", "strong")
MIN_DETERMINANT = 1e-3


def random_warp(kind: str, seed: int, pieces: tuple[int, int] = (26, 47)) -> Warp:
    """Return a non-separable warp of a kind, whose Jacobian determinant exceeds 1e-3 everywhere."""
    draw = torch.Generator().manual_seed(1000 * KINDS.index(kind) + seed)
    for _ in range(200):
        grid = _draw(kind, draw, pieces)
        if float(min_determinant(grid).amin()) > MIN_DETERMINANT:
            return Warp.from_grid(grid)
    raise RuntimeError(f"no fold-free grid of kind {kind} in 200 draws")


def _draw(kind: str, draw: torch.Generator, pieces: tuple[int, int]) -> Tensor:
    def between(low: float, high: float, *size: int) -> Tensor:
        return low + (high - low) * torch.rand(size, generator=draw)

    number = int(torch.randint(1, 5, (), generator=draw))
    centres = between(-1, 1, 1, number, 2)
    sigma, fwhm, strength = float(between(0.05, 0.15)), float(between(0.15, 0.5)), 2.0
    if kind == "sharp":
        sigma, fwhm = float(between(0.01, 0.04)), float(between(0.12, 0.3))
    if kind == "edge":
        centres[..., int(torch.randint(2, (), generator=draw))] = centres[..., 0].sign()
    if kind == "strong":
        strength, fwhm = 1000.0, float(between(0.3, 0.8))
    fovea = saliency.gaussian(centres, sigma)
    if kind == "boxes":
        corner = between(-1, 0.8, 1, 30, 2)
        boxes = torch.cat([corner, corner + between(0.01, 0.2, 1, 30, 2)], dim=-1)
        fovea = saliency.from_boxes_scale_free(boxes)
    saliency_map = saliency.mix(saliency.uniform(), fovea, weights=(1, strength))
    grid = Warp.from_saliency(saliency_map, pieces, fwhm, separable=False).grid
    if kind == "jittered":
        step = torch.tensor([2 / pieces[1], 2 / pieces[0]])
        shift = between(-0.35, 0.35, *grid.shape) * step
        shift[:, :, [0, -1], 0] = 0
        shift[:, [0, -1], :, 1] = 0
        grid = grid + shift * float(between(0.1, 1.0))
    return grid
