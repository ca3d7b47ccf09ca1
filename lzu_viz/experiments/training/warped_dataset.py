"""Training data: scenes zoomed by a system, with ground truth in the frame of its head."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets.driving import AREAS
from ...datasets.streets import GroundTruth, Streets
from ...geometry.check import Size
from ...geometry.warp import Warp
from ...models.small.detector import Targets
from ...models.small.detector3d import encode_boxes_3d, project_centres
from . import policies
from .mipmap_zoom import resize_by_mipmap, zoom_by_mipmap
from .trained_systems import Task, TrainedSystem

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
            ValueError: the policy needs boxes, and none were given.
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
            zoomed = zoom_by_mipmap(image, warp, self.size)
            semantic_mask = self._in_frame(full, warp) if self.task == "segmentation" else full[:0]
        targets = [
            self._targets(scene, turn, warp, row)
            for row, (scene, turn) in enumerate(zip(scenes.tolist(), turned.tolist(), strict=True))
        ]
        return Batch(zoomed, warp, targets, semantic_mask, extra)

    def image(self, scenes: NDArray[np.int64], turned: Tensor) -> Tensor:
        """Return the source images `b 3 h w`, without fine detail if the system predownsamples."""
        image = self.streets.image(scenes)
        if self.system.predownsampled:
            small = resize_by_mipmap(image, self.size)
            image = resize_by_mipmap(small, self.streets.size)
        return _mirror(image, turned)

    def warp_for_scenes(
        self,
        image: Tensor,
        semantic_mask: Tensor,
        scenes: NDArray[np.int64],
        turned: Tensor,
        jitter: torch.Generator | None,
    ) -> tuple[Warp, Tensor]:
        """Return the warp of each image, and the auxiliary loss of the saliency policy."""
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
        """Return loss weights of the classes: inverse square root of frequency, with mean 1."""
        some = self.streets.area(range(min(100, len(self))))
        share = torch.bincount(some.flatten().int(), minlength=len(AREAS)) / some.numel()
        weights = share.clamp(min=1e-4).rsqrt()
        return weights / weights.mean()

    def _some(self) -> Iterator[NDArray[np.int64]]:
        for start in range(0, len(self), _AT_ONCE):
            yield np.arange(start, min(start + _AT_ONCE, len(self)))

    def _edges(self) -> Tensor:
        """Return saliency on the ground truth class boundaries of each scene: `n 1 h w`."""
        every = (policies.edge_saliency(self.streets.area(scenes)) for scenes in self._some())
        return torch.cat(list(every))

    def _known_warp(self, scenes: NDArray[np.int64], turned: Tensor) -> Warp:
        """Return the warp of scenes, for a policy whose warps do not change between steps."""
        if self.warp is not None:
            return self.warp
        if self.edges is None:
            raise ValueError(f"the system {self.system.name!r} looks elsewhere in every step")
        return policies.warp_of(_mirror(self.edges[scenes], turned), self.system.separable)

    def _store(self) -> tuple[Tensor, Tensor]:
        """Return all images zoomed, and all masks in the frame of the head, as bytes."""
        masked = len(self) if self.task == "segmentation" else 0
        # Filled in place: small results kept between large freed ones would fragment the heap, by
        # as much as a gigabyte.
        zoomed = torch.empty(len(self), 3, *self.size, dtype=torch.uint8)
        semantic_mask = torch.empty(masked, *self.size, dtype=torch.uint8)
        for scenes in self._some():
            nothing = torch.zeros(len(scenes), dtype=torch.bool)
            image, warp = self.image(scenes, nothing), self._known_warp(scenes, nothing)
            zoomed[scenes] = (zoom_by_mipmap(image, warp, self.size) * 255).round().byte()
            if masked:
                semantic_mask[scenes] = self._in_frame(self.streets.area(scenes), warp)
        return zoomed, semantic_mask

    def _in_frame(self, semantic_mask: Tensor, warp: Warp) -> Tensor:
        """Return the class at the centre of each pixel of the input, in the head's frame."""
        through = Warp.identity((1, 1)) if self.system.in_source else warp
        classes = torch.arange(len(AREAS), dtype=torch.uint8)
        one_hot = (semantic_mask[:, None] == classes[:, None, None]).float()
        # Equal to `argmax`, in a fifth of the time.
        return through.zoom(one_hot, self.size, antialias=False).max(dim=1).indices.byte()

    def _targets(self, scene: int, turn: bool, warp: Warp, row: int) -> Targets:
        """Return the targets of a scene, cached if they do not change between steps."""
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
    """Return boxes `n 4` flipped horizontally."""
    return boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1.0, -1.0, 1.0])


def mirror(ground_truth: GroundTruth, columns: int) -> GroundTruth:
    """Return the ground truth of a scene flipped horizontally.

    Args:
        ground_truth: of the scene; the class mask is not part of it.
        columns: width of the image in pixels.
    """
    turn = torch.tensor([-1.0, 1, 1, 1, 1, 1, -1])  # x and yaw
    focal, x, y = ground_truth.camera
    return ground_truth._replace(
        boxes=mirror_boxes(ground_truth.boxes),
        previous_boxes=mirror_boxes(ground_truth.previous_boxes),
        boxes_3d=ground_truth.boxes_3d * turn,
        camera=torch.stack([focal, columns - x, y]),
    )


def _mirror(images: Tensor, turned: Tensor) -> Tensor:
    """Return images `b ... w`, some of them flipped horizontally."""
    images = images.clone()
    images[turned] = images[turned].flip(-1)
    return images
