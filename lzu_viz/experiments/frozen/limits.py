"""Where LZU stops helping: wrong saliency, two far things apart, another distribution, near things.

Each is measured with both frozen networks on scenes whose truth is known.
"""

import math
import random
from typing import Any

import torch
from torch import Tensor

from ...datasets.scenes import Scene, controlled
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
"""How far the saliency misses the person, in widths of the frame."""

ELSEWHERE = (-0.9, -0.7, 0.2, 0.0)
"""Where persons stand in scenes of another kind; :data:`segmenter.STREET` mirrored both ways."""

SETTINGS: dict[str, Any] = {
    "detector": DETECTOR,
    "segmenter": SEGMENTER,
    "far": FAR,
    "near": NEAR,
    "shifts": SHIFTS,
    "elsewhere": ELSEWHERE,
}


@torch.no_grad()
def measure(seed: int) -> list[Record]:
    """Look at one scene of each kind by every system."""
    records = []
    for limit, (scene, warps) in cases(seed).items():
        for system, warp in warps.items():
            record = {"seed": seed, "limit": limit, "system": system}
            records.append({**record, **_told(scene, warp)})
    return records


def cases(seed: int) -> dict[str, tuple[Scene, dict[str, Warp]]]:
    """Return for each limit a scene, and the warps through which it is looked at."""
    identity = {"uniform": Warp.identity((1, 1))}
    far = controlled(seed, heights=FAR)
    pair = controlled(seed, persons=2, heights=FAR)
    street = controlled(seed, heights=FAR, within=pretrained_segmenter.STREET)
    elsewhere = controlled(seed, heights=FAR, within=ELSEWHERE)
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
                    f"off by {shift:g}": inference.towards(shifted(far.box, shift, seed))
                    for shift in SHIFTS
                },
            },
        ),
        "two apart": (
            pair,
            {
                **identity,
                "first": inference.towards(pair.box[:1]),
                "both": inference.towards(pair.box),
                "both, non-separable": inference.towards(pair.box, separable=False),
            },
        ),
        "own street": (street, {**identity, "fixed": fixed, "box": inference.towards(street.box)}),
        "other street": (
            elsewhere,
            {**identity, "fixed": fixed, "box": inference.towards(elsewhere.box)},
        ),
        "near": (near, {**identity, "box": inference.towards(near.box)}),
    }


def shifted(box: Tensor, shift: float, seed: int) -> Tensor:
    """Move boxes `n 4` by some widths of the frame, to a side by seed, back in if they leave it."""
    way = random.Random(seed).uniform(0, 2 * math.pi)
    # A width is 2 in [-1, 1]; the frame is half as wide again as it is high.
    step = 2 * shift * torch.tensor([math.cos(way), 1.5 * math.sin(way)])
    middle = (box[:, :2] + box[:, 2:]) / 2
    # What would leave the frame goes as far to the other side.
    step = torch.where((middle + step).abs() > 1, -step, step)
    return box + ((middle + step).clamp(-1, 1) - middle).repeat(1, 2)


def _told(scene: Scene, warp: Warp) -> Record:
    mask = inference.segment(scene.image, warp, SEGMENTER)
    detections = inference.detect(LZU, scene.image, warp, DETECTOR, upsample_factor=2)
    return {
        "heights": inference.heights_in(scene),
        "found": [round(iou, 3) for iou in inference.best_iou(detections, scene.box)],
        "masks": [round(iou, 3) for iou in inference.person_ious(mask, scene)],
        "mask": round(mask_iou(mask, scene.mask).item(), 3),
    }
