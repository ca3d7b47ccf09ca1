"""Accuracy against cost of the pretrained detector: stored accuracy with measured costs."""

from collections.abc import Collection, Mapping

from ...geometry.check import Size
from ..profiling import Cost, Setting, Stage, total
from .pretrained_detector import SIZES, SOURCE
from .results_store import StoredResults

AccuracyByCost = Mapping[str, Mapping[int, tuple[Cost, float]]]
"""For each system and number of input rows: the cost, and AP at IoU 0.5."""

SYSTEMS: Mapping[str, tuple[str, str, int, Collection[Stage]]] = {
    "uniform": ("uniform", "uniform", 1, ()),
    "FOVEA": ("FOVEA", "boxes", 1, ("inverse", "unzoom")),
    "LZU, outputs": ("outputs x1", "boxes", 1, ()),
    "LZU, outputs twice as fine": ("outputs x2", "boxes", 2, ()),
}
"""For each system: its name in the evaluation, its saliency policy, the upsampling factor of its
unzoomed grids, and the stages that it omits."""


def settings() -> list[Setting]:
    """Return the settings whose costs have to be measured."""
    pairs = [(saliency, factor) for _, saliency, factor, _ in SYSTEMS.values()]
    return [_setting(size, *pair) for size in SIZES for pair in dict.fromkeys(pairs)]


def accuracy_by_cost(
    kept: StoredResults, costs: Mapping[Setting, Mapping[Stage, Cost]]
) -> AccuracyByCost:
    """Return the cost and accuracy of each system.

    Args:
        kept: stored results of the evaluation "detector".
        costs: of all :func:`settings`, from `profiling.measure`.
    """
    accuracy = {(row["system"], row["rows"]): float(row["ap50"]) for row in kept.summary}
    return {
        name: {
            size[0]: (
                total(costs[_setting(size, saliency, factor)], omitted),
                accuracy[system, size[0]],
            )
            for size in SIZES
        }
        for name, (system, saliency, factor, omitted) in SYSTEMS.items()
    }


def _setting(size: Size, saliency: str, upsample_factor: int) -> Setting:
    return Setting("detector", size, SOURCE, saliency, upsample_factor=upsample_factor)
