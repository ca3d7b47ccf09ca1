"""Tests of the page on film, with a film and with a camera."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from browser_helpers import drag, opened
from lzu_viz import Uniform
from lzu_viz.bench.browser.file_server import served
from lzu_viz.bench.browser.lab import CHROMIUM_FLAGS
from lzu_viz.datasets.video_files import COURTYARD, frames
from lzu_viz.datasets.video_writer import VideoWriter
from lzu_viz.models import network
from lzu_viz.plots import panels
from lzu_viz.widgets import live_to_html
from lzu_viz.widgets.live_page import SCORE

pytestmark = pytest.mark.browser

LOADED_MS = 60_000
PERSON = 0

FAILING_CAMERA = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NAME"); };
"""

HIDING = """
let isHidden = false;
Object.defineProperty(document, "hidden", { get: () => isHidden });
globalThis.hide = (value) => {
  isHidden = value;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, network_files: Path) -> Path:
    """Return a folder with the page, and its networks beside it."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "networks").symlink_to(network_files)
    live_to_html(folder / "live.html", networks=True)
    return folder


@pytest.fixture(scope="module")
def camera(
    browser: Browser, chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Yield a browser whose camera sees a film."""
    film = tmp_path_factory.mktemp("camera") / "film.mjpeg"
    with film.open("wb") as file:
        for frame in frames(COURTYARD)[:60:2]:
            picture = io.BytesIO()
            panels.picture(frame).save(picture, "JPEG")
            file.write(picture.getvalue())
    flags = [
        *CHROMIUM_FLAGS,
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with browser.browser_type.launch(executable_path=chromium, args=flags) as other:
        yield other


@contextmanager
def live(browser: Browser, site: Path, init: str = "", still: bool = False) -> Iterator[Page]:
    """Yield the page on film: as it plays, or its first frame for who wants less motion."""
    options = {"reduced_motion": "reduce" if still else "no-preference"}
    with (
        served(site) as address,
        opened(browser, f"{address}/live.html", init, **options) as page,
    ):
        state = "paused" if still else "playing"
        expect(root(page)).to_have_attribute("data-state", state, timeout=LOADED_MS)
        yield page


def root(page: Page) -> Locator:
    """Return the element of the page that tells its state."""
    return page.locator(".lzu-live")


def frame_count(page: Page) -> int:
    """Return the number of frames that have been shown."""
    return int(root(page).get_attribute("data-frames") or 0)


def wait_for_frames(page: Page, more: int = 1) -> None:
    """Wait until more frames have been shown."""
    page.wait_for_function(
        "count => Number(document.querySelector('.lzu-live').dataset.frames) >= count",
        arg=frame_count(page) + more,
    )


def press(page: Page, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()


def test_film_plays_and_pauses(browser: Browser, site: Path, screenshots: Path | None) -> None:
    with live(browser, site) as page:
        wait_for_frames(page, 5)
        expect(page.locator(".lzu-times caption")).to_contain_text("frames a second")
        if screenshots:
            page.screenshot(path=screenshots / "live.png", full_page=True)
        press(page, "❚❚ Pause")
        expect(root(page)).to_have_attribute("data-state", "paused")
        expect(page.locator(".lzu-times caption")).to_have_text("Paused")
        expect(page.locator(".lzu-timeline")).to_have_attribute(
            "aria-label", re.compile(r"people in each of the last \d+ frames")
        )
        press(page, "▶ Play")
        wait_for_frames(page, 2)


RECORD_SHADES = """() => new Promise((resolve) => {
    const root = document.querySelector(".lzu-live");
    const shade = (selector) => {
        const canvas = root.querySelector(selector);
        const [x, y] = [canvas.width / 2, canvas.height / 2];
        return canvas.getContext("2d").getImageData(x, y, 1, 1).data[0];
    };
    const pairs = [];
    new MutationObserver((_, observer) => {
        pairs.push([shade("[data-view=uniform]"), shade(".lzu-input")]);
        if (pairs.length < 12) return;
        observer.disconnect();
        resolve(pairs);
    }).observe(root, { attributeFilter: ["data-frames"] });
})"""
"""The shade of the shown frame and that of the input of the network, in twelve drawings."""


def test_frame_and_boxes_belong_together(browser: Browser, site: Path, tmp_path: Path) -> None:
    """The frame that is shown is that which the network saw, not the one after it."""
    film = tmp_path / "film.webm"
    with VideoWriter(film, 10) as writer:
        for index in range(40):
            writer.add(Image.new("RGB", (320, 240), ("black", "white")[index % 2]))
    with live(browser, site, still=True) as page:
        page.locator("input[type=file]").set_input_files(film)
        expect(page.locator(".lzu-credit")).to_be_hidden()  # it is that of the other film
        press(page, "▶ Play")
        pairs = page.evaluate(RECORD_SHADES)
    assert all(abs(shown - seen) < 60 for shown, seen in pairs)
    assert {shown > 128 for shown, _ in pairs} == {True, False}


def test_frames_are_noticed_by_their_time_in_older_browsers(browser: Browser, site: Path) -> None:
    init = "delete HTMLVideoElement.prototype.requestVideoFrameCallback"
    with live(browser, site, init) as page:
        wait_for_frames(page, 3)


def test_first_frame_is_predicted_as_in_python(browser: Browser, site: Path) -> None:
    """Who has asked for less motion sees the first frame; its boxes are those of Python."""
    detector = network("detector")
    uniform = Uniform.from_network(detector, size=(192, 256))
    (found,) = uniform.detect(
        frames(COURTYARD)[0],
        lambda *arguments, **options: detector.decode(*arguments, **options, threshold=SCORE),
    )
    scores = found.scores[found.labels == PERSON].tolist()
    assert scores
    with live(browser, site, still=True) as page:
        canvas = page.locator('canvas[data-view="uniform"]')
        expect(canvas).to_have_attribute("aria-label", re.compile("person"))
        label = canvas.get_attribute("aria-label") or ""
        shown = [float(score) for score in re.findall(r"person (\d\.\d\d)", label)]
        # The browser's conversion of colours differs a little from that of Python's reader.
        assert shown == pytest.approx(scores, abs=0.05)


def test_the_place_of_the_zoom_is_chosen_by_hand(browser: Browser, site: Path) -> None:
    with live(browser, site, still=True) as page:
        canvas = page.locator('canvas[data-view="zoom"]')
        zoomed = page.locator(".lzu-input").nth(1)
        before = zoomed.evaluate("canvas => canvas.toDataURL()")
        drag(page, canvas, (-0.4, -0.4), (0.4, 0.2))
        expect(page.locator(".lzu-summary")).to_contain_text("You chose the place")
        page.wait_for_function(
            "before => document.querySelectorAll('.lzu-input')[1].toDataURL() !== before",
            arg=before,
        )
        canvas.press("Escape")
        expect(page.locator(".lzu-summary")).not_to_contain_text("You chose the place")
        canvas.press("ArrowRight")
        expect(page.locator(".lzu-summary")).to_contain_text("You chose the place")
        press(page, "▶ Play")
        expect(page.locator(".lzu-summary")).not_to_contain_text("You chose the place")


def test_presets_and_controls_change_the_loop(browser: Browser, site: Path) -> None:
    with live(browser, site, still=True) as page:
        zoomed = page.locator(".lzu-input").first
        press(page, "Large input")
        expect(page.get_by_text("What is left to gain?")).to_be_visible()
        expect(zoomed).to_have_attribute("aria-label", re.compile("288 × 384"))
        press(page, "Strong zoom")
        expect(zoomed).to_have_attribute("aria-label", re.compile("192 × 256"))
        amplitude = page.get_by_label("Amplitude")
        expect(amplitude).to_have_attribute("aria-valuetext", "1")
        amplitude.fill("0")
        expect(amplitude).to_have_attribute("aria-valuetext", "0.03")
        strong = page.get_by_role("button", name="Strong zoom", exact=True)
        expect(strong).to_have_attribute("aria-pressed", "false")
        page.get_by_label("Input size").select_option("128 × 160")
        expect(zoomed).to_have_attribute("aria-label", re.compile("128 × 160"))


def test_camera_is_shown_and_switched_off(
    camera: Browser, site: Path, screenshots: Path | None
) -> None:
    with live(camera, site) as page:
        press(page, "Camera")
        expect(page.get_by_role("button", name="Camera off")).to_be_visible()
        wait_for_frames(page, 3)
        if screenshots:
            page.screenshot(path=screenshots / "live_camera.png", full_page=True)
        press(page, "Camera off")
        expect(page.locator(".lzu-message")).to_contain_text("The camera is off")
        expect(root(page)).to_have_attribute("data-state", "paused")
        expect(page.get_by_role("button", name="▶ Play")).to_be_disabled()
        press(page, "Courtyard")
        expect(page.locator(".lzu-message")).to_be_hidden()
        expect(root(page)).to_have_attribute("data-state", "playing")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NotAllowedError", "The camera was refused."),
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "Does another program use it?"),
        ("AbortError", "The camera cannot be used: no"),
    ],
)
def test_without_a_camera_a_sentence_says_why(
    browser: Browser, site: Path, name: str, text: str
) -> None:
    with live(browser, site, FAILING_CAMERA.replace("NAME", name)) as page:
        press(page, "Camera")
        expect(page.locator(".lzu-message")).to_contain_text(text)
        wait_for_frames(page)  # of the film, which goes on


def test_a_camera_that_is_pulled_out_leaves_its_last_frame(camera: Browser, site: Path) -> None:
    keep = """
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      globalThis.stream = await ask(wanted);
      return globalThis.stream;
    };
    """
    with live(camera, site, keep) as page:
        press(page, "Camera")
        expect(page.get_by_role("button", name="Camera off")).to_be_visible()
        wait_for_frames(page)
        page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
        expect(page.locator(".lzu-message")).to_contain_text("The camera was disconnected")
        expect(root(page)).to_have_attribute("data-state", "paused")


def test_own_film_is_played_and_a_file_that_is_none_is_refused(
    browser: Browser, site: Path, tmp_path: Path
) -> None:
    text = tmp_path / "words.webm"
    text.write_text("no film")
    with live(browser, site) as page:
        chooser = page.locator("input[type=file]")
        chooser.set_input_files(text)
        expect(page.locator(".lzu-message")).to_contain_text("words.webm cannot be played")
        wait_for_frames(page)
        chooser.set_input_files(COURTYARD)
        expect(page.locator(".lzu-message")).to_be_hidden()
        wait_for_frames(page)


def test_a_page_in_the_background_rests(browser: Browser, site: Path) -> None:
    with live(browser, site, HIDING) as page:
        wait_for_frames(page)
        page.evaluate("hide(true)")
        page.wait_for_timeout(2000)  # until the frame in progress is done
        before = frame_count(page)
        page.wait_for_timeout(1000)
        assert frame_count(page) == before
        page.evaluate("hide(false)")
        wait_for_frames(page, 2)


def test_missing_networks_are_named(browser: Browser, tmp_path: Path, network_files: Path) -> None:
    (tmp_path / "networks").symlink_to(network_files)
    live_to_html(tmp_path / "live.html", networks=True)
    (tmp_path / "networks").unlink()
    with served(tmp_path) as address, browser.new_page() as page:
        page.goto(f"{address}/live.html")
        expect(page.locator(".lzu-message")).to_contain_text(
            "The networks cannot run here: ort", timeout=LOADED_MS
        )
        expect(page.get_by_role("button", name="▶ Play")).to_be_disabled()


def test_controls_fit_a_phone(browser: Browser, site: Path, screenshots: Path | None) -> None:
    with live(browser, site, still=True) as page:
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_function("document.documentElement.scrollWidth <= 390")
        if screenshots:
            page.screenshot(path=screenshots / "live_phone.png", full_page=True)
