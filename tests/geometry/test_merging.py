"""Merging of detections."""

import pytest
import torch

from lzu_viz.geometry.boxes import Detections
from lzu_viz.geometry.merging import merge_detections


def detections(*rows: tuple[float, ...]) -> Detections:
    """Return detections of rows (left, top, right, bottom, label, score)."""
    values = torch.tensor(rows).reshape(-1, 6)
    return Detections(values[:, :4], values[:, 4].long(), values[:, 5])


LEFT = (0.0, 0.0, 0.4, 0.4, 1, 0.8)
RIGHT = (0.1, 0.0, 0.5, 0.4, 1, 0.9)
OTHER_CLASS = (0.1, 0.0, 0.5, 0.4, 2, 0.7)
APART = (-0.9, -0.9, -0.5, -0.5, 1, 0.3)


def test_suppression_keeps_the_highest_score_of_each_class() -> None:
    merged = merge_detections([detections(LEFT, APART), detections(RIGHT, OTHER_CLASS)], "nms")
    assert merged.scores.tolist() == pytest.approx([0.9, 0.7, 0.3])
    assert merged.labels.tolist() == [1, 2, 1]
    torch.testing.assert_close(merged.boxes[0], torch.tensor(RIGHT[:4]))


def test_merging_takes_the_box_around_both() -> None:
    merged = merge_detections([detections(LEFT, APART), detections(RIGHT, OTHER_CLASS)], "nmm")
    assert merged.scores.tolist() == pytest.approx([0.9, 0.7, 0.3])
    torch.testing.assert_close(merged.boxes[0], torch.tensor([0.0, 0.0, 0.5, 0.4]))
    torch.testing.assert_close(merged.boxes[1], torch.tensor(OTHER_CLASS[:4]))


def test_a_part_inside_a_box_is_merged_but_not_suppressed() -> None:
    inside = (0.1, 0.1, 0.2, 0.2, 1, 0.5)
    parts = [detections(LEFT), detections(inside)]
    assert len(merge_detections(parts, "nmm").scores) == 1
    assert len(merge_detections(parts, "nms").scores) == 2


def test_empty_predictions_and_the_maximum_number() -> None:
    for method in ("nms", "nmm"):
        assert merge_detections([detections(), detections()], method).boxes.shape == (0, 4)
        assert len(merge_detections([detections(LEFT, APART)], method, top=1).scores) == 1


def test_errors_name_what_is_wanted() -> None:
    with pytest.raises(ValueError, match="at least one prediction"):
        merge_detections([])
    with pytest.raises(ValueError, match=r"method must be one of \('nms', 'nmm'\)"):
        merge_detections([detections(LEFT)], "soft")
    with pytest.raises(ValueError, match=r"threshold must be in 0\.\.1"):
        merge_detections([detections(LEFT)], threshold=2)
