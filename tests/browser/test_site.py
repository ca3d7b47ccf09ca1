"""Tests of the site: offline build without warnings, explorers, pages of the API."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Browser, ViewportSize, expect

from browser_helpers import (
    VIEWPORT,
    control,
    drag,
    view,
    wait_until,
    wait_until_drawn,
)
from docs import __main__ as site
from docs import source
from lzu_viz.bench.browser.file_server import served
from lzu_viz.bench.browser.lab import ACTION_MS
from lzu_viz.widgets import State, explorer_pages

# Not all need a browser, but all read one site, which takes a minute to build.
pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
DARK = "rgb(19, 20, 22)"
"""Background of an explorer's page in the dark theme."""

FORMULA = r"The place $T(p')$ is $$T(p) = \frac{\sum_{p'} S(p')\,p'}{\sum_{p'} S(p')}$$"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a site of one small notebook with an explorer and of the whole library."""
    folder = tmp_path_factory.mktemp("site")
    cells = [
        new_markdown_cell(f"# 00 · A page\n\n{FORMULA}\n\n[Glossary](GLOSSARY.md)"),
        new_code_cell(
            "from lzu_viz.datasets.scenes import far_person\nfrom lzu_viz.widgets import Explorer\n"
            'Explorer(far_person(height=0.3, size=(120, 180)), views=("source", "zoomed"))'
        ),
        new_code_cell("1 + 1"),
    ]
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    nbformat.write(new_notebook(cells=cells), notebooks / "00_page.ipynb")
    (notebooks / "README.md").write_text("# The notebooks\n\n[00](00_page.ipynb)\n")
    (notebooks / "GLOSSARY.md").write_bytes((ROOT / "notebooks/GLOSSARY.md").read_bytes())
    (notebooks / "explorer.jpg").write_bytes((ROOT / "notebooks/explorer.jpg").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "NOTEBOOKS", notebooks)
        index = (source.HERE / "index.md").read_text()
        here = folder / "here"
        here.mkdir()
        (here / "index.md").write_text(index)
        for name in ("conf.py", "live.md"):
            (here / name).write_bytes((source.HERE / name).read_bytes())
        patch.setattr(source, "HERE", here)
        assert site.build(folder / "out", "someone/lzu_viz") == 0
    return folder / "out"


class Links(HTMLParser):
    """Parser that collects the addresses of the resources that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.loaded.append(attributes.get("src") or "")
        if tag == "link" and attributes.get("rel") in ("stylesheet", "preload", "icon"):
            self.loaded.append(attributes.get("href") or "")


def test_pages_load_local_resources_only(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        links = Links()
        links.feed(page.read_text(encoding="utf-8"))
        for address in links.loaded:
            assert not re.match(r"(https?:)?//", address), (page, address)
            # Sphinx writes `#` for a reference to the page itself.
            if address and not address.startswith(("data:", "#")):
                assert (page.parent / address.split("?")[0]).is_file(), (page, address)


def test_page_of_a_notebook_contains_its_explorer(built: Path) -> None:
    page = (built / "notebooks/00_page.html").read_text(encoding="utf-8")
    assert page.count('class="lzu-explorer"') == 1
    explorer = (built / "notebooks/_explorers/00_page-1.html").read_text(encoding="utf-8")
    assert all(title in explorer for title in explorer_pages.states_of(State()))
    assert "explorers_as_pages" not in page  # the cell that is run before the notebook is not shown


PIXELS = "canvas => canvas.toDataURL()"


def test_explorer_can_be_dragged_without_a_kernel(built: Path, browser: Browser) -> None:
    with browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        page.goto((built / "notebooks/00_page.html").as_uri())
        frame = page.frame_locator("iframe.lzu-explorer")
        zoomed, across = view(frame, "zoomed"), control(frame, "fovea x")
        wait_until_drawn(frame)
        before, place = zoomed.evaluate(PIXELS), across.input_value()
        drag(page, view(frame, "source"), (0.0, 0.0), (-0.6, 0.4))
        expect(across).not_to_have_value(place)
        wait_until(lambda: zoomed.evaluate(PIXELS) != before, "the picture did not change")


def test_networks_run_in_the_explorers_of_the_site(
    built: Path, browser: Browser, screenshots: Path | None
) -> None:
    with served(built) as address, browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        page.goto(f"{address}/notebooks/00_page.html")
        frame = page.frame_locator("iframe.lzu-explorer")
        frame.locator("#lzu-explorer").scroll_into_view_if_needed()
        status = frame.locator("#lzu-networks")
        expect(status).to_contain_text("The networks run in this page")
        control(frame, "network").select_option("detector")
        drag(page, view(frame, "source"), (0.0, 0.0), (-0.6, 0.4))
        expect(frame.locator(".lzu-summary")).to_contain_text("IoU")
        if screenshots:
            page.screenshot(path=screenshots / "site_networks.png", full_page=True)


SCROLL_TO_READ = """section => scrollBy(
    0, section.getBoundingClientRect().top - 0.55 * innerHeight
)"""
"""Scroll a step to the lower half of the window; in narrow ones, the picture covers the upper."""


def test_front_page_tells_its_story_in_five_steps(
    built: Path, browser: Browser, screenshots: Path | None
) -> None:
    """Check that the same picture changes with each step, and that its description does."""
    with browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        page.goto((built / "index.html").as_uri())
        canvas, sections = page.locator("#lzu-story canvas"), page.locator("#lzu-story section")
        expect(sections).to_have_count(5)
        pictures, descriptions = set(), set()
        for step in range(5):
            sections.nth(step).evaluate(SCROLL_TO_READ)
            expect(canvas).to_have_attribute("data-shown", str(step))
            pictures.add(canvas.evaluate(PIXELS))
            descriptions.add(canvas.get_attribute("aria-label"))
            if screenshots:
                page.screenshot(path=screenshots / f"story_{step}.png")
        assert len(pictures) == len(descriptions) == 5
        sections.first.evaluate(SCROLL_TO_READ)
        expect(canvas).to_have_attribute("data-shown", "0")


def test_story_has_the_numbers_of_the_explorer_above_it(built: Path, browser: Browser) -> None:
    with browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.goto((built / "index.html").as_uri())
        summary = page.frame_locator("iframe.lzu-explorer").locator(".lzu-summary")
        expect(summary).to_contain_text("IoU")
        before, after = re.findall(r"\d\.\d\d", summary.inner_text())
        last = page.locator("#lzu-story section").last
        expect(last).to_contain_text(f"IoU {after} in place of {before}")


@pytest.mark.parametrize("width", [390, 768, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_front_page_fits_the_window(
    built: Path, browser: Browser, screenshots: Path | None, width: int, scheme: str
) -> None:
    size: ViewportSize = {"width": width, "height": 900}
    with browser.new_context(viewport=size) as context:
        page = context.new_page()
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto((built / "index.html").as_uri())
        frame = page.frame_locator("iframe.lzu-explorer")
        wait_until_drawn(frame)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        if screenshots:
            page.screenshot(path=screenshots / f"front_{width}_{scheme}.png")
        page.locator("#lzu-story section").nth(2).evaluate(SCROLL_TO_READ)
        expect(page.locator("#lzu-story canvas")).to_have_attribute("data-shown", "2")
        # It sticks to the top, also in narrow windows.
        expect(page.locator("#lzu-story canvas")).to_be_in_viewport()


def test_numbers_on_the_page_on_film_are_the_stored_ones(built: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (built / "live.html").read_text(encoding="utf-8"))
    recall = source.film_recall()
    assert f"where uniform downsampling finds {100 * recall['uniform', 192]:.0f} %" in text
    assert f"finds {100 * recall['gentle', 192]:.0f} % of the people" in text
    assert not re.search(r"\{\w+ \d+\}", text)


def test_film_is_on_a_page_of_the_site(built: Path, browser: Browser) -> None:
    with served(built) as address, browser.new_context(viewport=VIEWPORT) as context:
        page = context.new_page()
        page.set_default_timeout(ACTION_MS)
        page.goto(f"{address}/live.html")
        root = page.frame_locator("iframe.lzu-explorer").locator(".lzu-live")
        expect(root).to_have_attribute("data-state", "playing")
        expect(root.locator(".lzu-times caption")).to_contain_text("frames a second")


HEIGHT_OF_EXPLORER = """root => {
    const edges = [".lzu-head", "canvas[data-view=source]", "canvas[data-view=zoomed]", ".lzu-main"]
        .map((part) => root.querySelector(part).getBoundingClientRect());
    const bottom = Math.max(...edges.map((edge) => edge.bottom));
    return bottom - Math.min(...edges.map((edge) => edge.top));
}"""
"""Height of what is to be in view together: the sentence, both pictures and the main controls."""


@pytest.mark.parametrize("size", [(1400, 900), (1024, 700), (390, 844)])
def test_explorer_in_the_column_of_a_page_is_no_higher_than_the_window(
    built: Path, browser: Browser, screenshots: Path | None, size: tuple[int, int]
) -> None:
    width, height = size
    with (
        served(built) as address,
        browser.new_context(viewport={"width": width, "height": height}) as context,
    ):
        page = context.new_page()
        page.goto(f"{address}/notebooks/00_page.html")
        frame = page.frame_locator("iframe.lzu-explorer")
        wait_until_drawn(frame)
        root = frame.locator(".lzu")
        wait_until(
            lambda: root.evaluate(HEIGHT_OF_EXPLORER) <= height,
            lambda: f"it is {root.evaluate(HEIGHT_OF_EXPLORER):.0f} pixels high",
        )
        if screenshots:
            page.locator("iframe.lzu-explorer").scroll_into_view_if_needed()
            page.screenshot(path=screenshots / f"site-{width}.png")


def test_explorer_is_as_dark_as_the_page_around_it(
    built: Path, browser: Browser, screenshots: Path | None
) -> None:
    """Check by the colours that are seen, in the frame and on its own page."""
    with (
        served(built) as address,
        browser.new_context(viewport=VIEWPORT, color_scheme="dark") as context,
    ):
        page = context.new_page()
        page.goto(f"{address}/notebooks/00_page.html")
        body = page.frame_locator("iframe.lzu-explorer").locator("body")
        wait_until_drawn(page.frame_locator("iframe.lzu-explorer"))
        # The theme that the site's button chooses goes before the system's.
        for theme, is_dark in (("light", False), ("dark", True), ("auto", True), ("light", False)):
            page.evaluate("theme => { document.body.dataset.theme = theme }", theme)
            expect(body).to_have_css("background-color", DARK if is_dark else "rgba(0, 0, 0, 0)")
            if screenshots:
                page.screenshot(path=screenshots / f"site-{theme}.png")
        (explorer,) = built.glob("notebooks/_explorers/*.html")
        page.goto(f"{address}/{explorer.relative_to(built)}")
        expect(page.locator("body")).to_have_css("background-color", DARK)
        page.emulate_media(color_scheme="light")
        expect(page.locator("body")).to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_a_page_links_the_glossary(built: Path) -> None:
    page = (built / "notebooks/00_page.html").read_text(encoding="utf-8")
    assert re.search(r'<a [^>]*href="GLOSSARY\.html"[^>]*><span[^>]*>Glossary</span></a>', page)
    assert (built / "notebooks/GLOSSARY.html").is_file()


def test_formulas_are_written_in_mathml(built: Path) -> None:
    page = (built / "notebooks/00_page.html").read_text(encoding="utf-8")
    assert page.count("<math") == 2
    assert 'display="block"' in page
    assert "<mfrac>" in page


def test_launch_button_links_the_notebook_on_binder(built: Path) -> None:
    page = (built / "notebooks/00_page.html").read_text(encoding="utf-8")
    address = "https://mybinder.org/v2/gh/someone/lzu_viz/HEAD?urlpath=lab/tree/notebooks/00_page"
    assert address in page
    assert "mybinder.org" not in (built / "api/lzu_viz.geometry.warp.html").read_text(
        encoding="utf-8"
    )


def test_each_module_has_its_page_with_its_docstrings(built: Path) -> None:
    names = set(source.public_modules())
    assert {"lzu_viz", "lzu_viz.geometry.warp", "lzu_viz.widgets.explorer"} <= names
    assert not any(name.startswith(("lzu_viz.bench", "lzu_viz._")) for name in names)
    for name in names:
        assert (built / f"api/{name}.html").is_file()
    page = (built / "api/lzu_viz.geometry.warp.html").read_text(encoding="utf-8")
    assert 'id="lzu_viz.geometry.warp.Warp.unzoom"' in page
    assert "Return features resampled to the source frame" in page


def test_states_of_varies_the_strength() -> None:
    for state in (State(), State(strength=0), State(strength=1)):
        assert {shown.strength for shown in explorer_pages.states_of(state).values()} == {
            state.strength,
            0,
            state.strength // 2,
        }


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://github.com/someone/lzu_viz.git", "someone/lzu_viz"),
        ("git@github.com:some-one/lzu.viz.git", "some-one/lzu.viz"),
        ("/srv/git/lzu_viz", ""),
        ("", ""),
    ],
)
def test_repository_is_read_from_the_git_remote(
    monkeypatch: pytest.MonkeyPatch, origin: str, name: str
) -> None:
    process = type("Run", (), {"stdout": origin + "\n"})()
    monkeypatch.setattr(site.subprocess, "run", lambda *_, **__: process)
    assert site.repository() == name
