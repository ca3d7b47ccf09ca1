"""Tests of the planted faults and of the recorded table of which tests detect them."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import executed_lines, run

ROOT = Path(__file__).parents[1]


def test_there_are_at_least_40_faults_with_unique_names():
    names = [fault.name for fault in run.faults()]
    assert len(names) >= 40
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("fault", run.faults(), ids=lambda fault: fault.name)
def test_each_fault_can_be_planted(fault):
    source = (ROOT / "lzu_viz" / fault.file).read_text(encoding="utf-8")
    planted = ast.parse(fault.planted_in(source))
    assert ast.dump(planted) != ast.dump(ast.parse(source))


def test_planting_raises_unless_the_code_occurs_once():
    fault = run.Fault("x", "warp.py", "a", "b")
    with pytest.raises(ValueError, match="0 times"):
        fault.planted_in("")
    with pytest.raises(ValueError, match="2 times"):
        fault.planted_in("a a")


def test_recorded_returns_the_results_of_a_table(tmp_path):
    table = tmp_path / "table.jsonl"
    line = {"fault": "x", "by": "pytest", "seen": "tests/a.py::test", "key": "k"}
    table.write_text(json.dumps(line) + "\n")
    assert run.recorded(table) == {("x", "pytest"): line}
    assert run.recorded(tmp_path / "none.jsonl") == {}


@pytest.mark.slow
def test_validity_of_a_result_depends_on_fault_and_files(monkeypatch):
    fault, other = run.faults()[:2]
    tree = run.Tree()
    this_file = Path(__file__).relative_to(ROOT).as_posix()
    for detected_by in ("", f"{this_file}::test"):
        line = {"fault": fault.name, "by": "pytest", "seen": detected_by, "key": ""}
        line["key"] = tree.key(fault, "pytest", detected_by)
        assert tree.holds(fault, line)
        assert not tree.holds(other, line)
    keys = {
        tree.key(fault, by, detected_by) for by in run.TARGETS for detected_by in ("", this_file)
    }
    assert len(keys) == 3  # a detection depends on the file that made it, in either kind of run
    monkeypatch.setattr(run, "hash_of", lambda names: str(len(list(names))))
    assert run.Tree().key(fault, "pytest", "") not in keys


def test_recorded_table_covers_the_faults_and_meets_the_targets():
    names = {fault.name for fault in run.faults()}
    lines = run.recorded().values()
    assert {line["fault"] for line in lines} == names
    for by, minimum in run.TARGETS.items():
        latest = {line["fault"]: line["seen"] for line in lines if line["by"] == by}
        assert sum(map(bool, latest.values())) >= minimum * len(names), by


def test_each_command_leaves_out_the_hash_tests_and_runs_the_earlier_detection_first() -> None:
    """Tests of hashes of the source would detect every fault."""
    fault = next(fault for fault in run.faults() if fault.subpackage == "experiments")
    file = "tests/experiments/test_frozen.py"
    commands = list(run.commands(ROOT, fault, "pytest", f"{file}::test_something"))
    assert commands[0][-1] == file
    # In one command, the tests of the module would run in their place in the folder.
    assert f"lzu_viz/{fault.file}" in commands[1]
    assert [command[-1] for command in commands[2:]] == ["tests/experiments", "lzu_viz"]
    for command in commands:
        assert {f"--deselect={name}" for name in run.BOOKKEEPING} <= {*command}
    for name in run.BOOKKEEPING:
        path, test = name.split("::")
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")
    notebook = "notebooks/10_limits.ipynb"
    commands = list(run.commands(ROOT, fault, "notebooks", f"{notebook}::Cell 3"))
    names = [command[-1] for command in commands]
    assert names[0] == notebook
    assert len(names) == len(set(names))
    assert set(names) == {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("notebooks/**/*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }


def test_notebooks_that_do_not_execute_the_faulty_lines_are_not_run() -> None:
    fault = next(fault for fault in run.faults() if fault.file == "systems/lzu.py")
    source = (ROOT / "lzu_viz" / fault.file).read_text(encoding="utf-8")
    names = [command[-1] for command in run.commands(ROOT, fault, "notebooks", "")]
    line = min(executed_lines.lines_of(source, fault.before))
    executed: dict[str, executed_lines.Lines] = {name: {fault.file: [line + 1]} for name in names}
    executed[names[1]] = {fault.file: [line]}
    executed[names[2]] = {}
    commands = run.commands(ROOT, fault, "notebooks", names[2], executed)
    assert [command[-1] for command in commands] == [names[1]]


def test_lines_of_a_statement_are_all_of_it_and_of_a_block_its_header() -> None:
    source = "a = 1\nfor b in (\n    2,\n):\n    c = f(\n        b\n    )\n    d = 4\n"
    assert executed_lines.lines_of(source, "2,") == {2, 3, 4}
    assert executed_lines.lines_of(source, "b\n") == {5, 6, 7}
    assert executed_lines.lines_of(source, ")\n    d") == {5, 6, 7, 8}


@pytest.mark.slow
def test_doctests_of_a_module_that_registers_something_run_without_a_fault() -> None:
    """Otherwise each fault in such a module would count as detected."""
    fault = next(fault for fault in run.faults() if fault.file == "models/nanodet.py")
    command = next(run.commands(ROOT, fault, "pytest", ""))
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_coverage_includes_the_processes_that_a_command_starts(tmp_path: Path) -> None:
    package = tmp_path / "lzu_viz"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "module.py").write_text("def f(x):\n    if x:\n        return 1\n    return 2\n")
    inner = "from lzu_viz.module import f; f(0)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    result, lines = executed_lines.run_with_coverage(
        [sys.executable, "-c", outer], tmp_path, {**os.environ, "PYTHONPATH": str(tmp_path)}, 60
    )
    assert result.returncode == 0
    assert lines["module.py"] == [1, 2, 4]
