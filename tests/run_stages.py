"""Run all stages of a target such as `make test`, and print a table of their results.

Later stages run even if an earlier one fails. The exit status is 1 if any stage failed.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
OXLINT = str(Path(PYTHON).with_name("oxlint"))
PYTEST = (PYTHON, "-m", "pytest")
PARALLEL = ("-n", "2", "--dist", "loadfile")
SLOWEST = "--durations=15"


class Stage(NamedTuple):
    """A command with a name.

    Attributes:
        name: in the table.
        command: program and arguments, run in the root of the repository.
        beside_previous: whether to run at the same time as the previous stage; the output is
            printed at the end.
    """

    name: str
    command: Sequence[str]
    beside_previous: bool = False


class Outcome(NamedTuple):
    """Result of a stage.

    Attributes:
        name: of the stage.
        seconds: wall-clock time.
        status: exit status of the command; None if it was not started.
    """

    name: str
    seconds: float
    status: int | None


def javascript() -> tuple[Stage, ...]:
    """Return the stages of the JavaScript; without npm none, except in CI, where they fail."""
    if shutil.which("npm") is None and not os.environ.get("CI"):
        return ()
    npm = ("npm", "--prefix", "tests/front", "--no-audit", "--no-fund", "--silent")
    return (
        Stage("npm packages", (*npm, "ci")),
        Stage("JavaScript types and format", (*npm, "run", "check")),
    )


STATIC = (
    Stage("ruff check", (PYTHON, "-m", "ruff", "check", ".")),
    Stage("ruff format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
    Stage("mypy", (PYTHON, "-m", "mypy")),
    Stage("oxlint", (OXLINT, "lzu_viz", "tests")),
    *javascript(),
)

STAGES = {
    "check": (
        *STATIC,
        Stage("fast tests", (*PYTEST, "-m", "not slow and not browser", *PARALLEL)),
    ),
    "test": (
        *STATIC,
        Stage("pytest", (*PYTEST, "-m", "not browser", *PARALLEL, SLOWEST)),
        # One after the other, they would leave cores idle: a page waits for its kernel and the
        # kernel for its page.
        Stage("browser tests", (*PYTEST, "-m", "browser and not site", *PARALLEL, SLOWEST)),
        Stage("notebooks", (*PYTEST, "--nbval-lax", "notebooks", SLOWEST), beside_previous=True),
    ),
    "site-test": (Stage("whole site", (*PYTEST, "-m", "site", SLOWEST)),),
}


def run(stages: Sequence[Stage]) -> list[Outcome]:
    """Run each stage, with its output passed through.

    Returns:
        One outcome per stage. After an interrupt, the status of the stages under way is 130, and
        that of the stages after them is None.
    """
    # One thread per process: threads that wait for one another on few cores lose time.
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    outcomes: list[Outcome] = []
    for group in _groups(stages):
        if any(outcome.status == INTERRUPTED for outcome in outcomes):
            outcomes += [Outcome(stage.name, 0.0, None) for stage in group]
        else:
            outcomes += _run_together(group, environment)
    return outcomes


INTERRUPTED = 130
"""Exit status of a stage that was interrupted."""


def _groups(stages: Sequence[Stage]) -> list[list[Stage]]:
    """Return the stages that run at the same time, group by group."""
    groups: list[list[Stage]] = []
    for stage in stages:
        if stage.beside_previous and groups:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def _run_together(group: Sequence[Stage], environment: dict[str, str]) -> list[Outcome]:
    """Run stages at the same time; the outputs of all but the first are printed at the end."""
    started = time.monotonic()
    processes: list[subprocess.Popen[bytes] | None] = []
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in group]
        for index, (stage, file) in enumerate(zip(group, files, strict=True)):
            print(f"\n=== {_title(stage)}", flush=True)
            stdout, stderr = (file, subprocess.STDOUT) if index else (None, None)
            try:
                process = subprocess.Popen(
                    stage.command, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr
                )
                processes.append(process)
            except OSError as error:
                print(error, file=sys.stderr)
                processes.append(None)
        outcomes = _wait_for(group, processes, started)
        for stage, file in [*zip(group, files, strict=True)][1:]:
            file.seek(0)
            print(f"\n=== output of {_title(stage)}", flush=True)
            print(file.read().decode(errors="replace"), flush=True)
    return outcomes


def _title(stage: Stage) -> str:
    return f"{stage.name}: {shlex.join(stage.command)}"


def _wait_for(
    group: Sequence[Stage], processes: Sequence[subprocess.Popen[bytes] | None], started: float
) -> list[Outcome]:
    """Wait until all processes end, or terminate them after an interrupt."""
    ended = [0.0] * len(group)
    statuses = [127 if process is None else None for process in processes]
    try:
        while None in statuses:
            for index, process in enumerate(processes):
                if statuses[index] is None and process is not None:
                    statuses[index] = process.poll()
                    ended[index] = time.monotonic() - started
            time.sleep(0.05)
    except KeyboardInterrupt:
        for index, process in enumerate(processes):
            if statuses[index] is None and process is not None:
                process.terminate()
                process.wait()
                statuses[index], ended[index] = INTERRUPTED, time.monotonic() - started
    return [
        Outcome(stage.name, seconds, status)
        for stage, seconds, status in zip(group, ended, statuses, strict=True)
    ]


def table(outcomes: Sequence[Outcome], total: float) -> str:
    """Format outcomes as a table: stage, minutes and seconds, verdict.

    Args:
        outcomes: of all stages.
        total: wall-clock time of all stages, some of which may have run at the same time.

    Example:
        >>> print(table([Outcome("lint", 61.2, 0), Outcome("tests", 5.0, 2)], 66.2))
        stage  time  verdict
        lint   1:01  passed
        tests  0:05  FAILED (exit status 2)
        total  1:06  FAILED
    """
    rows = [("stage", "time", "verdict")]
    for outcome in outcomes:
        if outcome.status is None:
            verdict = "not run"
        else:
            verdict = f"FAILED (exit status {outcome.status})" if outcome.status else "passed"
        rows.append((outcome.name, _minutes(outcome.seconds), verdict))
    failed = any(outcome.status != 0 for outcome in outcomes)
    rows.append(("total", _minutes(total), "FAILED" if failed else "passed"))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        f"{name:<{widths[0]}}  {when:>{widths[1]}}  {verdict}" for name, when, verdict in rows
    )


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages of a target, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=STAGES, help="target whose stages are run")
    which = parser.parse_args(arguments).which
    started = time.monotonic()
    outcomes = run(STAGES[which])
    print(f"\n{table(outcomes, time.monotonic() - started)}", flush=True)
    return int(any(outcome.status != 0 for outcome in outcomes))


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _interrupt)  # even if the parent process ignores it
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
