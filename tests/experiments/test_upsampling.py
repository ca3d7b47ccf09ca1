"""Tests of images without detail, and of the recall of objects in them."""

import numpy as np
import pytest
import torch

from lzu_viz.datasets.streets import GroundTruth, Streets
from lzu_viz.experiments.training import upsampling
from lzu_viz.geometry.boxes import Detections
from lzu_viz.geometry.warp import Warp


def streets(count: int = 3) -> Streets:
    images = np.random.default_rng(0).integers(0, 256, (count, 48, 160, 3), np.uint8)
    boxes = torch.tensor([[-0.5, -0.5, 0.0, 0.0], [0.2, 0.0, 0.6, 0.5]])
    none = torch.zeros(0, 4)
    ground_truth = GroundTruth(boxes, torch.tensor([0, 1]), torch.zeros(2, 7), none, torch.ones(3))
    return Streets(images, np.zeros((count, 48, 160), np.uint8), [ground_truth] * count)


def test_reduced_images_keep_size_and_mean_and_lose_detail() -> None:
    whole = streets()
    flat = upsampling.reduced(whole, (12, 40))
    assert flat.images.shape == whole.images.shape
    assert flat.images.mean() == pytest.approx(whole.images.mean(), abs=1)
    assert flat.images.std() < 0.4 * whole.images.std()


def test_reduction_to_the_same_size_is_the_identity() -> None:
    whole = streets()
    assert np.array_equal(upsampling.reduced(whole, (48, 160)).images, whole.images)


def test_heights_are_in_pixels_of_the_input() -> None:
    heights = upsampling.heights_in_input(streets(1).ground_truth, Warp.identity((1, 1)), 48)
    assert heights == pytest.approx(torch.tensor([12.0, 12.0]), abs=1e-3)
    # The middle fifth of the source takes up a third of the network's input.
    stretched = Warp.from_axes(torch.tensor([[-1.0, 1.0]]), torch.tensor([[-1.0, -0.2, 0.2, 1.0]]))
    ground_truth = [
        streets(1).ground_truth[0]._replace(boxes=torch.tensor([[-0.5, -0.1, 0.5, 0.1]]))
    ]
    assert upsampling.heights_in_input(ground_truth, stretched, 48) == pytest.approx(8.0)


def test_match_targets_requires_score_and_class() -> None:
    (ground_truth,) = streets(1).ground_truth
    boxes = ground_truth.boxes[[0, 0, 1]]
    detections = Detections(boxes, torch.tensor([0, 0, 1]), torch.tensor([0.9, 0.8, 0.2]))
    assert upsampling.match_targets([detections], [ground_truth]).tolist() == [True, False]
    assert upsampling.match_targets([detections], [ground_truth], score=0.1).tolist() == [
        True,
        True,
    ]
    wrong = detections._replace(labels=1 - detections.labels)
    assert not upsampling.match_targets([wrong], [ground_truth], score=0.1).any()


def test_part_selects_scenes_in_the_given_order() -> None:
    part = streets().part([2, 1])
    assert len(part) == len(part.images) == len(part.semantic_mask) == 2
    assert np.array_equal(part.images, streets().images[[2, 1]])


def test_binned_recall_is_nan_for_few_objects() -> None:
    heights = torch.arange(40.0) / 10
    values, counts = upsampling.binned_recall(heights, heights < 1, [0, 1, 2, 3.5, 9])
    assert counts.tolist() == [10, 10, 15, 5]
    assert values[:3].tolist() == [1, 0, 0]
    assert bool(values[3].isnan())
