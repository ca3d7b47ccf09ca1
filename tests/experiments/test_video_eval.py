"""Tests of evaluation on clips, with saliency from detections or extrapolated ground truth."""

from functools import cache

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lzu_viz.datasets.driving import driving
from lzu_viz.datasets.streets import FRAME_SECONDS, Streets, streets
from lzu_viz.experiments.reproduce import checkpoints
from lzu_viz.experiments.reproduce.results import Run
from lzu_viz.experiments.training import policies, video_eval
from lzu_viz.experiments.training.evaluation import evaluate_boxes, predict_boxes
from lzu_viz.experiments.training.trained_systems import SYSTEMS
from lzu_viz.experiments.training.warped_dataset import WarpedDataset
from lzu_viz.geometry.boxes import Detections
from lzu_viz.models.small.detector import Detector
from lzu_viz.plots.video_eval import show_followed

FULL, SIZE = (96, 320), (48, 160)


@pytest.fixture(scope="module", autouse=True)
def cache_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LZU_VIZ_CACHE", str(tmp_path_factory.mktemp("scenes")))
        yield
    clips.cache_clear()


@cache
def clips():
    return [
        streets("test", 2, size=FULL, seconds=FRAME_SECONDS * frame, quiet=True)
        for frame in range(3)
    ]


def mean_saliency():
    return policies.fixed_saliency(clips()[0].ground_truth)


class ConstantDetector(Detector):
    """A detector that returns the same two boxes for every image, one of low score."""

    boxes = torch.tensor([[-0.8, -0.2, -0.6, 0.2], [0.6, -0.2, 0.7, 0.2]])

    def decode(self, outputs, warp=None, **settings):
        detections = Detections(self.boxes, torch.tensor([0, 2]), torch.tensor([0.9, 0.2]))
        return [detections] * len(outputs[0])


def follow(name="lzu-adaptive"):
    return list(
        video_eval.follow_clips(ConstantDetector(), SYSTEMS[name], clips(), SIZE, mean_saliency())
    )


@pytest.mark.slow
def test_saliency_follows_confident_boxes_of_the_previous_frame():
    first, *rest = follow()
    assert all(len(result.expected) == 0 for result in first)
    for frame in rest:
        for result in frame:
            assert torch.equal(result.expected, ConstantDetector.boxes[:1])
            expected = policies.warp_of(
                policies.box_saliency([result.expected], mean_saliency())
            ).grid
            torch.testing.assert_close(result.warp.grid, expected)
    assert not torch.allclose(first[0].warp.grid, rest[0][0].warp.grid, atol=1e-3)


def test_fixed_saliency_is_constant_over_a_clip():
    grids = [result.warp.grid for frame in follow("lzu") for result in frame]
    assert all(torch.equal(grid, grids[0]) for grid in grids)


@pytest.mark.slow
def test_follow_clips_matches_an_explicit_loop():
    """Compare with a loop that passes the detections of each frame to the next one."""
    network = checkpoints.load(Run("detection", "lzu-adaptive", 0.25, 0))
    system = SYSTEMS["lzu-adaptive"]
    boxes, expected, ground_truth = [scene.boxes[:0] for scene in clips()[0].ground_truth], [], []
    for moment, now in enumerate(clips()):
        detections = predict_boxes(
            network, WarpedDataset("detection", system, now, SIZE, mean_saliency(), boxes)
        )
        boxes = [
            detected.boxes[detected.scores > video_eval.CONFIDENT_SCORE] for detected in detections
        ]
        assert moment == 2 or 0 < len(boxes[0]) < len(detections[0].boxes)
        expected += detections if moment else []
        ground_truth += now.ground_truth if moment else []
    whole = Streets(clips()[0].images, clips()[0].semantic_mask, ground_truth)
    run = list(video_eval.follow_clips(network, system, clips(), SIZE, mean_saliency()))
    predicted = [result.detections.boxes for now in run[1:] for result in now]
    assert all(torch.equal(a, b.boxes) for a, b in zip(predicted, expected, strict=True))
    assert video_eval.precision_on(clips(), run) == evaluate_boxes(expected, whole)["ap"]


def test_precision_ignores_the_first_frame():
    predicted = [[ConstantDetector().decode([torch.zeros(1)])[0]] * 2 for _ in clips()]
    runs = [
        [video_eval.FrameResult(detections, None, detections.boxes) for detections in now]
        for now in predicted
    ]
    # Correct only in the first frame.
    right = [
        Detections(ground_truth.boxes, ground_truth.labels, torch.ones(len(ground_truth.labels)))
        for ground_truth in clips()[0].ground_truth
    ]
    runs[0] = [video_eval.FrameResult(detections, None, detections.boxes) for detections in right]
    assert video_eval.precision_on(clips(), runs) < 0.05
    for moment in (1, 2):
        runs[moment] = [
            video_eval.FrameResult(
                Detections(scene.boxes, scene.labels, torch.ones(len(scene.labels))),
                None,
                scene.boxes,
            )
            for scene in clips()[moment].ground_truth
        ]
    assert video_eval.precision_on(clips(), runs) == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_single_followed_clip_matches_follow_clips():
    networks = {"a": (ConstantDetector(), SYSTEMS["lzu-adaptive"])}
    followed = video_eval.Followed(networks, clips(), SIZE, mean_saliency())
    assert [result.detections.boxes.tolist() for result in followed.seen("a", 1)] == [
        frame[1].detections.boxes.tolist() for frame in follow()
    ]
    assert followed.seen("a", 1) is followed.seen("a", 1)


def test_moved_boxes_match_the_current_ground_truth():
    scenes = streets("test", 2, size=FULL, quiet=True)
    before, now = scenes.ground_truth, video_eval.moved(scenes)
    for ground_truth, boxes in zip(before, now, strict=True):
        assert boxes.shape == ground_truth.previous_boxes.shape
        # An object that is labelled in both frames has its box there.
        distance = (boxes[:, None] - ground_truth.boxes).abs().amax(-1).min(dim=1).values
        assert (distance < 1e-4).float().mean() > 0.5
    moved = [(a - b.previous_boxes).abs().max() for a, b in zip(now, before, strict=True)]
    assert min(moved) > 0.01


@pytest.mark.slow
def test_moved_boxes_follow_identities():
    scenes = streets("test", 1, size=FULL, quiet=True)
    seed = video_eval.FIRST_SEED["test"]
    last, this = (driving(seed, size=FULL, seconds=seconds) for seconds in (-FRAME_SECONDS, 0.0))
    (now,) = video_eval.moved(scenes)
    compared = 0
    for identity, box in zip(last.identities.tolist(), last.boxes, strict=True):
        distance = (scenes.ground_truth[0].previous_boxes - box).abs().amax(-1)
        # Barely visible objects may be missing from the previous boxes.
        if identity in this.identities.tolist() and distance.min() < 1e-4:
            expected = this.boxes[this.identities.tolist().index(identity)]
            assert (now[distance.argmin()] - expected).abs().max() < 1e-4
            compared += 1
    assert compared > 5


def test_streets_of_another_split_raise():
    with pytest.raises(ValueError, match="scene 0 does not match the street of seed"):
        video_eval.moved(streets("test", 2, size=FULL, quiet=True), split="val")


def test_extrapolated_boxes_move_by_a_fraction_and_keep_their_size():
    before = torch.tensor([[-0.2, -0.2, 0.0, 0.0]])
    now = torch.tensor([[0.0, -0.3, 0.4, 0.1]])
    assert video_eval.extrapolate_boxes(before, now, 0.5)[0] == pytest.approx(
        torch.tensor([-0.05, -0.2, 0.15, 0.0]), abs=1e-6
    )
    assert torch.equal(video_eval.extrapolate_boxes(before, now, 0.0), before)


def test_precision_of_matches_evaluate_boxes():
    scenes, network = clips()[1], Detector().eval()
    boxes = [ground_truth.previous_boxes for ground_truth in scenes.ground_truth]
    system = SYSTEMS["lzu-adaptive"]
    got = video_eval.precision_of(network, system, scenes, SIZE, mean_saliency(), boxes)
    dataset = WarpedDataset("detection", system, scenes, SIZE, mean_saliency(), boxes)
    expected = evaluate_boxes(predict_boxes(network, dataset), scenes)["ap"]
    assert got == pytest.approx(expected, nan_ok=True)


@pytest.mark.slow
def test_show_followed_draws_the_expected_boxes():
    networks = {
        "a": (ConstantDetector(), SYSTEMS["lzu-adaptive"]),
        "b": (ConstantDetector(), SYSTEMS["lzu"]),
    }
    followed = video_eval.Followed(networks, clips(), SIZE, mean_saliency())
    figures = {}
    for name, frame in (("a", 0), ("a", 1), ("b", 1)):
        figure = Figure()
        show_followed(figure, 1, frame, name, followed=followed)
        above, below = figure.axes
        # One confident box in addition to the ground truth.
        assert len(above.patches) == len(clips()[frame].ground_truth[1].boxes) + 1
        figures[name, frame] = below
    assert [len(ax.patches) for ax in figures.values()] == [0, 1, 0]
    (dashed,) = figures["a", 1].patches
    expected = followed.seen("a", 1)[1].warp.to_zoomed(ConstantDetector.boxes[:1].reshape(1, 2, 2))
    assert dashed.get_xy() == pytest.approx(np.asarray(expected[0, 0]), abs=1e-4)
    assert dashed.get_linestyle() == "--"
