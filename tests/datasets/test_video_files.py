"""Frames of video files, folders and arrays."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lzu_viz.datasets.paths import local_path
from lzu_viz.datasets.video_files import frames

av = pytest.importorskip("av")

SIZE = (48, 64)


def picture(number: int) -> NDArray[np.uint8]:
    """Return a frame that shows its number as a grey value, with a bright top left corner."""
    pixels = np.full((*SIZE, 3), 20 + 8 * number, np.uint8)
    pixels[:16, :16] = 255
    return pixels


def number_of(frame: torch.Tensor) -> int:
    return round((float(frame[..., 24:, 24:].mean()) * 255 - 20) / 8)


def video(
    path: Path, count: int = 12, codec: str = "libx264", rate: int = 10, noise: int = 0
) -> Path:
    options = {"crf": "10", "g": "5"} if codec.startswith("lib") else {"qscale": "2"}
    draw = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(count):
            pixels = picture(number) + draw.integers(0, noise + 1, (*SIZE, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return path


FORMATS = {"mp4": "libx264", "mkv": "libx264", "webm": "libvpx-vp9", "avi": "mpeg4"}


@pytest.mark.parametrize("suffix", FORMATS)
def test_frames_of_video_files_in_order_and_by_index(suffix: str, tmp_path: Path) -> None:
    film = frames(video(tmp_path / f"film.{suffix}", codec=FORMATS[suffix]))
    assert (len(film), film.size, film.rate) == (12, SIZE, 10)
    assert [number_of(frame) for frame in film] == list(range(12))
    assert [number_of(film[index]) for index in (7, 0, 11, -2, 3)] == [7, 0, 11, 10, 3]
    assert film[0].shape == (1, 3, *SIZE)
    assert film[0].dtype == torch.float32


def test_slices_are_films(tmp_path: Path) -> None:
    film = frames(video(tmp_path / "film.mp4"))
    part = film[2:11:3]
    assert (len(part), part.size) == (3, SIZE)
    assert part.rate == pytest.approx(10 / 3)
    assert [number_of(frame) for frame in part] == [2, 5, 8]
    assert [number_of(frame) for frame in part[1:]] == [5, 8]
    assert [number_of(frame) for frame in film[::-4]] == [11, 7, 3]
    assert number_of(part[-1]) == 8
    with pytest.raises(IndexError, match="there are 12 frames, got index 12"):
        film[12]


def test_large_frames_are_reduced_and_the_rate_may_be_set(tmp_path: Path) -> None:
    film = frames(video(tmp_path / "film.mp4"), rate=25, max_pixels=24 * 32)
    assert (film.size, film.rate) == ((24, 32), 25)
    assert film[3].shape == (1, 3, 24, 32)


def rotated(path: Path) -> Path:
    """Return a film that is to be shown turned clockwise by a quarter."""
    data = bytearray(video(path).read_bytes())
    start = data.index(b"tkhd") + 4
    version = data[start]
    at = start + 4 + (20 if version == 0 else 32) + 16
    one = 1 << 16
    data[at : at + 36] = struct.pack(">9i", 0, one, 0, -one, 0, 0, SIZE[0] * one, 0, 1 << 30)
    path.write_bytes(data)
    return path


def test_films_are_rotated_as_they_are_shown(tmp_path: Path) -> None:
    film = frames(rotated(tmp_path / "film.mp4"))
    assert film.size == (SIZE[1], SIZE[0])
    bright = (film[2][0, 0] > 0.9).nonzero().float().mean(dim=0)
    # What was at the top left is at the top right.
    assert bright[0] < SIZE[1] / 2
    assert bright[1] > SIZE[0] / 2


def test_a_cut_off_film_has_the_frames_before(tmp_path: Path) -> None:
    path = video(tmp_path / "film.mkv", count=25, noise=4)
    data = path.read_bytes()
    path.write_bytes(data[: 2 * len(data) // 3])
    with pytest.warns(UserWarning, match=r"film\.mkv is cut off: it has \d+ of about 25 frames"):
        film = frames(path)
    assert 3 < len(film) < 23
    found = [number_of(frame) for frame in film]
    assert found == list(range(len(found)))
    assert len(found) >= len(film) - 2


def test_damaged_frames_are_left_out_with_a_warning(tmp_path: Path) -> None:
    path = video(tmp_path / "film.avi", codec="mjpeg")
    parts = path.read_bytes().split(b"\xff\xd8")
    assert len(parts) == 13
    parts[4] = bytes(len(parts[4]) - 8) + parts[4][-8:]  # the header of the next follows
    path.write_bytes(b"\xff\xd8".join(parts[:4]) + bytes(2) + b"\xff\xd8".join(parts[4:]))
    film = frames(path)
    with pytest.warns(UserWarning, match=r"film\.avi is damaged: 1 of 12 frames cannot be read"):
        found = [number_of(frame) for frame in film]
    assert found == [0, 1, 2, *range(4, 12)]
    assert number_of(film[5]) == 5


@pytest.mark.parametrize("content", [b"", b"not a video" * 100])
def test_what_is_no_video_is_rejected(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read .*film\.mp4 as a video"):
        frames(path)
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        frames(tmp_path / "other.mp4")


def test_sound_alone_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(ValueError, match="has no video, only sound"):
        frames(path)


def test_images_of_a_folder_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 1, 2, 9, 10):
        Image.fromarray(picture(number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    film = frames(str(tmp_path), rate=5)
    assert (len(film), film.size, film.rate) == (5, SIZE, 5)
    assert [number_of(frame) for frame in film] == [0, 1, 2, 9, 10]
    Image.fromarray(picture(3)[:20]).save(tmp_path / "frame11.png")
    with pytest.raises(ValueError, match=r"must have the size of the first, \(48, 64\), got"):
        list(frames(tmp_path))


def test_a_folder_without_images_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no images; their suffixes are \.bmp, \.gif"):
        frames(tmp_path)


@pytest.mark.parametrize("kind", [np.asarray, lambda array: torch.from_numpy(array).movedim(-1, 1)])
def test_arrays_and_tensors_are_films(kind: Callable[[NDArray[np.uint8]], object]) -> None:
    array = np.stack([picture(number) for number in range(4)])
    film = frames(kind(array))  # type: ignore[arg-type]
    assert (len(film), film.size, film.rate) == (4, SIZE, None)
    assert [number_of(frame) for frame in film] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="rate must be positive"):
        frames(array, rate=0)


def test_paths_with_a_tilde_and_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = video(tmp_path / "my film.mp4", count=3)
    assert len(frames("~/my film.mp4")) == 3
    assert len(frames(path.as_uri())) == 3
    assert local_path("C:film.mp4").name
    for address in ("https://example.org/film.mp4", "s3://bucket/film.mp4"):
        with pytest.raises(ValueError, match="is on the web, and nothing is downloaded"):
            frames(address)
