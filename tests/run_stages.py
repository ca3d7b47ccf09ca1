"""Run all stages of `make test` or `make check`, and print a table of their results.

Later stages run even if an earlier one fails. The exit status is 1 if any stage failed.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
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
    """

    name: str
    command: Sequence[str]


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
        Stage("browser tests", (*PYTEST, "-m", "browser", SLOWEST)),
        Stage("notebooks", (*PYTEST, "--nbval-lax", *PARALLEL, "notebooks")),
    ),
}


def run(stages: Sequence[Stage]) -> list[Outcome]:
    """Run each stage, with its output passed through.

    Returns:
        One outcome per stage. After an interrupt, the status of that stage is 130, and those of
        the stages after it are None.
    """
    # One thread per process: threads that wait for one another on few cores lose time.
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    outcomes: list[Outcome] = []
    interrupted = False
    for stage in stages:
        if interrupted:
            outcomes.append(Outcome(stage.name, 0.0, None))
            continue
        print(f"\n=== {stage.name}: {shlex.join(stage.command)}", flush=True)
        started = time.monotonic()
        status, interrupted = _status_of(stage.command, environment)
        outcomes.append(Outcome(stage.name, time.monotonic() - started, status))
    return outcomes


def _status_of(command: Sequence[str], environment: dict[str, str]) -> tuple[int, bool]:
    """Return the exit status of a command, and whether it was interrupted."""
    try:
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
    except OSError as error:
        print(error, file=sys.stderr)
        return 127, False
    try:
        return process.wait(), False
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 130, True


def table(outcomes: Sequence[Outcome]) -> str:
    """Format outcomes as a table: stage, minutes and seconds, verdict.

    Example:
        >>> print(table([Outcome("lint", 61.2, 0), Outcome("tests", 5.0, 2)]))
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
    total = sum(outcome.seconds for outcome in outcomes)
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
    outcomes = run(STAGES[which])
    print(f"\n{table(outcomes)}", flush=True)
    return int(any(outcome.status != 0 for outcome in outcomes))


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _interrupt)  # even if the parent process ignores it
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(main())
