"""`python -m lzu_viz.bench busy`: how much slower what a warp does gets on a busy machine.

Each is timed with torch's default number of threads, by turns on the machine as it is and beside
programs that keep a core busy each. On two cores and beside two of them, a program that runs on one
thread gets two thirds of a core.
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
"""Programs beside."""

SIZE = (256, 512)
"""Of the inverse."""

SOURCE, ZOOMED = (854, 1280), (256, 384)
"""Sizes of source and zoomed image."""

N_BOOTSTRAP = 5
"""How often each is run in a round."""


def run(rounds: int = 7) -> dict[str, Any]:
    """Measure.

    Args:
        rounds: how many times the machine is left alone and made busy, in turn.

    Returns:
        A report; times in seconds.
    """
    contenders = _contenders()
    quiet: dict[str, list[float]] = {name: [] for name in contenders}
    busy: dict[str, list[float]] = {name: [] for name in contenders}
    progress = Progress(2 * rounds)
    for each in contenders.values():
        each()
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
    """Return what is timed; each time the warp is new."""
    spot = saliency.gaussian(torch.tensor([[[0.3, 0.1]]]), 0.1, size=(27, 48))
    saliency_map = saliency.mix(saliency.uniform((27, 48)), spot)
    separable, general = (
        Warp.from_saliency(saliency_map, separable=each) for each in (True, False)
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


def _time(contenders: Mapping[str, Callable[[], object]], taken: dict[str, list[float]]) -> None:
    for _ in range(N_BOOTSTRAP):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - started)


@contextmanager
def _busy() -> Iterator[None]:
    """Run programs beside this one that do nothing but keep a core busy each."""
    loop = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    running = [subprocess.Popen(loop, stdout=subprocess.PIPE) for _ in range(LOOPS)]
    try:
        for each in running:
            assert each.stdout is not None, "it was asked for"
            each.stdout.readline()  # it is in its loop
        yield
    finally:
        for each in running:
            each.kill()
            each.communicate()


def text(result: Mapping[str, Any]) -> str:
    """Put a report into words: milliseconds, and their ratio."""
    head = [
        f"{result['threads']} threads, {result['loops']} loops beside",
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
    return table(head, lines)
