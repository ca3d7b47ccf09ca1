"""Films of streets: the last frame's boxes say where to look; and being told where things are."""

from functools import cache

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lzu_viz.datasets.driving import driving
from lzu_viz.datasets.streets import BEFORE, Streets, streets
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
def kept(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LZU_VIZ_CACHE", str(tmp_path_factory.mktemp("scenes")))
        yield
    clips.cache_clear()


@cache
def clips():
    return [
        streets("report", 2, size=FULL, seconds=BEFORE * frame, quiet=True) for frame in range(3)
    ]


def mean_saliency():
    return policies.fixed_saliency(clips()[0].ground_truth)


class Knowing(Detector):
    """Says the same two boxes, one of them unsure, whatever it sees."""

    boxes = torch.tensor([[-0.8, -0.2, -0.6, 0.2], [0.6, -0.2, 0.7, 0.2]])

    def decode(self, outputs, warp=None, **settings):
        detections = Detections(self.boxes, torch.tensor([0, 2]), torch.tensor([0.9, 0.2]))
        return [detections] * len(outputs[0])


def seen(name="lzu-adaptive"):
    return list(video_eval.follow(Knowing(), SYSTEMS[name], clips(), SIZE, mean_saliency()))


@pytest.mark.slow
def test_sure_boxes_of_the_last_frame_are_looked_at():
    first, *rest = seen()
    assert all(len(each.expected) == 0 for each in first)
    for now in rest:
        for each in now:
            assert torch.equal(each.expected, Knowing.boxes[:1])
            wanted = policies.warp_of(policies.box_saliency([each.expected], mean_saliency())).grid
            torch.testing.assert_close(each.warp.grid, wanted)
    assert not torch.allclose(first[0].warp.grid, rest[0][0].warp.grid, atol=1e-3)


def test_a_fixed_look_does_not_follow():
    grids = [each.warp.grid for now in seen("lzu") for each in now]
    assert all(torch.equal(grid, grids[0]) for grid in grids)


@pytest.mark.slow
def test_films_are_judged_frame_by_frame():
    """The same as feeding each moment with what was found in the last one."""
    network = checkpoints.load(Run("detection", "lzu-adaptive", 0.25, 0))
    system = SYSTEMS["lzu-adaptive"]
    boxes, every, ground_truth = [each.boxes[:0] for each in clips()[0].ground_truth], [], []
    for moment, now in enumerate(clips()):
        there = predict_boxes(
            network, WarpedDataset("detection", system, now, SIZE, mean_saliency(), boxes)
        )
        boxes = [each.boxes[each.scores > video_eval.SURE] for each in there]
        assert moment == 2 or 0 < len(boxes[0]) < len(there[0].boxes)
        every += there if moment else []
        ground_truth += now.ground_truth if moment else []
    whole = Streets(clips()[0].images, clips()[0].semantic_mask, ground_truth)
    run = list(video_eval.follow(network, system, clips(), SIZE, mean_saliency()))
    got = [each.detections.boxes for now in run[1:] for each in now]
    assert all(torch.equal(a, b.boxes) for a, b in zip(got, every, strict=True))
    assert video_eval.precision_on(clips(), run) == evaluate_boxes(every, whole)["ap"]


def test_precision_leaves_the_first_frame_out():
    every = [[Knowing().decode([torch.zeros(1)])[0]] * 2 for _ in clips()]
    runs = [[video_eval.FrameResult(each, None, each.boxes) for each in now] for now in every]
    # Right only in the first frame.
    right = [
        Detections(ground_truth.boxes, ground_truth.labels, torch.ones(len(ground_truth.labels)))
        for ground_truth in clips()[0].ground_truth
    ]
    runs[0] = [video_eval.FrameResult(each, None, each.boxes) for each in right]
    assert video_eval.precision_on(clips(), runs) < 0.05
    for moment in (1, 2):
        runs[moment] = [
            video_eval.FrameResult(
                Detections(one.boxes, one.labels, torch.ones(len(one.labels))), None, one.boxes
            )
            for one in clips()[moment].ground_truth
        ]
    assert video_eval.precision_on(clips(), runs) == pytest.approx(1, abs=1e-6)


@pytest.mark.slow
def test_one_film_is_followed_as_among_all():
    networks = {"a": (Knowing(), SYSTEMS["lzu-adaptive"])}
    followed = video_eval.Followed(networks, clips(), SIZE, mean_saliency())
    assert [each.detections.boxes.tolist() for each in followed.seen("a", 1)] == [
        now[1].detections.boxes.tolist() for now in seen()
    ]
    assert followed.seen("a", 1) is followed.seen("a", 1)


def test_things_are_where_they_moved_to():
    given = streets("report", 2, size=FULL, quiet=True)
    before, now = given.ground_truth, video_eval.moved(given)
    for ground_truth, there in zip(before, now, strict=True):
        assert there.shape == ground_truth.previous_boxes.shape
        # Whatever was and still is labelled has its box there.
        distance = (there[:, None] - ground_truth.boxes).abs().amax(-1).min(dim=1).values
        assert (distance < 1e-4).float().mean() > 0.5
    moved = [(a - b.previous_boxes).abs().max() for a, b in zip(now, before, strict=True)]
    assert min(moved) > 0.01


@pytest.mark.slow
def test_motion_is_that_of_each_identity():
    given = streets("report", 1, size=FULL, quiet=True)
    seed = video_eval.FIRST_SEED["report"]
    last, this = (driving(seed, size=FULL, seconds=seconds) for seconds in (-BEFORE, 0.0))
    (now,) = video_eval.moved(given)
    met = 0
    for identity, box in zip(last.identities.tolist(), last.boxes, strict=True):
        distance = (given.ground_truth[0].previous_boxes - box).abs().amax(-1)
        # What is barely seen may be left out of the boxes of the frame before.
        if identity in this.identities.tolist() and distance.min() < 1e-4:
            wanted = this.boxes[this.identities.tolist().index(identity)]
            assert (now[distance.argmin()] - wanted).abs().max() < 1e-4
            met += 1
    assert met > 5


def test_streets_of_another_split_are_refused():
    with pytest.raises(ValueError, match="scene 0 does not match the street of seed"):
        video_eval.moved(streets("report", 2, size=FULL, quiet=True), split="choose")


def test_told_boxes_move_by_a_part_and_keep_their_size():
    before = torch.tensor([[-0.2, -0.2, 0.0, 0.0]])
    now = torch.tensor([[0.0, -0.3, 0.4, 0.1]])
    assert video_eval.extrapolate_boxes(before, now, 0.5)[0] == pytest.approx(
        torch.tensor([-0.05, -0.2, 0.15, 0.0]), abs=1e-6
    )
    assert torch.equal(video_eval.extrapolate_boxes(before, now, 0.0), before)


def test_precision_is_that_of_a_feed():
    there, network = clips()[1], Detector().eval()
    boxes = [ground_truth.previous_boxes for ground_truth in there.ground_truth]
    system = SYSTEMS["lzu-adaptive"]
    got = video_eval.precision_of(network, system, there, SIZE, mean_saliency(), boxes)
    dataset = WarpedDataset("detection", system, there, SIZE, mean_saliency(), boxes)
    wanted = evaluate_boxes(predict_boxes(network, dataset), there)["ap"]
    assert got == pytest.approx(wanted, nan_ok=True)


@pytest.mark.slow
def test_a_frame_is_shown_with_what_was_expected():
    networks = {"a": (Knowing(), SYSTEMS["lzu-adaptive"]), "b": (Knowing(), SYSTEMS["lzu"])}
    followed = video_eval.Followed(networks, clips(), SIZE, mean_saliency())
    figures = {}
    for name, frame in (("a", 0), ("a", 1), ("b", 1)):
        figure = Figure()
        show_followed(figure, 1, frame, name, followed=followed)
        above, below = figure.axes
        assert len(above.patches) == len(clips()[frame].ground_truth[1].boxes) + 1  # one sure box
        figures[name, frame] = below
    assert [len(ax.patches) for ax in figures.values()] == [0, 1, 0]
    (dashed,) = figures["a", 1].patches
    expected = followed.seen("a", 1)[1].warp.to_zoomed(Knowing.boxes[:1].reshape(1, 2, 2))
    assert dashed.get_xy() == pytest.approx(np.asarray(expected[0, 0]), abs=1e-4)
    assert dashed.get_linestyle() == "--"
