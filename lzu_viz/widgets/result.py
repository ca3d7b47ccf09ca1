"""The explorer's results: a pure function of an image and a state."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

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
from .state_to_warp import saliency_of, smooth_warp, warp_of, with_moved_nodes

MASK_SIDE = 640
"""Longest side of a predicted mask, in pixels: large enough for an accurate IoU, and fast."""

MAP_SIDE = 256
"""Longest side of an error map, in pixels."""

ROUND_TRIP_POINTS = 50
"""Number of points along each axis at which the round trip error is evaluated."""


@dataclass(frozen=True)
class Prediction:
    """Prediction of a network, in the source frame.

    Attributes:
        mask: `1 1 h w`, boolean, of the source's size, reduced to at most ``MASK_SIDE``; None for
            a detector.
        boxes: `n 4`, xyxy in [-1, 1]; empty for a segmenter.
        labels: class and score of each box, as text.
        iou: with the ground truth, in 0..1; for boxes the highest of those labelled person. None
            without ground truth, or without a network.
    """

    mask: Tensor | None = None
    boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))
    labels: tuple[str, ...] = ()
    iou: float | None = None

    @property
    def found(self) -> bool:
        """Whether the prediction holds a box or a pixel of a mask."""
        return len(self.boxes) > 0 or (self.mask is not None and bool(self.mask.any()))


@dataclass(frozen=True)
class Result:
    """Tensors and numbers that the explorer shows for a state.

    Attributes:
        state: the state.
        saliency: `1 1 h w`.
        warp: from zoomed to source frame.
        zoomed: `1 3 s s`, the network's input.
        uniform: prediction for the image, uniformly downsampled to the same size.
        zoom: prediction for the zoomed image, unzoomed.
        input_pixels: number of pixels of the network's input, the same for both.
        peak_magnification: highest magnification per side.
        error_rms: root mean square distance of the warp from the continuous map, in source pixels;
            manually moved nodes are not counted.
        error_worst: maximum of that distance, in source pixels.
        round_trip_error: largest distance of a source point from itself after mapping it to the
            zoomed frame and back, in source pixels.
        maps: `h w` each, by the name of the requested view.
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
    """Return the predictions with uniform downsampling and with zoom and unzoom, and the errors.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls.
        ground_truth: a scene with the true mask and box, if known.
        views: names of the views whose maps are computed; views without a map are ignored.

    Raises:
        ValueError: if the warp is folded.
    """
    saliency_map = saliency_of(state, image)
    smooth = smooth_warp(state, saliency_map)
    warp = with_moved_nodes(smooth, state).morph(state.morph)
    # Morphing scales the displacements of the continuous map and of the warp by the same factor,
    # and therefore also their difference.
    error = state.morph * approximation_error(
        smooth, saliency_map, state.fwhm / 100, state.anti_crop, size=image.shape[-2:]
    )
    magnification = warp.magnification((120, 180))
    trace = _trace(LZU, image, warp, state)
    levels = _level_list(trace)
    level = levels[_level(state, len(levels))] if levels else None
    makers: dict[str, Callable[[], Tensor]] = {
        "approximation": lambda: error[0],
        "round_trip": lambda: _round_trip(image, trace.zoomed, warp),
    }
    if level is not None:
        makers["features_zoomed"] = lambda: _strength(level)
        makers["features_unzoomed"] = lambda: _strength(warp.unzoom(level, level.shape[-2:]))
    return Result(
        state=state,
        saliency=saliency_map,
        warp=warp,
        zoomed=trace.zoomed,
        uniform=_uniform_prediction(image, _for_network(state), ground_truth),
        zoom=_prediction(trace, state, ground_truth),
        input_pixels=state.input_size**2,
        peak_magnification=float(magnification[magnification.isfinite()].amax()),
        error_rms=float(error.square().mean().sqrt()),
        error_worst=float(error.amax()),
        round_trip_error=_round_trip_error(warp, image),
        maps={name: make() for name, make in makers.items() if name in views},
    )


@torch.no_grad()
def scores(image: Tensor, state: State, ground_truth: Scene | None) -> dict[str, float] | None:
    """Return the IoU of both systems in a state; None without ground truth or without a network.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls.
        ground_truth: a scene with the true mask and box.

    Raises:
        ValueError: if the warp is folded.
    """
    _, warp = warp_of(state, image)
    zoom = _prediction(_trace(LZU, image, warp, state), state, ground_truth)
    uniform = _uniform_prediction(image, _for_network(state), ground_truth)
    if uniform.iou is None or zoom.iou is None:
        return None
    return {"uniform": uniform.iou, "zoom": zoom.iou}


@torch.no_grad()
def cell_values(
    image: Tensor, state: State, cells: Sequence[int], weights: Sequence[float]
) -> dict[str, Any] | None:
    """Return the features of some cells of the zoomed map, of the selected stride.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls.
        cells: indices of cells, row by row.
        weights: of the cells.

    Returns:
        The channel whose weighted sum is the largest, the number of channels, and the values of
        this channel; None without a network.

    Raises:
        IndexError: if there is no such cell.
        ValueError: if the warp is folded.
    """
    _, warp = warp_of(state, image)
    levels = _level_list(_trace(LZU, image, warp, state))
    if not levels:
        return None
    features = levels[_level(state, len(levels))][0].flatten(1)
    chosen = features[:, list(cells)]
    channel = int((chosen * chosen.new_tensor(weights)).sum(dim=1).argmax())
    return {"channel": channel, "channels": len(features), "values": chosen[channel].tolist()}


def _trace(kind: type[LZU], image: Tensor, warp: Warp, state: State) -> Trace:
    """Run a state's network in a system with a warp; without a network, only zoom."""
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
    """Return the network's feature maps, one per stride; empty without a network."""
    return [trace.features] if isinstance(trace.features, Tensor) else list(trace.features)


def _level(state: State, count: int) -> int:
    """Return the index of the feature map that the state selects."""
    strides = NETWORKS[state.network].strides
    stride = int(state.stride)
    return strides.index(stride) if count > 1 and stride in strides else 0


def _strength(features: Tensor) -> Tensor:
    """Return the norm of each cell's feature vector: `1 c h w` to `h w`."""
    return features[0].square().sum(dim=0).sqrt()


def _round_trip(image: Tensor, zoomed: Tensor, warp: Warp) -> Tensor:
    """Return the mean absolute change of the image by zoom and unzoom: `h w`, in 0..255."""
    size = _at_most(image, MAP_SIDE)
    unzoomed = warp.unzoom(zoomed, size, fill_value=torch.nan)
    return 255 * (unzoomed - resize(image, size)).abs().mean(dim=1)[0]


def _round_trip_error(warp: Warp, image: Tensor) -> float:
    coordinates = torch.linspace(-1, 1, ROUND_TRIP_POINTS)
    points = torch.cartesian_prod(coordinates, coordinates)[None]
    returned = warp.to_source(warp.to_zoomed(points))
    pixels = torch.tensor([image.shape[-1] / 2, image.shape[-2] / 2])
    residual = ((returned - points) * pixels).square().sum(dim=-1).sqrt()
    return float(residual[residual.isfinite()].amax())


def _at_most(image: Tensor, side: int) -> tuple[int, int]:
    """Return the image's size, reduced so that its longest side is at most ``side``."""
    rows, columns = image.shape[-2:]
    scale = min(1.0, side / max(rows, columns))
    return round(rows * scale), round(columns * scale)


def _for_network(state: State) -> State:
    """Return the state with only those fields that affect the uniform prediction."""
    return State(
        network=state.network,
        input_size=state.input_size,
        antialias=state.antialias,
        probability=state.probability,
        score=state.score,
    )


# The uniform prediction does not change while a fovea is dragged. Tensors are hashed by identity.
@lru_cache(maxsize=16)
def _uniform_prediction(image: Tensor, state: State, ground_truth: Scene | None) -> Prediction:
    return _prediction(_trace(Uniform, image, Warp.identity((1, 1)), state), state, ground_truth)


def _prediction(trace: Trace, state: State, ground_truth: Scene | None) -> Prediction:
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


def true_mask(ground_truth: Scene) -> Tensor:
    """Return the true mask of a scene `1 1 h w`, boolean, of the size of predicted masks."""
    return _true_mask(ground_truth, _at_most(ground_truth.image, MASK_SIDE))


@lru_cache(maxsize=8)
def _true_mask(ground_truth: Scene, size: tuple[int, int]) -> Tensor:
    return resize(ground_truth.mask.float(), size) > 0.5


def _person_iou(
    detections: Tensor, names: Sequence[str], ground_truth: Scene | None
) -> float | None:
    if ground_truth is None:
        return None
    people = detections[[index for index, name in enumerate(names) if name == "person"]]
    return float(boxes.iou(people, ground_truth.boxes).amax()) if len(people) else 0.0
