"""Evaluation of frozen pretrained networks in every system, on controlled scenes and on a film.

Each module is one evaluation: `measure(seed)` returns the records of one scene, and the optional
`summarise(records)` returns tables that take long to compute.
`python -m lzu_viz.experiments.frozen` runs the evaluations and stores their results with a hash of
the code; notebooks load the results, and repeat part of each evaluation for comparison.
"""

from .results_store import Record, StoredResults, differing, load, mean_interval, select

EVALUATIONS = {
    "sizes": "sizes",
    "detector": "pretrained_detector",
    "segmenter": "pretrained_segmenter",
    "moving": "moving_saliency",
    "limits": "limits",
    "film": "film",
}
"""Evaluations by name, each with its module."""

__all__ = [
    "EVALUATIONS",
    "Record",
    "StoredResults",
    "differing",
    "load",
    "mean_interval",
    "select",
]
