"""Systems on films: uniform downsampling, zooms that follow their own detections, and slicing."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ..geometry import check, saliency
from ..geometry.boxes import Detections, iou
from ..geometry.check import Size
from ..geometry.merging import Merge
from ..geometry.warp import Warp
from ..metrics.matching import match_greedily
from ..models.registry import Network
from ..systems import LZU, Fovea, Uniform
from ..systems.sliced import Sliced
from ..systems.video import FrameResult, constant_velocity, follow

FilmSystem = Literal["uniform", "fovea", "lzu", "sliced"]
FILM_SYSTEMS: tuple[FilmSystem, ...] = get_args(FilmSystem)

MULTIPLE = 32
"""Sides of a network's input are multiples of this number."""


@dataclass(frozen=True)
class Loop:
    """How the detections of one frame become the warp of the next.

    The default is gentle, and was chosen on the first half of the film `courtyard`: of twelve
    loops, it is the simplest whose recall is within 0.01 of the best, see
    `lzu_viz.experiments.frozen.film`.

    Attributes:
        amplitude: weight of a box relative to the uniform floor.
        relative_sigma: standard deviation of a box's Gaussian, in units of the box's sides.
        patience: number of frames without detections for which the last boxes are kept.
        gain: factor on the velocity of the boxes, which are moved on by it; 0 for none.
    """

    amplitude: float = 0.3
    relative_sigma: float = 1.0
    patience: int = 0
    gain: float = 0.0

    def warp(self, boxes: Tensor) -> Warp:
        """Return the warp for boxes `n 4`, xyxy in [-1, 1] of the source frame."""
        return Warp.from_saliency(
            saliency.from_boxes_scale_free(boxes, self.amplitude, self.relative_sigma)
        )


GENTLE = Loop()
STRONG = Loop(amplitude=1.0, relative_sigma=0.5)


def tile_size(size: Sequence[int], inputs: int) -> Size:
    """Return the size of each of several inputs that have at most as many pixels in all as one.

    Args:
        size: (rows, columns) of the one input.
        inputs: number of inputs.

    Returns:
        Multiples of 32, at least 32, with about the aspect ratio of the one input.

    Example:
        >>> tile_size((192, 256), 4)
        (96, 128)
        >>> tile_size((192, 256), 5)
        (96, 96)
    """
    rows, columns = check.size(size)
    height, width = rows / math.sqrt(inputs), columns / math.sqrt(inputs)
    fitting = [
        (row, column)
        for row in range(MULTIPLE, math.floor(2 * height), MULTIPLE)
        for column in range(MULTIPLE, math.floor(2 * width), MULTIPLE)
        if inputs * row * column <= rows * columns
    ]
    return max(
        fitting,
        key=lambda pair: min(pair[0] / height, pair[1] / width),
        default=(MULTIPLE, MULTIPLE),
    )


@torch.no_grad()
def run(
    name: FilmSystem,
    network: Network,
    frames: Iterable[Tensor],
    size: Sequence[int],
    loop: Loop = GENTLE,
    *,
    label: int | None = 0,
    threshold: float = 0.35,
    unzoom: dict[str, Any] | None = None,
    tiles: Sequence[int] = (2, 2),
    tile: Sequence[int] | None = None,
    merge: Merge = "nms",
) -> Iterator[FrameResult]:
    """Run a system on the frames of a film.

    Args:
        name: "uniform"; "fovea" and "lzu", whose saliency follows their own detections; "sliced".
        network: a detector.
        frames: images `1 3 h w`, in order, on the network's device.
        size: (rows, columns) of the network's input.
        loop: how detections become the warp of the next frame.
        label: class that is followed; None for all classes.
        threshold: minimum score of detections.
        unzoom: options of :class:`lzu_viz.LZU`, for example those of the network's entry.
        tiles: (rows, columns) of tiles of "sliced"; the whole image is one more input.
        tile: (rows, columns) of a tile's input; by default all inputs together have at most as many
            pixels as ``size``.
        merge: how "sliced" merges boxes, see :func:`lzu_viz.geometry.merging.merge_detections`.

    Yields:
        The result of each frame.

    Raises:
        ValueError: the system is unknown.
    """
    check.one_of(name, FILM_SYSTEMS, "system")

    def decode(*arguments: Any, **options: Any) -> list[Detections]:
        found: list[Detections] = network.decode(*arguments, **options, threshold=threshold)
        return found

    if name == "sliced":
        rows, columns = check.size(tiles, "tiles")
        own = tile_size(size, rows * columns + 1) if tile is None else check.size(tile, "tile")
        sliced = Sliced.from_network(network, size=own, tiles=(rows, columns), merge=merge)
        yield from _unfollowed(
            lambda frame: sliced.to(frame.device).detect(frame, decode)[0], frames
        )
    elif name == "uniform":
        uniform = Uniform.from_network(network, size=size)
        yield from _unfollowed(lambda frame: uniform.detect(frame, decode)[0], frames)
    else:
        start = Warp.identity((1, 1))
        system = (
            Fovea.from_network(network, start, size=size)
            if name == "fovea"
            else LZU.from_network(network, start, size=size, **(unzoom or {}))
        )
        motion = constant_velocity(loop.gain) if loop.gain else None
        yield from follow(
            system, frames, decode, loop.warp, label=label, patience=loop.patience, motion=motion
        )


def _unfollowed(
    detect: Callable[[Tensor], Detections], frames: Iterable[Tensor]
) -> Iterator[FrameResult]:
    """Yield the results of a system without a warp of its own."""
    identity = Warp.identity((1, 1))
    for frame in frames:
        yield FrameResult(detect(frame), copy(identity), torch.zeros(0, 4))


def precision_and_recall(
    results: Iterable[FrameResult],
    references: Iterable[Tensor],
    label: int = 0,
    min_iou: float = 0.5,
) -> tuple[float, float]:
    """Return the share of detections that are right, and the share of boxes that are detected.

    Args:
        results: of a system, frame by frame.
        references: boxes `n 4` of each frame, xyxy in [-1, 1].
        label: class of the boxes; other detections are ignored.
        min_iou: minimum intersection over union; each detection counts for one box.

    Returns:
        (precision, recall) in 0..1; NaN without detections, or without reference boxes.
    """
    matched = detected = total = 0
    for result, boxes in zip(results, references, strict=True):
        found = result.detections.boxes[result.detections.labels == label]
        total += len(boxes)
        detected += len(found)
        if len(boxes) and len(found):
            cost = 1 - iou(found.to(boxes), boxes).numpy()
            matched += int((match_greedily(cost, limit=1 - min_iou) >= 0).sum())
    precision = matched / detected if detected else math.nan
    return precision, matched / total if total else math.nan
