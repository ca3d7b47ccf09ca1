"""The systems that are compared: same network and input size, different resampling.

A system is one entry of `SYSTEMS`; tables, costs and plots are generated from the entries.
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

TrainingTask = Literal["detection", "segmentation", "detection3d"]
TASKS: tuple[TrainingTask, ...] = ("detection", "segmentation", "detection3d")
BOX_TASKS: tuple[TrainingTask, ...] = ("detection", "detection3d")
MASK_TASKS: tuple[TrainingTask, ...] = ("segmentation",)

SmallNetwork = Detector | Detector3D | Segmenter


@dataclass(frozen=True)
class TrainedSystem:
    """A system in which a network is trained and evaluated.

    Attributes:
        name: as used on the command line.
        description: a few words.
        kind: the class of the system: how image, features and boxes are resampled.
        policy: the saliency policy.
        tasks: that the system supports.
        upsample_factor: size of the unzoomed grids relative to the network's own grids.
        separable: whether each axis is warped independently.
        predownsampled: whether the source is first reduced to the network's input size, so that no
            detail is left for the zoom to preserve.
        in_short_table: tasks whose short table includes the system.
    """

    name: str
    description: str
    kind: type[System]
    policy: type[TrainingPolicy]
    tasks: tuple[TrainingTask, ...] = TASKS
    upsample_factor: int = 1
    separable: bool = True
    predownsampled: bool = False
    in_short_table: tuple[TrainingTask, ...] = ()

    @property
    def in_source(self) -> bool:
        """Whether the head works in the source frame rather than in the zoomed frame."""
        return issubclass(self.kind, LZU)

    def around(self, network: SmallNetwork, warp: Warp, size: Size) -> System:
        """Return the system wrapped around a network.

        Args:
            network: one of the small networks.
            warp: that zooms the images.
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
        "plain downsampling, head on grids twice as fine",
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
        "zoom at ground truth boundaries, mask unzoomed",
        LZ,
        EdgePolicy,
        MASK_TASKS,
        in_short_table=MASK_TASKS,
    ),
    TrainedSystem(
        "edge-expected",
        "zoom at predicted boundaries, mask unzoomed",
        LZ,
        ExpectedEdgePolicy,
        MASK_TASKS,
    ),
    TrainedSystem("lzu", "zoom, features unzoomed", LZU, FixedPolicy, in_short_table=TASKS),
    TrainedSystem(
        "lzu-fine",
        "zoom, features unzoomed to grids twice as fine",
        LZU,
        FixedPolicy,
        upsample_factor=2,
    ),
    TrainedSystem("lzu-full", "LZU with a non-separable warp", LZU, FixedPolicy, separable=False),
    TrainedSystem(
        "lzu-adaptive",
        "saliency from previous boxes; trained with ground truth",
        LZU,
        BoxPolicy,
        BOX_TASKS,
    ),
    TrainedSystem(
        "lzu-cascaded",
        "saliency from previous boxes; trained with detections",
        LZU,
        DetectedBoxPolicy,
        BOX_TASKS,
    ),
    TrainedSystem("lzu-wrong", "fixed saliency in the wrong place", LZU, WrongPolicy),
    TrainedSystem(
        "uniform-destroyed", "source downsampled first", Uniform, UniformPolicy, predownsampled=True
    ),
    TrainedSystem(
        "lzu-destroyed",
        "source downsampled first, then zoomed",
        LZU,
        FixedPolicy,
        predownsampled=True,
    ),
):
    SYSTEMS.register(_system.name, _system)


def systems_of(task: TrainingTask, short: bool = False) -> list[TrainedSystem]:
    """Return the systems that support a task, or only those in its short table."""
    return [
        system
        for system in SYSTEMS.values()
        if task in (system.in_short_table if short else system.tasks)
    ]
