"""CPU load by other processes, which makes the figures of a measurement too high."""

import os
import time

import psutil


class Load:
    """CPU time of all processes except this one and its children, from construction on."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._others_before_s = _others_s()

    def others(self) -> float:
        """Return the fraction of all cores, 0 to 1, that other processes have used since then."""
        cores = (time.monotonic() - self._start) * (os.cpu_count() or 1)
        return max(0.0, (_others_s() - self._others_before_s) / cores)


def _others_s() -> float:
    """Return the CPU seconds, over all cores, of other processes since the machine started."""
    total = psutil.cpu_times()
    own = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        own += times.user + times.system
    return float(total.user + total.system + getattr(total, "nice", 0.0) - own)
