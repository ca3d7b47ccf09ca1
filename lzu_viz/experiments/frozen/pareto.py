"""What the accuracy of the detector costs: its kept evaluation beside times that are measured."""

from collections.abc import Collection, Mapping

from ...geometry.check import Size
from ..profiling import Cost, Setting, Stage, total
from .pretrained_detector import SIZES, SOURCE
from .results_store import Kept

Trade = Mapping[str, Mapping[int, tuple[Cost, float]]]
"""For each system, by the rows of its input: what it costs, and its AP at IoU 0.5."""

SYSTEMS: Mapping[str, tuple[str, str, int, Collection[Stage]]] = {
    "uniform": ("uniform", "uniform", 1, ()),
    "FOVEA": ("FOVEA", "boxes", 1, ("inverse", "unzoom")),
    "LZU, outputs": ("outputs x1", "boxes", 1, ()),
    "LZU, outputs twice as fine": ("outputs x2", "boxes", 2, ()),
}
"""Of each system: its name in the evaluation, its saliency policy, the upsampling factor of its
unzoomed grids, and the stages that it does not have."""


def settings() -> list[Setting]:
    """Return what has to be measured."""
    asked = [(saliency, factor) for _, saliency, factor, _ in SYSTEMS.values()]
    return [_setting(size, *each) for size in SIZES for each in dict.fromkeys(asked)]


def trade(kept: Kept, costs: Mapping[Setting, Mapping[Stage, Cost]]) -> Trade:
    """Put accuracy and cost together.

    Args:
        kept: the evaluation "detector".
        costs: of all :func:`settings`, by `costs.measure`.
    """
    accuracy = {(row["system"], row["rows"]): float(row["ap50"]) for row in kept.summary}
    return {
        name: {
            size[0]: (
                total(costs[_setting(size, saliency, factor)], spared),
                accuracy[system, size[0]],
            )
            for size in SIZES
        }
        for name, (system, saliency, factor, spared) in SYSTEMS.items()
    }


def _setting(size: Size, saliency: str, upsample_factor: int) -> Setting:
    return Setting("detector", size, SOURCE, saliency, upsample_factor=upsample_factor)
