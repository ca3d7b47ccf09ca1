"""Tests of accessibility by axe-core, in JupyterLab's outputs and in pages without a kernel."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser_helpers import VIEWPORT, open_cells, serious_violations, wait_until_settled
from lzu_viz.bench.browser.lab import Lab, LabServer
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import VIEWS, Explorer, to_html

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("axe")]

CELLS = (
    """\
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import VIEWS, Explorer, InteractiveFigure, Player, Quest, State
from lzu_viz.widgets.inline import use_html_figures
use_html_figures()
scene = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))
explorer = Explorer(scene, views=tuple(VIEWS), presets={"here": State()})
explorer""",
    'Quest("Which?", {"this": "Yes.", "that": "No."}, answer="this")',
    """\
def draw(figure, height):
    figure.subplots().set(title="A line", ylabel="height [m]")
InteractiveFigure(draw, {"height": ipywidgets.IntSlider(1, 1, 5, description="height")})""",
    "Player(np.zeros((4, 96, 128, 3), np.uint8), size=(96, 128))",
    'figure, ax = plt.subplots(figsize=(4, 2))\nax.set_title("A title");',
)


def test_widgets_and_figures_in_jupyterlab(lab: Lab, lab_server: LabServer) -> None:
    open_cells(lab, lab_server, *CELLS)
    assert lab.page.locator(".jp-OutputArea img.lzu-plot").count() == 1
    assert serious_violations(lab.page, ".jp-OutputArea") == []


def test_page_without_a_kernel(browser: Browser, tmp_path: Path) -> None:
    scene = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))
    path = to_html(Explorer(scene, views=tuple(VIEWS)), tmp_path / "page.html")
    with browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.goto(path.as_uri())
        wait_until_settled(page)
        assert serious_violations(page, "html") == []
