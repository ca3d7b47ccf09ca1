"""Zoom into pictures that hold no more detail: what is given is pixels, not information."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...datasets.streets import GroundTruth, Streets
from ...geometry.boxes import Detections, iou
from ...geometry.check import Size
from ...geometry.resampling import resize
from ...geometry.warp import Warp
from ...models.small.detector import Detector
from .evaluate import predict_boxes
from .trained_systems import SYSTEMS
from .warped_dataset import Feed

_AT_ONCE = 16


def reduced(streets: Streets, size: Size) -> Streets:
    """Reduce all pictures to a size, and blow them up again to the one that they had.

    What finer detail they had is gone; what is true of them stays.

    Args:
        streets: the scenes.
        size: (rows, columns) that they are reduced to.
    """
    images = np.empty_like(streets.images)
    for start in range(0, len(streets), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(streets))
        image = resize(resize(streets.image(range(start, stop)), size), streets.size)
        images[start:stop] = (image * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return Streets(images, streets.semantic_mask, streets.ground_truth)


def seen_heights(ground_truth: Sequence[GroundTruth], warp: Warp, rows: int) -> Tensor:
    """Return the height of each thing in pixels of a network's input.

    Args:
        ground_truth: of each scene.
        warp: a single one, through which all scenes are zoomed.
        rows: of the input.

    Returns:
        `n`, one a true thing of the first scene, the second, and so on.
    """
    boxes = torch.cat([one.boxes for one in ground_truth])
    seen = warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
    return (seen[:, 3] - seen[:, 1]) * rows / 2


def match_targets(
    every: Sequence[Detections],
    ground_truth: Sequence[GroundTruth],
    score: float = 0.3,
    minimum: float = 0.5,
) -> Tensor:
    """Return which things were found.

    In turn, the surest first, a box takes the thing of its class that it overlaps most, of those
    that are left.

    Args:
        every: what was found, one a scene.
        ground_truth: of each scene.
        score: from which on a box counts.
        minimum: IoU of a box and the thing that it finds.

    Returns:
        `n`, one a true thing of the first scene, the second, and so on.
    """
    there = []
    for each, one in zip(every, ground_truth, strict=True):
        taken = torch.zeros(len(one.boxes), dtype=torch.bool)
        overlap = iou(each.boxes, one.boxes)
        for row in each.scores.argsort(descending=True):
            fits = (one.labels == each.labels[row]) & ~taken & (overlap[row] >= minimum)
            if each.scores[row] >= score and fits.any():
                taken[overlap[row].where(fits, -1.0).argmax()] = True
        there.append(taken)
    return torch.cat(there)


FEWEST = 10
"""Things in a bin for a share of them to say anything."""


def binned_recall(heights: Tensor, there: Tensor, edges: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Return the share of things that are found, in bins of their heights.

    Args:
        heights: `n`, of things.
        there: `n`, whether they are found.
        edges: of the bins, rising; what is lower or higher than all is in the first or the last.

    Returns:
        The shares, NaN where there are fewer than `FEWEST` things, and how many there are: both of
        one number less than the edges.

    Example:
        >>> heights = torch.arange(40.0) / 10
        >>> binned_recall(heights, heights < 1, [0, 2, 3.5, 9])
        (tensor([0.5000, 0.0000,    nan]), tensor([20, 15,  5]))
    """
    which = torch.bucketize(heights, torch.tensor(edges[1:-1], dtype=heights.dtype), right=True)
    counts = torch.bincount(which, minlength=len(edges) - 1)
    hits = torch.bincount(which[there], minlength=len(edges) - 1)
    return (hits / counts).where(counts >= FEWEST, torch.nan), counts


class SystemResult(NamedTuple):
    """What a network saw of one scene.

    Attributes:
        zoomed: `1 3 h w`, the network's input.
        warp: through which it was zoomed.
        detections: in the source frame.
    """

    zoomed: Tensor
    warp: Warp
    detections: Detections


def seen_by(
    networks: Mapping[str, Detector],
    streets: Streets,
    size: Size,
    mean_saliency: Tensor,
    scene: int,
    kept: Size,
) -> dict[str, SystemResult]:
    """Reduce a scene, zoom into it with the fixed look, and let networks find what is there.

    Args:
        networks: by their names.
        streets: the scenes.
        size: (rows, columns) of the networks' input.
        mean_saliency: `1 1 h w`, where things usually are.
        scene: which.
        kept: (rows, columns) that the scene is reduced to before.
    """
    source = reduced(streets.part([scene]), kept)
    feed = Feed("detection", SYSTEMS["lzu"], source, size, mean_saliency)
    batch = feed.batch(np.array([0]), np.array([False]))
    return {
        name: SystemResult(batch.zoomed, batch.warp, predict_boxes(network, feed)[0])
        for name, network in networks.items()
    }
