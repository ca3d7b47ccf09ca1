"""JupyterLab as a reader uses it: a server with a fresh configuration, and a page in a browser."""

import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError

from playwright.sync_api import (
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Response,
    WebSocket,
    expect,
)

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
# --disable-gpu: without a GPU, headless Chromium composites the page three times slower with it.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PROMPT = ".jp-InputArea .jp-InputPrompt"
"""Numbers of cells; in place of hidden code there is another prompt, which stays empty."""

QUIET = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    }
}

# Limits, not pauses: a wait ends as soon as its condition holds. They leave room for a machine
# that is busy with other programs.
START_S = 180
ACTION_MS = 60_000
RUN_MS = 900_000
POLL_S = 0.05
STATIC, STILL_S = 3, 0.15
"""An element that has the same position so many times, so many seconds apart, is at rest."""

# Outputs of exceptions have either of these types, outputs of warnings the second.
ERRORS = [f'[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("error", "stderr")]

# Pixels of an image as stored in the page, even if it is covered or scrolled out of view.
READ_PIXELS = """async element => {
    if (element instanceof HTMLImageElement) await element.decode();
    const canvas = document.createElement('canvas');
    canvas.width = element.naturalWidth || element.width;
    canvas.height = element.naturalHeight || element.height;
    canvas.getContext('2d').drawImage(element, 0, 0);
    return canvas.toDataURL('image/png');
}"""


def free_port() -> int:
    """Return an unused port of the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], failure: str | Callable[[], str]) -> None:
    """Wait until a condition holds, for at most `ACTION_MS`.

    Args:
        condition: evaluated every 50 ms.
        failure: the message of the error, or a function that returns it.

    Raises:
        TimeoutError: the condition did not hold within this time.
    """
    end = time.monotonic() + ACTION_MS / 1000
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(failure if isinstance(failure, str) else failure())
        time.sleep(POLL_S)


def at_rest(target: Locator) -> dict[str, float]:
    """Scroll an element into view and wait until it no longer moves on the screen.

    A notebook keeps moving for a while, as cells are laid out only when they scroll into view.

    Returns:
        Its bounding box in pixels of the page: `x`, `y`, `width` and `height`.

    Raises:
        TimeoutError: it does not come to rest.
    """
    boxes: list[dict[str, float] | None] = []
    end = time.monotonic() + ACTION_MS / 1000
    while time.monotonic() < end:
        target.scroll_into_view_if_needed()
        bounds = target.bounding_box()
        box = {key: float(bounds[key]) for key in ("x", "y", "width", "height")} if bounds else None
        boxes.append(box)
        if box is not None and boxes[-STATIC:] == [box] * STATIC:
            return box
        time.sleep(STILL_S)
    raise TimeoutError(f"{target} still moves on the screen after {ACTION_MS / 1000:g} s")


class Server:
    """A server of this Python environment on an unused loopback port, without the user's settings.

    It reads and writes files in `folder` only.

    Args:
        folder: for its log, settings and kernel files.
        command: arguments of `python -m`; `{port}` and `{token}` are filled in.
        ready: path that is requested until the server responds.
        environment: additional environment variables.
    """

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        ready: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = folder / "server.log"
        self._ready = ready
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.token = secrets.token_hex()
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("JUPYTER", "IPYTHON", "VOILA")) and key != "MPLBACKEND"
        }
        inherited |= {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "IPYTHONDIR": str(folder / "ipython"),
        }
        arguments = [argument.format(port=port, token=self.token) for argument in command]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=folder,
                env={**inherited, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        """Wait until the server responds."""
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and its kernels."""
        self.stop()

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self._ask("GET", self._ready)
            except HTTPError:
                return  # the server runs, but refuses this path
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError(
            f"no response at {self.url}{self._ready}; the log of the server ends with:\n"
            f"{self.tail()}"
        )

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=ACTION_MS / 1000) as response:
            content: bytes = response.read()
        return content

    def stop(self) -> None:
        """Stop the server and its kernels, by SIGTERM, and after 10 s by SIGKILL."""
        for sign, patience_s in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            if self._process.poll() is not None:
                return
            os.killpg(self._process.pid, sign)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue

    def tail(self) -> str:
        """Return the last 60 lines of the server's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:])


class LabServer(Server):
    """A JupyterLab server on a copy of notebooks; the originals are not changed.

    Args:
        folder: empty, for all files that this server reads and writes.
        notebooks: the folder of notebooks to copy.
        overrides: file with settings of JupyterLab; by default, only news are disabled.
    """

    def __init__(self, folder: Path, notebooks: Path, overrides: Path | None = None) -> None:
        self.root = folder / "served"
        self._originals = notebooks
        ignore = shutil.ignore_patterns(".ipynb_checkpoints")
        shutil.copytree(notebooks, self.root, ignore=ignore)
        settings = folder / "settings"
        settings.mkdir()
        content = overrides.read_text(encoding="utf-8") if overrides else json.dumps(QUIET)
        (settings / "overrides.json").write_text(content, encoding="utf-8")
        command = [
            *("jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", "--port={port}", "--ServerApp.port_retries=0"),
            "--IdentityProvider.token={token}",
            f"--ServerApp.root_dir={self.root}",
            f"--LabApp.app_settings_dir={settings}",
        ]
        environment = {
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "user-settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        }
        super().__init__(folder, command, "/api", environment)

    def restore(self, notebook: str) -> None:
        """Copy a notebook anew, if it was copied at the start: JupyterLab saves what it has run."""
        original = self._originals / notebook
        if original.is_file():
            shutil.copyfile(original, self.root / notebook)

    def shut_down_kernels(self, keep: Collection[str] = ()) -> None:
        """End all sessions, so that the next notebook starts with a new kernel.

        Args:
            keep: paths of notebooks whose kernels go on.
        """
        for session in json.loads(self._ask("GET", "/api/sessions")):
            if session["path"] not in keep:
                self._ask("DELETE", f"/api/sessions/{session['id']}")

    def restart_kernel(self, notebook: str) -> None:
        """Restart the kernel of a notebook, a path in the folder."""
        for session in json.loads(self._ask("GET", "/api/sessions")):
            if session["path"] == notebook:
                self._ask("POST", f"/api/kernels/{session['kernel']['id']}/restart")


class Lab:
    """One page of JupyterLab, operated like a reader would.

    Attributes:
        page: the Playwright page.
        errors: all errors so far: uncaught exceptions and console errors of the page, HTTP errors,
            and exceptions in the kernel. The latter are read from the kernel's messages, as
            JupyterLab does not show exceptions in callbacks of widgets.
    """

    def __init__(self, page: Page, server: LabServer) -> None:
        self.page = page
        self.errors: list[str] = []
        self._server = server
        page.set_default_timeout(ACTION_MS)
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "pageerror": lambda error: self.errors.append(f"uncaught: {error}"),
            "console": self._note_console,
            "response": self._note_response,
            "websocket": self._listen,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    def close(self) -> None:
        """Leave JupyterLab; the page can be used again."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        self.page.goto("about:blank")

    def _note_console(self, message: ConsoleMessage) -> None:
        # A failed load is noted with its address by _note_response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.errors.append(f"console: {message.text}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} {response.request.method} {response.url}")

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._note_kernel_error)

    def _note_kernel_error(self, frame: str | bytes) -> None:
        content = frame.encode() if isinstance(frame, str) else frame
        match = re.search(rb'"ename": *"[^"]*", *"evalue": *"[^"]*"', content)
        if match:
            self.errors.append(f"kernel: {match[0].decode()}")

    @property
    def cells(self) -> Locator:
        """Code cells of the notebook."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")

    def open(self, notebook: str) -> None:
        """Open a notebook as it was copied, a path in its folder, and wait for its kernel."""
        server = self._server
        server.restore(notebook)
        self.page.goto(f"{server.url}/lab/tree/{notebook}?reset&token={server.token}")
        self.wait_for_kernel()
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)

    def run_all(self, first: int | None = None) -> None:
        """Clear all outputs, so that all outputs seen later are new; run all cells and wait.

        Args:
            first: number of code cells to run, from the first on; all if None.
        """
        self._choose("Edit", "Clear Outputs of All Cells")
        expect(self.cells.locator(".jp-InputPrompt", has_text=re.compile(r"\d"))).to_have_count(0)
        if first is None or first == self.cells.count():
            self._choose("Run", "Run All Cells")
        else:
            self.cells.nth(first).locator(".jp-InputPrompt").click()
            self._choose("Run", "Run All Above Selected Cell")
        self.wait_idle(first)

    def _choose(self, menu: str, entry: str) -> None:
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def wait_idle(self, first: int | None = None) -> None:
        """Wait until every code cell has a number and the kernel is idle.

        Args:
            first: number of code cells that are run, from the first on; all if None.

        Raises:
            RuntimeError: a cell failed, so that later cells are not run.
        """
        notebook = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell"
        outcome = self.page.wait_for_function(
            """([prompts, errors, first]) => {
                const found = [...document.querySelectorAll(errors)];
                const error = found.find((output) => output.textContent.includes("Traceback"));
                if (error) return { text: error.textContent };
                const hasRun = (prompt) => /^\\[\\d+\\]:$/.test(prompt.textContent.trim());
                return [...document.querySelectorAll(prompts)].slice(0, first).every(hasRun);
            }""",
            arg=[
                f"{notebook} {PROMPT}",
                ", ".join(f"{notebook} {error_type}" for error_type in ERRORS),
                10**6 if first is None else first,
            ],
            timeout=RUN_MS,
        ).json_value()
        if outcome is not True:
            raise RuntimeError(f"a cell failed: {outcome['text']}")
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Wait until there is an idle kernel."""
        # The toolbar shows an idle kernel before there is one; the status bar does not.
        status = self.page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle")
        expect(status).to_be_visible(timeout=RUN_MS)

    def prompts(self) -> list[str]:
        """Return the prompt of each code cell whose code is not hidden, such as `[3]:`."""
        return self.cells.locator(PROMPT).all_text_contents()

    def cell_errors(self) -> list[str]:
        """Return the text of each output that is an error or a warning."""
        return self.cells.locator(", ".join(ERRORS)).all_text_contents()

    def screenshot(self, path: Path) -> None:
        """Store a screenshot of the page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)

    def picture_hash(self, pictures: Locator) -> str:
        """Return a hash over the pixels of all `img` and `canvas` elements that match."""
        digest = hashlib.sha256()
        for picture in pictures.all():
            digest.update(self._pixels(picture).encode())
        return digest.hexdigest()

    def _pixels(self, picture: Locator) -> str:
        for _ in range(20):  # an image that is being replaced has no pixels
            try:
                pixels: str = picture.evaluate(READ_PIXELS)
            except Error:
                self.page.wait_for_timeout(50)
            else:
                return pixels
        raise TimeoutError(f"cannot read the pixels of {picture}")

    def wait_for_change(self, pictures: Locator, before: str) -> None:
        """Wait until the pictures no longer have the hash `before`."""
        wait_until(lambda: self.picture_hash(pictures) != before, "the pictures did not change")

    def wait_for_hash(self, pictures: Locator, expected: str) -> None:
        """Wait until the pictures have the hash `expected`."""
        wait_until(
            lambda: self.picture_hash(pictures) == expected,
            "the pictures do not get the expected hash",
        )

    def middle(self, target: Locator) -> tuple[float, float]:
        """Return the centre of an element in pixels of the page, once it is at rest."""
        box = at_rest(target)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, target: Locator, dx: float, dy: float, steps: int = 10) -> None:
        """Press on the centre of an element, move by (dx, dy) screen pixels, and release."""
        x, y = self.middle(target)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=steps)
        self.page.mouse.up()
