"""Reports that all benchmarks share: a table, a JSON file, and a progress line."""

import json
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
