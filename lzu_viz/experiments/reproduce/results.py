"""Results of the reproduction: one line of JSON per run, statistics over seeds, and tables."""

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

RECORDED = Path(__file__).parents[1] / "data" / "miniature" / "results.jsonl"
"""Recorded results in the package, of networks trained and evaluated with bfloat16 products.

Runs now use float32, which is faster on most CPUs; the differences are within those between seeds.
"""


class Run(NamedTuple):
    """Identifier of a run, the training and evaluation of one network.

    Attributes:
        task: "detection", "segmentation" or "detection3d".
        system: a name in :data:`lzu_viz.experiments.training.SYSTEMS`.
        scale: size of the network's input relative to the image.
        seed: of the training.
        preset: kind of streets.
    """

    task: str
    system: str
    scale: float
    seed: int
    preset: str = "far"


@dataclass(frozen=True)
class RunResult:
    """Result of a run.

    Attributes:
        task: as in `Run`.
        system: as in `Run`.
        scale: as in `Run`.
        seed: as in `Run`.
        preset: as in `Run`.
        metrics: values by name; NaN if undefined.
        settings: of the run's plan and recipe, and the network's input size.
        versions: of Python, torch and this package, and the type of machine.
        seconds: wall time of the run.
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
        """Identifier of the run."""
        return Run(self.task, self.system, self.scale, self.seed, self.preset)


def append(result: RunResult, path: Path) -> None:
    """Append a result to a file by a single write, so that interrupted runs leave whole lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(_rounded(asdict(result))) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def load(path: Path = RECORDED) -> list[RunResult]:
    """Return all results of a file in order, none if it is missing; skip an incomplete last line.

    Raises:
        ValueError: a line is damaged; the message contains its number.
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
            values["settings"] = _migrated(values["settings"])
            values["metrics"] = _migrated(values["metrics"])
            # JSON has no NaN; undefined metrics are stored as null.
            values["metrics"] = {
                name: math.nan if value is None else value
                for name, value in values["metrics"].items()
            }
            results.append(RunResult(**values))
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(
                f"line {number} of {path} is not a valid result ({error}); remove the line and "
                "run the command again"
            ) from error
    return results


# Keys and values that version 0.1.0 stored under other names.
_RENAMED = {
    "rate": "learning_rate",
    "scenes": "training_scenes",
    "reported": "evaluation_scenes",
    "films": "clips",
    "film_ap": "clip_ap",
}
_RENAMED_SPLITS = {"choose": "val", "report": "test"}


def _migrated(stored: dict[str, Any]) -> dict[str, Any]:
    """Return settings or metrics with the names of this version."""
    named = {_RENAMED.get(key, key): value for key, value in stored.items()}
    if named.get("split") in _RENAMED_SPLITS:
        named["split"] = _RENAMED_SPLITS[named["split"]]
    return named


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 5)
    return value


class Spread(NamedTuple):
    """Mean and range of a metric over seeds.

    Attributes:
        mean: over the seeds.
        low: minimum.
        high: maximum.
        seeds: number of seeds.
    """

    mean: float
    low: float
    high: float
    seeds: int


def spread(results: Iterable[RunResult], metric: str) -> Spread:
    """Return the mean and range of a metric over results; NaN if no result has the metric."""
    values = [result.metrics.get(metric, math.nan) for result in results]
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(sum(values) / len(values), min(values), max(values), len(values))


def select_results(results: Iterable[RunResult], **wanted: Any) -> list[RunResult]:
    """Return the results with the given task, system, scale, seed or preset."""

    def matches(result: RunResult) -> bool:
        return all(getattr(result, key) == value for key, value in wanted.items())

    return [result for result in results if matches(result)]


def gain(
    results: Sequence[RunResult], system: str, over: str, metric: str, **wanted: Any
) -> Spread:
    """Return the mean and range of the paired differences between two systems.

    Results are paired by all fields of `Run` except the system.

    Args:
        results: of both systems.
        system: the system that is compared.
        over: the system that it is compared with, whose metric is subtracted.
        metric: name of the metric.
        wanted: fields that both results must have, see :func:`select_results`.
    """
    baseline = {
        result.run: result.metrics for result in select_results(results, system=over, **wanted)
    }
    differences = []
    for result in select_results(results, system=system, **wanted):
        baseline_metrics = baseline.get(result.run._replace(system=over), {})
        if metric in baseline_metrics and metric in result.metrics:
            differences.append(result.metrics[metric] - baseline_metrics[metric])
    if not differences:
        return Spread(math.nan, math.nan, math.nan, 0)
    return Spread(
        sum(differences) / len(differences), min(differences), max(differences), len(differences)
    )


HEADLINES = {
    "detection": ("ap", "ap50", "small", "medium", "large", "ap_car", "ap_pedestrian", "ap_sign"),
    "segmentation": ("miou", "miou_fine", "boundary_f", "iou_car", "iou_pedestrian", "iou_sign"),
    "detection3d": ("ap", "translation", "scale", "orientation", "score"),
}
"""Metrics in the table of each task, the main metric first."""


def table(results: Sequence[RunResult], task: str, preset: str = "far") -> str:
    """Return the table of a task as text: means over seeds, a row for each scale and system.

    The first metric is followed by its range over seeds.
    """
    of_task = select_results(results, task=task, preset=preset)
    metrics = HEADLINES[task]
    rows = [f"{'scale':>5} {'system':<18} {'seeds':>5} {metrics[0]:>18} "
            + " ".join(f"{name:>13}" for name in metrics[1:])]  # fmt: skip
    keys = dict.fromkeys((result.scale, result.system) for result in of_task)
    for scale, system in sorted(keys, key=lambda key: (key[0], list(keys).index(key))):
        of_row = select_results(of_task, scale=scale, system=system)
        first = spread(of_row, metrics[0])
        main_metric = f"{first.mean:.3f} [{first.low:.3f} {first.high:.3f}]"
        rest = " ".join(f"{spread(of_row, name).mean:13.3f}" for name in metrics[1:])
        rows.append(f"{scale:5.2f} {system:<18} {len(of_row):5d} {main_metric:>18} {rest}")
    return "\n".join(rows)
