"""Tests of boxes: pixel coordinates, IoU, areas, centres, sides in the source frame."""

import pytest
import torch

from lzu_viz import boxes, saliency
from lzu_viz.geometry.warp import Warp


def test_from_pixels_inverts_to_pixels() -> None:
    box = torch.tensor([[-1.0, -1.0, 1.0, 1.0], [-0.5, 0.0, 0.5, 0.25]])
    pixels = boxes.to_pixels(box, (100, 200))
    assert pixels.tolist() == [[0, 0, 200, 100], [50, 50, 150, 62.5]]
    assert torch.allclose(boxes.from_pixels(pixels, (100, 200)), box)
    with pytest.raises(ValueError, match=r"left, top, right, bottom.*got \(2, 3\)"):
        boxes.to_pixels(box[:, :3], (100, 200))


def test_iou() -> None:
    first = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    second = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 1.5, 1.5], [2.0, 2.0, 3.0, 3.0]])
    overlap = boxes.iou(first, second)
    assert overlap[0].tolist() == pytest.approx([1, 0.25 / 1.75, 0])
    assert overlap[1].tolist() == [0, 0, 0]
    assert boxes.iou(first[:0], second).shape == (0, 3)


def test_area() -> None:
    box = torch.tensor([[0.0, 0.0, 2.0, 0.5], [1.0, 1.0, 0.0, 0.0]])
    assert boxes.area(box).tolist() == [1, 0]


def test_centres() -> None:
    box = torch.tensor([[[-1.0, -0.5, 0.0, 0.5]], [[0.2, 0.2, 0.4, 0.8]]])
    assert torch.allclose(boxes.box_centres(box), torch.tensor([[[-0.5, 0.0]], [[0.3, 0.5]]]))


def test_sides_to_source_with_identity_warp_keeps_distances() -> None:
    points, distances = torch.tensor([[[0.1, -0.2]]]), torch.tensor([[[0.3, 0.2, 0.1, 0.4]]])
    reached, low, high = boxes.sides_to_source(Warp.identity((4, 4)), points, distances)
    assert reached.all()
    assert torch.allclose(low, torch.tensor([[[-0.2, -0.4]]]), atol=1e-6)
    assert torch.allclose(high, torch.tensor([[[0.2, 0.2]]]), atol=1e-6)


def test_sides_to_source_maps_points_beside_the_centre() -> None:
    fovea = saliency.gaussian(torch.tensor([[[0.2, 0.1]]]), 0.2)
    warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea))
    points, distances = torch.tensor([[[0.2, 0.1]]]), torch.tensor([[[0.3, 0.2, 0.1, 0.4]]])
    zoomed = warp.to_zoomed(points)
    left = warp.to_source(zoomed - torch.tensor([0.3, 0.0]))[0, 0, 0]
    bottom = warp.to_source(zoomed + torch.tensor([0.0, 0.4]))[0, 0, 1]
    _, low, high = boxes.sides_to_source(warp, points, distances)
    assert low[0, 0, 0].item() == pytest.approx(left.item())
    assert high[0, 0, 1].item() == pytest.approx(bottom.item())
    # Magnified there: the box in the source is smaller than in the zoomed frame.
    assert (high - low < torch.tensor([0.4, 0.6])).all()
