"""The player without a browser: results, messages, errors, the still picture.

A request of the page arrives as a change of the trait `_request`, which ipywidgets makes by calling
`set_state`. Messages to the page are collected, and waited for.
"""

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import Tensor

from in_node import run_node
from lzu_viz.adapters.called_network import CalledNetwork
from lzu_viz.datasets.video_files import Frames
from lzu_viz.experiments.films import STRONG, run
from lzu_viz.geometry.boxes import Detections
from lzu_viz.widgets import Player, PlayerResult, film_worker
from lzu_viz.widgets import player as module
from lzu_viz.widgets.film_worker import Request
from lzu_viz.widgets.front import FOLDER, PLAYER, modules

SIZE = (64, 96)
COUNT = 12
SECONDS = 30
"""Far longer than any message takes."""


def film(count: int = COUNT, rate: float | None = None) -> Any:
    """Return a film of a bright square that moves to the right."""
    frames = np.full((count, 200, 300, 3), 50, np.uint8)
    for index, image in enumerate(frames):
        image[90:110, 40 + 4 * index : 60 + 4 * index] = 255
    return frames


def detect(images: Tensor) -> list[Detections]:
    found = []
    for image in images:
        rows, columns = (image[0] > 0.6).nonzero().T
        if not len(rows):
            found.append(Detections(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0)))
            continue
        height, width = image.shape[-2:]
        edges = (columns.min() / width, rows.min() / height,
                 (columns.max() + 1) / width, (rows.max() + 1) / height)  # fmt: skip
        box = torch.stack(edges)[None] * 2 - 1
        # A second detection, of a class that is not followed.
        found.append(
            Detections(torch.cat([box, box]), torch.tensor([0, 1]), torch.tensor([0.9, 0.8]))
        )
    return found


def network(call: Callable[[Tensor], list[Detections]] = detect) -> CalledNetwork:
    return CalledNetwork(call, "detection", ["square", "other"])


class Page:
    """The page's side of a player: requests, and the messages that it is sent."""

    def __init__(self, player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
        self.player, self.serial = player, 0
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        self._arrived = threading.Condition()
        monkeypatch.setattr(player._worker, "_send", self._receive)

    def _receive(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        with self._arrived:
            self.messages.append((message, buffers))
            self._arrived.notify_all()

    def ask(self, frame: int, *wanted: int, seen: bool = False, known: int = 0) -> None:
        self.serial += 1
        request = {"serial": str(self.serial), "frame": frame, "wanted": list(wanted)}
        self.player.set_state({"_request": {**request, "seen": seen, "known": known}})

    def expect(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition returns something true, and return that."""
        with self._arrived:
            result = self._arrived.wait_for(condition, SECONDS)
        assert result, f"messages: {[message for message, _ in self.messages]}"
        return result

    def frames(self, answered: bool = True) -> list[int]:
        """Return the indices of the frames that were sent, with the zoom's results or without."""
        return [
            message["index"]
            for message, _ in self.messages
            if message["kind"] == "frame" and (message["zoom"] is not None) == answered
        ]

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [message for message, _ in self.messages if message["kind"] == kind]


@pytest.fixture
def player() -> Iterator[Player]:
    player = Player(film(), network(), size=SIZE, loop=STRONG, ahead=3)
    yield player
    player.close()


@pytest.fixture
def page(player: Player, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(player, monkeypatch)


# --- results -----------------------------------------------------------------------------------


def test_results_are_those_of_the_systems_in_order(player: Player) -> None:
    frames = [player.film[index] for index in range(5)]
    for name in ("uniform", "fovea"):
        expected = list(run(name, network(), frames, SIZE, STRONG))  # type: ignore[arg-type]
        for index in (4, 0, 3):
            actual = getattr(player.result(index), "uniform" if name == "uniform" else "zoom")
            torch.testing.assert_close(actual.detections, expected[index].detections)
            torch.testing.assert_close(actual.expected, expected[index].expected)
            if name == "fovea":
                torch.testing.assert_close(actual.warp.grid, expected[index].warp.grid)
    assert player.computed == 5
    assert isinstance(player.result(-1), PlayerResult)
    assert player.computed == COUNT
    for index in (COUNT, -COUNT - 1):
        with pytest.raises(IndexError, match=f"the film has {COUNT} frames, got index {index}"):
            player.result(index)


def test_lzu_and_a_frames_object(player: Player) -> None:
    assert isinstance(player.film, Frames)
    other = Player(player.film[::2], network(), "lzu", SIZE, STRONG, label=None)
    assert len(other.film) == COUNT // 2
    result = other.result(2)
    assert result.zoom.warp.separable
    assert len(result.zoom.expected) == 2  # of all classes
    other.close()


def test_a_long_wait_shows_its_progress(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    totals: list[int] = []

    def progress_bar(steps: Any, total: int) -> Iterator[int]:
        totals.append(total)
        yield from steps

    monkeypatch.setattr(module, "progress_bar", progress_bar)
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.0)
    player.result(3)
    assert totals == [4]
    player.result(3)
    assert totals == [4]


# --- messages ----------------------------------------------------------------------------------


def test_frames_are_sent_in_order_once_with_their_pictures(player: Player, page: Page) -> None:
    page.ask(0, 0, 1, 2)
    page.expect(lambda: page.frames() == [0, 1, 2])
    (message, buffers) = next(
        each for each in page.messages if each[0].get("index") == 2 and each[0]["zoom"]
    )
    pictures = [Image.open(io.BytesIO(buffer)) for buffer in buffers]
    assert [picture.size for picture in pictures] == [(300, 200), (96, 64), (96, 64)]
    ((edges, label),) = message["zoom"]["boxes"]  # of the class that is followed
    assert label == "square 0.90"
    zoom = player.result(2).zoom
    torch.testing.assert_close(
        torch.tensor(edges), zoom.detections.boxes[0], atol=1e-5, rtol=0, check_dtype=False
    )
    torch.testing.assert_close(
        torch.tensor(message["zoom"]["expected"]), zoom.expected, atol=1e-5, rtol=0
    )
    assert zoom.warp.axes is not None
    for axis, values in zip(zoom.warp.axes, "xy", strict=True):
        torch.testing.assert_close(
            torch.tensor(message["zoom"][values]), axis[0], atol=1e-5, rtol=0
        )
    # The zoomed picture is the network's input, up to the loss of a JPEG.
    zoomed = zoom.warp.zoom(player.film[2], SIZE)[0].permute(1, 2, 0).numpy()
    assert abs(np.asarray(pictures[2]) / 255 - zoomed).mean() < 0.02
    assert abs(np.asarray(pictures[1]) / 255 - zoomed).mean() > 0.02


def test_some_frames_are_computed_in_advance_and_no_more(player: Player, page: Page) -> None:
    page.ask(2, 2)
    page.expect(lambda: page.frames() == [2] and player.computed == 6)
    page.expect(lambda: sum(len(each["zoom"]) for each in page.of_kind("progress")) >= 6)
    page.ask(3, 3, known=6)
    page.expect(lambda: page.frames() == [2, 3] and player.computed == 7)
    # What is not asked for any longer is not sent.
    page.ask(3, seen=True, known=7)
    page.ask(4, 4, seen=True, known=7)
    page.expect(lambda: page.frames() == [2, 3, 4])


def test_numbers_of_detections_are_reported(page: Page) -> None:
    page.ask(0, 0)
    page.expect(lambda: sum(len(each["zoom"]) for each in page.of_kind("progress")) == 4)
    for report in page.of_kind("progress"):
        assert set(report["uniform"]) == set(report["zoom"]) == {1}
    # A new page, which knows nothing, is told everything.
    page.messages.clear()
    page.ask(0, seen=True)
    page.expect(lambda: [each["start"] for each in page.of_kind("progress")] == [0])


def test_a_frame_far_ahead_is_shown_at_once_and_answered_when_the_loop_is_there(
    page: Page, player: Player
) -> None:
    page.ask(9, 9)
    page.expect(lambda: page.frames() == [9])
    assert page.frames(answered=False) == [9]
    (preview, buffers) = next(each for each in page.messages if each[0].get("index") == 9)
    assert preview["zoom"] is None
    assert len(preview["uniform"]["boxes"]) == 1
    assert len(buffers) == 2
    # It is the result of the film from its start, not of a loop that starts there.
    assert len(player.result(9).zoom.expected) == 1
    # A page that has seen the picture is not sent it again.
    page.messages.clear()
    page.ask(11, 11, seen=True)
    page.expect(lambda: page.frames() == [11])
    assert page.frames(answered=False) == []


def test_pictures_that_are_forgotten_are_made_again(
    page: Page, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_worker, "CACHE_BYTES", 1)
    page.ask(0, *range(COUNT))
    page.expect(lambda: len(page.frames()) == 12)
    assert len(player._worker._jpegs) == 1

    def jpegs_of(index: int) -> list[bytes]:
        return next(
            buffers
            for message, buffers in page.messages
            if message["kind"] == "frame" and message["index"] == index and message["zoom"]
        )

    before = jpegs_of(3)
    page.messages.clear()
    page.ask(3, 3, seen=True)
    page.expect(lambda: page.frames() == [3])
    assert jpegs_of(3) == before


def test_nothing_is_computed_for_a_page_that_is_gone(player: Player, page: Page) -> None:
    page.ask(0, 0)
    page.expect(lambda: page.frames() == [0])
    player.set_state({"_request": {"wanted": [], "closed": True, "serial": "end"}})
    assert player._worker._request is None
    computed = player.result(6) and player.computed
    assert computed == 7


@pytest.mark.parametrize(
    "message", [{"wanted": [1]}, {"frame": 0, "known": 0, "seen": True, "wanted": "ab"}, 5]
)
def test_requests_that_cannot_be_read_raise(message: Any) -> None:
    with pytest.raises(ValueError, match="cannot read the request"):
        Request.from_page(message, COUNT)


def test_requests_beyond_the_film_are_cut() -> None:
    fields = {"frame": 99, "known": -1, "seen": False, "wanted": [3, 99, -2]}
    assert Request.from_page(fields, COUNT) == Request(COUNT - 1, (3,), False, 0)


def test_the_frame_is_set_from_python_and_from_the_page(player: Player) -> None:
    player.set_state({"frame": 4})
    assert player.frame == 4
    player.frame = 2
    assert player.get_state("frame") == {"frame": 2}
    for index in (-1, COUNT):
        with pytest.raises(traitlets.TraitError, match=r"film's 12 frames, in 0\.\.11, got"):
            player.frame = index


# --- errors ------------------------------------------------------------------------------------


class CutFilm(Frames):
    """A film that announces more frames than can be read."""

    size, rate = (200, 300), 10.0

    def __len__(self) -> int:
        return COUNT

    def _read(self, index: int) -> Tensor:
        if index >= 3:
            raise ValueError("frame is damaged")
        image = film(COUNT)[index]
        return torch.from_numpy(image).permute(2, 0, 1)[None] / 255

    def __iter__(self) -> Iterator[Tensor]:
        yield from (self._read(index) for index in range(3))


def test_a_cut_film_plays_to_its_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(CutFilm(), network(), size=SIZE)
    page = Page(player, monkeypatch)
    page.ask(0, *range(6))
    page.expect(lambda: page.frames() == [0, 1, 2] and page.of_kind("error"))
    (error,) = page.of_kind("error")
    assert error["index"] == 3
    assert "3 of 12 frames can be read" in error["text"]
    assert len(player.result(2).zoom.expected) == 1
    with pytest.raises(RuntimeError, match=r"before frame 4 of 12: .* cut off"):
        player.result(8)
    # A frame behind it is told about at once.
    page.messages.clear()
    page.ask(5, 5)
    page.expect(lambda: len(page.of_kind("error")) == 2)
    assert "Frame 6 cannot be read: frame is damaged" in page.of_kind("error")[-1]["text"]
    assert player.still_picture() is not None
    player.close()


def test_an_error_of_the_network_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(images: Tensor) -> list[Detections]:
        raise RuntimeError("out of memory")

    player = Player(film(), network(fail), size=SIZE)
    page = Page(player, monkeypatch)
    page.ask(0, 0)
    page.expect(lambda: page.of_kind("error"))
    assert "RuntimeError: out of memory" in page.of_kind("error")[-1]["text"]
    with pytest.raises(RuntimeError, match="out of memory") as raised:
        player.result(0)
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert player.still_picture() is None
    player.close()


def test_closing_stops_the_thread(player: Player, page: Page) -> None:
    page.ask(0, 0)
    page.expect(lambda: page.frames() == [0])
    thread = player._worker._thread
    assert thread is not None
    player.close()
    assert not thread.is_alive()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the player is closed"):
            player.result(1)
    player.close()


def test_invalid_arguments_raise(tmp_path: Path) -> None:
    for arguments, error, text in (
        ({"system": "sliced"}, ValueError, "system must be one of"),
        ({"loop": 0.3}, TypeError, "loop must be a Loop, .* got float"),
        ({"threshold": 35}, ValueError, r"threshold must be in 0\.\.1, got 35"),
        ({"ahead": -1}, ValueError, "ahead must be a number of frames"),
        ({"size": (0, 64)}, ValueError, "size must be"),
        ({"network": "detector", "size": (100, 100)}, ValueError, "multiples of .* 32, got"),
        (
            {"network": "segmenter"},
            ValueError,
            "must be a detector, but the task of the network 'segmenter'",
        ),
        ({"network": "oracle"}, ValueError, "unknown network 'oracle'"),
    ):
        with pytest.raises(error, match=text):
            Player(film(1), **{"network": network(), "size": SIZE, **arguments})
    for bad, error, text in (
        (5, TypeError, "film must be the path of a video file .* got int"),
        ([], ValueError, "at least one frame"),
        (tmp_path / "no.webm", FileNotFoundError, "no file or folder"),
    ):
        with pytest.raises(error, match=text):
            Player(bad, network())  # type: ignore[arg-type]


# --- without a kernel --------------------------------------------------------------------------


def test_a_still_picture_is_left_without_a_kernel(player: Player) -> None:
    picture = player.still_picture()
    assert picture is not None
    assert picture.description.startswith("Frame 6 of a film")
    still = Image.open(io.BytesIO(picture.jpeg))
    assert still.width > 3 * 400
    assert np.asarray(still).std() > 20
    assert player.still(0).tobytes() != player.still(7).tobytes()
    player.frame = 7
    assert player.still().tobytes() == player.still(7).tobytes() == player.still(-5).tobytes()


def test_the_film_is_described_to_the_page() -> None:
    player = Player(film(2), network(), "lzu", SIZE, label=1)
    assert player._film == {
        "count": 2, "rows": 200, "columns": 300, "rate": 10.0, "ahead": 60,
        "input": [64, 96], "system": "LZU", "followed": "other",
    }  # fmt: skip
    assert player._colours["zoom"] != player._colours["uniform"]
    player.close()


# --- the page's side, in Node ------------------------------------------------------------------


def test_the_bundle_has_the_modules_of_the_player() -> None:
    assert {"film_store.js", "timeline.js"} < set(modules(PLAYER))
    assert all((FOLDER / name).is_file() for name in modules(PLAYER))
    assert Player._esm.count("export default") == 1


def test_the_store_asks_plays_and_waits(tmp_path: Path) -> None:
    run_node("film_store.mjs", tmp_path)
