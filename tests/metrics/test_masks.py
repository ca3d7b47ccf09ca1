"""Tests of mask IoU, PSNR, boundary F-score and approximation error."""

import math

import pytest
import torch

from lzu_viz import Warp, attract, saliency
from lzu_viz.geometry.approximation import approximation_error
from lzu_viz.geometry.resampling import pixel_centres
from lzu_viz.metrics import boundary_f, mask_iou, psnr


def test_mask_iou_by_hand():
    ground_truth = torch.zeros(3, 1, 4, 5, dtype=torch.bool)
    predicted = ground_truth.clone()
    ground_truth[0, :, :2] = True  # 10 pixels
    predicted[0, :, 1:] = True  # 15 pixels, 5 of them shared
    ground_truth[1, :, 0, 0] = True
    assert mask_iou(predicted, ground_truth).tolist() == pytest.approx([5 / 20, 0, 1])
    assert mask_iou(ground_truth, ground_truth).tolist() == [1, 1, 1]


def test_mask_iou_of_invalid_masks_raises():
    ground_truth = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"the same shape \(b, 1, h, w\)"):
        mask_iou(ground_truth, ground_truth[..., :3])
    with pytest.raises(ValueError, match=r"the same shape \(b, 1, h, w\)"):
        mask_iou(ground_truth[0], ground_truth[0])
    with pytest.raises(ValueError, match="apply a threshold to probabilities"):
        mask_iou(ground_truth.float(), ground_truth)


def test_psnr_against_its_definition():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 2, 3, 6, 7, generator=generator)
    mean = (
        sum((float(a) - float(b)) ** 2 for a, b in zip(one.flatten(), other.flatten(), strict=True))
        / one.numel()
    )
    assert float(psnr(one, other)) == pytest.approx(10 * math.log10(1 / mean), abs=1e-4)
    assert psnr(one, one) == math.inf


def outline_by_hand(mask):
    rows, columns = mask.shape
    return [
        (r, c)
        for r in range(rows)
        for c in range(columns)
        if mask[r, c]
        and not all(
            mask[y, x]
            for y in range(max(0, r - 1), min(rows, r + 2))
            for x in range(max(0, c - 1), min(columns, c + 2))
        )
    ]


@pytest.mark.parametrize("tolerance", [0, 1, 3])
def test_boundary_f_against_its_definition(tolerance):
    torch.manual_seed(tolerance)
    for _ in range(5):
        first, second = (
            torch.nn.functional.avg_pool2d(torch.rand(1, 1, 20, 30), 7, 1, 3) > 0.51
            for _ in range(2)
        )
        first_outline, second_outline = outline_by_hand(first[0, 0]), outline_by_hand(second[0, 0])

        def fraction_near(points, other_points):
            return sum(
                any(max(abs(r - y), abs(c - x)) <= tolerance for y, x in other_points)
                for r, c in points
            ) / len(points)

        precision, recall = (
            fraction_near(first_outline, second_outline),
            fraction_near(second_outline, first_outline),
        )
        expected = 2 * precision * recall / (precision + recall)
        assert boundary_f(first, second, tolerance).item() == pytest.approx(expected, abs=1e-6)


def test_boundary_f_of_masks_narrower_than_the_tolerance():
    ground_truth = torch.tensor([[[[True, False]] * 7], [[[False, True]] * 7]])
    assert boundary_f(ground_truth, ground_truth.flip(-1), tolerance=9).tolist() == [1, 1]
    assert boundary_f(ground_truth, ground_truth.flip(-1), tolerance=0).tolist() == [0, 0]
    dot = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    assert boundary_f(dot, dot, tolerance=3).item() == 1


def test_boundary_f_of_empty_and_full_masks():
    empty = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    full = ~empty
    square = empty.clone()
    square[..., 2:5, 2:6] = True
    assert boundary_f(empty, empty).item() == 1
    assert boundary_f(empty, square).item() == 0
    assert boundary_f(square, empty).item() == 0
    assert boundary_f(full, full).item() == 1  # no outline is in view
    assert boundary_f(full, empty).item() == 0
    with pytest.raises(ValueError, match="tolerance"):
        boundary_f(square, square, tolerance=-1)
    with pytest.raises(ValueError, match="boolean"):
        boundary_f(square.float(), square)


@pytest.mark.parametrize("separable", [True, False])
def test_approximation_error_is_counted_in_source_pixels(separable):
    spot = saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), sigma=0.1)
    warp = Warp.from_saliency(spot, (6, 9), separable=separable)
    size, samples = (200, 300), (20, 30)
    error = approximation_error(warp, spot, size=size, samples=samples)
    centres = pixel_centres(samples)
    exact = attract(centres.flatten(1, 2), spot, separable=separable).view_as(centres)
    x, y = ((warp.source_map(samples) - exact)[0] * torch.tensor([150.0, 100.0])).unbind(-1)
    assert torch.allclose(error[0], torch.hypot(x, y), atol=1e-3)
    assert error.max() > 1
