"""Tests of the reproduction: results, selection of runs, execution, resuming."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lzu_viz.experiments.reproduce import __main__ as command
from lzu_viz.experiments.reproduce import checkpoints, results
from lzu_viz.experiments.reproduce.__main__ import parse, workers_for
from lzu_viz.experiments.reproduce.results import (
    Run,
    RunResult,
    append,
    gain,
    load,
    select_results,
    spread,
    table,
)
from lzu_viz.experiments.reproduce.runner import (
    CLIPS,
    Plan,
    execute,
    full_runs,
    short_table_runs,
)
from lzu_viz.experiments.training.trained_systems import SYSTEMS, TASKS
from lzu_viz.experiments.training.trainer import Recipe

TINY = Plan(training_scenes=8, evaluation_scenes=4, clips=1, recipe=Recipe(steps=2, batch=2))
COMMAND = [sys.executable, "-m", "lzu_viz.experiments.reproduce"]
ARGUMENTS = ["--scenes", "8", "--evaluation-scenes", "4", "--clips", "1", "--steps", "2"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("streets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LZU_VIZ_CACHE", str(folder))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield folder


def result(system: str = "lzu", seed: int = 0, scale: float = 0.25, **metrics: float) -> RunResult:
    return RunResult("detection", system, scale, seed, "far", metrics, {}, {}, 1.0)


def run(*arguments: str | Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


# --- results ---------------------------------------------------------------------------------


def test_load_inverts_append(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    append(result(ap=0.25, large=math.nan), file)
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["metrics"] == {"ap": 0.25, "large": None}
    (back,) = load(file)
    assert back.run == Run("detection", "lzu", 0.25, 0)
    assert math.isnan(back.metrics["large"])
    assert set(json.loads(line)) >= {
        "task", "system", "scale", "seed", "metrics", "settings", "versions", "seconds",
    }  # fmt: skip


def test_truncated_line_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    for seed in range(2):
        append(result(seed=seed, ap=0.2), file)
    file.write_text(file.read_text()[:-5])
    assert [stored.seed for stored in load(file)] == [0]


def test_invalid_line_raises_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text('{"task": 1}\n')
    with pytest.raises(ValueError, match=r"line 1 of .* is not a valid result"):
        load(file)


def test_missing_file_has_no_results(tmp_path: Path) -> None:
    assert load(tmp_path / "nothing.jsonl") == []


def test_spread_and_gain_are_over_seeds() -> None:
    results = [result("uniform", seed, ap=0.1 * seed) for seed in range(3)]
    results += [result("lzu", seed, ap=0.1 * seed + 0.05 * (seed + 1)) for seed in range(3)]
    assert spread(select_results(results, system="uniform"), "ap") == pytest.approx(
        (0.1, 0, 0.2, 3)
    )
    assert gain(results, "lzu", "uniform", "ap") == pytest.approx((0.1, 0.05, 0.15, 3))
    assert gain(results, "lzu", "fovea", "ap").seeds == 0
    assert math.isnan(spread(results, "miou").mean)


def test_gain_pairs_equal_seeds_and_scales() -> None:
    results = [result("uniform", 0, 0.25, ap=0.1), result("lzu", 1, 0.25, ap=0.9)]
    results += [result("lzu", 0, 0.5, ap=0.9), result("lzu", 0, 0.25, ap=0.3)]
    assert gain(results, "lzu", "uniform", "ap") == pytest.approx((0.2, 0.2, 0.2, 1))


def test_a_table_has_a_row_for_each_scale_and_system() -> None:
    results = [
        result(system, seed, scale, ap=0.1 * (seed + 1), ap50=0.5)
        for system in ("uniform", "lzu")
        for seed in (0, 1)
        for scale in (0.5, 0.25)
    ]
    lines = table(results, "detection").splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["0.25", "uniform", "2"], ["0.25", "lzu", "2"], ["0.50", "uniform", "2"],
        ["0.50", "lzu", "2"],
    ]  # fmt: skip
    assert "0.150 [0.100 0.200]" in lines[1]


# --- selection of runs -----------------------------------------------------------------------


def test_short_table_has_three_seeds_of_the_compared_systems() -> None:
    runs = short_table_runs()
    for task in TASKS:
        systems = {run.system for run in runs if run.task == task}
        rival = "edge" if task == "segmentation" else "fovea"
        assert systems == {"uniform", "lzu", rival}
    assert len(runs) == len(set(runs)) == 27
    assert {run.scale for run in runs} == {0.25}


def test_the_full_table_has_every_system_at_every_scale() -> None:
    runs = full_runs()
    assert len(runs) == len(set(runs))
    for task in TASKS:
        for name, system in SYSTEMS.items():
            scales = {run.scale for run in runs if (run.task, run.system) == (task, name)}
            assert scales == ({0.25, 0.5, 0.75} if task in system.tasks else set())
    assert runs[: len(short_table_runs())] == short_table_runs()
    assert "near" in {run.preset for run in runs}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["detection"], short_table_runs(["detection"])),
        (["detection", "--system", "lz", "--seeds", "5"], [Run("detection", "lz", 0.25, 5)]),
        (["segmentation", "--system", "fovea"], []),
        (
            ["detection3d", "--system", "lzu", "--scale", "0.5", "0.75", "--seeds", "0"],
            [Run("detection3d", "lzu", 0.5, 0), Run("detection3d", "lzu", 0.75, 0)],
        ),
        (
            ["detection", "--system", "lzu", "--seeds", "1", "--preset", "near"],
            [Run("detection", "lzu", 0.25, 1, "near")],
        ),
    ],
)
def test_command_line_selects_runs(arguments: list[str], expected: list[Run]) -> None:
    assert command.wanted(command.parse(arguments)) == expected


@pytest.mark.parametrize("arguments", [["flow"], ["--system", "crop"], ["--preset", "moon"]])
def test_unknown_arguments_exit(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parse(arguments)
    assert arguments[-1] in capsys.readouterr().err


# --- execution -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "chosen",
    [Run("detection", "lzu-cascaded", 0.25, 0), Run("segmentation", "edge-expected", 0.25, 0)],
)
def test_execute_returns_metrics_and_stores_a_network(
    chosen: Run, cache: Path, tmp_path: Path
) -> None:
    finished = execute(chosen, TINY, folder=tmp_path, quiet=True)
    assert finished.run == chosen
    assert finished.settings["steps"] == 2
    assert finished.settings["size"] == [48, 160]
    assert {"torch", "python", "lzu_viz"} <= finished.versions.keys()
    main = "ap" if chosen.task == "detection" else "miou"
    assert 0 <= finished.metrics[main] <= 1
    assert (tmp_path / checkpoints.checkpoint_name(chosen)).is_file()


@pytest.mark.slow
def test_execute_is_deterministic(cache: Path) -> None:
    chosen = Run("detection3d", "fovea", 0.25, 3)
    first, again = (execute(chosen, TINY, quiet=True) for _ in range(2))
    assert first.metrics == pytest.approx(again.metrics, abs=0, nan_ok=True)


@pytest.mark.slow
def test_two_processes_share_runs_and_finished_runs_are_skipped(
    cache: Path, tmp_path: Path
) -> None:
    arguments = ["detection", "--system", "uniform", "lzu", "fovea", "--seeds", "0", *ARGUMENTS]
    done = run(*arguments, "--out", tmp_path, "--workers", "2")
    assert done.returncode == 0, done.stderr
    file = tmp_path / "results.jsonl"
    before = file.read_text()
    assert {stored.system for stored in load(file)} == {"uniform", "lzu", "fovea"}
    assert len(before.splitlines()) == 3
    assert "uniform" in done.stdout
    # Repeated, no runs are left. A run in a folder of its own has the same metrics.
    again = run(*arguments, "--out", tmp_path, "--workers", "2")
    assert again.returncode == 0
    assert file.read_text() == before
    alone = tmp_path / "alone"
    single = run("detection", "--system", "lzu", "--seeds", "0", *ARGUMENTS, "--out", alone,
                 "--workers", "1")  # fmt: skip
    assert single.returncode == 0, single.stderr
    (separate,) = load(alone / "results.jsonl")
    (shared,) = select_results(load(file), system="lzu")
    assert separate.metrics == pytest.approx(shared.metrics, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runs", "cores", "processes"),
    [(9, 2, 3), (8, 2, 2), (27, 2, 3), (9, 4, 5), (9, 8, 9), (3, 1, 1), (1, 8, 8)],
)
def test_number_of_workers_for_runs_and_cores(
    monkeypatch: pytest.MonkeyPatch, runs: int, cores: int, processes: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert workers_for(runs, "cpu") == processes


@pytest.mark.parametrize(
    ("arguments", "clips"),
    [([], 0), (["--full"], CLIPS), (["--system", "lzu-adaptive"], CLIPS), (["--clips", "3"], 3),
     (["--full", "--clips", "0"], 0)],
)  # fmt: skip
def test_default_number_of_clips(arguments: list[str], clips: int) -> None:
    assert parse(["detection", *arguments]).clips == clips


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "preset", "left"), [("detection", "far", 1), ("detection", "near", 0),
                                 ("segmentation", "far", 0), ("detection3d", "far", 0)],
)  # fmt: skip
def test_only_runs_that_are_evaluated_on_clips_are_repeated(
    task: str, preset: str, left: int, tmp_path: Path
) -> None:
    file = tmp_path / "results.jsonl"
    short = [task, "--seeds", "0", "--preset", preset, "--out", str(tmp_path)]
    settings = command._plan(parse(short)).settings
    append(RunResult(task, "uniform", 0.25, 0, preset, {}, settings, {}, 1.0), file)
    options = parse([*short, "--system", "uniform"])
    assert options.clips > settings["clips"]
    assert len(command._missing_runs(file, options)) == left
    assert len(command._matching_results(file, options)) == 1  # but it is in the table


@pytest.mark.slow
def test_runs_with_clips_are_not_repeated_without_clips(cache: Path, tmp_path: Path) -> None:
    common = ["detection", "--system", "uniform", "--seeds", "0", "--out", tmp_path,
              "--workers", "1"]  # fmt: skip
    few, more = [*ARGUMENTS[:4], *ARGUMENTS[6:], "--clips", "0"], ARGUMENTS
    file = tmp_path / "results.jsonl"
    lines = []
    for arguments in (few, more, few, more):
        done = run(*common, *arguments)
        assert done.returncode == 0, done.stderr
        lines.append(len(load(file)))
    assert lines == [1, 2, 2, 2]
    short, long = load(file)
    assert "clip_ap" not in short.metrics
    assert {"clip_ap", "shifted_ap"} <= long.metrics.keys()
    same = {name: long.metrics[name] for name in short.metrics}
    assert short.metrics == pytest.approx(same, abs=0, nan_ok=True)
    assert re.search(r"0\.25 uniform +1 ", done.stdout)  # one seed, not two


Gather = Callable[[list[Any], list[Any]], None]


@pytest.fixture
def other_machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Gather], None]:
    """Simulate two machines without a shared disk; return a function that sets what they gather."""
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(command.dist, "get_rank", lambda: 0)
    monkeypatch.setattr(command.dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(command.dist, "barrier", lambda: None)

    def set_gather(gather: Gather) -> None:
        monkeypatch.setattr(command.dist, "all_gather_object", gather)

    return set_gather


def test_results_of_another_machine_are_collected(
    other_machine: Callable[[Gather], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "results.jsonl"
    local, remote = result("uniform", ap=0.2, large=math.nan), result("lzu", ap=0.3)
    on_clips = replace(local, settings={"clips": 20}, metrics={"ap": 0.2, "clip_ap": 0.1})
    append(local, file)
    monkeypatch.setattr(command, "_run", lambda *_: None)

    def gather(gathered: list[Any], mine: list[Any]) -> None:
        gathered[:] = [mine, [*mine, remote, on_clips, remote] if mine else []]

    other_machine(gather)
    command._run_distributed(parse(["detection", "--out", str(tmp_path), "--table"]), file)
    assert [(stored.system, stored.settings) for stored in load(file)] == [
        ("uniform", {}), ("lzu", {}), ("uniform", {"clips": 20}),
    ]  # fmt: skip


def test_runs_finished_on_one_machine_are_not_repeated(
    other_machine: Callable[[Gather], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    executed: list[Run] = []
    monkeypatch.setattr(command, "_run", lambda runs, *_: executed.extend(runs))

    def gather(gathered: list[Any], mine: list[Any]) -> None:
        gathered[:] = [mine, mine[1:]]  # the other machine has run the first

    other_machine(gather)
    options = parse(["detection", "--out", str(tmp_path)])
    command._run_distributed(options, tmp_path / "results.jsonl")
    assert executed == short_table_runs(["detection"])[1::2]


@pytest.mark.slow
def test_runs_with_other_settings_are_separate(cache: Path, tmp_path: Path) -> None:
    arguments = ["segmentation", "--system", "uniform", "--seeds", "0", "--out", tmp_path,
              "--workers", "1"]  # fmt: skip
    assert run(*arguments, *ARGUMENTS).returncode == 0
    assert run(*arguments, *ARGUMENTS[:-1], "3").returncode == 0
    assert [stored.settings["steps"] for stored in load(tmp_path / "results.jsonl")] == [2, 3]


@pytest.mark.slow
def test_interrupt_keeps_the_finished_runs(cache: Path, tmp_path: Path) -> None:
    arguments = ["detection", "--system", "uniform", "--seeds", "0", "1", *ARGUMENTS[:-1], "400"]
    file = tmp_path / "results.jsonl"
    # The first seed is finished already; the second is interrupted in its training.
    assert run(*arguments[:4], "0", *ARGUMENTS, "--out", tmp_path, "--workers", "1").returncode == 0
    before = file.read_text()
    command_line = [*COMMAND, *arguments, "--out", str(tmp_path), "--workers", "1"]
    # Processes that a shell starts in the background ignore SIGINT, and so do their children.
    restore_interrupt = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command_line, stderr=subprocess.PIPE, preexec_fn=restore_interrupt
    ) as process:
        assert process.stderr is not None
        output = b""
        while b"/400" not in output:  # in the progress bar: the training has begun
            output += process.stderr.read(20)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert file.read_text() == before


# --- stored results --------------------------------------------------------------------------


def test_command_prints_the_stored_results(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--table", "--out", str(results.RECORDED.parent)])
    (ap,) = (
        stored.metrics["ap"]
        for stored in load()
        if stored.run == Run("detection", "lzu-wrong", 0.25, 0)
    )
    printed = capsys.readouterr().out
    assert "lzu-wrong" in printed
    assert f"{ap:.3f}" in printed


def test_results_of_version_0_1_are_read_under_new_names(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    current = result("uniform", ap=0.2, clip_ap=0.3)
    append(replace(current, settings=Plan().settings), file)
    line = file.read_text()
    for new, old in {
        "learning_rate": "rate",
        "training_scenes": "scenes",
        "evaluation_scenes": "reported",
        "clips": "films",
        "clip_ap": "film_ap",
        "test": "report",
    }.items():
        assert f'"{new}"' in line
        line = line.replace(f'"{new}"', f'"{old}"')
    (tmp_path / "old.jsonl").write_text(line)
    assert load(tmp_path / "old.jsonl") == load(file)
