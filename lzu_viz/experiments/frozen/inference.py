"""What networks answer in a scene, and how near it comes to the truth."""

from functools import lru_cache

from torch import Tensor

from ...datasets.scenes import Scene
from ...geometry import saliency
from ...geometry.boxes import Detections, iou, to_pixels
from ...geometry.warp import Warp
from ...metrics.masks import mask_iou
from ...models import NanoDet, SelfieSegmenter
from ...systems.lzu import LZ

# Chosen on scenes 10000 to 10039, which no evaluation looks at, among 1, 3, 9 and 0.5, 1.
AMPLITUDE = 3.0
"""What a box weighs against the even floor: three quarters of the saliency for one box."""

SPREAD = 0.5
"""Standard deviation of a box's Gaussian, as a part of the box's side."""

FOUND = 0.5
"""IoU from which a box counts as found."""

PERSON = 0
"""COCO's class."""

MARGIN = 0.25
"""About a person's box, in sides of it: where a mask is compared with hers."""


@lru_cache(maxsize=1)
def detector() -> NanoDet:
    """Give the pretrained detector."""
    return NanoDet()


@lru_cache(maxsize=1)
def segmenter() -> SelfieSegmenter:
    """Give the pretrained segmenter."""
    return SelfieSegmenter()


def towards(boxes: Tensor, separable: bool = True) -> Warp:
    """Give the warp that looks at boxes `n 4` of the source frame."""
    look = saliency.from_boxes_scale_free(boxes, AMPLITUDE, SPREAD)
    return Warp.from_saliency(look, separable=separable)


def detecting(kind: type[LZ], size: tuple[int, int], finer: int = 1) -> LZ:
    """Give a system around the detector that unzooms its outputs; its warp comes with each call."""
    network, still = detector(), Warp.identity()
    return kind(network.features, network.head, still, size=size, unzoom="outputs", finer=finer)


def people_in(found: Detections) -> Detections:
    """Keep the persons."""
    ours = found.labels == PERSON
    return Detections(found.boxes[ours], found.labels[ours], found.scores[ours])


def best_iou(found: Detections, truth: Tensor) -> list[float]:
    """Give for each true box `n 4` the IoU of the box of a person that fits it best, 0 if none."""
    people = people_in(found)
    if not len(people.boxes):
        return [0.0] * len(truth)
    best: list[float] = iou(truth, people.boxes).amax(dim=1).tolist()
    return best


def detect(
    kind: type[LZ], image: Tensor, warp: Warp, size: tuple[int, int], finer: int = 1
) -> Detections:
    """Detect by one of the systems, at the detector's usual threshold."""
    (found,) = detecting(kind, size, finer).detect(image, detector().decode, warp)
    return found


def segment(image: Tensor, warp: Warp | None, size: tuple[int, int]) -> Tensor:
    """Segment people through a warp, uniformly where it is None: a mask as large as the image."""
    warp = warp or Warp.identity((1, 1))
    network = segmenter()
    answer = network.decode(network(warp.zoom(image, size)))
    return warp.unzoom(answer, image.shape[-2:]) > 0.5


def person_ious(mask: Tensor, scene: Scene) -> list[float]:
    """Give for each person the IoU of the mask with hers, in her box and a margin about it."""
    ious = []
    for box in to_pixels(scene.box, scene.image.shape[-2:]).round().int().tolist():
        left, top, right, bottom = box
        x, y = round(MARGIN * (right - left)), round(MARGIN * (bottom - top))
        here = slice(max(0, top - y), bottom + y), slice(max(0, left - x), right + x)
        ious.append(mask_iou(mask[..., *here], scene.mask[..., *here]).item())
    return ious


def heights_in(scene: Scene) -> list[int]:
    """Give the height of each person in pixels of the source."""
    heights = (scene.box[:, 3] - scene.box[:, 1]) / 2 * scene.image.shape[-2]
    return [round(height) for height in heights.tolist()]
