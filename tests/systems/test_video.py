"""Tests of adaptive saliency on video: expected boxes, patience, motion model."""

import pytest
import torch

from lzu_viz import Fovea, Uniform, Warp, saliency
from lzu_viz.geometry.boxes import Detections
from lzu_viz.systems.video import constant_velocity, follow

FRAME = torch.zeros(1, 3, 32, 48)
BOX = torch.tensor([[0.1, 0.2, 0.3, 0.5]])


def warp_from_boxes(boxes):
    return Warp.from_saliency(saliency.from_boxes_scale_free(boxes, size=(8, 12)), (8, 12))


def decoder_returning(frames_boxes, labels=0):
    """Return a decoder that returns given boxes, frame by frame, in the source frame."""
    frames_boxes = iter(frames_boxes)

    def decode(outputs, warp=None, *, size):
        boxes = next(frames_boxes)
        return [Detections(boxes, torch.full((len(boxes),), labels), torch.ones(len(boxes)))]

    return decode


def run(frames_boxes, labels=0, **options):
    system = Uniform(lambda x: x, lambda x: x, size=(16, 24))
    frames = [FRAME] * len(frames_boxes)
    return list(
        follow(system, frames, decoder_returning(frames_boxes, labels), warp_from_boxes, **options)
    )


NO_BOXES = torch.zeros(0, 4)


def test_warp_follows_detections_of_the_previous_frame():
    second = BOX + 0.1
    results = run([BOX, second, NO_BOXES])
    assert [result.expected.tolist() for result in results] == [[], BOX.tolist(), second.tolist()]
    assert torch.equal(results[1].warp.grid, warp_from_boxes(BOX).grid)
    assert torch.allclose(results[0].warp.grid, Warp.identity((8, 12)).grid, atol=1e-4)
    assert torch.equal(results[1].detections.boxes, second)


def test_past_results_keep_no_cached_maps():
    warps = []

    def make_warp(boxes):
        warps.append(warp_from_boxes(boxes))
        return warps[-1]

    system = Fovea(lambda x: x, lambda x: x, Warp.identity(), size=(16, 24))
    results = list(follow(system, [FRAME] * 2, decoder_returning([BOX, BOX]), make_warp))
    assert all(each._memory for each in warps)  # maps were cached
    assert not any(each.warp._memory for each in results)
    assert [torch.equal(a.warp.grid, b.grid) for a, b in zip(results, warps, strict=True)] == [
        True
    ] * 2


def test_detections_of_other_classes_are_ignored():
    assert all(not len(result.expected) for result in run([BOX, BOX, BOX], labels=7))
    assert len(run([BOX, BOX], labels=7, label=7)[1].expected) == 1


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_boxes_are_kept_for_patience_frames(patience):
    results = run([BOX, *[NO_BOXES] * 6], patience=patience)
    assert [len(result.expected) for result in results] == [
        0,
        *[1] * (patience + 1),
        *[0] * (5 - patience),
    ]


def test_new_detection_resets_patience():
    results = run([BOX, NO_BOXES, BOX, NO_BOXES, NO_BOXES, NO_BOXES], patience=1)
    assert [len(result.expected) for result in results] == [0, 1, 1, 1, 1, 0]


def test_motion_model_extrapolates_without_detections():
    step = torch.tensor([0.1, -0.05, 0.1, -0.05])
    results = run([BOX, BOX + step, NO_BOXES, NO_BOXES], patience=3, motion=constant_velocity())
    assert torch.allclose(results[1].expected, BOX)
    assert torch.allclose(results[2].expected, BOX + 2 * step)
    assert torch.allclose(results[3].expected, BOX + 3 * step)


@pytest.mark.parametrize("gain", [-1.0, 0.0, 0.5, 2.0])
def test_constant_velocity_is_scaled_by_its_gain(gain):
    step = torch.tensor([0.02, 0.03, 0.02, 0.03])
    assert torch.allclose(constant_velocity(gain)(BOX, BOX + step), BOX + (1 + gain) * step)


def test_constant_velocity_matches_boxes_by_iou_then_distance():
    before = torch.tensor([[-0.8, -0.8, -0.6, -0.6], [0.5, 0.5, 0.7, 0.7]])
    last = before.flip(0) + 0.05
    assert torch.allclose(constant_velocity()(before, last), before.flip(0) + 0.1)
    far = before + 0.25  # no overlap any more
    assert torch.allclose(constant_velocity()(before, far), before + 0.5)
    # A thin box overlaps a long one whose middle is further away than that of a neighbour.
    long = torch.tensor([[-0.9, 0.0, 0.9, 0.1], [0.8, 0.12, 0.9, 0.14]])
    thin = torch.tensor([[0.8, 0.05, 0.9, 0.1]])
    assert torch.allclose(
        constant_velocity(1.0)(long, thin), thin + torch.tensor([0.85, 0.025] * 2)
    )
    assert torch.equal(constant_velocity()(NO_BOXES, BOX), BOX)


def test_expected_boxes_stay_within_the_frame():
    step = torch.tensor([0.6, 0.0, 0.6, 0.0])
    results = run([BOX, BOX + step, NO_BOXES], motion=constant_velocity())
    assert results[2].expected.abs().max() <= 1


def test_follow_passes_the_warp_to_the_system():
    inputs = []

    def features(image):
        inputs.append(image)
        return image

    system = Fovea(features, lambda x: x, Warp.identity(), size=(16, 24))
    ramp = torch.linspace(0, 1, 48).expand(1, 3, 32, 48)
    list(follow(system, [ramp, ramp], decoder_returning([BOX, BOX]), warp_from_boxes))
    assert not torch.allclose(inputs[0], inputs[1], atol=1e-3)
    assert torch.allclose(inputs[1], warp_from_boxes(BOX).zoom(ramp, (16, 24)))


def test_negative_patience_raises():
    with pytest.raises(ValueError, match="patience"):
        run([BOX], patience=-1)
