"""Tests of presets, of states that Python asks for, and of curves along sliders."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_helpers import (
    control,
    drag,
    expect_near,
    expect_value,
    open_cells,
    run_cells,
    view,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import Lab, LabServer, wait_until

pytestmark = pytest.mark.browser

IDLE_MS = 1500
"""Time without any change after which curves are computed."""

CELL = """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer, State
scene = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))
right = State().at(x=0.2, y=0.4)
presets = {"wrong aim": right.at(x=-0.6), "4 pieces": State(pieces=4).at(x=0.2, y=0.4)}
explorer = Explorer(scene, right, presets=presets)
explorer"""


def test_presets_are_reached_and_undone(lab: Lab, lab_server: LabServer) -> None:
    open_cells(lab, lab_server, CELL, "explorer.go_to(State(strength=30).at(x=0.5))")
    page = lab.page
    # The second cell has asked for a state.
    expect_near(page, fovea_x=0.5)
    expect_value(page, strength="30")
    wrong = page.get_by_role("button", name="wrong aim")
    expect(wrong).to_have_attribute("aria-pressed", "false")
    wrong.click()
    expect(wrong).to_have_attribute("aria-pressed", "true")
    expect_near(page, fovea_x=-0.6, fovea_y=0.4)
    page.get_by_role("button", name="4 pieces").click()
    expect_value(page, pieces_per_axis="4")
    expect(wrong).to_have_attribute("aria-pressed", "false")
    undo = page.get_by_role("button", name="Undo")
    for _ in range(2):  # each transition is one step
        undo.click()
    expect_near(page, fovea_x=0.5)
    expect_value(page, pieces_per_axis="32", strength="30")
    wait_until_settled(page)
    assert lab.errors == []


def test_a_gesture_takes_over_from_a_transition(lab: Lab, lab_server: LabServer) -> None:
    open_cells(lab, lab_server, CELL)
    page = lab.page
    page.get_by_role("button", name="wrong aim").click()
    control(page, "strength").press("End")
    expect_value(page, strength="98")
    drag(page, view(page, "source"), (0.9, -0.9), (0.7, -0.7))
    expect_near(page, fovea_x=0.7, fovea_y=-0.7)
    wait_until_settled(page)
    expect_near(page, fovea_x=0.7, fovea_y=-0.7)
    expect_value(page, strength="98")


FEW = CELL.replace("presets=presets", 'controls=("strength", "pieces")')
"""An explorer with two controls, whose curves are soon computed."""

# The titles of the controls whose curve is shown, and the number of coloured pixels of each.
CURVES = """() => [...document.querySelectorAll(".lzu-curve:not([hidden])")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const drawn = data.filter((value, index) => index % 4 === 3 && value > 0).length;
    return [canvas.closest(".lzu-control").title, drawn];
})"""


def test_curves_appear_along_sliders_and_follow_the_other_controls(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    run = "from lzu_viz.widgets.result import scores\nscores(scene.image, right, scene)['zoom']"
    open_cells(lab, lab_server, CELL, run)
    page = lab.page
    page.locator(".lzu-main").scroll_into_view_if_needed()
    wait_until(
        lambda: [drawn > 50 for _, drawn in page.evaluate(CURVES)] == [True] * 6,
        "not all curves are drawn",
    )
    known = {title for title, _ in page.evaluate(CURVES)}
    assert all(re.search(r"IoU along this slider: highest 0\.\d\d at", title) for title in known)
    if screenshots:
        lab.screenshot(screenshots / "curves.png")
    # A change of one control keeps its own curve; those of the others are computed again.
    strength = page.locator('[data-name="strength"]')
    before = strength.get_attribute("title")
    control(page, "pieces").press("Home")
    expect(strength).not_to_have_attribute("title", before or "")
    run_cells(lab)
    assert lab.errors == []


def test_no_curves_without_ground_truth(lab: Lab, lab_server: LabServer) -> None:
    """Check that one explorer has no curve when all of those of another one are drawn."""
    open_cells(lab, lab_server, CELL, "Explorer(scene.image.clamp(0, 1))")
    page = lab.page
    page.locator(".lzu-main").first.scroll_into_view_if_needed()
    wait_until(
        lambda: [drawn > 50 for _, drawn in page.evaluate(CURVES)] == [True] * 6,
        "not all curves of the first explorer are drawn",
    )
    page.locator(".lzu-main").last.scroll_into_view_if_needed()
    expect(page.locator(".lzu")).to_have_count(2)
    expect(page.locator(".lzu").last.locator(".lzu-curve:not([hidden])")).to_have_count(0)


def test_no_curves_are_computed_out_of_view(lab: Lab, lab_server: LabServer) -> None:
    far = "from IPython.display import HTML\nHTML('<p id=far style=\"margin-top:3000px\">x</p>')"
    open_cells(lab, lab_server, FEW, far, "explorer.state = State(strength=30)")
    page = lab.page
    page.locator("#far").scroll_into_view_if_needed()
    run_cells(lab)
    wait_until_settled(page)
    expect(page.locator(".lzu-main")).not_to_be_in_viewport()
    page.wait_for_timeout(3 * IDLE_MS)  # long enough for a question, if there were any
    expect(page.locator(".lzu-curve:not([hidden])")).to_have_count(0)
    page.locator(".lzu-main").scroll_into_view_if_needed()
    expect(page.locator(".lzu-curve:not([hidden])")).not_to_have_count(0)
    assert lab.errors == []
