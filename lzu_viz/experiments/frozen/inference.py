"""What networks answer in a scene, and how near it comes to the truth."""

from typing import Any

from torch import Tensor

from ...datasets.scenes import Scene
from ...geometry import saliency
from ...geometry.boxes import Detections, iou, to_pixels
from ...geometry.warp import Warp
from ...metrics.masks import mask_iou
from ...models import NanoDet, SelfieSegmenter, network
from ...systems import LZU, System

# Chosen on scenes 10000 to 10039, which no evaluation looks at, among 1, 3, 9 and 0.5, 1.
AMPLITUDE = 3.0
"""What a box weighs against the even floor: three quarters of the saliency for one box."""

RELATIVE_SIGMA = 0.5
"""Standard deviation of a box's Gaussian, as a part of the box's side."""

FOUND = 0.5
"""IoU from which a box counts as found."""

PERSON = 0
"""COCO's class."""

MARGIN = 0.25
"""About a person's box, in sides of it: where a mask is compared with hers."""


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


def towards(boxes: Tensor, separable: bool = True) -> Warp:
    """Return the warp that looks at boxes `n 4` of the source frame."""
    saliency_map = saliency.from_boxes_scale_free(boxes, AMPLITUDE, RELATIVE_SIGMA)
    return Warp.from_saliency(saliency_map, separable=separable)


def detecting(kind: type[System], size: tuple[int, int], upsample_factor: int = 1) -> System:
    """Return a system around the detector; its warp comes with each call.

    LZU and Uniform unzoom the detector's outputs, on grids of ``upsample_factor``.
    """
    options: dict[str, Any] = {"size": size}
    if issubclass(kind, LZU):
        options |= {"unzoom": "outputs", "upsample_factor": upsample_factor}
    return kind.from_network(detector(), Warp.identity((1, 1)), **options)


def people_in(detections: Detections) -> Detections:
    """Keep the persons."""
    ours = detections.labels == PERSON
    return Detections(detections.boxes[ours], detections.labels[ours], detections.scores[ours])


def best_iou(detections: Detections, ground_truth: Tensor) -> list[float]:
    """Return for each true box `n 4` the best IoU with the box of a person, 0 if there is none."""
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
    """Detect by one of the systems, at the detector's usual threshold."""
    (detections,) = detecting(kind, size, upsample_factor).detect(image, warp=warp)
    return detections


def segment(image: Tensor, warp: Warp | None, size: tuple[int, int]) -> Tensor:
    """Segment people through a warp, uniformly where it is None: a mask as large as the image."""
    system = LZU.from_network(
        segmenter(), warp or Warp.identity((1, 1)), size=size, unzoom="predictions"
    )
    probabilities = system.trace(image, source_size=image.shape[-2:]).predictions
    assert isinstance(probabilities, Tensor)
    return probabilities > 0.5


def person_ious(mask: Tensor, scene: Scene) -> list[float]:
    """Return for each person the IoU of the mask with hers, in her box and a margin about it."""
    ious = []
    for box in to_pixels(scene.box, scene.image.shape[-2:]).round().int().tolist():
        left, top, right, bottom = box
        x, y = round(MARGIN * (right - left)), round(MARGIN * (bottom - top))
        here = slice(max(0, top - y), bottom + y), slice(max(0, left - x), right + x)
        ious.append(mask_iou(mask[..., *here], scene.mask[..., *here]).item())
    return ious


def heights_in(scene: Scene) -> list[int]:
    """Return the height of each person in pixels of the source."""
    heights = (scene.box[:, 3] - scene.box[:, 1]) / 2 * scene.image.shape[-2]
    return [round(height) for height in heights.tolist()]
