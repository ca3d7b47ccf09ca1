"""Detections as dictionaries, COCO records and supervision's fields, and back."""

from types import SimpleNamespace

import pytest
import torch

from lzu_viz.adapters import records
from lzu_viz.geometry.boxes import Detections
from lzu_viz.models import NanoDet

SIZE = (90, 160)


def detections(count: int = 5) -> Detections:
    corners = torch.rand(count, 2, 2) * 2 - 1
    boxes = torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=-1)
    scores = torch.rand(count).sort(descending=True).values
    return Detections(boxes, torch.randint(0, 9, (count,)), scores)


def agree(one: Detections, other: Detections) -> bool:
    return (
        torch.allclose(one.boxes, other.boxes, atol=1e-5)
        and torch.equal(one.labels, other.labels)
        and torch.allclose(one.scores, other.scores)
    )


@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_record_is_inverted(count: int) -> None:
    found = detections(count)
    assert agree(records.from_dict(records.to_dict(found, SIZE), SIZE), found)
    assert agree(records.from_coco(records.to_coco(found, SIZE, 3), SIZE), found)
    fields = records.to_fields(found, SIZE)
    assert agree(records.from_fields(SimpleNamespace(**fields), SIZE), found)


def test_boxes_are_in_pixels() -> None:
    found = Detections(
        torch.tensor([[0.0, -1.0, 1.0, 0.0]]), torch.tensor([2]), torch.tensor([0.75])
    )
    assert records.to_dict(found, SIZE)["boxes"].tolist() == [[80, 0, 160, 45]]
    (record,) = records.to_coco(found, SIZE, image_id=1, categories=[1, 7, 90])
    assert record == {"image_id": 1, "category_id": 90, "bbox": [80, 0, 80, 45], "score": 0.75}
    assert records.from_coco([record], SIZE, categories=[1, 7, 90]).labels.tolist() == [2]
    assert records.to_fields(found, SIZE)["xyxy"].tolist() == [[80, 0, 160, 45]]


def test_detections_are_sorted_by_score() -> None:
    record = {
        "boxes": torch.tensor([[0.0, 0.0, 8.0, 9.0], [8.0, 0.0, 16.0, 9.0]]),
        "labels": torch.tensor([1, 2]),
        "scores": torch.tensor([0.2, 0.9]),
    }
    assert records.from_dict(record, SIZE).labels.tolist() == [2, 1]
    del record["scores"]
    assert records.from_dict(record, SIZE).scores.tolist() == [1, 1]


def test_missing_keys_are_named() -> None:
    with pytest.raises(ValueError, match=r"needs \['labels'\]"):
        records.from_dict({"boxes": torch.zeros(0, 4)}, SIZE)
    with pytest.raises(ValueError, match="one box, label and score"):
        records.from_dict({"boxes": torch.zeros(2, 4), "labels": torch.zeros(1)}, SIZE)


def test_ids_of_coco_have_its_gaps() -> None:
    assert len(records.COCO_IDS) == len(NanoDet().classes) == 80
    ids = dict(zip(NanoDet().classes, records.COCO_IDS, strict=True))
    # As in `instances_val2017.json`.
    assert {name: ids[name] for name in ("person", "fire hydrant", "stop sign", "toothbrush")} == {
        "person": 1, "fire hydrant": 11, "stop sign": 13, "toothbrush": 90,
    }  # fmt: skip
