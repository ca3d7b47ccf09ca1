"""Training of one network in one system; the recipe is the same for all systems."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.driving import SEMANTIC_CLASSES
from ...datasets.streets import Streets
from ...geometry.check import Size
from ...geometry.warp import Warp
from ...models.small.detector import Detector
from ...models.small.detector3d import Detector3D
from ...models.small.segmenter import Segmenter
from .policies import fixed_saliency
from .trained_systems import SmallNetwork, TrainedSystem, TrainingTask
from .warped_dataset import WarpedDataset


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of the training.

    Attributes:
        steps: number of optimiser steps.
        batch: images per step.
        learning_rate: peak learning rate, reached after a fifth of the steps (one-cycle schedule).
    """

    steps: int = 600
    batch: int = 16
    learning_rate: float = 8e-3


def network_for(task: TrainingTask) -> SmallNetwork:
    """Return an untrained network for a task."""
    if task == "segmentation":
        return Segmenter(len(SEMANTIC_CLASSES))
    return Detector() if task == "detection" else Detector3D()


def input_size(full: Size, scale: float) -> Size:
    """Return the size of a network's input: the multiples of 16 nearest to the scaled size.

    Example:
        >>> input_size((192, 640), 0.25)
        (48, 160)
    """
    rows, columns = (max(16, 16 * round(side * scale / 16)) for side in full)
    return rows, columns


def _warm_up_fraction(steps: int) -> float:
    """Return the warm-up fraction of the steps; torch fails if the warm-up is exactly one step."""
    return 0.2 if steps != 5 else 0.3


def channels_last(network: SmallNetwork) -> SmallNetwork:
    """Return the network with channels-last weights, the fastest layout for its convolutions."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def run(
    network: SmallNetwork, system: TrainedSystem, zoomed: Tensor, warp: Warp, size: Size
) -> list[Tensor]:
    """Return the outputs of a network in a system, computed on the network's device.

    In float32: most CPUs are no faster in bfloat16, many are slower. Outputs are moved to the CPU,
    where ground truth and losses are, so that losses are computed alike on all devices.

    Returns:
        One map per level, on the CPU.
    """
    device = next(network.parameters()).device
    warp = warp.to(device)
    image = zoomed.to(device, memory_format=torch.channels_last)
    outputs = system.around(network, warp, size).forward_zoomed(image, warp)
    levels = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return [level.cpu() for level in levels]


class Training:
    """Training loop of one network: iterating over it runs the steps and yields their losses.

    The same seed gives the same network on the same machine.

    Args:
        task: of the network.
        system: in which the network is trained.
        scale: size of the network's input relative to the image.
        seed: of the initial weights, the order of scenes and the augmentation.
        streets: training scenes.
        recipe: hyperparameters; None for the defaults.
        boxes: `n 4` for each scene, for a system whose policy needs boxes.
        device: on which the network is trained.

    Attributes:
        network: the network that is trained.
        dataset: its training data.
        losses: one for each step so far.
    """

    def __init__(
        self,
        task: TrainingTask,
        system: TrainedSystem,
        scale: float,
        seed: int,
        streets: Streets,
        recipe: Recipe | None = None,
        boxes: Sequence[Tensor] | None = None,
        device: str = "cpu",
    ) -> None:
        if task not in system.tasks:
            raise ValueError(
                f"system {system.name!r} does not support task {task!r}, only {list(system.tasks)}"
            )
        self.task, self.system, self.seed, self.device = task, system, seed, device
        self.recipe = recipe or Recipe()
        self.size = input_size(streets.size, scale)
        torch.manual_seed(seed)
        self.network = channels_last(network_for(task)).to(device)
        mean_saliency = fixed_saliency(streets.ground_truth)
        self.dataset = WarpedDataset(task, system, streets, self.size, mean_saliency, boxes)
        self.weights = self.dataset.weights()
        self.losses: list[float] = []

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.recipe.steps

    def __iter__(self) -> Iterator[float]:
        """Train, and yield the loss of each step."""
        recipe = self.recipe
        parameters = [*self.network.parameters(), *self.dataset.parameters()]
        optimiser = torch.optim.AdamW(
            parameters, recipe.learning_rate, weight_decay=0.01, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.learning_rate, recipe.steps, pct_start=_warm_up_fraction(recipe.steps)
        )
        rng, jitter = np.random.default_rng(self.seed), torch.Generator().manual_seed(self.seed)
        self.network.train()
        self.dataset.train()
        for _ in range(recipe.steps):
            scenes = rng.integers(0, len(self.dataset), recipe.batch)
            loss = self._loss(scenes, rng.random(recipe.batch) < 0.5, jitter)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            self.losses.append(loss.item())
            yield self.losses[-1]
        self.network.eval()
        self.dataset.eval()

    def _loss(
        self, scenes: NDArray[np.int64], mirrored: NDArray[np.bool_], jitter: torch.Generator
    ) -> Tensor:
        batch = self.dataset.batch(scenes, mirrored, jitter)
        outputs = run(self.network, self.system, batch.zoomed, batch.warp, self.size)
        if isinstance(self.network, Segmenter):
            loss = self.network.loss(outputs[0], batch.semantic_mask, self.weights)
        else:
            loss = self.network.loss(outputs, batch.targets, self.size)
        return loss + batch.extra
