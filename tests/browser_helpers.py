"""What a reader's hands and eyes do with an explorer in a page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from lzu_viz.bench.browser.lab import Lab, LabServer

STALE = re.compile("lzu-stale")
Place = tuple[float, float]


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
    )
    nbformat.write(notebook, path)


def open_cells(lab: Lab, server: LabServer, *cells: str) -> None:
    """Run cells in a notebook of their own, and wait until the first explorer has its answer."""
    write_notebook(server.root / "explorer.ipynb", *cells)
    lab.open("explorer.ipynb")
    lab.run_all()
    expect(numbers(lab.page).first).to_contain_text("Peak magnification")
    settled(lab.page)


def view(page: Page | Locator, name: str) -> Locator:
    """The canvas of a view."""
    return page.locator(f'canvas[data-view="{name}"]')


def control(page: Page | Locator, label: str) -> Locator:
    """The input behind a label."""
    return page.locator(".lzu-control", has_text=re.compile(f"^{label}")).locator("input, select")


def numbers(page: Page | Locator) -> Locator:
    return page.locator(".lzu-numbers")


def message(page: Page | Locator) -> Locator:
    return page.locator(".lzu-message")


def settled(page: Page | Locator) -> None:
    """Wait until the kernel has answered the last change, in every explorer."""
    for each in numbers(page).all():
        expect(each).not_to_have_class(STALE)


def at_rest(page: Page, canvas: Locator) -> dict[str, float]:
    """Where a canvas is on the screen, once it no longer moves."""
    before = None
    for _ in range(75):
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        if box is not None and box == before:
            return {key: float(value) for key, value in box.items()}
        before = box
        page.wait_for_timeout(200)
    raise TimeoutError(f"{canvas} does not come to rest on the screen")


def on_screen(box: dict[str, float], place: Place) -> Place:
    """Where a place in [-1, 1] of a canvas is on the screen."""
    x, y = place
    return box["x"] + (x + 1) / 2 * box["width"], box["y"] + (y + 1) / 2 * box["height"]


@contextmanager
def held(page: Page, canvas: Locator, start: Place, end: Place, steps: int = 8) -> Iterator[None]:
    """Drag from place to place of a canvas, and let go at the end of the block."""
    box = at_rest(page, canvas)
    page.mouse.move(*on_screen(box, start))
    page.mouse.down()
    page.mouse.move(*on_screen(box, end), steps=steps)
    yield
    page.mouse.up()


def drag(page: Page, canvas: Locator, start: Place, end: Place) -> None:
    with held(page, canvas, start, end):
        pass


def expect_value(page: Page | Locator, **values: str) -> None:
    """Expect what the controls say: `fovea_x="0.1"`."""
    for label, value in values.items():
        expect(control(page, label.replace("_", " "))).to_have_value(value)


def expect_near(page: Page | Locator, slack: float = 0.03, **values: float) -> None:
    """Expect what the controls say, but for a pixel or two."""
    for label, value in values.items():
        slider = control(page, label.replace("_", " "))
        expect(slider).to_be_visible()
        for _ in range(50):
            if abs(float(slider.input_value()) - value) <= slack:
                break
            slider.page.wait_for_timeout(100)
        else:
            raise AssertionError(f"{label} is {slider.input_value()}, not {value} +- {slack}")


def complaints(lab: Lab) -> list[str]:
    """What went wrong so far, in cells and in the page."""
    return [*map(str, lab.cell_errors()), *lab.errors]
