"""Tests of the explorer in JupyterLab, by mouse, touch, wheel and keyboard."""

import base64
import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Locator, Page, expect

from browser_helpers import (
    SHARED_NOTEBOOK,
    STALE,
    VIEWPORT,
    Place,
    all_errors,
    at_rest,
    changing,
    control,
    drag,
    dragging,
    expect_contrast,
    expect_near,
    expect_value,
    message,
    numbers,
    on_screen,
    open_cells,
    run_cells,
    view,
    wait_until,
    wait_until_answered,
    wait_until_drawn,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import Lab, LabServer
from lzu_viz.widgets.views import VIEWS

pytestmark = pytest.mark.browser

SCENE = """\
from dataclasses import replace
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import *
from lzu_viz.widgets.views import VIEWS
scene = far_person(place=(0.2, 0.4), height=0.3, size=(427, 640))
explorer = Explorer(scene)
"""
PERSON: Place = (0.2, 0.4)
COLOURS = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""
REDNESS = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let red = 0;
    for (let k = 0; k < data.length; k += 4) {
        red += data[k] > 150 && data[k + 1] < 140 && data[k + 2] < 100;
    }
    return red / (width * height);
}"""


@pytest.fixture(scope="module")
def explorer_page(browser: Browser, lab_server: LabServer) -> Iterator[Lab]:
    """Yield a page with one explorer."""
    with browser.new_context(viewport=VIEWPORT) as context:
        lab = Lab(context.new_page(), lab_server)
        open_cells(lab, lab_server, SCENE + "explorer", name=SHARED_NOTEBOOK)
        yield lab
    lab_server.shut_down_kernels()


@pytest.fixture
def shown(explorer_page: Lab) -> Lab:
    """Return the page with one explorer, which is new: its cell is run again.

    Starting JupyterLab and a kernel for each test would take much longer than the tests.
    """
    page = explorer_page.page
    explorer_page.errors.clear()
    page.mouse.up()
    page.set_viewport_size(VIEWPORT)
    run_cells(explorer_page)
    return explorer_page


def take_screenshot(lab: Lab, screenshots: Path | None, name: str) -> None:
    if screenshots:
        lab.screenshot(screenshots / f"explorer-{name}.png")


# --- gestures ----------------------------------------------------------------------------------


def test_foveas_are_dragged_added_widened_removed(shown: Lab) -> None:
    page = shown.page
    source, zoomed = view(page, "source"), view(page, "zoomed")
    with changing(shown, zoomed) as before:
        drag(page, source, PERSON, (-0.4, 0.0))
    expect_near(page, fovea_x=-0.4, fovea_y=0)
    box = at_rest(source)
    page.mouse.dblclick(*on_screen(box, (0.6, -0.6)))
    expect_near(page, fovea_x=0.6, fovea_y=-0.6)
    page.mouse.wheel(0, -100)
    expect_value(page, fovea_width="7")
    page.mouse.dblclick(*on_screen(box, (0.6, -0.6)))
    expect_near(page, fovea_x=-0.4)
    for _ in range(4):
        source.press("Control+z")
    expect_value(page, fovea_x="0.2", fovea_y="0.4", fovea_width="6")
    wait_until_settled(page)
    shown.wait_for_hash(zoomed, before)
    assert all_errors(shown) == []


def test_boxes_are_dragged_resized_drawn_removed(shown: Lab, screenshots: Path | None) -> None:
    page = shown.page
    source, zoomed = view(page, "source"), view(page, "zoomed")
    control(page, "saliency from").select_option("boxes")
    expect_value(page, box_x="0.2", box_y="0.4")
    width = float(control(page, "box width").input_value())
    with changing(shown, zoomed):
        drag(page, source, PERSON, (0.0, 0.0))  # dragging its interior moves it
    expect_near(page, box_x=0, box_y=0)
    edge = width / 100
    drag(page, source, (edge, 0.0), (edge + 0.4, 0.0))  # dragging its right edge resizes it
    expect_near(page, 1.5, box_width=width + 20)
    expect_near(page, box_x=0.2)
    drag(page, source, (-0.9, -0.9), (-0.5, -0.3))  # dragging elsewhere draws a new one
    expect_near(page, box_x=-0.7, box_y=-0.6)
    expect_near(page, 1, box_width=20, box_height=30)
    take_screenshot(shown, screenshots, "boxes")
    source.press("Delete")
    expect_near(page, box_x=0.2)
    wait_until_settled(page)
    assert all_errors(shown) == []


def test_folded_grid_is_marked_red_in_every_view(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    start = "replace(explorer.state, drag_target='nodes', separable=False, pieces=8)"
    open_cells(lab, lab_server, SCENE + f"Explorer(scene, {start}, views=tuple(VIEWS))")
    page = lab.page
    source = view(page, "source")
    redness_before = {name: view(page, name).evaluate(REDNESS) for name in VIEWS}
    # Drag the node in the middle of the grid beyond its neighbours.
    source.focus()
    expect_value(page, node_row="4")
    node = [float(coordinate) for coordinate in page.evaluate(NODE_PLACE)]
    with dragging(page, source, (node[0], node[1]), (node[0] + 0.5, node[1] + 0.3)):
        expect(message(page)).to_contain_text(re.compile(r"Folded or flat in \d+ pieces? \(red\)"))
        wait_until_drawn(page)
        for name in VIEWS:
            assert view(page, name).evaluate(REDNESS) > redness_before[name] + 0.002, name
        expect(page.locator(".lzu-folded")).to_have_count(len(VIEWS))
        wait_until_answered(page)  # the kernel has rejected it, and its last result stays
        text = numbers(page).text_content()
        assert "IoU" in text
        take_screenshot(lab, screenshots, "folded")
    wait_until_answered(page)
    assert numbers(page).text_content() == text
    expect(numbers(page)).to_have_class(STALE)
    page.get_by_role("button", name="Undo").click()
    expect(message(page)).to_have_text("")
    expect(page.locator(".lzu-folded")).to_have_count(0)
    wait_until_settled(page)
    source.focus()
    source.press("ArrowRight")
    expect_value(page, node_shift_x="0.01")
    source.press("n")
    expect_value(page, node_column="5", node_shift_x="0")
    control(page, "node shift y").press("ArrowRight")
    wait_until_settled(page)
    source.focus()
    source.press("Delete")
    expect_value(page, node_shift_y="0")
    control(page, "separable").check()
    expect(control(page, "node row")).to_be_hidden()
    wait_until_settled(page)
    assert lab.errors == []


# The centre of the selected node, the only large orange dot on the source.
NODE_PLACE = """() => {
    const canvas = document.querySelector('.lzu canvas[data-view="source"]');
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let [x, y, count] = [0, 0, 0];
    for (let k = 0; k < width * height; k++) {
        if (data[4 * k] !== 230 || data[4 * k + 1] !== 159 || data[4 * k + 2] !== 0) continue;
        x += (k % width) + 0.5; y += Math.floor(k / width) + 0.5; count += 1;
    }
    return [2 * x / count / width - 1, 2 * y / count / height - 1];
}"""


def test_explorer_by_keyboard(shown: Lab) -> None:
    page = shown.page
    source = view(page, "source")
    source.focus()
    source.press("Shift+ArrowLeft")
    source.press("ArrowUp")
    expect_value(page, fovea_x="0.1", fovea_y="0.39")
    for key in ("+", "+", "-"):
        source.press(key)
    expect_value(page, fovea_width="7")
    source.press("Insert")
    expect_value(page, fovea_x="0")
    source.press("n")
    expect_value(page, fovea_x="0.1")
    source.press("Delete")
    expect_value(page, fovea_x="0")
    # From the picture, Tab leads through every control that is shown, and on to the help.
    names = ["button", "button"]  # Play, Undo
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => { const e = document.activeElement;"
            " return e.closest('.lzu') ? e.closest('[data-name]')?.dataset.name ?? e.localName"
            " : '' }"
        )
        seen.append(focused)
        if focused == "summary":
            break
    shown_names = page.evaluate(
        "() => [...document.querySelectorAll('.lzu-control')]"
        ".filter(e => !e.hidden).map(e => e.dataset.name)"
    )
    assert [name for name in seen if name not in ("button", "summary")] == shown_names
    assert seen[:2] == names
    assert seen[-1] == "summary"
    page.keyboard.press("Enter")
    expect(numbers(page)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".lzu-help dl")).to_be_visible()
    control(page, "strength").press("ArrowLeft")
    expect_value(page, strength="74")
    page.keyboard.press("Control+z")
    expect_value(page, strength="75")
    wait_until_settled(page)
    assert all_errors(shown) == []


def test_every_control_changes_the_views(shown: Lab) -> None:
    page = shown.page
    zoomed, unzoomed = view(page, "zoomed"), view(page, "unzoomed")
    for label, key in (
        ("strength", "Home"),
        ("strength", "End"),
        ("map columns", "Home"),
        ("attraction", "End"),
        ("pieces per axis", "Home"),
        ("input side", "Home"),
        ("morph", "ArrowLeft"),
    ):
        with changing(shown, zoomed):
            control(page, label).press(key)
    with changing(shown, zoomed):
        drag(page, control(page, "fovea width"), (-0.7, 0.0), (0.9, 0.0))  # by its handle
        expect_near(page, 3, fovea_width=28)
    for label in ("separable", "anti-crop", "antialias"):
        with changing(shown, zoomed):
            control(page, label).click()
    for kind in ("boxes", "boxes in pixels", "edges", "network"):
        with changing(shown, zoomed):
            control(page, "saliency from").select_option(kind)
        wait_until_settled(page)
    with changing(shown, unzoomed):
        control(page, "network").select_option("detector")
    wait_until_settled(page)
    for label in ("mask from", "fovea x", "box x"):
        expect(control(page, label)).to_be_hidden()
    for label in ("boxes from", "feature stride", "spread"):
        expect(control(page, label)).to_be_visible()
    control(page, "network").select_option("none")
    wait_until_settled(page)
    with changing(shown, zoomed):
        page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Stop").click()
    expect_value(page, morph="1")
    wait_until_settled(page)
    assert all_errors(shown) == []


def test_explorer_by_touch(browser: Browser, lab_server: LabServer) -> None:
    """Check that one finger drags a fovea, two resize it, and elsewhere the page scrolls."""
    size = {"width": 1000, "height": 800}
    with browser.new_context(viewport=size, has_touch=True) as context:
        lab = Lab(context.new_page(), lab_server)
        open_cells(lab, lab_server, SCENE + "explorer")
        page = lab.page
        source = view(page, "source")
        box = at_rest(source)
        fingers = context.new_cdp_session(page)
        touch(fingers, [[on_screen(box, PERSON)], [on_screen(box, (0.0, 0.2))]])
        expect_near(page, fovea_x=0, fovea_y=0.2)
        x, y = on_screen(box, (0.0, 0.2))
        touch(fingers, [[(x - 20, y), (x + 20, y)], [(x - 60, y), (x + 60, y)]])
        expect_near(page, 1, fovea_width=18)
        source.press("Control+z")
        expect_value(page, fovea_width="6")
        before = at_rest(source)["y"]
        x, y = on_screen(box, (-0.8, 0.6))
        touch(fingers, [[(x, y - 40 * step)] for step in range(5)])
        wait_until(lambda: top_of(source) < before - 60, "the page did not scroll")
        expect_near(page, fovea_x=0, fovea_y=0.2)
        wait_until_settled(page)
        assert all_errors(lab) == []
    lab_server.shut_down_kernels(keep=[SHARED_NOTEBOOK])


def touch(fingers: CDPSession, steps: list[list[Place]]) -> None:
    """Put fingers down, move them from step to step, and lift them."""
    for index, step in enumerate(steps):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(step)]
        kind = "touchMove" if index else "touchStart"
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def top_of(canvas: Locator) -> float:
    """Return the upper edge of a canvas, in pixels of the page."""
    box = canvas.bounding_box()
    assert box is not None
    return float(box["y"])


def test_wheel_outside_of_foveas_scrolls_the_page(shown: Lab) -> None:
    page = shown.page
    source = view(page, "source")
    box = at_rest(source)
    page.mouse.move(*on_screen(box, (-0.8, -0.8)))
    page.mouse.wheel(0, 120)
    wait_until(lambda: top_of(source) < box["y"] - 20, "the page did not scroll")
    expect_value(page, fovea_width="6")


# --- appearance --------------------------------------------------------------------------------


def test_views_are_not_blank_and_their_marks_are_linked(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    state = "replace(explorer.state, network='detector', input_size=320)"
    open_cells(lab, lab_server, SCENE + f"Explorer(scene, {state}, views=tuple(VIEWS))")
    page = lab.page
    for name in VIEWS:
        assert view(page, name).evaluate(COLOURS) > 50, name
    marks = page.locator(".lzu-mark")
    expect(marks).to_have_count(len(VIEWS))
    # Pointing at a place in the source marks the same place in every view and frame.
    box = at_rest(view(page, "source"))
    page.mouse.move(*on_screen(box, PERSON))
    expect_mark(page, "source", PERSON)
    places = {name: mark_of(page, name) for name in VIEWS}
    assert places["saliency"] == pytest.approx(places["source"], abs=0.02)
    assert places["approximation"] == pytest.approx(places["zoomed"], abs=0.02)
    assert abs(places["zoomed"][0] - places["source"][0]) > 0.02
    expect(page.locator(".lzu-read", has_text="here")).to_have_count(6)
    take_screenshot(lab, screenshots, "views")
    zoomed = at_rest(view(page, "zoomed"))
    page.mouse.move(*on_screen(zoomed, places["zoomed"]))
    expect_mark(page, "source", PERSON)
    assert all_errors(lab) == []


def expect_mark(page: Page, name: str, place: Place) -> None:
    """Expect the mark at a place of a view, up to a pixel or two."""
    wait_until(
        lambda: mark_of(page, name) == pytest.approx(place, abs=0.02),
        lambda: f"the mark is at {mark_of(page, name)}, not at {place}",
    )


def mark_of(page: Page, name: str) -> Place:
    """Return the position of the mark in a view, in [-1, 1] of its canvas."""
    panel = page.locator(".lzu-frame", has=view_in_frame(page, name))
    expect(panel.locator(".lzu-mark")).to_be_visible()
    mark, canvas = panel.locator(".lzu-mark").bounding_box(), panel.locator("canvas").bounding_box()
    assert mark is not None
    assert canvas is not None
    x = mark["x"] + mark["width"] / 2 - canvas["x"]
    y = mark["y"] + mark["height"] / 2 - canvas["y"]
    return 2 * x / canvas["width"] - 1, 2 * y / canvas["height"] - 1


def view_in_frame(page: Page, name: str) -> Locator:
    return page.locator(f'canvas[data-view="{name}"]')


FRAMES = 10
"""Number of frames of the screencast that the test must exceed."""


def test_drag_has_no_blank_frames_or_layout_shifts(shown: Lab) -> None:
    """Check a screencast for blank frames and the page for layout shifts during a drag."""
    page = shown.page
    source = view(page, "source")
    box = at_rest(source)
    panels = [view(page, name).bounding_box() for name in ("source", "zoomed", "unzoomed")]
    page.evaluate(
        "() => { window.shifts = []; new PerformanceObserver(list => shifts.push("
        "...list.getEntries().map(e => e.value))).observe({ type: 'layout-shift' }) }"
    )
    frames: list[str] = []
    cast = page.context.new_cdp_session(page)

    def keep(frame: dict[str, Any]) -> None:
        frames.append(frame["data"])
        cast.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    cast.on("Page.screencastFrame", keep)
    cast.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
    page.mouse.move(*on_screen(box, PERSON))
    page.mouse.down()
    # A slow machine records fewer frames per second: drag to and fro until there are enough.
    for step in range(3000):
        far = abs((step + 60) % 120 - 60)
        page.mouse.move(*on_screen(box, (0.2 - 0.01 * far, 0.4 - 0.008 * far)))
        page.wait_for_timeout(15)
        if step >= 60 and len(frames) > FRAMES:
            break
    page.mouse.up()
    wait_until_settled(page)
    cast.send("Page.stopScreencast")
    # A jump of the views by one line of text is six times as large, and changes of
    # JupyterLab's own status texts are ten times smaller.
    assert max(page.evaluate("() => shifts"), default=0) < 1e-3
    assert len(frames) > FRAMES
    for frame in frames:
        for panel in panels:
            assert panel is not None
            assert contrast_of(frame, panel) > 15
    assert all_errors(shown) == []


def contrast_of(frame: str, box: Any) -> float:
    """Return the standard deviation of the grey levels of a part of a screenshot; 0 if blank."""
    picture = Image.open(io.BytesIO(base64.b64decode(frame))).convert("L")
    left, top = box["x"], box["y"]
    part = picture.crop((left, top, left + box["width"], min(top + box["height"], 1000)))
    return float(np.asarray(part).std())


def test_nothing_is_cropped_in_a_narrow_window(shown: Lab, screenshots: Path | None) -> None:
    page = shown.page
    explorer, source = page.locator(".lzu"), view(page, "source")
    for width in (1250, 1000, 760):
        before = explorer.evaluate(WIDTHS)
        page.set_viewport_size({"width": width, "height": 900})
        # JupyterLab lays out its panels some time after the window was resized.
        wait_until(
            lambda before=before: explorer.evaluate(WIDTHS)[2] < before[2],
            "the notebook did not become narrower",
        )
        at_rest(source)
        wait_until(
            lambda: (widths := explorer.evaluate(WIDTHS)) == sorted(widths),
            lambda: f"cropped: {explorer.evaluate(WIDTHS)}",
        )
        wait_until(lambda: page.evaluate(CUT) == [], lambda: f"cropped: {page.evaluate(CUT)}")
        take_screenshot(shown, screenshots, f"narrow-{width}")
    drag(page, source, PERSON, (0.0, 0.0))
    expect_near(page, fovea_x=0, fovea_y=0)


# The width of the explorer's content, of the explorer, and of the cell's output.
WIDTHS = """e => [
    e.scrollWidth, e.clientWidth, e.closest('.jp-OutputArea-output').clientWidth,
]"""
# The texts that do not fit in their elements.
CUT = """() => [...document.querySelectorAll('.lzu-label, .lzu-value, .lzu button')]
    .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
    .map(e => e.textContent)"""


TEXTS = (
    ".lzu-label, .lzu-value, .lzu legend, .lzu button:enabled, .lzu figcaption,"
    " .lzu-numbers div, .lzu-summary, .lzu-message, .lzu summary, .lzu dt, .lzu dd,"
    " .lzu-score strong, .lzu-score span,"
    " .lzu select, .lzu-read"
)
"""Elements with text."""


def test_contrast_of_text_in_light_and_dark_theme(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    """Check that all text has a contrast of at least 4.5 to 1 (WCAG)."""
    open_cells(lab, lab_server, SCENE + "explorer")
    page = lab.page
    page.locator(".lzu-help summary").click()
    page.get_by_text("All numbers").click()
    at_rest(view(page, "source"))
    expect_contrast(page.locator("body"), TEXTS)
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    entries = page.locator(".lm-Menu-itemLabel")
    entries.get_by_text("Theme", exact=True).hover()
    entries.get_by_text("JupyterLab Dark", exact=True).click()
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    at_rest(view(page, "source"))
    take_screenshot(lab, screenshots, "dark")
    expect_contrast(page.locator("body"), TEXTS)
    drag(page, view(page, "source"), PERSON, (0.0, 0.0))
    expect_near(page, fovea_x=0, fovea_y=0)


# --- several explorers, and a kernel that is restarted -----------------------------------------


def test_two_views_of_one_explorer(lab: Lab, lab_server: LabServer) -> None:
    open_cells(lab, lab_server, SCENE + "explorer", "explorer")
    page = lab.page
    first, second = page.locator(".lzu").all()
    with changing(lab, view(second, "zoomed")) as before:
        drag(page, view(first, "source"), PERSON, (0.0, 0.0))
        for explorer in (first, second):
            expect_near(explorer, fovea_x=0, fovea_y=0)
    second.get_by_role("button", name="Undo").click()
    for explorer in (first, second):
        expect_value(explorer, fovea_x="0.2", fovea_y="0.4")
    wait_until_settled(page)
    lab.wait_for_hash(view(second, "zoomed"), before)
    assert all_errors(lab) == []


def test_state_is_synchronised_between_python_and_page(lab: Lab, lab_server: LabServer) -> None:
    """Check that a cell reads the dragged state, and that setting the state moves the controls."""
    print_state = "print(explorer.state.foveas, explorer.result.state == explorer.state)"
    set_state = "explorer.state = replace(explorer.state, strength=20)"
    open_cells(lab, lab_server, SCENE + "explorer", print_state, set_state)
    page = lab.page
    expect_value(page, strength="20")
    drag(page, view(page, "source"), PERSON, (-0.5, 0.5))
    wait_until_settled(page)
    run_cell(lab, 1)
    expect(lab.cells.nth(1)).to_contain_text(
        re.compile(r"x=-0.[45]\d?, y=0.[45]\d?, width=6\),\) True")
    )
    control(page, "strength").press("Home")
    wait_until_settled(page)
    run_cell(lab, 2)
    expect_value(page, strength="20")
    expect_near(page, fovea_x=-0.5)
    assert all_errors(lab) == []


def run_cell(lab: Lab, index: int) -> None:
    """Run one cell again, and wait until its execution count has changed."""
    prompt = lab.cells.nth(index).locator(".jp-InputPrompt")
    before = prompt.inner_text()
    lab.cells.nth(index).locator(".cm-content").click()
    lab.page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before, use_inner_text=True)
    lab.wait_idle()


def test_six_explorers_on_one_page(lab: Lab, lab_server: LabServer) -> None:
    cell = SCENE + "from IPython.display import display\n"
    cell += "explorers = [Explorer(scene, State(strength=s)) for s in (0, 20, 40, 60, 80, 98)]\n"
    cell += "for explorer in explorers: display(explorer)"
    open_cells(lab, lab_server, cell)
    page = lab.page
    explorers = page.locator(".lzu")
    expect(explorers).to_have_count(6)
    pictures = set()
    for explorer in explorers.all():
        zoomed = view(explorer, "zoomed")
        at_rest(zoomed)
        assert zoomed.evaluate(COLOURS) > 500
        pictures.add(lab.picture_hash(zoomed))
    assert len(pictures) == 6
    last = explorers.nth(5)
    drag(page, view(last, "source"), (0.0, 0.0), (0.5, 0.5))
    expect_near(last, fovea_x=0.5, fovea_y=0.5)
    expect_value(explorers.nth(4), fovea_x="0", fovea_y="0")
    wait_until_settled(page)
    assert all_errors(lab) == []


def test_drag_continues_after_a_kernel_restart(lab: Lab, lab_server: LabServer) -> None:
    """Check that the picture still follows the pointer; only the kernel's results are missing."""
    open_cells(lab, lab_server, SCENE + "explorer")
    page = lab.page
    source, zoomed = view(page, "source"), view(page, "zoomed")
    with dragging(page, source, PERSON, (0.0, 0.2)):
        lab_server.restart_kernel("explorer.ipynb")
        box = at_rest(source)
        with changing(lab, zoomed):
            page.mouse.move(*on_screen(box, (-0.5, 0.0)), steps=8)
    expect_near(page, fovea_x=-0.5, fovea_y=0)
    with changing(lab, zoomed):
        drag(page, source, (-0.5, 0.0), (0.5, 0.5))
    expect_near(page, fovea_x=0.5, fovea_y=0.5)
    expect(numbers(page)).to_have_class(STALE)
    expect(message(page)).to_contain_text("run this cell again")
    lab.run_all()  # a new run restores the explorer
    wait_until_settled(page)
    expect_value(page, fovea_x="0.2", fovea_y="0.4")
    expect(message(page)).to_have_text("")


def test_progress_bar_while_kernel_is_busy(lab: Lab, lab_server: LabServer) -> None:
    """Check that a progress bar is shown while a result takes more than a second."""
    # The first run ends at once, the second when the test creates a file.
    stop = lab_server.root / "stop"
    stop.touch()
    wait = "import pathlib, time\nwhile not pathlib.Path('stop').exists(): time.sleep(0.1)"
    open_cells(lab, lab_server, SCENE + "explorer", wait)
    page = lab.page
    stop.unlink()
    progress = page.get_by_role("progressbar", name="The prediction is being computed")
    expect(progress).to_be_hidden()
    lab.cells.nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    drag(page, view(page, "source"), PERSON, (0.0, 0.0))
    expect(progress).to_be_visible()
    stop.touch()
    wait_until_settled(page)
    expect(progress).to_be_hidden()
    assert all_errors(lab) == []


# --- photos of the user ----------------------------------------------------------------


def png_head(width: int, height: int) -> bytes:
    """Return a PNG whose header declares this size, with too little data for it."""
    chunk = lambda name, data: (  # noqa: E731
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def bad_photos(folder: Path) -> Iterator[Path]:
    complete = io.BytesIO()
    Image.effect_noise((300, 200), 60).save(complete, "PNG")
    for name, data in (
        ("words.jpg", b"no picture"),
        ("empty.png", b""),
        ("cut.png", complete.getvalue()[:40]),
        ("bomb.png", png_head(60_000, 60_000)),
        ("thin.png", png_head(1, 500)),
    ):
        path = folder / name
        path.write_bytes(data)
        yield path


def test_uploaded_photos_are_shown_or_rejected(shown: Lab, tmp_path: Path) -> None:
    page = shown.page
    source, chooser = view(page, "source"), page.locator('.lzu input[type="file"]')
    before, text = shown.picture_hash(source), numbers(page).text_content()
    for bad in bad_photos(tmp_path):
        chooser.set_input_files(bad)
        expect(message(page)).to_contain_text(f"{bad.name} cannot be shown")
        expect(message(page)).to_contain_text("Nothing was changed")
        assert shown.picture_hash(source) == before
        assert numbers(page).text_content() == text
    photo = tmp_path / "mine.jpg"
    gradient = np.add.outer(np.arange(5773) % 256, np.arange(8660) % 256).astype(np.uint8)
    Image.fromarray(gradient).convert("RGB").save(photo, quality=80)
    chooser.set_input_files(photo)
    expect(numbers(page)).to_contain_text(
        re.compile(r"Your photo: 8660 x 5773 pixels, explored at 17\d\d x 11\d\d"), timeout=60_000
    )
    shown.wait_for_change(source, before)
    wait_until_settled(page)
    drag(page, source, PERSON, (0.0, 0.0))
    expect_near(page, fovea_x=0, fovea_y=0)
    wait_until_settled(page)
    # A truncated file is shown as far as the browser can decode it, or rejected with a message.
    uploaded = shown.picture_hash(source)
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photo.read_bytes()[:200_000])
    chooser.set_input_files(cut)
    wait_until(
        lambda: "cut.jpg" in message(page).inner_text() or shown.picture_hash(source) != uploaded,
        "the truncated photo was neither shown nor rejected",
    )
    wait_until_settled(page)
    assert all_errors(shown) == []


# --- memory ------------------------------------------------------------------------------------


def test_memory_does_not_grow(lab: Lab, lab_server: LabServer) -> None:
    """Check the memory of the page and of the kernel before and after 2000 updates."""
    resident = "import psutil; print(psutil.Process().memory_info().rss >> 20)"
    open_cells(lab, lab_server, SCENE + "explorer", resident)
    page = lab.page
    source = view(page, "source")
    box = at_rest(source)
    probe = page.context.new_cdp_session(page)

    def measure() -> tuple[float, int]:
        wait_until_settled(page)
        probe.send("HeapProfiler.collectGarbage")
        heap = probe.send("Runtime.getHeapUsage")["usedSize"] / 2**20
        run_cell(lab, 1)
        output = lab.cells.nth(1).locator(".jp-OutputArea-output").inner_text()
        at_rest(source)
        return heap, int(output)

    def update(times: int) -> None:
        page.evaluate(WAVE, [times, *on_screen(at_rest(source), (0.0, 0.0)), box["width"]])

    update(300)
    before = measure()
    update(2000)
    after = measure()
    print(f"heap {before[0]:.1f} -> {after[0]:.1f} MB, kernel {before[1]} -> {after[1]} MB")
    assert after[0] < before[0] + 3
    assert after[1] < before[1] + 40
    assert all_errors(lab) == []


# Drag the fovea to and fro, one step per frame, by events like those of the browser. The drag is
# not delayed where drawing is: see delay_drawing.js.
WAVE = """async ([times, x, y, width]) => {
    const canvas = document.querySelector('.lzu canvas[data-view="source"]');
    canvas.setPointerCapture = () => {};
    const send = (kind, dx) => canvas.dispatchEvent(new PointerEvent(kind, {
        pointerId: 1, pointerType: "mouse", button: 0, bubbles: true, clientX: x + dx, clientY: y,
    }));
    send("pointerdown", 0);
    for (let k = 0; k < times; k++) {
        send("pointermove", 0.3 * width * Math.sin(k / 17));
        await new Promise(globalThis.undelayedAnimationFrame ?? requestAnimationFrame);
    }
    send("pointerup", 0);
}"""
