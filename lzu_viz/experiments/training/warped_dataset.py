"""Feed a network: scenes, zoomed as the system wants, with their truth in the frame of its head."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...datasets.driving import AREAS
from ...datasets.streets import Streets, Truth
from ...geometry.check import Size
from ...geometry.resampling import resize
from ...geometry.warp import Warp
from ...models.small.detector import Things
from ...models.small.detector3d import seen_at, shape_numbers
from . import policies
from .trained_systems import System, Task

_AT_ONCE = 8


class Batch(NamedTuple):
    """What a network is fed with in one step.

    Attributes:
        zoomed: `b 3 h w` in 0..1, as the network sees it.
        warp: through which it was zoomed.
        things: one an image, in the frame of the head; for detectors.
        areas: `b h w`, classes in that frame; for segmenters.
        extra: a loss of the system's own: of a network that says where to look.
    """

    zoomed: Tensor
    warp: Warp
    things: list[Things]
    areas: Tensor
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
        usual: `1 1 h w`, where things usually are, see `looks.fixed_saliency`.
        boxes: for a system that looks at boxes, those of each scene.

    Attributes:
        outlines: the network that expects them, for the system that needs it, else None.
    """

    def __init__(
        self,
        task: Task,
        system: System,
        streets: Streets,
        size: Size,
        usual: Tensor,
        boxes: Sequence[Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.task, self.system, self.streets, self.size = task, system, streets, size
        self.usual = usual
        self.fixed = policies.evened(usual, task)
        self.warp = policies.still_warp(system, self.fixed) if system.still else None
        self.boxes = boxes
        expects = system.look == "expected edges"
        self.outlines = policies.Outlines(size) if expects else None
        self.edges = self._edges() if system.look == "edges" else None
        known = self.warp is not None or self.edges is not None
        self.stored = self._store() if known else None
        self._kept: dict[tuple[int, bool], Things] = {}

    def __len__(self) -> int:
        """Give how many scenes there are."""
        return len(self.streets)

    def batch(
        self,
        scenes: NDArray[np.int64],
        mirrored: NDArray[np.bool_],
        jitter: torch.Generator | None = None,
    ) -> Batch:
        """Give scenes.

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
            areas = _mirror(masks[scenes], turned) if len(masks) else masks
        else:
            image = self.image(scenes, turned)
            full = _mirror(self.streets.area(scenes), turned)
            warp, extra = self.look(image, full, scenes, turned, jitter)
            zoomed = warp.zoom(image, self.size)
            areas = self._in_frame(full, warp) if self.task == "segmentation" else full[:0]
        things = [
            self._things(scene, turn, warp, row)
            for row, (scene, turn) in enumerate(zip(scenes.tolist(), turned.tolist(), strict=True))
        ]
        return Batch(zoomed, warp, things, areas, extra)

    def image(self, scenes: NDArray[np.int64], turned: Tensor) -> Tensor:
        """Give the pictures as far as the system may know them."""
        image = self.streets.image(scenes)
        if self.system.destroyed:
            image = resize(resize(image, self.size), image.shape[-2:])
        return _mirror(image, turned)

    def look(
        self,
        image: Tensor,
        areas: Tensor,
        scenes: NDArray[np.int64],
        turned: Tensor,
        jitter: torch.Generator | None,
    ) -> tuple[Warp, Tensor]:
        """Give the warp for each picture, and the loss of a network that says where to look."""
        extra = torch.zeros(())
        if self.outlines is not None:
            logits = self.outlines(image)
            extra = self.outlines.loss(logits, areas)
            look = self.outlines.saliency(logits.detach())
        else:
            if self.boxes is None:
                raise ValueError(f"the system {self.system.name!r} looks at boxes; give them")
            boxes = [
                mirror_boxes(self.boxes[scene]) if turn else self.boxes[scene]
                for scene, turn in zip(scenes, turned, strict=True)
            ]
            if jitter is not None:
                boxes = [policies.jittered(each, jitter) for each in boxes]
            look = policies.box_saliency(boxes, self.fixed)
        return policies.warp_of(look, self.system.separable), extra

    def weights(self) -> Tensor:
        """Give what a pixel of each class counts: one over the root of how often it is seen."""
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
        """Give the warp of scenes for which it does not change from step to step."""
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
        areas = torch.empty(masked, *self.size, dtype=torch.uint8)
        for scenes in self._some():
            nothing = torch.zeros(len(scenes), dtype=torch.bool)
            image, warp = self.image(scenes, nothing), self._known_warp(scenes, nothing)
            zoomed[scenes] = (warp.zoom(image, self.size) * 255).round().byte()
            if masked:
                areas[scenes] = self._in_frame(self.streets.area(scenes), warp)
        return zoomed, areas

    def _in_frame(self, areas: Tensor, warp: Warp) -> Tensor:
        """Give the class that is in the middle of each pixel of the input, in the head's frame."""
        through = Warp.identity((1, 1)) if self.system.in_source else warp
        classes = torch.arange(len(AREAS), dtype=torch.uint8)
        shares = (areas[:, None] == classes[:, None, None]).float()
        # As `argmax`, in a fifth of the time.
        return through.zoom(shares, self.size, antialias=False).max(dim=1).indices.byte()

    def _things(self, scene: int, turn: bool, warp: Warp, row: int) -> Things:
        """Give what there is in a scene, worked out once where it is the same in every step."""
        stays = self.system.in_source or self.warp is not None
        if stays and (scene, turn) in self._kept:
            return self._kept[scene, turn]
        things = self._seen(self.streets.truth[scene], turn, warp[0 if len(warp) == 1 else row])
        if stays:
            self._kept[scene, turn] = things
        return things

    def _seen(self, truth: Truth, turn: bool, warp: Warp) -> Things:
        truth = mirror(truth, self.streets.size[1]) if turn else truth
        middles = seen_at(truth.boxes_3d, truth.camera, self.streets.size)
        boxes = truth.boxes
        if not self.system.in_source:
            boxes = warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
            middles = warp.to_zoomed(middles.clamp(-1, 1)[None])[0]
        numbers = shape_numbers(truth.boxes_3d, truth.labels)
        return Things(boxes, truth.labels, middles, numbers)


def mirror_boxes(boxes: Tensor) -> Tensor:
    """Let left and right change places in boxes `n 4`."""
    return boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1.0, -1.0, 1.0])


def mirror(truth: Truth, columns: int) -> Truth:
    """Let left and right change places in what is true of a scene."""
    turn = torch.tensor([-1.0, 1, 1, 1, 1, 1, -1])  # x and yaw
    focal, x, y = truth.camera
    return truth._replace(
        boxes=mirror_boxes(truth.boxes),
        before=mirror_boxes(truth.before),
        boxes_3d=truth.boxes_3d * turn,
        camera=torch.stack([focal, columns - x, y]),
    )


def _mirror(images: Tensor, turned: Tensor) -> Tensor:
    """Turn some of the images `b ... w`."""
    images = images.clone()
    images[turned] = images[turned].flip(-1)
    return images
