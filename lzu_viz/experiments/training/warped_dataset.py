"""Feed a network: scenes, zoomed as the system wants, with their truth in the frame of its head."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets.driving import AREAS
from ...datasets.streets import GroundTruth, Streets
from ...geometry.check import Size
from ...geometry.resampling import resize
from ...geometry.warp import Warp
from ...models.small.detector import Targets
from ...models.small.detector3d import encode_boxes_3d, project_centres
from . import policies
from .trained_systems import Task, TrainedSystem

_AT_ONCE = 8


class Batch(NamedTuple):
    """What a network is fed with in one step.

    Attributes:
        zoomed: `b 3 h w` in 0..1, as the network sees it.
        warp: through which it was zoomed.
        targets: one an image, in the frame of the head; for detectors.
        semantic_mask: `b h w`, classes in that frame; for segmenters.
        extra: a loss of the system's own: of a network that says where to look.
    """

    zoomed: Tensor
    warp: Warp
    targets: list[Targets]
    semantic_mask: Tensor
    extra: Tensor


class Feed(nn.Module):
    """Scenes for a network in a system.

    What does not change from step to step is made once: where a system looks at the same place in
    every picture, or at what is always true of each, all pictures are zoomed beforehand.

    Args:
        task: what the network is for.
        system: how it is fed.
        streets: the scenes.
        size: (rows, columns) of the network's input.
        mean_saliency: `1 1 h w`, where things usually are, see `looks.fixed_saliency`.
        boxes: for a system that looks at boxes, those of each scene.

    Attributes:
        policy: where the system looks; it may hold a network that is trained, too.
    """

    def __init__(
        self,
        task: Task,
        system: TrainedSystem,
        streets: Streets,
        size: Size,
        mean_saliency: Tensor,
        boxes: Sequence[Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.task, self.system, self.streets, self.size = task, system, streets, size
        self.mean_saliency = mean_saliency
        self.policy = system.policy(policies.mix_uniform(mean_saliency, task), size)
        static = self.policy.is_static
        self.warp = self.policy.static_warp(system.separable) if static else None
        self.boxes = boxes
        self.edges = self._edges() if self.policy.from_masks else None
        known = self.warp is not None or self.edges is not None
        self.stored = self._store() if known else None
        self._kept: dict[tuple[int, bool], Targets] = {}

    def __len__(self) -> int:
        """Return how many scenes there are."""
        return len(self.streets)

    def batch(
        self,
        scenes: NDArray[np.int64],
        mirrored: NDArray[np.bool_],
        jitter: torch.Generator | None = None,
    ) -> Batch:
        """Return scenes.

        Args:
            scenes: `b`, which.
            mirrored: `b`, whether left and right change places.
            jitter: moves boxes that are looked at, in training.
        """
        turned = torch.from_numpy(mirrored)
        extra = torch.zeros(())
        if self.stored is not None:
            warp = self._known_warp(scenes, turned)
            images, masks = self.stored
            zoomed = _mirror(images[scenes], turned).float() / 255
            semantic_mask = _mirror(masks[scenes], turned) if len(masks) else masks
        else:
            image = self.image(scenes, turned)
            full = _mirror(self.streets.area(scenes), turned)
            warp, extra = self.warp_for_scenes(image, full, scenes, turned, jitter)
            zoomed = warp.zoom(image, self.size)
            semantic_mask = self._in_frame(full, warp) if self.task == "segmentation" else full[:0]
        targets = [
            self._targets(scene, turn, warp, row)
            for row, (scene, turn) in enumerate(zip(scenes.tolist(), turned.tolist(), strict=True))
        ]
        return Batch(zoomed, warp, targets, semantic_mask, extra)

    def image(self, scenes: NDArray[np.int64], turned: Tensor) -> Tensor:
        """Return the pictures as far as the system may know them."""
        image = self.streets.image(scenes)
        if self.system.predownsampled:
            image = resize(resize(image, self.size), image.shape[-2:])
        return _mirror(image, turned)

    def warp_for_scenes(
        self,
        image: Tensor,
        semantic_mask: Tensor,
        scenes: NDArray[np.int64],
        turned: Tensor,
        jitter: torch.Generator | None,
    ) -> tuple[Warp, Tensor]:
        """Return the warp for each picture, and the loss of a network that says where to look."""
        boxes: list[Tensor] = []
        if self.policy.boxes:
            if self.boxes is None:
                raise ValueError(f"the system {self.system.name!r} looks at boxes; give them")
            boxes = [
                mirror_boxes(self.boxes[scene]) if turn else self.boxes[scene]
                for scene, turn in zip(scenes, turned, strict=True)
            ]
            if jitter is not None:
                boxes = [policies.jittered(one, jitter) for one in boxes]
        detections, extra = self.policy(image, semantic_mask, boxes)
        return policies.warp_of(detections, self.system.separable), extra

    def weights(self) -> Tensor:
        """Return what a pixel of each class counts: one over the root of how often it is seen."""
        some = self.streets.area(range(min(100, len(self))))
        share = torch.bincount(some.flatten().int(), minlength=len(AREAS)) / some.numel()
        weights = share.clamp(min=1e-4).rsqrt()
        return weights / weights.mean()

    def _some(self) -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(self), _AT_ONCE):
            yield np.arange(start, min(start + _AT_ONCE, len(self)))

    def _edges(self) -> Tensor:
        """Look at the true outlines of each scene: `n 1 h w`."""
        every = (policies.edge_saliency(self.streets.area(scenes)) for scenes in self._some())
        return torch.cat(list(every))

    def _known_warp(self, scenes: NDArray[np.int64], turned: Tensor) -> Warp:
        """Return the warp of scenes for which it does not change from step to step."""
        if self.warp is not None:
            return self.warp
        if self.edges is None:
            raise ValueError(f"the system {self.system.name!r} looks elsewhere in every step")
        return policies.warp_of(_mirror(self.edges[scenes], turned), self.system.separable)

    def _store(self) -> tuple[Tensor, Tensor]:
        """Zoom all pictures, and bring all masks into the frame of the head."""
        masked = len(self) if self.task == "segmentation" else 0
        # Filled in place: small results, kept between large ones that are freed, would leave a heap
        # full of holes, a gigabyte of them.
        zoomed = torch.empty(len(self), 3, *self.size, dtype=torch.uint8)
        semantic_mask = torch.empty(masked, *self.size, dtype=torch.uint8)
        for scenes in self._some():
            nothing = torch.zeros(len(scenes), dtype=torch.bool)
            image, warp = self.image(scenes, nothing), self._known_warp(scenes, nothing)
            zoomed[scenes] = (warp.zoom(image, self.size) * 255).round().byte()
            if masked:
                semantic_mask[scenes] = self._in_frame(self.streets.area(scenes), warp)
        return zoomed, semantic_mask

    def _in_frame(self, semantic_mask: Tensor, warp: Warp) -> Tensor:
        """Return the class at the centre of each pixel of the input, in the head's frame."""
        through = Warp.identity((1, 1)) if self.system.in_source else warp
        classes = torch.arange(len(AREAS), dtype=torch.uint8)
        one_hot = (semantic_mask[:, None] == classes[:, None, None]).float()
        # As `argmax`, in a fifth of the time.
        return through.zoom(one_hot, self.size, antialias=False).max(dim=1).indices.byte()

    def _targets(self, scene: int, turn: bool, warp: Warp, row: int) -> Targets:
        """Return what there is in a scene, worked out once where it is the same in every step."""
        stays = self.system.in_source or self.warp is not None
        if stays and (scene, turn) in self._kept:
            return self._kept[scene, turn]
        targets = self._make_targets(
            self.streets.ground_truth[scene], turn, warp[0 if len(warp) == 1 else row]
        )
        if stays:
            self._kept[scene, turn] = targets
        return targets

    def _make_targets(self, ground_truth: GroundTruth, turn: bool, warp: Warp) -> Targets:
        ground_truth = mirror(ground_truth, self.streets.size[1]) if turn else ground_truth
        middles = project_centres(ground_truth.boxes_3d, ground_truth.camera, self.streets.size)
        boxes = ground_truth.boxes
        if not self.system.in_source:
            boxes = warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
            middles = warp.to_zoomed(middles.clamp(-1, 1)[None])[0]
        numbers = encode_boxes_3d(ground_truth.boxes_3d, ground_truth.labels)
        return Targets(boxes, ground_truth.labels, middles, numbers)


def mirror_boxes(boxes: Tensor) -> Tensor:
    """Let left and right change places in boxes `n 4`."""
    return boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1.0, -1.0, 1.0])


def mirror(ground_truth: GroundTruth, columns: int) -> GroundTruth:
    """Let left and right change places in what is true of a scene."""
    turn = torch.tensor([-1.0, 1, 1, 1, 1, 1, -1])  # x and yaw
    focal, x, y = ground_truth.camera
    return ground_truth._replace(
        boxes=mirror_boxes(ground_truth.boxes),
        previous_boxes=mirror_boxes(ground_truth.previous_boxes),
        boxes_3d=ground_truth.boxes_3d * turn,
        camera=torch.stack([focal, columns - x, y]),
    )


def _mirror(images: Tensor, turned: Tensor) -> Tensor:
    """Turn some of the images `b ... w`."""
    images = images.clone()
    images[turned] = images[turned].flip(-1)
    return images
