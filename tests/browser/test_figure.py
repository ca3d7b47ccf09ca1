"""Test of interactive figures in JupyterLab: the button that plays through a slider's values."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_helpers import write_notebook
from lzu_viz.bench.browser.lab import Lab, LabServer

pytestmark = pytest.mark.browser

CELL = """\
import ipywidgets
from lzu_viz.widgets import InteractiveFigure
def draw(figure, frame):
    figure.subplots().set(title=f"Frame {frame}", xlabel="x", ylabel="y")
controls = {"frame": ipywidgets.IntSlider(0, 0, 3, description="frame")}
InteractiveFigure(draw, controls, (4, 2), play="frame")"""


def test_play_shows_the_frames_one_after_the_other(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    write_notebook(lab_server.root / "figure.ipynb", CELL)
    lab.open("figure.ipynb")
    lab.run_all()
    figure = lab.page.locator(".lzu-figure")
    image = figure.locator("img").first
    expect(figure).to_contain_text("0")
    first = image.get_attribute("src")
    figure.locator(".jupyter-widgets.widget-play button").first.click()
    expect(figure.locator(".widget-readout")).to_have_text("3")
    assert first is not None
    expect(image).not_to_have_attribute("src", first)
    if screenshots:
        lab.screenshot(screenshots / "figure_play.png")
