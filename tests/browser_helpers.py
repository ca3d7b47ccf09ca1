"""Actions on, and expectations of, an explorer in a page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import FrameLocator, Locator, Page, expect

from lzu_viz.bench.browser.lab import Lab, LabServer, at_rest, wait_until

STALE = re.compile("lzu-stale")
Place = tuple[float, float]
Scope = Page | Locator | FrameLocator
"""Part of a page in which explorers are searched for."""


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
    )
    nbformat.write(notebook, path)


def open_cells(lab: Lab, server: LabServer, *cells: str) -> None:
    """Run cells in a new notebook, and wait until the first explorer has its result."""
    write_notebook(server.root / "explorer.ipynb", *cells)
    lab.open("explorer.ipynb")
    lab.run_all()
    expect(numbers(lab.page).first).to_contain_text("Peak magnification")
    settled(lab.page)


def view(page: Scope, name: str) -> Locator:
    """Return the canvas of a view."""
    return page.locator(f'canvas[data-view="{name}"]')


def control(page: Scope, label: str) -> Locator:
    """Return the input of the control with this label."""
    return page.locator(".lzu-control", has_text=re.compile(f"^{label}")).locator("input, select")


def numbers(page: Scope) -> Locator:
    return page.locator(".lzu-numbers")


def message(page: Scope) -> Locator:
    return page.locator(".lzu-message")


# Whether every explorer shows its last change in all its views; false if there is no explorer yet.
DRAWN = """roots => roots.length > 0 && roots.every((root) => {
    const views = [...root.querySelectorAll("canvas")];
    return views.every((canvas) => canvas.dataset.revision === root.dataset.revision);
})"""
# Also whether the kernel's last result belongs to it.
SETTLED = f"""roots => ({DRAWN})(roots)
    && roots.every((root) => !root.querySelector(".lzu-numbers.lzu-stale"))"""
# Also whether the kernel has computed or rejected every state.
ANSWERED = f"""roots => ({DRAWN})(roots)
    && roots.every((root) => root.querySelector(".lzu-numbers").ariaBusy === "false")"""


def _wait_for(page: Scope, condition: str, failure: str) -> None:
    roots = page.locator(".lzu")
    wait_until(lambda: bool(roots.evaluate_all(condition)), failure)


def drawn(page: Scope) -> None:
    """Wait until the last change is drawn, in every view of every explorer."""
    _wait_for(page, DRAWN, "a change was not drawn")


def settled(page: Scope) -> None:
    """Wait until the last change is drawn and its result has arrived, in every explorer."""
    _wait_for(page, SETTLED, "a change was not drawn, or its result did not arrive")


def answered(page: Scope) -> None:
    """Wait until the kernel has computed or rejected the last change, in every explorer."""
    _wait_for(page, ANSWERED, "a change was neither computed nor rejected")


@contextmanager
def changing(lab: Lab, picture: Locator) -> Iterator[str]:
    """Expect that the block changes a picture: wait until it is drawn, and then for the change.

    Yields:
        The hash of the picture before.
    """
    drawn(lab.page)
    before = lab.picture_hash(picture)
    yield before
    lab.wait_for_change(picture, before)


def on_screen(box: dict[str, float], place: Place) -> Place:
    """Return the screen position of a place in [-1, 1] of a canvas."""
    x, y = place
    return box["x"] + (x + 1) / 2 * box["width"], box["y"] + (y + 1) / 2 * box["height"]


@contextmanager
def held(page: Page, canvas: Locator, start: Place, end: Place, steps: int = 8) -> Iterator[None]:
    """Drag from place to place of a canvas, and release at the end of the block."""
    box = at_rest(canvas)
    page.mouse.move(*on_screen(box, start))
    page.mouse.down()
    page.mouse.move(*on_screen(box, end), steps=steps)
    yield
    page.mouse.up()


def drag(page: Page, canvas: Locator, start: Place, end: Place) -> None:
    with held(page, canvas, start, end):
        pass


def expect_value(page: Scope, **values: str) -> None:
    """Expect values of controls, for example `fovea_x="0.1"`."""
    for label, value in values.items():
        expect(control(page, label.replace("_", " "))).to_have_value(value)


def expect_near(page: Scope, slack: float = 0.03, **values: float) -> None:
    """Expect values of controls, up to `slack`."""
    for label, value in values.items():
        _expect_near(control(page, label.replace("_", " ")), value, slack)


def _expect_near(slider: Locator, value: float, slack: float) -> None:
    expect(slider).to_be_visible()
    wait_until(
        lambda: abs(float(slider.input_value()) - value) <= slack,
        lambda: f"{slider} has the value {slider.input_value()}, not {value} +- {slack}",
    )


def complaints(lab: Lab) -> list[str]:
    """Return the errors so far, in cells and in the page."""
    return [*map(str, lab.cell_errors()), *lab.errors]
