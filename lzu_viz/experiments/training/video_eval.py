"""Evaluation on video: saliency from the detections in the previous frame.

Clips are stored by time: a sequence of `Streets`, each with one frame of every clip. Detectors can
also be given ground truth boxes of the previous frame, extrapolated by a motion that may be wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...datasets.driving import PRESETS
from ...datasets.driving.rendering import view_at
from ...datasets.driving.scene import outline
from ...datasets.driving.world import build
from ...datasets.streets import FIRST_SEED, FRAME_SECONDS, GroundTruth, Streets
from ...geometry.boxes import Detections, box_centres
from ...geometry.check import Size
from ...models.small.detector import Detector
from ...systems.video import FrameResult
from .evaluation import evaluate_boxes, predict_boxes, predict_boxes_through
from .trained_systems import TrainedSystem
from .warped_dataset import WarpedDataset

CONFIDENT_SCORE = 0.3
"""Score above which a detection in the previous frame contributes to the saliency."""

VIDEO_SYSTEMS = ("uniform", "lzu", "lzu-adaptive", "lzu-cascaded")
"""Systems that are compared on clips: two with static saliency, two with adaptive saliency."""

# --- clips -------------------------------------------------------------------------------------


def follow_clips(
    network: Detector,
    system: TrainedSystem,
    clips: Sequence[Streets],
    size: Size,
    mean_saliency: Tensor,
) -> Iterator[list[FrameResult]]:
    """Run a detector in its system on clips; there are no previous boxes in the first frame.

    Args:
        network: trained detector.
        system: follows the previous detections if its policy uses boxes; else its warp is static.
        clips: for each time, the frame of every clip.
        size: (rows, columns) of the network's input.
        mean_saliency: `1 1 h w`, mean saliency of the training scenes.

    Yields:
        For each time, the result in each clip.
    """
    previous_boxes = [ground_truth.boxes[:0] for ground_truth in clips[0].ground_truth]
    for streets in clips:
        dataset = WarpedDataset("detection", system, streets, size, mean_saliency, previous_boxes)
        predicted = zip(predict_boxes_through(network, dataset), previous_boxes, strict=True)
        results = [FrameResult(detections, warp, boxes) for (detections, warp), boxes in predicted]
        yield results
        previous_boxes = [
            result.detections.boxes[result.detections.scores > CONFIDENT_SCORE]
            for result in results
        ]


def precision_on(clips: Sequence[Streets], results: Sequence[Sequence[FrameResult]]) -> float:
    """Return average precision on clips, without their first frames, which have no predecessor."""
    detections: list[Detections] = []
    ground_truth: list[GroundTruth] = []
    for frame, streets in zip(results[1:], clips[1:], strict=True):
        detections += [result.detections for result in frame]
        ground_truth += streets.ground_truth
    joined = replace(clips[0], ground_truth=ground_truth)  # of the images only the size is used
    return evaluate_boxes(detections, joined)["ap"]


class Followed:
    """Results of several systems on clips, computed on first request and cached.

    Args:
        networks: by name, each network with its system.
        clips: for each time, the frame of every clip, as in :func:`follow_clips`.
        size: (rows, columns) of the networks' input.
        mean_saliency: `1 1 h w`, mean saliency of the training scenes.
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
        """Return the results of a network in each frame of a clip."""
        if (name, clip) not in self._seen:
            network, system = self.networks[name]
            single = [frame.part([clip]) for frame in self.clips]
            results = follow_clips(network, system, single, self.size, self.mean_saliency)
            self._seen[name, clip] = [frame[0] for frame in results]
        return self._seen[name, clip]


# --- ground truth boxes, extrapolated by a motion that may be wrong ----------------------------


def boxes_at(seed: int, preset: str, size: Size, seconds: float) -> Tensor:
    """Return the boxes of all objects of a street at a time, visible or not, without rendering.

    Returns:
        `n 4`, clipped to the frame; NaN for an object that extends behind the camera.
    """
    world = build(seed, PRESETS[preset])
    view = view_at(world, size, seconds)
    boxes = torch.tensor([outline(obj.at(seconds), view) for obj in world.objects])
    boxes = boxes.reshape(-1, 4)
    return boxes.where(boxes.isfinite(), torch.nan).clamp(-1, 1)


def moved(streets: Streets, split: str = "test", preset: str = "far") -> list[Tensor]:
    """Return the current boxes of the objects in the previous frame: `m 4` for each scene.

    An object that is now behind the camera keeps its previous box.

    Raises:
        ValueError: the streets are not the first ones of this split.
    """
    moved_boxes = []
    for index, ground_truth in enumerate(streets.ground_truth):
        seed = FIRST_SEED[split] + index
        before, now = (boxes_at(seed, preset, streets.size, time) for time in (-FRAME_SECONDS, 0.0))
        distance = (ground_truth.previous_boxes[:, None] - before).abs().amax(-1).nan_to_num(4.0)
        nearest, object_index = distance.min(dim=1)
        if bool((nearest > 1e-4).any()):
            raise ValueError(
                f"scene {index} does not match the street of seed {seed}: expected the first "
                f"{len(streets)} streets of split {split!r}, preset {preset!r}"
            )
        moved_boxes.append(
            now[object_index].where(~now[object_index].isnan(), ground_truth.previous_boxes)
        )
    return moved_boxes


def extrapolate_boxes(previous_boxes: Tensor, now: Tensor, part_of: float) -> Tensor:
    """Return boxes `m 4` of the previous frame moved by a multiple of their motion, sizes kept.

    Args:
        previous_boxes: `m 4`, xyxy in [-1, 1].
        now: `m 4`, boxes of the same objects in the current frame.
        part_of: factor on the motion; 1 is correct, 0 is none, -1 is opposite.

    Example:
        >>> before, now = torch.tensor([[0.0, 0, 0.2, 0.2], [0.1, 0, 0.3, 0.2]])[:, None]
        >>> extrapolate_boxes(before, now, 2.0)
        tensor([[0.2000, 0.0000, 0.4000, 0.2000]])
    """
    return (previous_boxes + part_of * box_centres(now - previous_boxes).repeat(1, 2)).clamp(-1, 1)


def precision_of(
    network: Detector,
    system: TrainedSystem,
    streets: Streets,
    size: Size,
    mean_saliency: Tensor,
    boxes: Sequence[Tensor] | None = None,
) -> float:
    """Return average precision of a detector whose saliency is computed from given boxes.

    Args:
        network: trained detector.
        system: in which the detector runs.
        streets: the scenes.
        size: (rows, columns) of the network's input.
        mean_saliency: `1 1 h w`, mean saliency of the training scenes.
        boxes: `n 4` for the saliency of each scene; None for a policy without boxes.
    """
    dataset = WarpedDataset("detection", system, streets, size, mean_saliency, boxes)
    return evaluate_boxes(predict_boxes(network, dataset), streets)["ap"]


def scale_boxes(boxes: Tensor, times: float) -> Tensor:
    """Return boxes `n 4` scaled about their centres, to widen the saliency computed from them.

    Example:
        >>> scale_boxes(torch.tensor([[0.0, 0, 0.2, 0.4]]), 2.0)
        tensor([[-0.1000, -0.2000,  0.3000,  0.6000]])
    """
    centres = box_centres(boxes).repeat(1, 2)
    return (centres + times * (boxes - centres)).clamp(-1, 1)


def paces(streets: Streets, now: Sequence[Tensor]) -> Tensor:
    """Return the motion of objects since the previous frame along x, in box widths: `n`."""
    previous_boxes = torch.cat(
        [ground_truth.previous_boxes for ground_truth in streets.ground_truth]
    )
    shift = box_centres(torch.cat(list(now)) - previous_boxes)[:, 0].abs()
    return shift / (previous_boxes[:, 2] - previous_boxes[:, 0]).clamp(min=1e-6)
