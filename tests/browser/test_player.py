"""Tests of the player of films in JupyterLab, by mouse and keyboard."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browser_helpers import (
    VIEWPORT,
    all_errors,
    at_rest,
    expect_contrast,
    view,
    wait_until,
    write_notebook,
)
from lzu_viz.bench.browser.lab import Lab, LabServer

pytestmark = pytest.mark.browser

NOTEBOOK = "player.ipynb"
COUNT = 40

# A bright square moves to the right, and a network finds it. Unlike a video file, the film can take
# three seconds for each frame from frame 8 on, until a file is there, and can be damaged.
FILM = f"""\
import time
from pathlib import Path
import torch
from lzu_viz.adapters.called_network import CalledNetwork
from lzu_viz.datasets.video_files import Frames
from lzu_viz.experiments.films import STRONG
from lzu_viz.geometry.boxes import Detections
from lzu_viz.widgets import Player

class Film(Frames):
    size, rate = (150, 200), 20.0
    def __init__(self, damaged=None, held=False):
        self.damaged, self.held = damaged, held
    def __len__(self):
        return {COUNT}
    def _read(self, index):
        if index == self.damaged:
            raise ValueError("the file is damaged")
        columns = torch.linspace(0.1, 0.3, 200)
        image = columns.expand(1, 3, 150, 200).clone()
        image[..., 60:75, 20 + 4 * index : 35 + 4 * index] = 1.0
        return image
    def __iter__(self):
        for index in range(len(self)):
            end = time.monotonic() + 3 * (self.held and index >= 8)
            while time.monotonic() < end and not Path("go").exists():
                time.sleep(0.05)
            yield self._read(index)

def detect(images):
    found = []
    for image in images:
        rows, columns = (image[0] > 0.6).nonzero().T
        height, width = image.shape[-2:]
        edges = (columns.min() / width, rows.min() / height,
                 (columns.max() + 1) / width, (rows.max() + 1) / height)
        box = torch.stack(edges)[None] * 2 - 1
        found.append(Detections(box, torch.tensor([0]), torch.tensor([0.9])))
    return found

network = CalledNetwork(detect, "detection", ["square"])
def play(**options):
    return Player(Film(**options), network, size=(96, 128), loop=STRONG)
"""
# The number of pixels of a colour in a canvas.
PIXELS = """(canvas, [red, green, blue]) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let count = 0;
    for (let k = 0; k < data.length; k += 4) {
        count += data[k] === red && data[k + 1] === green && data[k + 2] === blue;
    }
    return count;
}"""
ORANGE, BLUE = [0xE6, 0x9F, 0x00], [0x00, 0x72, 0xB2]
VIEWS = ("source", "zoomed", "uniform")


@pytest.fixture(scope="module")
def film_page(browser: Browser, lab_server: LabServer) -> Iterator[Lab]:
    """Yield a page whose notebook defines a film and a network; its last cell is to be written."""
    with browser.new_context(viewport=VIEWPORT, reduced_motion="reduce") as context:
        lab = Lab(context.new_page(), lab_server)
        write_notebook(lab_server.root / NOTEBOOK, FILM, "", "")
        lab.open(NOTEBOOK)
        lab.run_all(1)
        yield lab
    lab_server.shut_down_kernels()


@pytest.fixture
def lab(film_page: Lab) -> Lab:
    film_page.errors.clear()
    film_page.page.set_viewport_size(VIEWPORT)
    return film_page


def show(lab: Lab, code: str = "player = play()\nplayer") -> Locator:
    """Run code in the second cell, and return the player when it shows its first frame."""
    run(lab, 1, code)
    root = lab.page.locator(".lzu-player")
    expect_frame(root, 0)
    at_rest(root)
    return root


def run(lab: Lab, index: int, code: str) -> None:
    """Write code into a cell, and run it."""
    cell = lab.cells.nth(index)
    cell.locator(".cm-content").fill(code)
    cell.locator(".cm-content").press("Control+Enter")
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]:"))
    lab.wait_for_kernel()


def expect_frame(root: Locator, index: int) -> None:
    """Wait until all views show a frame, with the answers of both systems."""
    expect(root).to_have_attribute("data-frame", str(index))
    expect(root).to_have_attribute("data-waiting", "false")
    for name in VIEWS:
        expect(view(root, name)).to_have_attribute("data-frame", str(index))
    wait_until_drawn(root)
    expect(root.locator(".lzu-counter")).to_have_text(f"frame {index + 1} of {COUNT}")
    expect(root.get_by_role("slider", name="Frame")).to_have_value(str(index))


def wait_until_drawn(root: Locator) -> None:
    wait_until(
        lambda: bool(
            root.evaluate(
                "root => [...root.querySelectorAll('canvas')]"
                ".every(c => c.dataset.revision === root.dataset.revision)"
            )
        ),
        "a change was not drawn",
    )


def wait_for_frame_after(root: Locator, index: int) -> None:
    wait_until(lambda: shown(root) > index, f"no frame after {index} was shown")


def shown(root: Locator) -> int:
    return int(view(root, "source").get_attribute("data-frame") or -1)


def button(root: Locator, name: str) -> Locator:
    return root.get_by_role("button", name=name)


def test_film_is_played_paused_stepped_and_scrubbed(lab: Lab) -> None:
    root = show(lab)
    expect(root).to_have_attribute("data-state", "paused")
    source = view(root, "source")
    before = lab.picture_hash(source)
    button(root, "Next").click()
    expect_frame(root, 1)
    lab.wait_for_change(source, before)
    button(root, "Back").click()
    expect_frame(root, 0)
    lab.wait_for_hash(source, before)
    button(root, "Back").click()  # there is none before the first
    button(root, "Play").click()
    expect(root).to_have_attribute("data-state", "playing")
    wait_for_frame_after(root, 4)
    button(root, "Pause").click()
    expect(root).to_have_attribute("data-state", "paused")
    expect_frame(root, int(root.get_attribute("data-frame") or -1))
    # Both systems find the square, each in its colour; the zoom expected it.
    root.get_by_role("slider", name="Frame").fill("25")
    expect_frame(root, 25)
    for name, colour in zip(VIEWS, (ORANGE, ORANGE, BLUE), strict=True):
        assert view(root, name).evaluate(PIXELS, colour) > 50, name
    expect(root.get_by_role("img", name="FOVEA on the source frame")).to_have_attribute(
        "aria-label", re.compile("Frame 26: square 0.90")
    )
    expect(root.get_by_role("status")).to_have_text("square in this frame: uniform 1, FOVEA 1")
    # The zoomed square is larger than the uniform one.
    bright = [view(root, name).evaluate(BRIGHT) for name in ("zoomed", "uniform")]
    assert bright[0] > 1.5 * bright[1]
    # The timeline is a scrubber as well; its numbers are known as far as frames are computed.
    timeline = view(root, "timeline")
    expect(timeline).to_have_attribute("data-known", str(COUNT))
    box = at_rest(timeline)
    lab.page.mouse.click(box["x"] + box["width"] - 1, box["y"] + 20)
    expect_frame(root, COUNT - 1)
    # From the end, it is played from the start, and stops at the end.
    root.get_by_label("Speed").select_option("2")
    button(root, "Play").click()
    wait_until(lambda: 0 <= shown(root) < COUNT - 1, "it was not played from the start")
    expect(root).to_have_attribute("data-state", "paused")
    expect_frame(root, COUNT - 1)
    assert all_errors(lab) == []


BRIGHT = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let count = 0;
    for (let k = 0; k < data.length; k += 4) count += Math.min(...data.slice(k, k + 3)) > 180;
    return count;
}"""


def test_player_by_keyboard(lab: Lab) -> None:
    root = show(lab)
    cells = lab.cells.count()
    root.focus()
    for key, index in (
        ("ArrowRight", 1),
        ("Shift+ArrowRight", 11),
        ("ArrowLeft", 10),
        ("End", COUNT - 1),
        ("Home", 0),
    ):
        root.press(key)
        expect_frame(root, index)
    speed = root.get_by_label("Speed")
    for key, value in (("+", "2"), ("+", "2"), ("-", "1"), ("-", "0.5")):
        root.press(key)
        expect(speed).to_have_value(value)
    root.press(" ")
    expect(root).to_have_attribute("data-state", "playing")
    wait_for_frame_after(root, 0)
    root.press(" ")
    expect(root).to_have_attribute("data-state", "paused")
    root.press("Home")
    expect_frame(root, 0)
    with_grid = lab.picture_hash(view(root, "source"))
    root.press("g")
    expect(root.get_by_label("Grid of the warp")).not_to_be_checked()
    lab.wait_for_change(view(root, "source"), with_grid)
    # On a control, keys do what they do there, once.
    button(root, "Play").press(" ")
    expect(root).to_have_attribute("data-state", "playing")
    button(root, "Pause").press(" ")
    expect(root).to_have_attribute("data-state", "paused")
    slider = root.get_by_role("slider", name="Frame")
    slider.fill("7")
    slider.press("ArrowRight")
    expect_frame(root, 8)
    expect(slider).to_have_attribute("aria-valuetext", f"frame 9 of {COUNT}")
    # JupyterLab did not take any of these keys for its own.
    expect(lab.cells).to_have_count(cells)
    assert all_errors(lab) == []


def test_frame_is_read_and_set_in_python(lab: Lab) -> None:
    root = show(lab)
    root.focus()
    root.press("ArrowRight")
    root.press("ArrowRight")
    expect_frame(root, 2)
    run(lab, 2, "print(player.frame, len(player.result(player.frame).zoom.expected))")
    expect(lab.cells.nth(2)).to_contain_text("2 1")
    run(lab, 2, "player.frame = 17")
    expect_frame(root, 17)
    assert all_errors(lab) == []


def test_frame_that_is_not_computed_is_shown_without_the_zoom(
    lab: Lab, lab_server: LabServer
) -> None:
    go = lab_server.root / "go"
    go.unlink(missing_ok=True)
    root = show(lab, "player = play(held=True)\nplayer")
    root.get_by_role("slider", name="Frame").fill("30")
    expect(root.get_by_role("status")).to_contain_text(re.compile(r"computing frame \d+ of 31"))
    expect(root).to_have_attribute("data-waiting", "true")
    # The frame itself and the uniform system's boxes are there; no other frame's are.
    for name in VIEWS:
        expect(view(root, name)).to_have_attribute("data-frame", "30")
    wait_until(
        lambda: view(root, "uniform").evaluate(PIXELS, BLUE) > 50, "no boxes of the uniform system"
    )
    assert view(root, "source").evaluate(PIXELS, ORANGE) == 0
    assert view(root, "source").evaluate(BRIGHT) > 50
    assert view(root, "zoomed").evaluate(BRIGHT) < view(root, "source").evaluate(BRIGHT) / 2
    # Playing waits for the answers.
    button(root, "Play").click()
    expect(root).to_have_attribute("data-state", "playing")
    assert shown(root) == 30
    go.touch()
    wait_for_frame_after(root, 30)
    expect(root).to_have_attribute("data-state", "paused")
    expect_frame(root, COUNT - 1)
    assert all_errors(lab) == []


def test_damaged_film_leaves_the_last_frame_and_a_message(lab: Lab) -> None:
    root = show(lab, "player = play(damaged=6)\nplayer")
    button(root, "Play").click()
    expect(root.get_by_role("alert")).to_have_text(
        f"The film ends before frame 7 of {COUNT}: the file is damaged"
    )
    expect(root).to_have_attribute("data-state", "paused")
    expect_frame(root, 5)
    assert view(root, "source").evaluate(PIXELS, ORANGE) > 50
    button(root, "Next").click()
    expect(root.locator(".lzu-counter")).to_have_text(f"frame 7 of {COUNT}")
    expect(root.get_by_role("alert")).to_contain_text("the file is damaged")
    assert shown(root) == 5
    button(root, "Back").click()
    expect_frame(root, 5)
    assert all_errors(lab) == []


def test_nothing_is_cropped_in_a_narrow_window(lab: Lab) -> None:
    root = show(lab)
    before = root.evaluate(WIDTHS)
    lab.page.keyboard.press("Control+b")  # hides the side bar, which takes most of a narrow window
    wait_until(lambda: root.evaluate(WIDTHS)[2] > before[2], "the side bar was not hidden")
    for width in (1000, 700, 400):
        before = root.evaluate(WIDTHS)
        lab.page.set_viewport_size({"width": width, "height": 900})
        wait_until(
            lambda before=before: root.evaluate(WIDTHS)[2] < before[2],
            "the notebook did not become narrower",
        )
        wait_until(
            lambda: (widths := root.evaluate(WIDTHS)) == sorted(widths),
            lambda: f"cropped: {root.evaluate(WIDTHS)}",
        )
        wait_until_drawn(root)
        assert root.evaluate(CUT) == []
    button(root, "Next").click()
    expect_frame(root, 1)
    lab.page.keyboard.press("Control+b")
    assert all_errors(lab) == []


# The width of the player's content, of the player, and of the cell's output.
WIDTHS = """e => [
    e.scrollWidth, e.clientWidth, e.closest('.jp-OutputArea-output').clientWidth,
]"""
# The texts that do not fit in their elements.
CUT = """root => [...root.querySelectorAll('button, figcaption, span, label')]
    .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1)
    .map(e => e.textContent)"""


def test_contrast_of_text_in_light_and_dark_theme(lab: Lab) -> None:
    """Check that all text has a contrast of at least 4.5 to 1 (WCAG)."""
    root = show(lab, "player = play(damaged=3)\nplayer")
    root.get_by_role("slider", name="Frame").fill("3")
    expect(root.get_by_role("alert")).to_contain_text("damaged")
    root.locator(".lzu-help summary").click()
    expect_contrast(root)
    choose_theme(lab.page, "JupyterLab Dark", is_light=False)
    expect_contrast(root)
    choose_theme(lab.page, "JupyterLab Light", is_light=True)


def choose_theme(page: Page, name: str, is_light: bool) -> None:
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    entries = page.locator(".lm-Menu-itemLabel")
    entries.get_by_text("Theme", exact=True).hover()
    entries.get_by_text(name, exact=True).click()
    page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg=str(is_light).lower()
    )
