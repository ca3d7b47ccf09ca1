"""Precision of boxes in space as nuScenes measures it, and how sure it is.

The definitions are those of Caesar et al., "nuScenes: A multimodal dataset for autonomous driving",
CVPR 2020: a box is found where its middle is near that of a true one on the ground, however much
the two overlap; how well its place, its sizes and its heading fit is told apart from that.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry import check
from .detection import N_BOOTSTRAP

THRESHOLDS = (0.5, 1.0, 2.0, 4.0)
"""Distances on the ground, in metres, below which a box is found."""

Array = NDArray[np.float64]

_NEAR = THRESHOLDS.index(2.0)  # the threshold for the errors
_RECALL = np.linspace(0, 1, 101)
_START = 11  # the first recall above 0.1
_FLOOR = 0.1  # of precision


class Detections3D(NamedTuple):
    """What a detector found in one scene, in any order.

    Attributes:
        boxes: `n 7`, in the camera's frame, in metres and radians: x (right), y (down) and z
            (ahead) of the middle, width, height, length, yaw. A box faces (sin yaw, cos yaw) in the
            (x, z) plane of the ground.
        labels: `n`, int64, the class of each.
        scores: `n`, higher is surer.
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor


class DetectionMetrics3D(NamedTuple):
    """Precision and errors of boxes in space; NaN where there is nothing to find.

    Attributes:
        ap: average precision in 0..1, mean over the classes and the four distances.
        translation: mean distance on the ground of a found box from the true one, in metres.
        scale: mean of 1 - IoU of the two once middle and heading are the same, in 0..1.
        orientation: mean angle between their headings, in radians, in 0..pi.
        score: the three errors and `ap` in one number in 0..1.
        per_class: `ap` of each class.
    """

    ap: float
    translation: float
    scale: float
    orientation: float
    score: float
    per_class: tuple[float, ...]


class _Found(NamedTuple):
    """All boxes of one class that were found in any scene, the surest first.

    Attributes:
        scenes: `n`, the scene of each.
        scores: `n`, falling.
        hits: `n 4`, whether it takes a true box at each threshold.
        errors: `n 3`, of place, sizes and heading at 2 m; 0 where it takes none.
        things: one a scene, how many true boxes of the class are in it.
    """

    scenes: NDArray[np.int64]
    scores: Array
    hits: NDArray[np.bool_]
    errors: Array
    things: NDArray[np.int64]


def average_precision_3d(
    detections: Sequence[Detections3D],
    ground_truth: Sequence[tuple[Tensor, Tensor]],
    classes: int,
    oriented: Sequence[int] | None = None,
) -> DetectionMetrics3D:
    r"""Compare the boxes that a detector found in each scene with those that are there.

    In each scene and class, the surest box takes the nearest true box that no surer one has taken,
    if their middles are less than :math:`d` apart on the ground. Precision :math:`p_{c,d}` of class
    :math:`c` is interpolated at the recalls :math:`r` = 0, 0.01, ... 1, and is 0 beyond the highest
    recall that is reached; what is no better than 0.1 in either does not count:

    .. math::

        \mathrm{AP}_{c,d} = \frac{1}{0.9} \operatorname*{mean}_{r > 0.1}
            \max(0, p_{c,d}(r) - 0.1), \qquad
        \mathrm{mAP} = \operatorname*{mean}_{c} \operatorname*{mean}_{d \in \{0.5, 1, 2, 4\}}
            \mathrm{AP}_{c,d}

    The errors are of boxes found at 2 m: of the mean error of all that are at least as sure, the
    mean over the recalls from above 0.1 to the highest that is reached; 1 if none is. Between
    boxes, it is interpolated over the scores, as nuScenes does. All from section 3.1 of Caesar et
    al., "nuScenes: A multimodal dataset for autonomous driving", CVPR 2020. There the score (NDS)
    is (5 mAP + five terms) / 10; errors of velocity and attributes are missing here, hence

    .. math::

        \mathrm{score} = \frac{1}{6} \Bigl(3\, \mathrm{mAP} + \sum_{e} (1 - \min(1, e))\Bigr)

    **cannot be compared with a published NDS.** Nor are far boxes left out here, or ones beyond a
    number a scene. Means are over the classes that are in some scene. Of equal scores, the earlier
    scene and the earlier box come first.

    Args:
        detections: one a scene; boxes `n 7` in metres and radians, labels `n`, scores `n`.
        ground_truth: one a scene, (boxes `n 7`, labels `n`), likewise.
        classes: how many there are; labels are 0 to `classes - 1`.
        oriented: classes with a heading, all if None; of the others, it does not count. If none of
            these is in any scene, `orientation` and `score` are NaN.

    Returns:
        Precision, errors and score.

    Raises:
        ValueError: there are not as many answers as scenes, or none; boxes, labels or scores are
            not as above, or not finite; a side is not positive; a label is no class.

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
    """Return the interval that each number falls into when other scenes are drawn (bootstrap).

    A box takes a true box of its own scene, whatever is in others, so matches are looked for once.

    Args:
        detections: as for :func:`average_precision_3d`.
        ground_truth: likewise.
        classes: likewise.
        oriented: likewise.
        level: of the interval, between 0 and 1.
        seed: of the drawing.

    Returns:
        Its lower and its upper end.

    Raises:
        ValueError: as there, or the level is not between 0 and 1.

    Example:
        >>> car = torch.tensor([[0.0, 1.0, 20.0, 1.8, 1.5, 4.0, 0.0]])
        >>> label = torch.tensor([0])
        >>> seen = Detections3D(car, label, torch.tensor([0.9]))
        >>> missed = Detections3D(car[:0], label[:0], torch.zeros(0))
        >>> low, high = precision_interval_3d([seen, missed] * 8, [(car, label)] * 16, classes=1)
        >>> 0 < low.ap < 0.5 < high.ap < 1
        True
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, as 0.95 for 95 %, got {level!r}")
    matched = _matched(detections, ground_truth, classes)
    headed = _headed(classes, oriented)
    draw = np.random.default_rng(seed)
    scenes = len(ground_truth)
    drawn = []
    for _ in range(N_BOOTSTRAP):
        times = np.bincount(draw.integers(0, scenes, scenes), minlength=scenes)
        each = _summary(matched, headed, times)
        drawn.append([*each[:-1], *each.per_class])
    outside = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that is in no scene, both ends are NaN
        low, high = np.nanquantile(np.array(drawn), (outside, 1 - outside), axis=0)
    return _unflat(low.tolist()), _unflat(high.tolist())


def _matched(
    detections: Sequence[Detections3D], ground_truth: Sequence[tuple[Tensor, Tensor]], classes: int
) -> list[_Found]:
    """Match what was found with what is there, scene by scene, class by class."""
    if len(detections) != len(ground_truth) or not ground_truth:
        raise ValueError(
            f"there must be one answer a scene and at least one, got {len(detections)} answers "
            f"and {len(ground_truth)} scenes"
        )
    if not isinstance(classes, int) or classes < 1:
        raise ValueError(f"classes must be a whole number of at least 1, got {classes!r}")
    for scene, (each, (boxes, labels)) in enumerate(zip(detections, ground_truth, strict=True)):
        _check(each.boxes, each.labels, classes, f"found[{scene}]")
        _check(boxes, labels, classes, f"truth[{scene}]")
        _check_scores(each, f"found[{scene}]")
    ours = [(_array(each.boxes), _array(each.labels), _array(each.scores)) for each in detections]
    theirs = [(_array(boxes), _array(labels)) for boxes, labels in ground_truth]
    return [_match_class(ours, theirs, label) for label in range(classes)]


def _match_class(
    detections: list[tuple[Array, Array, Array]],
    ground_truth: list[tuple[Array, Array]],
    label: int,
) -> _Found:
    """Match the boxes of one class in all scenes."""
    scenes, scores, hits, errors, things = [], [], [], [], []
    for scene, (each, (true, true_labels)) in enumerate(zip(detections, ground_truth, strict=True)):
        boxes, labels, sure = each
        order = np.flatnonzero(labels == label)
        order = order[np.argsort(-sure[order], kind="stable")]
        boxes, there = boxes[order], true[true_labels == label]
        way = boxes[:, None, [0, 2]] - there[None, :, [0, 2]]
        distance = np.sqrt((way**2).sum(axis=-1))
        taken = np.stack([_take(distance, threshold) for threshold in THRESHOLDS], axis=-1)
        good = taken[:, _NEAR] >= 0
        error = np.zeros((len(boxes), 3))
        error[good] = _errors(boxes[good], there[taken[good, _NEAR]])
        scenes.append(np.full(len(boxes), scene))
        scores.append(sure[order])
        hits.append(taken >= 0)
        errors.append(error)
        things.append(len(there))
    score = np.concatenate(scores)
    order = np.argsort(-score, kind="stable")
    return _Found(
        scenes=np.concatenate(scenes)[order],
        scores=score[order],
        hits=np.concatenate(hits)[order],
        errors=np.concatenate(errors)[order],
        things=np.array(things),
    )


def _take(distance: Array, threshold: float) -> NDArray[np.int64]:
    """Let each row in turn take the nearest column that is left: `n m` to `n`, -1 for none."""
    taken = np.full(len(distance), -1)
    left = distance.copy()
    for row in np.flatnonzero(distance.min(axis=1, initial=np.inf) < threshold):
        nearest = left[row].argmin()
        if left[row, nearest] < threshold:
            taken[row] = nearest
            left[:, nearest] = np.inf
    return taken


def _errors(boxes: Array, ground_truth: Array) -> Array:
    """Return the errors of place, size and heading of matched boxes: two `n 7` to `n 3`."""
    place = np.sqrt(((boxes - ground_truth)[:, [0, 2]] ** 2).sum(axis=-1))
    ours, theirs = boxes[:, 3:6], ground_truth[:, 3:6]
    intersection = np.minimum(ours, theirs).prod(axis=-1)
    scale = 1 - intersection / (ours.prod(axis=-1) + theirs.prod(axis=-1) - intersection)
    turn = (boxes[:, 6] - ground_truth[:, 6] + math.pi) % (2 * math.pi) - math.pi
    return np.stack([place, scale, np.abs(turn)], axis=-1)


def _summary(
    matched: list[_Found], headed: NDArray[np.bool_], times: NDArray[np.int64]
) -> DetectionMetrics3D:
    """Sum matches up, with each scene as often as ``times`` says."""
    precisions = np.full(len(matched), np.nan)
    errors = np.full((len(matched), 3), np.nan)
    for label, each in enumerate(matched):
        things = int((times * each.things).sum())
        if things:
            rows = np.repeat(np.arange(len(each.scores)), times[each.scenes])
            hits = each.hits[rows]
            precisions[label] = np.mean([_area(column, things) for column in hits.T])
            errors[label] = _mean_errors(
                each.scores[rows], hits[:, _NEAR], each.errors[rows], things
            )
    errors[~headed, 2] = np.nan
    ap = _mean(precisions)
    translation, scale, orientation = (_mean(column) for column in errors.T)
    good = 1 - np.minimum(1, [translation, scale, orientation])
    return DetectionMetrics3D(
        ap=ap,
        translation=translation,
        scale=scale,
        orientation=orientation,
        score=float((3 * ap + good.sum()) / 6),
        per_class=tuple(precisions.tolist()),
    )


def _area(hits: NDArray[np.bool_], things: int) -> float:
    """Return the area below precision over recall, without the lowest tenth of either."""
    if not hits.any():
        return 0.0
    right = hits.cumsum()
    precision = right / np.arange(1, len(hits) + 1)
    curve = np.interp(_RECALL[_START:], right / things, precision, right=0)
    return float(np.maximum(curve - _FLOOR, 0).mean() / (1 - _FLOOR))


def _mean_errors(scores: Array, hits: NDArray[np.bool_], errors: Array, things: int) -> Array:
    """Average the running means of errors over recall: `n`, `n` and `n 3` to `3`."""
    recall = hits.cumsum() / things
    reached = _RECALL[_START:][_RECALL[_START:] <= recall.max(initial=0)]
    if not len(reached):
        return np.ones(3)
    running = errors[hits].cumsum(axis=0) / np.arange(1, hits.sum() + 1)[:, None]
    at = np.interp(reached, recall, scores)
    # `interp` wants rising places, and scores fall.
    return np.array([np.interp(-at, -scores[hits], each).mean() for each in running.T])


def _unflat(row: list[float]) -> DetectionMetrics3D:
    ap, translation, scale, orientation, score, *per_class = row
    return DetectionMetrics3D(ap, translation, scale, orientation, score, tuple(per_class))


def _mean(values: Array) -> float:
    """Average what is not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _headed(classes: int, oriented: Sequence[int] | None) -> NDArray[np.bool_]:
    """Return which classes have a heading."""
    labels = range(classes)
    wrong = [label for label in oriented or () if label not in labels]
    if wrong:
        raise ValueError(f"oriented must be labels from 0 to {classes - 1}, got {wrong}")
    return np.array([oriented is None or label in oriented for label in labels])


def _check(boxes: Tensor, labels: Tensor, classes: int, name: str) -> None:
    """Refuse what is not boxes `n 7` and labels `n`."""
    if boxes.ndim != 2 or boxes.shape[1] != 7 or not boxes.is_floating_point():
        raise ValueError(
            f"boxes of {name} must be floating `n 7` (x, y, z, width, height, length, yaw), "
            f"got {check.shape(boxes)} of {boxes.dtype}"
        )
    if labels.shape != boxes.shape[:1] or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f"labels of {name} must be whole numbers, one a box, got {check.shape(labels)} of "
            f"{labels.dtype} for {len(boxes)} boxes"
        )
    if not bool(torch.isfinite(boxes).all()):
        raise ValueError(f"boxes of {name} have NaN or infinite numbers; look at what made them")
    if not bool((boxes[:, 3:6] > 0).all()):
        raise ValueError(
            f"boxes of {name} must have positive sides, the least is "
            f"{float(boxes[:, 3:6].detach().amin()):g} m; boxes are (x, y, z, width, height, "
            "length, yaw)"
        )
    if not bool(((labels >= 0) & (labels < classes)).all()):
        raise ValueError(
            f"labels of {name} must be from 0 to {classes - 1}, got {int(labels.min())} to "
            f"{int(labels.max())}; leave other boxes out, or give more classes"
        )


def _check_scores(detections: Detections3D, name: str) -> None:
    """Refuse what is not finite scores `n`."""
    scores = detections.scores
    if scores.shape != detections.boxes.shape[:1]:
        raise ValueError(
            f"scores of {name} must be one a box, got {check.shape(scores)} "
            f"for {len(detections.boxes)} boxes"
        )
    if not bool(torch.isfinite(scores).all()):
        raise ValueError(f"scores of {name} are NaN or infinite; look at what made them")


def _array(tensor: Tensor) -> Array:
    return tensor.detach().to("cpu", torch.float64).numpy()
