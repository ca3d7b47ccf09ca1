"""Costs: what each stage of a system costs for one image, in operations and in time.

======== ========================================================== =====================
stage    what is done                                               with a fixed saliency
======== ========================================================== =====================
saliency a map is made, from boxes or from the edges of the image   made once
grid     the warp that the map asks for                             made once
zoom     the image is read through the warp                         where is known
network  features of the zoomed image
inverse  the warp backwards, at the pixels of all levels            made once
unzoom   features or outputs are read through it
head     features become outputs
======== ========================================================== =====================
"""

import json
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..geometry import check, saliency
from ..geometry.check import Size
from ..geometry.resampling import resize
from ..geometry.warp import Warp
from ..models import NanoDet, SelfieSegmenter
from ..systems.lzu import Levels

Look = Literal["nowhere", "fixed", "boxes", "image"]
"""What saliency is made of: nothing, for plain downsampling; nothing new; the boxes of the last
frame; or the image itself."""

Stage = Literal["saliency", "grid", "zoom", "network", "inverse", "unzoom", "head"]
STAGES: tuple[Stage, ...] = get_args(Stage)

BOXES = torch.tensor([[-0.2, -0.1, -0.1, 0.1], [0.3, 0.0, 0.35, 0.1], [0.6, -0.3, 0.7, 0.0]])
"""What the last frame is taken to have shown."""

LOOKED_AT: Size = (128, 256)
"""(rows, columns) of the small image whose edges are looked at."""

Point = tuple[float, float]
"""Cost and accuracy."""

Key = TypeVar("Key", bound=Hashable)

Bar = Callable[[Iterable[Key], int], Iterable[Key]]
"""Goes through keys, and shows how far it is: from the keys and how many they are."""


class Cost(NamedTuple):
    """What something costs.

    Attributes:
        flops: floating point operations of convolutions and matrix products, as PyTorch's own
            counter has them: a multiplication and an addition are two. Resampling is not among
            them.
        seconds: median over rounds, on the threads that torch has.
    """

    flops: int
    seconds: float


class Setting(NamedTuple):
    """A system around a pretrained network, and what it is given.

    Attributes:
        network: "detector" or "segmenter".
        size: (rows, columns) of the zoomed image.
        source: (rows, columns) of the source image.
        look: what saliency is made of.
        separable: whether each axis is warped by itself.
        unzoom: what is unzoomed, see `LZU`.
        finer: likewise.
    """

    network: Literal["detector", "segmenter"]
    size: Size
    source: Size = (900, 1600)
    look: Look = "fixed"
    separable: bool = True
    unzoom: Literal["features", "outputs"] = "outputs"
    finer: int = 1


def take_turns(
    runs: Mapping[Key, Callable[[], object]],
    rounds: int = 5,
    bar: Bar[Key] = lambda keys, _: keys,
) -> dict[Key, Cost]:
    """Measure what runs cost. All take turns, so that whatever else runs slows all alike.

    Args:
        runs: what is measured.
        rounds: how often the time of each is taken, after a first run that is not timed.
        bar: shows how far the measuring is.
    """
    flops: dict[Key, int] = {}
    seconds: dict[Key, list[float]] = {key: [] for key in runs}
    turns = [*runs] * (rounds + 1)
    for key in bar(turns, len(turns)):
        if key not in flops:
            with FlopCounterMode(display=False) as counter:
                runs[key]()
            flops[key] = counter.get_total_flops()
            continue
        started = time.perf_counter()
        runs[key]()
        seconds[key].append(time.perf_counter() - started)
    return {key: Cost(flops[key], median(seconds[key])) for key in runs}


@torch.no_grad()
def measure(
    settings: Iterable[Setting],
    rounds: int = 5,
    bar: Bar[tuple[Setting, Stage]] = lambda keys, _: keys,
) -> dict[Setting, dict[Stage, Cost]]:
    """Measure all stages of systems.

    Args:
        settings: which.
        rounds: as in :func:`take_turns`.
        bar: likewise.

    Returns:
        For each setting the cost of each stage; nothing for what a fixed saliency makes once.
    """
    runs = {(setting, stage): run for setting in settings for stage, run in stages(setting).items()}
    costs: dict[Setting, dict[Stage, Cost]] = {}
    for (setting, stage), cost in take_turns(runs, rounds, bar).items():
        costs.setdefault(setting, dict.fromkeys(STAGES, Cost(0, 0.0)))[stage] = cost
    return costs


def benchmarked(name: str) -> dict[str, Any]:
    """Read the report of a benchmark that comes with the package, see `python -m lzu_viz.bench`."""
    path = Path(__file__).parent / "data" / "benchmarks" / f"{name}.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def total(costs: Mapping[Stage, Cost], without: Collection[Stage] = ()) -> Cost:
    """Add stages up.

    Example:
        >>> costs = dict.fromkeys(STAGES, Cost(1, 0.5))
        >>> total(costs, without=("inverse", "unzoom"))
        Cost(flops=5, seconds=2.5)
    """
    kept = [cost for stage, cost in costs.items() if stage not in without]
    return Cost(sum(cost.flops for cost in kept), sum(cost.seconds for cost in kept))


@torch.no_grad()
def stages(setting: Setting) -> dict[Stage, Callable[[], object]]:
    """Give what is done for one image, stage by stage, each with what those before it gave.

    What a fixed saliency makes once is left out for it; plain downsampling has nothing to unzoom.

    Raises:
        ValueError: there is no such network, look, or way to unzoom.
    """
    for value, choices in (
        (setting.network, ("detector", "segmenter")),
        (setting.look, get_args(Look)),
        (setting.unzoom, ("features", "outputs")),
    ):
        if value not in choices:
            raise ValueError(f"expected one of {choices}, got {value!r}")
    network = _network(setting.network)
    head: Callable[[Any], Levels] = network.head
    size, image = check.size(setting.size), _image(check.size(setting.source))
    look = _look_at(setting.look, image)
    found = look()
    plain = setting.look == "nowhere"
    warp = Warp.identity() if plain else Warp.from_saliency(found, separable=setting.separable)
    zoomed = warp.zoom(image, size)
    features = network.features(zoomed)
    unzoomed = features if setting.unzoom == "features" else head(features)
    levels = [unzoomed] if isinstance(unzoomed, Tensor) else list(unzoomed)
    sizes = [(each.shape[-2] * setting.finer, each.shape[-1] * setting.finer) for each in levels]
    heard: Levels = features
    if setting.unzoom == "features":
        through = warp.unzoom_levels(levels, sizes)
        heard = through[0] if isinstance(features, Tensor) else through
    fixed = plain or setting.look == "fixed"

    def anew() -> Warp:
        """Give a warp that remembers nothing, as one that was just made."""
        return Warp.from_axes(*warp.axes) if warp.axes else Warp.from_grid(warp.grid)

    every: dict[Stage, Callable[[], object]] = {
        "saliency": look,
        "grid": lambda: Warp.from_saliency(found, separable=setting.separable),
        "zoom": lambda: (warp if fixed else anew()).zoom(image, size),
        "network": lambda: network.features(zoomed),
        "inverse": lambda: anew().zoomed_maps(sizes),
        "unzoom": lambda: warp.unzoom_levels(levels, sizes),
        "head": lambda: head(heard),
    }
    spared = {"saliency", "grid", "inverse"} if fixed else set[Stage]()
    spared |= {"unzoom"} if plain else set()
    return {stage: run for stage, run in every.items() if stage not in spared}


@lru_cache
def _network(name: str) -> NanoDet | SelfieSegmenter:
    """Give the same network to all settings."""
    return NanoDet() if name == "detector" else SelfieSegmenter()


@lru_cache(maxsize=2)
def _image(size: Size) -> Tensor:
    """Give the same noise to all settings."""
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def _look_at(look: Look, image: Tensor) -> Callable[[], Tensor]:
    """Give what makes the saliency map."""
    if look == "image":
        return lambda: saliency.from_edges(resize(image, LOOKED_AT))
    return lambda: saliency.from_boxes_scale_free(BOXES)


def frontier(points: Sequence[Point]) -> list[Point]:
    """Give the points that no other one beats: none is as cheap and better, or as good and cheaper.

    Example:
        >>> frontier([(1, 0.2), (2, 0.1), (3, 0.4)])
        [(1, 0.2), (3, 0.4)]
    """
    best: list[Point] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cost, accuracy))
    return best
