"""Times that can be compared: contenders take turns in one process, and each has its median."""

import ctypes
import gc
import time
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import median
from typing import Any

import torch

from .report import CannotRun, Progress

Contenders = Mapping[str, Callable[[], object]]

ENOUGH = 0.4
"""Seconds after which a contender has been timed often enough, if that was three times."""

LEAST = 0.004
"""Seconds that a turn lasts at least: what is quicker is run several times in it."""

SLOW = 2.0
"""Seconds from which the first run of a contender counts, and is the only one."""


def medians(contenders: Contenders, rounds: int, progress: Progress, what: str) -> dict[str, float]:
    """Time contenders in turn: whatever else runs on the machine slows all alike.

    Args:
        contenders: what is timed, by name. Each is run once before, and not timed then
            unless it is slow.
        rounds: how many; one that is slow leaves the later ones out.
        progress: is told of each contender once.
        what: is timed.

    Returns:
        Seconds of each, the median over its rounds.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    slow = set[str]()
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            if turn == 0:
                progress.step(f"{what}: {name}")
            if name in slow or (len(taken[name]) >= 3 and sum(taken[name]) > ENOUGH):
                continue
            seconds = _seconds(run, LEAST if turn else 0)
            if turn == 0 and seconds > SLOW:
                slow.add(name)
            if turn or name in slow:
                taken[name].append(seconds)
    return {name: median(each) for name, each in taken.items()}


def _seconds(run: Callable[[], object], minimum: float) -> float:
    synchronise()
    started, times, passed = time.perf_counter(), 0, 0.0
    while not times or passed < minimum:
        run()
        synchronise()
        times += 1
        passed = time.perf_counter() - started
    return passed / times


def synchronise() -> None:
    """Wait for a GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def loaded(path: Path) -> Any:
    """Load a file that belongs to no package, as a module of its own."""
    spec = spec_from_file_location(f"measured_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CannotRun(f"{path} cannot be loaded")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peak_mb(run: Callable[[], object]) -> float | None:
    """Return by how much the memory of this process grows while something runs, in MiB.

    Returns:
        None where the system does not tell, which is everywhere but on Linux.
    """
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    run()
    gc.collect()
    try:
        # What was freed is given back first, so that using it again is seen.
        ctypes.CDLL(None).malloc_trim(0)
        clear.write_text("5", encoding="ascii")
        before = _kilobytes(status, "VmRSS")
        run()
        return max(0, _kilobytes(status, "VmHWM") - before) / 1024
    except (OSError, AttributeError):
        return None


def _kilobytes(status: Path, name: str) -> int:
    line = next(each for each in status.read_text().splitlines() if each.startswith(f"{name}:"))
    return int(line.split()[1])
