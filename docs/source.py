"""The sources of the site: the executed notebooks, and a page for each module."""

import html
import os
import pkgutil
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import lzu_viz
from lzu_viz._extras import needs

with needs("test"):
    import nbformat
    from jupyter_core.utils import ensure_event_loop
    from sphinx.ext.autodoc.mock import mock  # type: ignore[attr-defined]
    from tqdm import tqdm

    from lzu_viz.bench.run_notebooks import execute
    from lzu_viz.datasets.scenes import SCENES
    from lzu_viz.experiments.frozen.results_store import load
    from lzu_viz.widgets import Explorer, live_to_html, to_html
    from lzu_viz.widgets.explorer_pages import frame
    from lzu_viz.widgets.page_networks import RuntimeMissingError, write_networks

from .story import story_html

HERE = Path(__file__).parent
NOTEBOOKS = Path(lzu_viz.__file__).parents[1] / "notebooks"

EXPLORERS = "_explorers"
"""Folder of the explorers' pages, next to the pages that embed them."""

NETWORKS = Path("notebooks") / EXPLORERS / "networks"
"""Folder of the networks that run in the explorers' pages, in that of the sources."""

ALONE = ("06", "12")
"""Beginnings of the names of notebooks that measure times: nothing else runs beside them."""

AT_ONCE = 2
"""Number of other notebooks that run at the same time."""

TOOLS = ("bench",)
"""Packages of commands, which get no page."""


WIDGET = "application/vnd.jupyter.widget-view+json"
STILL = 'class="lzu-still"'
REMEDY = re.compile("<figcaption>Run this cell to ")

AUTOMODULE = """# {name}

```{{eval-rst}}
.. automodule:: {name}
   :members:
   :show-inheritance:
   :ignore-module-all:
   :member-order: bysource
```
"""


def write(folder: Path, notebooks: list[Path], run: bool = True) -> None:
    """Write all sources that Sphinx needs to a new folder.

    Args:
        folder: to create; it must not exist.
        notebooks: paths of the notebooks to include, in `NOTEBOOKS`.
        run: whether the notebooks are executed; otherwise they are shown as stored, with images
            in place of the explorers.
    """
    folder.mkdir(parents=True)
    shutil.copy(HERE / "conf.py", folder)
    has_networks = run and write_networks_to(folder / NETWORKS)

    def write_notebook(path: Path) -> None:
        target = folder / "notebooks" / path.relative_to(NOTEBOOKS)
        target.parent.mkdir(parents=True, exist_ok=True)
        notebook = nbformat.read(path, as_version=4)
        if run:
            explorers = target.parent / EXPLORERS
            networks = (
                Path(os.path.relpath(folder / NETWORKS, explorers)).as_posix()
                if has_networks
                else ""
            )
            with_explorers(notebook, path.parent, explorers, path.stem, networks)
        keep_still_pictures(notebook)
        nbformat.write(notebook, target)

    alone = [path for path in notebooks if path.stem.startswith(ALONE)]
    together = [path for path in notebooks if path not in alone]
    with tqdm(total=len(notebooks), desc="notebooks", unit="notebook") as bar:
        for path in alone:
            write_notebook(path)
            bar.update()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(partial(in_own_loop, write_notebook), together):
                bar.update()
    pages = [path.relative_to(NOTEBOOKS) for path in notebooks]
    for picture in NOTEBOOKS.glob("*.jpg"):
        shutil.copy(picture, folder / "notebooks")
    for picture in (NOTEBOOKS / "pictures").glob("*"):
        (folder / "notebooks" / "pictures").mkdir(exist_ok=True)
        shutil.copy(picture, folder / "notebooks" / "pictures")
    readme = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    (folder / "notebooks" / "map.md").write_text(readme, encoding="utf-8")
    shutil.copy(NOTEBOOKS / "GLOSSARY.md", folder / "notebooks")
    modules = list(public_modules())
    (folder / "api").mkdir()
    for name in modules:
        (folder / "api" / f"{name}.md").write_text(module_page(name), encoding="utf-8")
    front = folder / EXPLORERS
    front.mkdir()
    networks = Path(os.path.relpath(folder / NETWORKS, front)).as_posix() if has_networks else ""
    write_front_explorer(front / "front.html", networks)
    (folder / "story.html").write_text(story_html(), encoding="utf-8")
    if has_networks:
        live_to_html(front / "live.html", "On film", networks=networks)
    (folder / "live.md").write_text(live_page(has_networks), encoding="utf-8")
    (folder / "index.md").write_text(index(pages, modules), encoding="utf-8")


def write_front_explorer(path: Path, networks: str) -> None:
    """Write the explorer of the front page.

    Args:
        path: of its page.
        networks: address of the networks, relative to the page; empty if there are none.
    """
    controls = ("strength", "input_size", "network")  # the notebooks have the others
    explorer = Explorer(SCENES["temple"](), controls=controls)
    start = explorer.state
    states = {
        "zoomed at the person": start,
        "uniform": replace(start, strength=0),
        "aimed badly": start.at(x=-0.3, y=-0.4),
    }
    to_html(explorer, path, states, "Explorer", networks=networks or False)


def live_page(has_networks: bool) -> str:
    """Return the page on film, which needs the networks."""
    text = (HERE / "live.md").read_text(encoding="utf-8")
    page = (
        _raw_html(frame(f"{EXPLORERS}/live.html", "On film: play, pause, drag", "camera"))
        if has_networks
        else "*This site was built without the networks, which this page needs.*"
    )
    for (system, rows), recall in film_recall().items():
        text = text.replace(f"{{{system} {rows}}}", f"{100 * recall:.0f} %")
    return text.replace("{page}", page)


def film_recall() -> dict[tuple[str, int], float]:
    """Return the stored recall on the film, by system and rows of the input."""
    names = {"uniform": "uniform", "fovea, gentle": "gentle", "fovea, strong": "strong"}
    return {
        (names[record["system"]], record["size"][0]): record["recall"]
        for record in load("film").records
        if record["system"] in names
    }


def _raw_html(text: str) -> str:
    return f"```{{raw}} html\n{text}\n```"


CARD = re.compile(
    r"\| !\[(?P<alt>[^]]*)\]\((?P<picture>[^)]+)\) \| \[(?P<title>[^]]+)\]\((?P<file>[^)]+)\) "
    r"\| (?P<question>[^|]+) \|"
)
"""A row of the table in the notebooks' README."""


def cards() -> str:
    """Return the notebooks with their pictures and their questions as HTML."""
    readme = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    items = [
        f'<a href="notebooks/{Path(row["file"]).with_suffix(".html")}">'
        # Sphinx collects the pictures of all pages in this folder.
        f'<img src="_images/{Path(row["picture"]).name}" alt="{html.escape(row["alt"])}" '
        f'loading="lazy"><strong>{html.escape(row["title"])}</strong>'
        f"<span>{html.escape(row['question'])}</span></a>"
        for row in CARD.finditer(readme)
    ]
    return _raw_html('<div class="lzu-cards">\n' + "\n".join(items) + "\n</div>")


def in_own_loop(write: Callable[[Path], None], path: Path) -> None:
    """Call a function that runs a notebook, with an event loop that is closed afterwards."""

    def call() -> None:
        try:
            write(path)
        finally:
            ensure_event_loop().close()

    copy_context().run(call)


def write_networks_to(folder: Path) -> bool:
    """Write the networks that run in pages; without npm, say so and return False."""
    try:
        write_networks(folder)
    except RuntimeMissingError as error:
        print(f"The explorers have prepared predictions only: {error}", file=sys.stderr)
        return False
    return True


def with_explorers(
    notebook: Any, beside: Path, explorers: Path, stem: str, networks: str = ""
) -> None:
    """Run a notebook in place, with its explorers written to separate pages."""
    arguments = (str(explorers.resolve()), stem, networks)
    execute(
        notebook,
        beside,
        before="from lzu_viz.widgets.explorer_pages import explorers_as_pages\n"
        f"explorers_as_pages{arguments}",
    )


def keep_still_pictures(notebook: Any) -> None:
    """Leave out widgets, which need a kernel, and keep the still picture before each."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            data = output.get("data", {})
            if STILL in "".join(data.get("text/html", "")):
                data["text/html"] = REMEDY.sub(
                    "<figcaption>In the notebook you can ", "".join(data["text/html"])
                )


def public_modules() -> Iterator[str]:
    """Yield the dotted names of the modules to document, the package first."""
    yield "lzu_viz"
    for module in pkgutil.walk_packages(lzu_viz.__path__, "lzu_viz."):
        inner = module.name.removeprefix("lzu_viz.")
        if not inner.startswith((*TOOLS, "_")) and not inner.endswith("__main__"):
            yield module.name


def module_page(name: str) -> str:
    """Return the page of a module: its docstrings, and the names that a package exports."""
    # Its compiled operators do not load with every build of PyTorch.
    with mock(["torchvision"]):
        module = import_module(name)
    exports = [
        f"- {{py:obj}}`{_qualified_name(module, exported)}`"
        for exported in sorted(getattr(module, "__all__", []))
    ]
    section = "\n".join(["\nExports:\n", *exports, ""]) if exports else ""
    return AUTOMODULE.format(name=name) + section


def _qualified_name(module: ModuleType, name: str) -> str:
    """Return the full name of an exported object, with the module that defines it."""
    value = getattr(module, name)
    defining_module = getattr(value, "__module__", None)
    if isinstance(value, ModuleType):
        return value.__name__
    return (
        f"{defining_module}.{name}"
        if isinstance(defining_module, str)
        else f"{module.__name__}.{name}"
    )


def index(notebooks: list[Path], modules: list[str]) -> str:
    """Return the first page, with the tables of contents of all others."""
    intro = (HERE / "index.md").read_text(encoding="utf-8")
    for name, text in {
        "explorer": _raw_html(frame(f"{EXPLORERS}/front.html")),
        "story": "```{raw} html\n:file: story.html\n```",
        "cards": cards(),
    }.items():
        intro = intro.replace(f"{{{name}}}", text)
    series = [path for path in notebooks if len(path.parts) == 1]
    solutions = [path for path in notebooks if len(path.parts) > 1]
    first = ["notebooks/map", "notebooks/GLOSSARY"]
    trees = [
        _tree("Live", ["live"]),
        _tree("The notebooks", [*first, *(f"notebooks/{_page(path)}" for path in series)]),
        _tree("Solutions", [f"notebooks/{_page(path)}" for path in solutions]),
        _tree("The library", [f"api/{name}" for name in modules]),
    ]
    return "\n".join([intro, *trees])


def _page(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _tree(caption: str, pages: list[str]) -> str:
    listed = "\n".join(pages)
    return f"```{{toctree}}\n:caption: {caption}\n:hidden:\n\n{listed}\n```\n" if pages else ""
