"""Tests of the networks in the page of a running kernel, over a slow connection."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser_helpers import (
    control,
    drag,
    open_cells,
    summary,
    view,
    wait_until_settled,
)
from lzu_viz.bench.browser.lab import Lab, LabServer

pytestmark = pytest.mark.browser

CELLS = (
    """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer
scene = far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))
explorer = Explorer(scene)
explorer""",
    'explorer._compute = lambda _: print("computed")',
    "print(explorer.state.network, explorer.state.strength, explorer.result.state.strength)",
)


def switch(page: Page) -> None:
    """Let the networks run in the page, and wait until they do."""
    page.get_by_text("Slow connection?").click()
    page.get_by_label("Run the networks in this page").check()
    expect(page.get_by_text("The networks run in this page.")).to_be_visible()


def run_cell(lab: Lab, index: int) -> None:
    """Run a cell of code."""
    lab.cells.nth(index).locator(".cm-content").click()
    lab.page.keyboard.press("Control+Enter")


@pytest.mark.usefixtures("network_files")
def test_predictions_come_from_the_page(
    lab: Lab, lab_server: LabServer, screenshots: Path | None
) -> None:
    """The kernel computes nothing, and knows the state."""
    open_cells(lab, lab_server, *CELLS)
    page = lab.page
    wait_until_settled(page)
    switch(page)
    before = summary(page).inner_text()
    drag(page, view(page, "source"), (0.2, 0.4), (-0.6, -0.5))
    expect(summary(page)).not_to_have_text(before)
    wait_until_settled(page)
    control(page, "network").select_option("detector")
    expect(page.locator(".lzu-panel strong").last).not_to_have_text("–")
    expect(page.get_by_text("The networks run in this page.")).to_be_visible()
    control(page, "strength").fill("30")
    wait_until_settled(page)
    if screenshots:
        lab.screenshot(screenshots / "switch.png")
    run_cell(lab, 2)
    expect(lab.cells.nth(2)).to_contain_text("detector 30 30")


@pytest.mark.usefixtures("network_files")
def test_the_kernel_goes_on_if_the_page_cannot_run_networks(
    lab: Lab, lab_server: LabServer
) -> None:
    cell = (
        "from lzu_viz.widgets import page_networks\n"
        "def fail():\n"
        '    raise page_networks.RuntimeMissingError("npm is not installed")\n'
        "page_networks.runtime_folder = fail\n"
    )
    open_cells(lab, lab_server, cell + CELLS[0])
    page = lab.page
    wait_until_settled(page)
    page.get_by_text("Slow connection?").click()
    box = page.get_by_label("Run the networks in this page")
    box.click()
    expect(page.get_by_text("(npm is not installed): the kernel goes on")).to_be_visible()
    expect(box).not_to_be_checked()
    before = summary(page).inner_text()
    drag(page, view(page, "source"), (0.2, 0.4), (-0.6, -0.5))
    expect(summary(page)).not_to_have_text(before)
