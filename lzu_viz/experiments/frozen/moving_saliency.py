"""Adaptive saliency on video: the last frame's boxes say where to look in this one.

The person walks, the camera swings. All systems see as many pixels; they differ in where they look,
and in how hard: the strong warp is the best for a single picture, the gentle one for the loop.
"""

from collections.abc import Callable, Sequence
from copy import copy
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
COURSES = ((0.0, 0.0), (0.02, 0.0), (0.04, 0.0), (0.08, 0.0), (0.01, 0.02))
"""Speed of the person, and of the camera, in widths of the frame a frame."""

PATIENCE = 3
"""Frames for which a system with patience goes on looking where it last found somebody."""

GAINS = (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0)
"""What part of the velocity is believed; 1 is right."""

GAINS_AT = (0.04, 0.0)
"""The course on which all gains are tried."""

# Chosen on sequences 10000 to 10009, among amplitudes of 0.3, 1, 3 and spreads of 0.5, 1, 2.
GENTLE = (1.0, 1.0)
"""Amplitude and spread of a saliency that a loop can live with."""

SETTINGS: dict[str, Any] = {
    "frames": FRAMES,
    "size": SIZE,
    "heights": HEIGHTS,
    "courses": COURSES,
    "patience": PATIENCE,
    "gains": GAINS,
    "gentle": GENTLE,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Follow one person by every system, on every course."""
    records = []
    for speed, pan in COURSES:
        scenes = scenes_of(seed, speed, pan)
        gains = GAINS if (speed, pan) == GAINS_AT else (1.0,)
        for system, seen in follow_all(scenes, gains).items():
            record = {"seed": seed, "speed": speed, "pan": pan, "system": system}
            records.append({**record, **summarise(scenes, seen)})
    return records


def scenes_of(seed: int, speed: float, pan: float = 0.0) -> list[Scene]:
    """Return the frames of a sequence."""
    return list(moving(seed, frames=FRAMES, speed=speed, pan=pan, heights=HEIGHTS))


def gently(boxes: Tensor) -> Warp:
    """Return the gentle warp towards boxes `n 4`."""
    return Warp.from_saliency(saliency.from_boxes_scale_free(boxes, *GENTLE))


def follow_all(
    scenes: list[Scene], gains: Sequence[float] = (1.0,)
) -> dict[str, list[FrameResult]]:
    """Follow by every system; the last two are told the truth about the last frame.

    All read the detector's outputs from grids twice as fine, so that they differ in the warp alone.
    """
    frames = [scene.image for scene in scenes]
    decode = inference.detector().decode

    def followed(looking: Callable[[Tensor], Warp], **options: Any) -> list[FrameResult]:
        return list(follow(system(), frames, decode, looking, **options))

    return {
        "uniform": list(
            follow(inference.detecting(Uniform, SIZE, upsample_factor=2), frames, decode, gently)
        ),
        "strong": followed(inference.towards),
        "gentle": followed(gently),
        "patient": followed(gently, patience=PATIENCE),
        **{
            f"drift {gain:g}": followed(gently, patience=PATIENCE, motion=constant_velocity(gain))
            for gain in gains
        },
        "told, strong": _told_before(scenes, inference.towards),
        "told, gentle": _told_before(scenes, gently),
    }


def system() -> System:
    """Return LZU around the frozen detector: outputs unzoomed on a grid twice as fine."""
    return inference.detecting(LZU, SIZE, upsample_factor=2)


def _told_before(scenes: list[Scene], looking: Callable[[Tensor], Warp]) -> list[FrameResult]:
    """Look in each frame where she truly was in the one before; in the first, everywhere."""
    lzu, decode = system(), inference.detector().decode
    expected = [scenes[0].box[:0], *(scene.box for scene in scenes[:-1])]
    seen = []
    for boxes, scene in zip(expected, scenes, strict=True):
        warp = looking(boxes)
        (detections,) = lzu.detect(scene.image, decode, warp)
        seen.append(FrameResult(detections, copy(warp), boxes))
    return seen


def summarise(scenes: list[Scene], seen: list[FrameResult]) -> Record:
    """Count the frames after the first in which she is found, lost, and found again."""
    ious = [
        inference.best_iou(each.detections, scene.box)[0]
        for each, scene in zip(seen, scenes, strict=True)
    ]
    hits = [iou >= inference.FOUND for iou in ious]
    pairs = list(pairwise(hits))
    return {
        "recall": round(sum(hits[1:]) / len(hits[1:]), 3),
        "first": hits[0],
        "kept": sum(was and is_found for was, is_found in pairs),
        "lost": sum(was and not is_found for was, is_found in pairs),
        "regained": sum(now and not was for was, now in pairs),
    }
