"""Tests of the explorer as a self-contained file, without a server or a kernel."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_helpers import (
    control,
    drag,
    expect_near,
    message,
    numbers,
    summary,
    view,
    wait_until_drawn,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import ACTION_MS
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import VIEWS, Explorer, State, to_html

pytestmark = pytest.mark.browser

HASH = "c => c.toDataURL()"
SCENE = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))


@contextmanager
def opened(
    browser: Browser, path: Path, scale: float = 1, init: str = "", **states: State
) -> Iterator[Page]:
    """Yield a page with all views, on a screen of `scale` pixels per CSS pixel; expect no error."""
    to_html(Explorer(SCENE, views=tuple(VIEWS)), path, states)
    size = {"width": 1000, "height": 900}
    with browser.new_context(viewport=size, device_scale_factor=scale) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(init)
        page.goto(path.as_uri())
        yield page
        assert errors == []


def test_drag_changes_views_and_prepared_states_show_results(
    browser: Browser, tmp_path: Path, screenshots: Path | None
) -> None:
    start = Explorer(SCENE).state
    states = {
        "person": start,
        "uniform": replace(start, strength=0),
        "edges": replace(start, saliency_kind="edges", fwhm=10, pieces=64),
        "detector": replace(start, network="detector", input_size=320),
    }
    with opened(browser, tmp_path / "page.html", **states) as page:
        source, zoomed = view(page, "source"), view(page, "zoomed")
        expect(numbers(page)).to_contain_text("IoU with the ground truth")
        wait_until_settled(page)
        before, first = zoomed.evaluate(HASH), numbers(page).text_content()
        if screenshots:
            page.screenshot(path=screenshots / "static_page.png", full_page=True)
        drag(page, source, (0.2, 0.4), (-0.4, -0.4))
        expect(summary(page)).to_contain_text("No kernel here")
        expect_near(page, fovea_x=-0.4, fovea_y=-0.4)
        expect_other_picture(zoomed, before)
        page.get_by_role("button", name="uniform").click()
        expect(numbers(page)).to_contain_text("Peak magnification: 1.0 times")
        wait_until_settled(page)
        still = zoomed.evaluate(HASH)
        # The prepared result holds the kernel's saliency; the page applies the strength itself.
        page.get_by_role("button", name="edges").click()
        expect_other_picture(zoomed, before, still)
        wait_until_settled(page)
        expect(numbers(page)).to_contain_text("IoU with the ground truth")
        edges = zoomed.evaluate(HASH)
        control(page, "strength").press("ArrowRight")
        expect(summary(page)).to_contain_text("No kernel here")
        expect_other_picture(zoomed, edges, still)
        page.get_by_role("button", name="detector").click()
        expect(numbers(page)).to_contain_text("320 x 320")
        page.get_by_role("button", name="person").click()
        expect(numbers(page)).to_have_text(first or "")
        wait_until_drawn(page)
        assert zoomed.evaluate(HASH) == before
        expect(page.get_by_role("button", name="Photo")).to_have_count(1)


def expect_other_picture(picture: Locator, *others: str) -> None:
    """Wait until the last change is drawn, and expect a picture other than these."""
    wait_until_drawn(picture.page)
    assert picture.evaluate(HASH) not in others


def test_fold_is_marked_until_it_is_undone(browser: Browser, tmp_path: Path) -> None:
    start = replace(Explorer(SCENE).state, separable=False, drag_target="nodes", pieces=8)
    with opened(browser, tmp_path / "page.html", nodes=start) as page:
        expect(control(page, "node row")).to_have_value("4")
        control(page, "node shift x").press("End")
        expect(message(page)).to_contain_text("Folded or flat")
        expect(page.locator(".lzu-folded")).to_have_count(len(VIEWS))
        page.get_by_role("button", name="Undo").click()
        expect(message(page)).to_have_text("")
        expect(page.locator(".lzu-folded")).to_have_count(0)


def test_high_density_screen_is_drawn_sharply_after_a_drag(
    browser: Browser, tmp_path: Path
) -> None:
    start = Explorer(SCENE).state
    with opened(browser, tmp_path / "page.html", scale=2, start=start) as page:
        page.wait_for_function(FINE)
        page.evaluate(NOTE_SIZES)
        drag(page, view(page, "source"), (0.2, 0.4), (-0.2, 0.0))
        page.wait_for_function(FINE)
        page.wait_for_function("() => sizes.at(-1)[0] === 2")
        sizes = page.evaluate("() => sizes")
        assert sizes[0][0] == 1  # during the drag
        heights = [height for _, height in sizes]
        assert max(heights) - min(heights) <= 1


# Whether the first canvas has two pixels per pixel of the page.
FINE = "() => (c => c.width === 2 * c.clientWidth)(document.querySelector('canvas'))"
# Record each size of the first canvas: its pixels per pixel of the page, and its height there.
NOTE_SIZES = """() => {
    const canvas = document.querySelector("canvas");
    window.sizes = [];
    new MutationObserver(() => {
        const ratio = canvas.width / canvas.clientWidth;
        if (sizes.at(-1)?.[0] !== ratio) sizes.push([ratio, canvas.clientHeight]);
    }).observe(canvas, { attributeFilter: ["width", "height"] });
}"""


def test_old_browser_shows_a_message(browser: Browser, tmp_path: Path) -> None:
    init = "delete globalThis.OffscreenCanvas"
    with opened(browser, tmp_path / "page.html", init=init, start=State()) as page:
        expect(page.get_by_text("needs a newer browser")).to_be_visible()
