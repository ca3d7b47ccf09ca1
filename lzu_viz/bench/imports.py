"""`python -m lzu_viz.bench imports`: import time of the package, beside that of what it needs."""

import subprocess
import sys
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from .report import Progress, report, table

MODULES = ("torch", "kornia", "lzu_viz")
"""Modules to import, each in a process of its own."""

LIMIT = 1.3
"""Largest acceptable ratio of the import times of lzu_viz and kornia."""


def run(rounds: int) -> dict[str, Any]:
    """Time the imports in turn, so that other load on the machine slows all of them alike.

    Args:
        rounds: processes per module; a first one that fills the disk cache is not counted.

    Returns:
        A report with the median of each module in seconds, and its ratio to kornia's.
    """
    progress = Progress(steps=len(MODULES) * (rounds + 1))
    seconds: dict[str, list[float]] = {module: [] for module in MODULES}
    for turn in range(rounds + 1):
        for module in MODULES:
            progress.step(f"import {module}")
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            if turn:
                seconds[module].append(time.perf_counter() - started)
    progress.close()
    medians = {module: median(times) for module, times in seconds.items()}
    rows = [
        {"module": module, "seconds": medians[module], "ratio": medians[module] / medians["kornia"]}
        for module in MODULES
    ]
    return report("imports", rows, {}, rounds=rounds)


def text(result: Mapping[str, Any]) -> str:
    """Format the report as a table.

    Args:
        result: a report as :func:`run` returns it.
    """
    rows = [
        [f"import {row['module']}", f"{row['seconds']:.2f}", f"{row['ratio']:.2f}"]
        for row in result["rows"]
    ]
    ratio = result["rows"][-1]["ratio"]
    verdict = "within" if ratio <= LIMIT else "above"
    return (
        table(["", "seconds", "ratio to kornia"], rows)
        + f"\nThe ratio of lzu_viz is {verdict} the limit of {LIMIT}."
    )
