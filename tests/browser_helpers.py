"""Helpers of the browser tests: operate explorers in a page, and wait for their updates."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Frame, FrameLocator, Locator, Page, ViewportSize, expect

from lzu_viz.bench.browser.lab import ACTION_MS, Lab, LabServer, at_rest, wait_until

VIEWPORT: ViewportSize = {"width": 1400, "height": 1000}
SHARED_NOTEBOOK = "shared-explorer.ipynb"
"""Its kernel is not shut down after each test: several tests of a file use the same page."""
AXE = Path(__file__).parent / "front/node_modules/axe-core/axe.min.js"
STALE = re.compile("lzu-stale")
Place = tuple[float, float]
Scope = Page | Locator | FrameLocator
"""Part of a page that is searched for explorers."""


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
    )
    nbformat.write(notebook, path)


def open_cells(lab: Lab, server: LabServer, *cells: str, name: str = "explorer.ipynb") -> None:
    """Run cells in a new notebook, and wait until the first explorer shows its prediction."""
    write_notebook(server.root / name, *cells)
    lab.open(name)
    run_cells(lab)


def run_cells(lab: Lab) -> None:
    """Run all cells again, and wait until the first explorer shows its prediction."""
    lab.run_all()
    expect(numbers(lab.page).first).to_contain_text("Peak magnification")
    wait_until_settled(lab.page)


def view(page: Scope, name: str) -> Locator:
    """Return the canvas of a view."""
    return page.locator(f'canvas[data-view="{name}"]')


def control(page: Scope, label: str) -> Locator:
    """Return the input element with a label."""
    return page.locator(".lzu-control", has_text=re.compile(f"^{label}")).locator("input, select")


def numbers(page: Scope) -> Locator:
    return page.locator(".lzu-numbers")


def summary(page: Scope) -> Locator:
    return page.locator(".lzu-summary")


def message(page: Scope) -> Locator:
    return page.locator(".lzu-message")


# Whether every explorer shows its last change in all its views; false where there is none yet.
DRAWN = """roots => roots.length > 0 && roots.every((root) => {
    const views = [...root.querySelectorAll("canvas:not(.lzu-curve)")];
    return views.every((canvas) => canvas.dataset.revision === root.dataset.revision);
})"""
# Whether, in addition, the last result of the kernel belongs to this change.
SETTLED = f"""roots => ({DRAWN})(roots)
    && roots.every((root) => !root.querySelector(".lzu-numbers.lzu-stale"))"""
# Whether, in addition, the kernel has answered every message, if only by an error.
ANSWERED = f"""roots => ({DRAWN})(roots)
    && roots.every((root) => root.querySelector(".lzu-numbers").ariaBusy === "false")"""


# What decides whether an explorer is drawn and answered, for the message of a failure.
DETAILS = """roots => roots.map((root) => [
    root.dataset.revision,
    [...root.querySelectorAll("canvas:not(.lzu-curve)")].map((canvas) => canvas.dataset.revision),
    root.querySelector(".lzu-numbers")?.className,
    root.querySelector(".lzu-message")?.textContent,
])"""
PATIENCE = 3
"""A page whose kernel has just run a whole notebook may take several times the usual time."""


def _wait_for(page: Scope, condition: str, failure: str) -> None:
    roots = page.locator(".lzu")
    for attempt in range(PATIENCE):
        try:
            wait_until(
                lambda: bool(roots.evaluate_all(condition)),
                lambda: f"{failure}: {roots.evaluate_all(DETAILS)}",
            )
        except TimeoutError:
            if attempt == PATIENCE - 1:
                raise
        else:
            return


def wait_until_drawn(page: Scope) -> None:
    """Wait until the last change is drawn, in every view of every explorer."""
    _wait_for(page, DRAWN, "a change was not drawn")


def wait_until_settled(page: Scope) -> None:
    """Wait until the last change is drawn and the kernel has answered it, in every explorer."""
    _wait_for(page, SETTLED, "a change was not drawn and answered")


def wait_until_answered(page: Scope) -> None:
    """Wait until the kernel has sent a result or an error, in every explorer."""
    _wait_for(page, ANSWERED, "a change was neither answered nor refused")


@contextmanager
def changing(lab: Lab, picture: Locator) -> Iterator[str]:
    """Wait until a picture is drawn before the block, and until it has changed after the block.

    Yields:
        The hash of the picture before.
    """
    wait_until_drawn(lab.page)
    before = lab.picture_hash(picture)
    yield before
    lab.wait_for_change(picture, before)


def on_screen(box: dict[str, float], point: Place) -> Place:
    """Return the screen position of a point in [-1, 1] of a canvas."""
    x, y = point
    return box["x"] + (x + 1) / 2 * box["width"], box["y"] + (y + 1) / 2 * box["height"]


@contextmanager
def dragging(
    page: Page, canvas: Locator, start: Place, end: Place, steps: int = 8
) -> Iterator[None]:
    """Drag from point to point of a canvas, and release the button at the end of the block."""
    box = at_rest(canvas)
    page.mouse.move(*on_screen(box, start))
    page.mouse.down()
    page.mouse.move(*on_screen(box, end), steps=steps)
    yield
    page.mouse.up()


def drag(page: Page, canvas: Locator, start: Place, end: Place) -> None:
    with dragging(page, canvas, start, end):
        pass


def expect_value(page: Scope, **values: str) -> None:
    """Expect values of controls, by label: `fovea_x="0.1"`."""
    for label, value in values.items():
        expect(control(page, label.replace("_", " "))).to_have_value(value)


def expect_near(page: Scope, slack: float = 0.03, **values: float) -> None:
    """Expect values of controls, by label, within `slack`."""
    for label, value in values.items():
        _expect_near(control(page, label.replace("_", " ")), value, slack)


def _expect_near(slider: Locator, value: float, slack: float) -> None:
    expect(slider).to_be_visible()
    wait_until(
        lambda: abs(float(slider.input_value()) - value) <= slack,
        lambda: f"{slider} has the value {slider.input_value()}, not {value} +- {slack}",
    )


def all_errors(lab: Lab) -> list[str]:
    """Return all errors so far, in cells and in the page."""
    return [*map(str, lab.cell_errors()), *lab.errors]


def expect_contrast(root: Locator, selector: str = "") -> None:
    """Wait until all text has at least the contrast that WCAG 2.2 asks for at level AA.

    Args:
        root: element that holds the text.
        selector: of the elements with text; by default all that hold text themselves.
    """
    wait_until(
        lambda: root.evaluate(CONTRAST, selector) >= 4.5,
        lambda: f"the lowest contrast of any text is {root.evaluate(CONTRAST, selector):.2f}",
    )


# The lowest contrast of any text with its background.
CONTRAST = """(root, selector) => {
    const rgba = (text) => {
        const numbers = text.match(/[\\d.]+/g).map(Number);
        return numbers.length === 3 ? [...numbers, 1] : numbers;
    };
    const luminance = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map((c) => {
            c /= 255;
            return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const ground = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] > 0.99) return colour;
        }
        return [255, 255, 255, 1];
    };
    const holdsText = (e) =>
        [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    const chosen = selector
        ? [...root.querySelectorAll(selector)]
        : [...root.querySelectorAll("*")].filter(holdsText);
    const texts = chosen.filter((e) => e.offsetParent);
    return Math.min(...texts.map((e) => {
        const pair = [rgba(getComputedStyle(e).color), ground(e)].map(luminance);
        return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    }));
}"""


def serious_violations(page: Page | Frame, scope: str = "html") -> list[str]:
    """Return what axe-core finds serious or critical within the elements of a selector."""
    page.add_script_tag(path=AXE)
    found: dict[str, Any] = page.evaluate(
        "scope => axe.run({ include: [scope] }, { resultTypes: ['violations'] })", scope
    )
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@contextmanager
def opened(browser: Browser, address: str, init: str = "", **options: Any) -> Iterator[Page]:
    """Yield a page, and expect no errors and no request to another host.

    Args:
        browser: to open it in.
        address: of the page.
        init: script that runs before those of the page.
        options: of the browser's context.
    """
    with browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options}) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.add_init_script(init)
        page.goto(address)
        yield page
        assert errors == []
        own = ("data:", "blob:", address.rsplit("/", 1)[0])
        assert [url for url in requests if not url.startswith(own)] == []
