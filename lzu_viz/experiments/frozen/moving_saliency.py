"""Adaptive saliency on video: computed from the detections in the previous frame.

A person walks, and the camera pans. All systems have the same input size; they differ in the
position and strength of the saliency: the strong one is best for single images, the gentle one is
stable in the feedback loop.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, moving
from ...geometry import saliency
from ...geometry.warp import Warp
from ...systems import LZU, System, Uniform
from ...systems.video import FrameResult, constant_velocity, follow
from . import inference
from .results_store import Record

SCENES = 20
FRAMES = 16
SIZE = (192, 288)
HEIGHTS = (0.1, 0.25)
MOTIONS = ((0.0, 0.0), (0.02, 0.0), (0.04, 0.0), (0.08, 0.0), (0.01, 0.02))
"""(speed of the person, speed of the camera) in frame widths per frame."""

PATIENCE = 3
"""Frames for which a patient system keeps its last detections when it detects nobody."""

GAINS = (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0)
"""Factors on the estimated velocity; 1 is correct."""

GAINS_AT = (0.04, 0.0)
"""The course on which all gains are evaluated."""

# Selected from amplitudes 0.3, 1, 3 and relative sigmas 0.5, 1, 2 on sequences 10000 to 10009.
GENTLE_SALIENCY = (1.0, 1.0)
"""Amplitude and relative sigma of a saliency that is stable in the feedback loop."""

SETTINGS: dict[str, Any] = {
    "frames": FRAMES,
    "size": SIZE,
    "heights": HEIGHTS,
    "courses": MOTIONS,
    "patience": PATIENCE,
    "gains": GAINS,
    "gentle": GENTLE_SALIENCY,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Return the records of one person, followed by every system on every course."""
    records = []
    for speed, pan in MOTIONS:
        scenes = scenes_of(seed, speed, pan)
        gains = GAINS if (speed, pan) == GAINS_AT else (1.0,)
        for system, results in follow_all(scenes, gains).items():
            record = {"seed": seed, "speed": speed, "pan": pan, "system": system}
            records.append({**record, **recall_of(scenes, results)})
    return records


def scenes_of(seed: int, speed: float, pan: float = 0.0) -> list[Scene]:
    """Return the frames of a sequence."""
    return list(moving(seed, frames=FRAMES, speed=speed, pan=pan, heights=HEIGHTS))


def gentle_warp(boxes: Tensor) -> Warp:
    """Return the warp of the gentle saliency from boxes `n 4`."""
    return Warp.from_saliency(saliency.from_boxes_scale_free(boxes, *GENTLE_SALIENCY))


def follow_all(
    scenes: list[Scene],
    gains: Sequence[float] = (1.0,),
    bar: Callable[[Collection[str], int], Iterable[str]] = lambda names, _: names,
) -> dict[str, list[FrameResult]]:
    """Return the results of every system; the last two use ground truth of the previous frame.

    All unzoom the detector's outputs on grids twice as fine, so that only the warps differ.

    Args:
        scenes: the frames of a sequence.
        gains: factors on the estimated velocity, each of which makes a system.
        bar: progress bar, called with the names of the systems and their number.
    """
    frames = [scene.image for scene in scenes]
    decode = inference.detector().decode
    uniform = inference.detector_system(Uniform, SIZE, upsample_factor=2)

    def adaptive(
        boxes_to_warp: Callable[[Tensor], Warp], **options: Any
    ) -> Callable[[], Iterable[FrameResult]]:
        return partial(follow, system(), frames, decode, boxes_to_warp, **options)

    runs: dict[str, Callable[[], Iterable[FrameResult]]] = {
        "uniform": partial(follow, uniform, frames, decode, gentle_warp),
        "strong": adaptive(inference.box_warp),
        "gentle": adaptive(gentle_warp),
        "patient": adaptive(gentle_warp, patience=PATIENCE),
        **{
            f"drift {gain:g}": adaptive(
                gentle_warp, patience=PATIENCE, motion=constant_velocity(gain)
            )
            for gain in gains
        },
        "told, strong": partial(_follow_ground_truth, scenes, inference.box_warp),
        "told, gentle": partial(_follow_ground_truth, scenes, gentle_warp),
    }
    return {name: list(runs[name]()) for name in bar(runs, len(runs))}


def system() -> System:
    """Return LZU around the frozen detector, with outputs unzoomed on a grid twice as fine."""
    return inference.detector_system(LZU, SIZE, upsample_factor=2)


def _follow_ground_truth(
    scenes: list[Scene], boxes_to_warp: Callable[[Tensor], Warp]
) -> list[FrameResult]:
    """Return the results with saliency from ground truth boxes of the previous frame.

    The first frame has no previous boxes.
    """
    lzu, decode = system(), inference.detector().decode
    previous_boxes = [scenes[0].boxes[:0], *(scene.boxes for scene in scenes[:-1])]
    results = []
    for boxes, scene in zip(previous_boxes, scenes, strict=True):
        warp = boxes_to_warp(boxes)
        (detections,) = lzu.detect(scene.image, decode, warp)
        results.append(FrameResult(detections, copy(warp), boxes))
    return results


def recall_of(scenes: list[Scene], results: list[FrameResult]) -> Record:
    """Return recall after the first frame, and how often the person is kept, lost and regained."""
    ious = [
        inference.best_iou(result.detections, scene.boxes)[0]
        for result, scene in zip(results, scenes, strict=True)
    ]
    hits = [iou >= inference.MIN_IOU for iou in ious]
    pairs = list(pairwise(hits))
    return {
        "recall": round(sum(hits[1:]) / len(hits[1:]), 3),
        "first": hits[0],
        "kept": sum(before and after for before, after in pairs),
        "lost": sum(before and not after for before, after in pairs),
        "regained": sum(after and not before for before, after in pairs),
    }
