"""Detection and segmentation by object size: uniform downsampling, a crop and a zoom at equal cost.

There are two persons in each scene. Crop and zoom are given the box of the first, the *target*; the
results on the other person show what this costs. A crop is a window of the source as large as the
network's input; if the target does not fit, the window is larger and is downsampled.
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
"""Maximum fraction of a window's side that the target may occupy."""

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
    """Return the records of one scene: one for each network, system and person."""
    scene = scene_of(seed)
    heights = inference.heights_in(scene)
    warps = {
        "uniform": Warp.identity((1, 1)),
        "zoom": inference.box_warp(scene.boxes[:1]),
        "zoom, both": inference.box_warp(scene.boxes),
    }
    detected, masks = {}, {}
    for system, warp in warps.items():
        kind = Uniform if system == "uniform" else Fovea
        detected[system] = inference.detect(kind, scene.image, warp, DETECTOR)
        masks[system] = inference.segment(scene.image, warp, SEGMENTER)
    detected["crop"] = detect_in_window(scene, DETECTOR)
    masks["crop"] = segment_in_window(scene, SEGMENTER)
    ious_by_network = {
        "detector": {
            name: inference.best_iou(detections, scene.boxes)
            for name, detections in detected.items()
        },
        "segmenter": {name: inference.person_ious(mask, scene) for name, mask in masks.items()},
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
        for network, systems in ious_by_network.items()
        for system, ious in systems.items()
        for person, iou in enumerate(ious)
    ]


def scene_of(seed: int) -> Scene:
    """Return the scene of a seed."""
    return controlled(seed, persons=2, heights=HEIGHTS)


def window(
    box: Tensor, size: tuple[int, int], source: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return the window around a box `4`: left, top, right, bottom in whole source pixels.

    The window has ``size`` (rows, columns), scaled up if the box needs more, and is shifted to stay
    within the source.
    """
    left, top, right, bottom = to_pixels(box, source).tolist()
    scale = max(1.0, (bottom - top) / (FILL * size[0]), (right - left) / (FILL * size[1]))
    rows, columns = (
        min(round(scale * side), maximum) for side, maximum in zip(size, source, strict=True)
    )
    x = min(max(0, round((left + right - columns) / 2)), source[1] - columns)
    y = min(max(0, round((top + bottom - rows) / 2)), source[0] - rows)
    return x, y, x + columns, y + rows


def detect_in_window(scene: Scene, size: tuple[int, int]) -> Detections:
    """Return the detections in the window around the target, in the frame of the whole source."""
    rows, columns = scene.image.shape[-2:]
    left, top, right, bottom = window(scene.boxes[0], size, (rows, columns))
    crop = scene.image[..., top:bottom, left:right]
    detections = inference.detect(Uniform, crop, Warp.identity((1, 1)), size)
    scale = torch.tensor([(right - left) / columns, (bottom - top) / rows]).repeat(2)
    middle = torch.tensor([(left + right) / columns - 1, (top + bottom) / rows - 1]).repeat(2)
    return detections._replace(boxes=detections.boxes * scale + middle)


def segment_in_window(scene: Scene, size: tuple[int, int]) -> Tensor:
    """Return the mask of the whole source, segmented in the target's window and empty outside."""
    rows, columns = scene.image.shape[-2:]
    left, top, right, bottom = window(scene.boxes[0], size, (rows, columns))
    mask = torch.zeros_like(scene.mask)
    crop = scene.image[..., top:bottom, left:right]
    mask[..., top:bottom, left:right] = inference.segment(crop, None, size)
    return mask
