"""A pretrained segmenter and five saliencies: masks on hundreds of controlled scenes.

The persons stand in one part of the frame, as people in a street do, so that a fixed saliency has
something to learn. Edges: Marin et al., "Efficient segmentation: learning downsampling near
semantic boundaries", ICCV 2019, sample densely where classes meet; here the true mask says where
(the best that such a method can do), or the image's own edges do (with no learning; Jin et al.,
"Learning to downsample", ICLR 2022, learn it).
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
"""Where the middles of the persons lie: left, top, right, bottom."""

LEARNT_FROM = range(20_000, 20_100)
"""Scenes that the fixed saliency is made from; none of them is evaluated."""

EVEN = 0.25
"""The even part of a saliency from edges or from other scenes, as boxes have by their floor."""

SETTINGS: dict[str, Any] = {
    "side": SIDE,
    "heights": HEIGHTS,
    "within": STREET,
    "fixed from": [LEARNT_FROM.start, LEARNT_FROM.stop],
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Segment one scene through every warp."""
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
        "box": inference.towards(scene.box),
        **{
            name: Warp.from_saliency(mix_uniform(saliency_map))
            for name, saliency_map in saliency_maps.items()
        },
    }


def mix_uniform(saliency_map: Tensor) -> Tensor:
    """Mix an even part into a saliency."""
    return saliency.mix(saliency.uniform(), saliency_map, weights=(EVEN, 1 - EVEN))


@lru_cache(maxsize=1)
def fixed_saliency() -> Tensor:
    """Return the density of persons in other scenes of the kind: `1 1 h w`."""
    boxes = torch.cat([scene_of(seed).box for seed in LEARNT_FROM])
    return saliency.from_boxes_scale_free(
        boxes, amplitude=1.0, relative_sigma=inference.RELATIVE_SIGMA
    )
