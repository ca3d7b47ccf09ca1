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
from ..models import NETWORKS, network
from ..systems import LZU, Decode, Trace, Uniform
from .state import NO_NETWORK, State
from .state_to_warp import saliency_of, smooth_warp, with_moved_nodes

MASK_SIDE = 640
"""The longest side of a mask, in pixels: fine enough for its overlap, and quick."""

MAP_SIDE = 256
"""The longest side of a map of errors."""

PLACES = 50
"""Along each axis, at which the way there and back is checked."""


@dataclass(frozen=True)
class Prediction:
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
        round_trip_error: how far a source point lands from itself, unzoomed and zoomed again, in
            source pixels, at worst.
        maps: `h w` each, by the name of the view that was asked for.
    """

    state: State
    saliency: Tensor
    warp: Warp
    zoomed: Tensor
    uniform: Prediction
    zoom: Prediction
    input_pixels: int
    peak_magnification: float
    error_rms: float
    error_worst: float
    round_trip_error: float
    maps: Mapping[str, Tensor]


@torch.no_grad()
def explore(
    image: Tensor, state: State, ground_truth: Scene | None = None, views: Collection[str] = ()
) -> Result:
    """Zoom, look, unzoom, and compare with uniform downsampling.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls.
        ground_truth: the mask and the box to compare with, if they are known.
        views: of which the maps are wanted; those of other views, or with no map, are left out.

    Raises:
        ValueError: the warp is folded.
    """
    detections = saliency_of(state, image)
    smooth = smooth_warp(state, detections)
    warp = with_moved_nodes(smooth, state).morph(state.morph)
    # The continuous warp is bent as far as the pieces are, so that their distance shrinks as much.
    error = state.morph * approximation_error(
        smooth, detections, state.fwhm / 100, state.anti_crop, size=image.shape[-2:]
    )
    magnification = warp.magnification((120, 180))
    trace = _trace(LZU, image, warp, state)
    levels = _level_list(trace)
    shown = levels[_level(state, len(levels))] if levels else None
    makers: dict[str, Callable[[], Tensor]] = {
        "approximation": lambda: error[0],
        "round_trip": lambda: _round_trip(image, trace.zoomed, warp),
    }
    if shown is not None:
        makers["features_zoomed"] = lambda: _strength(shown)
        makers["features_unzoomed"] = lambda: _strength(warp.unzoom(shown, shown.shape[-2:]))
    return Result(
        state=state,
        saliency=detections,
        warp=warp,
        zoomed=trace.zoomed,
        uniform=_uniform_answer(image, _for_network(state), ground_truth),
        zoom=_answer(trace, state, ground_truth),
        input_pixels=state.input_size**2,
        peak_magnification=float(magnification[magnification.isfinite()].amax()),
        error_rms=float(error.square().mean().sqrt()),
        error_worst=float(error.amax()),
        round_trip_error=_round_trip_error(warp, image),
        maps={name: make() for name, make in makers.items() if name in views},
    )


def _trace(kind: type[LZU], image: Tensor, warp: Warp, state: State) -> Trace:
    """Run a state's network through a warp; where there is none, only zoom."""
    size = (state.input_size, state.input_size)
    if state.network == NO_NETWORK:
        zoomed = warp.zoom(image, size, state.antialias)
        return Trace(warp, zoomed, [], [], [], [], None)
    entry, module = NETWORKS[state.network], network(state.network)
    decode: Decode = module.decode
    if entry.task == "detection":
        decode = partial(module.decode, threshold=state.score / 100)
    options = {"size": size, "decode": decode, "antialias": state.antialias, **entry.unzoom}
    system = kind.from_network(module, warp, **options)
    return system.trace(image, warp, source_size=_at_most(image, MASK_SIDE))


def _level_list(trace: Trace) -> list[Tensor]:
    """Return the network's feature maps, one a stride; none where there is no network."""
    return [trace.features] if isinstance(trace.features, Tensor) else list(trace.features)


def _level(state: State, count: int) -> int:
    """Return the index of the feature map that the state chooses."""
    strides = NETWORKS[state.network].strides
    stride = int(state.stride)
    return strides.index(stride) if count > 1 and stride in strides else 0


def _strength(features: Tensor) -> Tensor:
    """Return the length of each cell's feature vector: `1 c h w` to `h w`."""
    return features[0].square().sum(dim=0).sqrt()


def _round_trip(image: Tensor, zoomed: Tensor, warp: Warp) -> Tensor:
    """Return what zooming and unzooming did to the picture: `h w`, grey levels of 255."""
    size = _at_most(image, MAP_SIDE)
    left = warp.unzoom(zoomed, size, fill_value=torch.nan)
    return 255 * (left - resize(image, size)).abs().mean(dim=1)[0]


def _round_trip_error(warp: Warp, image: Tensor) -> float:
    along = torch.linspace(-1, 1, PLACES)
    points = torch.cartesian_prod(along, along)[None]
    back = warp.to_source(warp.to_zoomed(points))
    pixels = torch.tensor([image.shape[-1] / 2, image.shape[-2] / 2])
    residual = ((back - points) * pixels).square().sum(dim=-1).sqrt()
    return float(residual[residual.isfinite()].amax())


def _at_most(image: Tensor, side: int) -> tuple[int, int]:
    """Return the image's size, reduced so that its longest side is at most that."""
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
def _uniform_answer(image: Tensor, state: State, ground_truth: Scene | None) -> Prediction:
    return _answer(_trace(Uniform, image, Warp.identity((1, 1)), state), state, ground_truth)


def _answer(trace: Trace, state: State, ground_truth: Scene | None) -> Prediction:
    predictions = trace.predictions
    if predictions is None:
        return Prediction()
    if isinstance(predictions, Tensor):
        mask = predictions > state.probability / 100
        size = (mask.shape[-2], mask.shape[-1])
        iou = (
            float(metrics.mask_iou(mask, _true_mask(ground_truth, size))) if ground_truth else None
        )
        return Prediction(mask, iou=iou)
    (detections,) = predictions
    classes = network(state.network).classes
    names = [classes[label] for label in detections.labels.tolist()]
    labels = tuple(
        f"{name} {score:.2f}" for name, score in zip(names, detections.scores, strict=True)
    )
    return Prediction(
        None, detections.boxes, labels, _person_iou(detections.boxes, names, ground_truth)
    )


@lru_cache(maxsize=8)
def _true_mask(ground_truth: Scene, size: tuple[int, int]) -> Tensor:
    return resize(ground_truth.mask.float(), size) > 0.5


def _person_iou(
    detections: Tensor, names: Sequence[str], ground_truth: Scene | None
) -> float | None:
    if ground_truth is None:
        return None
    people = detections[[index for index, name in enumerate(names) if name == "person"]]
    return float(boxes.iou(people, ground_truth.box).amax()) if len(people) else 0.0
