"""What a run of the miniature gave: one line of JSON, and tables of many."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

RECORDED = Path(__file__).parents[1] / "data" / "miniature" / "results.jsonl"
"""The runs that come with the package: trained and judged with products rounded to bfloat16.

Runs are in float32 by now, which most CPUs do faster; figures differ no more than those of seeds.
"""


class Run(NamedTuple):
    """What is run: one network, trained once.

    Attributes:
        task: "detection", "segmentation" or "detection3d".
        system: a name of `miniature.systems.SYSTEMS`.
        scale: of the network's input to the picture.
        seed: of the training.
        preset: kind of streets.
    """

    task: str
    system: str
    scale: float
    seed: int
    preset: str = "far"


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Attributes:
        task: as in `Run`, like the next four.
        system: ~
        scale: ~
        seed: ~
        preset: ~
        metrics: names of figures and their values.
        settings: all that was chosen.
        versions: of Python, torch and this package.
        seconds: that it took, on the machine where it ran.
    """

    task: str
    system: str
    scale: float
    seed: int
    preset: str
    metrics: dict[str, float]
    settings: dict[str, Any]
    versions: dict[str, str]
    seconds: float

    @property
    def run(self) -> Run:
        """What was run."""
        return Run(self.task, self.system, self.scale, self.seed, self.preset)


def append(result: Result, path: Path) -> None:
    """Add a line to a file, in one piece: whoever is interrupted leaves whole lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(_rounded(asdict(result))) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def load(path: Path = RECORDED) -> list[Result]:
    """Read all results of a file, in order; a last line that was cut off is left out.

    Raises:
        ValueError: a line is damaged; it says which.
    """
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    results = []
    for number, line in enumerate(lines, 1):
        if number == len(lines) and not line.endswith("\n"):
            break
        try:
            values = json.loads(line)
            # JSON has no NaN; where there was nothing to find, it holds null.
            values["metrics"] = {
                name: math.nan if value is None else value
                for name, value in values["metrics"].items()
            }
            results.append(Result(**values))
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(
                f"line {number} of {path} is no result ({error}); remove it, and run again"
            ) from error
    return results


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 5)
    return value


class Spread(NamedTuple):
    """A figure over seeds.

    Attributes:
        mean: of them.
        low: the lowest.
        high: the highest.
        seeds: how many.
    """

    mean: float
    low: float
    high: float
    seeds: int


def spread(results: Iterable[Result], metric: str) -> Spread:
    """Return a figure's mean over runs, and the lowest and highest; NaN where none has it."""
    values = [each.metrics.get(metric, math.nan) for each in results]
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(sum(values) / len(values), min(values), max(values), len(values))


def select(results: Iterable[Result], **wanted: Any) -> list[Result]:
    """Return the results whose task, system, scale, seed or preset are these."""

    def fits(each: Result) -> bool:
        return all(getattr(each, key) == value for key, value in wanted.items())

    return [each for each in results if fits(each)]


def gain(results: Sequence[Result], system: str, over: str, metric: str, **wanted: Any) -> Spread:
    """Return by how much a system is better than another with the same seed, over seeds."""
    theirs = {each.run: each.metrics for each in select(results, system=over, **wanted)}
    paired = []
    for each in select(results, system=system, **wanted):
        other = theirs.get(each.run._replace(system=over), {})
        if metric in other and metric in each.metrics:
            paired.append(each.metrics[metric] - other[metric])
    if not paired:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(sum(paired) / len(paired), min(paired), max(paired), len(paired))


HEADLINES = {
    "detection": ("ap", "ap50", "small", "medium", "large", "ap_car", "ap_pedestrian", "ap_sign"),
    "segmentation": ("miou", "miou_fine", "boundary_f", "iou_car", "iou_pedestrian", "iou_sign"),
    "detection3d": ("ap", "translation", "scale", "orientation", "score"),
}
"""Figures that a table shows, the most important first."""


def table(results: Sequence[Result], task: str, preset: str = "far") -> str:
    """Write a table of a task: a row for each scale and system, the mean over seeds.

    The first figure stands with the lowest and the highest of the seeds.
    """
    ours = select(results, task=task, preset=preset)
    metrics = HEADLINES[task]
    rows = [f"{'scale':>5} {'system':<18} {'seeds':>5} {metrics[0]:>18} "
            + " ".join(f"{name:>13}" for name in metrics[1:])]  # fmt: skip
    keys = dict.fromkeys((each.scale, each.system) for each in ours)
    for scale, system in sorted(keys, key=lambda key: (key[0], list(keys).index(key))):
        some = select(ours, scale=scale, system=system)
        first = spread(some, metrics[0])
        head = f"{first.mean:.3f} [{first.low:.3f} {first.high:.3f}]"
        rest = " ".join(f"{spread(some, name).mean:13.3f}" for name in metrics[1:])
        rows.append(f"{scale:5.2f} {system:<18} {len(some):5d} {head:>18} {rest}")
    return "\n".join(rows)
