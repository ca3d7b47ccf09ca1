"""Tests of the project: imports between subpackages, requirements, metadata files."""

import ast
import importlib.util
import json
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import lzu_viz

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lzu_viz"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# --- subpackages: one topic each, imports only downwards ---------------------------------------

SUBPACKAGES = (
    "geometry",
    "metrics",
    "models",
    "datasets",
    "systems",
    "adapters",
    "experiments",
    "plots",
    "widgets",
    "bench",
)
"""The folders of the package; each imports only from those before it."""

COMMANDS = ("compare", "watch")
"""Modules that are run as `python -m lzu_viz.NAME`; they may import any folder but `bench`."""

MAY_IMPORT = {
    "av": {"datasets"},
    "matplotlib": {"plots", "widgets", "bench"},
    "ipywidgets": {"widgets", "bench"},
    "IPython": {"widgets", "bench"},
    "anywidget": {"widgets", "bench"},
    "playwright": {"bench"},
    "psutil": {"bench"},
    "websocket": {"bench"},
    "nbclient": {"bench"},
    "sphinx": set(),
    "torchvision": {"adapters"},
    "transformers": {"adapters"},
    "ultralytics": {"adapters"},
    "onnxruntime": {"adapters"},
}
"""Packages that only some subpackages may import."""

SHARED_FILE_NAMES = {
    "attraction",  # the continuous warp, and its figures
    "explorer",  # the widget, and how fast it follows
    "features",
    "coco",  # reading of annotations, and metrics
    "comparison",  # of systems on annotated images, and its plots
    "films",  # systems on films, and their pictures
    "inverse",  # the inverse map, its figures and its benchmark
    "limits",  # an evaluation, and its figures
    "masks",  # metrics of masks, and their figures
    "profiling",  # costs of each stage, and their figures
    "sizes",  # an evaluation, and its figures
    "streets",  # the dataset, and its figures
    "upsampling",  # an experiment, and its figures
    "video",  # the loop on video, and its figures
    "video_eval",  # an evaluation, and its figures
    "zoom",
}
"""File names that may occur in several subpackages, as they have one topic there."""


SHARED_NAMES = {
    # Functions whose object is that of their module.
    "draw",
    "execute",
    "load",
    "main",
    "parser",
    "measure",
    "run",
    "table",
    "text",
    "versions",
    "write",
    "Array",  # a NumPy array of floats
    "Zoom",  # a transform, in the forms of two libraries
    "container",  # an object, and its texture
    "detector",  # a network for this task
    "fixed_saliency",  # of two kinds of scenes
    "mix_uniform",
    "scene_of",  # of an evaluation
    "summarise",  # the records of an evaluation
    "segmenter",
    "warp_of",  # a saliency, by two defaults
}
"""Public names that may occur in several modules, as they have one meaning there."""


def subpackage_of(path: Path) -> str:
    """Return the folder of the package that a module is in; empty for the package itself."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def forbidden_to(path: Path) -> set[str]:
    """Return what a module must not import: later folders, and packages of other folders."""
    own = subpackage_of(path)
    if not own and path.stem in COMMANDS:
        return {"lzu_viz.bench", *(f"lzu_viz.{name}" for name in COMMANDS), *MAY_IMPORT}
    after = (
        SUBPACKAGES[SUBPACKAGES.index(own) + 1 :]
        if own
        else SUBPACKAGES[SUBPACKAGES.index("systems") + 1 :]
    )
    packages = {name for name, subpackages in MAY_IMPORT.items() if own not in subpackages}
    return {f"lzu_viz.{name}" for name in after} | packages


def imported_names(source: str, package: str) -> set[str]:
    """Return all dotted names that the source imports; relative ones are resolved in `package`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, base]).rstrip(".")
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def violations(source: str, package: str, forbidden: set[str]) -> set[str]:
    """Return the imported names that are in a forbidden package."""
    return {
        name
        for name in imported_names(source, package)
        if any(name == prefix or name.startswith(prefix + ".") for prefix in forbidden)
    }


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_downwards(path: Path) -> None:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    assert not violations(path.read_text(encoding="utf-8"), package, forbidden_to(path))


@pytest.mark.parametrize(
    "source",
    [
        "import matplotlib.pyplot as plt",
        "def f():\n    from matplotlib import cm",
        "from lzu_viz import plots",
        "from .. import plots",
        "from ..plots.axes import show",
        "import IPython",
        "from ipywidgets import VBox",
        "from ..bench.browser.lab import Lab",
        "from ..systems import LZU",
        "from playwright.sync_api import Page",
    ],
)
def test_forbidden_imports_are_detected(source: str) -> None:
    assert violations(source, "lzu_viz.models", forbidden_to(PACKAGE / "models/__init__.py"))


@pytest.mark.parametrize(
    "module", ["widgets/x.py", "plots/x.py", "geometry/warp.py", "__init__.py"]
)
def test_nothing_may_import_the_benchmarks(module: str) -> None:
    assert forbidden_to(PACKAGE / module) >= {"lzu_viz.bench", "playwright"}


def test_allowed_imports_are_accepted() -> None:
    source = "import torch\nfrom ..geometry import boxes\nfrom lzu_viz.metrics import psnr\n"
    assert not violations(source, "lzu_viz.models", forbidden_to(PACKAGE / "models/__init__.py"))


def test_package_contains_only_its_subpackages() -> None:
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    commands = {f"{name}.py" for name in COMMANDS}
    assert entries == {*SUBPACKAGES, *commands, "__init__.py", "_extras.py", "py.typed"}


def test_file_names_are_unique_unless_listed() -> None:
    homes: dict[str, set[str]] = {}
    for path in SOURCES:
        if not path.stem.startswith("__"):
            homes.setdefault(path.stem, set()).add(str(path.relative_to(PACKAGE).parent))
    repeated = {stem for stem, folders in homes.items() if len(folders) > 1}
    assert repeated <= SHARED_FILE_NAMES


def public_names(source: str) -> set[str]:
    """Return the public classes, functions and type aliases that a module defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {name.id for name in node.targets if isinstance(name, ast.Name)}
    # Constants in capitals are settings of their modules.
    return {name for name in names if not name.startswith("_") and not name.isupper()}


def test_public_names_are_unique_unless_listed() -> None:
    homes: dict[str, set[Path]] = {}
    for path in SOURCES:
        if path.stem != "conf":
            for name in public_names(path.read_text(encoding="utf-8")):
                homes.setdefault(name, set()).add(path)
    repeated = {name for name, paths in homes.items() if len(paths) > 1}
    assert repeated == SHARED_NAMES


def test_public_names_excludes_imports_and_constants() -> None:
    source = "from x import y\nA = 1\n_b = 2\nC2d = int\nclass Dd: ...\ndef e(): f = 3\n"
    assert public_names(source) == {"C2d", "Dd", "e"}


def test_tests_mirror_the_subpackages() -> None:
    tested = {path.name for path in (ROOT / "tests").iterdir() if list(path.glob("test_*.py"))}
    assert tested - {"browser"} <= set(SUBPACKAGES)
    assert {*SUBPACKAGES} <= tested
    loose = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    assert loose <= {
        "test_project",
        "test_notebooks",
        "test_notebook_slices",
        "test_mutants",
        "test_packaging",
        "test_registries",
        "test_run_stages",
        "test_stress",
    }


@pytest.mark.slow
def test_import_loads_no_plotting_or_widget_packages() -> None:
    code = "import lzu_viz, json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)}
    assert "lzu_viz" in loaded
    assert not loaded & {"matplotlib", "ipywidgets", "IPython", "anywidget", "playwright"}


# --- docstrings of modules ---------------------------------------------------------------------


def public_modules() -> list[str]:
    """Return the dotted names of all modules of the package without a leading underscore."""
    modules = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "lzu_viz.")]
    return ["lzu_viz", *(n for n in modules if not any(p.startswith("_") for p in n.split(".")))]


@pytest.mark.parametrize("name", public_modules())
def test_module_has_a_docstring(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    assert docstring
    assert docstring.strip()


# --- lists of requirements ---------------------------------------------------------------------

CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def required(lines: list[str]) -> dict[str, SpecifierSet]:
    """Return the version bounds by package; our own extras are replaced by their requirements."""
    specifiers: dict[str, SpecifierSet] = {}
    for requirement in map(Requirement, lines):
        if canonicalize_name(requirement.name) == canonicalize_name(PROJECT["name"]):
            for extra in requirement.extras:
                specifiers |= with_extra(extra)
        else:
            specifiers[canonicalize_name(requirement.name)] = requirement.specifier
    return specifiers


def with_extra(name: str) -> dict[str, SpecifierSet]:
    """Return the version bounds by package of an extra."""
    return required(PROJECT["optional-dependencies"][name])


def test_extras_contain_requirements_of_included_extras() -> None:
    assert {"jupyterlab", "pycocotools", "pytest"} <= set(with_extra("test"))


def conda_packages(path: Path) -> tuple[dict[str, SpecifierSet], list[str]]:
    """Return the conda packages of an environment file, and what it installs by pip."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    by_pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    lines = [entry for entry in entries if isinstance(entry, str)]
    # conda's `python=3.11` means any 3.11.x
    return required([re.sub(r"^([\w.-]+)=([\d.]+)$", r"\1==\2.*", line) for line in lines]), by_pip


@pytest.mark.parametrize(
    ("path", "by_pip"), [("environment.yml", ["-e ."]), ("binder/environment.yml", [])]
)
def test_conda_environment_matches_pyproject(path: str, by_pip: list[str]) -> None:
    packages, left_to_pip = conda_packages(ROOT / path)
    assert left_to_pip == by_pip
    assert "pip" in packages
    pip_packages = (
        required(PROJECT["dependencies"])
        | with_extra("notebooks")
        | with_extra("metrics")
        | with_extra("films")
    )
    expected = {CONDA_NAMES.get(name, name): spec for name, spec in pip_packages.items()}
    python = packages.pop("python")
    packages.pop("pip")
    assert packages == expected
    (pin,) = python
    assert Version(pin.version.removesuffix(".*")) in SpecifierSet(PROJECT["requires-python"])


def pinned() -> dict[str, SpecifierSet]:
    """Return the versions in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return required([line for line in lines if line and not line.startswith("#")])


def test_constraints_pin_one_public_version_each() -> None:
    for name, spec in pinned().items():
        (pin,) = spec
        assert pin.operator == "==", name
        assert Version(pin.version).local is None, name


def test_constraints_satisfy_pyproject() -> None:
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    pins = pinned()
    for name, spec in required(list(chain.from_iterable(lists))).items():
        (pin,) = pins[name]
        assert pin.version in spec, name


NEEDS = re.compile(r"\bneeds\(\"(\w+)\"\)")


def extras_of(path: Path) -> set[str]:
    """Return the extras that a module may import from: those named in it or in its packages."""
    if subpackage_of(path) == "bench":
        return {"test"}
    around = [folder / "__init__.py" for folder in path.parents if folder.is_relative_to(PACKAGE)]
    files = [file for file in (path, *around) if file.is_file()]
    return {extra for file in files for extra in NEEDS.findall(file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imported_packages_are_required(path: Path) -> None:
    included = {"lzu_viz", *sys.stdlib_module_names}
    # ipywidgets needs IPython itself
    distribution = {"PIL": "pillow", "IPython": "ipywidgets", "websocket": "websocket-client",
                    "skimage": "scikit-image"}  # fmt: skip
    allowed = set(required(PROJECT["dependencies"]))
    for extra in extras_of(path):
        allowed |= set(with_extra(extra))
    package = ".".join(path.relative_to(ROOT).parent.parts)
    names = imported_names(path.read_text(encoding="utf-8"), package)
    imported = {name.split(".")[0] for name in names} - included
    assert {distribution.get(name, name) for name in imported} <= allowed


def test_extras_of_core_and_plots() -> None:
    assert extras_of(PACKAGE / "geometry/warp.py") == set()
    assert extras_of(PACKAGE / "plots/figures.py") == {"notebooks"}


# --- contents of wheel and repository ----------------------------------------------------------


def repository_files() -> list[Path]:
    """Return all files that are in git, or would be after `git add .`."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if run.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"git does not list the files: {run.stderr.decode()}")
        pytest.skip("not a git checkout")
    listed = sorted({ROOT / name for name in run.stdout.decode().split("\0") if name})
    return [path for path in listed if path.is_file()]


@pytest.mark.slow
def test_wheel_contains_the_whole_package(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    contents = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT).as_posix() for path in repository_files()}
    package = {name for name in files if name.startswith("lzu_viz/")}
    assert "lzu_viz/py.typed" in package
    assert package <= contents


# Joined from parts, so that the pattern does not match this file.
LOCAL_FOLDERS = b"|".join([b"work", b"root", b"home", b"Users"])
LOCAL_PATH = re.compile(rb"(?<![\w+])/(?:" + LOCAL_FOLDERS + b")/")


@pytest.mark.slow
def test_repository_contains_no_local_paths() -> None:
    files = repository_files()
    assert Path(__file__) in files
    assert not [str(path) for path in files if LOCAL_PATH.search(path.read_bytes())]


@pytest.mark.parametrize("text", [b'File "/%s/me/x.py"', b"file:///%s/x", b"/%s/y"])
def test_local_paths_are_detected(text: bytes) -> None:
    assert LOCAL_PATH.search(text % b"root")
    assert not LOCAL_PATH.search(text % b"roots")


# --- metadata files ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE", *PROJECT["license-files"]])
def test_licence_file_is_not_empty(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_citation_lists_authors_and_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == lzu_viz.__version__
    assert "version" in PROJECT["dynamic"]  # read from lzu_viz/__init__.py
    assert citation["authors"]
    (paper,) = citation["references"]
    assert paper["title"] == "Learning to Zoom and Unzoom"
    assert paper["authors"][0]["family-names"] == "Thavamani"


def test_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (first, *_) = re.findall(r"^## (\S+)", changelog, re.MULTILINE)
    assert first == lzu_viz.__version__


def test_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make lab" in readme
    assert "make test" in readme


def test_ci_runs_make_test() -> None:
    lines = (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "make test"
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_binder_installs_the_package() -> None:
    assert os.access(ROOT / "binder/postBuild", os.X_OK)
    assert "--no-deps" in (ROOT / "binder/postBuild").read_text(encoding="utf-8")
    json.loads((ROOT / "binder/overrides.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_readme_code_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # The sections on one's own network, film and data are tested in `adapters` and `experiments`.
    before, after = (
        readme.partition("\n## Your own network\n")[0],
        readme.partition("\n## What it costs\n")[2],
    )
    blocks = re.findall(r"```python\n(.*?)```", before + after, re.DOTALL)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(block.replace("my_photo.jpg", str(ROOT / "notebooks/explorer.jpg")), {})
    assert (tmp_path / "page.html").is_file()
    assert "person" in capsys.readouterr().out


def test_files_named_in_the_notice_exist() -> None:
    text = (ROOT / "NOTICE").read_text(encoding="utf-8")
    paths = [path.rstrip(".") for path in re.findall(r"lzu_viz/[\w./-]+", text)]
    assert len(paths) >= 6
    assert [path for path in paths if not (ROOT / path).exists()] == []
