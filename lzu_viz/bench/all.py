"""`python -m lzu_viz.bench all`: the benchmarks that need no browser, one after the other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import inverse, stages, zoom
from .report import report

EACH = {"inverse": inverse, "zoom": zoom, "stages": stages}


def run(official: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Run all three, see there."""
    result = {
        "inverse": inverse.run(official, rounds),
        "zoom": zoom.run(official, rounds),
        "stages": stages.run(rounds),
    }
    return report("all", [], {}, **result)


def text(result: Mapping[str, Any]) -> str:
    """Put the reports into words, one below the other."""
    return "\n\n".join(f"== {name} ==\n{each.text(result[name])}" for name, each in EACH.items())


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw what `inverse` has to draw."""
    inverse.draw(result["inverse"], path)
