"""Frozen networks in every system, over hundreds of controlled scenes.

A module is one evaluation: `measure(seed)` returns the records of one scene, `summarise(records)`,
where there is one, the tables that take long to compute. `python -m lzu_viz.experiments.frozen`
runs them and stores the results with the hash of the code that made them; a notebook loads these,
and repeats a part of each to compare.
"""

from .results_store import Kept, Record, differing, load, mean_interval, select

EVALUATIONS = {
    "sizes": "sizes",
    "detector": "pretrained_detector",
    "segmenter": "pretrained_segmenter",
    "moving": "moving_saliency",
    "limits": "limits",
}
"""Evaluations by name, each with the module that makes it."""

__all__ = [
    "EVALUATIONS",
    "Kept",
    "Record",
    "differing",
    "load",
    "mean_interval",
    "select",
]
