"""`make mutants`: plant faults in the library, one at a time. Who sees them, tests or notebooks?

Each fault of `faults.toml` goes into a copy of the project. There the tests run, then the notebooks
alone, each until its first failure. What was found is recorded in `table.jsonl` at once, so that an
interrupted run goes on where it stopped. A fault that was seen counts as seen while the library and
the file that saw it stay as they are; one that was not is looked for again after any change. The
tests that compare hashes of the source are left out: they would see every fault, and prove nothing.
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lzu_viz.experiments.frozen.results_store import without_words

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TABLE = HERE / "table.jsonl"
WANTED = {"pytest": 0.95, "notebooks": 0.70}

LONGEST = 900
"""Seconds after which a run that hangs counts as one that failed."""

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
    "tests/experiments/test_frozen.py::test_the_kept_figures_were_made_by_this_code",
    "tests/experiments/test_frozen.py::test_settings_and_scenes_are_those_kept",
)


class Fault(NamedTuple):
    """A slip: a piece of code that stands once in a file of the package, and what it becomes."""

    name: str
    file: str
    before: str
    after: str

    @property
    def room(self) -> str:
        """The room of the package that holds the file."""
        return self.file.split("/")[0]

    @property
    def stem(self) -> str:
        """The name of the file's module."""
        return Path(self.file).stem

    def planted_in(self, source: str) -> str:
        """Return the source with the fault in it."""
        if source.count(self.before) != 1:
            raise ValueError(
                f"{self.name!r}: `before` must stand once in {self.file}, it stands there "
                f"{source.count(self.before)} times"
            )
        return source.replace(self.before, self.after)


def faults() -> list[Fault]:
    """Read the list."""
    listed = tomllib.loads((HERE / "faults.toml").read_text(encoding="utf-8"))["fault"]
    return [Fault(**each) for each in listed]


# --- what a finding rests on ----------------------------------------------------------------------


def files(*patterns: str) -> list[str]:
    """Names of the files of the project, all or those of some folders."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "--"]
    command += patterns
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({name for name in listed.stdout.splitlines() if (ROOT / name).is_file()})


def hash_of(names: Iterable[str]) -> str:
    """Hash files: of notebooks what runs and what is compared, of Python all but its words."""
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
            # What a cell prints is stored in pieces, as it came.
            code.append([source, "".join(outputs) if "NBVAL_CHECK_OUTPUT" in source else ""])
    return json.dumps(code).encode()


class Tree:
    """The project as it stands: what findings rest on."""

    def __init__(self) -> None:
        above = ("bench", "plots", "site", "widgets")
        library = [name for name in files("lzu_viz") if name.endswith(".py")]
        # What faults are planted in; pages, drawings and evaluations come and go beside it.
        self._mathematics = hash_of(n for n in library if n.split("/")[1] not in above)
        data = [name for name in files("lzu_viz") if name.endswith((".js", ".json"))]
        looked_at = {
            "pytest": [name for name in files("tests") if name.endswith((".py", ".mjs"))],
            "notebooks": files("notebooks/*.ipynb", "notebooks/solutions/*.ipynb"),
        }
        self._all = {by: hash_of(library + data + names) for by, names in looked_at.items()}

    def key(self, fault: Fault, by: str, seen: str) -> str:
        """Return what a finding rests on: everything, or the file that saw the fault."""
        path = seen.split("::")[0]
        alone = path and (ROOT / path).is_file()
        rests = self._mathematics + hash_of([path]) if alone else self._all[by]
        return hashlib.sha256(f"{rests}{fault}".encode()).hexdigest()[:16]

    def holds(self, fault: Fault, line: dict[str, str]) -> bool:
        """Return whether a recorded finding still counts."""
        return line["key"] == self.key(fault, line["by"], line["seen"])


def recorded(path: Path = TABLE) -> dict[tuple[str, str], dict[str, str]]:
    """Read what was found last, by fault and kind of run."""
    if not path.is_file():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(line["fault"], line["by"]): line for line in lines}


# --- running --------------------------------------------------------------------------------------


def commands(copy: Path, fault: Fault | None, by: str) -> Iterator[list[str]]:
    """Return the runs that look for a fault, if one is planted: the likeliest first, then all."""
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=line"]
    if by == "notebooks":
        yield [*pytest, "--nbval-lax", *likeliest(copy, fault.stem if fault else "")]
        return
    left_out = [f"--ignore={name}" for name in LEFT_OUT]
    left_out += [f"--deselect={name}" for name in BOOKKEEPING]
    if fault:
        # The doctests and the tests of the module and of its room see most faults at once.
        room = f"tests/{fault.room}"
        own = [f"lzu_viz/{fault.file}", f"{room}/test_{fault.stem}.py", room]
        yield [*pytest, *(name for name in dict.fromkeys(own) if (copy / name).exists())]
    yield [*pytest, *left_out, "tests", "lzu_viz"]


def likeliest(copy: Path, module: str) -> list[str]:
    """Return all notebooks, those first that speak most of a module."""
    folder = copy / "notebooks"
    paths = sorted([*folder.glob("*.ipynb"), *folder.glob("solutions/*.ipynb")])

    def said(path: Path) -> int:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return sum("".join(cell["source"]).count(module) for cell in cells) if module else 0

    return [str(path.relative_to(copy)) for path in sorted(paths, key=said, reverse=True)]


def run_on(copy: Path, fault: Fault | None, by: str) -> str:
    """Run until something fails; give its name, or nothing."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("CI", None)
    for command in commands(copy, fault, by):
        try:
            run = subprocess.run(
                command,
                cwd=copy,
                env=environment,
                capture_output=True,
                text=True,
                timeout=LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"nothing came back in {LONGEST} s"
        if failed := re.search(r"^(?:FAILED|ERROR) (\S+::Cell \d+|\S+)", run.stdout, re.MULTILINE):
            return failed[1]
        if run.returncode:
            # What could not even look has not seen anything.
            raise RuntimeError(
                f"{' '.join(command)} ended with {run.returncode}: {run.stdout[-2000:]}"
            )
    return ""


def copied(folder: Path) -> Path:
    """Copy the project, as it stands, without what git ignores."""
    copy = folder / "project"
    for name in files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    # Some tests ask git for the files of the project.
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=copy, check=True, capture_output=True)
    return copy


def main() -> int:
    """Look for all faults that are not recorded yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default="", help="faults whose name holds this (a pattern)")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1)))
    parser.add_argument("--by", default=",".join(WANTED), help="who looks for them")
    parser.add_argument("--table", action="store_true", help="only print what is recorded")
    options = parser.parse_args()
    tree, known = Tree(), recorded()
    chosen = [fault for fault in faults() if re.search(options.only, fault.name)]
    todo = [
        (fault, by)
        for by in options.by.split(",")
        for fault in chosen
        if (fault.name, by) not in known or not tree.holds(fault, known[fault.name, by])
    ]
    if todo and not options.table:
        try:
            search(todo, tree, options.jobs)
        finally:
            tidy()
    return report(chosen, recorded(), tree)


def tidy() -> None:
    """Keep of each fault and kind of run only what was found last, in the order of the list."""
    known = recorded()
    order = [(fault.name, by) for fault in faults() for by in WANTED]
    lines = [json.dumps(known[each]) + "\n" for each in order if each in known]
    TABLE.write_text("".join(lines), encoding="utf-8")


def search(todo: list[tuple[Fault, str]], tree: Tree, jobs: int) -> None:
    """Look for faults, some at a time, each in a copy of its own, and record what is found."""
    start, done, lock = time.monotonic(), 0, threading.Lock()
    local = threading.local()
    with tempfile.TemporaryDirectory() as folder:

        def of_this_thread() -> Path:
            if not hasattr(local, "copy"):
                local.copy = copied(Path(tempfile.mkdtemp(dir=folder)))
            return local.copy

        def one(fault: Fault | None, by: str) -> None:
            nonlocal done
            copy = of_this_thread()
            if fault is None:
                if failed := run_on(copy, None, by):
                    raise SystemExit(f"with no fault planted, {by} already fails: {failed}")
                return
            path = copy / "lzu_viz" / fault.file
            sound = path.read_text(encoding="utf-8")
            try:
                path.write_text(fault.planted_in(sound), encoding="utf-8")
                seen = run_on(copy, fault, by)
            finally:
                path.write_text(sound, encoding="utf-8")
            key = tree.key(fault, by, seen)
            line = {"fault": fault.name, "by": by, "seen": seen, "key": key}
            with lock, TABLE.open("a", encoding="utf-8") as table:
                table.write(json.dumps(line) + "\n")
                done += 1
                minutes = (time.monotonic() - start) / 60
                print(
                    f"[{done}/{len(todo)}, {minutes:.0f} min] {by}: {fault.name}: "
                    f"{seen or 'NOT SEEN'}",
                    flush=True,
                )

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            sound = [pool.submit(one, None, by) for by in sorted({by for _, by in todo})]
            waiting = [*sound, *(pool.submit(one, *each) for each in todo)]
            try:
                for future in concurrent.futures.as_completed(waiting):
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def report(chosen: list[Fault], known: dict[tuple[str, str], dict[str, str]], tree: Tree) -> int:
    """Print who saw what; 1 if fewer were seen than are wanted."""
    verdicts = {
        by: {
            fault.name: known[fault.name, by]["seen"]
            for fault in chosen
            if (fault.name, by) in known and tree.holds(fault, known[fault.name, by])
        }
        for by in WANTED
    }
    print(f"\n| {'fault':<62} | pytest | notebooks |\n|{'-' * 64}|--------|-----------|")
    for fault in chosen:
        marks = [
            "-" if fault.name not in verdicts[by] else "seen" if verdicts[by][fault.name] else "NO"
            for by in WANTED
        ]
        print(f"| {fault.name:<62} | {marks[0]:<6} | {marks[1]:<9} |")
    short = 0
    for by, minimum in WANTED.items():
        seen = sum(map(bool, verdicts[by].values()))
        if verdicts[by]:
            share = seen / len(verdicts[by])
            print(f"{by}: {seen} of {len(verdicts[by])} seen, {share:.0%}; wanted {minimum:.0%}")
            short |= share < minimum
    return int(short)


if __name__ == "__main__":
    sys.exit(main())
