"""Zooming into images without fine detail: it adds pixels but no information."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...datasets.streets import GroundTruth, Streets
from ...geometry.boxes import Detections, iou
from ...geometry.check import Size
from ...geometry.warp import Warp
from ...metrics.matching import match_greedily
from ...models.small.detector import Detector
from .evaluation import predict_boxes
from .mipmap_zoom import resize_by_mipmap
from .trained_systems import SYSTEMS
from .warped_dataset import WarpedDataset

_AT_ONCE = 16


def reduced(streets: Streets, size: Size) -> Streets:
    """Return scenes whose images are downsampled to a size and upsampled again.

    Image size and ground truth are unchanged; the fine detail is lost.

    Args:
        streets: the scenes.
        size: (rows, columns) that the images are downsampled to.
    """
    images = np.empty_like(streets.images)
    for start in range(0, len(streets), _AT_ONCE):
        stop = min(start + _AT_ONCE, len(streets))
        small = resize_by_mipmap(streets.image(range(start, stop)), size)
        image = resize_by_mipmap(small, streets.size)
        images[start:stop] = (image * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return Streets(images, streets.semantic_mask, streets.ground_truth)


def heights_in_input(ground_truth: Sequence[GroundTruth], warp: Warp, rows: int) -> Tensor:
    """Return the height of each object in pixels of a network's input.

    Args:
        ground_truth: of each scene.
        warp: of batch size 1, with which all scenes are zoomed.
        rows: of the input.

    Returns:
        `n`, one per ground truth object, scene after scene.
    """
    boxes = torch.cat([scene.boxes for scene in ground_truth])
    zoomed_boxes = warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
    return (zoomed_boxes[:, 3] - zoomed_boxes[:, 1]) * rows / 2


def match_targets(
    every: Sequence[Detections],
    ground_truth: Sequence[GroundTruth],
    score: float = 0.3,
    minimum: float = 0.5,
) -> Tensor:
    """Return which objects were detected.

    In order of decreasing score, each detection is matched to the unmatched object of its class
    with the highest IoU.

    Args:
        every: detections of each scene.
        ground_truth: of each scene.
        score: minimum score of a detection.
        minimum: minimum IoU of a match.

    Returns:
        Boolean `n`, one per ground truth object, scene after scene.
    """
    found_by_scene = []
    for detections, objects in zip(every, ground_truth, strict=True):
        order = detections.scores.argsort(descending=True)
        order = order[detections.scores[order] >= score]
        overlap = iou(detections.boxes[order], objects.boxes)
        same_class = detections.labels[order][:, None] == objects.labels
        cost = (1 - overlap).where(same_class & (overlap >= minimum), torch.inf)
        matched = torch.from_numpy(match_greedily(cost.numpy()))
        found = torch.zeros(len(objects.boxes), dtype=torch.bool)
        found[matched[matched >= 0]] = True
        found_by_scene.append(found)
    return torch.cat(found_by_scene)


MIN_OBJECTS = 10
"""Minimum number of objects in a bin for its recall to be reported."""


def binned_recall(
    heights: Tensor, detected: Tensor, edges: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Return the recall of objects in bins of their heights.

    Args:
        heights: `n`, of the objects.
        detected: boolean `n`, whether each object was detected.
        edges: `k + 1` ascending bin edges; lower or higher values fall in the first or last bin.

    Returns:
        The recall `k`, NaN in bins of fewer than `MIN_OBJECTS` objects, and the counts `k`.

    Example:
        >>> heights = torch.arange(40.0) / 10
        >>> binned_recall(heights, heights < 1, [0, 2, 3.5, 9])
        (tensor([0.5000, 0.0000,    nan]), tensor([20, 15,  5]))
    """
    bins = torch.bucketize(heights, torch.tensor(edges[1:-1], dtype=heights.dtype), right=True)
    counts = torch.bincount(bins, minlength=len(edges) - 1)
    hits = torch.bincount(bins[detected], minlength=len(edges) - 1)
    return (hits / counts).where(counts >= MIN_OBJECTS, torch.nan), counts


class SystemResult(NamedTuple):
    """Input and output of a network for one scene.

    Attributes:
        zoomed: `1 3 h w`, the network's input.
        warp: that the scene was zoomed with.
        detections: in the source frame.
    """

    zoomed: Tensor
    warp: Warp
    detections: Detections


def detect_by_network(
    networks: Mapping[str, Detector],
    streets: Streets,
    size: Size,
    mean_saliency: Tensor,
    scene: int,
    kept: Size,
) -> dict[str, SystemResult]:
    """Return the detections of several networks in a downsampled scene, zoomed by fixed saliency.

    Args:
        networks: by name.
        streets: the scenes.
        size: (rows, columns) of the networks' input.
        mean_saliency: `1 1 h w`, mean saliency of the training scenes.
        scene: index into the streets.
        kept: (rows, columns) that the scene is downsampled to before the zoom.

    Returns:
        For each name of a network, its input and its detections.
    """
    source = reduced(streets.part([scene]), kept)
    dataset = WarpedDataset("detection", SYSTEMS["lzu"], source, size, mean_saliency)
    batch = dataset.batch(np.array([0]), np.array([False]))
    return {
        name: SystemResult(batch.zoomed, batch.warp, predict_boxes(network, dataset)[0])
        for name, network in networks.items()
    }
