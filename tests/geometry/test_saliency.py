"""Tests of saliency maps: sign, sum, position and width of their maxima, gradients."""

import pytest
import torch
from torch import Tensor

from lzu_viz import saliency
from lzu_viz.geometry.saliency import SIZE

BOXES = torch.tensor([[-0.5, -0.5, -0.25, 0.0], [0.5, 0.5, 0.75, 1.0]])
MAPS = {
    "uniform": saliency.uniform(),
    "gaussian": saliency.gaussian(torch.tensor([[[0.5, -0.3]]]), 0.05),
    "gaussian outside": saliency.gaussian(torch.tensor([[[5.0, 0.0]]]), 0.01),
    "narrow": saliency.gaussian(torch.tensor([[[0.5, -0.3]]]), 1e-6),
    "from_boxes": saliency.from_boxes(BOXES, frame=(600, 960)),
    "no boxes": saliency.from_boxes(torch.zeros(0, 4), frame=(600, 960)),
    "scale free": saliency.from_boxes_scale_free(BOXES),
    "from_edges": saliency.from_edges(torch.rand(1, 3, 60, 90)),
    "mix": saliency.mix(saliency.uniform(), saliency.gaussian(torch.zeros(1, 1, 2), 0.1)),
}


@pytest.mark.parametrize("saliency_map", MAPS.values(), ids=MAPS)
def test_every_map_is_positive_and_sums_to_one(saliency_map: Tensor) -> None:
    assert saliency_map.shape == (1, 1, *SIZE)
    assert saliency_map.dtype == torch.float32
    assert saliency_map.amin() > 0
    assert saliency_map.sum().item() == pytest.approx(1, abs=1e-5)


def _mean_and_deviation(saliency_map: Tensor) -> tuple[list[float], list[float]]:
    rows, columns = saliency_map.shape[-2:]
    x = (2 * torch.arange(columns) + 1) / columns - 1
    y = (2 * torch.arange(rows) + 1) / rows - 1
    by_x, by_y = saliency_map[0, 0].sum(0), saliency_map[0, 0].sum(1)
    mean = [float((by_x * x).sum()), float((by_y * y).sum())]
    deviations = [
        (by_x * (x - mean[0]) ** 2).sum().sqrt(),
        (by_y * (y - mean[1]) ** 2).sum().sqrt(),
    ]
    return mean, [float(deviation) for deviation in deviations]


def test_gaussian_has_the_given_centre_and_sigma() -> None:
    saliency_map = saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), (0.08, 0.05), size=(128, 256))
    mean, deviation = _mean_and_deviation(saliency_map)
    assert mean == pytest.approx([0.3, -0.2], abs=2e-3)
    # Fractions of a side that is 2 long: rows 0.08, columns 0.05.
    assert deviation == pytest.approx([0.10, 0.16], rel=0.02)


def test_narrow_gaussian_between_two_cells_does_not_vanish() -> None:
    saliency_map = saliency.gaussian(torch.tensor([[[0.0, 0.0]]]), 1e-6)
    middle = saliency_map[0, 0, 15:17, 31:33]
    assert torch.allclose(middle, middle.mean().expand(2, 2))
    assert middle.sum() > 0.9


def test_gaussian_weights_distribute_the_mass() -> None:
    centres, weight = torch.tensor([[[-0.5, 0.0], [0.5, 0.0]]]), torch.tensor([[1.0, 3.0]])
    saliency_map = saliency.gaussian(centres, 0.05, weight)
    assert saliency_map[..., :32].sum().item() == pytest.approx(0.25, abs=1e-3)


def test_bandwidth_is_in_pixels_and_relative_sigma_in_box_sides() -> None:
    box = torch.tensor([[-0.2, -0.2, 0.2, 0.2]])
    small = saliency.from_boxes(box, amplitude=1e3, frame=(300, 480), size=(128, 128))
    large = saliency.from_boxes(box, amplitude=1e3, frame=(1200, 1920), size=(128, 128))
    _, narrow = _mean_and_deviation(large)
    _, wide = _mean_and_deviation(small)
    assert wide[0] > 1.8 * narrow[0]
    # FOVEA: the variance in pixels is bandwidth times the side, here 64 * 384.
    assert narrow[0] == pytest.approx((64 * 384) ** 0.5 * 2 / 1920, rel=0.05)
    _, relative = _mean_and_deviation(
        saliency.from_boxes_scale_free(box, amplitude=1e3, size=(128, 128))
    )
    assert relative == pytest.approx([0.2, 0.2], rel=0.05)


def test_amplitude_weights_boxes_against_uniform_saliency() -> None:
    flat = saliency.from_boxes(BOXES, amplitude=0.0, frame=(600, 960))
    assert torch.allclose(flat, saliency.uniform())
    one = saliency.from_boxes_scale_free(BOXES[:1], amplitude=1.0, relative_sigma=0.05)
    assert one[0, 0, 8:16, 16:24].sum().item() == pytest.approx(0.5, abs=0.05)


def test_from_edges_peaks_at_an_image_edge() -> None:
    image = torch.zeros(1, 3, 64, 128)
    image[..., 64:] = 1
    saliency_map = saliency.from_edges(image)[0, 0].sum(0)
    assert set(saliency_map.topk(2).indices.tolist()) == {31, 32}
    assert torch.allclose(saliency.from_edges(torch.full((1, 3, 64, 128), 0.5)), saliency.uniform())


def test_from_edges_concentrates_on_outline_of_small_object() -> None:
    mask = torch.zeros(1, 1, 640, 960)
    mask[..., 400:420, 200:220] = 1
    saliency_map = saliency.from_edges(mask)[0, 0]
    # Rows 380 to 440 of 640 are cells 19 to 21 of 32, columns 195 to 225 of 960 cells 13 and 14.
    assert saliency_map[19:22, 13:15].sum() > 0.98


def test_mix_is_the_weighted_mean() -> None:
    fovea = MAPS["gaussian"]
    mixed = saliency.mix(saliency.uniform(), 5 * fovea, weights=(3, 1))
    assert torch.allclose(mixed, 0.75 * saliency.uniform() + 0.25 * fovea, atol=1e-6)
    assert saliency.mix(fovea.expand(4, -1, -1, -1), saliency.uniform()).shape == (4, 1, *SIZE)


def test_gaussian_and_from_edges_are_differentiable() -> None:
    centres = torch.tensor([[[0.1, 0.2], [-0.4, 0.5]]], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda c, w: saliency.gaussian(c, 0.1, w, size=(4, 6)), (centres, weight)
    )
    image = torch.rand(1, 1, 8, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda i: saliency.from_edges(i, size=(4, 6)), (image,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_input_gives_positive_float32_map(dtype: torch.dtype) -> None:
    saliency_map = saliency.gaussian(torch.tensor([[[0.4, -0.2]]], dtype=dtype), 0.05)
    assert saliency_map.dtype == torch.float32
    assert saliency_map.amin() > 0
    assert saliency.normalise(torch.rand(1, 1, 4, 4).to(dtype)).dtype == torch.float32


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match="fraction of the frame's side"):
        saliency.gaussian(torch.zeros(1, 1, 2), sigma=0)
    with pytest.raises(ValueError, match=r"centres must be floating point of shape \(b, n, 2\)"):
        saliency.gaussian(torch.zeros(1, 2), sigma=0.1)
    with pytest.raises(ValueError, match="must be finite, got NaN"):
        saliency.gaussian(torch.full((1, 1, 2), torch.nan), sigma=0.1)
    with pytest.raises(ValueError, match="left <= right"):
        saliency.from_boxes(torch.tensor([[0.5, 0.0, 0.2, 0.1]]), frame=(10, 10))
    with pytest.raises(ValueError, match="weights must be finite"):
        saliency.mix(saliency.uniform(), weights=(-1,))
    with pytest.raises(ValueError, match="one weight per map"):
        saliency.mix(saliency.uniform(), weights=(1, 1))
    with pytest.raises(ValueError, match="the same size"):
        saliency.mix(saliency.uniform(), saliency.uniform((4, 4)))
    for value in (0.0, -1.0, torch.nan):
        with pytest.raises(ValueError, match="finite and non-negative"):
            saliency.normalise(torch.full((1, 1, 4, 4), value))
