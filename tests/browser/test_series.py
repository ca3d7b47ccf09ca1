"""Tests of the widgets of all notebooks in JupyterLab: each is drawn and reacts to keys."""

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from browser_helpers import (
    all_errors,
    at_rest,
    changing,
    view,
    wait_until_settled,
    write_notebook,
)
from lzu_viz.bench.browser.lab import Lab, LabServer
from notebook_slices import cells_of_widgets

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "notebooks"
# The first notebook is tested in test_start_here.py.
PAGES = [path for path in sorted(FOLDER.glob("*.ipynb")) if not path.name.startswith("00")]
EXPLORERS = [path.name for path in PAGES if "Explorer(" in path.read_text(encoding="utf-8")]
PLAYERS = [path.name for path in PAGES if "Player(" in path.read_text(encoding="utf-8")]
FIGURES = [path.name for path in PAGES if "InteractiveFigure(" in path.read_text(encoding="utf-8")]

CUT_OPTIONS = """() => [...document.querySelectorAll('.widget-dropdown select')].flatMap((menu) => {
    const style = getComputedStyle(menu);
    const context = document.createElement('canvas').getContext('2d');
    context.font = style.font;
    const room = menu.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return [...menu.options].map((option) => option.text)
        .filter((text) => context.measureText(text).width > room);
})"""
"""Options of menus that are wider than their menu."""


def test_every_notebook_is_interactive() -> None:
    assert {*EXPLORERS, *FIGURES} == {path.name for path in PAGES}


@pytest.mark.parametrize("name", [path.name for path in PAGES])
def test_widgets_of_a_notebook_react_to_keys(
    lab: Lab, lab_server: LabServer, name: str, screenshots: Path | None
) -> None:
    """Check that its widgets show no errors, and that explorer and last figure react to keys.

    Cells that the widgets do not depend on are left out: nbval runs all of them.
    """
    shortened = f"widgets-of-{name}"
    write_cells_of_widgets(FOLDER / name, lab_server.root / shortened)
    lab.open(shortened)
    lab.run_all()
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in lab.prompts())
    assert lab.cell_errors() == []
    assert lab.page.evaluate(CUT_OPTIONS) == []
    if name in EXPLORERS:
        move_the_explorer(lab, name, screenshots)
    if name in FIGURES:
        move_the_last_slider(lab, name, screenshots)
    if name in PLAYERS:
        step_the_player(lab, name, screenshots)
    assert all_errors(lab) == []


def write_cells_of_widgets(notebook: Path, path: Path) -> None:
    """Write the code cells of a notebook that its widgets depend on, with fewer training steps."""
    cells = nbformat.read(notebook, as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    chosen = [sources[index] for index in cells_of_widgets(sources)]
    write_notebook(path, *(source.replace("steps=100", "steps=10") for source in chosen))


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
