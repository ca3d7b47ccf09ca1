"""`python -m lzu_viz.bench busy`: how much slower inverse and zoom get on a busy machine.

Each is timed with torch's default number of threads, alternately on the idle machine and beside
processes that each keep one core busy. On two cores with two such processes, a single-threaded
program gets two thirds of a core.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import torch

from ..geometry import saliency
from ..geometry.warp import Warp
from .report import Progress, report, table

LOOPS = 2
"""Number of busy processes."""

SIZE = (256, 512)
"""(rows, columns) at which the inverse is evaluated."""

SOURCE, ZOOMED = (854, 1280), (256, 384)
"""(rows, columns) of source and zoomed image."""

RUNS_PER_ROUND = 5
"""Number of runs of each function per round."""


def run(rounds: int = 7) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        rounds: number of rounds, each once idle and once busy.

    Returns:
        A report; times in seconds.
    """
    contenders = _contenders()
    quiet: dict[str, list[float]] = {name: [] for name in contenders}
    busy: dict[str, list[float]] = {name: [] for name in contenders}
    progress = Progress(2 * rounds)
    for contender in contenders.values():
        contender()
    for _ in range(rounds):
        progress.step("quiet")
        _time(contenders, quiet)
        progress.step("busy")
        with _busy():
            _time(contenders, busy)
    progress.close()
    rows = [
        {"what": name, "quiet": median(quiet[name]), "busy": median(busy[name])}
        for name in contenders
    ]
    return report("busy", rows, {}, threads=torch.get_num_threads(), loops=LOOPS)


def _contenders() -> dict[str, Callable[[], object]]:
    """Return the timed functions by name; each call uses a warp without cached maps."""
    spot = saliency.gaussian(torch.tensor([[[0.3, 0.1]]]), 0.1, size=(27, 48))
    saliency_map = saliency.mix(saliency.uniform((27, 48)), spot)
    separable, general = (
        Warp.from_saliency(saliency_map, separable=is_separable) for is_separable in (True, False)
    )
    image = torch.rand(1, 3, *SOURCE)

    def inverse(warp: Warp) -> object:
        return Warp(warp.grid, warp.axes).zoomed_map(SIZE)

    return {
        f"inverse {SIZE[0]}x{SIZE[1]}, separable": partial(inverse, separable),
        f"inverse {SIZE[0]}x{SIZE[1]}, non-separable": partial(inverse, general),
        f"zoom {SOURCE[0]}x{SOURCE[1]} to {ZOOMED[0]}x{ZOOMED[1]}, separable": lambda: Warp(
            separable.grid, separable.axes
        ).zoom(image, ZOOMED),
    }


def _time(contenders: Mapping[str, Callable[[], object]], seconds: dict[str, list[float]]) -> None:
    for _ in range(RUNS_PER_ROUND):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)


@contextmanager
def _busy() -> Iterator[None]:
    """Run processes that each keep one core busy, for the duration of the context."""
    loop = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    processes = [subprocess.Popen(loop, stdout=subprocess.PIPE) for _ in range(LOOPS)]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()  # printed just before the busy loop starts
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def text(result: Mapping[str, Any]) -> str:
    """Format a report as a table of milliseconds and their ratio."""
    header = [
        f"{result['threads']} threads, {result['loops']} busy processes",
        "quiet, ms",
        "busy",
        "ratio",
    ]
    lines = [
        [
            row["what"],
            f"{row['quiet'] * 1e3:.2f}",
            f"{row['busy'] * 1e3:.2f}",
            f"{row['busy'] / row['quiet']:.1f}",
        ]
        for row in result["rows"]
    ]
    return table(header, lines)
