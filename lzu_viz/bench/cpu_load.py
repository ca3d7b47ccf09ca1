"""Who else keeps the machine busy while we measure: then the figures are too bad."""

import os
import time

import psutil


class Load:
    """What others do from now on: processes that neither we nor our children are."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._others = _others_s()

    def others(self) -> float:
        """Return the share of all cores, 0 to 1, that they have had since."""
        cores = (time.monotonic() - self._start) * (os.cpu_count() or 1)
        return max(0.0, (_others_s() - self._others) / cores)


def _others_s() -> float:
    """Return the seconds of all cores that went to others, since the machine started."""
    spent = psutil.cpu_times()
    ours = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        ours += times.user + times.system
    return float(spent.user + spent.system + getattr(spent, "nice", 0.0) - ours)
