"""Average precision of a pretrained detector in eight systems, on hundreds of controlled scenes.

All systems have the same input sizes. The saliency is computed from ground truth boxes, an upper
bound, so that the systems are compared independently of saliency errors.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, controlled
from ...geometry.boxes import Detections, from_pixels, to_pixels
from ...geometry.warp import Warp
from ...metrics.detection import DetectionMetrics, average_precision, precision_interval
from ...systems import LZ, LZU, Fovea, Predictions, Uniform
from . import inference
from .results_store import Record

SCENES = 300
SIZES = ((128, 192), (192, 288), (256, 384))
SOURCE = (640, 960)
HEIGHTS = (0.03, 0.5)

THRESHOLD = 0.1
"""Minimum score of a box; low, because average precision covers the low-scoring boxes too."""

TOP = 20
"""Maximum number of boxes per scene."""

SYSTEMS = (
    "uniform",
    "LZ",
    "FOVEA",
    "features",
    "features, sizes",
    "outputs x1",
    "outputs x2",
    "outputs x4",
)
"""LZ: boxes left in the zoomed frame. FOVEA: boxes mapped back. features: unzoomed before the
frozen head, without and with correction of box sizes. outputs: unzoomed after the head, on grids of
1, 2 and 4 times the resolution."""

SETTINGS: dict[str, Any] = {
    "persons": [1, 3],
    "heights": HEIGHTS,
    "sizes": SIZES,
    "threshold": THRESHOLD,
    "top": TOP,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Return the records of one scene in every system at every size; boxes in source pixels."""
    scene = scene_of(seed)
    warp = inference.box_warp(scene.boxes)
    records: list[Record] = [{"seed": seed, "system": "truth", "boxes": _in_pixels(scene.boxes)}]
    for size in SIZES:
        for system, detections in detect_all(scene.image, warp, size).items():
            people = inference.people_in(detections)
            records.append(
                {
                    "seed": seed,
                    "rows": size[0],
                    "system": system,
                    "boxes": _in_pixels(people.boxes),
                    "scores": [round(score, 3) for score in people.scores.tolist()],
                }
            )
    return records


def detect_all(image: Tensor, warp: Warp, size: tuple[int, int]) -> dict[str, Detections]:
    """Return the detections of every system in an image `1 3 h w`.

    The backbone runs twice: on the uniformly downsampled image and on the zoomed image.
    """
    network = inference.detector()
    decode = partial(network.decode, threshold=THRESHOLD, top=TOP)
    options: dict[str, Any] = {"size": size, "decode": decode}
    uniform = Uniform.from_network(network, **options)
    zoomed = LZ.from_network(network, warp, **options)
    trace = zoomed.trace(image)
    fovea = Fovea.from_network(network, warp, **options)
    unzoomed = LZU.from_network(network, warp, **options, unzoom="features")
    outputs = unzoomed.head(unzoomed.unzoom(trace.features, warp))
    detections = {
        "uniform": uniform.trace(image).predictions,
        "LZ": trace.predictions,
        "FOVEA": fovea.decode(trace.outputs, warp),
        "features": zoomed.decode(outputs, warp),
        "features, sizes": unzoomed.decode(outputs, warp),
    }
    for factor in (1, 2, 4):
        system = LZU.from_network(
            network, warp, **options, unzoom="outputs", upsample_factor=factor
        )
        detections[f"outputs x{factor}"] = system.decode(system.unzoom(trace.outputs, warp), warp)
    return {name: _only(predictions) for name, predictions in detections.items()}


def _only(predictions: Predictions | None) -> Detections:
    """Return the detections in a single image."""
    assert isinstance(predictions, list)
    (detections,) = predictions
    return detections


def summarise(records: list[Record]) -> list[Record]:
    """Return the average precision of each system at each size, with confidence intervals."""
    return [
        {
            "rows": rows,
            "system": system,
            **_rounded(
                "", average_precision(*detections_and_ground_truth(records, rows, system), SOURCE)
            ),
            **_rounded_ends(
                precision_interval(*detections_and_ground_truth(records, rows, system), SOURCE)
            ),
        }
        for rows, _ in SIZES
        for system in SYSTEMS
    ]


def detections_and_ground_truth(
    records: list[Record], rows: int, system: str
) -> tuple[list[Detections], list[Tensor]]:
    """Return the detections of a system and the ground truth boxes of each scene."""
    ground_truth = {r["seed"]: _from_list(r["boxes"]) for r in records if r["system"] == "truth"}
    detections = {}
    for record in records:
        if record["system"] == system and record["rows"] == rows:
            scores = torch.tensor(record["scores"])
            labels = torch.zeros(len(scores), dtype=torch.int64)
            detections[record["seed"]] = Detections(_from_list(record["boxes"]), labels, scores)
    return [detections[seed] for seed in ground_truth], list(ground_truth.values())


def scene_of(seed: int) -> Scene:
    """Return the scene of a seed, with one to three persons."""
    return controlled(seed, persons=1 + seed % 3, heights=HEIGHTS)


def _in_pixels(boxes: Tensor) -> list[list[float]]:
    return [[round(side, 1) for side in box] for box in to_pixels(boxes, SOURCE).tolist()]


def _from_list(boxes: list[list[float]]) -> Tensor:
    return from_pixels(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), SOURCE)


def _rounded(suffix: str, metrics: DetectionMetrics) -> Record:
    return {f"{name}{suffix}": round(value, 3) for name, value in metrics._asdict().items()}


def _rounded_ends(interval: tuple[DetectionMetrics, DetectionMetrics]) -> Record:
    return {**_rounded(" low", interval[0]), **_rounded(" high", interval[1])}
