"""A stage: a notebook in a page of its own, that a hand drags and that notes what is seen."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from .. import notebooks
from ..report import CannotRun
from .drag import Figures, Notes, figures
from .lab import CHROMIUM, CHROMIUM_FLAGS, Lab, LabServer, free_port
from .mouse import Mouse, Point

PAGE = Path(__file__).with_name("page")

LIMIT_MS = 120_000
"""How long to wait for anything that a page should show."""

QUIET_MS = 120
"""A picture that has stood for so long is taken for the last of its place."""

STROKE = 5
"""Updates from pressing the button to its release, where no drag is measured."""


class Stage:
    """One design, open and ready.

    Args:
        lab: its page.
        hand: over this page.
        panels: selectors; the first finds the picture that is known again, the others are to
            change with it.
    """

    def __init__(self, lab: Lab, hand: Mouse, panels: Sequence[str]) -> None:
        self.lab = lab
        self.page = lab.page
        self._hand = hand
        self._panels = list(panels)
        self._points: list[Point] = []
        self._learned: list[list[str]] = []

    def _rest(self, **wanted: Any) -> bool:
        options = {"quiet": QUIET_MS, "limit": LIMIT_MS, **wanted}
        done: bool = self.page.evaluate("options => lzuBench.rest(options)", options)
        return done

    def _mark(self) -> None:
        self.page.evaluate("lzuBench.mark()")

    def _keys(self) -> list[str]:
        """Return the pictures since the mark, and the one that is seen now."""
        keys: list[str] = self.page.evaluate(
            "[...lzuBench.notes().pictures.map(each => each[1]), lzuBench.current()]"
        )
        return keys

    def size(self, selector: str) -> tuple[float, float]:
        """Return width and height of what a selector finds first, in pixels of the page.

        Raises:
            RuntimeError: it finds nothing.
        """
        box = self.page.locator(selector).first.bounding_box()
        if box is None:
            raise RuntimeError(f"the page shows no {selector}")
        return box["width"], box["height"]

    def learn(self, points: Sequence[Point]) -> None:
        """Go along a path slowly, to know the picture of each place again, and back."""
        self._points = list(points)
        self.page.evaluate("panels => lzuBench.start(panels)", self._panels)
        self._rest(quiet=500, answered=True)
        self._learned = [self._keys()]
        if "null" in self._learned[0]:
            raise RuntimeError(f"the page shows no {self._panels[0]}")
        self._hand.press(self._points[0])
        for point in self._points[1:]:
            self._mark()
            self._hand.move(point)
            self._rest(change=True, limit=10_000)
            self._learned.append(self._keys())
        self._mark()
        self._hand.release(self._points[-1])
        self._rest(quiet=500, answered=True)
        self._learned[-1] += self._keys()
        self._back()

    def _back(self) -> None:
        self._hand.drag(self._points[::-1])
        if not self._rest(quiet=500, wanted=self._learned[0], answered=True):
            raise RuntimeError("after the way back, the page does not show its first picture again")

    def drag(self) -> Figures:
        """Drag along the path, as a person does, and go back."""
        self.page.bring_to_front()
        self.page.wait_for_timeout(500)  # the page that comes to the front is painted anew
        self._mark()
        self._hand.drag(self._points)
        if not self._rest(quiet=300, wanted=self._learned[-1], answered=True):
            raise RuntimeError(
                "after the drag, the page does not show the picture of its last place"
            )
        notes = Notes.from_page(self.page.evaluate("lzuBench.notes()"))
        self._back()
        return figures(notes, [x for x, _ in self._points], self._learned)

    def update(self, times: int) -> Iterator[None]:
        """Go back and forth in short strokes; each place is drawn, and each stroke answered."""
        # Every second place: the explorer takes a movement of 2 pixels for a click that trembles.
        points = self._points[::2]
        path = [*points[1:], *points[-2::-1]]
        held = False
        for number in range(times):
            if not held:
                self._hand.press(path[number % len(path) - 1])
            held = (number + 1) % STROKE != 0 and number + 1 < times
            self._mark()
            self._hand.move(path[number % len(path)])
            if not held:
                self._hand.release(path[number % len(path)])
            if not self._rest(quiet=0, change=True, answered=not held):
                raise RuntimeError(f"update {number} was not drawn and answered")
            yield

    def heap_mb(self) -> float:
        """Return the page's JavaScript heap in MB, without what is garbage."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        metrics = session.send("Performance.getMetrics")["metrics"]
        session.detach()
        (used,) = [each["value"] for each in metrics if each["name"] == "JSHeapUsedSize"]
        return float(used) / 1e6


class Room:
    """Where all stages stand: a server of notebooks, and a browser.

    Args:
        browser: a headless Chromium.
        port: on which it listens to hands.
        server: whose notebooks are opened.
    """

    def __init__(self, browser: Browser, port: int, server: LabServer) -> None:
        self.browser = browser
        self._port = port
        self._server = server

    @contextmanager
    def open(
        self, name: str, cells: Sequence[str], panels: Sequence[str], scripts: Sequence[str] = ()
    ) -> Iterator[Stage]:
        """Write a notebook, open it in a page of its own, 1400 x 1000, and run it.

        Args:
            name: of the notebook.
            cells: its code, see :mod:`lzu_viz.bench.notebooks`.
            panels: see :class:`Stage`.
            scripts: files of `page/` to run in the page before all else.

        Raises:
            RuntimeError: a cell failed.
        """
        notebooks.write(self._server.root / f"{name}.ipynb", *cells)
        with self.browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
            for script in ("recorder.js", *scripts):
                context.add_init_script(path=PAGE / script)
            lab = Lab(context.new_page(), self._server)
            lab.open(f"{name}.ipynb")
            lab.page.keyboard.press("Control+b")  # no list of files: three panels need its room
            lab.run_all()
            if lab.cell_errors() or lab.errors:
                raise RuntimeError(f"{name}.ipynb failed: {lab.cell_errors()} {lab.errors}")
            session = context.new_cdp_session(lab.page)
            target = session.send("Target.getTargetInfo")["targetInfo"]["targetId"]
            session.detach()
            with Mouse(self._port, target) as hand:
                yield Stage(lab, hand, panels)


@contextmanager
def room() -> Iterator[Room]:
    """Start a JupyterLab and a browser, with all their files in a folder that is removed at last.

    Raises:
        CannotRun: there is no Chromium.
    """
    if CHROMIUM is None:
        raise CannotRun("this benchmark needs Chromium or Chrome on PATH; neither was found")
    port = free_port()
    flags = [*CHROMIUM_FLAGS, f"--remote-debugging-port={port}"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "notebooks").mkdir()
        with LabServer(folder, folder / "notebooks") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
            try:
                yield Room(browser, port, server)
            finally:
                browser.close()
