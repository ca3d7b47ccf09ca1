"""The explorer in an app: a notebook that Voila serves, without its code and without JupyterLab."""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Browser, Route, expect

from hands import drag, expect_near, numbers, settled, view, write_notebook
from lzu_viz.bench.lab import RUN_MS, START_S, Lab, free_port

pytestmark = pytest.mark.browser

APP = """\
from lzu_viz.scenes import far_person
from lzu_viz.widgets import Explorer

Explorer(far_person(place=(0.2, 0.4), height=0.3, size=(256, 384)))
"""
COLOURS = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""


class VoilaServer:
    """Voila of this environment on a free loopback port, serving one notebook.

    All that it reads and writes lies in `folder`: what the user has set up plays no part.
    """

    def __init__(self, folder: Path, notebook: Path) -> None:
        self.log = folder / "server.log"
        port, token = free_port(), secrets.token_hex()
        self.url = f"http://127.0.0.1:{port}"
        self.address = f"{self.url}/?token={token}"
        environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("JUPYTER", "IPYTHON", "VOILA")) and key != "MPLBACKEND"
        }
        environment |= {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "IPYTHONDIR": str(folder / "ipython"),
        }
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "voila", str(notebook), "--no-browser"),
                    *("--Voila.ip=127.0.0.1", f"--port={port}", "--Voila.port_retries=0"),
                    f"--token={token}",
                    f"--Voila.connection_dir_root={folder}",
                ],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Wait until the server answers."""
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                # Without the token this leads to a login, and starts no kernel.
                urllib.request.urlopen(self.url, timeout=10).close()
            except OSError:
                time.sleep(0.1)
            else:
                return self
        self.stop()
        raise RuntimeError(f"Voila did not answer at {self.url}:\n{self.tail()}")

    def __exit__(self, *_: object) -> None:
        """Stop the server and its kernels."""
        self.stop()

    def stop(self) -> None:
        """End the server's process group, gently first: it then ends its kernels itself."""
        for sign, patience_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            if self._process.poll() is not None:
                return
            os.killpg(self._process.pid, sign)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue

    def tail(self, lines: int = 60) -> str:
        """The end of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@pytest.fixture
def voila(chromium: str, tmp_path: Path) -> Iterator[VoilaServer]:
    """Voila with a notebook of one explorer; its log is shown beside a failure."""
    notebook = tmp_path / "app.ipynb"
    write_notebook(notebook, APP)
    with VoilaServer(tmp_path, notebook) as server:
        yield server
        print(server.tail())


def answer_nothing(route: Route) -> None:
    """Stand in for the icon fonts that Voila's page fetches from afar, and does not need."""
    route.fulfill(status=200, body="")


def test_the_explorer_in_an_app(
    voila: VoilaServer, browser: Browser, screenshots: Path | None
) -> None:
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        context.route(lambda url: not url.startswith(voila.url), answer_nothing)
        app = Lab(context.new_page(), voila)
        page = app.page
        page.goto(voila.address, timeout=RUN_MS)
        expect(numbers(page)).to_contain_text("Overlap with the truth", timeout=RUN_MS)
        settled(page)
        for name in ("source", "zoomed", "uniform", "unzoomed"):
            expect(view(page, name)).to_be_visible()
            assert view(page, name).evaluate(COLOURS) > 500  # no blank picture
        if screenshots:
            app.screenshot(screenshots / "voila.png")

        zoomed = view(page, "zoomed")
        before, text = app.picture_hash(zoomed), numbers(page).inner_text()
        drag(page, view(page, "source"), (0.2, 0.4), (-0.4, 0.0))
        page.mouse.move(1, 1)  # where it points to is marked in every view
        expect_near(page, fovea_x=-0.4, fovea_y=0)  # so the drag was drawn; then, answered
        settled(page)
        app.wait_for_change(zoomed, before)
        expect(numbers(page)).not_to_have_text(text, use_inner_text=True)
        expect(numbers(page)).to_have_css("opacity", "1")  # no longer grey
        if screenshots:
            app.screenshot(screenshots / "voila-dragged.png")
        # The page names an icon for the browser's tab that Voila itself does not give.
        icon = f"403 GET {voila.url}/voila/files/favicon.ico"
        assert [error for error in app.errors if error != icon] == []
