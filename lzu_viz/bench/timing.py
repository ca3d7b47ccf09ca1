"""Comparable timings: functions run in turn in one process, and the median of each is taken."""

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

MIN_TOTAL_SECONDS = 0.4
"""Total seconds after which a function is not timed again, if it was timed three times."""

MIN_SAMPLE_SECONDS = 0.004
"""Minimum seconds of one measurement; faster functions are run repeatedly."""

SLOW_SECONDS = 2.0
"""Seconds above which the first run of a function is its only one, and counts."""


def medians(contenders: Contenders, rounds: int, progress: Progress, what: str) -> dict[str, float]:
    """Time functions in turn, so that other load on the machine affects all of them equally.

    Args:
        contenders: functions by name. Each is run once as a warm-up, which counts only if it is
            slow (see ``SLOW_SECONDS``).
        rounds: number of timed rounds; slow functions skip them.
        progress: gets one step for each function.
        what: description of the measurement, for the progress line.

    Returns:
        Seconds of each function, the median over its rounds.
    """
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    slow = set[str]()
    for round_index in range(rounds + 1):
        for name, run in contenders.items():
            if round_index == 0:
                progress.step(f"{what}: {name}")
            if name in slow or (len(timings[name]) >= 3 and sum(timings[name]) > MIN_TOTAL_SECONDS):
                continue
            seconds = _seconds(run, MIN_SAMPLE_SECONDS if round_index else 0)
            if round_index == 0 and seconds > SLOW_SECONDS:
                slow.add(name)
            if round_index or name in slow:
                timings[name].append(seconds)
    return {name: median(times) for name, times in timings.items()}


def _seconds(run: Callable[[], object], minimum: float) -> float:
    synchronise()
    started, runs, elapsed = time.perf_counter(), 0, 0.0
    while not runs or elapsed < minimum:
        run()
        synchronise()
        runs += 1
        elapsed = time.perf_counter() - started
    return elapsed / runs


def synchronise() -> None:
    """Wait for a GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def loaded(path: Path) -> Any:
    """Return a file outside any package, loaded as a module.

    Raises:
        CannotRun: if it cannot be loaded.
    """
    spec = spec_from_file_location(f"measured_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise CannotRun(f"cannot load {path} as a Python module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peak_mb(run: Callable[[], object]) -> float | None:
    """Return the increase in peak memory of this process during a second run, in MiB.

    Returns:
        None where the system does not report it, that is, everywhere but on Linux.
    """
    clear, status = Path("/proc/self/clear_refs"), Path("/proc/self/status")
    run()
    gc.collect()
    try:
        # Return freed memory to the system first, so that its reuse is counted.
        ctypes.CDLL(None).malloc_trim(0)
        clear.write_text("5", encoding="ascii")
        before = _kilobytes(status, "VmRSS")
        run()
        return max(0, _kilobytes(status, "VmHWM") - before) / 1024
    except (OSError, AttributeError):
        return None


def _kilobytes(status: Path, name: str) -> int:
    line = next(entry for entry in status.read_text().splitlines() if entry.startswith(f"{name}:"))
    return int(line.split()[1])
