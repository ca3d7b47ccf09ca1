"""Tests of "Follow a pixel" in a page and in JupyterLab."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_helpers import (
    Place,
    Scope,
    drag,
    on_screen,
    open_cells,
    view,
    wait_until_drawn,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import ACTION_MS, Lab, LabServer
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer, to_html

pytestmark = pytest.mark.browser

CENTRE = (271 / 180 - 1, 181 / 120 - 1)
"""Centre of the pixel in row 90 and column 135 of a picture of 120 x 180 pixels."""


def panel(page: Scope) -> Locator:
    """Return the part of an explorer that follows a pixel."""
    return page.locator(".lzu-follow")


def click(page: Page, canvas: Locator, place: Place) -> None:
    """Click a place of a canvas, (x, y) in [-1, 1]."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.click(*on_screen(dict(box), place))


def test_a_click_shows_four_pixels_and_their_sum(
    browser: Browser, tmp_path: Path, screenshots: Path | None
) -> None:
    scene = far_person(place=(0.2, 0.4), height=0.3, size=(120, 180))
    path = to_html(Explorer(scene), tmp_path / "page.html")
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        page.goto(path.as_uri())
        wait_until_drawn(page)
        steps = panel(page).locator("li")
        click(page, view(page, "unzoomed"), CENTRE)
        panel(page).locator("summary").click()
        expect(steps.first).to_be_hidden()  # it is shown for clicks from now on
        click(page, view(page, "unzoomed"), CENTRE)
        expect(steps.first).to_contain_text("Unzoomed picture, 120 × 180: row 90, column 135.")
        expect(panel(page).locator("tr")).to_have_count(5)
        weights = [float(text) for text in panel(page).locator("td:nth-child(2)").all_inner_texts()]
        assert sum(weights) == pytest.approx(1, abs=0.03)
        expect(panel(page).locator(".lzu-sums div")).to_have_count(3)
        expect(page.locator('figure:has([data-view="zoomed"]) .lzu-cells i')).to_have_count(4)
        if screenshots:
            page.screenshot(path=screenshots / "follow.png", full_page=True)
        # While the warp changes, the same pixel is followed.
        second = steps.nth(1).inner_text()
        drag(page, view(page, "source"), (0.0, 0.0), (-0.5, -0.3))
        expect(steps.nth(1)).not_to_have_text(second)
        expect(steps.first).to_contain_text("row 90, column 135")


def test_features_of_the_kernel_are_followed(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    open_cells(
        lab,
        lab_server,
        "from lzu_viz.datasets.scenes import far_person\nfrom lzu_viz.widgets import Explorer\n"
        "scene = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))\n"
        'Explorer(scene, views=("source", "zoomed", "features_zoomed", "features_unzoomed"))',
    )
    page = lab.page
    wait_until_settled(page)
    panel(page).locator("summary").click()
    click(page, view(page, "features_unzoomed"), (0.2, 0.4))
    steps = panel(page).locator("li")
    expect(steps.first).to_contain_text("Unzoomed feature map")
    sums = panel(page).locator(".lzu-sums div")
    expect(sums).to_have_text(re.compile(r"channel \d+ of \d+: .* = −?\d+\.\d\d"))
    cells = page.locator('figure:has([data-view="features_zoomed"]) .lzu-cells i')
    expect(cells).to_have_count(4)
    if screenshots:
        page.screenshot(path=screenshots / "follow_features.png")
