"""Benchmark sessions in a browser: a notebook in a page, the mouse, and recorded images."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from .. import notebooks
from ..report import CannotRun
from .drag import Figures, Notes, figures
from .lab import CHROMIUM, CHROMIUM_FLAGS, Lab, LabServer, at_rest, free_port
from .mouse import Mouse, Point

PAGE = Path(__file__).with_name("page")

LIMIT_MS = 120_000
"""Timeout for anything that a page should display, in milliseconds."""

QUIET_MS = 120
"""Milliseconds without change after which an image counts as the last of its position."""

STROKE = 5
"""Updates between press and release of the button, in the memory measurement."""


class BrowserSession:
    """A design of the benchmark, opened in a page.

    Args:
        page: the page.
        mouse: the mouse of this page.
        panels: CSS selectors; the first matches the image that is identified, the others those
            that should change together with it.
    """

    def __init__(self, page: Page, mouse: Mouse, panels: Sequence[str]) -> None:
        self.page = page
        self._mouse = mouse
        self._panels = list(panels)
        self._points: list[Point] = []
        self._learned: list[list[str]] = []
        self._updates = 0

    def _rest(self, **conditions: Any) -> bool:
        """Wait until the page no longer changes, see `rest` in `recorder.js`; False if it does."""
        options = {"quiet": QUIET_MS, "limit": LIMIT_MS, **conditions}
        is_met: bool = self.page.evaluate("options => lzuBench.rest(options)", options)
        return is_met

    def _mark(self) -> None:
        self.page.evaluate("lzuBench.mark()")

    def _keys(self) -> list[str]:
        """Return the keys of the images since the mark, and of the current one."""
        keys: list[str] = self.page.evaluate(
            "[...lzuBench.notes().pictures.map(picture => picture[1]), lzuBench.current()]"
        )
        return keys

    def size(self, selector: str) -> tuple[float, float]:
        """Return width and height of a selector's first match, in pixels of the page.

        Raises:
            RuntimeError: if nothing matches.
        """
        box = self.page.locator(selector).first.bounding_box()
        if box is None:
            raise RuntimeError(f"no element of the page matches {selector!r}")
        return box["width"], box["height"]

    def middle(self, selector: str) -> tuple[float, float]:
        """Return the centre of a selector's first match in pixels of the page, once at rest."""
        box = at_rest(self.page.locator(selector).first)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def learn(self, points: Sequence[Point]) -> None:
        """Traverse a path slowly, record the images of each position, and go back.

        Raises:
            RuntimeError: if the page shows no image, or not the first one again at the end.
        """
        self._points = list(points)
        self.page.evaluate("panels => lzuBench.start(panels)", self._panels)
        self._rest(quiet=500, answered=True)
        self._learned = [self._keys()]
        if "null" in self._learned[0]:
            raise RuntimeError(f"the page shows no picture that matches {self._panels[0]!r}")
        self._mouse.press(self._points[0])
        for point in self._points[1:]:
            self._mark()
            self._mouse.move(point)
            self._rest(change=True, limit=10_000)
            self._learned.append(self._keys())
        self._mark()
        self._mouse.release(self._points[-1])
        self._rest(quiet=500, answered=True)
        self._learned[-1] += self._keys()
        self._back()

    def _back(self) -> None:
        self._mouse.drag(self._points[::-1])
        if not self._rest(quiet=500, wanted=self._learned[0], answered=True):
            raise RuntimeError(
                "after the drag back, the page does not show its first picture again"
            )

    def drag(self) -> Figures:
        """Drag along the path at normal speed, go back, and return the figures of the drag.

        Raises:
            RuntimeError: if the page does not show the image of the last position in time.
        """
        self.page.bring_to_front()
        self.page.wait_for_timeout(500)  # a page that comes to the front is repainted
        self._mark()
        self._mouse.drag(self._points)
        if not self._rest(quiet=300, wanted=self._learned[-1], answered=True):
            raise RuntimeError(
                "after the drag, the page does not show the picture of the last position"
            )
        notes = Notes.from_page(self.page.evaluate("lzuBench.notes()"))
        self._back()
        return figures(notes, [x for x, _ in self._points], self._learned)

    def update(self, times: int) -> Iterator[None]:
        """Yield after each update of a drag back and forth, in short strokes.

        Every position is drawn, and every stroke gets a prediction.

        Raises:
            RuntimeError: if an update is not drawn, or gets no prediction, in time.
        """
        # Every second position, as the explorer treats a movement of 2 pixels as a click.
        points = self._points[::2]
        path = [*points[1:], *points[-2::-1]]
        is_pressed = False
        for number in range(times):
            # The fovea is where the last update of an earlier call has left it.
            place = self._updates % len(path)
            self._updates += 1
            if not is_pressed:
                self._mouse.press(path[place - 1])
            is_pressed = (number + 1) % STROKE != 0 and number + 1 < times
            self._mark()
            self._mouse.move(path[place])
            if not is_pressed:
                self._mouse.release(path[place])
            if not self._rest(quiet=0, change=True, answered=not is_pressed):
                raise RuntimeError(
                    f"update {number} was not drawn, or got no prediction, in {LIMIT_MS // 1000} s"
                )
            yield

    def heap_mb(self) -> float:
        """Return the size of the page's JavaScript heap in MB, after garbage collection."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        session.detach()
        (used,) = [metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"]
        return float(used) / 1e6


class BrowserEnv:
    """Environment of all sessions: a server of notebooks and a browser.

    Args:
        browser: a headless Chromium.
        port: its remote debugging port, for :class:`Mouse`.
        server: server of the notebooks.
    """

    def __init__(self, browser: Browser, port: int, server: LabServer) -> None:
        self.browser = browser
        self._port = port
        self._server = server

    @contextmanager
    def open(
        self, name: str, cells: Sequence[str], panels: Sequence[str], scripts: Sequence[str] = ()
    ) -> Iterator[BrowserSession]:
        """Write a notebook, open it in a new page of 1400 x 1000 pixels, and run it.

        Args:
            name: of the notebook.
            cells: source code of its cells, see :mod:`lzu_viz.bench.notebooks`.
            panels: CSS selectors, see :class:`BrowserSession`.
            scripts: files of `page/` to run in the page before its own scripts.

        Yields:
            The session.

        Raises:
            RuntimeError: if a cell fails.
        """
        notebooks.write(self._server.root / f"{name}.ipynb", *cells)
        with self.browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
            for script in ("recorder.js", *scripts):
                context.add_init_script(path=PAGE / script)
            lab = Lab(context.new_page(), self._server)
            lab.open(f"{name}.ipynb")
            lab.page.keyboard.press("Control+b")  # hide the file browser: the panels need its space
            lab.run_all()
            if lab.cell_errors() or lab.errors:
                raise RuntimeError(
                    f"{name}.ipynb failed; cells: {lab.cell_errors()}, page: {lab.errors}"
                )
            with self._mouse(lab.page) as mouse:
                yield BrowserSession(lab.page, mouse, panels)

    @contextmanager
    def open_page(self, address: str, panels: Sequence[str]) -> Iterator[BrowserSession]:
        """Open a page of 1400 x 1000 pixels, and yield its session.

        Args:
            address: of the page.
            panels: CSS selectors, see :class:`BrowserSession`.
        """
        with self.browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
            context.add_init_script(path=PAGE / "recorder.js")
            page = context.new_page()
            page.goto(address)
            with self._mouse(page) as mouse:
                yield BrowserSession(page, mouse, panels)

    def _mouse(self, page: Page) -> Mouse:
        session = page.context.new_cdp_session(page)
        target = session.send("Target.getTargetInfo")["targetInfo"]["targetId"]
        session.detach()
        return Mouse(self._port, target)

    def renderer_mb(self) -> float:
        """Return the resident memory of the largest process that renders pages, in MB."""
        session = self.browser.new_browser_cdp_session()
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        session.detach()
        pids = [process["id"] for process in processes if process["type"] == "renderer"]
        return float(max(psutil.Process(pid).memory_info().rss for pid in pids)) / 1e6


@contextmanager
def browser_env() -> Iterator[BrowserEnv]:
    """Start a JupyterLab and a browser, with all their files in a temporary folder.

    Yields:
        The environment of the sessions.

    Raises:
        CannotRun: if there is no Chromium.
    """
    if CHROMIUM is None:
        raise CannotRun(
            "this benchmark needs Chromium or Chrome on PATH; neither was found: install one"
        )
    port = free_port()
    flags = [*CHROMIUM_FLAGS, f"--remote-debugging-port={port}"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        with LabServer(folder, folder / "notebooks") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            try:
                yield BrowserEnv(browser, port, server)
            finally:
                browser.close()
