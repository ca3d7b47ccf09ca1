"""Cost of each system of the reproduction for one image, in operations and in time."""

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
    """Return the cost of systems for one image, with untrained networks.

    Systems are timed in turn, so that other load on the machine affects all of them equally.

    Args:
        runs: that are measured; their seeds do not matter.
        mean_saliency: `1 1 h w`, mean saliency of the training scenes.
        rounds: timed calls of each, after one call that is not timed.
        bar: progress bar.

    Raises:
        ValueError: the policy of a run uses class boundaries, which need ground truth or another
            network.
    """
    return time_interleaved({run: _prepared(run, mean_saliency) for run in runs}, rounds, bar)


def _prepared(run: Run, mean_saliency: Tensor) -> Callable[[], object]:
    """Return a callable that processes one image, with everything computed once precomputed."""
    system = SYSTEMS[run.system]
    if system.policy.unzooms_masks:
        raise ValueError(
            f"cannot measure the cost of {run.system!r}: its saliency comes from class boundaries, "
            "which need ground truth or another network"
        )
    task = next(candidate for candidate in TASKS if candidate == run.task)
    network = channels_last(network_for(task)).eval()
    size = input_size(SIZE, run.scale)
    policy = system.policy(policies.mix_uniform(mean_saliency, task), size)
    static_warp = policy.static_warp(system.separable) if policy.is_static else None
    image = torch.rand(1, 3, *SIZE)
    masks = torch.zeros(0, *SIZE)
    boxes = [torch.tensor([[-0.2, -0.1, -0.1, 0.1], [0.3, 0.0, 0.35, 0.1]])]

    def process() -> object:
        # A policy that is not static computes a new warp for each image.
        warp = static_warp or policies.warp_of(policy(image, masks, boxes)[0], system.separable)
        return system.around(network, warp, size)(image)

    return process
