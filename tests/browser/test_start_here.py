"""The first notebook in a real JupyterLab: it opens, runs, shows its pictures and obeys."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from lab import Lab

pytestmark = pytest.mark.browser

NOTEBOOK = "00_start_here.ipynb"
SLIDER = ".widget-slider .noUi-handle"
PICTURE = "img.jupyter-widgets, .jupyter-widgets img, .jupyter-widgets canvas"


@pytest.fixture
def ran(lab: Lab) -> Lab:
    """The notebook, opened and run from top to bottom."""
    lab.open(NOTEBOOK)
    lab.run_all()
    return lab


def first_widget(lab: Lab) -> Locator:
    """The first cell that shows a slider."""
    cells = lab.cells.filter(has=lab.page.locator(SLIDER))
    expect(cells).not_to_have_count(0)
    return cells.first


def test_runs_without_error(ran: Lab) -> None:
    prompts = ran.prompts()
    assert prompts
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in prompts)
    assert ran.cell_errors() == []
    assert ran.errors == []
    expect(ran.page.locator(".Toastify__toast")).to_have_count(0)


def test_shows_a_picture(ran: Lab, screenshots: Path | None) -> None:
    picture = first_widget(ran).locator(PICTURE).first
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    width, height = picture.evaluate(
        "e => [e.naturalWidth || e.width, e.naturalHeight || e.height]"
    )
    assert min(width, height) > 100
    if screenshots:
        ran.screenshot(screenshots / "start_here.png")


def test_obeys_its_first_slider(ran: Lab, screenshots: Path | None) -> None:
    widget = first_widget(ran)
    pictures = widget.locator(PICTURE)
    before = ran.picture_hash(pictures)
    ran.drag(widget.locator(SLIDER).first, dx=30, dy=0)
    ran.wait_for_change(pictures, before)
    ran.wait_idle()
    assert ran.cell_errors() == []
    assert ran.errors == []
    if screenshots:
        ran.screenshot(screenshots / "start_here-dragged.png")
