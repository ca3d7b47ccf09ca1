"""What a system of the miniature costs for one picture, in operations and in time."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...datasets.driving import SIZE
from ..profiling import Bar, Cost, time_interleaved
from ..training import policies
from ..training.trained_systems import SYSTEMS, TASKS
from ..training.trainer import channels_last, input_size, network_for
from .results import Run


@torch.no_grad()
def measure(
    runs: Sequence[Run],
    mean_saliency: Tensor,
    rounds: int = 5,
    bar: Bar[Run] = lambda runs, _: runs,
) -> dict[Run, Cost]:
    """Measure what systems cost, with networks that need not be trained.

    All take turns in each round, so that whatever else runs on the machine slows all alike.

    Args:
        runs: which; their seeds do not matter.
        mean_saliency: `1 1 h w`, where things usually are.
        rounds: how often the time of each is taken, after a first run that is not timed.
        bar: shows how far the measuring is.

    Raises:
        ValueError: a run's system is not one for which the cost is measured: who looks at outlines
            needs a truth or one more network.
    """
    return time_interleaved({run: _prepared(run, mean_saliency) for run in runs}, rounds, bar)


def _prepared(run: Run, mean_saliency: Tensor) -> Callable[[], object]:
    """Return what is done for one picture, with all that is made once already made."""
    system = SYSTEMS[run.system]
    if system.policy.unzooms_masks:
        raise ValueError(f"the cost of {run.system!r} is not measured: it looks at outlines")
    task = next(each for each in TASKS if each == run.task)
    network = channels_last(network_for(task)).eval()
    size = input_size(SIZE, run.scale)
    policy = system.policy(policies.mix_uniform(mean_saliency, task), size)
    static = policy.static_warp(system.separable) if policy.is_static else None
    image = torch.rand(1, 3, *SIZE)
    masks = torch.zeros(0, *SIZE)
    boxes = [torch.tensor([[-0.2, -0.1, -0.1, 0.1], [0.3, 0.0, 0.35, 0.1]])]

    def once() -> object:
        # A policy that is not static makes a new warp for each picture.
        warp = static or policies.warp_of(policy(image, masks, boxes)[0], system.separable)
        return system.around(network, warp, size)(image)

    return once
