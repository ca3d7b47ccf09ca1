"""Fixtures of the browser tests: JupyterLab, Chromium and pages."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from browser_helpers import AXE, SHARED_NOTEBOOK, VIEWPORT
from lzu_viz.bench.browser.lab import ACTION_MS, CHROMIUM, CHROMIUM_FLAGS, Lab, LabServer
from requirements import require_program

ROOT = Path(__file__).parents[2]
LOG = pytest.StashKey[LabServer]()
DELAY_DRAWING = Path(__file__).with_name("delay_drawing.js")

expect.set_options(timeout=ACTION_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the browser; skip the test if there is none, except in CI."""
    return require_program(CHROMIUM, "no Chromium or Chrome on PATH: the browser tests cannot run")


@pytest.fixture(scope="session")
def axe() -> None:
    """Skip the test if axe-core is not installed, except in CI."""
    found = str(AXE) if AXE.is_file() else None
    require_program(found, "axe-core is not installed: run `npm ci` in tests/front")


@pytest.fixture(scope="session")
def lab_server(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[LabServer]:
    """Yield one server for all tests; it is started only if there is a browser."""
    folder, overrides = tmp_path_factory.mktemp("lab"), ROOT / "binder/overrides.json"
    # The kernels share few cores with the browser: one thread each is fastest.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with LabServer(folder, ROOT / "notebooks", overrides) as server:
        pytestconfig.stash[LOG] = server
        yield server


@pytest.fixture(scope="session", autouse=True)
def _delayed_drawing() -> Iterator[None]:
    """Delay every drawing in every page by `LZU_DRAWING_DELAY_MS` milliseconds, if that is set."""
    delay = int(os.environ.get("LZU_DRAWING_DELAY_MS", "0"))
    new_context = Browser.new_context
    script = f"globalThis.drawingDelayMs = {delay};\n{DELAY_DRAWING.read_text(encoding='utf-8')}"

    def new_context_delayed(self: Browser, **options: Any) -> BrowserContext:
        context = new_context(self, **options)
        context.add_init_script(script)
        return context

    with pytest.MonkeyPatch.context() as patch:
        if delay:
            patch.setattr(Browser, "new_context", new_context_delayed)
        yield


# One browser per file, not one for all: asyncio.run fails in other tests while Playwright runs.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Yield a headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def lab_page(browser: Browser) -> Iterator[Page]:
    """Yield a page for the tests of a file, as a page compiles JupyterLab only once."""
    with browser.new_context(viewport=VIEWPORT) as context:
        yield context.new_page()


@pytest.fixture
def lab(
    lab_page: Page,
    lab_server: LabServer,
    screenshots: Path | None,
    request: pytest.FixtureRequest,
) -> Iterator[Lab]:
    """Yield JupyterLab, loaded anew with a new kernel, in a page of 1400 x 1000 pixels."""
    lab = Lab(lab_page, lab_server)
    yield lab
    if screenshots:
        lab.screenshot(screenshots / f"{request.node.name}-end.png")
    lab.close()
    lab_page.emulate_media(reduced_motion="null")
    lab_page.set_viewport_size(VIEWPORT)
    lab_server.shut_down_kernels(keep=[SHARED_NOTEBOOK])


@pytest.fixture(scope="session")
def screenshots() -> Path | None:
    """Return the folder for screenshots, LZU_SCREENSHOTS; None if it is not set."""
    folder = os.environ.get("LZU_SCREENSHOTS")
    return Path(folder) if folder else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the server's log to the report of a failed test."""
    report = yield
    server = item.config.stash.get(LOG, None)
    if report.failed and server is not None:
        report.sections.append(("JupyterLab's log", server.tail()))
    return report
