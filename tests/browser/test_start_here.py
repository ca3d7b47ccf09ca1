"""Test of the first notebook in JupyterLab: it opens, runs, and reacts to a drag."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_helpers import (
    all_errors,
    at_rest,
    changing,
    drag,
    expect_near,
    expect_value,
    numbers,
    view,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import Lab

pytestmark = pytest.mark.browser

NOTEBOOK = "00_start_here.ipynb"


def test_start_page_runs_and_reacts_to_drag(lab: Lab, screenshots: Path | None) -> None:
    """Check that it runs without errors and notifications, and that a drag can be undone."""
    lab.open(NOTEBOOK)
    lab.run_all()
    prompts = lab.prompts()
    assert prompts
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in prompts)
    expect(lab.page.locator(".Toastify__toast")).to_have_count(0)
    page = lab.page
    source, zoomed = view(page, "source"), view(page, "zoomed")
    expect(page.locator(".lzu-quest")).to_be_visible()  # of a cell whose code is hidden
    at_rest(source)  # cells below it may still be laid out
    wait_until_settled(page)
    if screenshots:
        lab.screenshot(screenshots / "start_here.png")
    text = numbers(page).text_content()
    assert "zoom and unzoom 0.9" in text
    with changing(lab, zoomed) as before:
        drag(page, source, (0.2, 0.4), (-0.4, 0.0))
    wait_until_settled(page)
    expect_near(page, fovea_x=-0.4, fovea_y=0)
    expect(numbers(page)).to_contain_text("zoom and unzoom 0.0")
    if screenshots:
        lab.screenshot(screenshots / "start_here-dragged.png")
    source.press("Control+z")
    expect_value(page, fovea_x="0.2", fovea_y="0.4")
    wait_until_settled(page)
    lab.wait_for_hash(zoomed, before)
    expect(numbers(page)).to_have_text(text or "")
    assert all_errors(lab) == []
