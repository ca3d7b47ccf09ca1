"""The explorer as a file of its own, opened from the disk, with no server and no kernel."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lzu_viz.scenes import far_person
from lzu_viz.widgets import Explorer, to_html

pytestmark = pytest.mark.browser

HASH = "c => c.toDataURL()"


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Page:
    explorer = Explorer(far_person(place=(0.2, 0.4), height=0.3, size=(256, 384)))
    states = {"on her": explorer.state, "uniform": replace(explorer.state, strength=0)}
    path = to_html(explorer, tmp_path / "page.html", states)
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.errors = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
    page.goto(path.as_uri())
    expect(page.locator(".lzu-numbers")).to_contain_text("Overlap with the truth")
    return page


def test_follows_a_drag_and_answers_for_prepared_states(
    page: Page, screenshots: Path | None
) -> None:
    source = page.locator('canvas[data-view="source"]')
    zoomed = page.locator('canvas[data-view="zoomed"]')
    numbers = page.locator(".lzu-numbers")
    before, first = zoomed.evaluate(HASH), numbers.inner_text()
    if screenshots:
        page.screenshot(path=screenshots / "static_page.png")
    box = source.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.7 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    page.mouse.up()
    expect(numbers).to_contain_text("No kernel here")
    assert zoomed.evaluate(HASH) != before
    page.get_by_role("button", name="uniform").click()
    expect(numbers).to_contain_text("Peak magnification: 1.0 times")
    page.get_by_role("button", name="on her").click()
    expect(numbers).to_have_text(first, use_inner_text=True)
    assert zoomed.evaluate(HASH) == before
    assert page.errors == []  # type: ignore[attr-defined]
