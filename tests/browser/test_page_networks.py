"""Tests of pages without a kernel in which the pretrained networks run."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from browser_helpers import (
    control,
    drag,
    expect_near,
    numbers,
    opened,
    summary,
    view,
    wait_until_settled,
)
from lzu_viz import images
from lzu_viz.bench.browser.file_server import served
from lzu_viz.datasets.scenes import SCENES
from lzu_viz.widgets import Explorer, explore, to_html

pytestmark = pytest.mark.browser

LOADED_MS = 60_000
RUNNING = "The networks run in this page"
ISOLATING = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""Headers that let a page use several threads."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, network_files: Path) -> Path:
    """Return a folder with a page and its networks."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(network_files, folder / "networks")
    to_html(explorer(), folder / "page.html", networks=True)
    return folder


def explorer() -> Explorer:
    """Return the explorer of a scene in which zooming finds the person."""
    return Explorer(SCENES["temple"]())


def status(page: Page, text: str) -> None:
    """Wait until the page says whether the networks run."""
    expect(page.locator("#lzu-networks")).to_contain_text(text, timeout=LOADED_MS)


@pytest.mark.parametrize("name", ["segmenter", "detector"])
def test_networks_answer_as_the_kernel_does(
    browser: Browser, site: Path, name: str, screenshots: Path | None
) -> None:
    made = explorer()
    start = made.state
    with served(site) as address, opened(browser, f"{address}/page.html") as page:
        status(page, RUNNING)
        control(page, "network").select_option(name)
        expect(summary(page)).to_contain_text("IoU", timeout=LOADED_MS)
        drag(page, view(page, "source"), (0.2, 0.4), (-0.5, -0.3))
        wait_until_settled(page)
        control(page, "fovea x").fill("0.16")
        control(page, "fovea y").fill("0.36")
        expect_near(page, fovea_x=0.16, fovea_y=0.36)
        wait_until_settled(page)
        if screenshots:
            page.screenshot(path=screenshots / f"page_networks_{name}.png", full_page=True)
        state = replace(start, network=name).at(x=0.16, y=0.36)
        scene = made.ground_truth
        assert scene is not None
        photo = images.load(made._photo)
        expected = explore(photo, state, replace(scene, image=photo))
        assert expected.uniform.iou is not None
        assert expected.zoom.iou is not None
        line = f"uniform {expected.uniform.iou:.2f}, zoom and unzoom {expected.zoom.iou:.2f}"
        expect(numbers(page)).to_contain_text(line)


def test_a_single_file_runs_the_networks_from_a_disk(browser: Browser, tmp_path: Path) -> None:
    path = to_html(explorer(), tmp_path / "page.html", networks=True, single_file=True)
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_size == pytest.approx(15.5e6, abs=0.3e6)  # as the README says
    with opened(browser, path.as_uri()) as page:
        status(page, RUNNING)
        drag(page, view(page, "source"), (0.2, 0.4), (-0.5, -0.3))
        wait_until_settled(page)
        expect(summary(page)).to_contain_text("Found by neither")


def test_networks_run_on_several_threads_of_an_isolated_page(browser: Browser, site: Path) -> None:
    with (
        served(site, ISOLATING) as address,
        opened(browser, f"{address}/page.html") as page,
    ):
        assert page.evaluate("crossOriginIsolated")
        status(page, RUNNING)
        drag(page, view(page, "source"), (0.2, 0.4), (-0.5, -0.3))
        wait_until_settled(page)
        expect(summary(page)).to_contain_text("Found by neither")


@pytest.mark.parametrize("damage", ["missing", "other", "no WebAssembly", "disk"])
def test_without_networks_prepared_predictions_remain(
    browser: Browser, site: Path, tmp_path: Path, damage: str
) -> None:
    """Check that a sentence says why, and that controls without effect are hidden."""
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    model = folder / "networks/segmenter.onnx"
    reason = {
        "missing": "segmenter.onnx cannot be fetched: 404",
        "other": "segmenter.onnx is not the file that the page was made with",
        "no WebAssembly": "this browser has no WebAssembly",
        "disk": "Failed to fetch",
    }[damage]
    if damage == "missing":
        model.unlink()
    elif damage == "other":
        model.write_bytes(bytes(len(model.read_bytes())))
    init = "delete globalThis.WebAssembly" if damage == "no WebAssembly" else ""
    with served(folder) as address:
        base = folder.as_uri() if damage == "disk" else address
        with opened(browser, f"{base}/page.html", init) as page:
            status(page, f"The networks cannot run here ({reason}")
            expect(control(page, "network")).to_be_hidden()
            expect(summary(page)).to_contain_text("Found by zooming")
            drag(page, view(page, "source"), (0.2, 0.4), (-0.5, -0.3))
            expect(summary(page)).to_contain_text("predictions for the zoomed picture exist for")
            page.get_by_role("button", name="start").click()
            expect(summary(page)).to_contain_text("Found by zooming")


def test_own_photo_is_shown_and_stays_on_the_device(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    """Check the prediction for a photo, that nothing is sent, and the way back."""
    photo = tmp_path / "photo.png"
    Image.new("RGB", (300, 200), "olive").save(photo)
    with served(site) as address, opened(browser, f"{address}/page.html") as page:
        status(page, RUNNING)
        wait_until_settled(page)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        page.locator("input[type=file]").set_input_files(photo)
        expect(summary(page)).to_have_text(re.compile(r"Mask of the image: uniform 0\.0%"))
        assert set(sent) <= {"GET"}
        control(page, "network").select_option("detector")
        expect(summary(page)).to_contain_text("Boxes found: uniform 0", timeout=LOADED_MS)
        page.get_by_role("button", name="Back").click()
        expect(summary(page)).to_contain_text("better by zooming")


def test_networks_start_only_in_view(browser: Browser, site: Path) -> None:
    """A page far below the fold loads no network until it is scrolled to."""
    frame = '<div style="height: 5000px">Above</div><iframe src="page.html" height="900"></iframe>'
    (site / "around.html").write_text(frame)
    with served(site) as address, opened(browser, f"{address}/around.html") as page:
        inner = page.frame_locator("iframe")
        expect(inner.locator("#lzu-explorer canvas").first).to_be_attached()
        loaded: list[str] = []
        page.on("request", lambda request: loaded.append(request.url))
        page.wait_for_timeout(500)
        assert not any("networks/" in url for url in loaded)
        page.locator("iframe").scroll_into_view_if_needed()
        expect(inner.locator("#lzu-networks")).to_contain_text(RUNNING, timeout=LOADED_MS)
        assert any("networks/" in url for url in loaded)
