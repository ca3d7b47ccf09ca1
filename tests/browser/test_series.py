"""The whole series in a real JupyterLab: each page opens, runs without error, and obeys a key."""

import re
from pathlib import Path

import pytest

from hands import at_rest, is_clean, settled, view
from lzu_viz.bench.lab import Lab

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parents[2] / "notebooks"
# The first page has a test of its own.
SERIES = [path.name for path in sorted(FOLDER.glob("*.ipynb")) if not path.name.startswith("00")]


@pytest.mark.parametrize("name", SERIES)
def test_a_page_runs_and_obeys(lab: Lab, name: str, screenshots: Path | None) -> None:
    """From top to bottom; then what is looked at is moved by the keyboard."""
    lab.open(name)
    lab.run_all()
    assert all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in lab.prompts())
    assert lab.cell_errors() == []
    page = lab.page
    source, zoomed = view(page, "source").first, view(page, "zoomed").first
    at_rest(page, source)
    settled(page)
    if screenshots:
        lab.screenshot(screenshots / f"{name[:2]}.png")
    before = lab.picture_hash(zoomed)
    for _ in range(4):
        source.press("Shift+ArrowLeft")
    lab.wait_for_change(zoomed, before)
    settled(page)
    if screenshots:
        lab.screenshot(screenshots / f"{name[:2]}-moved.png")
    assert is_clean(lab)
