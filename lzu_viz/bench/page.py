"""Networks that run in a page without a kernel, compared with a kernel in JupyterLab.

Both show the same scene of 854 x 1280 pixels with the same four views, and an input of 256 x 256
pixels. The measurement is that of the benchmark `explorer`: the mouse drags the fovea with 60
movements per second.

- Predictions behind the hand: from a change of the state until the prediction for it is displayed,
  for all predictions displayed during the drag.
- First prediction: from the address to the first prediction by a network of the page, over the
  loopback interface, with an empty cache.
- Frames a second of the page on film: both systems in each frame, with an input of 192 x 256
  pixels, at most the 10 frames a second of the film.
- Memory: of the process that renders the page, with its worker and the networks, before and after
  many updates in strokes of five, each with a prediction.
"""

import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from ..datasets.scenes import SCENES
from ..widgets import Explorer, State, live_to_html, to_html
from ..widgets.page_networks import PAGE_NETWORKS, RuntimeMissingError
from . import notebooks
from .browser.browser_session import LIMIT_MS, BrowserEnv, BrowserSession, browser_env
from .browser.drag import Figures, row
from .browser.file_server import served
from .browser.mouse import Point
from .cpu_load import Load
from .report import CannotRun, Progress, load_warning, report, table, verdict

FROM, TO = -0.4, 0.6
"""Start and end of a drag, x in [-1, 1] of the scene."""

Y = 0.4
"""Height of the drag, y in [-1, 1] of the scene."""

PANELS = [
    f'.lzu canvas[data-view="{name}"]' for name in ("zoomed", "source", "uniform", "unzoomed")
]

RUNNING = "() => document.querySelector('#lzu-networks')?.textContent.includes('run in this page')"

NAMES = {
    "latency_ms": "latency of the pictures, median, ms",
    "pictures_per_s": "pictures per second",
    "answer_lag_ms": "predictions behind the hand, median, ms",
    "answers_per_s": "predictions per second of a drag",
    "answer_ms": "prediction after release, ms",
    "first_s": "first prediction after opening, s",
}
"""Row labels of the table by figure, in order."""

TARGETS: dict[str, dict[str, tuple[float, float]]] = {
    "page, segmenter": {
        "latency_ms": (0, 35),
        "answer_lag_ms": (0, 60),
        "answers_per_s": (8, math.inf),
        "first_s": (0, 4),
    },
    "page, detector": {"answer_lag_ms": (0, 120), "answers_per_s": (8, math.inf)},
}
"""Target range (minimum, maximum) of each figure, by design."""

SLOW = "slow_link.js"
"""The script that delays every message to and from the kernel by 150 ms."""

MIN_FRAMES_PER_S = 8
"""Target of the page on film."""

FILM_SECONDS = 15
"""Duration for which its frames are counted, after as long a start."""

FRAMES = "() => Number(document.querySelector('.lzu-live')?.dataset.frames)"

MAX_MEMORY_MB = 600
"""Limit of the memory of the page."""


def run(drags: int = 5, moves: int = 60, updates: int = 2000) -> dict[str, Any]:
    """Run the benchmark and return its report.

    Args:
        drags: number of drags of each design.
        moves: number of pointer movements in a drag.
        updates: number of updates for the memory measurement; 0 skips it.

    Raises:
        CannotRun: if there is no Chromium, or npm cannot fetch the networks' runtime.
    """
    progress = Progress(3 + 6 * (1 + drags) + bool(updates))
    rows: list[dict[str, Any]] = []
    extra: dict[str, Any] = {}
    others: list[float] = []
    with closing(progress), tempfile.TemporaryDirectory() as name, browser_env() as env:
        progress.step("writing the pages")
        sizes = _write_pages(Path(name))
        with served(Path(name)) as address:
            for network in PAGE_NETWORKS:
                design = f"page, {network}"
                progress.step(f"opening {design}")
                with _page(env, f"{address}/{network}.html", moves) as (session, first_s):
                    load = Load()
                    figures = _drag(session, drags, progress, design)
                    others.append(load.others())
                    rows.append(row(design, figures) | {"first_s": first_s})
                    if updates and network == PAGE_NETWORKS[0]:
                        progress.step(f"{updates} updates")
                        extra["memory"] = _memory(env, session, updates)
            progress.step("playing the film")
            extra["frames_per_s"] = _frames_per_s(env, f"{address}/live.html")
        for network, scripts, in_page in (
            ("segmenter", [], False),
            ("detector", [], False),
            ("segmenter", [SLOW], False),
            ("segmenter", [SLOW], True),
        ):
            where = "page in JupyterLab" if in_page else "kernel"
            design = f"{where}, {network}" + (", slow link" if scripts else "")
            progress.step(f"opening {design}")
            with _kernel(env, network, scripts, moves, in_page) as session:
                load = Load()
                rows.append(row(design, _drag(session, drags, progress, design)))
                others.append(load.others())
        extra |= {"files": sizes, "others": round(max(others), 3)}
        return report("page", rows, {"chromium": env.browser.version}, **extra)


def _write_pages(folder: Path) -> dict[str, int]:
    """Write a page for each network, and return the bytes of each file that pages load."""
    for network in PAGE_NETWORKS:
        explorer = Explorer(SCENES["temple"](), State(network=network).at(x=FROM, y=Y))
        try:
            to_html(explorer, folder / f"{network}.html", networks=True)
        except RuntimeMissingError as error:
            raise CannotRun(str(error)) from error
    live_to_html(folder / "live.html")
    return {path.name: path.stat().st_size for path in (folder / "networks").iterdir()}


@contextmanager
def _page(env: BrowserEnv, address: str, moves: int) -> Iterator[tuple[BrowserSession, float]]:
    """Yield the session of a page, and the seconds until its first prediction."""
    start = time.perf_counter()
    with env.open_page(address, PANELS) as session:
        session.page.wait_for_function(RUNNING, timeout=LIMIT_MS)
        session.page.wait_for_function(
            "() => !document.querySelector('.lzu-stale')", timeout=LIMIT_MS
        )
        seconds = round(time.perf_counter() - start, 2)
        _learn(session, moves)
        yield session, seconds


@contextmanager
def _kernel(
    env: BrowserEnv, network: str, scripts: list[str], moves: int, in_page: bool
) -> Iterator[BrowserSession]:
    with ExitStack() as pages:
        cells = [notebooks.SCENE.format(network=network, x=FROM)]
        session = pages.enter_context(env.open("scene", cells, PANELS, scripts))
        if in_page:
            _switch(session)
        _learn(session, moves)
        yield session


def _switch(session: BrowserSession) -> None:
    """Let the networks run in the page of the kernel."""
    session.page.get_by_text("Slow connection?").click()
    session.page.get_by_label("Run the networks in this page").check()
    session.page.get_by_text("The networks run in this page.").wait_for(timeout=LIMIT_MS)


def _learn(session: BrowserSession, moves: int) -> None:
    session.middle(".lzu")  # scroll all of it into view
    x, y = session.middle(PANELS[1])
    width, height = session.size(PANELS[1])
    path: list[Point] = [
        (x + (FROM + (TO - FROM) * k / moves) * width / 2, y + Y * height / 2)
        for k in range(moves + 1)
    ]
    session.learn(path)


def _drag(session: BrowserSession, drags: int, progress: Progress, design: str) -> list[Figures]:
    figures = []
    for number in range(drags):
        progress.step(f"drag {number + 1} of {drags}, {design}")
        figures.append(session.drag())
    return figures


def _frames_per_s(env: BrowserEnv, address: str) -> float:
    """Return the frames a second of the page on film."""
    with env.browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_function(f"() => ({FRAMES})() > 0", timeout=LIMIT_MS)
        page.wait_for_timeout(1000 * FILM_SECONDS)
        start, before = time.perf_counter(), page.evaluate(FRAMES)
        page.wait_for_timeout(1000 * FILM_SECONDS)
        shown = page.evaluate(FRAMES) - before
        return float(round(shown / (time.perf_counter() - start), 1))


def _memory(env: BrowserEnv, session: BrowserSession, updates: int) -> dict[str, float]:
    """Return the memory of the page before and after many updates, in MB."""
    for _ in session.update(math.ceil(updates / 10)):
        pass
    before = env.renderer_mb()
    for _ in session.update(updates):
        pass
    after = env.renderer_mb()
    return {"updates": updates, "before_mb": round(before, 1), "after_mb": round(after, 1)}


def text(result: dict[str, Any]) -> str:
    """Format the report as a table, with the targets of the page in its last column."""
    rows = {row["design"]: row for row in result["rows"]}
    lines = []
    for name, label in NAMES.items():
        targets = [
            f"{design.split(', ')[1]} {verdict(row[name], *TARGETS[design][name])}"
            for design, row in rows.items()
            if name in TARGETS.get(design, {})
        ]
        lines.append(
            [label, *(str(row.get(name, "")) for row in rows.values()), "; ".join(targets)]
        )
    parts = [table(["", *rows, "target"], lines)]
    if "memory" in result:
        memory = result["memory"]
        parts.append(
            f"Memory of the page after {memory['updates']} updates, MB: {memory['before_mb']} -> "
            f"{memory['after_mb']}, {verdict(memory['after_mb'], 0, MAX_MEMORY_MB)}"
        )
    rate = result["frames_per_s"]
    parts.append(
        f"Page on film, frames a second: {rate}, {verdict(rate, MIN_FRAMES_PER_S, math.inf)}"
    )
    sizes = ", ".join(f"{name} {size / 1e6:.2f}" for name, size in result["files"].items())
    parts.append(f"Files, MB: {sizes}")
    parts += load_warning(result["others"])
    parts.append(", ".join(f"{name} {value}" for name, value in result["versions"].items()))
    return "\n".join(parts)
