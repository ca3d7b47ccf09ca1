"""Run the browser tests repeatedly, alternating between three conditions.

`python tests/browser/stress.py` finds tests that depend on timing. Its conditions are `quiet`
(as in `make test`), `busy` (beside two processes that never pause) and `delayed` (every drawing in
the page is delayed by a quarter of a second). It prints a row per run, then a summary, and
exits with status 1 if a test failed. Finished runs are stored in `build/stress.jsonl`, so that
`--resume` continues an interrupted call.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOG = ROOT / "build/stress.jsonl"

BUSY_LOOPS = 2
DELAY_MS = 250
CONDITIONS = ("quiet", "busy", "delayed")
HEADER = f"{'run':>4}  {'condition':<9}  {'passed':>6}  {'failed':>6}  {'seconds':>7}  failed tests"

# A loop gets the id of its parent process, and ends when the parent has ended, even if killed.
BUSY_LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"

GOOD_EXITS = {0, 1}
"""Exit codes of pytest after which its report is complete: all passed, and some failed."""


class Run(NamedTuple):
    """The outcome of one run.

    Attributes:
        number: counted from 1.
        condition: one of `CONDITIONS`.
        only: the selection that was run.
        passed: how many tests passed.
        seconds: duration, with the start of pytest.
        failed: names of the tests that failed, or had an error.
    """

    number: int
    condition: str
    only: tuple[str, ...]
    passed: int
    seconds: float
    failed: tuple[str, ...]

    def __str__(self) -> str:
        """Return the row of the table."""
        return (
            f"{self.number:>4}  {self.condition:<9}  {self.passed:>6}  {len(self.failed):>6}  "
            f"{self.seconds:>7.0f}  {' '.join(self.failed)}"
        )


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run this many busy processes during the block."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            loops.append(subprocess.Popen([sys.executable, "-c", BUSY_LOOP, str(os.getpid())]))
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def run_tests(
    number: int, condition: str, only: Sequence[str], folder: Path, extra: Sequence[str] = ()
) -> Run:
    """Run the browser tests once.

    Args:
        number: of the run.
        condition: one of `CONDITIONS`.
        only: names of test files without `.py`, or paths or node ids as pytest takes them; all
            files of this folder if empty.
        folder: for the report of pytest, and for its output if a test fails.
        extra: further arguments of pytest.

    Raises:
        RuntimeError: if pytest ended without a complete report.
    """
    report = folder / f"{number}.xml"
    output = folder / f"{number}.txt"
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *extra, *_paths(only)]
    environment = {**os.environ, "LZU_DRAWING_DELAY_MS": "0"}
    if condition == "delayed":
        environment["LZU_DRAWING_DELAY_MS"] = str(DELAY_MS)
    start = time.monotonic()
    with busy_loops(BUSY_LOOPS if condition == "busy" else 0), output.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            code = process.wait()
        except BaseException:
            _interrupt(process)
            raise
    if code not in GOOD_EXITS:
        log = output.read_text(errors="replace")
        raise RuntimeError(f"pytest ended with exit code {code}, expected 0 or 1:\n{log}")
    passed, failed = read_report(report)
    if failed:
        kept = LOG.with_name(f"stress-{number}-{condition}.txt")
        kept.write_text(output.read_text(errors="replace"))
    return Run(number, condition, tuple(only), passed, time.monotonic() - start, failed)


def _paths(only: Sequence[str]) -> list[str]:
    if not only:
        return [str(HERE)]
    return [str(HERE / f"{name}.py") if name.isidentifier() else name for name in only]


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """Interrupt pytest, so that it shuts down its servers and browsers; kill it after 30 s."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def read_report(path: Path) -> tuple[int, tuple[str, ...]]:
    """Return how many tests of a JUnit report passed, and the names of those that failed."""
    failed: dict[str, None] = {}
    passed = 0
    for case in ET.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname', '').split('.')[-1]}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed[name] = None  # a test and its teardown may both fail
        elif case.find("skipped") is None:
            passed += 1
    return passed, tuple(failed)


def stored_runs(only: Sequence[str]) -> dict[int, Run]:
    """Return the finished runs of this selection, by number."""
    if not LOG.exists():
        return {}
    runs = [Run(*json.loads(line)) for line in LOG.read_text().splitlines()]
    return {
        run.number: run._replace(only=tuple(run.only), failed=tuple(run.failed))
        for run in runs
        if list(run.only) == list(only)
    }


def summary(runs: Sequence[Run]) -> str:
    """Return a line per condition: runs, failures and the duration of a run."""
    lines = []
    for condition in dict.fromkeys(run.condition for run in runs):
        selected = [run for run in runs if run.condition == condition]
        failures = sum(len(run.failed) for run in selected)
        seconds = sum(run.seconds for run in selected) / len(selected)
        lines.append(
            f"{condition:<9}  {len(selected)} runs, {failures} failures, {seconds:.0f} s a run"
        )
    return "\n".join(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/browser/stress.py", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="number of runs, over all conditions")
    parser.add_argument(
        "--only", nargs="+", default=[], help="test files without .py, or node ids of pytest"
    )
    parser.add_argument(
        "--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS), metavar="CONDITION"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the last call: keep its finished runs"
    )
    parser.add_argument(
        "-k", default="", metavar="EXPRESSION", help="select tests, like -k of pytest"
    )
    return parser.parse_args()


def _exit(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit("interrupted")


def main() -> int:
    """Run the command; return 1 if a test failed or none ran, else 0."""
    arguments = _parse()
    signal.signal(signal.SIGTERM, _exit)
    extra = ["-k", arguments.k] if arguments.k else []
    only = [*arguments.only, *extra]
    LOG.parent.mkdir(exist_ok=True)
    if not arguments.resume:
        LOG.unlink(missing_ok=True)
    stored = stored_runs(only)
    runs: list[Run] = []
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.runs + 1):
            condition = arguments.conditions[(number - 1) % len(arguments.conditions)]
            run = stored.get(number)
            if run is None or run.condition != condition:
                run = run_tests(number, condition, arguments.only, Path(folder), extra)
                run = run._replace(only=tuple(only))
                with LOG.open("a") as log:
                    log.write(json.dumps(run) + "\n")
            runs.append(run)
            print(run, flush=True)
    print(summary(runs))
    return int(any(run.failed or not run.passed for run in runs))


if __name__ == "__main__":
    sys.exit(main())
