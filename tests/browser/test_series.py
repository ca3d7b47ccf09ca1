"""Tests of the notebooks in JupyterLab: each opens, runs, and reacts to keys."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_helpers import all_errors, at_rest, changing, view, wait_until_settled
from lzu_viz.bench.browser.lab import Lab

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "notebooks"
# The first notebook is tested in test_start_here.py.
PAGES = [path for path in sorted(FOLDER.glob("*.ipynb")) if not path.name.startswith("00")]
EXPLORERS = [path.name for path in PAGES if "Explorer(" in path.read_text(encoding="utf-8")]
PLAYERS = [path.name for path in PAGES if "Player(" in path.read_text(encoding="utf-8")]
FIGURES = [path.name for path in PAGES if "InteractiveFigure(" in path.read_text(encoding="utf-8")]


def test_every_notebook_is_interactive() -> None:
    assert {*EXPLORERS, *FIGURES} == {path.name for path in PAGES}


@pytest.mark.parametrize("name", [path.name for path in PAGES])
def test_notebook_runs_and_reacts_to_keys(lab: Lab, name: str, screenshots: Path | None) -> None:
    """Check that it runs without errors, and that explorer and last figure react to keys.

    The cells after the last widget are left out: nbval runs all of them.
    """
    count = cells_up_to_the_last_widget(FOLDER / name)
    lab.open(name)
    lab.run_all(count)
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in lab.prompts()[:count])
    assert lab.cell_errors() == []
    if name in EXPLORERS:
        move_the_explorer(lab, name, screenshots)
    if name in FIGURES:
        move_the_last_slider(lab, name, screenshots)
    if name in PLAYERS:
        step_the_player(lab, name, screenshots)
    assert all_errors(lab) == []


def cells_up_to_the_last_widget(path: Path) -> int:
    """Return the number of code cells up to that of the last widget."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return max(
        number
        for number, source in enumerate(sources, start=1)
        if re.search(r"\b(Explorer|InteractiveFigure|Player)\(", source)
    )


def move_the_explorer(lab: Lab, name: str, screenshots: Path | None) -> None:
    """Move the fovea or box of the first explorer by keys."""
    page = lab.page
    source, zoomed = view(page, "source").first, view(page, "zoomed").first
    at_rest(source)
    wait_until_settled(page)
    if screenshots:
        lab.screenshot(screenshots / f"{name[:2]}.png")
    with changing(lab, zoomed):
        for _ in range(4):
            source.press("Shift+ArrowLeft")
    wait_until_settled(page)
    if screenshots:
        lab.screenshot(screenshots / f"{name[:2]}-moved.png")


def move_the_last_slider(lab: Lab, name: str, screenshots: Path | None) -> None:
    """Move the first slider of the last figure by a key."""
    figure = lab.page.locator(".widget-vbox", has=lab.page.locator(".widget-slider")).last
    picture, slider = figure.locator("img.widget-image"), figure.locator(".noUi-handle").first
    lab.middle(slider)
    if screenshots:
        lab.screenshot(screenshots / f"{name[:2]}-figure.png")
    before = lab.picture_hash(picture)
    slider.press("ArrowRight")
    lab.wait_for_change(picture, before)
    if screenshots:
        picture.scroll_into_view_if_needed()
        lab.screenshot(screenshots / f"{name[:2]}-figure-moved.png")


def step_the_player(lab: Lab, name: str, screenshots: Path | None) -> None:
    """Show the next frame of the first player by a key."""
    player = lab.page.locator(".lzu-player").first
    player.scroll_into_view_if_needed()
    expect(player).to_have_attribute("data-frame", "0")
    player.press("ArrowRight")
    expect(player).to_have_attribute("data-frame", "1")
    expect(player).to_have_attribute("data-waiting", "false")
    if screenshots:
        lab.screenshot(screenshots / f"{name[:2]}-player.png")
