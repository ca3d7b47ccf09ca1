"""Predictions of the pretrained networks in a scene, and their agreement with ground truth."""

from typing import Any

from torch import Tensor

from ...datasets.scenes import Scene
from ...geometry import saliency
from ...geometry.boxes import Detections, iou, to_pixels
from ...geometry.warp import Warp
from ...metrics.masks import mask_iou
from ...models import NanoDet, SelfieSegmenter, network
from ...systems import LZU, System

# Selected from 1, 3, 9 and 0.5, 1 on scenes 10000 to 10039, which no evaluation uses.
AMPLITUDE = 3.0
"""Weight of a box relative to the uniform floor: three quarters of the saliency for one box."""

RELATIVE_SIGMA = 0.5
"""Standard deviation of a box's Gaussian, as a fraction of the box side."""

MIN_IOU = 0.5
"""Minimum IoU at which a person counts as detected."""

PERSON = 0
"""COCO class index of a person."""

MARGIN = 0.25
"""Margin around a person's box in which masks are compared, as a fraction of the box side."""


def detector() -> NanoDet:
    """Return the pretrained detector, built once."""
    built = network("detector")
    assert isinstance(built, NanoDet)
    return built


def segmenter() -> SelfieSegmenter:
    """Return the pretrained segmenter, built once."""
    built = network("segmenter")
    assert isinstance(built, SelfieSegmenter)
    return built


def box_warp(boxes: Tensor, separable: bool = True) -> Warp:
    """Return the warp whose saliency is computed from boxes `n 4` of the source frame."""
    saliency_map = saliency.from_boxes_scale_free(boxes, AMPLITUDE, RELATIVE_SIGMA)
    return Warp.from_saliency(saliency_map, separable=separable)


def detector_system(kind: type[System], size: tuple[int, int], upsample_factor: int) -> System:
    """Return a system wrapped around the detector; the warp is an argument of each call.

    LZU and Uniform unzoom the detector's outputs, on grids ``upsample_factor`` times as fine.
    """
    options: dict[str, Any] = {"size": size}
    if issubclass(kind, LZU):
        options |= {"unzoom": "outputs", "upsample_factor": upsample_factor}
    return kind.from_network(detector(), Warp.identity((1, 1)), **options)


def people_in(detections: Detections) -> Detections:
    """Return the detections of persons."""
    is_person = detections.labels == PERSON
    return Detections(
        detections.boxes[is_person], detections.labels[is_person], detections.scores[is_person]
    )


def best_iou(detections: Detections, ground_truth: Tensor) -> list[float]:
    """Return for each ground truth box `n 4` the best IoU with a detected person, 0 if none."""
    people = people_in(detections)
    if not len(people.boxes):
        return [0.0] * len(ground_truth)
    best: list[float] = iou(ground_truth, people.boxes).amax(dim=1).tolist()
    return best


def detect(
    kind: type[System],
    image: Tensor,
    warp: Warp,
    size: tuple[int, int],
    upsample_factor: int = 1,
) -> Detections:
    """Return the detections of a system in a single image, at the detector's default threshold."""
    (detections,) = detector_system(kind, size, upsample_factor).detect(image, warp=warp)
    return detections


def segment(image: Tensor, warp: Warp | None, size: tuple[int, int]) -> Tensor:
    """Return the mask of people at the image's size, segmented with a warp; None is uniform."""
    system = LZU.from_network(
        segmenter(),
        Warp.identity((1, 1)) if warp is None else warp,
        size=size,
        unzoom="predictions",
    )
    probabilities = system.trace(image, source_size=image.shape[-2:]).predictions
    assert isinstance(probabilities, Tensor)
    return probabilities > 0.5


def person_ious(mask: Tensor, scene: Scene) -> list[float]:
    """Return the mask IoU of each person, restricted to the person's box and a margin around it."""
    ious = []
    for box in to_pixels(scene.boxes, scene.image.shape[-2:]).round().int().tolist():
        left, top, right, bottom = box
        x, y = round(MARGIN * (right - left)), round(MARGIN * (bottom - top))
        region = slice(max(0, top - y), bottom + y), slice(max(0, left - x), right + x)
        ious.append(mask_iou(mask[..., *region], scene.mask[..., *region]).item())
    return ious


def heights_in(scene: Scene) -> list[int]:
    """Return the height of each person in source pixels."""
    heights = (scene.boxes[:, 3] - scene.boxes[:, 1]) / 2 * scene.image.shape[-2]
    return [round(height) for height in heights.tolist()]
