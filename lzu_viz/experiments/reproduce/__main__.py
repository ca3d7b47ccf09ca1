"""`python -m lzu_viz.experiments.reproduce [TASK ...]`: reproduce the paper at small scale.

Each run trains and evaluates one small network, and appends one line to `results.jsonl` in the
output folder. Runs whose results are already in this file are skipped. The default, without
`--full`, is the short table of each task: a few systems, a quarter of the size, three seeds.
Without `--full`, `--system` or `--clips` detectors are evaluated neither on video clips nor on
streets of another kind.
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
from .results import Run, RunResult, append, load, table
from .runner import (
    CLIPS,
    CORE_SEEDS,
    EVALUATION_SCENES,
    SHORT_TABLE_SCALE,
    TRAINING_SCENES,
    Plan,
    Scenes,
    execute,
    full_runs,
    has_video_eval,
    short_table_runs,
)

FOLDER = Path("reproduction")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed command line, with defaults filled in."""
    parser = argparse.ArgumentParser(
        prog="python -m lzu_viz.experiments.reproduce", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="systems:\n"
        + "\n".join(f"  {name:20} {system.description}" for name, system in SYSTEMS.items()),
    )  # fmt: skip
    parser.add_argument(
        "tasks", nargs="*", metavar="TASK", help=f"tasks to run (default: all): {', '.join(TASKS)}"
    )
    parser.add_argument("--system", nargs="+", choices=SYSTEMS, metavar="NAME",
                        help="systems to train, see below")  # fmt: skip
    parser.add_argument(
        "--scale", nargs="+", type=float, help="size of the network's input relative to the image"
    )
    parser.add_argument("--seeds", nargs="+", type=int, help="training seeds, for example 0 1 2")
    parser.add_argument("--preset", choices=("far", "near"), default="far", help="kind of streets")
    parser.add_argument(
        "--full", action="store_true", help="all systems, scales and streets; takes many hours"
    )
    parser.add_argument("--device", default="cpu", help="device for training: cpu or cuda")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER",
                        help=f"folder for results and networks (default: {FOLDER})")  # fmt: skip
    parser.add_argument("--workers", type=int, metavar="N",
                        help="number of processes (default: one per GPU, or about one per "
                        "core, for at most 8 cores)")  # fmt: skip
    parser.add_argument(
        "--scenes", type=int, default=TRAINING_SCENES, help="number of training scenes"
    )
    parser.add_argument(
        "--evaluation-scenes",
        type=int,
        default=EVALUATION_SCENES,
        help="number of evaluation scenes",
    )
    parser.add_argument("--clips", type=int, metavar="N",
                        help="number of video clips that detectors are evaluated on; 0 also "
                        "omits the evaluation on streets of another kind "
                        f"(default: {CLIPS} with --full or --system, else 0)")  # fmt: skip
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="number of training steps")
    parser.add_argument("--split", choices=("val", "test"), default="test",
                        help="streets to evaluate on; settings are selected on val")  # fmt: skip
    parser.add_argument(
        "--table", action="store_true", help="print the stored results and run nothing"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.tasks) - set(TASKS):
        parser.error(f"unknown tasks {sorted(unknown)}: choose from {list(TASKS)}")
    options.tasks = options.tasks or list(TASKS)
    if options.clips is None:
        options.clips = CLIPS if options.full or options.system else 0
    if options.clips < 0:
        parser.error(f"--clips must not be negative, got {options.clips}")
    return options


def wanted(options: argparse.Namespace) -> list[Run]:
    """Return the runs requested on the command line, in order."""
    if options.full:
        return full_runs(options.tasks)
    if not (options.system or options.scale or options.seeds or options.preset != "far"):
        return short_table_runs(options.tasks)
    runs = []
    for task in options.tasks:
        systems = options.system or [
            name for name, system in SYSTEMS.items() if task in system.in_short_table
        ]
        runs += [
            Run(task, name, scale, seed, options.preset)
            for scale in options.scale or [SHORT_TABLE_SCALE]
            for seed in options.seeds or range(CORE_SEEDS)
            for name in systems
            if task in SYSTEMS[name].tasks
        ]
    return runs


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the requested runs without stored results in parallel processes, and print the tables."""
    options = parse(arguments)
    file = options.out / "results.jsonl"
    runs = [] if options.table else _missing_runs(file, options)
    workers = min(options.workers or workers_for(len(runs), options.device), max(len(runs), 1))
    if "RANK" not in os.environ and workers > 1:
        _render_scenes(runs, options)  # once, before the worker processes start
        worker_arguments = sys.argv[1:] if arguments is None else list(arguments)
        # Transparent huge pages on Linux make a step 3 % faster.
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
        torchrun(
            [
                "--standalone",
                f"--nproc-per-node={workers}",
                "-m",
                "lzu_viz.experiments.reproduce",
                *worker_arguments,
            ]
        )
        return
    if "RANK" in os.environ:
        # Processes that finish early wait for the longest run.
        dist.init_process_group("gloo", timeout=timedelta(days=7))
        _run_distributed(options, file)
        dist.destroy_process_group()
        return
    _render_scenes(runs, options)
    _run(runs, options, file)
    _print(file, options)


def workers_for(runs: int, device: str) -> int:
    """Return the number of worker processes: one per GPU, or about one per CPU core.

    The number may exceed the cores by half if the processes then finish together: nine runs take
    five rounds on two processes, the last with one core idle, but the time of 4.5 rounds on three
    processes that share two cores. At most eight cores are used, as each process takes 1 GB.
    """
    if device.startswith("cuda"):
        return torch.cuda.device_count()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(cores or 1, 8)
    return min(range(cores, cores + cores // 2 + 1), key=lambda n: math.ceil(runs / n) * n)


def _plan(options: argparse.Namespace) -> Plan:
    plan = Plan(options.scenes, options.evaluation_scenes, options.clips, options.split)
    return replace(plan, recipe=replace(plan.recipe, steps=options.steps))


def _matching_results(file: Path, options: argparse.Namespace) -> list[RunResult]:
    """Return the results of a file with the same settings, regardless of the number of clips."""
    settings = _plan(options).settings
    del settings["clips"]
    matching = [
        result
        for result in load(file)
        if {key: result.settings.get(key) for key in settings} == settings
    ]
    # A run that was evaluated on clips later has two lines; the last one counts.
    return list({result.run: result for result in matching}.values())


def _missing_runs(file: Path, options: argparse.Namespace) -> list[Run]:
    """Return the requested runs that are missing, or evaluated on fewer clips than requested."""
    clips = {
        result.run: result.settings.get("clips", 0) for result in _matching_results(file, options)
    }
    return [
        run
        for run in wanted(options)
        if run not in clips or (has_video_eval(run) and clips[run] < options.clips)
    ]


def _render_scenes(runs: Sequence[Run], options: argparse.Namespace) -> None:
    """Render all scenes that the runs need, with progress bars."""
    for preset in dict.fromkeys(run.preset for run in runs):
        scenes = Scenes(_plan(options), preset)
        preset_runs = [run for run in runs if run.preset == preset]
        _ = scenes.training, scenes.evaluation
        if options.clips and any(map(has_video_eval, preset_runs)):
            _ = scenes.shifted, scenes.clips
        if any(SYSTEMS[run.system].policy.boxes == "detected" for run in preset_runs):
            _ = scenes.before_training


def _run_distributed(options: argparse.Namespace, file: Path) -> None:
    """Run this process's part of the runs under torchrun, on one or several machines."""
    rank, world = dist.get_rank(), dist.get_world_size()
    # Machines without a shared disk may lack different runs; skip those that any of them has.
    lists: list[list[Run]] = [[] for _ in range(world)]
    dist.all_gather_object(lists, [] if options.table else _missing_runs(file, options))
    runs = [run for run in lists[0] if all(run in missing for missing in lists)]
    if int(os.environ["LOCAL_RANK"]) == 0:
        _render_scenes(runs, options)
    dist.barrier()
    _run(runs[rank::world], options, file)
    results_by_rank: list[list[RunResult]] = [[] for _ in range(world)]
    dist.all_gather_object(results_by_rank, load(file))
    if rank == 0:
        # Add the results that machines without a shared disk have and the first one lacks.
        stored = {_key(result) for result in load(file)}
        for results in results_by_rank:
            for result in results:
                if _key(result) not in stored:
                    append(result, file)
                    stored.add(_key(result))
        _print(file, options)


def _key(result: RunResult) -> tuple[Run, str]:
    return result.run, json.dumps(result.settings, sort_keys=True)


def _run(runs: Sequence[Run], options: argparse.Namespace, file: Path) -> None:
    device = options.device
    local = int(os.environ.get("LOCAL_RANK", 0))
    if device == "cuda":
        device = f"cuda:{local}"
    # One thread, so that results do not depend on the number of processes.
    torch.set_num_threads(1)
    for run in runs:
        result = execute(
            run, _plan(options), folder=options.out, device=device, position=local,
        )  # fmt: skip
        append(result, file)


def _print(file: Path, options: argparse.Namespace) -> None:
    results = _matching_results(file, options)
    for task in options.tasks:
        for preset in dict.fromkeys(result.preset for result in results if result.task == task):
            print(f"\n{task}, {preset} streets\n{table(results, task, preset)}")


if __name__ == "__main__":
    main()
