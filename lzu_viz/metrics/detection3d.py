"""nuScenes metrics of 3D boxes, and their bootstrap intervals.

The definitions are those of Caesar et al., "nuScenes: A multimodal dataset for autonomous driving",
CVPR 2020: boxes are matched by the distance between their centres on the ground, not by overlap;
errors of translation, scale and orientation are measured separately.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry import check
from .bootstrap import percentile_interval, resample
from .detection import N_BOOTSTRAP
from .matching import match_greedily

THRESHOLDS = (0.5, 1.0, 2.0, 4.0)
"""Centre distances on the ground, in metres, below which boxes match."""

Array = NDArray[np.float64]

_NEAR = THRESHOLDS.index(2.0)  # errors are measured at this threshold
_RECALL = np.linspace(0, 1, 101)
_START = 11  # index of the first recall above 0.1
_FLOOR = 0.1  # precision up to this counts as 0


class Detections3D(NamedTuple):
    """3D detections in one scene, in any order.

    Attributes:
        boxes: `n 7`, in the camera's frame, in metres and radians: x (right), y (down) and z
            (ahead) of the centre, width, height, length, yaw. A box faces (sin yaw, cos yaw) in the
            (x, z) plane of the ground.
        labels: `n`, int64, class of each box.
        scores: `n`, confidence of each box.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor


class DetectionMetrics3D(NamedTuple):
    """Average precision and errors of 3D boxes; NaN where there is no ground truth.

    Attributes:
        ap: average precision in 0..1, mean over the classes and the four distances.
        translation: mean centre distance of matched boxes on the ground, in metres.
        scale: mean of 1 - IoU of matched boxes after aligning centre and heading, in 0..1.
        orientation: mean angle between the headings of matched boxes, in radians, in 0..pi.
        score: combination of `ap` and the three errors, in 0..1.
        per_class: `ap` of each class.
    """

    ap: float
    translation: float
    scale: float
    orientation: float
    score: float
    per_class: tuple[float, ...]


class _ClassMatches(NamedTuple):
    """Detections of one class in all scenes, by decreasing score, with their matches.

    Attributes:
        scenes: `n`, scene index of each detection.
        scores: `n`, decreasing.
        hits: `n 4`, whether the detection matches a true box at each threshold.
        errors: `n 3`, of translation, scale and orientation at 2 m; 0 without a match.
        true_counts: number of true boxes of the class in each scene.
    """

    scenes: NDArray[np.int64]
    scores: Array
    hits: NDArray[np.bool_]
    errors: Array
    true_counts: NDArray[np.int64]


def average_precision_3d(
    detections: Sequence[Detections3D],
    ground_truth: Sequence[tuple[Tensor, Tensor]],
    classes: int,
    oriented: Sequence[int] | None = None,
) -> DetectionMetrics3D:
    r"""Return the nuScenes average precision and errors of 3D detections.

    In each scene and class, detections are matched by decreasing score, each with the nearest true
    box not yet matched, if their centres are less than :math:`d` apart on the ground. Precision
    :math:`p_{c,d}` of class :math:`c` is interpolated at the recalls :math:`r` = 0, 0.01, ... 1,
    and is 0 beyond the highest recall reached; recall up to 0.1 and precision up to 0.1 do not
    count:

    .. math::

        \mathrm{AP}_{c,d} = \frac{1}{0.9} \operatorname*{mean}_{r > 0.1}
            \max(0, p_{c,d}(r) - 0.1), \qquad
        \mathrm{mAP} = \operatorname*{mean}_{c} \operatorname*{mean}_{d \in \{0.5, 1, 2, 4\}}
            \mathrm{AP}_{c,d}

    The errors are those of boxes matched at 2 m: the running mean over boxes of at least the same
    score, averaged over the recalls from above 0.1 to the highest reached, or 1 if none is reached.
    Between boxes, it is interpolated over the scores, as in nuScenes. All definitions are from
    section 3.1 of Caesar et al., "nuScenes: A multimodal dataset for autonomous driving", CVPR
    2020. There the score (NDS) is (5 mAP + five terms) / 10; errors of velocity and attributes are
    not available here, hence

    .. math::

        \mathrm{score} = \frac{1}{6} \Bigl(3\, \mathrm{mAP} + \sum_{e} (1 - \min(1, e))\Bigr)

    **cannot be compared with a published NDS.** Also unlike nuScenes, neither the distance nor the
    number of boxes per scene is limited. Means are over the classes with ground truth in any scene.
    Ties in score are ordered by scene, then by box.

    Args:
        detections: one entry per scene; boxes `n 7` in metres and radians, labels `n`, scores `n`.
        ground_truth: (boxes `n 7`, labels `n`) of each scene, in the same units.
        classes: number of classes; labels are 0 to `classes - 1`.
        oriented: classes with a heading, all if None; the orientation error of other classes is
            ignored. If none of these is in any scene, `orientation` and `score` are NaN.

    Returns:
        Average precision, errors and score.

    Raises:
        ValueError: the numbers of predictions and scenes differ, or there are no scenes; boxes,
            labels or scores have the wrong shape or type, or are not finite; a side is not
            positive; a label is out of range.

    Example:
        >>> car = torch.tensor([[0.0, 1.0, 20.0, 1.8, 1.5, 4.0, 0.0]])
        >>> label = torch.tensor([0])
        >>> further = car + torch.tensor([0.0, 0.0, 0.75, 0.0, 0.0, 0.0, 0.0])
        >>> seen = Detections3D(further, label, torch.tensor([0.9]))
        >>> result = average_precision_3d([seen], [(car, label)], classes=1)
        >>> round(result.ap, 6), round(result.translation, 6), round(result.score, 6)
        (0.75, 0.75, 0.75)
    """
    matched = _matched(detections, ground_truth, classes)
    return _summary(matched, _headed(classes, oriented), np.ones(len(ground_truth), np.int64))


def precision_interval_3d(
    detections: Sequence[Detections3D],
    ground_truth: Sequence[tuple[Tensor, Tensor]],
    classes: int,
    oriented: Sequence[int] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[DetectionMetrics3D, DetectionMetrics3D]:
    """Return the bootstrap interval of each metric, resampling scenes.

    Boxes are matched within a scene, so the matching is computed once for all resamples.

    Args:
        detections: one entry per scene; boxes `n 7` in metres and radians, labels `n`, scores `n`.
        ground_truth: (boxes `n 7`, labels `n`) of each scene.
        classes: number of classes.
        oriented: classes with a heading, all if None.
        level: confidence level of the interval, between 0 and 1.
        seed: of the resampling.

    Returns:
        The lower and the upper end of the interval of each metric.

    Raises:
        ValueError: as :func:`average_precision_3d`, or the level is not between 0 and 1.

    Example:
        >>> car = torch.tensor([[0.0, 1.0, 20.0, 1.8, 1.5, 4.0, 0.0]])
        >>> label = torch.tensor([0])
        >>> seen = Detections3D(car, label, torch.tensor([0.9]))
        >>> missed = Detections3D(car[:0], label[:0], torch.zeros(0))
        >>> low, high = precision_interval_3d([seen, missed] * 8, [(car, label)] * 16, classes=1)
        >>> 0 < low.ap < 0.5 < high.ap < 1
        True
    """
    matched = _matched(detections, ground_truth, classes)
    headed = _headed(classes, oriented)
    statistics = []
    for scenes in resample(len(ground_truth), N_BOOTSTRAP, seed):
        metrics = _summary(matched, headed, np.bincount(scenes, minlength=len(ground_truth)))
        statistics.append([*metrics[:-1], *metrics.per_class])
    low, high = percentile_interval(statistics, level)
    return _unflat(low.tolist()), _unflat(high.tolist())


def _matched(
    detections: Sequence[Detections3D], ground_truth: Sequence[tuple[Tensor, Tensor]], classes: int
) -> list[_ClassMatches]:
    """Match detections with ground truth, for each class."""
    if len(detections) != len(ground_truth) or not ground_truth:
        raise ValueError(
            "expected one entry of detections per scene, and at least one scene, "
            f"got {len(detections)} entries and {len(ground_truth)} scenes"
        )
    if not isinstance(classes, int) or classes < 1:
        raise ValueError(f"classes must be an integer of at least 1, got {classes!r}")
    for scene, (scene_detections, (boxes, labels)) in enumerate(
        zip(detections, ground_truth, strict=True)
    ):
        _check(scene_detections.boxes, scene_detections.labels, classes, f"detections[{scene}]")
        _check(boxes, labels, classes, f"ground_truth[{scene}]")
        _check_scores(scene_detections, f"detections[{scene}]")
    predicted = [
        (_array(boxes), _array(labels), _array(scores)) for boxes, labels, scores in detections
    ]
    true = [(_array(boxes), _array(labels)) for boxes, labels in ground_truth]
    return [_match_class(predicted, true, label) for label in range(classes)]


def _match_class(
    detections: list[tuple[Array, Array, Array]],
    ground_truth: list[tuple[Array, Array]],
    label: int,
) -> _ClassMatches:
    """Match the boxes of one class in all scenes."""
    scenes, scores, hits, errors, true_counts = [], [], [], [], []
    for scene, (scene_detections, (true, true_labels)) in enumerate(
        zip(detections, ground_truth, strict=True)
    ):
        boxes, labels, confidence = scene_detections
        order = np.flatnonzero(labels == label)
        order = order[np.argsort(-confidence[order], kind="stable")]
        boxes, true_boxes = boxes[order], true[true_labels == label]
        offset = boxes[:, None, [0, 2]] - true_boxes[None, :, [0, 2]]
        distance = np.sqrt((offset**2).sum(axis=-1))
        match = np.stack([match_greedily(distance, threshold) for threshold in THRESHOLDS], axis=-1)
        matched = match[:, _NEAR] >= 0
        error = np.zeros((len(boxes), 3))
        error[matched] = _errors(boxes[matched], true_boxes[match[matched, _NEAR]])
        scenes.append(np.full(len(boxes), scene))
        scores.append(confidence[order])
        hits.append(match >= 0)
        errors.append(error)
        true_counts.append(len(true_boxes))
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    return _ClassMatches(
        scenes=np.concatenate(scenes)[order],
        scores=score[order],
        hits=np.concatenate(hits)[order],
        errors=np.concatenate(errors)[order],
        true_counts=np.array(true_counts),
    )


def _errors(boxes: Array, ground_truth: Array) -> Array:
    """Return translation, scale and orientation errors of matched boxes: two `n 7` to `n 3`."""
    translation = np.sqrt(((boxes - ground_truth)[:, [0, 2]] ** 2).sum(axis=-1))
    sizes, true_sizes = boxes[:, 3:6], ground_truth[:, 3:6]
    intersection = np.minimum(sizes, true_sizes).prod(axis=-1)
    scale = 1 - intersection / (sizes.prod(axis=-1) + true_sizes.prod(axis=-1) - intersection)
    turn = (boxes[:, 6] - ground_truth[:, 6] + math.pi) % (2 * math.pi) - math.pi
    return np.stack([translation, scale, np.abs(turn)], axis=-1)


def _summary(
    matched: list[_ClassMatches], headed: NDArray[np.bool_], times: NDArray[np.int64]
) -> DetectionMetrics3D:
    """Summarise the matches, counting each scene ``times`` times."""
    precisions = np.full(len(matched), np.nan)
    errors = np.full((len(matched), 3), np.nan)
    for label, matches in enumerate(matched):
        true_count = int((times * matches.true_counts).sum())
        if true_count:
            rows = np.repeat(np.arange(len(matches.scores)), times[matches.scenes])
            hits = matches.hits[rows]
            precisions[label] = np.mean([_area(column, true_count) for column in hits.T])
            errors[label] = _mean_errors(
                matches.scores[rows], hits[:, _NEAR], matches.errors[rows], true_count
            )
    errors[~headed, 2] = np.nan
    ap = _mean(precisions)
    translation, scale, orientation = (_mean(column) for column in errors.T)
    scores = 1 - np.minimum(1, [translation, scale, orientation])
    return DetectionMetrics3D(
        ap=ap,
        translation=translation,
        scale=scale,
        orientation=orientation,
        score=float((3 * ap + scores.sum()) / 6),
        per_class=tuple(precisions.tolist()),
    )


def _area(hits: NDArray[np.bool_], true_count: int) -> float:
    """Return the normalised area under the precision-recall curve, above 0.1 on both axes."""
    if not hits.any():
        return 0.0
    right = hits.cumsum()
    precision = right / np.arange(1, len(hits) + 1)
    curve = np.interp(_RECALL[_START:], right / true_count, precision, right=0)
    return float(np.maximum(curve - _FLOOR, 0).mean() / (1 - _FLOOR))


def _mean_errors(scores: Array, hits: NDArray[np.bool_], errors: Array, true_count: int) -> Array:
    """Return the running means of errors, averaged over recall: `n`, `n` and `n 3` to `3`."""
    recall = hits.cumsum() / true_count
    reached = _RECALL[_START:][_RECALL[_START:] <= recall.max(initial=0)]
    if not len(reached):
        return np.ones(3)
    running = errors[hits].cumsum(axis=0) / np.arange(1, hits.sum() + 1)[:, None]
    score_at = np.interp(reached, recall, scores)
    # `interp` requires increasing coordinates, and scores decrease.
    return np.array([np.interp(-score_at, -scores[hits], column).mean() for column in running.T])


def _unflat(row: list[float]) -> DetectionMetrics3D:
    ap, translation, scale, orientation, score, *per_class = row
    return DetectionMetrics3D(ap, translation, scale, orientation, score, tuple(per_class))


def _mean(values: Array) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else math.nan


def _headed(classes: int, oriented: Sequence[int] | None) -> NDArray[np.bool_]:
    """Return for each class whether it has a heading, as a boolean array."""
    labels = range(classes)
    wrong = [label for label in oriented or () if label not in labels]
    if wrong:
        raise ValueError(f"oriented must be labels from 0 to {classes - 1}, got {wrong}")
    return np.array([oriented is None or label in oriented for label in labels])


def _check(boxes: Tensor, labels: Tensor, classes: int, name: str) -> None:
    """Raise unless boxes are `n 7`, finite and of positive size, and labels `n` in range."""
    if boxes.ndim != 2 or boxes.shape[1] != 7 or not boxes.is_floating_point():
        raise ValueError(
            f"boxes of {name} must be floating point of shape (n, 7), with (x, y, z, width, "
            f"height, length, yaw), got {boxes.dtype} of shape {check.shape(boxes)}"
        )
    if labels.shape != boxes.shape[:1] or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f"labels of {name} must be integers, one per box, got {labels.dtype} of shape "
            f"{check.shape(labels)} for {len(boxes)} boxes"
        )
    if not bool(torch.isfinite(boxes).all()):
        raise ValueError(
            f"boxes of {name} have NaN or infinite values; check how they were computed"
        )
    if not bool((boxes[:, 3:6] > 0).all()):
        raise ValueError(
            f"boxes of {name} must have positive sides, got a minimum of "
            f"{float(boxes[:, 3:6].detach().amin()):g} m; the expected order is (x, y, z, width, "
            "height, length, yaw)"
        )
    if not bool(((labels >= 0) & (labels < classes)).all()):
        raise ValueError(
            f"labels of {name} must be from 0 to {classes - 1}, got {int(labels.min())} to "
            f"{int(labels.max())}; remove the other boxes, or increase the number of classes"
        )


def _check_scores(detections: Detections3D, name: str) -> None:
    """Raise unless there is one finite score per box."""
    scores = detections.scores
    if scores.shape != detections.boxes.shape[:1]:
        raise ValueError(
            f"scores of {name} must have one value per box, got shape {check.shape(scores)} "
            f"for {len(detections.boxes)} boxes"
        )
    if not bool(torch.isfinite(scores).all()):
        raise ValueError(
            f"scores of {name} have NaN or infinite values; check how they were computed"
        )


def _array(tensor: Tensor) -> Array:
    return tensor.detach().cpu().double().numpy()
