"""What a system costs for one picture, in operations and in time, and what is worth its cost."""

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..miniature import looks
from ..miniature.systems import SYSTEMS, TASKS
from ..miniature.training import channels_last, in_system, input_size, network_for
from ..scenes.driving import SIZE
from .results import Run

Bar = Callable[[Iterable[Run], int], Iterable[Run]]
"""Goes through the runs, and shows how far it is: from the runs and how many they are."""


Point = tuple[float, float]
"""Cost and accuracy."""


class Cost(NamedTuple):
    """What one picture costs.

    Attributes:
        flops: floating point operations of convolutions and matrix products, as PyTorch's own
            counter has them: a multiplication and an addition are two. Resampling is not among
            them.
        seconds: median over rounds, of resampling, network and unzoom, on the threads that torch
            has; without decoding.
    """

    flops: int
    seconds: float


@torch.no_grad()
def measure(
    runs: Sequence[Run],
    usual: Tensor,
    rounds: int = 5,
    bar: Bar = lambda runs, _: runs,
) -> dict[Run, Cost]:
    """Measure what systems cost, with networks that need not be trained.

    All take turns in each round, so that whatever else runs on the machine slows all alike.

    Args:
        runs: which; their seeds do not matter.
        usual: `1 1 h w`, where things usually are.
        rounds: how often the time of each is taken, after a first run that is not timed.
        bar: shows how far the measuring is.

    Raises:
        ValueError: a run's system is not one for which the cost is measured: who looks at outlines
            needs a truth or one more network.
    """
    once = {run: _prepared(run, usual) for run in runs}
    flops, seconds = {}, {run: list[float]() for run in runs}
    turns = [*runs] * (rounds + 1)
    for run in bar(turns, len(turns)):
        if run not in flops:
            with FlopCounterMode(display=False) as counter:
                once[run]()
            flops[run] = counter.get_total_flops()
            continue
        started = time.perf_counter()
        once[run]()
        seconds[run].append(time.perf_counter() - started)
    return {run: Cost(flops[run], median(seconds[run])) for run in runs}


def _prepared(run: Run, usual: Tensor) -> Callable[[], object]:
    """Give what is done for one picture, with all that is made once already made."""
    system = SYSTEMS[run.system]
    if system.unzooms_masks:
        raise ValueError(f"the cost of {run.system!r} is not measured: it looks at outlines")
    task = next(each for each in TASKS if each == run.task)
    network = channels_last(network_for(task)).eval()
    size = input_size(SIZE, run.scale)
    fixed = looks.evened(usual, task)
    still = looks.still_warp(system, fixed) if system.still else None
    image = torch.rand(1, 3, *SIZE)
    boxes = [torch.tensor([[-0.2, -0.1, -0.1, 0.1], [0.3, 0.0, 0.35, 0.1]])]

    def once() -> object:
        # Who looks elsewhere in every picture makes its warp anew each time.
        warp = still or looks.warp_of(looks.box_saliency(boxes, fixed), system.separable)
        return in_system(network, system, warp, size).run(warp.zoom(image, size), warp)

    return once


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
