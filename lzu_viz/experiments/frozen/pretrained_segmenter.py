"""Mask accuracy of a pretrained segmenter with five saliencies, on hundreds of controlled scenes.

The persons are in one part of the frame, like people in a street, so that a fixed saliency is
informative. Edges: Marin et al., "Efficient segmentation: learning downsampling near semantic
boundaries", ICCV 2019, sample densely near class boundaries; here these are taken from the ground
truth mask (an upper bound) or replaced by image edges (without learning; Jin et al., "Learning to
downsample", ICLR 2022, learn the sampling).
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, controlled
from ...geometry import saliency
from ...geometry.warp import Warp
from ...metrics.masks import boundary_f, mask_iou
from . import inference
from .results_store import Record

SCENES = 200
SIDE = 256
HEIGHTS = (0.04, 0.6)
STREET = (-0.2, 0.0, 0.9, 0.7)
"""Range of the centres of the persons: left, top, right, bottom in [-1, 1]."""

FIXED_SALIENCY_SEEDS = range(20_000, 20_100)
"""Seeds of the scenes that the fixed saliency is computed from; none of them is evaluated."""

UNIFORM_WEIGHT = 0.25
"""Weight of the uniform map in edge and fixed saliency; box saliency has a floor of its own."""

SETTINGS: dict[str, Any] = {
    "side": SIDE,
    "heights": HEIGHTS,
    "within": STREET,
    "fixed from": [FIXED_SALIENCY_SEEDS.start, FIXED_SALIENCY_SEEDS.stop],
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Return the records of one scene, segmented with every warp."""
    scene = scene_of(seed)
    (height,) = inference.heights_in(scene)
    records = []
    for system, warp in warps_of(scene).items():
        mask = inference.segment(scene.image, warp, (SIDE, SIDE))
        records.append(
            {
                "seed": seed,
                "system": system,
                "height": height,
                "iou": round(mask_iou(mask, scene.mask).item(), 3),
                "boundary": round(boundary_f(mask, scene.mask).item(), 3),
            }
        )
    return records


def scene_of(seed: int) -> Scene:
    """Return the scene of a seed."""
    return controlled(seed, heights=HEIGHTS, within=STREET)


def warps_of(scene: Scene) -> dict[str, Warp]:
    """Return the warp of each system."""
    saliency_maps = {
        "fixed": fixed_saliency(),
        "true edges": saliency.from_edges(scene.mask.float()),
        "image edges": saliency.from_edges(scene.image),
    }
    return {
        "uniform": Warp.identity((1, 1)),
        "box": inference.box_warp(scene.boxes),
        **{
            name: Warp.from_saliency(mix_uniform(saliency_map))
            for name, saliency_map in saliency_maps.items()
        },
    }


def mix_uniform(saliency_map: Tensor) -> Tensor:
    """Return a saliency map mixed with the uniform one, with weight `UNIFORM_WEIGHT`."""
    return saliency.mix(
        saliency.uniform(), saliency_map, weights=(UNIFORM_WEIGHT, 1 - UNIFORM_WEIGHT)
    )


@lru_cache(maxsize=1)
def fixed_saliency() -> Tensor:
    """Return the density of persons in the scenes `FIXED_SALIENCY_SEEDS`, as saliency `1 1 h w`."""
    boxes = torch.cat([scene_of(seed).boxes for seed in FIXED_SALIENCY_SEEDS])
    return saliency.from_boxes_scale_free(
        boxes, amplitude=1.0, relative_sigma=inference.RELATIVE_SIGMA
    )
