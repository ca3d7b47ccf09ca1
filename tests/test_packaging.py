"""Tests of the contents of wheel and sdist, and of the core package without extras."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lzu_viz

ROOT = Path(__file__).parents[1]
CORE = {"kornia", "numpy", "pillow", "safetensors", "torch"}
NOT_CORE = ("IPython", "anywidget", "ipywidgets", "jupyterlab", "matplotlib", "pycocotools", "tqdm")
# These subpackages work without any extra; the others may require one.
CORE_SUBPACKAGES = {"geometry", "systems", "models", "metrics", "datasets"}

# Without PYTHONPATH, so that the installed package is tested and not this checkout.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

pytestmark = pytest.mark.slow


def run(command: Sequence[object], folder: Path) -> str:
    """Run a command in a folder and return its output; fail with the output on an error."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(source: Path, kind: str, folder: Path) -> Path:
    """Return a wheel or an sdist built with the installed hatchling, without a network."""
    run([sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder], source)
    (path,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


def requirements(metadata: str) -> list[Requirement]:
    """Return the requirements of a distribution without extras, in this environment."""
    lines = Parser().parsestr(metadata).get_all("Requires-Dist") or []
    parsed = [Requirement(line) for line in lines]
    return [
        requirement
        for requirement in parsed
        if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    ]


def metadata_of(wheel: Path) -> str:
    """Return the METADATA file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return archive.read(name).decode()


def closure(roots: Sequence[Requirement]) -> dict[str, importlib.metadata.Distribution]:
    """Return all installed distributions that requirements lead to, by canonical name."""
    distributions: dict[str, importlib.metadata.Distribution] = {}
    waiting = [(requirement.name, "") for requirement in roots]
    waiting += [(requirement.name, extra) for requirement in roots for extra in requirement.extras]
    visited: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in visited:
            continue
        visited.add((name, extra))
        distribution = importlib.metadata.distribution(name)
        distributions[canonicalize_name(name)] = distribution
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate({"extra": extra}):
                waiting += [
                    (requirement.name, wanted_extra) for wanted_extra in ("", *requirement.extras)
                ]
    return distributions


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that holds the core and nothing else.

    What the wheel requires is linked from the running environment, which takes no time and no
    network; pip then installs the wheel itself and checks that nothing is missing.
    """
    folder = tmp_path_factory.mktemp("core")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    packages = Path(
        run([python, "-c", "import site; print(*site.getsitepackages())"], folder).strip()
    )
    for distribution in closure(requirements(metadata_of(wheel))).values():
        tops = {file.parts[0] for file in distribution.files or [] if ".." not in file.parts}
        for top in tops - {"__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
    pip = [sys.executable, "-m", "pip", "--python", python]
    run([*pip, "install", "--no-index", "--no-deps", "--quiet", wheel], folder)
    run([*pip, "check"], folder)
    return python


def test_wheel_requires_only_the_core_dependencies(wheel: Path) -> None:
    assert {
        canonicalize_name(requirement.name) for requirement in requirements(metadata_of(wheel))
    } == CORE
    extras = Parser().parsestr(metadata_of(wheel)).get_all("Provides-Extra")
    assert extras is not None
    assert set(extras) == {"adapters", "films", "notebooks", "metrics", "pages", "test", "dev"}


def test_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = built(ROOT, "sdist", tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    again = built(tmp_path / sdist.name.removesuffix(".tar.gz"), "wheel", tmp_path / "again")
    assert again.name == wheel.name
    assert lzu_viz.__version__ in wheel.name
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert sorted(first.namelist()) == sorted(second.namelist())


def test_core_environment_contains_no_extras(python: Path, tmp_path: Path) -> None:
    code = (
        "import importlib.util, json, sys; "
        "print(json.dumps([m for m in sys.argv[1:] if importlib.util.find_spec(m)]))"
    )
    assert json.loads(run([python, "-c", code, *NOT_CORE], tmp_path)) == []
    # The same check finds them in an environment with the extras.
    assert json.loads(run([sys.executable, "-c", code, *NOT_CORE], tmp_path)) == list(NOT_CORE)


def test_readme_example_runs_with_the_core_alone(python: Path, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## The library in ten lines")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    assert "person" in run([python, "-c", code], tmp_path)


def test_import_loads_few_modules_in_addition_to_kornia(python: Path, tmp_path: Path) -> None:
    """Check the loaded modules, on which import time depends; seconds depend on the machine.

    Kornia already loads all of torch that lzu_viz loads, so that Pillow, a few small modules and
    those of lzu_viz are left. `python -m lzu_viz.bench imports` measures seconds.
    """
    code = (
        "import json, sys, kornia; before = set(sys.modules); import lzu_viz; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    loaded = json.loads(run([python, "-c", code], tmp_path))
    tops = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert tops <= {"lzu_viz", "numpy", "PIL", "safetensors"}
    subpackages = {name.split(".")[1] for name in loaded if name.startswith("lzu_viz.")}
    assert "geometry" in subpackages
    assert not subpackages & {"metrics", "experiments", "plots", "widgets", "bench"}


def test_each_module_is_importable_or_its_error_names_the_extra(
    python: Path, tmp_path: Path
) -> None:
    code = """
import importlib, json, pkgutil, lzu_viz
answers = {}
for info in pkgutil.walk_packages(lzu_viz.__path__, "lzu_viz.", onerror=lambda name: None):
    if info.name.startswith("lzu_viz.bench") or info.name.endswith("__main__"):
        continue  # commands; `python -m lzu_viz.bench` has a test of its own
    try:
        importlib.import_module(info.name)
        answers[info.name] = ""
    except Exception as error:
        answers[info.name] = f"{type(error).__name__}: {error}"
print(json.dumps(answers))
"""
    messages: dict[str, str] = json.loads(run([python, "-c", code], tmp_path))
    assert "lzu_viz.geometry.warp" in messages
    assert "lzu_viz.plots" in messages
    readable = re.compile(
        r"ModuleNotFoundError: \w+ is not installed: pip install 'lzu_viz\[\w+\]'"
    )
    failed = {name: message for name, message in messages.items() if message}
    assert not {
        name: message for name, message in failed.items() if not readable.fullmatch(message)
    }
    assert not [name for name in failed if name.split(".")[1] in CORE_SUBPACKAGES]
    assert "lzu_viz[notebooks]" in failed["lzu_viz.plots"]
    assert "lzu_viz[notebooks]" in failed["lzu_viz.widgets"]


def test_average_precision_without_its_extra_names_it(python: Path, tmp_path: Path) -> None:
    code = """
import torch
from lzu_viz.geometry.boxes import Detections
from lzu_viz.metrics.detection import average_precision
box = torch.tensor([[-0.5, -0.5, 0.5, 0.5]])
try:
    average_precision(
        [Detections(box, torch.tensor([0]), torch.tensor([0.9]))], [box], size=(20, 30)
    )
except ModuleNotFoundError as error:
    print(error)
"""
    message = run([python, "-c", code], tmp_path).strip()
    assert message == "pycocotools is not installed: pip install 'lzu_viz[metrics]'"


def test_benchmark_without_its_extra_names_it(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-m", "lzu_viz.bench", "explorer"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip install 'lzu_viz[test]'" in done.stderr
    assert "Traceback" not in done.stderr
