"""Tests of the explorer's layout: what is in view together, in windows of all sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser_helpers import VIEWPORT, open_cells, wait_until_settled
from layout_helpers import WINDOWS, expect_in_view
from lzu_viz.bench.browser.lab import Lab, LabServer
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer, to_html

pytestmark = pytest.mark.browser

CELL = """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer
Explorer(far_person({arguments}))"""
PHOTOS = {
    "landscape": "",
    "portrait": "size=(960, 640), height=0.08",
    "panorama": "size=(300, 1000), height=0.3",
}


@pytest.fixture(scope="module")
def pages(browser: Browser, lab_server: LabServer) -> Iterator[Lab]:
    """Yield a page with an explorer, in which the photo changes, not the kernel."""
    with browser.new_context(viewport=VIEWPORT) as context:
        lab = Lab(context.new_page(), lab_server)
        yield lab
    lab_server.shut_down_kernels()


@pytest.mark.parametrize("photo", PHOTOS)
def test_views_and_controls_are_in_view_together(
    pages: Lab, lab_server: LabServer, photo: str, screenshots: Path | None
) -> None:
    page = pages.page
    page.set_viewport_size(VIEWPORT)
    cell = CELL.format(arguments=PHOTOS[photo])
    open_cells(pages, lab_server, cell, name=f"layout-{photo}.ipynb")
    is_open = True
    for width, height in WINDOWS:
        for opened in (True, False):
            if opened != is_open:
                page.keyboard.press("Control+b")  # shows or hides the file browser
                is_open = opened
            page.set_viewport_size({"width": width, "height": height})
            expect_in_view(page, height, photo)
            if screenshots:
                name = f"layout-{photo}-{width}-{'open' if opened else 'closed'}.png"
                page.screenshot(path=screenshots / name)


@pytest.mark.parametrize("photo", PHOTOS)
@pytest.mark.parametrize(("width", "height"), [(736, 900), (390, 844), (1400, 900)])
def test_static_page_shows_all_in_view(
    browser: Browser,
    tmp_path: Path,
    photo: str,
    width: int,
    height: int,
    screenshots: Path | None,
) -> None:
    scene = {
        "landscape": far_person,
        "portrait": lambda: far_person(size=(960, 640), height=0.08),
        "panorama": lambda: far_person(size=(300, 1000), height=0.3),
    }[photo]()
    path = to_html(Explorer(scene), tmp_path / "page.html")
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        wait_until_settled(page)
        expect_in_view(page, height, photo)
        if screenshots:
            page.screenshot(path=screenshots / f"layout-static-{photo}-{width}.png")
