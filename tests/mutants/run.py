"""`make mutants`: plant faults in the library, one at a time; do tests and notebooks detect them?

Each fault of `faults.toml` is planted in a copy of the project. The tests are run there, then the
notebooks alone, each until the first failure. Results are appended to `table.jsonl` at once, so
that an interrupted run can be resumed. A detection stays valid while the library and the file that
detected the fault are unchanged; an undetected fault is run again after any change. Tests that
compare hashes of the source are left out, as they would detect every fault. Notebooks that do not
execute the faulty lines are not run, as they cannot detect the fault.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lzu_viz.datasets.source_code import without_words
from mutants.executed_lines import Lines, executes, run_with_coverage

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TABLE = HERE / "table.jsonl"
EXECUTED = ROOT / "build/executed_by_notebooks.json"
"""Lines that each notebook executes, kept for the continuation of an interrupted run."""
TARGETS = {"pytest": 0.95, "notebooks": 0.70}

TIMEOUT = 1800
"""Timeout of a command in seconds with a fault; a run that exceeds it counts as a detection."""
TIMEOUT_WITHOUT_FAULT = 3600

LEFT_OUT = (
    "tests/browser",
    "tests/bench/test_bench.py",
    "tests/test_packaging.py",
    "tests/test_run_stages.py",
    "tests/test_mutants.py",
    "tests/test_notebooks.py",
    "tests/bench/test_run_notebooks.py",
)
BOOKKEEPING = (
    "tests/experiments/test_frozen.py::test_stored_results_have_the_hash_of_the_current_code",
    "tests/experiments/test_frozen.py::test_stored_settings_and_scenes_match_the_module",
)


NO_TESTS = 5
"""Exit status of pytest for files without tests, such as a module without doctests."""

PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]


class Fault(NamedTuple):
    """A fault: a piece of code that occurs once in a file of the package, and its replacement."""

    name: str
    file: str
    before: str
    after: str

    @property
    def subpackage(self) -> str:
        """Top-level folder of the file in the package."""
        return self.file.split("/")[0]

    @property
    def stem(self) -> str:
        """Name of the file's module."""
        return Path(self.file).stem

    def planted_in(self, source: str) -> str:
        """Return the source with the fault.

        Raises:
            ValueError: `before` does not occur exactly once.
        """
        if source.count(self.before) != 1:
            raise ValueError(
                f"{self.name!r}: `before` must occur once in {self.file}, it occurs "
                f"{source.count(self.before)} times; adapt the fault to the code"
            )
        return source.replace(self.before, self.after)


def faults() -> list[Fault]:
    """Return the faults of `faults.toml`."""
    tables = tomllib.loads((HERE / "faults.toml").read_text(encoding="utf-8"))["fault"]
    return [Fault(**fields) for fields in tables]


# --- what a result depends on ---------------------------------------------------------------------


def files(*patterns: str) -> list[str]:
    """Return the names of all files of the project, or of those that match git patterns."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "--"]
    command += patterns
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({name for name in listed.stdout.splitlines() if (ROOT / name).is_file()})


def hash_of(names: Iterable[str]) -> str:
    """Return a hash of files: of notebooks code and checked outputs, of Python all but comments."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode())
        digest.update(_compared(ROOT / name))
    return digest.hexdigest()[:16]


def _compared(path: Path) -> bytes:
    if path.suffix == ".py":
        return without_words(path.read_text(encoding="utf-8")).encode()
    if path.suffix != ".ipynb":
        return path.read_bytes()
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = []
    for cell in cells:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            outputs = ["".join(output.get("text", "")) for output in cell["outputs"]]
            # Printed text is stored in pieces that vary between runs.
            code.append([source, "".join(outputs) if "NBVAL_CHECK_OUTPUT" in source else ""])
    return json.dumps(code).encode()


class Tree:
    """Hashes of the current project, which results depend on."""

    def __init__(self) -> None:
        above = ("bench", "plots", "widgets")
        library = [name for name in files("lzu_viz") if name.endswith(".py")]
        # The part of the library that faults are planted in; the rest may change.
        self._mathematics = hash_of(n for n in library if n.split("/")[1] not in above)
        data = [name for name in files("lzu_viz") if name.endswith((".js", ".json"))]
        run_files = {
            "pytest": [name for name in files("tests") if name.endswith((".py", ".mjs"))],
            "notebooks": files("notebooks/*.ipynb", "notebooks/solutions/*.ipynb"),
        }
        self.hashes = {by: hash_of(library + data + names) for by, names in run_files.items()}

    def key(self, fault: Fault, by: str, detected_by: str) -> str:
        """Return a hash of all files, or only of those that a detection depends on."""
        path = detected_by.split("::")[0]
        is_file = path and (ROOT / path).is_file()
        depends_on = self._mathematics + hash_of([path]) if is_file else self.hashes[by]
        return hashlib.sha256(f"{depends_on}{fault}".encode()).hexdigest()[:16]

    def holds(self, fault: Fault, line: dict[str, str]) -> bool:
        """Return whether a recorded result is still valid."""
        return line["key"] == self.key(fault, line["by"], line["seen"])


def recorded(path: Path = TABLE) -> dict[tuple[str, str], dict[str, str]]:
    """Return the latest results, by fault and kind of run."""
    if not path.is_file():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(line["fault"], line["by"]): line for line in lines}


# --- running --------------------------------------------------------------------------------------


def commands(
    copy: Path,
    fault: Fault | None,
    by: str,
    detected_by: str,
    executed: Mapping[str, Lines] | None = None,
) -> Iterator[list[str]]:
    """Yield the commands of a run; for a planted fault, the likeliest tests come first.

    Args:
        copy: copy of the project, without the fault.
        fault: the planted fault, or None.
        by: kind of run.
        detected_by: the test that detected the fault in an earlier run, or an empty string.
        executed: lines that each notebook executes; those that do not execute the fault's lines
            are left out.
    """
    earlier = detected_by.split("::")[0]
    if by == "notebooks":
        names = likeliest(copy, fault.stem if fault else "")
        if fault and executed is not None:
            source = (ROOT / "lzu_viz" / fault.file).read_text(encoding="utf-8")
            names = [
                name for name in names if executes(executed[name], fault.file, source, fault.before)
            ]
        # One command for each: the timeout is that of one notebook.
        for name in sorted(names, key=lambda name: name != earlier):
            yield [*PYTEST, "--nbval-lax", name]
        return
    pytest = [*PYTEST, *(f"--ignore={name}" for name in LEFT_OUT)]
    pytest += [f"--deselect={name}" for name in BOOKKEEPING]
    if earlier and (copy / earlier).is_file():
        yield [*pytest, earlier]
    if fault:
        # Most faults are detected by doctests and tests of the module and of its folder. The
        # package comes first: imported before it, a module would be imported twice, and what it
        # registers would be known already.
        folder = f"tests/{fault.subpackage}"
        module = ["lzu_viz/__init__.py", f"lzu_viz/{fault.file}"]
        # In one command, pytest would run the tests of the module in their place in the folder.
        for nearby in ([*module, f"{folder}/test_{fault.stem}.py"], [folder]):
            if existing := [name for name in nearby if (copy / name).exists()]:
                yield [*pytest, *existing]
    yield [*pytest, "tests", "lzu_viz"]


def likeliest(copy: Path, module: str) -> list[str]:
    """Return all notebooks, in descending order of how often they name a module."""
    folder = copy / "notebooks"
    paths = sorted([*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb")])

    def mentions(path: Path) -> int:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return sum("".join(cell["source"]).count(module) for cell in cells) if module else 0

    return [str(path.relative_to(copy)) for path in sorted(paths, key=mentions, reverse=True)]


def environment_of(copy: Path) -> dict[str, str]:
    """Return the environment of the runs in a copy of the project."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("CI", None)
    return environment


def failure_of(run: "subprocess.CompletedProcess[str]") -> str:
    """Return the name of the test that failed, or an empty string.

    Raises:
        RuntimeError: the run itself failed, so that it is no result.
    """
    if failed := re.search(r"^(?:FAILED|ERROR) (\S+::Cell \d+|\S+)", run.stdout, re.MULTILINE):
        return failed[1]
    if run.returncode and run.returncode != NO_TESTS:
        raise RuntimeError(
            f"{' '.join(run.args)} failed with exit status {run.returncode}: {run.stdout[-2000:]}"
        )
    return ""


def run_on(
    copy: Path,
    fault: Fault | None,
    by: str,
    detected_by: str = "",
    executed: Mapping[str, Lines] | None = None,
) -> str:
    """Run the commands until a test fails; return its name, or an empty string."""
    timeout = TIMEOUT if fault else TIMEOUT_WITHOUT_FAULT
    for command in commands(copy, fault, by, detected_by, executed):
        try:
            run = subprocess.run(
                command,
                cwd=copy,
                env=environment_of(copy),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"timeout after {timeout} s"
        if failed := failure_of(run):
            return failed
    return ""


def lines_executed_by(copy: Path, notebook: str) -> Lines:
    """Return the lines of the library that a notebook executes without a fault.

    Raises:
        SystemExit: the notebook fails.
    """
    run, lines = run_with_coverage(
        [*PYTEST, "--nbval-lax", notebook], copy, environment_of(copy), TIMEOUT_WITHOUT_FAULT
    )
    if failed := failure_of(run):
        raise SystemExit(f"without any fault {failed} fails; fix this first")
    return lines


def copied(folder: Path) -> Path:
    """Copy the project without files that git ignores; return the path of the copy."""
    copy = folder / "project"
    for name in files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    # Some tests list the files of the project with git.
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=copy, check=True, capture_output=True)
    return copy


def main() -> int:
    """Run all faults without a valid result, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--only", default="", help="only faults whose name matches this regular expression"
    )
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1)),
                        help="number of parallel runs (default: one per core)")  # fmt: skip
    parser.add_argument(
        "--by",
        default=",".join(TARGETS),
        help="kinds of runs, separated by commas (default: %(default)s)",
    )
    parser.add_argument(
        "--table", action="store_true", help="print the recorded results and run nothing"
    )
    options = parser.parse_args()
    tree, results = Tree(), recorded()
    selected = [fault for fault in faults() if re.search(options.only, fault.name)]
    todo = [
        (fault, by)
        for by in options.by.split(",")
        for fault in selected
        if (fault.name, by) not in results or not tree.holds(fault, results[fault.name, by])
    ]
    if todo and not options.table:
        try:
            search(todo, tree, options.jobs)
        finally:
            tidy()
    return report(selected, recorded(), tree)


def tidy() -> None:
    """Keep only the latest result of each fault and kind of run, in the order of the list."""
    results = recorded()
    order = [(fault.name, by) for fault in faults() for by in TARGETS]
    lines = [json.dumps(results[pair]) + "\n" for pair in order if pair in results]
    TABLE.write_text("".join(lines), encoding="utf-8")


def search(todo: list[tuple[Fault, str]], tree: Tree, jobs: int) -> None:
    """Run faults in parallel, each in a copy of the project, and record the results."""
    start, done, lock = time.monotonic(), 0, threading.Lock()
    local = threading.local()
    earlier = recorded()
    executed: dict[str, Lines] = {}
    if EXECUTED.is_file():
        stored = json.loads(EXECUTED.read_text(encoding="utf-8"))
        if stored["hash"] == tree.hashes["notebooks"]:
            executed = stored["notebooks"]

    with tempfile.TemporaryDirectory() as folder:

        def of_this_thread() -> Path:
            if not hasattr(local, "copy"):
                local.copy = copied(Path(tempfile.mkdtemp(dir=folder)))
            return local.copy

        def measure(notebook: str) -> None:
            executed[notebook] = lines_executed_by(of_this_thread(), notebook)
            with lock:
                EXECUTED.parent.mkdir(exist_ok=True)
                stored = {"hash": tree.hashes["notebooks"], "notebooks": dict(executed)}
                EXECUTED.write_text(json.dumps(stored), encoding="utf-8")

        def run_unplanted(by: str) -> None:
            if failed := run_on(of_this_thread(), None, by):
                raise SystemExit(f"{by} fails without any fault: {failed}; fix this first")

        def run_one(fault: Fault, by: str) -> None:
            nonlocal done
            copy = of_this_thread()
            path = copy / "lzu_viz" / fault.file
            original = path.read_text(encoding="utf-8")
            try:
                path.write_text(fault.planted_in(original), encoding="utf-8")
                line = earlier.get((fault.name, by), {"seen": ""})
                detected_by = run_on(copy, fault, by, line["seen"], executed)
            finally:
                path.write_text(original, encoding="utf-8")
            key = tree.key(fault, by, detected_by)
            line = {"fault": fault.name, "by": by, "seen": detected_by, "key": key}
            with lock, TABLE.open("a", encoding="utf-8") as table:
                table.write(json.dumps(line) + "\n")
                done += 1
                minutes = (time.monotonic() - start) / 60
                print(
                    f"[{done}/{len(todo)}, {minutes:.0f} min] {by}: {fault.name}: "
                    f"{detected_by or 'NOT DETECTED'}",
                    flush=True,
                )

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:

            def run_all(
                function: Callable[..., None], arguments: Iterable[tuple[Any, ...]]
            ) -> None:
                futures = [pool.submit(function, *each) for each in arguments]
                try:
                    for future in concurrent.futures.as_completed(futures):
                        future.result()
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise

            kinds = {by for _, by in todo}
            if "notebooks" in kinds:
                run_all(measure, [(name,) for name in likeliest(ROOT, "") if name not in executed])
            if "pytest" in kinds:
                run_all(run_unplanted, [("pytest",)])
            run_all(run_one, todo)


def report(
    selected: list[Fault], results: dict[tuple[str, str], dict[str, str]], tree: Tree
) -> int:
    """Print the table; return 1 if the fraction of detected faults is below a target."""
    verdicts = {
        by: {
            fault.name: results[fault.name, by]["seen"]
            for fault in selected
            if (fault.name, by) in results and tree.holds(fault, results[fault.name, by])
        }
        for by in TARGETS
    }
    print(f"\n| {'fault':<62} | pytest | notebooks |\n|{'-' * 64}|--------|-----------|")
    for fault in selected:
        marks = [
            "-" if fault.name not in verdicts[by] else "yes" if verdicts[by][fault.name] else "NO"
            for by in TARGETS
        ]
        print(f"| {fault.name:<62} | {marks[0]:<6} | {marks[1]:<9} |")
    is_below = 0
    for by, minimum in TARGETS.items():
        detected = sum(map(bool, verdicts[by].values()))
        if verdicts[by]:
            fraction = detected / len(verdicts[by])
            print(
                f"{by}: {detected} of {len(verdicts[by])} detected, {fraction:.0%}; "
                f"target {minimum:.0%}"
            )
            is_below |= fraction < minimum
    return int(is_below)


if __name__ == "__main__":
    sys.exit(main())
