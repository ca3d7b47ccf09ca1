"""The first notebook in a real JupyterLab: it opens, runs, shows its pictures and obeys."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, expect

from lab import Lab

pytestmark = pytest.mark.browser

NOTEBOOK = "00_start_here.ipynb"
STALE = re.compile("lzu-stale")


@pytest.fixture
def ran(lab: Lab) -> Lab:
    """The notebook, opened and run from top to bottom, the explorer in view and answered."""
    lab.open(NOTEBOOK)
    lab.run_all()
    source = view(lab, "source")
    source.scroll_into_view_if_needed()
    expect(numbers(lab)).to_contain_text("Overlap with the truth")
    settled(lab)
    return lab


def view(lab: Lab, name: str) -> Locator:
    """The canvas of a view of the explorer."""
    return lab.page.locator(f'.lzu canvas[data-view="{name}"]')


def control(lab: Lab, label: str) -> Locator:
    """The input behind a label."""
    return lab.page.locator(".lzu-control", has_text=re.compile(f"^{label}")).locator(
        "input, select"
    )


def numbers(lab: Lab) -> Locator:
    return lab.page.locator(".lzu-numbers")


def settled(lab: Lab) -> None:
    """Wait until the kernel has answered the last change."""
    expect(numbers(lab)).not_to_have_class(STALE)


def expect_fovea(lab: Lab, x: str, y: str) -> None:
    """Expect the selected fovea at a place, as the controls say it."""
    expect(control(lab, "fovea x")).to_have_value(x)
    expect(control(lab, "fovea y")).to_have_value(y)


def drag_on_source(lab: Lab, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from place to place, both (x, y) in [-1, 1] of the source."""
    canvas = view(lab, "source")
    lab._middle(canvas)  # at rest
    box = canvas.bounding_box()
    assert box is not None
    at = [
        (box["x"] + (x + 1) / 2 * box["width"], box["y"] + (y + 1) / 2 * box["height"])
        for x, y in (start, end)
    ]
    lab.page.mouse.move(*at[0])
    lab.page.mouse.down()
    lab.page.mouse.move(*at[1], steps=10)
    lab.page.mouse.up()


def clean(lab: Lab) -> bool:
    return lab.cell_errors() == [] and lab.errors == []


def test_runs_without_error(ran: Lab, screenshots: Path | None) -> None:
    prompts = ran.prompts()
    assert prompts
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in prompts)
    assert ran.cell_errors() == []
    assert ran.errors == []
    expect(ran.page.locator(".Toastify__toast")).to_have_count(0)
    for name in ("source", "zoomed", "uniform", "unzoomed"):
        canvas = view(ran, name)
        expect(canvas).to_be_visible()
        colours = canvas.evaluate(
            "c => new Set(new Uint32Array(c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data.buffer)).size"
        )
        assert colours > 500  # no blank picture
    if screenshots:
        ran.screenshot(screenshots / "start_here.png")


def test_drag_the_fovea_and_take_it_back(ran: Lab, screenshots: Path | None) -> None:
    zoomed, source = view(ran, "zoomed"), view(ran, "source")
    before, text = ran.picture_hash(zoomed), numbers(ran).inner_text()
    assert "zoom and unzoom 0.9" in text
    drag_on_source(ran, (0.2, 0.4), (-0.4, 0.0))
    ran.wait_for_change(zoomed, before)
    settled(ran)
    expect_fovea(ran, "-0.4", "0")
    expect(numbers(ran)).to_contain_text("zoom and unzoom 0.0")
    if screenshots:
        ran.screenshot(screenshots / "start_here-dragged.png")
    moved = ran.picture_hash(zoomed)
    source.press("Control+z")
    ran.wait_for_change(zoomed, moved)
    settled(ran)
    expect_fovea(ran, "0.2", "0.4")
    assert ran.picture_hash(zoomed) == before
    expect(numbers(ran)).to_have_text(text, use_inner_text=True)
    assert clean(ran)


def test_keyboard_and_double_click(ran: Lab) -> None:
    source, zoomed = view(ran, "source"), view(ran, "zoomed")
    source.focus()
    source.press("Shift+ArrowLeft")
    source.press("ArrowUp")
    expect_fovea(ran, "0.1", "0.39")
    before = ran.picture_hash(zoomed)
    for key in ("+", "+", "-"):
        source.press(key)
    expect(control(ran, "fovea width")).to_have_value("7")
    ran.wait_for_change(zoomed, before)
    box = source.bounding_box()
    assert box is not None
    source.dblclick(position={"x": box["width"] * 0.1, "y": box["height"] * 0.2})
    expect(control(ran, "fovea x")).to_have_value(re.compile(r"-0\.[78]"))
    source.press("n")
    expect_fovea(ran, "0.1", "0.39")
    source.press("Delete")
    expect(control(ran, "fovea x")).to_have_value(re.compile(r"-0\.[78]"))
    settled(ran)
    assert clean(ran)


def test_every_control_is_obeyed(ran: Lab) -> None:
    zoomed, unzoomed = view(ran, "zoomed"), view(ran, "unzoomed")
    for label, key in (
        ("strength", "Home"),
        ("strength", "End"),
        ("attraction", "End"),
        ("pieces per axis", "Home"),
        ("input side", "Home"),
        ("morph", "ArrowLeft"),
    ):
        before = ran.picture_hash(zoomed)
        control(ran, label).press(key)
        ran.wait_for_change(zoomed, before)
    for label in ("separable", "anti-crop"):
        before = ran.picture_hash(zoomed)
        control(ran, label).click()
        ran.wait_for_change(zoomed, before)
    settled(ran)
    before = ran.picture_hash(unzoomed)
    control(ran, "network").select_option("detector")
    ran.wait_for_change(unzoomed, before)
    settled(ran)
    assert clean(ran)


def test_lives_on_without_its_kernel(ran: Lab) -> None:
    """The page draws the warp itself: a dead kernel costs the answers, and nothing else."""
    ran._server.shut_down_kernels()
    zoomed = view(ran, "zoomed")
    before = ran.picture_hash(zoomed)
    drag_on_source(ran, (0.2, 0.4), (0.6, -0.5))
    ran.wait_for_change(zoomed, before)
    expect_fovea(ran, "0.6", "-0.5")
    expect(numbers(ran)).to_have_class(STALE)


def test_nothing_is_cropped_in_a_narrow_window(ran: Lab, screenshots: Path | None) -> None:
    ran.page.set_viewport_size({"width": 900, "height": 900})
    source = view(ran, "source")
    ran._middle(source)
    widths = ran.page.locator(".lzu").evaluate(
        "e => [e.scrollWidth, e.clientWidth, e.closest('.jp-OutputArea-output').clientWidth]"
    )
    assert widths[0] <= widths[1] <= widths[2]
    drag_on_source(ran, (0.2, 0.4), (0.0, 0.0))
    expect_fovea(ran, "0", "0")
    if screenshots:
        ran.screenshot(screenshots / "start_here-narrow.png")


def test_takes_a_photo_of_the_readers_own(ran: Lab, tmp_path: Path) -> None:
    source, chooser = view(ran, "source"), ran.page.locator('.lzu input[type="file"]')
    before = ran.picture_hash(source)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    chooser.set_input_files(broken)
    expect(ran.page.locator(".lzu-message")).to_contain_text("broken.jpg cannot be read")
    assert ran.picture_hash(source) == before
    photo = tmp_path / "mine.png"
    Image.effect_mandelbrot((2400, 1600), (-2, -1.5, 1, 1.5), 30).convert("RGB").save(photo)
    chooser.set_input_files(photo)
    expect(numbers(ran)).to_contain_text("Your photo: 2400 x 1600 pixels, explored at 1732 x 1154")
    ran.wait_for_change(source, before)
    settled(ran)
    drag_on_source(ran, (0.2, 0.4), (0.0, 0.0))
    expect_fovea(ran, "0", "0")
    settled(ran)
    assert clean(ran)
