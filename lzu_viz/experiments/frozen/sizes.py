"""Who is found at what size: uniform downsampling, a crop, and a zoom, at equal cost.

Two persons stand in each scene. Crop and zoom know of the first one, the *target*; what becomes of
the other tells what that knowledge costs. A crop is a window of the source with as many pixels as
the network's input; where the target does not fit, the window is larger and is downsampled.
"""

from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, controlled
from ...geometry.boxes import Detections, to_pixels
from ...geometry.warp import Warp
from ...systems import Fovea, Uniform
from . import inference
from .results_store import Record

SCENES = 300
DETECTOR = (192, 288)
SEGMENTER = (256, 256)
HEIGHTS = (0.03, 0.35)

FILL = 0.8
"""The largest part of a window's side that the target may take up."""

SETTINGS: dict[str, Any] = {
    "persons": 2,
    "heights": HEIGHTS,
    "detector": DETECTOR,
    "segmenter": SEGMENTER,
    "fill": FILL,
    "margin": inference.MARGIN,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Look at one scene by every system: a record for each network, system and person."""
    scene = scene_of(seed)
    heights = inference.heights_in(scene)
    warps = {
        "uniform": Warp.identity((1, 1)),
        "zoom": inference.towards(scene.box[:1]),
        "zoom, both": inference.towards(scene.box),
    }
    detected, masks = {}, {}
    for system, warp in warps.items():
        kind = Uniform if system == "uniform" else Fovea
        detected[system] = inference.detect(kind, scene.image, warp, DETECTOR)
        masks[system] = inference.segment(scene.image, warp, SEGMENTER)
    detected["crop"] = detect_in_window(scene, DETECTOR)
    masks["crop"] = segment_in_window(scene, SEGMENTER)
    detections = {
        "detector": {name: inference.best_iou(each, scene.box) for name, each in detected.items()},
        "segmenter": {name: inference.person_ious(each, scene) for name, each in masks.items()},
    }
    return [
        {
            "seed": seed,
            "network": network,
            "system": system,
            "target": person == 0,
            "height": heights[person],
            "iou": round(iou, 3),
        }
        for network, systems in detections.items()
        for system, ious in systems.items()
        for person, iou in enumerate(ious)
    ]


def scene_of(seed: int) -> Scene:
    """Return the scene of a seed."""
    return controlled(seed, persons=2, heights=HEIGHTS)


def window(
    box: Tensor, size: tuple[int, int], source: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return the window about a box `4`: left, top, right, bottom in whole pixels of the source.

    It has ``size`` (rows, columns), or as much more as the box needs; it keeps within the source.
    """
    left, top, right, bottom = to_pixels(box, source).tolist()
    grow = max(1.0, (bottom - top) / (FILL * size[0]), (right - left) / (FILL * size[1]))
    rows, columns = (
        min(round(grow * side), maximum) for side, maximum in zip(size, source, strict=True)
    )
    x = min(max(0, round((left + right - columns) / 2)), source[1] - columns)
    y = min(max(0, round((top + bottom - rows) / 2)), source[0] - rows)
    return x, y, x + columns, y + rows


def detect_in_window(scene: Scene, size: tuple[int, int]) -> Detections:
    """Detect in the window about the target; boxes in the frame of the whole source."""
    rows, columns = scene.image.shape[-2:]
    left, top, right, bottom = window(scene.box[0], size, (rows, columns))
    cut = scene.image[..., top:bottom, left:right]
    detections = inference.detect(Uniform, cut, Warp.identity((1, 1)), size)
    part = torch.tensor([(right - left) / columns, (bottom - top) / rows]).repeat(2)
    middle = torch.tensor([(left + right) / columns - 1, (top + bottom) / rows - 1]).repeat(2)
    return detections._replace(boxes=detections.boxes * part + middle)


def segment_in_window(scene: Scene, size: tuple[int, int]) -> Tensor:
    """Segment in the window about the target: a mask of the whole source, nobody outside."""
    rows, columns = scene.image.shape[-2:]
    left, top, right, bottom = window(scene.box[0], size, (rows, columns))
    mask = torch.zeros_like(scene.mask)
    cut = scene.image[..., top:bottom, left:right]
    mask[..., top:bottom, left:right] = inference.segment(cut, None, size)
    return mask
