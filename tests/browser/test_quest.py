"""Tests of questions in JupyterLab."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_helpers import expect_near, expect_value, open_cells, view, wait_until_settled
from lzu_viz.bench.browser.lab import Lab, LabServer

pytestmark = pytest.mark.browser

CELLS = (
    """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer, Quest, State
scene = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))
explorer = Explorer(scene)
explorer""",
    """\
Quest(
    "What happens to the score if the fovea is beside the person?",
    {"it falls": "The person gets fewer pixels.", "it rises": "She gets fewer pixels."},
    answer="it falls",
    explorer=explorer,
    reveal=State(pieces=8).at(x=-0.6, y=-0.4),
)""",
)


def test_a_question_is_answered_by_keyboard_and_moves_the_explorer(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    open_cells(lab, lab_server, *CELLS)
    page = lab.page
    quest = page.locator(".lzu-quest")
    answers, verdict = quest.get_by_role("radio"), quest.locator(".lzu-verdict")
    expect(quest).to_have_count(1)
    expect(page.locator(".lzu-still details")).to_be_hidden()
    expect(verdict).to_have_text("")
    look = quest.get_by_role("button", name="Look at it in the explorer")
    expect(look).to_be_hidden()
    answers.first.focus()
    answers.first.press("ArrowDown")
    expect(verdict).to_have_text("No. She gets fewer pixels.")
    expect_near(page, fovea_x=-0.6, fovea_y=-0.4)
    expect_value(page, pieces_per_axis="8")
    page.get_by_role("button", name="Undo").click()
    expect_near(page, fovea_x=0.2, fovea_y=0.4)
    answers.last.press("ArrowUp")
    expect(verdict).to_have_text(re.compile("^Right. The person"))
    expect_near(page, fovea_x=-0.6, fovea_y=-0.4)
    wait_until_settled(page)
    look.click()
    expect(view(page, "source")).to_be_focused()
    expect(view(page, "source")).to_be_in_viewport(ratio=0.95)
    if screenshots:
        lab.screenshot(screenshots / "quest-explorer.png")
        quest.scroll_into_view_if_needed()
        lab.screenshot(screenshots / "quest.png")
    assert lab.errors == []
