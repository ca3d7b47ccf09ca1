"""Test of the whole site: every page opens, every explorer can be dragged, nothing is reported.

It builds the site, which takes minutes, unless the environment variable `LZU_SITE` names the folder
of one that is built. `make site-test` runs it.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, ViewportSize, expect

from browser_helpers import (
    drag,
    serious_violations,
    view,
    wait_until,
    wait_until_drawn,
    wait_until_settled,
)
from docs import __main__ as site
from lzu_viz.bench.browser.file_server import served
from lzu_viz.bench.browser.lab import ACTION_MS
from lzu_viz.widgets.page_networks import PAGE_NETWORKS

pytestmark = [pytest.mark.browser, pytest.mark.site, pytest.mark.usefixtures("axe")]

LOADED_MS = 60_000
NETWORK = "JSON.parse(document.getElementById('lzu-data').textContent).prepared[0].state.network"
PIXELS = "canvas => canvas.toDataURL()"

# Written by Sphinx's theme, not by us.
GENERATED = ("genindex.html", "py-modindex.html", "search.html")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the site with all notebooks."""
    if folder := os.environ.get("LZU_SITE"):
        return Path(folder)
    out = tmp_path_factory.mktemp("whole") / "site"
    assert site.build(out, "someone/lzu_viz") == 0
    return out


def pages_of(built: Path, *folders: str) -> list[str]:
    """Return the addresses of the pages in some folders of the site, "" for its root."""
    return sorted(
        path.relative_to(built).as_posix()
        for folder in folders
        for path in (built / folder).glob("*.html")
        if path.name not in GENERATED
    )


def test_every_page_of_the_library(built: Path, browser: Browser) -> None:
    check(built, browser, pages_of(built, "api"))


def test_every_notebook(built: Path, browser: Browser) -> None:
    pages = pages_of(built, "", "notebooks", "notebooks/solutions")
    assert len(pages) > 30
    assert check(built, browser, pages) >= 10


def check(built: Path, browser: Browser, pages: list[str]) -> int:
    """Open pages, expect neither errors nor barriers, and drag their explorers; count these."""
    found: dict[str, list[str]] = {}
    explorers = 0
    size: ViewportSize = {"width": 1400, "height": 900}
    with served(built) as address, browser.new_context(viewport=size) as context:
        reported: list[str] = []
        context.on("console", lambda message: reported.append(f"{message.type}: {message.text}"))
        context.on("weberror", lambda error: reported.append(str(error.error)))
        for path in pages:
            page = context.new_page()
            page.set_default_timeout(ACTION_MS)
            page.goto(f"{address}/{path}", wait_until="load")
            explorers += drag_explorers(page)
            violations = [
                violation for frame in page.frames for violation in serious_violations(frame)
            ]
            page.close()
            if problems := [*reported, *violations]:
                found[path] = problems
            reported.clear()
    assert found == {}
    return explorers


def drag_explorers(page: Page) -> int:
    """Drag each explorer of a page once its networks run, and wait for its prediction."""
    count = 0
    for frame in page.frames[1:]:
        frame.wait_for_load_state("load")
        if not frame.locator("#lzu-explorer").count():
            continue
        count += 1
        expect(frame.locator("#lzu-explorer canvas").first).to_be_attached()
        frame.frame_element().scroll_into_view_if_needed()
        frame.locator("#lzu-explorer").scroll_into_view_if_needed()
        if frame.evaluate(NETWORK) in PAGE_NETWORKS:
            expect(frame.locator("#lzu-networks")).to_contain_text(
                "The networks run in this page", timeout=LOADED_MS
            )
        move(page, frame)
        wait_until_settled(frame.locator("body"))
    return count


def move(page: Page, frame: Frame) -> None:
    """Drag in the source image, or move the selected node; otherwise move the first slider."""
    source = view(frame, "source")
    picture = frame.locator("canvas[data-view]").first
    wait_until_drawn(frame.locator("body"))
    before = picture.evaluate(PIXELS)
    key = frame.locator(".lzu-key").inner_text()
    if "node: drag it" in key:
        source.press("ArrowRight")
    elif "drag it" in key:
        drag(page, source, (0.0, 0.0), (-0.5, 0.3))
    else:
        slider = frame.locator("input[type=range]").first
        slider.press("End" if slider.evaluate("each => each.value === each.min") else "Home")
    wait_until(lambda: picture.evaluate(PIXELS) != before, "the picture did not change")
