"""Tests of notebooks that were run, saved and opened again, in JupyterLab and as HTML."""

import re
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Locator, expect

from browser_helpers import VIEWPORT, run_cells, write_notebook
from lzu_viz.bench.browser.lab import Lab, LabServer, wait_until

pytestmark = pytest.mark.browser

NOTEBOOK = "reopened.ipynb"
CELLS = (
    """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer
Explorer(far_person())""",
    """\
import ipywidgets
from lzu_viz.widgets import InteractiveFigure
def draw(figure, height):
    axes = figure.subplots()
    axes.plot([0, height])
    axes.set(title="A line", xlabel="time [s]", ylabel="height [m]")
InteractiveFigure(draw, {"height": ipywidgets.IntSlider(1, 1, 5)}, size=(5, 2))""",
    """\
import numpy as np
from lzu_viz.widgets import Player
Player(np.zeros((4, 96, 128, 3), np.uint8), size=(96, 128))""",
)
ALT = ("Explorer. Source image", "Figure. A line: height [m] against time [s].", "Frame 4 of")
SENTENCES = ("move the picture", "move the figure", "play the film")
LIVING = ".lzu, .lzu-figure"
NOT_FOUND = "Error displaying widget"


@pytest.fixture(scope="module")
def saved(browser: Browser, lab_server: LabServer) -> Path:
    """Run the notebook and save it; check that no still picture is shown beside a living widget."""
    path = lab_server.root / NOTEBOOK
    write_notebook(path, *CELLS)
    with browser.new_context(viewport=VIEWPORT) as context:
        lab = Lab(context.new_page(), lab_server)
        lab.open(NOTEBOOK)
        run_cells(lab)
        for index in range(len(CELLS)):
            cell = lab.cells.nth(index)
            expect(cell.locator(LIVING).first).to_be_visible()
            expect(still(cell)).to_be_hidden()
            expect(sentence(cell)).to_be_hidden()
        lab.page.keyboard.press("Control+s")
        wait_until(lambda: "lzu-still" in path.read_text(encoding="utf-8"), "it was not saved")
    lab_server.shut_down_kernels()
    return path


def still(cell: Locator) -> Locator:
    return cell.locator(".lzu-still img")


def sentence(cell: Locator) -> Locator:
    return cell.locator(".lzu-still figcaption")


def test_a_reopened_notebook_shows_pictures_and_says_how_to_move_them(
    saved: Path, lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    lab.page.goto(f"{lab_server.url}/lab/tree/{NOTEBOOK}?reset&token={lab_server.token}")
    lab.wait_for_kernel()
    for index, (alt, text) in enumerate(zip(ALT, SENTENCES, strict=True)):
        cell = lab.cells.nth(index)
        # The message is there, as the notebook is trusted, but hidden.
        expect(cell.get_by_text(NOT_FOUND)).to_have_count(1)
        expect(cell.get_by_text(NOT_FOUND)).to_be_hidden()
        expect(still(cell)).to_be_visible()
        expect(still(cell)).to_have_attribute("alt", re.compile(re.escape(alt)))
        assert still(cell).evaluate("image => image.naturalWidth") > 400
        expect(sentence(cell)).to_be_visible()
        expect(sentence(cell)).to_contain_text(text)
        if screenshots:
            sentence(cell).scroll_into_view_if_needed()
            lab.screenshot(screenshots / f"reopened-{index}.png")
    run_cells(lab)
    for index in range(len(CELLS)):
        expect(still(lab.cells.nth(index))).to_be_hidden()
        expect(lab.cells.nth(index).locator(LIVING).first).to_be_visible()


def test_as_html_each_widget_is_a_picture_with_a_description(
    saved: Path, browser: Browser, tmp_path: Path
) -> None:
    html, _ = HTMLExporter().from_filename(str(saved))  # type: ignore[no-untyped-call]
    page_file = tmp_path / "notebook.html"
    page_file.write_text(html, encoding="utf-8")
    with browser.new_context(viewport=VIEWPORT, offline=True) as context:
        page = context.new_page()
        page.goto(page_file.as_uri(), wait_until="domcontentloaded")
        pictures = page.locator(".lzu-still img")
        expect(pictures).to_have_count(len(CELLS))
        for picture, alt in zip(pictures.all(), ALT, strict=True):
            expect(picture).to_be_visible()
            expect(picture).to_have_attribute("alt", re.compile(re.escape(alt)))
        for text in SENTENCES:
            expect(page.get_by_text(text)).to_be_visible()
        expect(page.get_by_text(NOT_FOUND)).to_have_count(0)


def test_picture_and_widget_are_separate_outputs_in_this_order(saved: Path) -> None:
    """Viewers show the best format of each output: for the picture there is only one."""
    notebook = nbformat.read(saved, as_version=4)
    for cell in notebook.cells:
        picture, widget = cell.outputs
        assert set(picture.data) == {"text/html", "text/plain"}
        assert set(widget.data) == {"application/vnd.jupyter.widget-view+json", "text/plain"}
