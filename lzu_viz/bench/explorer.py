"""How fast the explorer follows a drag, against the plain way, in a real JupyterLab.

Both designs get the same photo (1024 x 2048), the same warp and three panels of one size: source,
zoomed and unzoomed. The plain way is `interactive_output` over sliders with `plt.show`, and no
network; in the explorer the kernel runs the segmenter meanwhile, as often as the page asks for it.

- The mouse is real input to Chromium: it takes the fovea, or the handle of the slider, and makes 60
  movements a second along a straight line, whether or not the page keeps up.
- Each movement is timed by the browser's own stamp, also those that Chromium hands over together.
  Each frame, the page looks at the zoomed picture; a new one counts as seen when the next frame
  begins. Of the plain way the picture's file is looked at: decoding it costs nothing here.
- Many pictures are on their way at once. To know which is which, the path is first gone along
  slowly, and the pictures of each place are learned.
- Latency: from a movement until the picture of its place, or of a later one, was seen. Settled:
  from the release of the button until the picture of the last place was seen. Answer: from the
  release until the network's answer was seen. Pictures a second: different ones, until settled.
- Several drags of each design in turn, in one run of one browser; every figure is the median over
  the drags. The detector's drags come by themselves.
- Slow link: 150 ms more for every message to the kernel and from it.
- Memory: the page's JavaScript heap and the kernel's resident memory, before and after many
  updates in strokes of five, each drawn, each stroke answered; a tenth as many first, to warm up.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import psutil

from . import notebooks
from .browser.browser_session import Room, Stage, room
from .browser.drag import Figures, row
from .browser.mouse import Point
from .cpu_load import Load
from .report import Progress, report, table

FROM, TO = -0.6, 0.6
"""Where a drag begins and ends, x in [-1, 1] of the photo."""

PANELS = [f'.lzu canvas[data-view="{name}"]' for name in ("zoomed", "source", "unzoomed")]
PICTURE = ".widget-output img"

NAMES = {
    "latency_ms": "latency, median, ms",
    "latency_p90_ms": "latency, 90 %, ms",
    "pictures_per_s": "pictures a second",
    "times_baseline": "pictures a second / baseline's",
    "settled_ms": "settled after release, ms",
    "latency_of_local": "latency / local link's",
    "pictures_of_local": "pictures a second / local link's",
    "segmenter_ms": "segmenter's answer after release, ms",
    "detector_ms": "detector's answer after release, ms",
    "moves_per_s": "movements a second",
    "pictures_known": "share of pictures whose place is known",
    "pictures_whole": "share with all panels in one frame",
}
"""What the table calls the figures, in its order."""

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
"""Least and largest value that is wanted of a design's figure."""

TICKS = 20
"""Steps of the progress during the updates."""

BUSY = 0.1
"""The share of the machine that other programs may take while we measure."""


def run(drags: int = 5, moves: int = 90, updates: int = 2000) -> dict[str, Any]:
    """Measure, and give the report.

    Args:
        drags: of each design.
        moves: of the pointer in a drag.
        updates: of the explorer, to see whether memory grows; 0 leaves this out.

    Raises:
        CannotRun: there is no Chromium.
    """
    progress = Progress(9 + 4 * drags + (TICKS + 1 if updates else 0))
    progress.step("starting JupyterLab and Chromium")
    with closing(progress), room() as here, ExitStack() as pages:
        explorer = _explorer(here, pages, "explorer", moves, progress)
        width, height = map(round, explorer.size(PANELS[1]))
        with ExitStack() as others:
            slow = _explorer(here, others, "explorer_slow_link", moves, progress, ["slow_link.js"])
            plain = _baseline(here, others, (width, height), moves, progress)
            stages = {"explorer": explorer, "explorer_slow_link": slow, "baseline": plain}
            load = Load()
            seen = _drag(stages, drags, progress)
            foreign = load.others()
        with ExitStack() as others:
            detector = _explorer(here, others, "detector", moves, progress)
            seen |= _drag({"detector": detector}, drags, progress)
        more: dict[str, Any] = {"panel": f"{width} x {height}", "others": round(foreign, 3)}
        if updates:
            more["memory"] = _memory(explorer, updates, progress)
        rows = compare({design: row(design, each) for design, each in seen.items()})
        return report("explorer", rows, {"chromium": here.browser.version}, **more)


def _explorer(
    here: Room,
    pages: ExitStack,
    design: str,
    moves: int,
    progress: Progress,
    scripts: Sequence[str] = (),
) -> Stage:
    progress.step(f"opening {design}")
    network = "detector" if design == "detector" else "segmenter"
    code = notebooks.EXPLORER.format(network=network, x=FROM)
    cells = [notebooks.PHOTO, notebooks.KERNEL, code]
    stage = pages.enter_context(here.open(design, cells, PANELS, scripts))
    stage.lab.middle(stage.page.locator(".lzu"))  # all of it is in sight
    middle, y = stage.lab.middle(stage.page.locator(PANELS[1]))
    width, _ = stage.size(PANELS[1])
    progress.step(f"learning the pictures of {design}")
    stage.learn(_path(middle + FROM * width / 2, middle + TO * width / 2, y, moves))
    return stage


def _baseline(
    here: Room, pages: ExitStack, size: tuple[int, int], moves: int, progress: Progress
) -> Stage:
    progress.step("opening baseline")
    drawing = notebooks.BASELINE.format(width=size[0], height=size[1])
    cells = [notebooks.PHOTO, drawing, notebooks.SLIDERS.format(x=FROM)]
    stage = pages.enter_context(here.open("baseline", cells, [PICTURE]))
    stage.lab.middle(stage.page.locator(PICTURE))  # all of it is in sight
    x, y = stage.lab.middle(stage.page.locator(".widget-slider .noUi-handle").first)
    track, _ = stage.size(".widget-slider .noUi-base")
    progress.step("learning the pictures of baseline")
    stage.learn(_path(x, x + (TO - FROM) * track / 2, y, moves))
    return stage


def _path(start: float, end: float, y: float, moves: int) -> list[Point]:
    return [(start + (end - start) * k / moves, y) for k in range(moves + 1)]


def _drag(stages: dict[str, Stage], drags: int, progress: Progress) -> dict[str, list[Figures]]:
    """Drag on each in turn."""
    seen: dict[str, list[Figures]] = {design: [] for design in stages}
    for number in range(drags):
        for design, stage in stages.items():
            progress.step(f"drag {number + 1} of {drags}, {design}")
            seen[design].append(stage.drag())
    return seen


def _memory(stage: Stage, updates: int, progress: Progress) -> dict[str, float]:
    """Compare the memory of page and kernel before and after many updates."""
    shown_text = stage.lab.cells.locator(
        ".jp-OutputArea-output", has_text="kernel"
    ).first.inner_text()
    kernel = psutil.Process(int(shown_text.split()[-1]))

    def now() -> tuple[float, float]:
        return stage.heap_mb(), kernel.memory_info().rss / 1e6

    progress.step("updates to warm up")
    for _ in stage.update(math.ceil(updates / 10)):
        pass
    page_before, kernel_before = now()
    for number, _ in enumerate(stage.update(updates)):
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
    """Set the designs' figures beside each other: what is said of one against another."""
    rows = {design: dict(each) for design, each in rows.items()}
    explorer, slow, plain = rows["explorer"], rows["explorer_slow_link"], rows["baseline"]
    plain.pop("answer_ms")
    explorer["segmenter_ms"] = explorer.pop("answer_ms")
    slow["segmenter_ms"] = slow.pop("answer_ms")
    explorer["detector_ms"] = rows.pop("detector")["answer_ms"]
    explorer["times_baseline"] = _ratio(explorer, plain, "pictures_per_s")
    slow["latency_of_local"] = _ratio(slow, explorer, "latency_ms")
    slow["pictures_of_local"] = _ratio(slow, explorer, "pictures_per_s")
    return list(rows.values())


def _ratio(first: dict[str, Any], second: dict[str, Any], name: str) -> float:
    return round(float(first[name]) / float(second[name]), 2)


def text(result: dict[str, Any]) -> str:
    """Return the report as a person reads it: a table, with what is wanted beside it."""
    rows = {row["design"]: row for row in result["rows"]}
    lines = []
    for name, label in NAMES.items():
        figures = [str(row.get(name, "")) for row in rows.values()]
        wanted = [
            _wanted(row[name], *TARGETS[design][name])
            for design, row in rows.items()
            if name in TARGETS.get(design, {})
        ]
        lines.append([label, *figures, *(wanted or [""])])
    out = [table(["", *rows, "wanted"], lines)]
    out.append(f"Each panel {result['panel']} pixels; {rows['explorer']['drags']} drags of each.")
    if "memory" in result:
        memory = result["memory"]
        out.append(
            f"Memory after {memory['updates']} updates, MB: page {memory['page_before_mb']} -> "
            f"{memory['page_after_mb']}, kernel {memory['kernel_before_mb']} -> "
            f"{memory['kernel_after_mb']}"
        )
    if result["others"] > BUSY:
        out.append(
            f"Other programs took {result['others']:.0%} of the machine meanwhile: "
            "on one that is idle, the figures are better."
        )
    out.append(", ".join(f"{name} {value}" for name, value in result["versions"].items()))
    return "\n".join(out)


def _wanted(value: float, minimum: float, maximum: float) -> str:
    limit = f"at most {maximum:g}" if math.isfinite(maximum) else f"at least {minimum:g}"
    return f"{limit}: {'met' if minimum <= value <= maximum else 'MISSED'}"
