"""Latency of the explorer during a drag, compared with a baseline, in a real JupyterLab.

Both designs get the same photo (1024 x 2048), the same warp and three panels of one size: source,
zoomed and unzoomed. The baseline is `interactive_output` over sliders with `plt.show`, without a
network; in the explorer the kernel also runs the segmenter, as often as the page requests it.

- The mouse is real input to Chromium: it drags the fovea, or the handle of the slider, with 60
  movements per second along a straight line, whether or not the page keeps up.
- Each movement is timed by the browser's own time stamp, including those that Chromium coalesces.
  In each frame the page checks the zoomed image; a new one counts as displayed when the next frame
  begins. For the baseline the image file is checked, so that decoding it is not counted.
- Many images are in flight at once. To identify them, the path is first traversed slowly, and the
  images of each position are recorded.
- Latency: from a movement until the image of its position, or of a later one, is displayed.
  Settled: from the release of the button until the image of the last position is displayed.
  Prediction: from the release until the network's prediction is displayed. Pictures per second:
  distinct images, until settled.
- Several drags of each design in turn, in one run of one browser; every figure is the median over
  the drags. The drags with the detector are run separately.
- Slow link: 150 ms of extra delay for every message to and from the kernel.
- Memory: the page's JavaScript heap and the kernel's resident memory, before and after many
  updates in strokes of five; every update is drawn and every stroke gets a prediction. A tenth as
  many updates are run first as a warm-up.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import psutil

from . import notebooks
from .browser.browser_session import BrowserEnv, BrowserSession, browser_env
from .browser.drag import Figures, row
from .browser.mouse import Point
from .cpu_load import Load
from .report import Progress, load_warning, report, table, verdict

FROM, TO = -0.6, 0.6
"""Start and end of a drag, x in [-1, 1] of the photo."""

PANELS = [f'.lzu canvas[data-view="{name}"]' for name in ("zoomed", "source", "unzoomed")]
PICTURE = ".widget-output img"

NAMES = {
    "latency_ms": "latency, median, ms",
    "latency_p90_ms": "latency, 90th percentile, ms",
    "pictures_per_s": "pictures per second",
    "times_baseline": "pictures per second / baseline",
    "settled_ms": "last picture after release, ms",
    "latency_of_local": "latency / local link",
    "pictures_of_local": "pictures per second / local link",
    "segmenter_ms": "segmenter's prediction after release, ms",
    "detector_ms": "detector's prediction after release, ms",
    "answer_lag_ms": "predictions in a drag behind the hand, ms",
    "answers_per_s": "predictions per second of a drag",
    "moves_per_s": "pointer movements per second",
    "pictures_known": "fraction of pictures with known position",
    "pictures_whole": "fraction with all panels in one frame",
}
"""Row labels of the table by figure, in order."""

TARGETS: dict[str, dict[str, tuple[float, float]]] = {
    "explorer": {
        "latency_ms": (0, 35),
        "pictures_per_s": (25, math.inf),
        "times_baseline": (4, math.inf),
        "settled_ms": (0, 50),
        "segmenter_ms": (0, 150),
        "detector_ms": (0, 400),
    },
    "explorer_slow_link": {"latency_of_local": (0, 1.1), "pictures_of_local": (0.9, math.inf)},
}
"""Target range (minimum, maximum) of each figure, by design."""

TICKS = 20
"""Number of progress steps during the updates."""


def run(drags: int = 5, moves: int = 90, updates: int = 2000) -> dict[str, Any]:
    """Run the benchmark and return its report.

    Args:
        drags: number of drags of each design.
        moves: number of pointer movements in a drag.
        updates: number of explorer updates for the memory measurement; 0 skips it.

    Raises:
        CannotRun: if there is no Chromium.
    """
    progress = Progress(9 + 4 * drags + (TICKS + 1 if updates else 0))
    progress.step("starting JupyterLab and Chromium")
    with closing(progress), browser_env() as env, ExitStack() as pages:
        explorer = _explorer(env, pages, "explorer", moves, progress)
        width, height = map(round, explorer.size(PANELS[1]))
        with ExitStack() as others:
            slow = _explorer(env, others, "explorer_slow_link", moves, progress, ["slow_link.js"])
            baseline = _baseline(env, others, (width, height), moves, progress)
            sessions = {"explorer": explorer, "explorer_slow_link": slow, "baseline": baseline}
            load = Load()
            figures = _drag(sessions, drags, progress)
            others_load = load.others()
        with ExitStack() as others:
            detector = _explorer(env, others, "detector", moves, progress)
            figures |= _drag({"detector": detector}, drags, progress)
        extra: dict[str, Any] = {"panel": f"{width} x {height}", "others": round(others_load, 3)}
        if updates:
            extra["memory"] = _memory(explorer, updates, progress)
        rows = compare(
            {design: row(design, drag_figures) for design, drag_figures in figures.items()}
        )
        return report("explorer", rows, {"chromium": env.browser.version}, **extra)


def _explorer(
    env: BrowserEnv,
    pages: ExitStack,
    design: str,
    moves: int,
    progress: Progress,
    scripts: Sequence[str] = (),
) -> BrowserSession:
    progress.step(f"opening {design}")
    network = "detector" if design == "detector" else "segmenter"
    code = notebooks.EXPLORER.format(network=network, x=FROM)
    cells = [notebooks.PHOTO, notebooks.KERNEL, code]
    session = pages.enter_context(env.open(design, cells, PANELS, scripts))
    session.middle(".lzu")  # scroll all of it into view
    middle, y = session.middle(PANELS[1])
    width, _ = session.size(PANELS[1])
    progress.step(f"recording the pictures of {design}")
    session.learn(_path(middle + FROM * width / 2, middle + TO * width / 2, y, moves))
    return session


def _baseline(
    env: BrowserEnv, pages: ExitStack, size: tuple[int, int], moves: int, progress: Progress
) -> BrowserSession:
    progress.step("opening baseline")
    drawing = notebooks.BASELINE.format(width=size[0], height=size[1])
    cells = [notebooks.PHOTO, drawing, notebooks.SLIDERS.format(x=FROM)]
    session = pages.enter_context(env.open("baseline", cells, [PICTURE]))
    session.middle(PICTURE)  # scroll all of it into view
    x, y = session.middle(".widget-slider .noUi-handle")
    track, _ = session.size(".widget-slider .noUi-base")
    progress.step("recording the pictures of baseline")
    session.learn(_path(x, x + (TO - FROM) * track / 2, y, moves))
    return session


def _path(start: float, end: float, y: float, moves: int) -> list[Point]:
    return [(start + (end - start) * k / moves, y) for k in range(moves + 1)]


def _drag(
    sessions: dict[str, BrowserSession], drags: int, progress: Progress
) -> dict[str, list[Figures]]:
    """Run drags on all stages in turn, and return the figures by design."""
    figures: dict[str, list[Figures]] = {design: [] for design in sessions}
    for number in range(drags):
        for design, session in sessions.items():
            progress.step(f"drag {number + 1} of {drags}, {design}")
            figures[design].append(session.drag())
    return figures


def _memory(session: BrowserSession, updates: int, progress: Progress) -> dict[str, float]:
    """Return the memory of page and kernel before and after many updates, in MB."""
    output = session.page.locator(".jp-CodeCell .jp-OutputArea-output", has_text="kernel")
    kernel_text = output.first.inner_text()
    kernel = psutil.Process(int(kernel_text.split()[-1]))

    def now() -> tuple[float, float]:
        return session.heap_mb(), kernel.memory_info().rss / 1e6

    progress.step("warm-up updates")
    for _ in session.update(math.ceil(updates / 10)):
        pass
    page_before, kernel_before = now()
    for number, _ in enumerate(session.update(updates)):
        if number % math.ceil(updates / TICKS) == 0:
            progress.step(f"{number} of {updates} updates")
    page_after, kernel_after = now()
    return {
        "updates": updates,
        "page_before_mb": round(page_before, 1),
        "page_after_mb": round(page_after, 1),
        "kernel_before_mb": round(kernel_before, 1),
        "kernel_after_mb": round(kernel_after, 1),
    }


def compare(rows: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the designs' rows, with the figures of one design relative to another added."""
    rows = {design: dict(figures) for design, figures in rows.items()}
    explorer, slow, baseline = rows["explorer"], rows["explorer_slow_link"], rows["baseline"]
    for name in ("answer_ms", "answer_lag_ms", "answers_per_s"):
        baseline.pop(name)
    explorer["segmenter_ms"] = explorer.pop("answer_ms")
    slow["segmenter_ms"] = slow.pop("answer_ms")
    explorer["detector_ms"] = rows.pop("detector")["answer_ms"]
    explorer["times_baseline"] = _ratio(explorer, baseline, "pictures_per_s")
    slow["latency_of_local"] = _ratio(slow, explorer, "latency_ms")
    slow["pictures_of_local"] = _ratio(slow, explorer, "pictures_per_s")
    return list(rows.values())


def _ratio(first: dict[str, Any], second: dict[str, Any], name: str) -> float:
    return round(float(first[name]) / float(second[name]), 2)


def text(result: dict[str, Any]) -> str:
    """Format the report as a table, with the targets in its last column."""
    rows = {row["design"]: row for row in result["rows"]}
    lines = []
    for name, label in NAMES.items():
        figures = [str(row.get(name, "")) for row in rows.values()]
        targets = [
            verdict(row[name], *TARGETS[design][name])
            for design, row in rows.items()
            if name in TARGETS.get(design, {})
        ]
        lines.append([label, *figures, *(targets or [""])])
    parts = [table(["", *rows, "target"], lines)]
    parts.append(
        f"Each panel {result['panel']} pixels; {rows['explorer']['drags']} drags per design."
    )
    if "memory" in result:
        memory = result["memory"]
        parts.append(
            f"Memory after {memory['updates']} updates, MB: page {memory['page_before_mb']} -> "
            f"{memory['page_after_mb']}, kernel {memory['kernel_before_mb']} -> "
            f"{memory['kernel_after_mb']}"
        )
    parts += load_warning(result["others"])
    parts.append(", ".join(f"{name} {value}" for name, value in result["versions"].items()))
    return "\n".join(parts)
