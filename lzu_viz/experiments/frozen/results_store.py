"""Stored results of evaluations: records, summary, and the hash of the code that made them."""

import ast
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.source_code import without_words
from ...metrics.bootstrap import percentile_interval, resample

PACKAGE = Path(__file__).parents[2]
FOLDER = PACKAGE / "experiments" / "data" / "evaluations"

N_BOOTSTRAP = 1000
"""Number of bootstrap resamples for the confidence interval of a mean."""

Record = dict[str, Any]
"""Results of one system in one scene: values by column name; `seed` identifies the scene."""


@dataclass(frozen=True)
class StoredResults:
    """Stored results of an evaluation.

    Attributes:
        name: of the evaluation.
        source: hash of the code that made the results, see :func:`source_hash`.
        settings: fixed parameters of the evaluation.
        records: one per scene and system.
        summary: tables that take too long to recompute in a notebook.
    """

    name: str
    source: str
    settings: dict[str, Any]
    records: list[Record]
    summary: list[Record]

    def write(self, folder: Path = FOLDER) -> Path:
        """Write a JSON file with one record per line, for readable diffs, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        fields = asdict(self)
        tables = {name: fields.pop(name) for name in ("records", "summary")}
        text = json.dumps(fields, indent=1)[:-2]
        for name, rows in tables.items():
            lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
            text += f',\n "{name}": [\n{lines}\n ]'
        path.write_text(text + "\n}\n", encoding="utf-8")
        return path


def load(name: str, folder: Path = FOLDER) -> StoredResults:
    """Return the stored results of an evaluation.

    Raises:
        ValueError: there are no results of this name, or the file is damaged.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        stored = sorted(file.stem for file in folder.glob("*.json"))
        raise ValueError(
            f"there are no stored results of evaluation {name!r}, only of {stored}; "
            f"run `python -m lzu_viz.experiments.frozen {name}`"
        )
    try:
        return StoredResults(**json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path.name} is damaged ({error}); "
            f"run `python -m lzu_viz.experiments.frozen {name}` to write it again"
        ) from error


def differing(kept: Sequence[Record], again: Iterable[Record], tolerance: float) -> list[str]:
    """Return the differences between stored and recomputed records of the same scenes.

    Args:
        kept: stored records of all scenes.
        again: recomputed records of some scenes.
        tolerance: largest difference between numbers that is not reported.

    Returns:
        A line for each pair that differs: numbers by more than ``tolerance``, other values at all;
        and a line if the numbers of records differ.
    """
    recomputed = list(again)
    seeds = {record["seed"] for record in recomputed}
    stored = [record for record in kept if record["seed"] in seeds]
    differences = []
    if len(stored) != len(recomputed):
        differences.append(
            f"{len(stored)} records are stored for these scenes, {len(recomputed)} were recomputed"
        )
    for old, new in zip(stored, recomputed, strict=False):
        if not _is_close(old, new, tolerance):
            differences.append(f"stored {old}, recomputed {new}")
    return differences


def _is_close(first: Any, second: Any, tolerance: float) -> bool:
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _is_close(first[key], second[key], tolerance) for key in first
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(
            _is_close(*pair, tolerance) for pair in zip(first, second, strict=True)
        )
    if isinstance(first, int | float) and isinstance(second, int | float):
        return abs(first - second) <= tolerance
    return bool(first == second)


def mean_interval(
    records: Sequence[Record], value: str, level: float = 0.95, seed: int = 0
) -> tuple[float, float, float]:
    """Return the mean of a column over records, and its bootstrap confidence interval.

    Scenes are resampled rather than records, as the records of one scene are not independent.

    Args:
        records: each with the `seed` of its scene.
        value: name of the column.
        level: confidence level of the interval.
        seed: of the resampling.

    Returns:
        The mean, and the lower and upper end of its interval.

    Raises:
        ValueError: there are no records.

    Example:
        >>> rows = [{"seed": n, "iou": n % 2} for n in range(100)]
        >>> [round(each, 1) for each in mean_interval(rows, "iou")]
        [0.5, 0.4, 0.6]
    """
    if not records:
        raise ValueError(f"there are no records to take the mean {value} of")
    scenes: dict[int, list[float]] = {}
    for record in records:
        scenes.setdefault(record["seed"], []).append(float(record[value]))
    totals = np.array([(sum(values), len(values)) for values in scenes.values()])
    resampled = totals[resample(len(totals), N_BOOTSTRAP, seed)].sum(axis=1)
    total, count = totals.sum(axis=0)
    low, high = percentile_interval(resampled[:, 0] / resampled[:, 1], level)
    return float(total / count), float(low), float(high)


def select(records: Sequence[Record], **wanted: Any) -> list[Record]:
    """Return the records whose columns equal the given values or satisfy the given predicates.

    Example:
        >>> rows = [{"system": "uniform", "height": 20}, {"system": "zoom", "height": 90}]
        >>> select(rows, height=lambda height: height < 50)
        [{'system': 'uniform', 'height': 20}]
    """
    return [
        record
        for record in records
        if all(
            value(record[key]) if callable(value) else record[key] == value
            for key, value in wanted.items()
        )
    ]


def source_hash(module: str) -> str:
    """Return the hash of an evaluation's module and of all modules of the package it imports.

    Comments, docstrings and empty lines are ignored, and so is the list of evaluations, so that a
    new one does not make the results of the others obsolete.
    """
    digest = hashlib.sha256()
    modules = _dependencies(Path(__file__).with_name(f"{module}.py"), set())
    for path in sorted(modules - {Path(__file__).with_name("__init__.py")}):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(without_words(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def _dependencies(path: Path, visited: set[Path]) -> set[Path]:
    """Add a file, and all files of the package that it imports, to ``visited``, and return it."""
    if path in visited:
        return visited
    visited.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for target in (base, *(base / alias.name for alias in node.names)):
                for file in (target.with_suffix(".py"), target / "__init__.py"):
                    if file.is_file():
                        _dependencies(file, visited)
    return visited
