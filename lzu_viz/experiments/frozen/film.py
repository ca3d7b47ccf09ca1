"""The shipped detector on a real film: uniform, adaptive zooms and slicing at equal input pixels.

There are no annotations: the references are the detector's own confident detections of people in
frames of 960 x 1280 pixels. Therefore only differences between systems mean something. Settings are
chosen on the first half of the film, and all systems are compared on the second.
"""

import time
from collections.abc import Iterable, Sequence
from functools import cache, partial
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ...datasets.video_files import COURTYARD, frames
from ...models.registry import NETWORKS, network
from ...systems import Fovea
from ...systems.video import FrameResult
from ..films import GENTLE, STRONG, FilmSystem, Loop, precision_and_recall, run
from .results_store import Record

SIZES = ((128, 160), (192, 256), (288, 384))
SCENES = len(SIZES)
"""A "scene" is the whole film at one size of the network's input."""

FRAMES = 300
HALF = FRAMES // 2
REFERENCE_SIZE = (960, 1280)
REFERENCE_SCORE = 0.5
SCORE = 0.35
PERSON = 0
USUAL_TILE = (320, 416)
"""Size of a tile's input when slicing is not held to equal input pixels: that of the training."""

LOOPS = (
    *(Loop(amplitude, sigma) for amplitude, sigma in product((0.3, 1.0, 3.0), (0.5, 1.0, 2.0))),
    *(
        Loop(GENTLE.amplitude, GENTLE.relative_sigma, patience, gain)
        for patience, gain in ((3, 0.0), (0, 1.0), (3, 1.0))
    ),
)
"""Loops from which one was chosen on the first half, by its mean recall over the sizes.

The gentle one is the simplest whose recall is within 0.01 of the best.
"""

SETTINGS: dict[str, Any] = {
    "frames": FRAMES,
    "sizes": SIZES,
    "reference size": REFERENCE_SIZE,
    "reference score": REFERENCE_SCORE,
    "score": SCORE,
    "usual tile": USUAL_TILE,
    "gentle": [GENTLE.amplitude, GENTLE.relative_sigma, GENTLE.patience, GENTLE.gain],
    "strong": [STRONG.amplitude, STRONG.relative_sigma, STRONG.patience, STRONG.gain],
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Return the records of all systems and loops at one size."""
    size = SIZES[seed]
    records = []
    for loop in LOOPS:
        found, _ = _timed(_run("fovea", range(HALF), size, loop))
        values = [loop.amplitude, loop.relative_sigma, loop.patience, loop.gain]
        records.append(_record(seed, "loop", "first", found, loop=values))
    for name, results in {
        "uniform": _run("uniform", range(HALF, FRAMES), size),
        "fovea, gentle": _run("fovea", range(HALF, FRAMES), size, GENTLE),
        "fovea, strong": _run("fovea", range(HALF, FRAMES), size, STRONG),
        "fovea, told": _told(size),
        "lzu, gentle": _run("lzu", range(HALF, FRAMES), size, GENTLE),
        "sliced": _run("sliced", range(HALF, FRAMES), size),
        "sliced, merging": _run("sliced", range(HALF, FRAMES), size, merge="nmm"),
        "sliced, usual tiles": _run("sliced", range(HALF, FRAMES), size, tile=USUAL_TILE),
    }.items():
        found, seconds = _timed(results)
        records.append(_record(seed, name, "second", found, seconds=seconds))
    return records


def summarise(records: Sequence[Record]) -> list[Record]:
    """Return the mean recall and precision of each loop over the sizes, best recall first."""
    loops = {tuple(record["loop"]) for record in records if record["system"] == "loop"}
    rows = []
    for loop in loops:
        chosen = [record for record in records if record.get("loop") == [*loop]]
        means = {
            name: sum(record[name] for record in chosen) / len(chosen)
            for name in ("recall", "precision")
        }
        rows.append({"loop": [*loop], **{name: round(value, 4) for name, value in means.items()}})
    return sorted(rows, key=lambda row: row["recall"], reverse=True)


@cache
def references() -> tuple[Tensor, ...]:
    """Return the reference boxes of people in each frame, `n 4`, xyxy in [-1, 1]."""
    results = run(
        "uniform", network("detector"), frames(COURTYARD), REFERENCE_SIZE, threshold=REFERENCE_SCORE
    )
    return tuple(result.detections.boxes[result.detections.labels == PERSON] for result in results)


def _run(
    name: FilmSystem, part: range, size: Sequence[int], loop: Loop = GENTLE, **options: Any
) -> Iterable[FrameResult]:
    return run(
        name,
        network("detector"),
        frames(COURTYARD)[part.start : part.stop],
        size,
        loop,
        threshold=SCORE,
        unzoom=dict(NETWORKS["detector"].unzoom),
        **options,
    )


def _told(size: Sequence[int]) -> Iterable[FrameResult]:
    """Yield the results of a zoom that is told the reference boxes of each frame."""
    detector = network("detector")
    decode = partial(detector.decode, threshold=SCORE)
    for index, frame in enumerate(frames(COURTYARD)[HALF:FRAMES], start=HALF):
        boxes = references()[index]
        warp = GENTLE.warp(boxes)
        system = Fovea.from_network(detector, warp, size=size)
        yield FrameResult(system.detect(frame, decode)[0], warp, boxes)


def _timed(results: Iterable[FrameResult]) -> tuple[list[FrameResult], float]:
    """Return the results and the processor seconds per frame, with reading of the film."""
    start = time.process_time()
    found = list(results)
    return found, round((time.process_time() - start) / len(found), 4)


def _record(
    seed: int, system: str, half: str, results: Sequence[FrameResult], **more: Any
) -> Record:
    part = references()[:HALF] if half == "first" else references()[HALF:]
    precision, recall = precision_and_recall(results, part, PERSON)
    return {
        "seed": seed,
        "size": [*SIZES[seed]],
        "system": system,
        "half": half,
        "recall": round(recall, 4),
        "precision": round(precision, 4),
        **more,
    }
