"""The systems that are compared: one network, the same input size, only the resampling differs."""

from dataclasses import dataclass
from typing import Literal

from ...systems.lzu import LZ, LZU, Fovea, Uniform

Task = Literal["detection", "segmentation", "detection3d"]
TASKS: tuple[Task, ...] = ("detection", "segmentation", "detection3d")
BOXED: tuple[Task, ...] = ("detection", "detection3d")
MASKED: tuple[Task, ...] = ("segmentation",)

Look = Literal["nowhere", "fixed", "wrong", "boxes", "found", "edges", "expected edges"]
"""Where a system looks.

nowhere: everywhere alike. fixed: where things were in training. wrong: where they were not. boxes:
at what was found in the last frame; trained on true boxes of this one, jittered. found: the same,
trained on what was found in the last frame, jittered. edges: at the true outlines. expected edges:
at the outlines that a small network expects.
"""


@dataclass(frozen=True)
class System:
    """How a network is fed.

    Attributes:
        name: as the command line has it.
        says: in a few words.
        kind: what is done with image, features and boxes.
        look: where it looks.
        tasks: for which it is made.
        finer: how many times as fine as the network's own the unzoomed grids are.
        separable: whether each axis is warped by itself.
        destroyed: whether the source is first reduced to the network's size, so that no detail is
            left that a zoom could save.
        core: for which tasks it is in the short table.
    """

    name: str
    says: str
    kind: type[LZ]
    look: Look
    tasks: tuple[Task, ...] = TASKS
    finer: int = 1
    separable: bool = True
    destroyed: bool = False
    core: tuple[Task, ...] = ()

    @property
    def in_source(self) -> bool:
        """Whether the head works in the source frame; otherwise it does in the zoomed one."""
        return issubclass(self.kind, LZU)

    @property
    def still(self) -> bool:
        """Whether it looks at the same place in every picture."""
        return self.look in ("nowhere", "fixed", "wrong")

    @property
    def unzooms_masks(self) -> bool:
        """Whether masks that are made in the zoomed frame are unzoomed in the end."""
        return self.look in ("edges", "expected edges")


_ALL = (
    System("uniform", "plain downsampling", Uniform, "nowhere", core=TASKS),
    System("uniform-fine", "the same, head on a grid twice as fine", Uniform, "nowhere", finer=2),
    System("lz", "zoom, no unzoom", LZ, "fixed"),
    System("fovea", "zoom, boxes mapped back", Fovea, "fixed", BOXED, core=BOXED),
    System("edge", "dense at true outlines, mask unzoomed", LZ, "edges", MASKED, core=MASKED),
    System("edge-expected", "the same, outlines expected", LZ, "expected edges", MASKED),
    System("lzu", "zoom, features unzoomed", LZU, "fixed", core=TASKS),
    System("lzu-fine", "the same, onto a grid twice as fine", LZU, "fixed", finer=2),
    System("lzu-full", "non-separable warp", LZU, "fixed", separable=False),
    System("lzu-adaptive", "at last boxes; trained on true ones", LZU, "boxes", BOXED),
    System("lzu-cascaded", "at last boxes; trained on found ones", LZU, "found", BOXED),
    System("lzu-wrong", "looks where things are not", LZU, "wrong"),
    System("uniform-destroyed", "source reduced first", Uniform, "nowhere", destroyed=True),
    System("lzu-destroyed", "source reduced first, then zoomed", LZU, "fixed", destroyed=True),
)

SYSTEMS = {system.name: system for system in _ALL}


def systems_of(task: Task, core: bool = False) -> list[System]:
    """Give the systems that are made for a task, or those of its short table."""
    return [each for each in _ALL if task in (each.core if core else each.tasks)]
