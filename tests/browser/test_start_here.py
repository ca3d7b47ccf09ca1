"""The first notebook in a real JupyterLab: it opens, runs, and reacts to a drag."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_helpers import (
    at_rest,
    changing,
    complaints,
    drag,
    expect_near,
    expect_value,
    numbers,
    settled,
    view,
)
from lzu_viz.bench.browser.lab import Lab

pytestmark = pytest.mark.browser

NOTEBOOK = "00_start_here.ipynb"


def test_runs_and_obeys(lab: Lab, screenshots: Path | None) -> None:
    """It runs without an error or a notification; then one drag, and its undo."""
    lab.open(NOTEBOOK)
    lab.run_all()
    prompts = lab.prompts()
    assert prompts
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in prompts)
    expect(lab.page.locator(".Toastify__toast")).to_have_count(0)
    page = lab.page
    source, zoomed = view(page, "source"), view(page, "zoomed")
    at_rest(source)  # cells below it may still be laid out
    settled(page)
    if screenshots:
        lab.screenshot(screenshots / "start_here.png")
    text = numbers(page).inner_text()
    assert "zoom and unzoom 0.9" in text
    with changing(lab, zoomed) as before:
        drag(page, source, (0.2, 0.4), (-0.4, 0.0))
    settled(page)
    expect_near(page, fovea_x=-0.4, fovea_y=0)
    expect(numbers(page)).to_contain_text("zoom and unzoom 0.0")
    if screenshots:
        lab.screenshot(screenshots / "start_here-dragged.png")
    source.press("Control+z")
    expect_value(page, fovea_x="0.2", fovea_y="0.4")
    settled(page)
    lab.wait_for_hash(zoomed, before)
    expect(numbers(page)).to_have_text(text, use_inner_text=True)
    assert complaints(lab) == []
