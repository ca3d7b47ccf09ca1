"""Test of the explorer in Voila, which serves a notebook without code or JupyterLab."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Route, expect

from browser_helpers import (
    VIEWPORT,
    changing,
    drag,
    expect_near,
    numbers,
    view,
    wait_until_settled,
    write_notebook,
)
from layout_helpers import WINDOWS, expect_in_view
from lzu_viz.bench.browser.lab import RUN_MS, Lab, Server

pytestmark = pytest.mark.browser

APP = """\
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer

Explorer(far_person(place=(0.2, 0.4), height=0.3, size=(256, 384)))
"""
MOST_CHARACTERS, CHARACTER_WIDTH = 110, 8
"""Length of a line that is easy to read, and about the width of a character in pixels."""

COLOURS = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""


class VoilaServer(Server):
    """Voila, serving one notebook."""

    def __init__(self, folder: Path, notebook: Path) -> None:
        command = [
            *("voila", str(notebook), "--no-browser", "--token={token}"),
            *("--Voila.ip=127.0.0.1", "--port={port}", "--Voila.port_retries=0"),
            f"--Voila.connection_dir_root={folder}",
        ]
        # Any address but the notebook's own: that one would start a kernel.
        super().__init__(folder, command, ready="/voila/static/none")
        self.address = f"{self.url}/?token={self.token}"


@pytest.fixture
def voila(chromium: str, tmp_path: Path) -> Iterator[VoilaServer]:
    """Yield Voila with a notebook of one explorer, and print its log at the end."""
    notebook = tmp_path / "app.ipynb"
    write_notebook(notebook, APP)
    page = nbformat.read(notebook, as_version=4)
    page.cells.insert(0, nbformat.v4.new_markdown_cell("Some words about the picture. " * 30))
    nbformat.write(page, notebook)
    with VoilaServer(tmp_path, notebook) as server:
        yield server
        print(server.tail())


def respond_with_nothing(route: Route) -> None:
    """Return an empty response for the icon fonts that Voila's page fetches from other hosts."""
    route.fulfill(status=200, body="")


def test_explorer_runs_in_voila(
    voila: VoilaServer, browser: Browser, screenshots: Path | None
) -> None:
    with browser.new_context(viewport=VIEWPORT) as context:
        context.route(lambda url: not url.startswith(voila.url), respond_with_nothing)
        app = Lab(context.new_page(), voila)
        page = app.page
        page.goto(voila.address, timeout=RUN_MS)
        expect(numbers(page)).to_contain_text("IoU with the ground truth", timeout=RUN_MS)
        wait_until_settled(page)
        for name in ("source", "zoomed", "uniform", "unzoomed"):
            expect(view(page, name)).to_be_visible()
            assert view(page, name).evaluate(COLOURS) > 500  # no blank picture
        if screenshots:
            app.screenshot(screenshots / "voila.png")

        zoomed = view(page, "zoomed")
        text = numbers(page).text_content()
        with changing(app, zoomed):
            drag(page, view(page, "source"), (0.2, 0.4), (-0.4, 0.0))
            page.mouse.move(
                1, 1
            )  # otherwise the place under the pointer stays marked in every view
        expect_near(page, fovea_x=-0.4, fovea_y=0)
        wait_until_settled(page)
        expect(numbers(page)).not_to_have_text(text or "")
        expect(numbers(page)).to_have_css("opacity", "1")  # no longer grey
        if screenshots:
            app.screenshot(screenshots / "voila-dragged.png")
        for width, height in WINDOWS:
            page.set_viewport_size({"width": width, "height": height})
            expect_in_view(page, height)
            if screenshots:
                page.screenshot(path=screenshots / f"voila-{width}.png")
        page.set_viewport_size({"width": 1920, "height": 1080})
        line = page.locator(".jp-RenderedMarkdown p").bounding_box()
        assert line is not None
        assert line["width"] < MOST_CHARACTERS * CHARACTER_WIDTH
        # The page refers to an icon for the browser's tab that Voila does not serve.
        icon = f"403 GET {voila.url}/voila/files/favicon.ico"
        assert [error for error in app.errors if error != icon] == []
