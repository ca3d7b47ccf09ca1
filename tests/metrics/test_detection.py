"""Tests of average precision, with cases computed by hand."""

import math

import pytest
import torch
from torch import Tensor

from lzu_viz.geometry.boxes import Detections
from lzu_viz.metrics.detection import average_precision, precision_interval

SIZE = (200, 300)
LARGE = torch.tensor([[-0.5, -0.8, 0.5, 0.8]])  # 150 x 160 pixels
SMALL = torch.tensor([[-0.9, -0.9, -0.8, -0.8]])  # 15 x 10 pixels


def predicted(boxes: Tensor, score: float = 0.9, label: int = 0) -> Detections:
    count = len(boxes)
    return Detections(boxes, torch.full((count,), label), torch.full((count,), score))


NO_DETECTIONS = predicted(torch.zeros(0, 4))


def test_exact_detections_score_one_and_no_detections_score_zero() -> None:
    both = torch.cat([LARGE, SMALL])
    right = average_precision([predicted(both)], [both], SIZE)
    for value in (right.ap, right.ap50, right.small, right.large):
        assert value == pytest.approx(1)
    assert math.isnan(right.medium)
    wrong = average_precision([NO_DETECTIONS], [both], SIZE)
    assert (wrong.ap, wrong.small, wrong.large) == (0, 0, 0)


def test_half_of_the_objects_gives_half_the_precision() -> None:
    precision = average_precision([predicted(LARGE), NO_DETECTIONS], [LARGE, LARGE], SIZE)
    assert precision.ap50 == pytest.approx(51 / 101)  # of 101 levels of recall, 0 to 0.5


def test_box_of_iou_0_72_counts_at_five_of_ten_thresholds() -> None:
    left, top, right, bottom = LARGE[0].tolist()
    short = torch.tensor([[left, top, left + 0.72 * (right - left), bottom]])
    precision = average_precision([predicted(short)], [LARGE], SIZE)
    assert precision.ap50 == pytest.approx(1)
    assert precision.ap == pytest.approx(
        0.5
    )  # at 0.50, 0.55, 0.60, 0.65 and 0.70 of ten thresholds


def test_other_classes_are_ignored_and_false_positives_count() -> None:
    elsewhere = torch.tensor([[0.6, 0.0, 0.9, 0.9]])
    other = predicted(elsewhere, label=7)
    detected = predicted(LARGE, score=0.5)
    false = Detections(
        *(torch.cat(pair) for pair in zip(predicted(elsewhere), detected, strict=True))
    )
    assert average_precision([other, detected], [LARGE[:0], LARGE], SIZE).ap == pytest.approx(1)
    assert average_precision([false], [LARGE], SIZE).ap == pytest.approx(0.5)


@pytest.mark.slow
def test_interval_contains_the_value_and_shrinks_with_more_scenes() -> None:
    widths = []
    for times in (5, 40):
        detections, ground_truth = [predicted(LARGE), NO_DETECTIONS] * times, [LARGE] * 2 * times
        low, high = precision_interval(detections, ground_truth, SIZE)
        assert low.ap < average_precision(detections, ground_truth, SIZE).ap < high.ap
        assert math.isnan(low.small)
        again = precision_interval(detections, ground_truth, SIZE)[0]
        assert again.ap == low.ap  # seeded
        widths.append(high.ap - low.ap)
    assert widths[1] < widths[0] / 2


def test_empty_or_unequal_lists_raise() -> None:
    for detections, ground_truth in (([], []), ([NO_DETECTIONS], [LARGE, LARGE])):
        with pytest.raises(ValueError, match="one entry of detections per scene"):
            average_precision(detections, ground_truth, SIZE)
