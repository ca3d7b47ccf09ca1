"""Tests of gestures in all views, scores, photos that are dropped or pasted, and descriptions."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from browser_helpers import (
    VIEWPORT,
    at_rest,
    control,
    drag,
    expect_near,
    expect_value,
    message,
    on_screen,
    open_cells,
    summary,
    view,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import ACTION_MS, Lab, LabServer
from lzu_viz.datasets.scenes import Scene, far_person
from lzu_viz.widgets import Explorer, to_html

pytestmark = pytest.mark.browser

PERSON = (0.2, 0.4)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return far_person(place=PERSON, height=0.3, size=(256, 384))


@pytest.fixture(scope="module")
def explorer(scene: Scene) -> Explorer:
    return Explorer(scene)


@pytest.fixture
def page(browser: Browser, explorer: Explorer, tmp_path: Path) -> Iterator[Page]:
    """Yield the explorer in a page without a kernel, on a screen that can be touched."""
    path = to_html(explorer, tmp_path / "page.html")
    with browser.new_context(viewport=VIEWPORT, has_touch=True) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(path.as_uri())
        wait_until_settled(page)
        yield page
        assert errors == []


@pytest.mark.parametrize("name", ["uniform", "unzoomed"])
def test_fovea_is_dragged_in_the_answers(page: Page, name: str) -> None:
    drag(page, view(page, name), PERSON, (-0.4, -0.2))
    expect_near(page, fovea_x=-0.4, fovea_y=-0.2)


def test_drag_in_the_zoomed_picture_goes_through_the_warp(page: Page, explorer: Explorer) -> None:
    warp, end = explorer.result.warp, (-0.6, -0.5)
    ((start,),) = warp.to_zoomed(torch.tensor([[PERSON]])).tolist()
    (((x, y),),) = warp.to_source(torch.tensor([[end]])).tolist()
    canvas = view(page, "zoomed")
    box = at_rest(canvas)
    # The zoomed frame is a square in the middle of the canvas.
    shrink = box["height"] / box["width"]
    drag(page, canvas, (start[0] * shrink, start[1]), (end[0] * shrink, end[1]))
    expect_near(page, slack=0.04, fovea_x=x, fovea_y=y)


def test_double_click_and_wheel_work_in_every_view(page: Page) -> None:
    box = at_rest(view(page, "unzoomed"))
    page.mouse.dblclick(*on_screen(box, (-0.5, -0.5)))
    expect_near(page, fovea_x=-0.5, fovea_y=-0.5)
    page.mouse.wheel(0, -100)
    expect_value(page, fovea_width="7")
    page.mouse.dblclick(*on_screen(box, (-0.5, -0.5)))
    expect_near(page, fovea_x=PERSON[0], fovea_y=PERSON[1])


def test_double_tap_adds_and_removes_a_fovea(page: Page) -> None:
    box = at_rest(view(page, "source"))
    place = on_screen(box, (-0.5, -0.5))
    remove = page.get_by_role("button", name="Remove")
    expect(remove).to_be_disabled()
    page.touchscreen.tap(*place)
    page.touchscreen.tap(*place)
    expect(remove).to_be_enabled()
    expect_near(page, fovea_x=-0.5, fovea_y=-0.5)
    page.wait_for_timeout(400)  # a third tap is not a part of the second pair
    page.touchscreen.tap(*place)
    page.touchscreen.tap(*place)
    expect(remove).to_be_disabled()


def score(page: Page, name: str) -> Locator:
    return page.locator(".lzu-panel", has=view(page, name)).locator(".lzu-score")


def test_scores_are_large_and_stay_where_they_are_known(page: Page, explorer: Explorer) -> None:
    result = explorer.result
    assert result.uniform.iou is not None
    assert result.zoom.iou is not None
    uniform, zoom = score(page, "uniform"), score(page, "unzoomed")
    expect(uniform.locator("strong")).to_have_text(f"{result.uniform.iou:.2f}")
    expect(zoom.locator("strong")).to_have_text(f"{result.zoom.iou:.2f}")
    sizes = zoom.locator("strong").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert sizes >= 20
    width = zoom.locator(".lzu-meter").evaluate("e => e.firstChild.offsetWidth / e.offsetWidth")
    assert abs(width - result.zoom.iou) < 0.02
    expect(summary(page)).to_contain_text(
        f"IoU {result.uniform.iou:.2f} → {result.zoom.iou:.2f}, with the same 256 × 256 pixels"
    )
    drag(page, view(page, "source"), PERSON, (-0.4, -0.2))
    # What is not zoomed does not depend on the fovea; the other prediction is not known.
    expect(zoom.locator("strong")).to_have_text("–")
    expect(uniform.locator("strong")).to_have_text(f"{result.uniform.iou:.2f}")


def test_close_ups_hide_nothing(page: Page) -> None:
    for name in ("uniform", "unzoomed"):
        picture = at_rest(view(page, name))
        close_up = score(page, name).locator("canvas").bounding_box()
        assert close_up is not None
        assert close_up["y"] >= picture["y"] + picture["height"]
        assert close_up["width"] > 40


def test_views_are_described_with_foveas_and_scores(page: Page, explorer: Explorer) -> None:
    iou = explorer.result.zoom.iou
    source, answer = view(page, "source"), view(page, "unzoomed")
    expect(source).to_have_attribute("aria-label", re.compile(r"Foveas at 0\.20, 0\.40"))
    expect(source).to_have_attribute("role", "application")
    expect(answer).to_have_attribute("aria-label", re.compile(f"{iou:.2f} IoU"))
    source.press("Shift+ArrowLeft")
    expect(source).to_have_attribute("aria-label", re.compile(r"Foveas at 0\.10, 0\.40"))
    # The only part that is read out by itself, besides errors, is the sentence.
    live = page.locator(".lzu [role=status], .lzu [aria-live], .lzu output")
    expect(live).to_have_count(1)


def test_playback_is_stepwise_where_motion_is_reduced(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.evaluate(
        "() => { window.morphs = new Set();"
        " const slider = document.querySelector('[data-name=morph] input');"
        " setInterval(() => morphs.add(slider.value), 5) }"
    )
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => morphs.size > 1")
    page.get_by_role("button", name="Stop").click()
    expect(control(page, "morph")).to_have_value("1")
    assert set(page.evaluate("() => [...morphs]")) == {"0", "1"}


# --- photos, which need a kernel --------------------------------------------------------------

CELL = """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer
explorer = Explorer(far_person(place=(0.2, 0.4), height=0.3, size=(256, 384)))
explorer"""
# Dispatches an event with a file on the explorer.
SEND_FILE = """([kind, text, type]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "mine.png", { type }));
    const options = { bubbles: true, cancelable: true };
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { ...options, clipboardData: data })
        : new DragEvent(kind, { ...options, dataTransfer: data });
    const target = document.querySelector('canvas[data-view="source"]');
    return !target.dispatchEvent(event);
}"""


def png(size: tuple[int, int]) -> str:
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_photo_is_dropped_or_pasted_and_the_scene_comes_back(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    open_cells(lab, lab_server, CELL)
    page = lab.page
    back, source = page.get_by_role("button", name="Back"), view(page, "source")
    first = lab.picture_hash(source)
    drag(page, source, PERSON, (-0.4, -0.2))
    wait_until_settled(page)
    expect(back).to_be_hidden()
    expect(page.locator(".lzu-key")).to_contain_text("the ground truth")
    assert page.evaluate(SEND_FILE, ["dragover", png((300, 200)), "image/png"])
    expect(page.locator(".lzu-drop")).to_have_count(1)
    assert page.evaluate(SEND_FILE, ["drop", png((300, 200)), "image/png"])
    expect(page.locator(".lzu-drop")).to_have_count(0)
    expect(back).to_be_visible()
    # A new photo has the fovea in its middle, and no ground truth.
    expect_near(page, fovea_x=0, fovea_y=0)
    wait_until_settled(page)
    expect(page.locator(".lzu-key")).not_to_contain_text("the ground truth")
    expect(page.locator(".lzu-close-up:visible")).to_have_count(0)
    if screenshots:
        lab.screenshot(screenshots / "photo.png")
    # An error goes away with the next good photo.
    text = base64.b64encode(b"no picture").decode()
    assert page.evaluate(SEND_FILE, ["paste", text, "image/png"])
    expect(message(page)).to_contain_text("mine.png cannot be shown")
    assert page.evaluate(SEND_FILE, ["paste", png((200, 300)), "image/png"])
    expect(message(page)).to_have_text("")
    wait_until_settled(page)
    back.click()
    expect(back).to_be_hidden()
    expect_near(page, fovea_x=PERSON[0], fovea_y=PERSON[1])
    wait_until_settled(page)
    expect(summary(page)).to_contain_text("IoU")
    lab.wait_for_hash(source, first)
    assert lab.errors == []
