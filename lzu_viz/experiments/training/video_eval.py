"""Follow: what was found in the last frame says where to look in this one.

Films are lists of streets: for each moment all of them. Where a detector is told where to look, it
is told true boxes of the frame before, moved on by a motion that may be wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...datasets.driving import PRESETS
from ...datasets.driving.rendering import view_at
from ...datasets.driving.scene import outline
from ...datasets.driving.world import build
from ...datasets.streets import BEFORE, FIRST_SEED, GroundTruth, Streets
from ...geometry.boxes import Detections
from ...geometry.check import Size
from ...models.small.detector import Detector
from ...systems.video import FrameResult
from .evaluate import boxes_judged, predict_boxes, predict_boxes_through
from .trained_systems import TrainedSystem
from .warped_dataset import Feed

SURE = 0.3
"""Score from which a box of the last frame is looked at."""

COMPARED = ("uniform", "lzu", "lzu-adaptive", "lzu-cascaded")
"""Systems that are compared on films: two that look at the same place always, two that follow."""

# --- films -------------------------------------------------------------------------------------


def follow(
    network: Detector,
    system: TrainedSystem,
    clips: Sequence[Streets],
    size: Size,
    mean_saliency: Tensor,
) -> Iterator[list[FrameResult]]:
    """Run a detector in its system on films; in the first frame there is nothing to look at.

    Args:
        network: trained.
        system: one that looks at boxes follows them; any other looks where it always does.
        clips: for each moment all films.
        size: (rows, columns) of the network's input.
        mean_saliency: `1 1 h w`, where things usually are.

    Yields:
        For each moment what was done in each film.
    """
    expected = [ground_truth.boxes[:0] for ground_truth in clips[0].ground_truth]
    for now in clips:
        feed = Feed("detection", system, now, size, mean_saliency, expected)
        looked = zip(predict_boxes_through(network, feed), expected, strict=True)
        seen = [FrameResult(each, warp, boxes) for (each, warp), boxes in looked]
        yield seen
        expected = [each.detections.boxes[each.detections.scores > SURE] for each in seen]


def precision_on(clips: Sequence[Streets], seen: Sequence[Sequence[FrameResult]]) -> float:
    """Return average precision on films without their first moment, before which there was none."""
    every: list[Detections] = []
    ground_truth: list[GroundTruth] = []
    for now, there in zip(seen[1:], clips[1:], strict=True):
        every += [each.detections for each in now]
        ground_truth += there.ground_truth
    joined = replace(clips[0], ground_truth=ground_truth)  # pictures are only asked for their size
    return boxes_judged(every, joined)["ap"]


class Followed:
    """Films followed by several systems, each when it is first asked for.

    Args:
        networks: by the name under which they are asked for, and the system of each.
        clips: as in :func:`follow`.
        size: likewise.
        mean_saliency: likewise.
    """

    def __init__(
        self,
        networks: Mapping[str, tuple[Detector, TrainedSystem]],
        clips: Sequence[Streets],
        size: Size,
        mean_saliency: Tensor,
    ) -> None:
        self.networks, self.clips, self.size, self.mean_saliency = (
            dict(networks),
            clips,
            size,
            mean_saliency,
        )
        self._seen: dict[tuple[str, int], list[FrameResult]] = {}

    def seen(self, name: str, clip: int) -> list[FrameResult]:
        """Return what was done in each frame of a film."""
        if (name, clip) not in self._seen:
            network, system = self.networks[name]
            one = [each.part([clip]) for each in self.clips]
            per_film = follow(network, system, one, self.size, self.mean_saliency)
            self._seen[name, clip] = [now[0] for now in per_film]
        return self._seen[name, clip]


# --- being told, with a motion that may be wrong -----------------------------------------------


def boxes_at(seed: int, preset: str, size: Size, seconds: float) -> Tensor:
    """Return the boxes of all things of a street at a time, found or not; nothing is drawn.

    Returns:
        `n 4`, clipped to the frame; NaN where a thing reaches behind the camera.
    """
    world = build(seed, PRESETS[preset])
    view = view_at(world, size, seconds)
    boxes = torch.tensor([outline(thing.at(seconds), view) for thing in world.things])
    boxes = boxes.reshape(-1, 4)
    return boxes.where(boxes.isfinite(), torch.nan).clamp(-1, 1)


def moved(streets: Streets, split: str = "report", preset: str = "far") -> list[Tensor]:
    """Return where the objects of the previous frame are now: for each scene `m 4`.

    A thing that is behind the camera by now is left where it was.

    Raises:
        ValueError: the streets are not the first ones of this split.
    """
    every = []
    for index, ground_truth in enumerate(streets.ground_truth):
        seed = FIRST_SEED[split] + index
        then, now = (boxes_at(seed, preset, streets.size, s) for s in (-BEFORE, 0.0))
        distance = (ground_truth.previous_boxes[:, None] - then).abs().amax(-1).nan_to_num(4.0)
        nearest, thing = distance.min(dim=1)
        if bool((nearest > 1e-4).any()):
            raise ValueError(f"scene {index} is not the street of seed {seed}")
        every.append(now[thing].where(~now[thing].isnan(), ground_truth.previous_boxes))
    return every


def extrapolate_boxes(previous_boxes: Tensor, now: Tensor, part_of: float) -> Tensor:
    """Move boxes `m 4` of the frame before by a part of their motion; their sizes stay.

    Args:
        previous_boxes: xyxy in [-1, 1].
        now: the same things in this frame.
        part_of: of the motion; 1 is right, 0 leaves them, -1 goes the wrong way.

    Example:
        >>> before, now = torch.tensor([[0.0, 0, 0.2, 0.2], [0.1, 0, 0.3, 0.2]])[:, None]
        >>> extrapolate_boxes(before, now, 2.0)
        tensor([[0.2000, 0.0000, 0.4000, 0.2000]])
    """
    return (previous_boxes + part_of * _middles(now - previous_boxes).repeat(1, 2)).clamp(-1, 1)


def precision_of(
    network: Detector,
    system: TrainedSystem,
    streets: Streets,
    size: Size,
    mean_saliency: Tensor,
    boxes: Sequence[Tensor] | None = None,
) -> float:
    """Return average precision of a detector that is told where to look.

    Args:
        network: trained.
        system: how it is fed.
        streets: the scenes.
        size: (rows, columns) of the network's input.
        mean_saliency: `1 1 h w`, where things usually are.
        boxes: at which it looks, for each scene; None for a system that looks at none.
    """
    feed = Feed("detection", system, streets, size, mean_saliency, boxes)
    return boxes_judged(predict_boxes(network, feed), streets)["ap"]


def scale_boxes(boxes: Tensor, times: float) -> Tensor:
    """Make boxes `n 4` larger about their middles, and with them the saliency that they make.

    Example:
        >>> scale_boxes(torch.tensor([[0.0, 0, 0.2, 0.4]]), 2.0)
        tensor([[-0.1000, -0.2000,  0.3000,  0.6000]])
    """
    middles = _middles(boxes).repeat(1, 2)
    return (middles + times * (boxes - middles)).clamp(-1, 1)


def paces(streets: Streets, now: Sequence[Tensor]) -> Tensor:
    """Return how far things moved since the frame before, along x, in their own widths: `n`."""
    previous_boxes = torch.cat(
        [ground_truth.previous_boxes for ground_truth in streets.ground_truth]
    )
    shift = _middles(torch.cat(list(now)) - previous_boxes)[:, 0].abs()
    return shift / (previous_boxes[:, 2] - previous_boxes[:, 0]).clamp(min=1e-6)


def _middles(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
