"""Compare uniform downsampling, zooms and slicing on annotated images: does zooming help?

    python -m lzu_viz.compare --images DIR --annotations coco.json

Every image is evaluated by every system at every size. Each result is one line of `results.jsonl`
in the output folder; results that are there already are not computed again. Under `torchrun`, the
images are shared among the processes of one or several machines.
"""

import argparse
import json
import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from ._extras import needs

with needs("notebooks"):
    from tqdm import tqdm

from .datasets import coco
from .datasets.paths import local_path
from .experiments.comparison import (
    COMPARED_SYSTEMS,
    ComparedSystem,
    Comparison,
    Job,
    Settings,
    advice,
    summarise_systems,
)
from .experiments.frozen.results_store import Record
from .experiments.own_detector import load_detector
from .experiments.profiling import time_interleaved
from .geometry.check import Size
from .plots.comparison import comparison_figure

ROUNDS = 3
"""Timed runs of each system at each size."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    command = parser()
    options = command.parse_args(arguments)
    settings = Settings(
        options.network, options.score, options.amplitude, options.relative_sigma, options.tile
    )
    device = options.device
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        network, unzoom = load_detector(options.network)
        dataset = coco.read(options.images, options.annotations, network.classes)
        comparison = Comparison(network, dataset, settings, unzoom, device)
    except (FileNotFoundError, ValueError) as error:
        command.error(str(error))
    key = settings.key(local_path(options.annotations))
    file = options.out / "results.jsonl"
    jobs = [
        Job(system, size, place)
        for place in range(len(dataset))
        for size in options.sizes
        for system in options.systems
        # Its input does not depend on the size.
        if system != "sliced_native" or size == options.sizes[-1]
    ]
    if "RANK" in os.environ:
        dist.init_process_group("gloo", timeout=timedelta(days=7))
        records = _run_distributed(comparison, jobs, file, key)
        is_first = dist.get_rank() == 0
        dist.destroy_process_group()
        if not is_first:
            return
    else:
        records = _run(comparison, jobs, file, key)
    _report(comparison, records, options)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lzu_viz.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the images")
    parser.add_argument("--annotations", required=True, metavar="FILE",
                        help="their annotations in COCO's format")  # fmt: skip
    parser.add_argument("--network", default="detector",
                        help="a registered detector, or MODULE:FUNCTION, a function of yours that "
                        "returns one (default: %(default)s)")  # fmt: skip
    parser.add_argument("--systems", nargs="+", choices=COMPARED_SYSTEMS,
                        default=["uniform", "fovea", "lzu", "sliced", "crop"],
                        help="(default: %(default)s)")  # fmt: skip
    parser.add_argument("--sizes", nargs="+", type=_size, default=[(192, 256), (288, 384)],
                        metavar="ROWSxCOLUMNS",
                        help="of the network's input (default: 192x256 288x384)")  # fmt: skip
    parser.add_argument("--score", type=float, default=Settings.score,
                        help="minimum score of detections (default: %(default)s)")  # fmt: skip
    parser.add_argument("--amplitude", type=float, default=Settings.amplitude,
                        help="weight of a box in the saliency (default: %(default)s)")  # fmt: skip
    parser.add_argument("--relative-sigma", type=float, default=Settings.relative_sigma,
                        help="width of a box's saliency in units of its sides "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--tile", type=_size, default=Settings.tile, metavar="ROWSxCOLUMNS",
                        help="tiles of sliced_native in pixels (default: 512x512)")  # fmt: skip
    parser.add_argument("--device", default="cpu", help="for example cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path("comparison"), metavar="DIR",
                        help="folder for the results (default: %(default)s)")  # fmt: skip
    return parser


def _size(text: str) -> Size:
    try:
        rows, columns = (int(side) for side in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected ROWSxCOLUMNS, for example 192x256, got {text!r}"
        ) from None
    if min(rows, columns) < 32:
        raise argparse.ArgumentTypeError(f"both sides must be at least 32, got {text!r}")
    return rows, columns


def _run(comparison: Comparison, jobs: Sequence[Job], file: Path, key: str) -> list[Record]:
    """Run the jobs without stored results, and return the records of all jobs."""
    stored = _load(file, key)
    missing = [job for job in jobs if job not in stored]
    bar = tqdm(missing, desc="results", disable=not missing)
    for record in comparison.run(bar):
        _append(record, file, key)
        stored[_job(record)] = record
    return [stored[job] for job in jobs]


def _run_distributed(
    comparison: Comparison, jobs: Sequence[Job], file: Path, key: str
) -> list[Record]:
    """Run this process's part of the jobs, and return all records in the first process."""
    rank, world = dist.get_rank(), dist.get_world_size()
    # Machines without a shared disk have different results; what any of them has is not repeated.
    stored_by_rank: list[dict[Job, Record]] = [{} for _ in range(world)]
    dist.all_gather_object(stored_by_rank, _load(file, key))
    stored = {job: record for each in stored_by_rank for job, record in each.items()}
    missing = [job for job in jobs if job not in stored]
    bar = tqdm(missing[rank::world], desc=f"results of process {rank}", position=rank)
    new = []
    for record in comparison.run(bar):
        _append(record, file, key)
        new.append(record)
    new_by_rank: list[list[Record]] = [[] for _ in range(world)]
    dist.all_gather_object(new_by_rank, new)
    stored |= {_job(record): record for each in new_by_rank for record in each}
    if rank == 0:
        # Results that machines without a shared disk have, and the first one lacks.
        own = _load(file, key)
        for job in jobs:
            if job not in own:
                _append(stored[job], file, key)
    return [stored[job] for job in jobs]


def _job(record: Record) -> Job:
    rows, columns = record["size"]
    return Job(record["system"], (rows, columns), record["place"])


def _append(record: Record, file: Path, key: str) -> None:
    """Append a line by a single write, so that interrupted runs leave whole lines."""
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"key": key, **record}) + "\n"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def _load(file: Path, key: str) -> dict[Job, Record]:
    """Return the stored records of the same settings and annotations."""
    if not file.is_file():
        return {}
    records = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:  # the last line of an interrupted run
            continue
    return {_job(record): record for record in records if record.pop("key") == key}


def _report(comparison: Comparison, records: Iterable[Record], options: Any) -> None:
    """Print the table and the advice, and write both, with a picture, to the output folder."""
    rows = summarise_systems(comparison.dataset, records)
    costs = _costs(comparison, [(row["system"], tuple(row["size"])) for row in rows])
    for row in rows:
        system, size = row["system"], (row["size"][0], row["size"][1])
        row["input pixels"] = comparison.input_pixels(system, size)
        row["flops"], row["seconds"] = costs[system, size]
    sentences = advice(comparison.dataset, rows)
    print("\n" + table(rows) + "\n\n" + "\n".join(sentences))
    report = {"settings": vars(options), "rows": rows, "advice": sentences}
    (options.out / "comparison.json").write_text(
        json.dumps(_plain(report), indent=1, default=str) + "\n", encoding="utf-8"
    )
    comparison_figure(rows).savefig(options.out / "comparison.png", dpi=120)
    print(f"\nwritten: {options.out / 'comparison.json'}, {options.out / 'comparison.png'}")


def _costs(
    comparison: Comparison, keys: Sequence[tuple[ComparedSystem, Size]]
) -> dict[tuple[ComparedSystem, Size], tuple[int, float]]:
    """Return the operations and the median seconds of each system, timed in turn on one image."""
    image = comparison.dataset.images[0].load().to(comparison.device)
    runs = {key: partial(comparison.detect, *key, 0, image) for key in keys}
    with torch.no_grad():
        costs = time_interleaved(
            runs, ROUNDS, lambda turns, total: tqdm(turns, total=total, desc="costs")
        )
    return {key: (cost.flops, cost.seconds) for key, cost in costs.items()}


def table(rows: Sequence[Record]) -> str:
    """Return the rows of a comparison as text."""
    head = ("size", "system", "AP", "AP50", "small", "medium", "large", "recall", "gain in AP",
            "input pixels", "GFLOPs", "ms")  # fmt: skip
    lines = [head]
    for row in rows:
        low, high = row.get("gain interval", (None, None))
        gain = "" if low is None else f"{row['gain']:+.3f} [{low:+.3f}, {high:+.3f}]"
        values = (f"{row[name]:.3f}" for name in ("ap", "ap50", "small", "medium", "large"))
        lines.append((
            "x".join(map(str, row["size"])), row["system"], *values, f"{row['recall']:.3f}", gain,
            f"{row['input pixels']}", f"{row['flops'] / 1e9:.2f}", f"{row['seconds'] * 1e3:.0f}",
        ))  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _plain(value: Any) -> Any:
    """Return a value with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and value != value else value


if __name__ == "__main__":
    main()
