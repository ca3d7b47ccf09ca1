"""Limits of LZU: wrong saliency, two distant objects, distribution shift, and near objects.

Each limit is measured with both frozen networks on scenes with ground truth.
"""

import math
import random
from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, controlled
from ...geometry.boxes import box_centres
from ...geometry.warp import Warp
from ...metrics.masks import mask_iou
from ...systems import LZU
from . import inference, pretrained_segmenter
from .results_store import Record

SCENES = 150
DETECTOR = (192, 288)
SEGMENTER = (256, 256)
FAR = (0.05, 0.15)
NEAR = (0.4, 0.9)
SHIFTS = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Offsets of the saliency from the person, in frame widths."""

OTHER_STREET = (-0.9, -0.7, 0.2, 0.0)
"""Range of box centres in shifted scenes: `pretrained_segmenter.STREET` flipped on both axes."""

SETTINGS: dict[str, Any] = {
    "detector": DETECTOR,
    "segmenter": SEGMENTER,
    "far": FAR,
    "near": NEAR,
    "shifts": SHIFTS,
    "elsewhere": OTHER_STREET,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Return the records of one scene of each kind, in every system."""
    records = []
    for limit, (scene, warps) in cases(seed).items():
        for system in list(warps):
            record = {"seed": seed, "limit": limit, "system": system}
            # Popped, so that the maps that a warp caches are freed after its use.
            records.append({**record, **_accuracy(scene, warps.pop(system))})
    return records


def cases(seed: int) -> dict[str, tuple[Scene, dict[str, Warp]]]:
    """Return for each limit a scene, and the warps by system that it is evaluated with."""
    identity = {"uniform": Warp.identity((1, 1))}
    far = controlled(seed, heights=FAR)
    pair = controlled(seed, persons=2, heights=FAR)
    street = controlled(seed, heights=FAR, within=pretrained_segmenter.STREET)
    elsewhere = controlled(seed, heights=FAR, within=OTHER_STREET)
    near = controlled(seed, heights=NEAR)
    fixed = Warp.from_saliency(
        pretrained_segmenter.mix_uniform(pretrained_segmenter.fixed_saliency())
    )
    return {
        "wrong place": (
            far,
            {
                **identity,
                **{
                    f"off by {shift:g}": inference.box_warp(shifted(far.boxes, shift, seed))
                    for shift in SHIFTS
                },
            },
        ),
        "two apart": (
            pair,
            {
                **identity,
                "first": inference.box_warp(pair.boxes[:1]),
                "both": inference.box_warp(pair.boxes),
                "both, non-separable": inference.box_warp(pair.boxes, separable=False),
            },
        ),
        "own street": (
            street,
            {**identity, "fixed": fixed, "box": inference.box_warp(street.boxes)},
        ),
        "other street": (
            elsewhere,
            {**identity, "fixed": fixed, "box": inference.box_warp(elsewhere.boxes)},
        ),
        "near": (near, {**identity, "box": inference.box_warp(near.boxes)}),
    }


def shifted(box: Tensor, shift: float, seed: int) -> Tensor:
    """Return boxes `n 4` shifted by ``shift`` frame widths in a random direction, within the frame.

    A component of the shift that would move a centre out of the frame is reversed.
    """
    way = random.Random(seed).uniform(0, 2 * math.pi)
    # The frame is 2 units wide, and 1.5 times as wide as high.
    step = 2 * shift * torch.tensor([math.cos(way), 1.5 * math.sin(way)])
    middle = box_centres(box)
    # Reverse the components that would leave the frame.
    step = torch.where((middle + step).abs() > 1, -step, step)
    return box + ((middle + step).clamp(-1, 1) - middle).repeat(1, 2)


def _accuracy(scene: Scene, warp: Warp) -> Record:
    """Return the IoU of each person's box and mask, and of the mask of all, with a warp."""
    mask = inference.segment(scene.image, warp, SEGMENTER)
    detections = inference.detect(LZU, scene.image, warp, DETECTOR, upsample_factor=2)
    return {
        "heights": inference.heights_in(scene),
        "found": [round(iou, 3) for iou in inference.best_iou(detections, scene.boxes)],
        "masks": [round(iou, 3) for iou in inference.person_ious(mask, scene)],
        "mask": round(mask_iou(mask, scene.mask).item(), 3),
    }
