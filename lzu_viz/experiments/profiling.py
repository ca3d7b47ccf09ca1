"""Cost of each stage of a system for one image, in operations and in time.

======== ========================================================== =====================
stage    computation                                                with a fixed saliency
======== ========================================================== =====================
saliency saliency map, from boxes or from the edges of the image    computed once
grid     warp from the saliency map                                 computed once
zoom     image resampled by the warp                                sampling grid cached
network  features of the zoomed image
inverse  inverse of the warp at the pixels of all levels            computed once
unzoom   features or outputs resampled by the inverse
head     outputs from features
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
"""Boxes of the previous frame for saliency policies that need them, `n 4` xyxy in [-1, 1]."""

CostPoint = tuple[float, float]
"""(cost, accuracy)."""

Key = TypeVar("Key", bound=Hashable)

Bar = Callable[[Iterable[Key], int], Iterable[Key]]
"""Progress bar: called with an iterable and its length, returns an iterable of the same keys."""


class Cost(NamedTuple):
    """Cost of a computation.

    Attributes:
        flops: floating point operations of convolutions and matrix products, counted by
            `torch.utils.flop_counter`: a multiply-add is two. Resampling is not counted.
        seconds: median over rounds, with torch's current number of threads.
    """

    flops: int
    seconds: float


class Setting(NamedTuple):
    """Configuration of a system around a pretrained network.

    Attributes:
        network: name in :data:`lzu_viz.models.NETWORKS`.
        size: (rows, columns) of the zoomed image.
        source: (rows, columns) of the source image.
        saliency: name of the policy in
            :data:`lzu_viz.systems.saliency_policies.SALIENCY_POLICIES`; "uniform" is plain
            downsampling.
        separable: whether each axis is warped independently.
        unzoom: what is unzoomed, see `LZU`.
        upsample_factor: size of the unzoomed grids relative to the network's own, see `LZU`.
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
    rounds: int,
    bar: Bar[Key],
) -> dict[Key, Cost]:
    """Return the costs of callables, timed in turn so that other load affects all of them equally.

    Args:
        runs: callables by key.
        rounds: timed calls of each, after one call that counts operations and is not timed.
        bar: progress bar.
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
    """Return the costs of all stages of systems.

    Args:
        settings: of the systems.
        rounds: timed runs of each stage, see :func:`time_interleaved`.
        bar: progress bar.

    Returns:
        For each setting the cost of each stage; zero for stages that are not run for each image.
    """
    runs = {(setting, stage): run for setting in settings for stage, run in stages(setting).items()}
    costs: dict[Setting, dict[Stage, Cost]] = {}
    for (setting, stage), cost in time_interleaved(runs, rounds, bar).items():
        costs.setdefault(setting, dict.fromkeys(STAGES, Cost(0, 0.0)))[stage] = cost
    return costs


def benchmarked(name: str) -> dict[str, Any]:
    """Return the stored report of a benchmark, see `python -m lzu_viz.bench`."""
    path = Path(__file__).parent / "data" / "benchmarks" / f"{name}.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def total(costs: Mapping[Stage, Cost], without: Collection[Stage] = ()) -> Cost:
    """Return the total cost of the stages, except those in ``without``.

    Example:
        >>> costs = dict.fromkeys(STAGES, Cost(1, 0.5))
        >>> total(costs, without=("inverse", "unzoom"))
        Cost(flops=5, seconds=2.5)
    """
    counted = [cost for stage, cost in costs.items() if stage not in without]
    return Cost(sum(cost.flops for cost in counted), sum(cost.seconds for cost in counted))


@torch.no_grad()
def stages(setting: Setting) -> dict[Stage, Callable[[], object]]:
    """Return a callable for each stage of processing one image, given the results of earlier ones.

    Stages that a static saliency computes only once are omitted, as is "unzoom" for "uniform".

    Raises:
        ValueError: there is no such network, saliency policy, or way to unzoom.
    """
    module, entry = network(setting.network), SALIENCY_POLICIES[setting.saliency]
    policy = entry.build()
    inputs = SaliencyInputs(_image(check.size(setting.source)), BOXES)
    saliency_map = policy(inputs)
    is_uniform = setting.saliency == "uniform"
    warp = (
        Warp.identity()
        if is_uniform
        else Warp.from_saliency(saliency_map, separable=setting.separable)
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

    def uncached() -> Warp:
        """Return a copy of the warp with empty caches."""
        return Warp.from_axes(*warp.axes) if warp.axes else Warp.from_grid(warp.grid)

    runs: dict[Stage, Callable[[], object]] = {
        "saliency": lambda: policy(inputs),
        "grid": lambda: Warp.from_saliency(saliency_map, separable=setting.separable),
        "zoom": lambda: system.zoom(inputs.image, warp if entry.is_static else uncached()),
        "network": lambda: system.encode(trace.zoomed),
        "inverse": lambda: uncached().zoomed_maps(sizes),
        "unzoom": lambda: system.unzoom(levels, warp),
        "head": lambda: system.head(trace.head_inputs),
    }
    left_out = {"saliency", "grid", "inverse"} if entry.is_static else set[Stage]()
    left_out |= {"unzoom"} if is_uniform else set()
    return {stage: run for stage, run in runs.items() if stage not in left_out}


@lru_cache(maxsize=2)
def _image(size: Size) -> Tensor:
    """Return a noise image `1 3 h w`, the same for all settings of a size."""
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def pareto_front(points: Sequence[CostPoint]) -> list[CostPoint]:
    """Return the Pareto-optimal points in order of cost: low cost, high accuracy.

    Example:
        >>> pareto_front([(1, 0.2), (2, 0.1), (3, 0.4)])
        [(1, 0.2), (3, 0.4)]
    """
    best: list[CostPoint] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cost, accuracy))
    return best
