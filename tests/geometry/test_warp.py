"""Tests of `Warp`: zoom, unzoom, boxes, magnification, coverage, folds, invalid input."""

import copy
import pickle
from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grids import random_warp
from lzu_viz import Warp, attract, saliency
from lzu_viz.geometry.resampling import pixel_centres
from lzu_viz.geometry.warp import CACHE_SIZE
from oracles import evaluate_point


def fovea_warp(separable: bool = True, pieces: tuple[int, int] = (32, 64), **options: bool) -> Warp:
    saliency_map = saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.08)
    saliency_map = saliency.mix(saliency.uniform(), saliency_map, weights=(1, 2))
    return Warp.from_saliency(saliency_map, pieces, 0.25, separable, **options)


def coordinates(size: tuple[int, int]) -> Tensor:
    """Return an image whose two channels are the coordinates of each pixel, a linear ramp."""
    return pixel_centres(size).permute(0, 3, 1, 2)


@pytest.mark.parametrize("separable", [True, False])
def test_unzoom_inverts_zoom_on_a_ramp(separable: bool) -> None:
    size = (128, 256)
    warp, ramp = fovea_warp(separable), coordinates((256, 512))
    back = warp.unzoom(warp.zoom(ramp, size, antialias=False), size)
    residual = (back - coordinates(size)).abs()[..., 1:-1, 1:-1]
    assert residual.median() < 1e-4
    assert residual.max() < 5e-3


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_unzoomed_features_are_aligned_at_every_stride(separable: bool, stride: int) -> None:
    """Check that features that encode coordinates are unzoomed to these coordinates."""
    size, source = (256, 512), (512, 1024)
    warp = fovea_warp(separable)
    features = F.avg_pool2d(warp.zoom(coordinates(source), size, antialias=False), stride)
    grid = (size[0] // stride, size[1] // stride)
    drift = (warp.unzoom(features, grid) - coordinates(grid)).abs()[..., 1:-1, 1:-1].median() / 2
    assert drift < {4: 2e-4, 8: 5e-4, 16: 2e-3, 32: 8e-3}[stride]


def test_align_corners_drifts_more_than_pixel_area_convention() -> None:
    """Compare with the official convention: -1 and 1 are the centres of the corner pixels."""
    stride, size, source = 8, (256, 512), (512, 1024)
    warp, grid = fovea_warp(), (32, 64)

    def corners(rows: int, columns: int) -> Tensor:
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, rows), torch.linspace(-1, 1, columns), indexing="ij"
        )
        return torch.stack([x, y], dim=-1)[None]

    zoomed = F.grid_sample(
        coordinates(source),
        warp.to_source(corners(*size).flatten(1, 2)).view(1, *size, 2),
        align_corners=True,
    )
    features = F.avg_pool2d(zoomed, stride)
    unzoomed = F.grid_sample(
        features, warp.to_zoomed(corners(*grid).flatten(1, 2)).view(1, *grid, 2), align_corners=True
    )
    inner = (..., slice(1, -1), slice(1, -1))
    official = (unzoomed - coordinates(grid)).abs()[inner].median() / 2
    ours = (
        warp.unzoom(F.avg_pool2d(warp.zoom(coordinates(source), size, False), stride), grid)
        - coordinates(grid)
    ).abs()[inner].median() / 2
    assert official > 3 * ours


@pytest.mark.parametrize("separable", [True, False])
def test_to_source_matches_bilinear_reference(separable: bool) -> None:
    warp = fovea_warp(separable, (5, 9)).to(dtype=torch.float64)
    points = torch.rand(1, 100, 2, dtype=torch.float64) * 2 - 1
    expected = [evaluate_point(warp.grid[0].numpy(), x, y) for x, y in points[0].tolist()]
    assert np.allclose(warp.to_source(points)[0].numpy(), expected, atol=1e-12)


def test_approximation_error_is_quadratic_in_size_of_pieces() -> None:
    saliency_map = saliency.mix(
        saliency.uniform(), saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.08)
    )
    points = torch.rand(1, 2000, 2) * 2 - 1
    exact = attract(points, saliency_map)
    error = [
        float(
            (Warp.from_saliency(saliency_map, (k, k)).to_source(points) - exact)
            .square()
            .mean()
            .sqrt()
        )
        for k in (8, 16, 32, 64)
    ]
    # Each doubling divides the error by about four: it is quadratic in the size of a piece.
    assert all(3 < coarse / fine < 5 for coarse, fine in pairwise(error[1:]))


@pytest.mark.parametrize("separable", [True, False])
def test_jacobian_is_the_derivative(separable: bool) -> None:
    warp = fovea_warp(separable).to(dtype=torch.float64)
    points = torch.rand(1, 50, 2, dtype=torch.float64) * 1.8 - 0.9
    step = 1e-7
    derivatives = warp.jacobian(points)
    for axis in range(2):
        move = step * torch.eye(2, dtype=torch.float64)[axis]
        numeric = (warp.to_source(points + move) - warp.to_source(points - move)) / (2 * step)
        assert torch.allclose(derivatives[..., axis], numeric, atol=1e-5)


@pytest.mark.parametrize("separable", [True, False])
def test_magnification_peaks_at_fovea_and_its_mean_square_is_one(separable: bool) -> None:
    assert torch.allclose(Warp.identity().magnification((8, 8)), torch.ones(1, 8, 8), atol=1e-5)
    magnification = fovea_warp(separable).magnification((200, 400))[0]
    row, column = divmod(int(magnification.argmax()), 400)
    assert abs(column / 400 - 0.7) < 0.03
    assert abs(row / 200 - 0.4) < 0.03
    # The whole source fills the whole zoomed frame: the areas add up.
    assert magnification.square().mean().item() == pytest.approx(1, abs=0.01)


def test_magnification_of_a_stretched_axis() -> None:
    # The right half of the zoomed frame shows the last tenth of the source.
    warp = Warp.from_axes(torch.tensor([[-1.0, 0.8, 1.0]]), torch.tensor([[-1.0, 1.0]]))
    right = warp.magnification((1, 100))[0, 0, 95]
    assert right.item() == pytest.approx((0.5 / 0.1) ** 0.5, rel=1e-4)


@pytest.mark.parametrize("separable", [True, False])
def test_pixels_out_of_view_are_filled_and_not_covered(separable: bool) -> None:
    warp = fovea_warp(separable, anti_crop=False)
    coverage = warp.coverage((100, 200))[0]
    assert coverage.dtype == torch.bool
    assert 0.5 < coverage.float().mean() < 0.99
    unzoomed = warp.unzoom(torch.ones(1, 1, 32, 64), (100, 200), fill_value=-1)[0, 0]
    assert torch.allclose(unzoomed[coverage], torch.ones(()))
    assert (unzoomed[~coverage] == -1).all()
    assert torch.equal(warp.magnification((100, 200))[0].isfinite(), coverage)
    assert fovea_warp(separable).coverage((100, 200)).all()


@pytest.mark.parametrize("kind", ["jittered", "boxes", "strong"])
def test_boxes_to_source_is_the_box_around_the_mapped_edges(kind: str) -> None:
    warp = random_warp(kind, 7).to(dtype=torch.float64)
    low = torch.rand(20, 2, dtype=torch.float64) * 1.4 - 1
    boxes = torch.cat([low, low + 0.05 + 0.5 * torch.rand(20, 2, dtype=torch.float64)], -1)
    mapped = warp.boxes_to_source(boxes)
    line = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None]
    for box, got in zip(boxes.clamp(-1, 1), mapped, strict=True):
        along = box[:2] + line * (box[2:] - box[:2])
        edges = [torch.stack([along[:, 0], side.expand(4001)], -1) for side in box[[1, 3]]]
        edges += [torch.stack([side.expand(4001), along[:, 1]], -1) for side in box[[0, 2]]]
        dense = warp.to_source(torch.cat(edges)[None])[0]
        assert torch.allclose(got, torch.cat([dense.amin(0), dense.amax(0)]), atol=1e-4)
    corners = warp.to_source(boxes.clamp(-1, 1).view(1, -1, 2)).view(-1, 4)
    if kind == "jittered":
        assert (mapped[:, :2] < corners[:, :2] - 1e-3).any()


def test_boxes_of_a_batch() -> None:
    warp = Warp.from_grid(torch.cat([fovea_warp().grid, Warp.identity().grid]))
    boxes = torch.tensor([[-0.5, -0.5, 0.5, 0.5], [-1.0, -1.0, 1.0, 1.0]])
    mapped = warp.boxes_to_source(boxes.expand(2, -1, -1))
    assert torch.allclose(mapped[1], boxes, atol=1e-6)
    assert torch.allclose(mapped[0], warp[0].boxes_to_source(boxes))
    with pytest.raises(ValueError, match="for a warp of batch 2"):
        warp.boxes_to_source(boxes)
    assert Warp.identity().boxes_to_source(torch.zeros(0, 4)).shape == (0, 4)


def folded() -> Warp:
    grid = Warp.identity((4, 6)).grid.clone()
    grid[0, 2, 3, 0] += 0.5
    return Warp.from_grid(grid)


def test_folds_are_listed_and_inverse_raises() -> None:
    warp = folded()
    assert warp.folds().tolist() == [[0, 1, 3], [0, 2, 3]]
    assert Warp.identity().folds().shape == (0, 3)
    for use in (
        lambda: warp.unzoom(torch.rand(1, 1, 8, 8), (8, 8)),
        lambda: warp.to_zoomed(torch.zeros(1, 1, 2)),
        lambda: warp.coverage((8, 8)),
        lambda: warp.magnification((8, 8)),
        lambda: warp.zoom(torch.rand(1, 3, 8, 8), (8, 8)),
    ):
        with pytest.raises(ValueError, match="2 of 24 pieces, first at batch 0, row 1, column 3"):
            use()
    assert warp.zoom(torch.rand(1, 3, 8, 8), (8, 8), allow_folds=True).isfinite().all()


def test_mirrored_axes_are_folds() -> None:
    half_turn = Warp.from_axes(torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[1.0, -1.0]]))
    assert len(half_turn.folds()) == 2
    with pytest.raises(ValueError, match="2 of 2 pieces"):
        half_turn.coverage((3, 3))


def test_flat_segment_raises() -> None:
    flat = Warp.from_axes(torch.tensor([[-1.0, 1.0, 1.0]]), torch.tensor([[-1.0, 1.0]]))
    with pytest.raises(ValueError, match="folded or flat in 1 of 2 pieces"):
        flat.unzoom(torch.rand(1, 1, 8, 8), (8, 8))


@pytest.mark.slow
def test_round_trip_is_differentiable_in_image_and_saliency() -> None:
    image = torch.rand(1, 1, 6, 8, dtype=torch.float64, requires_grad=True)
    saliency_map = (torch.rand(1, 1, 4, 4, dtype=torch.float64) + 0.5).requires_grad_()

    def round_trip(image: Tensor, saliency_map: Tensor) -> Tensor:
        warp = Warp.from_saliency(saliency_map, (3, 3), 0.5, separable=False)
        return warp.unzoom(warp.zoom(image, (3, 4), antialias=True), (5, 5))

    assert torch.autograd.gradcheck(round_trip, (image, saliency_map))


def test_warp_is_immutable_and_can_be_copied_and_pickled() -> None:
    warp = fovea_warp()
    light = len(pickle.dumps(warp))
    warp.zoomed_map((200, 200))
    assert len(pickle.dumps(warp)) == light  # the cache is not pickled
    with pytest.raises(FrozenInstanceError):
        warp.grid = torch.zeros(1)  # type: ignore[misc]
    for twin in (copy.deepcopy(warp), pickle.loads(pickle.dumps(warp)), warp.detach()):
        assert torch.equal(twin.grid, warp.grid)
        assert twin.separable
    assert repr(warp) == "Warp(batch=1, pieces=(32, 64), separable)"


def test_cache_of_dense_maps_is_bounded() -> None:
    warp = fovea_warp()
    assert warp.zoomed_map((10, 10)) is warp.zoomed_map((10, 10))
    for side in range(2, 60):
        warp.zoomed_map((side, side))
    assert len(warp._memory) == CACHE_SIZE


def test_cached_maps_do_not_break_gradients() -> None:
    saliency_map = saliency.gaussian(torch.zeros(1, 1, 2), 0.1).requires_grad_()
    warp = Warp.from_saliency(saliency_map)
    for _ in range(2):
        warp.unzoom(torch.rand(1, 1, 8, 8), (8, 8)).sum().backward(retain_graph=True)
    with torch.no_grad():
        warp.zoomed_map((8, 8))
    assert warp.zoomed_map((8, 8)).requires_grad
    later = Warp.from_grid(fovea_warp().grid.clone())
    later.zoomed_map((8, 8))
    later.grid.requires_grad_()
    assert later.zoomed_map((8, 8)).requires_grad
    fixed = fovea_warp()
    with torch.inference_mode():
        fixed.zoomed_map((8, 8))
    features = torch.rand(1, 1, 8, 8, requires_grad=True)
    fixed.unzoom(features, (8, 8)).sum().backward()


def test_batch_of_one_broadcasts_and_unequal_batches_raise() -> None:
    image, warp = torch.rand(3, 3, 16, 16), fovea_warp()
    assert torch.allclose(warp.zoom(image, (8, 8))[1:2], warp.zoom(image[1:2], (8, 8)), atol=1e-6)
    three = Warp.from_grid(warp.grid.expand(3, -1, -1, -1))
    assert three.zoom(image[:1], (8, 8)).shape == (3, 3, 8, 8)
    assert three.unzoom(image[:1], (8, 8)).shape == (3, 3, 8, 8)
    points = torch.rand(1, 5, 2)
    assert three.to_zoomed(points).shape == (3, 5, 2)
    assert warp.to_source(points.expand(4, -1, -1)).shape == (4, 5, 2)
    with pytest.raises(ValueError, match=r"equal batch sizes.* got 3 and 2"):
        three.zoom(image[:2], (8, 8))
    with pytest.raises(IndexError):
        three[3]


def test_points_that_are_nan_or_outside_map_to_nan() -> None:
    points = torch.tensor([[[0.0, 0.0], [1.5, 0.0], [torch.nan, 0.0], [1.0, -1.0]]])
    for warp in (fovea_warp(), fovea_warp(separable=False)):
        for mapped in (warp.to_source(points), warp.to_zoomed(points), warp.jacobian(points)):
            unknown = mapped.flatten(2).isnan()
            assert torch.equal(unknown.any(dim=-1), unknown.all(dim=-1))
            assert unknown.any(dim=-1)[0].tolist() == [False, True, True, False]
    saliency_map = saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.08)
    cropping = Warp.from_saliency(saliency_map, fwhm=0.4, anti_crop=False)
    assert cropping.to_zoomed(torch.tensor([[[-0.99, 0.0]]])).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images_keep_dtype_and_grid_is_float32(dtype: torch.dtype) -> None:
    warp, image = fovea_warp(), torch.rand(1, 3, 90, 160)
    zoomed = warp.zoom(image.to(dtype), (45, 80))
    assert zoomed.dtype == dtype
    assert (zoomed.float() - warp.zoom(image, (45, 80))).abs().max() < 0.03
    assert Warp.from_saliency(saliency.uniform().to(dtype)).grid.dtype == torch.float32


def test_invalid_input_raises() -> None:
    warp = fovea_warp()
    with pytest.raises(ValueError, match="at least 2x2 pixels"):
        warp.zoom(torch.rand(1, 3, 1, 1), (8, 8))
    with pytest.raises(ValueError, match="NaN or infinite pixels"):
        warp.zoom(torch.full((1, 3, 8, 8), torch.nan), (8, 8))
    with pytest.raises(ValueError, match=r"\(b, c, h, w\), got \(3, 8, 8\)"):
        warp.zoom(torch.rand(3, 8, 8), (8, 8))
    with pytest.raises(ValueError, match="size must be"):
        warp.zoom(torch.rand(1, 3, 8, 8), 8)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"floating point of shape \(b, n, 2\)"):
        warp.to_source(torch.zeros(3, 2))
    with pytest.raises(ValueError, match="NaN or infinite nodes"):
        Warp.from_grid(torch.full((1, 3, 3, 2), torch.nan))
    with pytest.raises(ValueError, match="float32 or float64"):
        Warp.from_grid(torch.zeros(1, 3, 3, 2, dtype=torch.float16))
    with pytest.raises(ValueError, match=r"\(b, rows \+ 1, columns \+ 1, 2\)"):
        Warp.from_grid(torch.zeros(3, 3, 2))
    with pytest.raises(ValueError, match="positive everywhere"):
        Warp.from_saliency(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="pieces must be"):
        Warp.from_saliency(saliency.uniform(), pieces=(0, 4))
    for bad in (torch.zeros(4), torch.zeros(1, 4).long(), torch.tensor([[0.5, 0.0, 0.1, 0.1]])):
        with pytest.raises(ValueError, match="boxes must be"):
            warp.boxes_to_source(bad)


def test_unzoom_levels_matches_unzoom_per_level() -> None:
    warp = Warp.from_grid(fovea_warp().grid)
    levels = [torch.rand(2, 4, 8, 16), torch.rand(2, 4, 4, 8)]
    sizes = [(16, 32), (8, 16)]
    for got, level, size in zip(warp.unzoom_levels(levels, sizes), levels, sizes, strict=True):
        assert torch.equal(got, Warp.from_grid(warp.grid).unzoom(level, size))
    with pytest.raises(ValueError, match=r"\(b, c, h, w\)"):
        warp.unzoom_levels([levels[0][0]], [(4, 4)])


def test_resampling_plan_is_cached() -> None:
    warp, image = fovea_warp(), torch.rand(1, 3, 60, 80)
    with torch.inference_mode():
        zoomed = warp.zoom(image, (15, 20))
    remembered = list(warp._memory.values())
    assert torch.equal(warp.zoom(image, (15, 20)), zoomed)
    assert all(a is b for a, b in zip(warp._memory.values(), remembered, strict=True))
    image.requires_grad_()
    warp.zoom(image, (15, 20)).sum().backward()
    assert image.grad is not None


@pytest.mark.parametrize("separable", [True, False])
def test_warp_and_zoom_are_unaffected_by_autocast(separable: bool) -> None:
    saliency_map = saliency.mix(
        saliency.uniform(), saliency.gaussian(torch.tensor([[[0.3, 0.1]]]), 0.1)
    )
    image = torch.rand(1, 3, 90, 160)
    with torch.autocast("cpu", torch.bfloat16):
        warp = Warp.from_saliency(saliency_map, separable=separable)
        within = warp.grid, warp.zoomed_map((45, 80)), warp.zoom(image, (45, 80))
    plain = Warp.from_saliency(saliency_map, separable=separable)
    without = plain.grid, plain.zoomed_map((45, 80)), plain.zoom(image, (45, 80))
    assert all(torch.equal(a, b) for a, b in zip(within, without, strict=True))
