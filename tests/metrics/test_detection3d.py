"""Precision in space: against cases done by hand, and against plain loops over dictionaries."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from lzu_viz.metrics import detection3d
from lzu_viz.metrics.detection3d import (
    DetectionMetrics3D,
    Detections3D,
    average_precision_3d,
    precision_interval_3d,
)

CAR = (0.0, 1.0, 20.0, 1.8, 1.5, 4.0, 0.0)
GroundTruth = tuple[Tensor, Tensor]


def box(x=0.0, y=1.0, z=20.0, width=1.8, height=1.5, length=4.0, yaw=0.0) -> tuple[float, ...]:
    return (x, y, z, width, height, length, yaw)


def ground_truth(*boxes: tuple[float, ...], label: int = 0) -> GroundTruth:
    return torch.tensor(boxes, dtype=torch.float64).reshape(-1, 7), torch.full((len(boxes),), label)


def answer(*boxes: tuple[float, ...], scores=None, label: int = 0) -> Detections3D:
    falling = scores or [0.9 - 0.1 * k for k in range(len(boxes))]
    return Detections3D(
        *ground_truth(*boxes, label=label), torch.tensor(falling, dtype=torch.float64)
    )


def one(detections: Detections3D, truth: GroundTruth, **more) -> DetectionMetrics3D:
    return average_precision_3d([detections], [truth], classes=1, **more)


def draw(
    seed: int, scenes: int = 12, classes: int = 3
) -> tuple[list[Detections3D], list[GroundTruth]]:
    """Draw scenes, some of them empty, and answers of which about half are near."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def integers(maximum: int, *shape: int) -> Tensor:
        return torch.randint(0, maximum, shape, generator=generator)

    detections, truth = [], []
    for _ in range(scenes):
        count = int(integers(7))
        places = 4 * normal(count, 3) + torch.tensor([0.0, 0.0, 20.0])
        boxes = torch.cat([places, normal(count, 3).exp(), 4 * normal(count, 1)], dim=1)
        labels = integers(classes, count)
        pick = integers(count, int(integers(2 * count))) if count else integers(1, 0)
        near = boxes[pick] + 0.7 * normal(len(pick), 7)
        near[:, 3:6] = boxes[pick, 3:6] * (0.3 * normal(len(pick), 3)).exp()
        other = torch.where(integers(5, len(pick)) > 0, labels[pick], integers(classes, len(pick)))
        detections.append(Detections3D(near, other, normal(len(pick)).sigmoid()))
        truth.append((boxes, labels))
    return detections, truth


# The slow way.


def curve_at(points: list[tuple[float, float]], place: float) -> float:
    """Follow a curve through points from left to right, the last of several at one place."""
    if place < points[0][0]:
        return points[0][1]
    for (x, y), (next_x, next_y) in pairwise(points):
        if x <= place < next_x:
            return y + (next_y - y) * (place - x) / (next_x - x)
    return points[-1][1]


def loops(detections, truth, classes, oriented=None) -> dict[str, float]:
    """Do all of it with loops over dictionaries."""
    levels = [float(recall) for recall in np.linspace(0, 1, 101)]
    tables: dict[str, list[float]] = {"ap": [], "translation": [], "scale": [], "orientation": []}
    for label in range(classes):
        true_boxes = [
            {"scene": scene, "box": row.tolist()}
            for scene, (boxes, labels) in enumerate(truth)
            for row, row_label in zip(boxes, labels, strict=True)
            if row_label == label
        ]
        detected = [
            {"scene": scene, "box": row.tolist(), "score": float(score)}
            for scene, scene_detections in enumerate(detections)
            for row, row_label, score in zip(*scene_detections, strict=True)
            if row_label == label
        ]
        detected.sort(key=lambda detection: -detection["score"])
        if not true_boxes:
            continue
        areas = []
        for threshold in (0.5, 1.0, 2.0, 4.0):
            free = list(true_boxes)
            points, hits = [], []
            for number, detection in enumerate(detected, start=1):
                best, gap = None, threshold
                for true_box in free:
                    if true_box["scene"] == detection["scene"]:
                        x, _, z, *_ = true_box["box"]
                        distance = math.hypot(x - detection["box"][0], z - detection["box"][2])
                        if distance < gap:
                            best, gap = true_box, distance
                if best is not None:
                    free.remove(best)
                    hits.append((detection, best, gap))
                recall = len(hits) / len(true_boxes)
                points.append((recall, len(hits) / number, detection["score"]))
            reached = points[-1][0] if points else 0
            area = 0.0
            for level in levels[11:]:
                if level <= reached:
                    height = curve_at([(r, p) for r, p, _ in points], level)
                    area += max(height - 0.1, 0)
            areas.append(area / 90 / 0.9)
            if threshold != 2:
                continue
            for name, values in {
                "translation": [gap for _, _, gap in hits],
                "scale": [
                    misfit(detection["box"], true_box["box"]) for detection, true_box, _ in hits
                ],
                "orientation": [
                    turn(detection["box"][6], true_box["box"][6]) for detection, true_box, _ in hits
                ],
            }.items():
                if name == "orientation" and oriented is not None and label not in oriented:
                    continue
                means = [sum(values[: k + 1]) / (k + 1) for k in range(len(values))]
                scores = [-detection["score"] for detection, _, _ in hits]
                used = []
                for level in levels[11:]:
                    if level <= reached:
                        score = curve_at([(r, s) for r, _, s in points], level)
                        used.append(curve_at(list(zip(scores, means, strict=True)), -score))
                tables[name].append(sum(used) / len(used) if used else 1.0)
        tables["ap"].append(sum(areas) / 4)
    means = {name: sum(row) / len(row) if row else math.nan for name, row in tables.items()}
    total = 3 * means["ap"]
    for name in ("translation", "scale", "orientation"):
        total += 1 - means[name] if means[name] < 1 else means[name] * 0
    return {**means, "score": total / 6}


def misfit(first: list[float], second: list[float]) -> float:
    intersection = volume = other_volume = 1.0
    for k in (3, 4, 5):
        intersection *= min(first[k], second[k])
        volume *= first[k]
        other_volume *= second[k]
    return 1 - intersection / (volume + other_volume - intersection)


def turn(first: float, second: float) -> float:
    cosine = math.cos(first) * math.cos(second) + math.sin(first) * math.sin(second)
    return math.acos(max(-1.0, min(1.0, cosine)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_plain_loops(seed: int) -> None:
    detections, truth = draw(seed)
    for oriented in (None, (0, 2)):
        result = average_precision_3d(detections, truth, 3, oriented)
        slow = loops(detections, truth, 3, oriented)
        for name, value in slow.items():
            assert getattr(result, name) == pytest.approx(value, abs=1e-9), name
        assert 0 < result.ap < 1  # neither is trivial
        assert 0 < result.translation < 2


def test_agrees_with_plain_loops_where_little_is_found() -> None:
    detections, truth = draw(3, scenes=20, classes=1)
    sparse = [
        Detections3D(*(part[:1] for part in scene_detections)) if k % 7 == 0 else answer()
        for k, scene_detections in enumerate(detections)
    ]
    for detected in (sparse, [answer()] * 20):
        result, slow = average_precision_3d(detected, truth, 1), loops(detected, truth, 1)
        for name, value in slow.items():
            assert getattr(result, name) == pytest.approx(value, abs=1e-9), name


# By hand.


def test_what_is_found_exactly_is_worth_one() -> None:
    _, truth = draw(0)
    detections = [
        Detections3D(*scene_truth, torch.rand(len(scene_truth[0]))) for scene_truth in truth
    ]
    result = average_precision_3d(detections, truth, 3)
    assert result.ap == pytest.approx(1)
    assert result[1:4] == (0, 0, 0)
    assert result.score == pytest.approx(1)
    assert result.per_class == pytest.approx((1, 1, 1))


def test_finding_nothing_is_worth_nothing() -> None:
    assert one(answer(), ground_truth(CAR)) == (0, 1, 1, 1, 0, (0,))
    assert one(answer(box(x=5)), ground_truth(CAR)) == (0, 1, 1, 1, 0, (0,))


def test_half_found_and_then_a_false_one() -> None:
    result = one(answer(CAR, box(x=50)), ground_truth(CAR, box(x=-50)))
    # Precision is 1 at recall 0.11 to 0.49; at 0.5 it falls to 1/2.
    assert result.ap == pytest.approx((39 * 0.9 + 0.4) / 90 / 0.9)


def test_a_false_one_first() -> None:
    # Precision rises from 0 at recall 0 to 1/2 at recall 1, and is above 0.1 from recall 0.2 on.
    assert one(answer(box(x=50), CAR), ground_truth(CAR)).ap == pytest.approx(0.2)


def test_a_second_answer_for_one_thing_is_false() -> None:
    assert one(answer(CAR, CAR), ground_truth(CAR)).ap == pytest.approx((89 * 0.9 + 0.4) / 90 / 0.9)
    twice = average_precision_3d(
        [answer(CAR), answer(CAR, scores=[0.5])], [ground_truth(CAR)] * 2, 1
    )
    assert twice.ap == pytest.approx(1)  # in two scenes there are two things


def test_things_of_another_scene_or_class_are_not_found() -> None:
    assert (
        average_precision_3d([answer(), answer(CAR)], [ground_truth(CAR), ground_truth()], 1).ap
        == 0
    )
    assert average_precision_3d([answer(CAR, label=1)], [ground_truth(CAR)], 2).ap == 0


@pytest.mark.parametrize(
    ("distance", "count"),
    [(0.49, 4), (0.5, 3), (0.99, 3), (1.0, 2), (1.99, 2), (2.0, 1), (3.99, 1), (4.0, 0), (9, 0)],
)
def test_thresholds_are_of_distances_on_the_ground_and_do_not_belong(
    distance: float, count: int
) -> None:
    for detected in (
        box(x=distance),
        box(z=20 - distance),
        box(x=-0.6 * distance, z=20 + 0.8 * distance, y=9),
    ):
        # 0.6 and 0.8 are rounded: there the edge itself may fall to either side.
        if detected[0] >= 0 or distance not in (0.5, 1, 2, 4):
            result = one(answer(detected), ground_truth(box()))
            assert result.ap == pytest.approx(count / 4)
            assert result.translation == pytest.approx(distance if distance < 2 else 1)


def test_the_surest_takes_the_nearest_and_the_next_what_is_left() -> None:
    truth = ground_truth(box(x=0), box(x=1))
    detections = answer(box(x=0.6), box(x=0.9))  # the second takes what is 0.9 m away
    result = one(detections, truth)
    half = (39 * 0.9 + 0.4) / 90 / 0.9  # at 0.5 m, where only the first finds one
    assert result.ap == pytest.approx((half + 3) / 4)
    # In order of scores, not as given, each of them takes the nearest.
    swapped = one(detections._replace(scores=detections.scores.flip(0)), truth)
    assert swapped.ap == pytest.approx((half + 3) / 4)
    # The running mean is 0.4 up to recall 0.5, then rises to (0.4 + 0.9) / 2 = 0.65.
    assert result.translation == pytest.approx(0.4 + 0.5 * 0.01 * sum(range(51)) / 90)
    assert swapped.translation == pytest.approx(0.1 + 0.5 * 0.01 * sum(range(51)) / 90)  # to 0.35


def test_a_thing_at_the_threshold_is_not_left_for_the_next() -> None:
    result = one(answer(box(x=0), box(x=0)), ground_truth(box(x=0), box(x=2)))
    half = (39 * 0.9 + 0.4) / 90 / 0.9
    assert result.ap == pytest.approx((3 * half + 1) / 4)  # both are found at 4 m only


def test_of_equal_scores_all_errors_count() -> None:
    truth = ground_truth(box(x=0), box(x=50))
    for detections in (
        answer(box(x=0.2), box(x=50.6), scores=[1, 1]),
        answer(box(x=50.4), scores=[1]),
    ):
        assert one(detections, truth).translation == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("sides", "error"),
    [
        ((1, 1, 1), 0),
        ((2, 1, 1), 1 / 2),
        ((1, 0.5, 1), 1 / 2),
        ((2, 2, 2), 7 / 8),
        ((2, 0.5, 1), 1 - 0.5 / (1 + 1 - 0.5)),
    ],
)
def test_scale(sides: tuple[float, float, float], error: float) -> None:
    detections = answer((0.3, 0.2, 20.1, *sides, 0.7))  # place and heading do not count
    result = one(detections, ground_truth((0, 0, 20, 1, 1, 1, 0)))
    assert result.scale == pytest.approx(error)


@pytest.mark.parametrize(
    ("yaw", "true_yaw", "error"),
    [
        (0.3, 0.1, 0.2),
        (0.1, 0.3, 0.2),
        (math.pi - 0.1, 0.1 - math.pi, 0.2),
        (0.1 - math.pi, math.pi - 0.1, 0.2),
        (0, math.pi, math.pi),
        (0, math.pi + 0.5, math.pi - 0.5),
        (6 * math.pi + 0.1, -4 * math.pi, 0.1),
    ],
)
def test_orientation_goes_the_short_way_round(yaw: float, true_yaw: float, error: float) -> None:
    result = one(answer(box(yaw=yaw)), ground_truth(box(yaw=true_yaw)))
    assert result.orientation == pytest.approx(error)
    assert result.score == pytest.approx((3 + 1 + 1 + max(0, 1 - error)) / 6)


def test_errors_are_one_until_more_than_a_tenth_is_found() -> None:
    for count, error in ((9, 0.3), (10, 1)):  # 1/9 is above 0.11
        truth = ground_truth(*(box(x=20 * k) for k in range(count)))
        assert one(answer(box(x=0.3)), truth).translation == pytest.approx(error)


def test_classes_that_are_nowhere_do_not_count() -> None:
    truth = [ground_truth(CAR), ground_truth(CAR, label=2)]
    detections = [answer(box(x=0.2)), answer(CAR, label=1)]  # of a class that is nowhere
    result = average_precision_3d(detections, truth, 4)
    assert result.ap == pytest.approx(1 / 2)
    assert result.translation == pytest.approx((0.2 + 1) / 2)
    assert result.per_class == pytest.approx((1, math.nan, 0, math.nan), nan_ok=True)
    nothing = average_precision_3d([answer(CAR)], [ground_truth()], 2)
    assert all(math.isnan(value) for value in (*nothing[:-1], *nothing.per_class))


def test_orientation_of_some_classes_only() -> None:
    boxes, labels = (
        torch.cat(pair) for pair in zip(ground_truth(CAR), ground_truth(CAR, label=1), strict=True)
    )
    turned = boxes + torch.tensor([[0, 0, 0, 0, 0, 0, 0.2], [0, 0, 0, 0, 0, 0, 0.6]])
    detections, truth = [Detections3D(turned, labels, torch.ones(2))], [(boxes, labels)]
    for oriented, error in ((None, 0.4), ((0, 1), 0.4), ((0,), 0.2), ([1], 0.6)):
        result = average_precision_3d(detections, truth, 2, oriented)
        assert result.orientation == pytest.approx(error)
    none = average_precision_3d(detections, truth, 2, ())
    assert math.isnan(none.orientation)
    assert math.isnan(none.score)
    assert none.ap == pytest.approx(1)


def test_order_of_boxes_and_scenes_does_not_matter() -> None:
    detections, truth = draw(5)
    shuffled = []
    for scene_detections in detections:
        order = torch.randperm(
            len(scene_detections.boxes), generator=torch.Generator().manual_seed(1)
        )
        shuffled.append(Detections3D(*(part[order] for part in scene_detections)))
    expected = average_precision_3d(detections, truth, 3)
    assert average_precision_3d(shuffled[::-1], truth[::-1], 3) == expected


def test_all_is_within_its_range() -> None:
    for seed in range(20):
        detections, truth = draw(seed, scenes=3, classes=2)
        result = average_precision_3d(detections, truth, 2)
        maximum = (1, 2, 1, math.pi, 1, *(1,) * 2)
        for value, top in zip((*result[:-1], *result.per_class), maximum, strict=True):
            assert math.isnan(value) or 0 <= value <= top


def test_takes_what_a_network_gives() -> None:
    boxes = torch.tensor([CAR], requires_grad=True)
    detections = Detections3D(boxes, torch.tensor([0], dtype=torch.int32), boxes.sum(dim=1))
    assert one(detections, ground_truth(CAR)).ap == pytest.approx(1)


# Intervals.


@pytest.mark.slow
@pytest.mark.parametrize("oriented", [None, (1,)])
def test_interval_is_that_of_drawing_and_matching_anew(monkeypatch, oriented) -> None:
    monkeypatch.setattr(detection3d, "N_BOOTSTRAP", 25)
    detections, truth = draw(11, scenes=6, classes=4)
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(25):
        scenes = rng.integers(0, 6, 6)
        result = average_precision_3d(
            [detections[k] for k in scenes], [truth[k] for k in scenes], 4, oriented
        )
        rows.append([*result[:-1], *result.per_class])
    assert np.isnan(rows).any()  # in some, a class is nowhere
    ends = precision_interval_3d(detections, truth, 4, oriented, level=0.8, seed=3)
    for end, level in zip(ends, (0.1, 0.9), strict=True):
        expected = np.nanquantile(rows, level, axis=0)
        np.testing.assert_allclose([*end[:-1], *end.per_class], expected, rtol=1e-12)


@pytest.mark.slow
def test_interval_holds_the_value_and_shrinks_with_more_scenes() -> None:
    widths = []
    for times in (5, 40):
        detections, truth = [answer(CAR), answer()] * times, [ground_truth(CAR)] * 2 * times
        low, high = precision_interval_3d(detections, truth, 2)
        assert low.ap < average_precision_3d(detections, truth, 2).ap < high.ap
        assert math.isnan(low.per_class[1])
        assert math.isnan(high.per_class[1])
        widths.append(high.ap - low.ap)
    assert widths[1] < widths[0] / 2


def test_interval_is_seeded(monkeypatch) -> None:
    monkeypatch.setattr(detection3d, "N_BOOTSTRAP", 25)
    detections, truth = draw(0)
    first, again, other = (precision_interval_3d(detections, truth, 3, seed=k) for k in (0, 0, 1))
    assert first == again
    assert first[0].ap != other[0].ap


# Refusals.


@pytest.mark.parametrize("function", [average_precision_3d, precision_interval_3d])
def test_refuses_what_does_not_fit(function) -> None:
    good, truth = answer(CAR), ground_truth(CAR)
    for detections, scenes in (([], []), ([good], [truth, truth])):
        with pytest.raises(
            ValueError, match=f"detections per scene.* got {len(detections)} entries"
        ):
            function(detections, scenes, 1)
    for classes in (0, 1.5):
        with pytest.raises(ValueError, match=f"classes must be .* got {classes}"):
            function([good], [truth], classes)
    with pytest.raises(ValueError, match=r"oriented must be labels from 0 to 1, got \[2\]"):
        function([good], [truth], 2, oriented=(0, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": torch.zeros(1, 6)}, r"detections\[0\] must be .* \(n, 7\).* of shape \(1, 6\)"),
        ({"boxes": torch.ones(1, 7, dtype=torch.int64)}, r"got torch\.int64"),
        ({"boxes": torch.ones(7)}, r"of shape \(7,\)"),
        ({"boxes": torch.full((1, 7), math.nan)}, "boxes of .* NaN or infinite values; check"),
        ({"boxes": torch.tensor([box(width=-2)])}, "positive sides, got a minimum of -2 m"),
        ({"boxes": torch.tensor([box(length=0)])}, "positive sides, got a minimum of 0 m"),
        (
            {"labels": torch.tensor([0, 0])},
            r"one per box, got torch.int64 of shape \(2,\) for 1 boxes",
        ),
        ({"labels": torch.tensor([0.0])}, "must be integers"),
        ({"labels": torch.tensor([True])}, "must be integers"),
        ({"labels": torch.tensor([2])}, "must be from 0 to 1, got 2 to 2; remove the other boxes"),
        ({"labels": torch.tensor([-1])}, "must be from 0 to 1, got -1 to -1"),
        ({"scores": torch.ones(2)}, r"scores of detections\[0\] must have .* got shape \(2,\)"),
        ({"scores": torch.tensor([math.inf])}, r"scores of detections\[0\] have NaN .*; check"),
    ],
)
def test_refuses_boxes_that_are_none(change: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_precision_3d([answer(CAR)._replace(**change)], [ground_truth(CAR)], 2)


def test_names_the_scene_whose_truth_is_wrong() -> None:
    wrong = ground_truth(CAR)[0], torch.tensor([5])
    with pytest.raises(ValueError, match=r"labels of ground_truth\[1\] must be from 0 to 0, got 5"):
        average_precision_3d([answer(CAR)] * 2, [ground_truth(CAR), wrong], 1)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_refuses_a_level_that_is_none(level: float) -> None:
    with pytest.raises(ValueError, match=f"level must be between 0 and 1.* got {level}"):
        precision_interval_3d([answer(CAR)], [ground_truth(CAR)], 1, level=level)
