"""Frames of video files, of folders of images, and of arrays."""

import bisect
import re
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._extras import needs
from ..geometry import check
from . import images
from .paths import local_path

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes of the images in a folder that are frames."""

CUT_OFF = 0.95
"""Share of the duration that a file announces, below which it counts as cut off."""

COURTYARD = Path(__file__).parent / "data" / "films" / "courtyard.webm"
"""A film that comes with the package: people walk over a courtyard, 300 frames of 576 x 768."""

VideoSource = str | Path | NDArray[Any] | Tensor | Sequence[Any]
"""A video file, a folder of images, an array `t h w 3`, a tensor `t 3 h w`, or images."""


def frames(
    source: VideoSource, rate: float | None = None, max_pixels: float | None = images.MAX_PIXELS
) -> "Frames":
    """Return the frames of a video file, of a folder of images, or of an array.

    Frames are read when they are used, so that the length of a film does not matter. Video files
    are read by PyAV, which knows every common container and codec, and rotated as they are meant to
    be shown.

    Args:
        source: path of a video file; path of a folder, whose images are frames in the order of the
            numbers in their names; an array `t h w 3` or `t h w`, or a tensor `t c h w`, both uint8
            or floating point in 0..1; or a sequence of images in any form that
            :func:`lzu_viz.datasets.images.load` accepts.
        rate: frames per second; by default that of the file, or unknown.
        max_pixels: maximum height times width; larger frames are downsampled. None for no limit.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file has no video that can be read, or the folder no images.

    Example:
        >>> film = frames(np.zeros((5, 48, 64, 3), np.uint8), rate=10)
        >>> len(film), film.size, film.rate, film[0].shape
        (5, (48, 64), 10, torch.Size([1, 3, 48, 64]))
        >>> [float(frame.max()) for frame in film[::2]]
        [0.0, 0.0, 0.0]
    """
    if rate is not None and not rate > 0:
        raise ValueError(f"rate must be positive, got {rate}")
    if not isinstance(source, str | Path):
        return _Images(source, rate, max_pixels)
    path = local_path(source)
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if path.is_dir():
        names = sorted(
            (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES), key=_by_numbers
        )
        if not names:
            raise ValueError(f"the folder {path} has no images; their suffixes are {_listed()}")
        return _Images(names, rate, max_pixels)
    return _VideoFile(path, rate, max_pixels)


class Frames(Sequence[Tensor]):
    """Frames of a film, each `1 3 h w`, float32, RGB, 0..1, read when it is used.

    Attributes:
        size: (rows, columns) of a frame.
        rate: frames per second; None if unknown.
    """

    size: check.Size
    rate: float | None

    @abstractmethod
    def _read(self, index: int) -> Tensor:
        """Return a frame; ``index`` is in range."""

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> "Frames": ...
    def __getitem__(self, index: int | slice) -> "Tensor | Frames":
        """Return a frame, or those of a slice."""
        if isinstance(index, slice):
            return _Part(self, range(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} frames, got index {index}")
        return self._read(index % len(self))


class _Part(Frames):
    """Some frames of a film."""

    def __init__(self, film: Frames, chosen: range) -> None:
        self._film, self._chosen = film, chosen
        self.size = film.size
        self.rate = film.rate and film.rate / abs(chosen.step)

    def __len__(self) -> int:
        return len(self._chosen)

    def _read(self, index: int) -> Tensor:
        return self._film[self._chosen[index]]

    def __iter__(self) -> Iterator[Tensor]:
        chosen = self._chosen
        if chosen.step < 0:
            yield from (self._film[index] for index in chosen)
            return
        # Reading in order is faster than looking up each frame.
        for index, frame in enumerate(self._film):
            if index >= chosen.stop:
                return
            if index in chosen:
                yield frame


class _Images(Frames):
    """Images as the frames of a film."""

    def __init__(
        self,
        sources: NDArray[Any] | Tensor | Sequence[Any],
        rate: float | None,
        max_pixels: float | None,
    ) -> None:
        if not len(sources):
            raise ValueError("there must be at least one frame")
        self._sources, self._max_pixels = sources, max_pixels
        self.rate = rate
        rows, columns = images.load(sources[0], max_pixels).shape[-2:]
        self.size = rows, columns

    def __len__(self) -> int:
        return len(self._sources)

    def _read(self, index: int) -> Tensor:
        frame = images.load(self._sources[index], self._max_pixels)
        if frame.shape[-2:] != self.size:
            raise ValueError(
                f"all frames must have the size of the first, {self.size}, got "
                f"{tuple(frame.shape[-2:])} for frame {index}"
            )
        return frame


class _VideoFile(Frames):
    """The frames of a video file."""

    def __init__(self, path: Path, rate: float | None, max_pixels: float | None) -> None:
        self._path, self._max_pixels = path, max_pixels
        with needs("films"):
            import av
        self._av = av
        with self._opened() as container:
            stream = container.streams.video[0]
            average: Fraction | None = stream.average_rate
            self.rate = rate or (float(average) if average else None)
            announced = container.duration and container.duration / av.time_base
            self._times: list[int] = sorted(
                time
                for packet in container.demux(stream)
                if packet.size and (time := _time_of(packet)) is not None
            )
            unit = float(stream.time_base) if stream.time_base else 0.0
            expected = stream.frames
        self._check_length(announced, unit, expected)
        rows, columns = self._first().shape[-2:]
        self.size = rows, columns

    def _check_length(self, announced: float | None, unit: float, expected: int) -> None:
        """Warn if the file ends before it should."""
        if not self._times or not self.rate:
            return
        lasts = (self._times[-1] - self._times[0]) * unit + 1 / self.rate
        count = expected or round((announced or 0) * self.rate)
        if len(self._times) < CUT_OFF * count and lasts < CUT_OFF * (
            announced or count / self.rate
        ):
            warnings.warn(
                f"{self._path.name} is cut off: it has {len(self._times)} of about {count} frames",
                stacklevel=5,
            )

    def _opened(self) -> Any:
        try:
            container = self._av.open(str(self._path))
        except (self._av.error.FFmpegError, ValueError) as error:
            raise ValueError(
                f"cannot read {self._path} as a video: {error}. Is the file complete, and a video?"
            ) from error
        if not container.streams.video:
            container.close()
            raise ValueError(f"{self._path} has no video, only sound or other data")
        return container

    def _first(self) -> Tensor:
        first = next(self._decoded(0), None)
        if first is None:
            raise ValueError(
                f"no frame of {self._path} can be read: the file is damaged or cut off"
            )
        return first[1]

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[Tensor]:
        for _, frame in self._decoded(0, warn=True):
            yield frame

    def _read(self, index: int) -> Tensor:
        latest = None
        for position, frame in self._decoded(index):
            latest = frame
            if position >= index:
                break
        return self._first() if latest is None else latest

    def _decoded(self, start: int, warn: bool = False) -> Iterator[tuple[int, Tensor]]:
        """Yield the frames from about ``start`` on, each with its index."""
        damaged = count = 0
        with self._opened() as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if start:
                container.seek(self._times[start], stream=stream)
            for packet in container.demux(stream):
                try:
                    decoded = packet.decode()
                except self._av.error.FFmpegError:
                    damaged += 1
                    continue
                for frame in decoded:
                    position = count if frame.pts is None else self._index_of(frame.pts)
                    count += 1
                    # Frames before the wanted one are decoded, but not converted.
                    if position >= start:
                        yield position, self._converted(frame)
        if damaged and warn:
            warnings.warn(
                f"{self._path.name} is damaged: {damaged} of {len(self._times)} frames cannot be "
                "read and are left out",
                stacklevel=3,
            )

    def _index_of(self, time: int) -> int:
        return min(bisect.bisect_left(self._times, time), len(self._times) - 1)

    def _converted(self, frame: Any) -> Tensor:
        pixels = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
        return images.load(np.ascontiguousarray(pixels), self._max_pixels)


def _time_of(packet: Any) -> int | None:
    time: int | None = packet.dts if packet.pts is None else packet.pts
    return time


def _by_numbers(path: Path) -> list[tuple[int, int, str]]:
    """Return a key by which `frame10.png` comes after `frame9.png`."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _listed() -> str:
    return ", ".join(sorted(SUFFIXES))
