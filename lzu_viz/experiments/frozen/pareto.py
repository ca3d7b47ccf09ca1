"""What the accuracy of the detector costs: its kept evaluation beside times that are measured."""

from collections.abc import Collection, Mapping

from ...geometry.check import Size
from ..profiling import Cost, Look, Setting, Stage, total
from .pretrained_detector import SIZES, SOURCE
from .results_store import Kept

Trade = Mapping[str, Mapping[int, tuple[Cost, float]]]
"""For each system, by the rows of its input: what it costs, and its AP at IoU 0.5."""

SYSTEMS: Mapping[str, tuple[str, Look, int, Collection[Stage]]] = {
    "uniform": ("uniform", "nowhere", 1, ()),
    "FOVEA": ("FOVEA", "boxes", 1, ("inverse", "unzoom")),
    "LZU, outputs": ("outputs x1", "boxes", 1, ()),
    "LZU, outputs twice as fine": ("outputs x2", "boxes", 2, ()),
}
"""Of each system: its name in the evaluation, where it looks, how fine it unzooms, and which stages
it is spared."""


def settings() -> list[Setting]:
    """Give what has to be measured."""
    asked = [(look, finer) for _, look, finer, _ in SYSTEMS.values()]
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
                total(costs[_setting(size, look, finer)], spared),
                accuracy[system, size[0]],
            )
            for size in SIZES
        }
        for name, (system, look, finer, spared) in SYSTEMS.items()
    }


def _setting(size: Size, look: Look, finer: int) -> Setting:
    return Setting("detector", size, SOURCE, look, finer=finer)
