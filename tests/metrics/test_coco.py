"""COCO's metrics of a dataset: equal to those of `pycocotools`, by height, and paired intervals."""

import math
from typing import Any

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lzu_viz.metrics import coco
from lzu_viz.metrics.bootstrap import resample

SIZE = (200, 300)


def annotation(number: int, image: int, bbox: list[float], **more: Any) -> dict[str, Any]:
    return {
        "id": number, "image_id": image, "category_id": 3, "bbox": bbox,
        "area": bbox[2] * bbox[3], "iscrowd": 0, **more,
    }  # fmt: skip


DATASET: dict[str, Any] = {
    "info": {},
    "images": [{"id": image, "height": 200, "width": 300} for image in (5, 6, 7)],
    "annotations": [
        annotation(1, 5, [10, 10, 20, 30]),
        annotation(2, 5, [100, 50, 80, 120]),
        annotation(3, 6, [10, 10, 40, 60]),
        annotation(4, 7, [10, 10, 20, 10]),
        annotation(5, 7, [100, 10, 120, 110], iscrowd=1),
    ],
    "categories": [{"id": 3, "name": "person"}],
}


def result(image: int, bbox: list[float], score: float) -> dict[str, Any]:
    return {"image_id": image, "category_id": 3, "bbox": bbox, "score": score}


RESULTS = [
    result(5, [11, 10, 20, 30], 0.9),
    result(5, [200, 100, 20, 30], 0.8),
    result(6, [14, 10, 40, 60], 0.7),
    result(7, [150, 50, 20, 20], 0.6),
    result(7, [10, 10, 20, 10], 0.5),
]


def test_summary_equals_that_of_pycocotools(capsys: pytest.CaptureFixture[str]) -> None:
    matched = coco.match(DATASET, RESULTS)
    assert capsys.readouterr().out == ""
    truth = COCO()
    truth.dataset = DATASET
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes([dict(each) for each in RESULTS]), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    ap, ap50, _, small, medium, large = evaluation.stats[:6]
    found = coco.summary(matched)
    assert found[:5] == pytest.approx((ap, ap50, small, medium, large))
    assert 0.3 < found.ap < 1
    assert found.recall == 0.75  # three of four objects at IoU 0.5


def test_no_results_have_a_recall_of_zero() -> None:
    found = coco.summary(coco.match(DATASET, []))
    assert (found.ap, found.recall) == (0, 0)


def test_no_objects_have_no_precision() -> None:
    found = coco.summary(coco.match({**DATASET, "annotations": []}, RESULTS))
    assert math.isnan(found.ap)
    assert math.isnan(found.recall)


def test_recall_by_height_leaves_out_crowds_and_unknown_objects() -> None:
    heights = {1: 0.15, 2: 0.6, 3: 0.3, 4: 0.05}
    found = coco.recall_by_height(coco.match(DATASET, RESULTS), heights, (0, 0.1, 0.2, math.inf))
    assert found == [(1, 1.0), (1, 1.0), (2, 0.5)]
    (count, recall), _ = coco.recall_by_height(coco.match(DATASET, RESULTS), {}, (0, 0.1, math.inf))
    assert count == 0
    assert math.isnan(recall)


def drawn(indices: list[int]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the dataset and results of images drawn with repetition, each with its own id."""
    ids = [image["id"] for image in DATASET["images"]]
    images, annotations, results = [], [], []
    for new, index in enumerate(indices, start=100):
        images.append({**DATASET["images"][index], "id": new})
        for each in DATASET["annotations"]:
            if each["image_id"] == ids[index]:
                annotations.append({**each, "id": len(annotations) + 1, "image_id": new})
        results += [{**each, "image_id": new} for each in RESULTS if each["image_id"] == ids[index]]
    return {**DATASET, "images": images, "annotations": annotations}, results


def test_resampled_precision_is_that_of_the_images_drawn() -> None:
    matched = coco.match(DATASET, RESULTS)
    values = coco.resampled_ap(matched, seed=3)
    for indices, value in zip(resample(3, coco.N_BOOTSTRAP, 3)[:20], values, strict=False):
        expected = coco.summary(coco.match(*drawn(indices.tolist())))
        assert value == pytest.approx(expected.ap, nan_ok=True)
    assert len(set(values.round(6))) > 5
    # The whole is unchanged afterwards.
    assert coco.summary(matched).recall == 0.75


def test_resamples_of_two_systems_are_alike() -> None:
    values = coco.resampled_ap(coco.match(DATASET, RESULTS))
    again = coco.resampled_ap(coco.match(DATASET, RESULTS))
    assert (values == again).all()
    assert (coco.resampled_ap(coco.match(DATASET, [])) == 0).all()
