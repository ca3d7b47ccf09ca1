"""Tests of resampling and its pixel convention."""

import numpy as np
import pytest
import torch

from lzu_viz import Warp
from lzu_viz.geometry.resampling import pixel_centres, plan_mipmap, resize, sample, sample_mipmap
from oracles import pyramid, sample_point


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize(("dtype", "maximum"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
@pytest.mark.parametrize("antialias", [True, False])
def test_identity_warp_preserves_the_image(
    separable: bool, dtype: torch.dtype, maximum: float, antialias: bool
) -> None:
    image = torch.rand(2, 3, 90, 160, dtype=dtype)
    warp = Warp.identity((7, 13), dtype=dtype)
    warp = warp if separable else Warp.from_grid(warp.grid)
    assert (warp.zoom(image, (90, 160), antialias) - image).abs().max() < maximum
    assert (warp.unzoom(image, (90, 160)) - image).abs().max() < maximum


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 4)])
def test_identity_warp_preserves_small_features(size: tuple[int, int]) -> None:
    features = torch.rand(1, 8, *size)
    assert torch.allclose(Warp.identity().unzoom(features, size), features, atol=1e-5)


def test_sample_matches_reference() -> None:
    image, points = (
        torch.rand(1, 2, 5, 7, dtype=torch.float64),
        torch.rand(1, 1, 200, 2) * 2.4 - 1.2,
    )
    got = sample(image, points.double())[0, :, 0]
    expected = [sample_point(image[0].numpy(), x, y) for x, y in points[0, 0].double().tolist()]
    assert np.allclose(got.numpy().T, np.stack(expected), atol=1e-12)


def test_pixel_centres_are_half_a_pixel_from_the_edges() -> None:
    centres = pixel_centres((2, 4), dtype=torch.float64)
    assert centres.shape == (1, 2, 4, 2)
    assert centres[0, 0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert centres[0, :, 0, 1].tolist() == [-0.5, 0.5]


def test_nan_points_are_filled_and_gradients_are_finite() -> None:
    image = torch.rand(1, 1, 4, 4, requires_grad=True)
    points = torch.tensor([[[[0.0, 0.0], [torch.nan, 0.0]]]], requires_grad=True)
    values = sample(image, points, fill_value=-7)
    assert values[0, 0, 0, 1] == -7
    values.sum().backward()
    assert image.grad is not None
    assert points.grad is not None
    assert image.grad.isfinite().all()
    assert points.grad.isfinite().all()


def test_batch_of_one_broadcasts_and_unequal_batches_raise() -> None:
    image, points = torch.rand(3, 2, 6, 6), pixel_centres((4, 4))
    assert torch.equal(sample(image, points)[1:2], sample(image[1:2], points))
    assert sample(image[:1], points.expand(3, -1, -1, -1)).shape == (3, 2, 4, 4)
    with pytest.raises(ValueError, match=r"equal batch sizes.* got 3 and 2"):
        sample(image, points.expand(2, -1, -1, -1))


def test_resize_to_a_quarter_matches_average_pooling() -> None:
    image = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    means = torch.nn.functional.avg_pool2d(image, 4)
    assert torch.allclose(resize(image, (16, 24)), means, atol=1e-10)
    assert not torch.allclose(resize(image, (16, 24), antialias=False), means, atol=1e-2)


@pytest.mark.parametrize("size", [(89, 161), (90, 160), (37, 53)])
def test_antialiasing_does_not_shift(size: tuple[int, int]) -> None:
    """Check that a ramp stays one, up to the parts of pixels cut off at an interval's ends."""
    ramp = pixel_centres(size, dtype=torch.float64).permute(0, 3, 1, 2)
    small = resize(ramp, (11, 19))
    expected = pixel_centres((11, 19), dtype=torch.float64).permute(0, 3, 1, 2)
    for axis, (count, fewer) in enumerate(zip(size[::-1], (19, 11), strict=True)):
        # An end that cuts a pixel in two halves moves the mean of L pixels by 1 / (8 L) of a pixel.
        assert (small - expected)[:, axis].abs().max() <= fewer / count / 8 * (2 / count) + 1e-12
    assert (small.mean(dim=(-2, -1)) - ramp.mean(dim=(-2, -1))).abs().max() < 1e-12


def test_antialiasing_removes_frequencies_above_nyquist() -> None:
    stripes = (torch.arange(256) % 2).double().expand(1, 1, 256, 256)
    assert resize(stripes, (60, 60)).sub(0.5).abs().max() < 0.07
    assert resize(stripes, (60, 60), antialias=False).sub(0.5).abs().max() > 0.3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images_keep_their_dtype(dtype: torch.dtype) -> None:
    image = torch.rand(1, 3, 40, 40)
    small = resize(image.to(dtype), (20, 30))
    assert small.dtype == dtype
    assert (small.float() - resize(image, (20, 30))).abs().max() < 0.02


def test_invalid_images_raise() -> None:
    with pytest.raises(ValueError, match=r"\(b, c, h, w\), got \(3, 8, 8\)"):
        resize(torch.rand(3, 8, 8), (4, 4))
    with pytest.raises(ValueError, match=r"floating point, got torch.uint8"):
        resize(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), (4, 4))
    with pytest.raises(ValueError, match=r"size must be \(rows, columns\).*got \(0, 4\)"):
        resize(torch.rand(1, 3, 8, 8), (0, 4))


def trilinear(image: torch.Tensor, points: torch.Tensor, sides: torch.Tensor) -> torch.Tensor:
    """Return the trilinear interpolation of a mipmap, computed from all levels at all points."""
    level = sides.clamp(1.0, 2.0 ** (min(image.shape[-2:]).bit_length() - 1)).log2()
    total = torch.zeros(())
    for index, (floor, extent) in enumerate(pyramid(image.numpy(), int(level.max().ceil()))):
        weight = (1 - (level - index).abs()).clamp(min=0)[:, None]
        places = (points + 1) * torch.from_numpy(extent) - 1
        total = total + weight * sample(torch.from_numpy(floor), places)
    return total


@pytest.mark.parametrize("size", [(64, 96), (37, 53), (5, 40), (2, 2)])
@pytest.mark.parametrize("widest", [0.5, 2.0, 3.9, 30.0])
def test_sample_mipmap_matches_trilinear_reference(size: tuple[int, int], widest: float) -> None:
    image = torch.rand(2, 3, *size, dtype=torch.float64)
    points = torch.rand(1, 9, 11, 2, dtype=torch.float64) * 2 - 1
    sides = torch.rand(1, 9, 11, dtype=torch.float64) * widest
    read = sample_mipmap(image, plan_mipmap(size, points, sides))
    assert torch.allclose(read, trilinear(image, points, sides), atol=1e-12)


@pytest.mark.parametrize("size", [(40, 60), (37, 53)])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_non_finite_pixel_raises(size: tuple[int, int], bad: float) -> None:
    points = pixel_centres((5, 7))
    plan = plan_mipmap(size, points, torch.full((1, 5, 7), 8.0))
    for row, column in [(0, 0), (size[0] - 1, size[1] - 1), (20, 0), (0, 30)]:
        image = torch.rand(1, 2, *size)
        assert sample_mipmap(image, plan, finite=True).isfinite().all()
        image[0, 1, row, column] = bad
        with pytest.raises(ValueError, match="image has NaN or infinite pixels"):
            sample_mipmap(image, plan, finite=True)


def test_largest_float16_values_count_as_finite() -> None:
    plan = plan_mipmap((8, 8), pixel_centres((2, 2)), torch.full((1, 2, 2), 4.0))
    image = torch.full((1, 1, 8, 8), torch.finfo(torch.float16).max, dtype=torch.float16)
    assert sample_mipmap(image, plan, finite=True).isfinite().all()


def test_plan_mipmap_skips_levels_of_zero_weight() -> None:
    points = pixel_centres((4, 4))
    near = plan_mipmap((64, 64), points, torch.ones(1, 4, 4)).readings
    assert [reading.from_atlas for reading in near] == [False]
    far = plan_mipmap((64, 64), points, torch.full((1, 4, 4), 16.0)).readings
    assert [reading.from_atlas for reading in far] == [True]
    assert bool((far[0].weight == 1).all())


def test_sample_mipmap_is_differentiable() -> None:
    image = torch.rand(1, 1, 12, 9, dtype=torch.float64, requires_grad=True)
    points = (torch.rand(1, 2, 3, 2, dtype=torch.float64) * 1.4 - 0.7).requires_grad_()
    sides = (torch.rand(1, 2, 3, dtype=torch.float64) * 3 + 0.5).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda i, p, s: sample_mipmap(i, plan_mipmap((12, 9), p, s)), (image, points, sides)
    )
    # An image that needs no gradient has its levels written in place.
    assert torch.autograd.gradcheck(
        lambda p, s: sample_mipmap(image.detach(), plan_mipmap((12, 9), p, s)), (points, sides)
    )


def test_sample_does_not_depend_on_memory_layout() -> None:
    features, points = torch.rand(2, 32, 6, 8), pixel_centres((24, 32))
    other = features.contiguous(memory_format=torch.channels_last)
    one_by_one = torch.cat([sample(features[:, [k]], points) for k in range(32)], dim=1)
    assert torch.allclose(sample(features, points), one_by_one, atol=1e-6)
    assert torch.allclose(sample(other, points), one_by_one, atol=1e-6)


def test_plan_cached_in_inference_mode_allows_backward() -> None:
    image = torch.rand(1, 1, 33, 35, requires_grad=True)
    with torch.inference_mode():
        resize(image.detach(), (7, 9))
    resize(image, (7, 9)).sum().backward()
    assert image.grad is not None
