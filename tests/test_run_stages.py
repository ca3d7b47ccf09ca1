"""Tests of the stages of `make test` and `make check`, and of the Makefile."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = spec_from_file_location("run_stages", ROOT / "tests/run_stages.py")
assert SPEC is not None
assert SPEC.loader is not None
run_stages = module_from_spec(SPEC)
sys.modules["run_stages"] = run_stages
SPEC.loader.exec_module(run_stages)


def stage(name: str, code: str):
    """Return a stage that runs a line of Python."""
    return run_stages.Stage(name, (sys.executable, "-c", code))


def test_later_stages_run_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stages = (
        stage("one", "print('one runs')"),
        stage("two", "import sys; print('two runs'); sys.exit(3)"),
        run_stages.Stage("three", ("no-such-program",)),
        stage("four", "print('four runs')"),
    )
    monkeypatch.setitem(run_stages.STAGES, "test", stages)
    assert run_stages.main(["test"]) == 1
    out = capfd.readouterr().out
    assert all(f"{name} runs" in out for name in ("one", "two", "four"))
    verdicts = [line.split(maxsplit=2) for line in out.splitlines()[-6:]]
    assert [(name, verdict) for name, _, verdict in verdicts] == [
        ("stage", "verdict"),
        ("one", "passed"),
        ("two", "FAILED (exit status 3)"),
        ("three", "FAILED (exit status 127)"),
        ("four", "passed"),
        ("total", "FAILED"),
    ]


def test_stages_run_beside_each_other_and_print_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each of two stages waits for a file that the other writes."""
    code = (
        "import pathlib, sys, time\n"
        "mine, other = (pathlib.Path(sys.argv[1], name) for name in sys.argv[2:])\n"
        "print(f'{mine.name} runs', flush=True)\n"
        "mine.touch()\n"
        "while not other.exists(): time.sleep(0.01)\n"
        "print(f'{mine.name} ends', flush=True)\n"
        "sys.exit(mine.name == 'two')\n"
    )
    command = (sys.executable, "-c", code, str(tmp_path))
    stages = (
        run_stages.Stage("one", (*command, "one", "two")),
        run_stages.Stage("two", (*command, "two", "one"), beside_previous=True),
        stage("three", "print('three runs')"),
    )
    monkeypatch.setitem(run_stages.STAGES, "test", stages)
    assert run_stages.main(["test"]) == 1
    lines = capfd.readouterr().out.splitlines()
    said = [line for line in lines if line.endswith((" runs", " ends"))]
    assert said == ["one runs", "one ends", "two runs", "two ends", "three runs"]
    verdicts = [line.split(maxsplit=2)[2] for line in lines[-4:]]
    assert verdicts == ["passed", "FAILED (exit status 1)", "passed", "FAILED"]


def test_exit_status_is_zero_if_all_stages_pass(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(run_stages.STAGES, "check", (stage("one", ""),))
    assert run_stages.main(["check"]) == 0
    assert capfd.readouterr().out.splitlines()[-1].split() == ["total", "0:00", "passed"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupt_ends_the_stage_and_skips_the_others(name: str) -> None:
    stop = f"import os, signal, time; os.kill(os.getppid(), signal.{name}); time.sleep(60)"
    code = (
        "import signal, sys, run_stages as r; "
        "signal.signal(signal.SIGINT, r._interrupt); signal.signal(signal.SIGTERM, r._interrupt); "
        f"one, two = r.Stage('one', (sys.executable, '-c', {stop!r})), r.Stage('two', ('true',)); "
        "r.STAGES['check'] = (one, two); sys.exit(r.main(['check']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "tests", capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
    assert run.returncode == 1
    lines = run.stdout.splitlines()
    assert lines[-3].split(maxsplit=2)[::2] == ["one", "FAILED (exit status 130)"]
    assert lines[-2].split(maxsplit=2)[::2] == ["two", "not run"]


@pytest.mark.parametrize("which", ["check", "test"])
def test_each_linter_is_in_both_targets(which: str) -> None:
    names = {entry.name for entry in run_stages.STAGES[which]}
    assert {"ruff check", "ruff format", "mypy", "oxlint"} <= names


def test_pytest_stages_select_all_tests() -> None:
    """Check that each marker that one stage deselects is selected by another."""
    markers = {
        entry.command[entry.command.index("-m", 3) + 1]
        for target in ("test", "site-test")
        for entry in run_stages.STAGES[target]
        if "-m" in entry.command[3:]
    }
    assert markers == {"not browser", "browser and not site", "site"}


@pytest.mark.slow
def test_makefile_calls_run_stages() -> None:
    for which in run_stages.STAGES:
        run = subprocess.run(
            ["make", "--dry-run", "--always-make", which],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert f"tests/run_stages.py {which}" in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "expected", "unexpected"),
    [
        (["TORCH=cpu", "UV="], ["--extra-index-url", "does not answer"], ["uv pip"]),
        (["TORCH=cuda", "UV="], ["pip install", " torch"], ["--extra-index-url"]),
        (["TORCH=cpu", "UV=/opt/uv"], ["/opt/uv venv", "/opt/uv pip install"], []),
        (["TORCH=default", "UV=/opt/uv"], ["/opt/uv pip install", " torch"], ["index-url"]),
    ],
)
def test_makefile_installs_pytorch_from_the_selected_index(
    arguments: list[str], expected: list[str], unexpected: list[str]
) -> None:
    run = subprocess.run(
        ["make", "--dry-run", "--always-make", "lab", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(text in run.stdout for text in [*expected, " -e '.[notebooks,metrics,films]'"])
    assert not any(text in run.stdout for text in unexpected)


def test_unknown_build_of_pytorch_is_an_error() -> None:
    run = subprocess.run(
        ["make", "--dry-run", "lab", "TORCH=rocm"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode != 0
    assert "TORCH is cpu, default or cuda, not 'rocm'" in run.stderr
