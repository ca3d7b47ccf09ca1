"""What every benchmark says, and how: a table, a JSON file, and a line of progress meanwhile."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

PACKAGES = ("lzu_viz", "torch", "jupyterlab", "ipywidgets", "anywidget", "matplotlib")


class CannotRun(Exception):  # noqa: N818 - it is no error of ours, the machine lacks something
    """A benchmark needs something that is not there; the text says what, and what to do."""


class Progress:
    """One line about what is going on, with a bar; a line for each step where it is no terminal.

    Args:
        steps: how many there will be.
        out: where to write.
    """

    def __init__(self, steps: int, out: TextIO | None = None) -> None:
        self._steps = steps
        self._out = out or sys.stderr
        self._done = 0
        self._said = ""

    def step(self, what: str) -> None:
        """Say what is begun now; all before it is done."""
        share = min(1.0, self._done / self._steps)
        self._done += 1
        if self._out.isatty():
            bar = "#" * round(20 * share)
            self._write(f"\r[{bar:<20}] {share:4.0%} {what}\x1b[K")
        elif what != self._said:
            self._write(f"{share:4.0%} {what}\n")
        self._said = what

    def close(self) -> None:
        """Take the line away."""
        if self._out.isatty():
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def versions() -> dict[str, str]:
    """Name what was measured, and on what."""
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
    """Put a benchmark's figures into the form that all of them share.

    Args:
        bench: its name.
        rows: figures by name, one row a design.
        tools: versions of what is no Python package.
        more: what else it has to say.
    """
    return {"bench": bench, "versions": {**versions(), **tools}, "rows": [*rows], **more}


def write(result: Mapping[str, Any], path: Path) -> None:
    """Store a report as JSON."""
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set cells in columns: the first to the left, all others to the right.

    Example:
        >>> print(table(["", "ours"], [["latency, ms", "26.1"]]))
                     ours
        latency, ms  26.1
    """
    lines = [head, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    set_lines = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        set_lines.append("  ".join(cells).rstrip())
    return "\n".join(set_lines)
