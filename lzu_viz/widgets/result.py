"""Result: a pure function from a photo and a state to all that the explorer shows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import torch
from torch import Tensor

from .. import metrics
from ..datasets.scenes import Scene
from ..geometry import boxes
from ..geometry.approximation import approximation_error
from ..geometry.resampling import resize
from ..geometry.warp import Warp
from ..models import COCO_CLASSES
from ..systems.lzu import LZU
from .state import State
from .state_to_warp import detector, moved, saliency_of, segmenter, smooth_warp

FINER = 2
"""How much finer than the detector's own grid its outputs are unzoomed."""

MASK_SIDE = 640
"""The longest side of a mask, in pixels: fine enough for its overlap, and quick."""

MAP_SIDE = 256
"""The longest side of a map of errors."""

PLACES = 50
"""Along each axis, at which the way there and back is checked."""


@dataclass(frozen=True)
class Answer:
    """What a network says, in the source frame.

    Attributes:
        mask: `1 1 h w`, boolean, as large as the source but for ``MASK_SIDE``; None from a
            detector.
        boxes: `n 4`, xyxy in [-1, 1]; empty from a segmenter.
        labels: one a box, class and score.
        iou: with the truth, in 0..1; of boxes that of the best person. None without a truth, or
            without a network.
    """

    mask: Tensor | None = None
    boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    labels: tuple[str, ...] = ()
    iou: float | None = None

    @property
    def found(self) -> bool:
        """Whether the network saw anything at all."""
        return len(self.boxes) > 0 or (self.mask is not None and bool(self.mask.any()))


@dataclass(frozen=True)
class Result:
    """What there is to see and to say about a state.

    Attributes:
        state: the state that this is of.
        saliency: `1 1 h w`.
        warp: from zoomed to source frame.
        zoomed: `1 3 s s`, what the network sees.
        uniform: the answer when the image is plainly downsampled to the same size.
        zoom: the answer when it is zoomed, and unzoomed afterwards.
        input_pixels: that the network sees, in either case.
        peak_magnification: linear.
        error_rms: of the warp against the continuous map, in source pixels; nodes that were moved
            by hand do not count.
        error_worst: likewise.
        there_and_back: how far a source point lands from itself, unzoomed and zoomed again, in
            source pixels, at worst.
        maps: `h w` each, by the name of the view that was asked for.
    """

    state: State
    saliency: Tensor
    warp: Warp
    zoomed: Tensor
    uniform: Answer
    zoom: Answer
    input_pixels: int
    peak_magnification: float
    error_rms: float
    error_worst: float
    there_and_back: float
    maps: Mapping[str, Tensor]


@torch.no_grad()
def explore(
    image: Tensor, state: State, truth: Scene | None = None, views: Collection[str] = ()
) -> Result:
    """Zoom, look, unzoom, and compare with uniform downsampling.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls.
        truth: the mask and the box to compare with, if they are known.
        views: of which the maps are wanted; those of other views, or with no map, are left out.

    Raises:
        ValueError: the warp is folded.
    """
    look = saliency_of(state, image)
    smooth = smooth_warp(state, look)
    warp = moved(smooth, state).morph(state.morph)
    side = (state.input_size, state.input_size)
    # The continuous warp is bent as far as the pieces are, so that their distance shrinks as much.
    error = state.morph * approximation_error(
        smooth, look, state.fwhm / 100, state.anti_crop, size=image.shape[-2:]
    )
    magnification = warp.magnification((120, 180))
    zoomed = warp.zoom(image, side, state.antialias)
    levels = _features(zoomed, state)
    shown = levels[_level(state)] if levels else None
    makers: dict[str, Callable[[], Tensor]] = {
        "approximation": lambda: error[0],
        "round_trip": lambda: _round_trip(image, zoomed, warp),
    }
    if shown is not None:
        makers["features_zoomed"] = lambda: _strength(shown)
        makers["features_unzoomed"] = lambda: _strength(warp.unzoom(shown, shown.shape[-2:]))
    return Result(
        state=state,
        saliency=look,
        warp=warp,
        zoomed=zoomed,
        uniform=_uniform_answer(image, _for_network(state), truth),
        zoom=_answer(image, levels, warp, state, truth),
        input_pixels=side[0] * side[1],
        peak_magnification=float(magnification[magnification.isfinite()].amax()),
        error_rms=float(error.square().mean().sqrt()),
        error_worst=float(error.amax()),
        there_and_back=_there_and_back(warp, image),
        maps={name: make() for name, make in makers.items() if name in views},
    )


def _features(zoomed: Tensor, state: State) -> list[Tensor]:
    """Give the network's feature maps, one a stride; none where there is no network."""
    if state.network == "none":
        return []
    if state.network == "segmenter":
        return [segmenter().features(zoomed)]
    return detector().features(zoomed)


def _level(state: State) -> int:
    """Give the index of the feature map that the state chooses."""
    return detector().strides.index(int(state.stride)) if state.network == "detector" else 0


def _strength(features: Tensor) -> Tensor:
    """Give the length of each cell's feature vector: `1 c h w` to `h w`."""
    return features[0].square().sum(dim=0).sqrt()


def _round_trip(image: Tensor, zoomed: Tensor, warp: Warp) -> Tensor:
    """Tell what zooming and unzooming did to the picture: `h w`, grey levels of 255."""
    size = _at_most(image, MAP_SIDE)
    left = warp.unzoom(zoomed, size, fill=torch.nan)
    return 255 * (left - resize(image, size)).abs().mean(dim=1)[0]


def _there_and_back(warp: Warp, image: Tensor) -> float:
    along = torch.linspace(-1, 1, PLACES)
    points = torch.cartesian_prod(along, along)[None]
    back = warp.to_source(warp.to_zoomed(points))
    pixels = torch.tensor([image.shape[-1] / 2, image.shape[-2] / 2])
    miss = ((back - points) * pixels).square().sum(dim=-1).sqrt()
    return float(miss[miss.isfinite()].amax())


def _at_most(image: Tensor, side: int) -> tuple[int, int]:
    """Give the image's size, reduced so that its longest side is at most that."""
    rows, columns = image.shape[-2:]
    scale = min(1.0, side / max(rows, columns))
    return round(rows * scale), round(columns * scale)


def _for_network(state: State) -> State:
    """Keep of a state what the answer to the uniform picture depends on."""
    return State(
        network=state.network,
        input_size=state.input_size,
        antialias=state.antialias,
        probability=state.probability,
        score=state.score,
    )


# While a fovea is dragged the uniform answer stays the same; tensors are compared by identity.
@lru_cache(maxsize=16)
def _uniform_answer(image: Tensor, state: State, truth: Scene | None) -> Answer:
    still = Warp.identity()
    plain = still.zoom(image, (state.input_size, state.input_size), state.antialias)
    return _answer(image, _features(plain, state), still, state, truth)


def _answer(
    image: Tensor, levels: list[Tensor], warp: Warp, state: State, truth: Scene | None
) -> Answer:
    if state.network == "none":
        return Answer()
    if state.network == "segmenter":
        seen = segmenter().decode(segmenter().head(levels[0]))
        size = _at_most(image, MASK_SIDE)
        mask = warp.unzoom(seen, size) > state.probability / 100
        iou = float(metrics.mask_iou(mask, _true_mask(truth, size))) if truth else None
        return Answer(mask, iou=iou)
    network = detector()
    side = (state.input_size, state.input_size)
    # The features are there already: the system only unzooms what the head makes of them.
    system = LZU(lambda _: levels, network.head, warp, size=side, unzoom="outputs", finer=FINER)
    outputs = system.run(image, warp)
    decode = partial(network.decode, threshold=state.score / 100)
    (found,) = system.decoded([*outputs], decode, warp)
    names = [COCO_CLASSES[label] for label in found.labels.tolist()]
    labels = tuple(f"{name} {score:.2f}" for name, score in zip(names, found.scores, strict=True))
    return Answer(None, found.boxes, labels, _person_iou(found.boxes, names, truth))


@lru_cache(maxsize=8)
def _true_mask(truth: Scene, size: tuple[int, int]) -> Tensor:
    return resize(truth.mask.float(), size) > 0.5


def _person_iou(found: Tensor, names: Sequence[str], truth: Scene | None) -> float | None:
    if truth is None:
        return None
    people = found[[index for index, name in enumerate(names) if name == "person"]]
    return float(boxes.iou(people, truth.box).amax()) if len(people) else 0.0
