"""Tests of area resampling: means over rectangles and their derivatives."""

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from lzu_viz import Warp, saliency
from lzu_viz.bench.zoom import zone_plate
from lzu_viz.geometry import area_resampling
from lzu_viz.geometry.area_resampling import MeanPlan, area_means, intervals, plan_means
from lzu_viz.geometry.resampling import axis_edges, resize, sample
from oracles import area_mean

CPU = torch.device("cpu")


def plan(size: tuple[int, int], rows: Tensor, columns: Tensor) -> MeanPlan:
    return plan_means(size, rows, columns, torch.float64, CPU)


def edges(count: int, batch: int = 1) -> Tensor:
    """Return rising edges of `count` pixels that extend slightly beyond the frame at both ends."""
    steps = torch.rand(batch, count, dtype=torch.float64) ** 3 + 0.02
    ends = torch.cat([torch.zeros(batch, 1), steps.cumsum(-1)], dim=-1)
    return ends / ends[:, -1:] * 2.3 - 1.1


def fovea(dtype: torch.dtype = torch.float32, **more: bool) -> Warp:
    spot = saliency.gaussian(torch.tensor([[[0.3, 0.1]]], dtype=dtype), 0.1, size=(27, 48))
    return Warp.from_saliency(saliency.mix(saliency.uniform((27, 48)).to(dtype), spot), **more)


@pytest.mark.parametrize("size", [(9, 7), (20, 13), (1, 5), (2, 40)])
@pytest.mark.parametrize("zoomed_size", [(5, 6), (35, 1), (2, 37)])
def test_area_means_match_reference(size: tuple[int, int], zoomed_size: tuple[int, int]) -> None:
    image = torch.rand(1, 2, *size, dtype=torch.float64)
    rows, columns = edges(zoomed_size[0]), edges(zoomed_size[1])
    got = area_means(image, plan(size, rows, columns))
    ends = [
        ((pixel_edges[0] + 1) / 2 * n).numpy()
        for pixel_edges, n in zip((rows, columns), size, strict=True)
    ]
    assert np.allclose(got[0].numpy(), area_mean(image[0].numpy(), *ends), atol=1e-12)


@pytest.mark.parametrize("shape", ["rows", "channels last"])
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_area_means_do_not_depend_on_layout_or_channel_count(shape: str, channels: int) -> None:
    image = torch.rand(2, channels, 12, 15, dtype=torch.float64)
    mean_plan = plan((12, 15), edges(4), edges(40))
    expected = torch.cat(
        [area_means(image[b : b + 1, [c]], mean_plan) for b in (0, 1) for c in range(channels)]
    )
    if shape == "channels last":
        image = image.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(area_means(image, mean_plan).flatten(0, 1), expected[:, 0], atol=1e-12)


def test_small_pixels_are_bilinearly_interpolated() -> None:
    image = torch.rand(1, 2, 6, 8, dtype=torch.float64)
    rows, columns = torch.linspace(-1.2, 0.3, 21)[None], torch.linspace(0.1, 1.3, 31)[None]
    rows, columns = rows.double(), columns.double()
    y, x = ((pixel_edges[:, 1:] + pixel_edges[:, :-1]) / 2 for pixel_edges in (rows, columns))
    points = torch.stack(torch.broadcast_tensors(x[:, None], y[..., None]), dim=-1)
    got = area_means(image, plan((6, 8), rows, columns))
    assert torch.allclose(got, sample(image, points), atol=1e-12)


def test_area_means_are_continuous_at_width_of_one_pixel() -> None:
    image = torch.rand(1, 1, 1, 9, dtype=torch.float64)
    one = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    below, above = (
        area_means(
            image, plan((1, 9), one, (torch.tensor([[3.3, 4.3 + way]]) * 2 / 9 - 1).double())
        )
        for way in (-1e-5, 1e-5)
    )
    assert (below - above).abs().max() < 2e-5


def test_identity_warp_returns_the_image_exactly() -> None:
    for size in ((90, 160), (37, 1024), (3, 2)):
        image = torch.rand(1, 3, *size)
        for pieces in ((7, 13), (32, 64), (1, 1)):
            assert torch.equal(Warp.identity(pieces).zoom(image, size), image)
        assert torch.equal(resize(image, size), image)


def test_mean_and_constant_images_are_preserved() -> None:
    image = torch.rand(1, 3, 61, 47, dtype=torch.float64)
    small = resize(image, (13, 20))
    assert torch.allclose(small.mean(dim=(-2, -1)), image.mean(dim=(-2, -1)), atol=1e-12)
    for warp in (fovea(), fovea(anti_crop=False)):
        for size in ((20, 30), (200, 300)):
            assert (warp.zoom(torch.full((1, 1, 50, 80), 0.7), size) - 0.7).abs().max() < 1e-6


def test_border_pixels_are_replicated_outside_the_frame() -> None:
    image = torch.rand(1, 1, 4, 5, dtype=torch.float64)
    columns = torch.tensor([[-3.0, -2.0, -1.0, 1.0, 1.1, 9.0]], dtype=torch.float64)
    got = area_means(image, plan((4, 5), axis_edges(4)[None], columns))
    expected = [image[..., 0], image[..., 0], image.mean(dim=-1), image[..., -1], image[..., -1]]
    assert torch.allclose(got, torch.stack(expected, dim=-1), atol=1e-12)


def test_mirrored_axis_mirrors_the_image() -> None:
    image = torch.rand(1, 2, 12, 15, dtype=torch.float64)
    rows, columns = edges(5), edges(6)
    straight = area_means(image, plan((12, 15), rows, columns))
    mirrored = area_means(image, plan((12, 15), rows, columns.flip(-1)))
    assert torch.allclose(mirrored, straight.flip(-1), atol=1e-12)


def test_batches_of_warps_and_images_broadcast() -> None:
    saliency_maps = torch.rand(3, 1, 9, 12) + 0.2
    many, images = Warp.from_saliency(saliency_maps), torch.rand(3, 2, 40, 50)
    zoomed = many.zoom(images, (15, 60))
    one_image, one_warp = many.zoom(images[:1], (15, 60)), many[1].zoom(images, (15, 60))
    for index in range(3):
        alone = many[index].zoom(images[index : index + 1], (15, 60))
        assert torch.allclose(zoomed[index : index + 1], alone, atol=1e-6)
        again = many[index].zoom(images[:1], (15, 60))
        assert torch.allclose(one_image[index : index + 1], again, atol=1e-6)
    assert torch.allclose(one_warp[1], zoomed[1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("images", "plans"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_first_and_second_derivatives(images: int, plans: int) -> None:
    image = torch.rand(images, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    rows, columns = (edges(count, plans).requires_grad_() for count in (2, 6))

    def means(image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        return area_means(image, plan((4, 5), rows, columns))

    assert torch.autograd.gradcheck(means, (image, rows, columns))
    assert torch.autograd.gradgradcheck(means, (image, rows, columns))
    fixed, still = image.detach(), plan((4, 5), rows.detach(), columns.detach())
    assert torch.autograd.gradcheck(lambda r: means(fixed, r, columns.detach()), (rows,))
    assert torch.autograd.gradcheck(lambda i: area_means(i, still), (image,))


def test_zoom_is_differentiable_in_saliency() -> None:
    saliency_map = (torch.rand(1, 1, 6, 8, dtype=torch.float64) + 0.5).requires_grad_()
    image = torch.rand(2, 1, 30, 40, dtype=torch.float64)

    def zoom(saliency_map: Tensor) -> Tensor:
        return Warp.from_saliency(saliency_map, (4, 4), 0.4).zoom(image, (7, 9))

    assert torch.autograd.gradcheck(zoom, (saliency_map,))


def test_dense_blocks_match_sparse_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the dense products, which other devices than the CPU use."""
    image, mean_plan = torch.rand(2, 3, 80, 90), plan((80, 90), edges(70), edges(65))
    sparse = area_means(image, mean_plan)
    monkeypatch.setattr(area_resampling, "_sparse_product", None)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.allclose(area_means(image, mean_plan), sparse, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_images_keep_their_dtype(dtype: torch.dtype) -> None:
    image, warp = torch.rand(1, 3, 50, 60, dtype=torch.float64), fovea(torch.float64)
    zoomed = warp.zoom(image.to(dtype), (20, 90))
    assert zoomed.dtype == dtype
    maximum = 4 * torch.finfo(dtype).eps
    assert (zoomed.double() - warp.zoom(image, (20, 90))).abs().max() < max(maximum, 1e-12)


def test_zoom_is_unaffected_by_autocast() -> None:
    image, warp = torch.rand(1, 3, 50, 60), fovea()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(warp.zoom(image, (20, 30)), fovea().zoom(image, (20, 30)))
        rounded = warp.zoom(image, (20, 30))
    assert torch.equal(rounded, warp.zoom(image, (20, 30)))


@pytest.mark.parametrize("anti_crop", [True, False])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_non_finite_pixel_raises(bad: float, anti_crop: bool) -> None:
    warp = fovea(anti_crop=anti_crop)
    for row, column in [(0, 0), (36, 52), (20, 0), (0, 30), (18, 30)]:
        image = torch.rand(1, 2, 37, 53)
        image[0, 1, row, column] = bad
        with pytest.raises(ValueError, match="image has NaN or infinite pixels"):
            warp.zoom(image, (9, 12))
    large = torch.full((1, 1, 37, 53), torch.finfo(torch.float16).max, dtype=torch.float16)
    assert warp.zoom(large, (9, 12)).isfinite().all()


def test_zone_plate_matches_supersampling() -> None:
    plate, warp = zone_plate(512), fovea()
    expected = torch.nn.functional.avg_pool2d(warp.zoom(plate, (2048, 2048), antialias=False), 16)
    error = (warp.zoom(plate, (128, 128)) - expected).square().mean().sqrt()
    plain = (warp.zoom(plate, (128, 128), antialias=False) - expected).square().mean().sqrt()
    assert error < 0.01 < 0.15 < plain


def test_zoom_emits_no_warnings() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fovea().zoom(torch.rand(1, 3, 30, 40, requires_grad=True), (10, 50)).sum().backward()
    assert not caught


def test_intervals_are_at_least_a_pixel_wide_and_snap_to_pixels() -> None:
    near = torch.tensor([[-1.0, -0.5 + 1e-7, 0.5, 0.52, 1.0]])
    assert intervals(near, 4, torch.float32)[0].tolist()[:2] == [[0, 1], [1, 3]]
    assert intervals(near.double(), 4, torch.float64)[0, 0, 1] > 1
    low, high = intervals(near, 4, torch.float32)[0, 2].tolist()
    assert (low, high) == pytest.approx((2.52, 3.52), abs=1e-5)
