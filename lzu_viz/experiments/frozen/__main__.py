"""`python -m lzu_viz.experiments.frozen [NAME ...]`: evaluate, and store the figures."""

import argparse
import importlib

from ..._extras import needs
from . import EVALUATIONS
from .results_store import Kept, Record, source_hash

with needs("notebooks"):
    from tqdm import tqdm


def main() -> None:
    """Run the evaluations that are named, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m lzu_viz.experiments.frozen", description=__doc__
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {EVALUATIONS}")
    names = parser.parse_args().names or list(EVALUATIONS)
    if unknown := set(names) - set(EVALUATIONS):
        parser.error(f"there is no evaluation {sorted(unknown)}, only {list(EVALUATIONS)}")
    for name in names:
        print(f"kept in {evaluate(name).write()}")


def evaluate(name: str) -> Kept:
    """Run one evaluation over all its scenes."""
    module = importlib.import_module(f".{EVALUATIONS[name]}", __package__)
    records: list[Record] = []
    for seed in tqdm(range(module.SCENES), desc=name, unit="scene"):
        records += module.measure(seed)
    settings = {"scenes": module.SCENES, **module.SETTINGS}
    # Most tables are made from the records in a moment; what takes longer is kept, too.
    summary = module.summarise(records) if hasattr(module, "summarise") else []
    return Kept(name, source_hash(EVALUATIONS[name]), settings, records, summary)


if __name__ == "__main__":
    main()
