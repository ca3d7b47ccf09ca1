"""COCO's metrics of a whole dataset, by size and by height of objects, with paired intervals."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._extras import needs
from .bootstrap import resample

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

N_BOOTSTRAP = 200
"""Number of bootstrap resamples of an interval."""


class CocoMetrics(NamedTuple):
    """Metrics in 0..1, as means over the categories; NaN where there are no such objects.

    Attributes:
        ap: average precision, mean over the IoU thresholds 0.5, 0.55, ..., 0.95.
        ap50: average precision at IoU 0.5.
        small: `ap` of objects below 32 x 32 pixels.
        medium: `ap` of objects from 32 x 32 to 96 x 96 pixels.
        large: `ap` of objects from 96 x 96 pixels on.
        recall: share of the objects that are detected at IoU 0.5 by at most 100 detections.
    """

    ap: float
    ap50: float
    small: float
    medium: float
    large: float
    recall: float


def match(dataset: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> "COCOeval":
    """Match results with the annotations of a dataset, by `pycocotools`.

    Args:
        dataset: COCO's dictionary of images, annotations and categories.
        results: COCO's records of results.
    """
    with needs("metrics"):
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        truth = _index(COCO(), dict(dataset))
        if results:
            found = truth.loadRes([dict(record) for record in results])
        else:  # `loadRes` cannot read an empty list
            found = _index(COCO(), {**dataset, "annotations": []})
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
    return evaluation


def summary(matched: "COCOeval") -> CocoMetrics:
    """Return the metrics of matched results, see :func:`match`."""
    with contextlib.redirect_stdout(io.StringIO()):
        matched.accumulate()
    # Axes of precision: IoU, recall, category, area, maximum of detections.
    precision, recall = matched.eval["precision"][..., -1], matched.eval["recall"][..., -1]
    return CocoMetrics(
        ap=_mean(precision[..., 0]),
        ap50=_mean(precision[0, ..., 0]),
        small=_mean(precision[..., 1]),
        medium=_mean(precision[..., 2]),
        large=_mean(precision[..., 3]),
        recall=_mean(recall[0, :, 0]),
    )


def resampled_ap(matched: "COCOeval", seed: int = 0) -> NDArray[np.float64]:
    """Return the average precision of each bootstrap resample of the images.

    With the same seed, the results of two systems on the same images are resampled alike, so that
    their difference can be taken resample by resample: what images have in common cancels.

    Args:
        matched: results of a system, see :func:`match`.
        seed: of the resampling.

    Returns:
        `N_BOOTSTRAP`, in 0..1; NaN where a resample has no objects.
    """
    # Of the sizes of objects and the numbers of detections, only those of `ap` are needed.
    params = copy(matched.params)
    params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
    params.maxDets = params.maxDets[-1:]
    all_images, count = matched.evalImgs, len(matched.params.imgIds)
    areas, categories = len(matched.params.areaRng), len(matched.params.catIds)
    values = []
    try:
        for images in resample(count, N_BOOTSTRAP, seed):
            chosen = list(all_images)
            for category in range(categories):
                start = category * areas * count
                chosen[start : start + count] = [all_images[start + index] for index in images]
            matched.evalImgs = chosen
            with contextlib.redirect_stdout(io.StringIO()):
                matched.accumulate(params)
            values.append(_mean(matched.eval["precision"]))
    finally:
        matched.evalImgs = all_images
    return np.array(values)


def recall_by_height(
    matched: "COCOeval", heights: Mapping[int, float], edges: Sequence[float]
) -> list[tuple[int, float]]:
    """Return the number of objects in each range of heights, and their recall at IoU 0.5.

    Args:
        matched: results of a system.
        heights: relative height of each annotation by its id; others are left out.
        edges: n + 1 ends of the ranges, ascending.

    Returns:
        n pairs (number, recall); recall is NaN in an empty range.
    """
    found: list[list[bool]] = [[] for _ in edges[1:]]
    for image in matched.evalImgs:
        if image is None or image["aRng"] != matched.params.areaRng[0]:
            continue
        for index, annotation in enumerate(image["gtIds"]):
            if annotation not in heights:
                continue
            place = int(np.searchsorted(edges, heights[annotation], side="right")) - 1
            if 0 <= place < len(found):
                found[place].append(bool(image["gtMatches"][0, index] > 0))
    return [(len(each), float(np.mean(each)) if each else float("nan")) for each in found]


def _index(coco: Any, dataset: dict[str, Any]) -> Any:
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _mean(values: NDArray[np.floating]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else float("nan")
