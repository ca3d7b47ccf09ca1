"""Tests of 3D average precision: cases computed by hand and a reference implementation."""

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


def predicted(*boxes: tuple[float, ...], scores=None, label: int = 0) -> Detections3D:
    falling = scores or [0.9 - 0.1 * k for k in range(len(boxes))]
    return Detections3D(
        *ground_truth(*boxes, label=label), torch.tensor(falling, dtype=torch.float64)
    )


def evaluate(detections: Detections3D, targets: GroundTruth, **more) -> DetectionMetrics3D:
    return average_precision_3d([detections], [targets], classes=1, **more)


def random_scenes(
    seed: int, scenes: int = 12, classes: int = 3
) -> tuple[list[Detections3D], list[GroundTruth]]:
    """Return random scenes, some of them empty, with detections of which about half are near."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    def integers(maximum: int, *shape: int) -> Tensor:
        return torch.randint(0, maximum, shape, generator=generator)

    detections, targets = [], []
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
        targets.append((boxes, labels))
    return detections, targets


# Reference implementation.


def curve_at(points: list[tuple[float, float]], place: float) -> float:
    """Interpolate a curve through points in ascending x; of several at one x, use the last."""
    if place < points[0][0]:
        return points[0][1]
    for (x, y), (next_x, next_y) in pairwise(points):
        if x <= place < next_x:
            return y + (next_y - y) * (place - x) / (next_x - x)
    return points[-1][1]


def reference_metrics(detections, targets, classes, oriented=None) -> dict[str, float]:
    """Return the metrics, computed with loops over dictionaries."""
    levels = [float(recall) for recall in np.linspace(0, 1, 101)]
    tables: dict[str, list[float]] = {"ap": [], "translation": [], "scale": [], "orientation": []}
    for label in range(classes):
        true_boxes = [
            {"scene": scene, "box": row.tolist()}
            for scene, (boxes, labels) in enumerate(targets)
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
                    scale_error(detection["box"], true_box["box"])
                    for detection, true_box, _ in hits
                ],
                "orientation": [
                    angle_between(detection["box"][6], true_box["box"][6])
                    for detection, true_box, _ in hits
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


def scale_error(first: list[float], second: list[float]) -> float:
    intersection = volume = other_volume = 1.0
    for k in (3, 4, 5):
        intersection *= min(first[k], second[k])
        volume *= first[k]
        other_volume *= second[k]
    return 1 - intersection / (volume + other_volume - intersection)


def angle_between(first: float, second: float) -> float:
    cosine = math.cos(first) * math.cos(second) + math.sin(first) * math.sin(second)
    return math.acos(max(-1.0, min(1.0, cosine)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_metrics_match_reference(seed: int) -> None:
    detections, targets = random_scenes(seed)
    for oriented in (None, (0, 2)):
        result = average_precision_3d(detections, targets, 3, oriented)
        reference = reference_metrics(detections, targets, 3, oriented)
        for name, value in reference.items():
            assert getattr(result, name) == pytest.approx(value, abs=1e-9), name
        assert 0 < result.ap < 1  # neither is trivial
        assert 0 < result.translation < 2


def test_metrics_of_few_detections_match_reference() -> None:
    detections, targets = random_scenes(3, scenes=20, classes=1)
    sparse = [
        Detections3D(*(part[:1] for part in scene_detections)) if k % 7 == 0 else predicted()
        for k, scene_detections in enumerate(detections)
    ]
    for detected in (sparse, [predicted()] * 20):
        result, reference = (
            average_precision_3d(detected, targets, 1),
            reference_metrics(detected, targets, 1),
        )
        for name, value in reference.items():
            assert getattr(result, name) == pytest.approx(value, abs=1e-9), name


# Cases computed by hand.


def test_exact_detections_score_one() -> None:
    _, targets = random_scenes(0)
    detections = [
        Detections3D(*scene_targets, torch.rand(len(scene_targets[0]))) for scene_targets in targets
    ]
    result = average_precision_3d(detections, targets, 3)
    assert result.ap == pytest.approx(1)
    assert result[1:4] == (0, 0, 0)
    assert result.score == pytest.approx(1)
    assert result.per_class == pytest.approx((1, 1, 1))


def test_no_true_positives_score_zero() -> None:
    assert evaluate(predicted(), ground_truth(CAR)) == (0, 1, 1, 1, 0, (0,))
    assert evaluate(predicted(box(x=5)), ground_truth(CAR)) == (0, 1, 1, 1, 0, (0,))


def test_true_positive_before_false_positive() -> None:
    result = evaluate(predicted(CAR, box(x=50)), ground_truth(CAR, box(x=-50)))
    # Precision is 1 at recall 0.11 to 0.49; at 0.5 it falls to 1/2.
    assert result.ap == pytest.approx((39 * 0.9 + 0.4) / 90 / 0.9)


def test_false_positive_before_true_positive() -> None:
    # Precision rises from 0 at recall 0 to 1/2 at recall 1, and is above 0.1 from recall 0.2 on.
    assert evaluate(predicted(box(x=50), CAR), ground_truth(CAR)).ap == pytest.approx(0.2)


def test_duplicate_detection_is_a_false_positive() -> None:
    assert evaluate(predicted(CAR, CAR), ground_truth(CAR)).ap == pytest.approx(
        (89 * 0.9 + 0.4) / 90 / 0.9
    )
    twice = average_precision_3d(
        [predicted(CAR), predicted(CAR, scores=[0.5])], [ground_truth(CAR)] * 2, 1
    )
    assert twice.ap == pytest.approx(1)  # in two scenes there are two objects


def test_objects_of_another_scene_or_class_do_not_match() -> None:
    assert (
        average_precision_3d(
            [predicted(), predicted(CAR)], [ground_truth(CAR), ground_truth()], 1
        ).ap
        == 0
    )
    assert average_precision_3d([predicted(CAR, label=1)], [ground_truth(CAR)], 2).ap == 0


@pytest.mark.parametrize(
    ("distance", "count"),
    [(0.49, 4), (0.5, 3), (0.99, 3), (1.0, 2), (1.99, 2), (2.0, 1), (3.99, 1), (4.0, 0), (9, 0)],
)
def test_thresholds_are_exclusive_distances_on_the_ground(distance: float, count: int) -> None:
    for detected in (
        box(x=distance),
        box(z=20 - distance),
        box(x=-0.6 * distance, z=20 + 0.8 * distance, y=9),
    ):
        # 0.6 and 0.8 are rounded: a distance at a threshold may fall on either side.
        if detected[0] >= 0 or distance not in (0.5, 1, 2, 4):
            result = evaluate(predicted(detected), ground_truth(box()))
            assert result.ap == pytest.approx(count / 4)
            assert result.translation == pytest.approx(distance if distance < 2 else 1)


def test_detections_match_nearest_free_object_in_order_of_score() -> None:
    targets = ground_truth(box(x=0), box(x=1))
    detections = predicted(box(x=0.6), box(x=0.9))  # the second matches the object 0.9 m away
    result = evaluate(detections, targets)
    half = (39 * 0.9 + 0.4) / 90 / 0.9  # at 0.5 m, where only the first matches
    assert result.ap == pytest.approx((half + 3) / 4)
    # The order of the scores counts, not that of the boxes.
    swapped = evaluate(detections._replace(scores=detections.scores.flip(0)), targets)
    assert swapped.ap == pytest.approx((half + 3) / 4)
    # The running mean is 0.4 up to recall 0.5, then rises to (0.4 + 0.9) / 2 = 0.65.
    assert result.translation == pytest.approx(0.4 + 0.5 * 0.01 * sum(range(51)) / 90)
    assert swapped.translation == pytest.approx(0.1 + 0.5 * 0.01 * sum(range(51)) / 90)  # to 0.35


def test_object_at_the_threshold_distance_does_not_match() -> None:
    result = evaluate(predicted(box(x=0), box(x=0)), ground_truth(box(x=0), box(x=2)))
    half = (39 * 0.9 + 0.4) / 90 / 0.9
    assert result.ap == pytest.approx((3 * half + 1) / 4)  # both match at 4 m only


def test_errors_of_equal_scores_are_averaged() -> None:
    targets = ground_truth(box(x=0), box(x=50))
    for detections in (
        predicted(box(x=0.2), box(x=50.6), scores=[1, 1]),
        predicted(box(x=50.4), scores=[1]),
    ):
        assert evaluate(detections, targets).translation == pytest.approx(0.4)


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
def test_scale_error(sides: tuple[float, float, float], error: float) -> None:
    detections = predicted((0.3, 0.2, 20.1, *sides, 0.7))  # position and yaw do not count
    result = evaluate(detections, ground_truth((0, 0, 20, 1, 1, 1, 0)))
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
def test_orientation_error_is_the_smaller_angle(yaw: float, true_yaw: float, error: float) -> None:
    result = evaluate(predicted(box(yaw=yaw)), ground_truth(box(yaw=true_yaw)))
    assert result.orientation == pytest.approx(error)
    assert result.score == pytest.approx((3 + 1 + 1 + max(0, 1 - error)) / 6)


def test_errors_are_one_below_the_minimum_recall() -> None:
    for count, error in ((9, 0.3), (10, 1)):  # 1/9 is above 0.11
        targets = ground_truth(*(box(x=20 * k) for k in range(count)))
        assert evaluate(predicted(box(x=0.3)), targets).translation == pytest.approx(error)


def test_classes_without_ground_truth_are_ignored() -> None:
    targets = [ground_truth(CAR), ground_truth(CAR, label=2)]
    detections = [predicted(box(x=0.2)), predicted(CAR, label=1)]  # of a class without ground truth
    result = average_precision_3d(detections, targets, 4)
    assert result.ap == pytest.approx(1 / 2)
    assert result.translation == pytest.approx((0.2 + 1) / 2)
    assert result.per_class == pytest.approx((1, math.nan, 0, math.nan), nan_ok=True)
    nothing = average_precision_3d([predicted(CAR)], [ground_truth()], 2)
    assert all(math.isnan(value) for value in (*nothing[:-1], *nothing.per_class))


def test_orientation_of_some_classes_only() -> None:
    boxes, labels = (
        torch.cat(pair) for pair in zip(ground_truth(CAR), ground_truth(CAR, label=1), strict=True)
    )
    turned = boxes + torch.tensor([[0, 0, 0, 0, 0, 0, 0.2], [0, 0, 0, 0, 0, 0, 0.6]])
    detections, targets = [Detections3D(turned, labels, torch.ones(2))], [(boxes, labels)]
    for oriented, error in ((None, 0.4), ((0, 1), 0.4), ((0,), 0.2), ([1], 0.6)):
        result = average_precision_3d(detections, targets, 2, oriented)
        assert result.orientation == pytest.approx(error)
    none = average_precision_3d(detections, targets, 2, ())
    assert math.isnan(none.orientation)
    assert math.isnan(none.score)
    assert none.ap == pytest.approx(1)


def test_order_of_boxes_and_scenes_does_not_matter() -> None:
    detections, targets = random_scenes(5)
    shuffled = []
    for scene_detections in detections:
        order = torch.randperm(
            len(scene_detections.boxes), generator=torch.Generator().manual_seed(1)
        )
        shuffled.append(Detections3D(*(part[order] for part in scene_detections)))
    expected = average_precision_3d(detections, targets, 3)
    assert average_precision_3d(shuffled[::-1], targets[::-1], 3) == expected


def test_metrics_are_within_their_ranges() -> None:
    for seed in range(20):
        detections, targets = random_scenes(seed, scenes=3, classes=2)
        result = average_precision_3d(detections, targets, 2)
        maximum = (1, 2, 1, math.pi, 1, *(1,) * 2)
        for value, top in zip((*result[:-1], *result.per_class), maximum, strict=True):
            assert math.isnan(value) or 0 <= value <= top


def test_accepts_int32_labels_and_tensors_that_require_gradients() -> None:
    boxes = torch.tensor([CAR], requires_grad=True)
    detections = Detections3D(boxes, torch.tensor([0], dtype=torch.int32), boxes.sum(dim=1))
    assert evaluate(detections, ground_truth(CAR)).ap == pytest.approx(1)


# Intervals.


@pytest.mark.slow
@pytest.mark.parametrize("oriented", [None, (1,)])
def test_interval_matches_explicit_bootstrap(monkeypatch, oriented) -> None:
    monkeypatch.setattr(detection3d, "N_BOOTSTRAP", 25)
    detections, targets = random_scenes(11, scenes=6, classes=4)
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(25):
        scenes = rng.integers(0, 6, 6)
        result = average_precision_3d(
            [detections[k] for k in scenes], [targets[k] for k in scenes], 4, oriented
        )
        rows.append([*result[:-1], *result.per_class])
    assert np.isnan(rows).any()  # some resamples lack a class
    ends = precision_interval_3d(detections, targets, 4, oriented, level=0.8, seed=3)
    for end, level in zip(ends, (0.1, 0.9), strict=True):
        expected = np.nanquantile(rows, level, axis=0)
        np.testing.assert_allclose([*end[:-1], *end.per_class], expected, rtol=1e-12)


@pytest.mark.slow
def test_interval_contains_the_value_and_shrinks_with_more_scenes() -> None:
    widths = []
    for times in (5, 40):
        detections, targets = [predicted(CAR), predicted()] * times, [ground_truth(CAR)] * 2 * times
        low, high = precision_interval_3d(detections, targets, 2)
        assert low.ap < average_precision_3d(detections, targets, 2).ap < high.ap
        assert math.isnan(low.per_class[1])
        assert math.isnan(high.per_class[1])
        widths.append(high.ap - low.ap)
    assert widths[1] < widths[0] / 2


def test_interval_is_seeded(monkeypatch) -> None:
    monkeypatch.setattr(detection3d, "N_BOOTSTRAP", 25)
    detections, targets = random_scenes(0)
    first, again, other = (precision_interval_3d(detections, targets, 3, seed=k) for k in (0, 0, 1))
    assert first == again
    assert first[0].ap != other[0].ap


# Invalid input.


@pytest.mark.parametrize("function", [average_precision_3d, precision_interval_3d])
def test_invalid_arguments_raise(function) -> None:
    good, targets = predicted(CAR), ground_truth(CAR)
    for detections, scenes in (([], []), ([good], [targets, targets])):
        with pytest.raises(
            ValueError, match=f"detections per scene.* got {len(detections)} entries"
        ):
            function(detections, scenes, 1)
    for classes in (0, 1.5):
        with pytest.raises(ValueError, match=f"classes must be .* got {classes}"):
            function([good], [targets], classes)
    with pytest.raises(ValueError, match=r"oriented must be labels from 0 to 1, got \[2\]"):
        function([good], [targets], 2, oriented=(0, 2))


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
def test_invalid_detections_raise(change: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_precision_3d([predicted(CAR)._replace(**change)], [ground_truth(CAR)], 2)


def test_error_names_the_scene_with_invalid_ground_truth() -> None:
    wrong = ground_truth(CAR)[0], torch.tensor([5])
    with pytest.raises(ValueError, match=r"labels of ground_truth\[1\] must be from 0 to 0, got 5"):
        average_precision_3d([predicted(CAR)] * 2, [ground_truth(CAR), wrong], 1)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_invalid_level_raises(level: float) -> None:
    with pytest.raises(ValueError, match=f"level must be between 0 and 1.* got {level}"):
        precision_interval_3d([predicted(CAR)], [ground_truth(CAR)], 1, level=level)
