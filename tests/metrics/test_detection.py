"""Average precision: of answers whose precision is known by hand."""

import math

import pytest
import torch
from torch import Tensor

from lzu_viz.geometry.boxes import Detections
from lzu_viz.metrics.detection import average_precision, precision_interval

SIZE = (200, 300)
LARGE = torch.tensor([[-0.5, -0.8, 0.5, 0.8]])  # 150 x 160 pixels
SMALL = torch.tensor([[-0.9, -0.9, -0.8, -0.8]])  # 15 x 10 pixels


def answer(boxes: Tensor, score: float = 0.9, label: int = 0) -> Detections:
    count = len(boxes)
    return Detections(boxes, torch.full((count,), label), torch.full((count,), score))


NOTHING = answer(torch.zeros(0, 4))


def test_what_is_found_exactly_is_worth_one_and_nothing_is_worth_nothing() -> None:
    both = torch.cat([LARGE, SMALL])
    right = average_precision([answer(both)], [both], SIZE)
    for value in (right.ap, right.ap50, right.small, right.large):
        assert value == pytest.approx(1)
    assert math.isnan(right.medium)
    wrong = average_precision([NOTHING], [both], SIZE)
    assert (wrong.ap, wrong.small, wrong.large) == (0, 0, 0)


def test_half_of_the_things_is_half_the_precision() -> None:
    precision = average_precision([answer(LARGE), NOTHING], [LARGE, LARGE], SIZE)
    assert precision.ap50 == pytest.approx(51 / 101)  # of 101 levels of recall, 0 to 0.5


def test_a_box_that_overlaps_by_0_72_counts_up_to_there() -> None:
    left, top, right, bottom = LARGE[0].tolist()
    short = torch.tensor([[left, top, left + 0.72 * (right - left), bottom]])
    precision = average_precision([answer(short)], [LARGE], SIZE)
    assert precision.ap50 == pytest.approx(1)
    assert precision.ap == pytest.approx(
        0.5
    )  # at 0.50, 0.55, 0.60, 0.65 and 0.70 of ten thresholds


def test_other_classes_do_not_count_and_a_false_one_costs() -> None:
    elsewhere = torch.tensor([[0.6, 0.0, 0.9, 0.9]])
    other = answer(elsewhere, label=7)
    detected = answer(LARGE, score=0.5)
    false = Detections(*(torch.cat(pair) for pair in zip(answer(elsewhere), detected, strict=True)))
    assert average_precision([other, detected], [LARGE[:0], LARGE], SIZE).ap == pytest.approx(1)
    assert average_precision([false], [LARGE], SIZE).ap == pytest.approx(0.5)


@pytest.mark.slow
def test_interval_holds_the_value_and_shrinks_with_more_scenes() -> None:
    widths = []
    for times in (5, 40):
        detections, ground_truth = [answer(LARGE), NOTHING] * times, [LARGE] * 2 * times
        low, high = precision_interval(detections, ground_truth, SIZE)
        assert low.ap < average_precision(detections, ground_truth, SIZE).ap < high.ap
        assert math.isnan(low.small)
        again = precision_interval(detections, ground_truth, SIZE)[0]
        assert again.ap == low.ap  # seeded
        widths.append(high.ap - low.ap)
    assert widths[1] < widths[0] / 2


def test_refuses_what_does_not_fit() -> None:
    for detections, ground_truth in (([], []), ([NOTHING], [LARGE, LARGE])):
        with pytest.raises(ValueError, match="one entry of detections per scene"):
            average_precision(detections, ground_truth, SIZE)
