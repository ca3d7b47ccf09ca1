"""Evaluations: each system over hundreds of controlled scenes, kept with the hash of their code.

They take minutes, too long for a page. `python -m lzu_viz.experiments.frozen` makes them; a page loads
them, and makes a part of them again to compare. A module is one evaluation: `measure(seed)` gives
the records of one scene, `summarise(records)`, where there is one, the tables that cannot be made
in a moment.
"""

from .results_store import Kept, Record, differing, load, mean_interval, select

EVALUATIONS = ("sizes", "detector", "segmenter", "moving", "limits")
"""Names of the modules that evaluate."""

__all__ = [
    "EVALUATIONS",
    "Kept",
    "Record",
    "differing",
    "load",
    "mean_interval",
    "select",
]
