"""The systems that are compared: one network, the same input size, only the resampling differs.

A system is one entry of `SYSTEMS`; tables, costs and plots are made from the entries.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ...geometry.check import Size
from ...geometry.warp import Warp
from ...models.registry import Registry
from ...models.small import Detector, Detector3D, Segmenter
from ...systems import LZ, LZU, Fovea, System, Uniform
from .policies import (
    BoxPolicy,
    DetectedBoxPolicy,
    EdgePolicy,
    ExpectedEdgePolicy,
    FixedPolicy,
    TrainingPolicy,
    UniformPolicy,
    WrongPolicy,
)

Task = Literal["detection", "segmentation", "detection3d"]
TASKS: tuple[Task, ...] = ("detection", "segmentation", "detection3d")
BOX_TASKS: tuple[Task, ...] = ("detection", "detection3d")
MASK_TASKS: tuple[Task, ...] = ("segmentation",)

Network = Detector | Detector3D | Segmenter


@dataclass(frozen=True)
class TrainedSystem:
    """How a network is fed in training and evaluation.

    Attributes:
        name: as the command line has it.
        description: in a few words.
        kind: what is done with image, features and boxes.
        policy: where it looks.
        tasks: for which it is made.
        upsample_factor: size of the unzoomed grids in units of the network's own.
        separable: whether each axis is warped by itself.
        predownsampled: whether the source is first reduced to the network's size, so that no detail
            is left that a zoom could preserve.
        in_short_table: for which tasks it is in the short table.
    """

    name: str
    description: str
    kind: type[System]
    policy: type[TrainingPolicy]
    tasks: tuple[Task, ...] = TASKS
    upsample_factor: int = 1
    separable: bool = True
    predownsampled: bool = False
    in_short_table: tuple[Task, ...] = ()

    @property
    def in_source(self) -> bool:
        """Whether the head works in the source frame; otherwise it does in the zoomed one."""
        return issubclass(self.kind, LZU)

    def around(self, network: Network, warp: Warp, size: Size) -> System:
        """Return the system around a network.

        Args:
            network: one of the small networks.
            warp: by which images are zoomed.
            size: (rows, columns) of the network's input.
        """
        options: dict[str, Any] = {"size": size}
        if self.in_source:
            options["upsample_factor"] = self.upsample_factor
        return self.kind.from_network(network, warp, **options)


SYSTEMS: Registry[TrainedSystem] = Registry("system")
"""The systems by name."""

for _system in (
    TrainedSystem("uniform", "plain downsampling", Uniform, UniformPolicy, in_short_table=TASKS),
    TrainedSystem(
        "uniform-fine",
        "the same, head on a grid twice as fine",
        Uniform,
        UniformPolicy,
        upsample_factor=2,
    ),
    TrainedSystem("lz", "zoom, no unzoom", LZ, FixedPolicy),
    TrainedSystem(
        "fovea", "zoom, boxes mapped back", Fovea, FixedPolicy, BOX_TASKS, in_short_table=BOX_TASKS
    ),
    TrainedSystem(
        "edge",
        "dense at true outlines, mask unzoomed",
        LZ,
        EdgePolicy,
        MASK_TASKS,
        in_short_table=MASK_TASKS,
    ),
    TrainedSystem(
        "edge-expected", "the same, outlines expected", LZ, ExpectedEdgePolicy, MASK_TASKS
    ),
    TrainedSystem("lzu", "zoom, features unzoomed", LZU, FixedPolicy, in_short_table=TASKS),
    TrainedSystem(
        "lzu-fine", "the same, onto a grid twice as fine", LZU, FixedPolicy, upsample_factor=2
    ),
    TrainedSystem("lzu-full", "non-separable warp", LZU, FixedPolicy, separable=False),
    TrainedSystem("lzu-adaptive", "at last boxes; trained on true ones", LZU, BoxPolicy, BOX_TASKS),
    TrainedSystem(
        "lzu-cascaded", "at last boxes; trained on found ones", LZU, DetectedBoxPolicy, BOX_TASKS
    ),
    TrainedSystem("lzu-wrong", "looks where things are not", LZU, WrongPolicy),
    TrainedSystem(
        "uniform-destroyed", "source reduced first", Uniform, UniformPolicy, predownsampled=True
    ),
    TrainedSystem(
        "lzu-destroyed", "source reduced first, then zoomed", LZU, FixedPolicy, predownsampled=True
    ),
):
    SYSTEMS.register(_system.name, _system)


def systems_of(task: Task, short: bool = False) -> list[TrainedSystem]:
    """Return the systems that are made for a task, or those of its short table."""
    return [
        system
        for system in SYSTEMS.values()
        if task in (system.in_short_table if short else system.tasks)
    ]
