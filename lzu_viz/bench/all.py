"""`python -m lzu_viz.bench all`: the benchmarks inverse, zoom and stages, in sequence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import inverse, stages, zoom
from .report import report

BENCHMARKS = {"inverse": inverse, "zoom": zoom, "stages": stages}


def run(official: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Run the three benchmarks and return their reports as one.

    Args:
        official: a checkout of the official code.
        rounds: number of timed rounds.
    """
    result = {
        "inverse": inverse.run(official, rounds),
        "zoom": zoom.run(official, rounds),
        "stages": stages.run(rounds),
    }
    return report("all", [], {}, **result)


def text(result: Mapping[str, Any]) -> str:
    """Format the reports as text, one below the other."""
    return "\n\n".join(
        f"== {name} ==\n{benchmark.text(result[name])}" for name, benchmark in BENCHMARKS.items()
    )


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw the figure of the benchmark `inverse` to a file."""
    inverse.draw(result["inverse"], path)
