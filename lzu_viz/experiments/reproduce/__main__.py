"""`python -m lzu_viz.experiments.reproduce [TASK ...]`: the paper in miniature, run again.

Each run trains one small network and judges it; it appends one line to `results.jsonl` in the
folder that is named. What is there already is not run again. Without `--full` it runs the short
table of each task: a few systems, a quarter of the size, three seeds. Without `--full`, `--system`
or `--films` detectors are judged neither on films nor on streets of another kind.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.run import main as torchrun

from ..training.trained_systems import SYSTEMS, TASKS
from ..training.trainer import Recipe
from .results import Result, Run, append, load, table
from .runner import (
    CORE_SEEDS,
    FILMS,
    REPORTED,
    SHORT_TABLE_SCALE,
    TRAINING,
    Plan,
    Scenes,
    execute,
    full_runs,
    has_video_eval,
    short_table_runs,
)

FOLDER = Path("reproduction")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m lzu_viz.experiments.reproduce", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"some of {', '.join(TASKS)}")
    parser.add_argument("--system", nargs="+", choices=SYSTEMS, metavar="NAME",
                        help=f"some of {', '.join(SYSTEMS)}")  # fmt: skip
    parser.add_argument("--scale", nargs="+", type=float, help="of the input to the picture")
    parser.add_argument("--seeds", nargs="+", type=int, help="which seeds, as 0 1 2")
    parser.add_argument("--preset", choices=("far", "near"), default="far", help="kind of streets")
    parser.add_argument("--full", action="store_true", help="everything; many hours")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER",
                        help=f"for results.jsonl and the networks (default: {FOLDER})")  # fmt: skip
    parser.add_argument("--workers", type=int, metavar="N",
                        help="processes; default: one a GPU, or about one a core, "
                        "of at most 8")  # fmt: skip
    parser.add_argument("--scenes", type=int, default=TRAINING, help="to train on")
    parser.add_argument("--reported", type=int, default=REPORTED, help="to judge on")
    parser.add_argument("--films", type=int, metavar="N",
                        help="to judge detectors on; 0: nor on other streets; "
                        f"default: {FILMS} with --full or --system, else 0")  # fmt: skip
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="of training")
    parser.add_argument("--choose", action="store_true",
                        help="judge on the split on which settings are chosen")  # fmt: skip
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.tasks) - set(TASKS):
        parser.error(f"there is no task {sorted(unknown)}, only {list(TASKS)}")
    chosen.tasks = chosen.tasks or list(TASKS)
    if chosen.films is None:
        chosen.films = FILMS if chosen.full or chosen.system else 0
    if chosen.films < 0:
        parser.error(f"--films must not be negative, got {chosen.films}")
    return chosen


def wanted(chosen: argparse.Namespace) -> list[Run]:
    """Return the runs that a command line asks for, in order."""
    if chosen.full:
        return full_runs(chosen.tasks)
    if not (chosen.system or chosen.scale or chosen.seeds or chosen.preset != "far"):
        return short_table_runs(chosen.tasks)
    runs = []
    for task in chosen.tasks:
        named = chosen.system or [
            name for name, each in SYSTEMS.items() if task in each.in_short_table
        ]
        runs += [
            Run(task, name, scale, seed, chosen.preset)
            for scale in chosen.scale or [SHORT_TABLE_SCALE]
            for seed in chosen.seeds or range(CORE_SEEDS)
            for name in named
            if task in SYSTEMS[name].tasks
        ]
    return runs


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is wanted and not there yet, on all cores, and print the tables."""
    chosen = parse(arguments)
    file = chosen.out / "results.jsonl"
    runs = [] if chosen.table else _left(file, chosen)
    workers = min(chosen.workers or workers_for(len(runs), chosen.device), max(len(runs), 1))
    if "RANK" not in os.environ and workers > 1:
        _draw(runs, chosen)  # once, before there are several who would
        given = sys.argv[1:] if arguments is None else list(arguments)
        # Large pages of memory, where Linux has them: a step is three in a hundred quicker.
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
        torchrun(
            [
                "--standalone",
                f"--nproc-per-node={workers}",
                "-m",
                "lzu_viz.experiments.reproduce",
                *given,
            ]
        )
        return
    if "RANK" in os.environ:
        # Who is done early waits for the longest run.
        dist.init_process_group("gloo", timeout=timedelta(days=7))
        _share(chosen, file)
        dist.destroy_process_group()
        return
    _draw(runs, chosen)
    _run(runs, chosen, file)
    _print(file, chosen)


def workers_for(runs: int, device: str) -> int:
    """Return how many processes share runs: one a GPU; about one a core, so that all end together.

    Of nine runs two cores would take five turns, the last with one core idle: three processes, each
    with three runs and two thirds of a core, are done after four and a half. Of many cores eight
    are used, as each process takes a gigabyte of memory.
    """
    if device.startswith("cuda"):
        return torch.cuda.device_count()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(cores or 1, 8)
    return min(range(cores, cores + cores // 2 + 1), key=lambda n: math.ceil(runs / n) * n)


def _plan(chosen: argparse.Namespace) -> Plan:
    split = "choose" if chosen.choose else "report"
    plan = Plan(chosen.scenes, chosen.reported, chosen.films, split)
    return replace(plan, recipe=replace(plan.recipe, steps=chosen.steps))


def _ours(file: Path, chosen: argparse.Namespace) -> list[Result]:
    """Return the results of a file that were made with the same settings, on however many films."""
    asked = _plan(chosen).settings
    del asked["films"]
    ours = [
        result for result in load(file) if {key: result.settings.get(key) for key in asked} == asked
    ]
    # A run that was judged on films later stands there twice.
    return list({result.run: result for result in ours}.values())


def _left(file: Path, chosen: argparse.Namespace) -> list[Run]:
    """Return the runs that are wanted and missing, or evaluated on fewer clips than asked for."""
    films = {result.run: result.settings.get("films", 0) for result in _ours(file, chosen)}
    return [
        run
        for run in wanted(chosen)
        if run not in films or (has_video_eval(run) and films[run] < chosen.films)
    ]


def _draw(runs: Sequence[Run], chosen: argparse.Namespace) -> None:
    """Draw all scenes that runs need, with progress bars."""
    for preset in dict.fromkeys(run.preset for run in runs):
        scenes = Scenes(_plan(chosen), preset)
        ours = [run for run in runs if run.preset == preset]
        _ = scenes.training, scenes.reported
        if chosen.films and any(map(has_video_eval, ours)):
            _ = scenes.shifted, scenes.films
        if any(SYSTEMS[run.system].policy.boxes == "detected" for run in ours):
            _ = scenes.before_training


def _share(chosen: argparse.Namespace, file: Path) -> None:
    """Run every n-th; under torchrun, on this machine or on many."""
    rank, world = dist.get_rank(), dist.get_world_size()
    # Machines that share no disk do not have the same runs left; what one has is not run again.
    lists: list[list[Run]] = [[] for _ in range(world)]
    dist.all_gather_object(lists, [] if chosen.table else _left(file, chosen))
    runs = [run for run in lists[0] if all(run in each for each in lists)]
    if int(os.environ["LOCAL_RANK"]) == 0:
        _draw(runs, chosen)
    dist.barrier()
    _run(runs[rank::world], chosen, file)
    every: list[list[Result]] = [[] for _ in range(world)]
    dist.all_gather_object(every, load(file))
    if rank == 0:
        # Machines that share no disk bring what the first one does not have.
        there = {_made(result) for result in load(file)}
        for results in every:
            for result in results:
                if _made(result) not in there:
                    append(result, file)
                    there.add(_made(result))
        _print(file, chosen)


def _made(result: Result) -> tuple[Run, str]:
    return result.run, json.dumps(result.settings, sort_keys=True)


def _run(runs: Sequence[Run], chosen: argparse.Namespace, file: Path) -> None:
    device = chosen.device
    local = int(os.environ.get("LOCAL_RANK", 0))
    if device == "cuda":
        device = f"cuda:{local}"
    # The same figures, however many processes share the cores.
    torch.set_num_threads(1)
    for run in runs:
        result = execute(
            run, _plan(chosen), folder=chosen.out, device=device, position=local,
        )  # fmt: skip
        append(result, file)


def _print(file: Path, chosen: argparse.Namespace) -> None:
    results = _ours(file, chosen)
    for task in chosen.tasks:
        for preset in dict.fromkeys(each.preset for each in results if each.task == task):
            print(f"\n{task}, {preset} streets\n{table(results, task, preset)}")


if __name__ == "__main__":
    main()
