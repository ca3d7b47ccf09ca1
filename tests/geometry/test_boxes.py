"""Boxes: frames, pixels, overlap."""

import pytest
import torch

from lzu_viz import boxes


def test_pixels_and_back() -> None:
    box = torch.tensor([[-1.0, -1.0, 1.0, 1.0], [-0.5, 0.0, 0.5, 0.25]])
    pixels = boxes.to_pixels(box, (100, 200))
    assert pixels.tolist() == [[0, 0, 200, 100], [50, 50, 150, 62.5]]
    assert torch.allclose(boxes.from_pixels(pixels, (100, 200)), box)
    with pytest.raises(ValueError, match=r"left, top, right, bottom.*got \(2, 3\)"):
        boxes.to_pixels(box[:, :3], (100, 200))


def test_overlap() -> None:
    first = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    second = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 1.5, 1.5], [2.0, 2.0, 3.0, 3.0]])
    overlap = boxes.iou(first, second)
    assert overlap[0].tolist() == pytest.approx([1, 0.25 / 1.75, 0])
    assert overlap[1].tolist() == [0, 0, 0]
    assert boxes.iou(first[:0], second).shape == (0, 3)


def test_area() -> None:
    box = torch.tensor([[0.0, 0.0, 2.0, 0.5], [1.0, 1.0, 0.0, 0.0]])
    assert boxes.area(box).tolist() == [1, 0]
