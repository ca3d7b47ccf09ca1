"""Reports that all benchmarks share: a table, a JSON file, and a progress line."""

import json
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

PACKAGES = ("lzu_viz", "torch", "jupyterlab", "ipywidgets", "anywidget", "matplotlib")


class CannotRun(Exception):  # noqa: N818 - not an error of this code
    """Raised if a requirement of a benchmark is missing; the message names it and the remedy."""


class Progress:
    """A progress line with a bar; without a terminal, one line per distinct step.

    Args:
        steps: number of steps.
        out: stream to write to; stderr if None.
    """

    def __init__(self, steps: int, out: TextIO | None = None) -> None:
        self._steps = steps
        self._out = out or sys.stderr
        self._done = 0
        self._last = ""

    def step(self, step: str) -> None:
        """Show the step that begins now; all earlier steps count as done."""
        fraction = min(1.0, self._done / self._steps)
        self._done += 1
        if self._out.isatty():
            bar = "#" * round(20 * fraction)
            self._write(f"\r[{bar:<20}] {fraction:4.0%} {step}\x1b[K")
        elif step != self._last:
            self._write(f"{fraction:4.0%} {step}\n")
        self._last = step

    def close(self) -> None:
        """Erase the progress line."""
        if self._out.isatty():
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def versions() -> dict[str, str]:
    """Return the versions of the measured packages, of Python and of the system."""
    installed = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            installed[name] = "not installed"
    return installed | {"system": f"{platform.system()} on {os.cpu_count()} cores"}


def report(
    bench: str, rows: Sequence[Mapping[str, Any]], tools: Mapping[str, str], **more: Any
) -> dict[str, Any]:
    """Return a benchmark's figures in the format that all benchmarks share.

    Args:
        bench: name of the benchmark.
        rows: figures by name, one mapping per row.
        tools: versions of tools that are not Python packages.
        more: further entries of the report.
    """
    return {"bench": bench, "versions": {**versions(), **tools}, "rows": [*rows], **more}


def write(result: Mapping[str, Any], path: Path) -> None:
    """Store a report as JSON."""
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format cells as columns, the first left-aligned and all others right-aligned.

    Example:
        >>> print(table(["", "ours"], [["latency, ms", "26.1"]]))
                     ours
        latency, ms  26.1
    """
    lines = [header, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(header))]
    formatted = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        formatted.append("  ".join(cells).rstrip())
    return "\n".join(formatted)


def verdict(value: float | None, minimum: float, maximum: float) -> str:
    """Return a target range as text, and whether a figure is in it; None is not.

    Example:
        >>> verdict(40, 0, 35)
        'at most 35: MISSED'
        >>> verdict(30, 25, math.inf)
        'at least 25: met'
    """
    limit = f"at most {maximum:g}" if math.isfinite(maximum) else f"at least {minimum:g}"
    is_met = value is not None and minimum <= value <= maximum
    return f"{limit}: {'met' if is_met else 'MISSED'}"


BUSY = 0.1
"""Largest fraction of the machine that other programs may use without a warning in the report."""


def load_warning(others: float) -> list[str]:
    """Return a line about the CPU time of other programs, a fraction; none if it is low."""
    if others <= BUSY:
        return []
    return [
        f"Other programs used {others:.0%} of the CPU time meanwhile; "
        "on an idle machine the figures are better."
    ]
