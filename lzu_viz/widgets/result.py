"""Result: a pure function from a photo and a state to all that the explorer shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import torch
from torch import Tensor

from .. import boxes, saliency
from ..lzu import LZU
from ..metrics import approximation_error, mask_iou
from ..models import COCO_CLASSES, NanoDet, SelfieSegmenter
from ..sampling import resize
from ..scenes import Scene
from ..warp import Warp
from .state import Network, State

FINER = 2
"""How much finer than the detector's own grid its outputs are unzoomed."""

MASK_SIDE = 640
"""The longest side of a mask, in pixels: fine enough for its overlap, and quick."""


@dataclass(frozen=True)
class Answer:
    """What a network says, in the source frame.

    Attributes:
        mask: `1 1 h w`, boolean, as large as the source but for ``MASK_SIDE``; None from a
            detector.
        boxes: `n 4`, xyxy in [-1, 1]; empty from a segmenter.
        labels: one a box, class and score.
        iou: with the truth, in 0..1; of boxes that of the best person. None without a truth.
    """

    mask: Tensor | None
    boxes: Tensor
    labels: tuple[str, ...]
    iou: float | None

    @property
    def found(self) -> bool:
        """Whether the network saw anything at all."""
        return len(self.boxes) > 0 or (self.mask is not None and bool(self.mask.any()))


@dataclass(frozen=True)
class Result:
    """What there is to see and to say about a state.

    Attributes:
        warp: from the state's foveas.
        zoomed: `1 3 s s`, what the network sees.
        uniform: the answer when the image is plainly downsampled to the same size.
        zoom: the answer when it is zoomed, and unzoomed afterwards.
        input_pixels: that the network sees, in either case.
        peak_magnification: linear.
        error_rms: of the warp against the continuous map, in source pixels.
        error_worst: likewise.
    """

    warp: Warp
    zoomed: Tensor
    uniform: Answer
    zoom: Answer
    input_pixels: int
    peak_magnification: float
    error_rms: float
    error_worst: float


@torch.no_grad()
def explore(image: Tensor, state: State, truth: Scene | None = None) -> Result:
    """Zoom, look, unzoom, and compare with uniform downsampling.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls.
        truth: the mask and the box to compare with, if they are known.
    """
    look, warp = warp_of(state)
    size = (state.input_size, state.input_size)
    # The continuous warp is bent as far as the pieces are, so that their distance shrinks as much.
    whole = warp_of(replace(state, morph=1.0))[1]
    error = state.morph * approximation_error(
        whole, look, state.fwhm / 100, state.anti_crop, size=image.shape[-2:]
    )
    magnification = warp.magnification((200, 300))
    return Result(
        warp=warp,
        zoomed=warp.zoom(image, size),
        uniform=_uniform_answer(image, state.input_size, state.network, truth),
        zoom=_answer(image, warp, state.input_size, state.network, truth),
        input_pixels=size[0] * size[1],
        peak_magnification=float(magnification[magnification.isfinite()].amax()),
        error_rms=float(error.square().mean().sqrt()),
        error_worst=float(error.amax()),
    )


def warp_of(state: State) -> tuple[Tensor, Warp]:
    """Give the saliency and the warp of a state: foveas over a uniform floor."""
    # A page says 0 where Python says 0.0, so the numbers may all be whole.
    centres = torch.tensor([[[each.x, each.y] for each in state.foveas]], dtype=torch.float32)
    width = torch.tensor([[each.width / 100 for each in state.foveas]])
    share = state.strength / 100
    spots = saliency.gaussian(centres, width)
    look = saliency.mix(saliency.uniform(), spots, weights=(1 - share, share))
    pieces = (state.pieces, state.pieces)
    warp = Warp.from_saliency(look, pieces, state.fwhm / 100, state.separable, state.anti_crop)
    return look, warp if state.morph == 1 else warp.morph(state.morph)


@cache
def segmenter() -> SelfieSegmenter:
    """Give the segmenter, loaded once."""
    return SelfieSegmenter()


@cache
def detector() -> NanoDet:
    """Give the detector, loaded once."""
    return NanoDet()


# While a fovea is dragged the uniform answer stays the same; tensors are compared by identity.
@lru_cache(maxsize=16)
def _uniform_answer(image: Tensor, side: int, network: Network, truth: Scene | None) -> Answer:
    return _answer(image, Warp.identity(), side, network, truth)


def _answer(image: Tensor, warp: Warp, side: int, network: Network, truth: Scene | None) -> Answer:
    if network == "segmenter":
        seen = segmenter().decode(segmenter()(warp.zoom(image, (side, side))))
        rows, columns = image.shape[-2:]
        scale = min(1.0, MASK_SIDE / max(rows, columns))
        size = (round(rows * scale), round(columns * scale))
        mask = warp.unzoom(seen, size) > 0.5
        iou = float(mask_iou(mask, resize(truth.mask.float(), size) > 0.5)) if truth else None
        return Answer(mask, torch.zeros(0, 4), (), iou)
    system = LZU(
        detector().features,
        detector().head,
        warp,
        size=(side, side),
        unzoom="outputs",
        finer=FINER,
    )
    (found,) = system.detect(image, detector().decode)
    names = [COCO_CLASSES[label] for label in found.labels.tolist()]
    labels = tuple(f"{name} {score:.2f}" for name, score in zip(names, found.scores, strict=True))
    return Answer(None, found.boxes, labels, _person_iou(found.boxes, names, truth))


def _person_iou(found: Tensor, names: Sequence[str], truth: Scene | None) -> float | None:
    if truth is None:
        return None
    people = found[[index for index, name in enumerate(names) if name == "person"]]
    return float(boxes.iou(people, truth.box).amax()) if len(people) else 0.0
