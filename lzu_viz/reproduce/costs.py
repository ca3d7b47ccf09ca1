"""What a system costs for one picture: counted operations, and time on this machine."""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..check import Size
from ..miniature import looks
from ..miniature.systems import SYSTEMS, TASKS
from ..miniature.training import channels_last, in_system, input_size, network_for
from ..scenes.driving import SIZE
from .results import Run


class Cost(NamedTuple):
    """What one picture costs.

    Attributes:
        flops: floating point operations of convolutions and matrix products, as PyTorch's own
            counter has them: a multiplication and an addition are two. Resampling is not among
            them.
        seconds: median, of resampling, network and unzoom, on the threads that torch has.
    """

    flops: int
    seconds: float


@torch.no_grad()
def cost(run: Run, usual: Tensor, full: Size = SIZE, rounds: int = 9) -> Cost:
    """Measure a run's system, with a network that need not be trained.

    A system that looks at other places in every picture makes its warp anew each time; the others
    have theirs.

    Args:
        run: which.
        usual: `1 1 h w`, where things usually are.
        full: (rows, columns) of the picture.
        rounds: how often the time is taken.
    """
    system = SYSTEMS[run.system]
    task = next(each for each in TASKS if each == run.task)
    network = channels_last(network_for(task)).eval()
    size = input_size(full, run.scale)
    fixed = looks.evened(usual, task)
    still = looks.still_warp(system, fixed) if system.still else None
    image = torch.rand(1, 3, *full)
    boxes = [torch.tensor([[-0.2, -0.1, -0.1, 0.1], [0.3, 0.0, 0.35, 0.1]])]

    def once() -> None:
        warp = still or looks.warp_of(looks.box_saliency(boxes, fixed), system.separable)
        in_system(network, system, warp, size)(image)

    with FlopCounterMode(display=False) as counter:
        once()
    return Cost(counter.get_total_flops(), median(_timed(once) for _ in range(rounds)))


def _timed(once: Callable[[], None]) -> float:
    started = time.perf_counter()
    once()
    return time.perf_counter() - started
