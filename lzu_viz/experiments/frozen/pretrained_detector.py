"""A pretrained detector fed in eight ways: average precision on hundreds of controlled scenes.

All see as many pixels. The warp looks at the true boxes: it is the best saliency that there could
be, and tells what each way of feeding the network makes of it.
"""

from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, controlled
from ...geometry.boxes import Detections, from_pixels, to_pixels
from ...geometry.warp import Warp
from ...metrics.detection import Precision, average_precision, precision_interval
from . import inference
from .results_store import Record

SCENES = 300
SIZES = ((128, 192), (192, 288), (256, 384))
SOURCE = (640, 960)
HEIGHTS = (0.03, 0.5)

THRESHOLD = 0.1
"""Least score of a box that counts: average precision also looks at the unsure ones."""

TOP = 20
"""Boxes a scene at most."""

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
"""LZ: boxes left in the zoomed frame. FOVEA: mapped back. features: unzoomed under the frozen head,
without and with its box sizes corrected. outputs: unzoomed after it, on grids as fine and finer."""

SETTINGS: dict[str, Any] = {
    "persons": [1, 3],
    "heights": HEIGHTS,
    "sizes": SIZES,
    "threshold": THRESHOLD,
    "top": TOP,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Look at one scene by every system at every size; boxes in pixels of the source."""
    scene = scene_of(seed)
    warp = inference.towards(scene.box)
    records: list[Record] = [{"seed": seed, "system": "truth", "boxes": _in_pixels(scene.box)}]
    for size in SIZES:
        for system, found in detect_all(scene.image, warp, size).items():
            people = inference.people_in(found)
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
    """Detect by every system; the network runs twice, once on each picture."""
    network = inference.detector()
    features = network.features(warp.zoom(image, size))
    outputs = network.head(features)
    zoomed = _decoded(outputs, None, size)
    unzoomed = network.head(_unzoomed(features, warp, 1))
    return {
        "uniform": _decoded(network(Warp.identity((1, 1)).zoom(image, size)), None, size),
        "LZ": zoomed,
        "FOVEA": zoomed._replace(boxes=warp.boxes_to_source(zoomed.boxes)),
        "features": _decoded(unzoomed, None, size),
        "features, sizes": _decoded(unzoomed, warp, size),
        **{
            f"outputs x{finer}": _decoded(_unzoomed(outputs, warp, finer), warp, size)
            for finer in (1, 2, 4)
        },
    }


def summarise(records: list[Record]) -> list[Record]:
    """Give the average precision of each system at each size, with its interval."""
    return [
        {
            "rows": rows,
            "system": system,
            **_rounded("", average_precision(*answers_and_truth(records, rows, system), SOURCE)),
            **_ends(precision_interval(*answers_and_truth(records, rows, system), SOURCE)),
        }
        for rows, _ in SIZES
        for system in SYSTEMS
    ]


def answers_and_truth(
    records: list[Record], rows: int, system: str
) -> tuple[list[Detections], list[Tensor]]:
    """Give what a system found and what is there, scene by scene."""
    truth = {r["seed"]: _from_list(r["boxes"]) for r in records if r["system"] == "truth"}
    found = {}
    for record in records:
        if record["system"] == system and record["rows"] == rows:
            scores = torch.tensor(record["scores"])
            labels = torch.zeros(len(scores), dtype=torch.int64)
            found[record["seed"]] = Detections(_from_list(record["boxes"]), labels, scores)
    return [found[seed] for seed in truth], list(truth.values())


def scene_of(seed: int) -> Scene:
    """Give the scene of a seed: one to three persons."""
    return controlled(seed, persons=1 + seed % 3, heights=HEIGHTS)


def _decoded(outputs: list[Tensor], warp: Warp | None, size: tuple[int, int]) -> Detections:
    (found,) = inference.detector().decode(outputs, warp, size=size, threshold=THRESHOLD, top=TOP)
    return found


def _unzoomed(levels: list[Tensor], warp: Warp, finer: int) -> list[Tensor]:
    return [
        warp.unzoom(level, (finer * level.shape[-2], finer * level.shape[-1])) for level in levels
    ]


def _in_pixels(boxes: Tensor) -> list[list[float]]:
    return [[round(side, 1) for side in box] for box in to_pixels(boxes, SOURCE).tolist()]


def _from_list(boxes: list[list[float]]) -> Tensor:
    return from_pixels(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), SOURCE)


def _rounded(which: str, precision: Precision) -> Record:
    return {f"{name}{which}": round(each, 3) for name, each in precision._asdict().items()}


def _ends(interval: tuple[Precision, Precision]) -> Record:
    return {**_rounded(" low", interval[0]), **_rounded(" high", interval[1])}
