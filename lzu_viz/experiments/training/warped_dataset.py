"""Training data: scenes zoomed by a system, with ground truth in the frame of its head."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets.driving import SEMANTIC_CLASSES
from ...datasets.streets import GroundTruth, Streets
from ...geometry.check import Size
from ...geometry.warp import Warp
from ...models.small.detector import Targets
from ...models.small.detector3d import encode_boxes_3d, project_centres
from . import policies
from .mipmap_zoom import resize_by_mipmap, zoom_by_mipmap
from .trained_systems import TrainedSystem, TrainingTask

_AT_ONCE = 8


class Batch(NamedTuple):
    """Network input and targets of one step.

    Attributes:
        zoomed: `b 3 h w` in 0..1, the network's input.
        warp: that the images were zoomed with; of batch size 1 or b.
        targets: of each image, in the frame of the head; for detectors.
        semantic_mask: `b h w`, classes in the frame of the head; empty except for segmenters.
        extra: auxiliary loss of a saliency policy that is trained, otherwise 0.
    """

    zoomed: Tensor
    warp: Warp
    targets: list[Targets]
    semantic_mask: Tensor
    extra: Tensor


class WarpedDataset(nn.Module):
    """Dataset of scenes zoomed for a network in a system.

    If the warps do not change between steps, because the saliency is static or computed from
    ground truth masks, all images are zoomed once, in advance.

    Args:
        task: of the network.
        system: that zooms the images.
        streets: the scenes.
        size: (rows, columns) of the network's input.
        mean_saliency: `1 1 h w`, mean saliency of the training scenes, see
            :func:`~lzu_viz.experiments.training.policies.fixed_saliency`.
        boxes: `n 4` for each scene, for a system whose policy needs boxes.

    Attributes:
        policy: the saliency policy; it may contain a network that is trained as well.
    """

    def __init__(
        self,
        task: TrainingTask,
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
        is_constant = self.warp is not None or self.edges is not None
        self.stored = self._store() if is_constant else None
        self._cached_targets: dict[tuple[int, bool], Targets] = {}

    def __len__(self) -> int:
        """Return the number of scenes."""
        return len(self.streets)

    def batch(
        self,
        scenes: NDArray[np.int64],
        mirrored: NDArray[np.bool_],
        jitter: torch.Generator | None = None,
    ) -> Batch:
        """Return a batch of scenes.

        Args:
            scenes: `b`, indices of the scenes.
            mirrored: `b`, whether each scene is flipped horizontally.
            jitter: generator of the jitter of saliency boxes in training; None for no jitter.

        Raises:
            ValueError: the policy needs boxes, and none were passed to the dataset.
        """
        is_flipped = torch.from_numpy(mirrored)
        extra = torch.zeros(())
        if self.stored is not None:
            warp = self._constant_warp(scenes, is_flipped)
            images, masks = self.stored
            zoomed = _mirror(images[scenes], is_flipped).float() / 255
            semantic_mask = _mirror(masks[scenes], is_flipped) if len(masks) else masks
        else:
            image = self.image(scenes, is_flipped)
            full = _mirror(self.streets.area(scenes), is_flipped)
            warp, extra = self.warp_for_scenes(image, full, scenes, is_flipped, jitter)
            zoomed = zoom_by_mipmap(image, warp, self.size)
            semantic_mask = self._in_frame(full, warp) if self.task == "segmentation" else full[:0]
        targets = [
            self._targets(scene, is_mirrored, warp, index)
            for index, (scene, is_mirrored) in enumerate(
                zip(scenes.tolist(), is_flipped.tolist(), strict=True)
            )
        ]
        return Batch(zoomed, warp, targets, semantic_mask, extra)

    def image(self, scenes: NDArray[np.int64], mirrored: Tensor) -> Tensor:
        """Return the source images `b 3 h w`, without fine detail if the system predownsamples."""
        image = self.streets.image(scenes)
        if self.system.predownsampled:
            small = resize_by_mipmap(image, self.size)
            image = resize_by_mipmap(small, self.streets.size)
        return _mirror(image, mirrored)

    def warp_for_scenes(
        self,
        image: Tensor,
        semantic_mask: Tensor,
        scenes: NDArray[np.int64],
        mirrored: Tensor,
        jitter: torch.Generator | None,
    ) -> tuple[Warp, Tensor]:
        """Return the warp of each image, and the auxiliary loss of the saliency policy."""
        boxes: list[Tensor] = []
        if self.policy.boxes:
            if self.boxes is None:
                raise ValueError(
                    f"system {self.system.name!r} computes its saliency from boxes: pass `boxes`, "
                    "one tensor of shape (n, 4) for each scene"
                )
            boxes = [
                mirror_boxes(self.boxes[scene]) if is_mirrored else self.boxes[scene]
                for scene, is_mirrored in zip(scenes, mirrored, strict=True)
            ]
            if jitter is not None:
                boxes = [policies.jittered(scene_boxes, jitter) for scene_boxes in boxes]
        saliency_map, extra = self.policy(image, semantic_mask, boxes)
        return policies.warp_of(saliency_map, self.system.separable), extra

    def weights(self) -> Tensor:
        """Return loss weights of the classes: inverse square root of frequency, with mean 1."""
        masks = self.streets.area(range(min(100, len(self))))
        frequency = (
            torch.bincount(masks.flatten().int(), minlength=len(SEMANTIC_CLASSES)) / masks.numel()
        )
        weights = frequency.clamp(min=1e-4).rsqrt()
        return weights / weights.mean()

    def _chunks(self) -> Iterator[NDArray[np.int64]]:
        """Yield the indices of all scenes, in chunks that fit in memory."""
        for start in range(0, len(self), _AT_ONCE):
            yield np.arange(start, min(start + _AT_ONCE, len(self)))

    def _edges(self) -> Tensor:
        """Return saliency on the ground truth class boundaries of each scene: `n 1 h w`."""
        maps = (policies.edge_saliency(self.streets.area(scenes)) for scenes in self._chunks())
        return torch.cat(list(maps))

    def _constant_warp(self, scenes: NDArray[np.int64], mirrored: Tensor) -> Warp:
        """Return the warp of scenes, for a policy whose warps do not change between steps."""
        if self.warp is not None:
            return self.warp
        if self.edges is None:
            raise ValueError(
                f"the warps of system {self.system.name!r} change between steps and cannot be "
                "computed in advance"
            )
        return policies.warp_of(_mirror(self.edges[scenes], mirrored), self.system.separable)

    def _store(self) -> tuple[Tensor, Tensor]:
        """Return all images zoomed, and all masks in the frame of the head, as bytes."""
        n_masks = len(self) if self.task == "segmentation" else 0
        # Filled in place: small results kept between large freed ones would fragment the heap, by
        # as much as a gigabyte.
        zoomed = torch.empty(len(self), 3, *self.size, dtype=torch.uint8)
        semantic_mask = torch.empty(n_masks, *self.size, dtype=torch.uint8)
        for scenes in self._chunks():
            unmirrored = torch.zeros(len(scenes), dtype=torch.bool)
            image, warp = self.image(scenes, unmirrored), self._constant_warp(scenes, unmirrored)
            zoomed[scenes] = (zoom_by_mipmap(image, warp, self.size) * 255).round().byte()
            if n_masks:
                semantic_mask[scenes] = self._in_frame(self.streets.area(scenes), warp)
        return zoomed, semantic_mask

    def _in_frame(self, semantic_mask: Tensor, warp: Warp) -> Tensor:
        """Return the class at the centre of each pixel of the input, in the head's frame."""
        frame_warp = Warp.identity((1, 1)) if self.system.in_source else warp
        classes = torch.arange(len(SEMANTIC_CLASSES), dtype=torch.uint8)
        one_hot = (semantic_mask[:, None] == classes[:, None, None]).float()
        # Equal to `argmax`, in a fifth of the time.
        return frame_warp.zoom(one_hot, self.size, antialias=False).max(dim=1).indices.byte()

    def _targets(self, scene: int, is_mirrored: bool, warp: Warp, index: int) -> Targets:
        """Return the targets of a scene, cached if they do not change between steps."""
        is_constant = self.system.in_source or self.warp is not None
        if is_constant and (scene, is_mirrored) in self._cached_targets:
            return self._cached_targets[scene, is_mirrored]
        targets = self._make_targets(
            self.streets.ground_truth[scene], is_mirrored, warp[0 if len(warp) == 1 else index]
        )
        if is_constant:
            self._cached_targets[scene, is_mirrored] = targets
        return targets

    def _make_targets(self, ground_truth: GroundTruth, is_mirrored: bool, warp: Warp) -> Targets:
        ground_truth = mirror(ground_truth, self.streets.size[1]) if is_mirrored else ground_truth
        centres = project_centres(ground_truth.boxes_3d, ground_truth.camera, self.streets.size)
        boxes = ground_truth.boxes
        if not self.system.in_source:
            boxes = warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
            centres = warp.to_zoomed(centres.clamp(-1, 1)[None])[0]
        encoded = encode_boxes_3d(ground_truth.boxes_3d, ground_truth.labels)
        return Targets(boxes, ground_truth.labels, centres, encoded)


def mirror_boxes(boxes: Tensor) -> Tensor:
    """Return boxes `n 4` flipped horizontally."""
    return boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1.0, -1.0, 1.0])


def mirror(ground_truth: GroundTruth, columns: int) -> GroundTruth:
    """Return the ground truth of a scene flipped horizontally.

    Args:
        ground_truth: of the scene; the class mask is not part of it.
        columns: width of the image in pixels.
    """
    signs = torch.tensor([-1.0, 1, 1, 1, 1, 1, -1])  # x and yaw
    focal, x, y = ground_truth.camera
    return ground_truth._replace(
        boxes=mirror_boxes(ground_truth.boxes),
        previous_boxes=mirror_boxes(ground_truth.previous_boxes),
        boxes_3d=ground_truth.boxes_3d * signs,
        camera=torch.stack([focal, columns - x, y]),
    )


def _mirror(images: Tensor, mirrored: Tensor) -> Tensor:
    """Return images `b ... w`, some of them flipped horizontally."""
    images = images.clone()
    images[mirrored] = images[mirrored].flip(-1)
    return images
