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

from ..geometry import check
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..models import network
from ..systems import LZU
from ..systems.saliency_policies import SALIENCY_POLICIES, SaliencyInputs

Stage = Literal["saliency", "grid", "zoom", "network", "inverse", "unzoom", "head"]
STAGES: tuple[Stage, ...] = get_args(Stage)

BOXES = torch.tensor([[-0.2, -0.1, -0.1, 0.1], [0.3, 0.0, 0.35, 0.1], [0.6, -0.3, 0.7, 0.0]])
"""What the last frame is taken to have shown."""

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
        network: its name in :data:`lzu_viz.models.NETWORKS`.
        size: (rows, columns) of the zoomed image.
        source: (rows, columns) of the source image.
        saliency: name of the policy in
            :data:`lzu_viz.systems.saliency_policies.SALIENCY_POLICIES`; "uniform" is plain
            downsampling.
        separable: whether each axis is warped by itself.
        unzoom: what is unzoomed, see `LZU`.
        upsample_factor: likewise.
    """

    network: str
    size: Size
    source: Size = (900, 1600)
    saliency: str = "fixed"
    separable: bool = True
    unzoom: Literal["features", "outputs"] = "outputs"
    upsample_factor: int = 1


def time_interleaved(
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
        rounds: as in :func:`time_interleaved`.
        bar: likewise.

    Returns:
        For each setting the cost of each stage; nothing for what a fixed saliency makes once.
    """
    runs = {(setting, stage): run for setting in settings for stage, run in stages(setting).items()}
    costs: dict[Setting, dict[Stage, Cost]] = {}
    for (setting, stage), cost in time_interleaved(runs, rounds, bar).items():
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
    """Return what is done for one image, stage by stage, each with the results of those before.

    What a static saliency computes once is left out for it; plain downsampling unzooms nothing.

    Raises:
        ValueError: there is no such network, saliency policy, or way to unzoom.
    """
    module, entry = network(setting.network), SALIENCY_POLICIES[setting.saliency]
    policy = entry.build()
    inputs = SaliencyInputs(_image(check.size(setting.source)), BOXES)
    saliency_map = policy(inputs)
    plain = setting.saliency == "uniform"
    warp = (
        Warp.identity() if plain else Warp.from_saliency(saliency_map, separable=setting.separable)
    )
    system = LZU.from_network(
        module,
        warp,
        size=setting.size,
        unzoom=setting.unzoom,
        upsample_factor=setting.upsample_factor,
        decode=None,
    )
    trace = system.trace(inputs.image)
    unzoomed = trace.features if setting.unzoom == "features" else trace.head_outputs
    levels = [unzoomed] if isinstance(unzoomed, Tensor) else list(unzoomed)
    sizes = system.unzoomed_sizes(levels)

    def new() -> Warp:
        """Return a warp that has cached nothing, as one that was just made."""
        return Warp.from_axes(*warp.axes) if warp.axes else Warp.from_grid(warp.grid)

    runs: dict[Stage, Callable[[], object]] = {
        "saliency": lambda: policy(inputs),
        "grid": lambda: Warp.from_saliency(saliency_map, separable=setting.separable),
        "zoom": lambda: system.zoom(inputs.image, warp if entry.is_static else new()),
        "network": lambda: system.encode(trace.zoomed),
        "inverse": lambda: new().zoomed_maps(sizes),
        "unzoom": lambda: system.unzoom(levels, warp),
        "head": lambda: system.head(trace.head_inputs),
    }
    left_out = {"saliency", "grid", "inverse"} if entry.is_static else set[Stage]()
    left_out |= {"unzoom"} if plain else set()
    return {stage: run for stage, run in runs.items() if stage not in left_out}


@lru_cache(maxsize=2)
def _image(size: Size) -> Tensor:
    """Return the same noise to all settings."""
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other one beats in both cost and accuracy.

    Example:
        >>> pareto_front([(1, 0.2), (2, 0.1), (3, 0.4)])
        [(1, 0.2), (3, 0.4)]
    """
    best: list[Point] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cost, accuracy))
    return best
