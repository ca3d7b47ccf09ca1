"""Tests of the explorer's layout: what is in view together, in windows of all sizes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browser_helpers import VIEWPORT, open_cells, wait_until_drawn, wait_until_settled
from lzu_viz.bench.browser.lab import Lab, LabServer, wait_until
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
WINDOWS = [(1920, 1080), (1400, 900), (1024, 700), (800, 600)]
HIGH = 800
"""Height of windows from which the answers are in view, too."""

# Bounding boxes on the screen: of the part of the page that scrolls, the views and the controls.
BOXES = """root => {
    const box = (element) => {
        const { left, top, right, bottom } = element.getBoundingClientRect();
        return [left, top, right, bottom];
    };
    const scroller = root.closest(".jp-WindowedPanel-outer");
    const view = (name) => box(root.querySelector(`canvas[data-view="${name}"]`));
    return {
        visible: scroller ? box(scroller) : [0, 0, innerWidth, innerHeight],
        source: view("source"), zoomed: view("zoomed"),
        uniform: view("uniform"), unzoomed: view("unzoomed"),
        scores: box(root.querySelector(".lzu-panel:last-child .lzu-score")),
        controls: box(root.querySelector(".lzu-main")),
        head: box(root.querySelector(".lzu-head")),
    };
}"""
Box = list[float]


def is_inside(inner: Box, outer: Box, slack: float = 2) -> bool:
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def overlap(first: Box, second: Box) -> bool:
    return (
        first[0] < second[2] - 1
        and second[0] < first[2] - 1
        and first[1] < second[3] - 1
        and second[1] < first[3] - 1
    )


def problems(found: dict[str, Box], height: int, photo: str) -> list[str]:
    """Return what is not in view together, is too small, or overlaps.

    Source, zoomed picture and main controls are to be in view; in high windows the answers, too.
    """
    views = [found[name] for name in ("source", "zoomed", "uniform", "unzoomed")]
    wanted = ["source", "zoomed", "controls"]
    if height >= HIGH:
        wanted += ["uniform", "unzoomed", "scores", "head"]
    bad = [
        f"{name} is out of view" for name in wanted if not is_inside(found[name], found["visible"])
    ]
    lefts, tops = ({round(view[axis]) for view in views} for axis in (0, 1))
    allowed = {(2, 2), (4, 1)} | ({(1, 4)} if photo == "panorama" else set())
    if (len(lefts), len(tops)) not in allowed:
        bad.append(f"the views are in {len(lefts)} columns and {len(tops)} rows")
    for index, view in enumerate(views):
        if view[2] - view[0] <= 110:
            bad.append(f"view {index} is too narrow")
        if any(overlap(view, other) for other in (found["controls"], *views[:index])):
            bad.append(f"view {index} overlaps with another element")
    return bad


def expect_in_view(page: Page, height: int, photo: str = "landscape") -> None:
    """Wait until the explorer, scrolled to the top, is at rest without any problem."""
    root = page.locator(".lzu").first
    seen: list[dict[str, Box]] = []

    def is_right_and_at_rest() -> bool:
        root.evaluate("root => root.scrollIntoView({ block: 'start' })")
        seen.append(root.evaluate(BOXES))
        is_at_rest = len(seen) > 3 and seen[-1] == seen[-2] == seen[-3]
        return is_at_rest and not problems(seen[-1], height, photo)

    wait_until(is_right_and_at_rest, lambda: f"{problems(seen[-1], height, photo)}: {seen[-1]}")
    wait_until_drawn(page)


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
