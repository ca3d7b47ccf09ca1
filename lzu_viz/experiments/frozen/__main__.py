"""`python -m lzu_viz.experiments.frozen [NAME ...]`: run evaluations and store their results."""

import argparse
import importlib

from ..._extras import needs
from . import EVALUATIONS
from .results_store import Record, StoredResults, source_hash

with needs("notebooks"):
    from tqdm import tqdm


def main() -> None:
    """Run the named evaluations, or all, and store their results."""
    parser = argparse.ArgumentParser(
        prog="python -m lzu_viz.experiments.frozen", description=__doc__
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"evaluations to run (default: all): {', '.join(EVALUATIONS)}",
    )
    names = parser.parse_args().names or list(EVALUATIONS)
    if unknown := set(names) - set(EVALUATIONS):
        parser.error(f"unknown evaluations {sorted(unknown)}: choose from {list(EVALUATIONS)}")
    for name in names:
        print(f"stored in {run_evaluation(name).write()}")


def run_evaluation(name: str) -> StoredResults:
    """Return the results of one evaluation on all its scenes."""
    module = importlib.import_module(f".{EVALUATIONS[name]}", __package__)
    records: list[Record] = []
    for seed in tqdm(range(module.SCENES), desc=name, unit="scene"):
        records += module.measure(seed)
    settings = {"scenes": module.SCENES, **module.SETTINGS}
    # Only tables that take long to compute from the records are stored.
    summary = module.summarise(records) if hasattr(module, "summarise") else []
    return StoredResults(name, source_hash(EVALUATIONS[name]), settings, records, summary)


if __name__ == "__main__":
    main()
