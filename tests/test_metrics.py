"""Metrics against hand-counted cases."""

import math

import pytest
import torch

from lzu_viz.metrics import mask_iou, psnr


def test_mask_iou_by_hand():
    truth = torch.zeros(3, 1, 4, 5, dtype=torch.bool)
    predicted = truth.clone()
    truth[0, :, :2] = True  # 10 pixels
    predicted[0, :, 1:] = True  # 15 pixels, 5 of them shared
    truth[1, :, 0, 0] = True
    assert mask_iou(predicted, truth).tolist() == pytest.approx([5 / 20, 0, 1])
    assert mask_iou(truth, truth).tolist() == [1, 1, 1]


def test_mask_iou_refuses():
    truth = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="must both be"):
        mask_iou(truth, truth[..., :3])
    with pytest.raises(ValueError, match="must both be"):
        mask_iou(truth[0], truth[0])
    with pytest.raises(ValueError, match="compare probabilities with a threshold"):
        mask_iou(truth.float(), truth)


def test_psnr_against_its_definition():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 2, 3, 6, 7, generator=generator)
    mean = (
        sum((float(a) - float(b)) ** 2 for a, b in zip(one.flatten(), other.flatten(), strict=True))
        / one.numel()
    )
    assert float(psnr(one, other)) == pytest.approx(10 * math.log10(1 / mean), abs=1e-4)
    assert psnr(one, one) == math.inf
