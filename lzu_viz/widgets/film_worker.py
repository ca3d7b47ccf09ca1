"""A thread that runs two systems on a film, and sends the frames that a page asks for."""

import atexit
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..datasets.video_files import Frames
from ..experiments.films import FilmSystem, Loop, run
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.threads import threads
from ..geometry.warp import Warp
from ..models.registry import Network
from ..plots import panels
from ..plots.films import labels_of
from ..systems.video import FrameResult

SHOWN_WIDTH = 640
"""Maximum width of the source frames that are sent, in pixels."""

SOURCE_QUALITY, INPUT_QUALITY = 82, 90
"""Quality of the JPEGs of source frames, and of the networks' small inputs."""

CACHE_BYTES = 1.5e8
"""Maximum size of all JPEGs that are kept; others are encoded again when a page asks for them."""

REPORT_SECONDS = 0.25
"""Minimum time between two messages about progress."""

Send = Callable[[dict[str, Any], list[bytes]], None]
"""Function that sends a message with buffers to the page."""


class PlayerResult(NamedTuple):
    """What both systems found in a frame of a film.

    Attributes:
        uniform: result of the uniform system.
        zoom: result of the zooming system, whose warp follows its own detections.
    """

    uniform: FrameResult
    zoom: FrameResult


class Request(NamedTuple):
    """What a page asks for.

    Attributes:
        shown: index of the frame that it shows.
        wanted: indices of the frames that it lacks, the most urgent first.
        seen: whether it has the picture of the frame that it shows, if only without boxes.
        known: number of frames, from the first on, whose counts of detections it knows.
    """

    shown: int
    wanted: tuple[int, ...]
    seen: bool
    known: int

    @classmethod
    def from_page(cls, message: object, count: int) -> "Request":
        """Return the request of a message; indices beyond the film are left out.

        Raises:
            ValueError: fields are missing, or are no integers.
        """
        try:
            fields = dict(message)  # type: ignore[call-overload]
            shown, known = int(fields["frame"]), int(fields["known"])
            wanted = tuple(int(index) for index in fields["wanted"])
            seen = bool(fields["seen"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"cannot read the request {message!r}: {error!r}") from error
        return cls(
            min(max(shown, 0), count - 1),
            tuple(index for index in wanted if 0 <= index < count),
            seen,
            max(0, known),
        )


@dataclass(frozen=True)
class SideBySide:
    """The systems that are compared on a film.

    Attributes:
        network: a detector.
        system: "fovea" or "lzu", which follows its own detections.
        size: (rows, columns) of the network's input.
        loop: how detections become the warp of the next frame.
        label: class that is followed; None for all classes.
        threshold: minimum score of detections.
        unzoom: options of :class:`lzu_viz.LZU`.
    """

    network: Network
    system: FilmSystem
    size: Size
    loop: Loop
    label: int | None
    threshold: float
    unzoom: dict[str, Any]

    @property
    def followed(self) -> str:
        """Name of the class that is followed; empty for all classes."""
        if self.label is None:
            return ""
        classes = self.network.classes
        return classes[self.label] if self.label < len(classes) else f"class {self.label}"

    def shown(self, detections: Detections) -> Detections:
        """Return the detections of the class that is followed."""
        if self.label is None:
            return detections
        is_followed = detections.labels == self.label
        return Detections(*(field[is_followed] for field in detections))

    def started(self, name: FilmSystem) -> "Stepwise":
        """Return a system at the start of a film."""
        return Stepwise(
            partial(
                run,
                name,
                self.network,
                size=self.size,
                loop=self.loop,
                label=self.label,
                threshold=self.threshold,
                unzoom=self.unzoom,
            )
        )


class Stepwise:
    """A system on a film, one frame at a time.

    Args:
        run: returns the results of frames that it reads one after another.
    """

    def __init__(self, run: Callable[[Iterator[Tensor]], Iterator[FrameResult]]) -> None:
        self._frame = torch.zeros(0)
        self._results = run(self._frames())

    def _frames(self) -> Iterator[Tensor]:
        while True:
            yield self._frame

    def __call__(self, frame: Tensor) -> FrameResult:
        """Return the result of the next frame, `1 3 h w`."""
        self._frame = frame
        return next(self._results)


class _Record(NamedTuple):
    """The results of a frame, without the nodes of the grid, which take most of the memory."""

    uniform: Detections
    zoom: Detections
    expected: Tensor
    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, uniform: FrameResult, zoom: FrameResult) -> "_Record":
        axes = zoom.warp.axes
        assert axes is not None  # a loop makes separable warps
        return cls(
            _on_cpu(uniform.detections),
            _on_cpu(zoom.detections),
            zoom.expected.cpu(),
            *(axis.cpu() for axis in axes),
        )

    @property
    def warp(self) -> Warp:
        return Warp.from_axes(self.x, self.y)

    def result(self) -> PlayerResult:
        nothing = torch.zeros(0, 4)
        return PlayerResult(
            FrameResult(self.uniform, Warp.identity((1, 1)), nothing),
            FrameResult(self.zoom, self.warp, self.expected),
        )


def _on_cpu(detections: Detections) -> Detections:
    return Detections(*(field.cpu() for field in detections))


class FilmWorker:
    """Runs two systems on a film in a thread, in order, and sends the frames that are asked for.

    A zoom follows its own detections, so that the result of a frame depends on all frames before
    it: however a page jumps, each frame has one result, that of a film seen from its start. Of a
    frame that is not reached yet, the page is sent the picture and the uniform system's result.

    The thread starts with the first request, and computes on one core.

    Args:
        film: the frames.
        comparison: the systems.
        ahead: number of frames after the shown one that are computed in advance.
        send: called in the thread with each message to the page.
    """

    def __init__(self, film: Frames, comparison: SideBySide, ahead: int, send: Send) -> None:
        self._film, self._comparison, self._ahead, self._send = film, comparison, ahead, send
        self._frames: Iterator[Tensor] | None = None
        self._uniform = comparison.started("uniform")
        self._zoom = comparison.started(comparison.system)
        self._records: list[_Record] = []
        self._jpegs: dict[int, list[bytes]] = {}
        self._jpeg_bytes = 0
        self._failure: Exception | None = None
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        # What is asked for: by the page, and by a cell that waits.
        self._request: Request | None = None
        self._wanted: list[int] = []
        self._has_preview = True
        self._tell_failure = False
        self._awaited = 0
        self._reported, self._reported_at = 0, 0.0

    # Called in the kernel's main thread.

    @property
    def computed(self) -> int:
        """Number of frames, from the first on, that both systems have seen."""
        return len(self._records)

    @property
    def failure(self) -> Exception | None:
        """The error that ended the film after `computed` frames; None if there is none."""
        return self._failure

    def ask(self, request: Request | None) -> None:
        """Replace the page's request; None if no page shows the film any longer."""
        with self._wake:
            self._request = request
            self._wanted = list(request.wanted) if request else []
            self._has_preview = request is None or request.seen
            self._tell_failure = request is not None
            if request:
                self._reported = min(self._reported, request.known)
                self._reported_at = 0.0
            self._wake.notify_all()
        if request:
            self._start()

    def wait_for(self, index: int, seconds: float) -> bool:
        """Wait until a frame is computed, or the film ends by an error, for at most a time.

        Returns:
            Whether it is so.

        Raises:
            RuntimeError: the worker is closed.
        """
        self._start()
        with self._wake:
            self._awaited = max(self._awaited, index + 1)
            self._wake.notify_all()

            def is_over() -> bool:
                return self.computed > index or self._failure is not None or self._is_closed

            is_there = self._wake.wait_for(is_over, seconds)
        self._check_open()
        return is_there

    def stop_waiting(self) -> None:
        """No longer compute frames for a cell; those for a page go on."""
        with self._wake:
            self._awaited = 0

    def result(self, index: int) -> PlayerResult:
        """Return the results of a frame that was waited for.

        Raises:
            RuntimeError: the frame could not be read or computed.
        """
        if index < self.computed:
            return self._records[index].result()
        raise RuntimeError(self._failure_text()) from self._failure

    def close(self) -> None:
        """Stop the thread, and wait until it has stopped."""
        atexit.unregister(self.close)
        with self._wake:
            self._is_closed = True
            self._wake.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the player is closed; make a new one to go on")

    def _start(self) -> None:
        self._check_open()
        if self._thread is None:
            # A thread that is left in a computation can crash the interpreter at its end.
            atexit.register(self.close)
            self._thread = threading.Thread(target=self._work, name="lzu-player", daemon=True)
            self._thread.start()

    # Called in the thread.

    def _work(self) -> None:
        while True:
            with self._wake:
                step = self._next_step()
                while step is None and not self._is_closed:
                    self._wake.wait()
                    step = self._next_step()
            if step is None or self._is_closed:
                return
            with threads(1):
                step()

    def _next_step(self) -> Callable[[], None] | None:
        """Return what is to be done next: what the page waits for comes first."""
        if self._tell_failure and self._failure is not None:
            self._tell_failure = False
            return partial(self._send_error, self.computed, self._failure_text())
        for index in self._wanted:
            if index < self.computed:
                self._wanted.remove(index)
                return partial(self._send_frame, index)
        request = self._request
        if request and not self._has_preview and request.shown >= self.computed:
            self._has_preview = True
            return partial(self._send_preview, request.shown)
        ahead = request.shown + 1 + self._ahead if request else 0
        target = max(ahead, self._awaited, *(index + 1 for index in self._wanted))
        if self._failure is None and self.computed < min(len(self._film), target):
            return self._advance
        if request and self._reported < self.computed:
            return self._report
        return None

    def _advance(self) -> None:
        """Compute the next frame."""
        index = self.computed
        try:
            if self._frames is None:
                # Reading in order is faster than looking up each frame.
                self._frames = iter(self._film)
            frame = next(self._frames, None)
            if frame is None:
                raise ValueError(
                    f"the film is damaged or cut off: {index} of {len(self._film)} frames can be "
                    "read"
                )
            record = _Record.of(self._uniform(frame), self._zoom(frame))
            request = self._request
            if request and index >= request.shown:
                self._keep(index, self._encode(frame, record))
        # Whatever a network of the user raises is shown in the page.
        except Exception as error:
            self._fail(error)
            return
        with self._wake:
            self._records.append(record)
            self._wake.notify_all()
        if request and time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._report()

    def _fail(self, error: Exception) -> None:
        self._frames = None
        with self._wake:
            self._failure = error
            self._wake.notify_all()

    def _report(self) -> None:
        """Send the numbers of detections that the page does not know yet."""
        start, self._reported = self._reported, self.computed
        self._reported_at = time.monotonic()
        new = self._records[start : self._reported]
        message = {
            "kind": "progress",
            "start": start,
            "uniform": [self._count(record.uniform) for record in new],
            "zoom": [self._count(record.zoom) for record in new],
        }
        self._send(message, [])

    def _send_frame(self, index: int) -> None:
        record = self._records[index]
        try:
            if index not in self._jpegs:
                self._keep(index, self._encode(self._film[index], record))
        except (OSError, ValueError, RuntimeError) as error:
            self._send_error(index, f"Frame {index + 1} cannot be read again: {error}")
            return
        message = {
            "kind": "frame",
            "index": index,
            "uniform": {"boxes": self._boxes(record.uniform)},
            "zoom": {
                "boxes": self._boxes(record.zoom),
                "expected": _rounded(record.expected),
                "x": _rounded(record.x[0]),
                "y": _rounded(record.y[0]),
            },
        }
        self._send(message, self._jpegs[index])

    def _send_preview(self, index: int) -> None:
        """Send a frame that the zoom has not reached yet, with the uniform system's detections."""
        try:
            frame = self._film[index]
            jpegs = [_source_jpeg(frame), _input_jpeg(self._resized(frame))]
        except Exception as error:
            self._send_error(index, f"Frame {index + 1} cannot be read: {error}")
            return
        uniform = None
        if self._failure is None:
            try:
                uniform = _on_cpu(self._uniform(frame).detections)
            except Exception as error:
                self._fail(error)
        message = {
            "kind": "frame",
            "index": index,
            "uniform": None if uniform is None else {"boxes": self._boxes(uniform)},
            "zoom": None,
        }
        self._send(message, jpegs)

    def _send_error(self, index: int, text: str) -> None:
        self._send({"kind": "error", "index": index, "text": text}, [])

    def _failure_text(self) -> str:
        number = self.computed + 1
        error = self._failure
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        return f"The film ends before frame {number} of {len(self._film)}: {kind}{error}"

    def _count(self, detections: Detections) -> int:
        return len(self._comparison.shown(detections).scores)

    def _boxes(self, detections: Detections) -> list[tuple[list[float], str]]:
        shown = self._comparison.shown(detections)
        names = labels_of(shown, self._comparison.network.classes)
        return list(zip(_rounded(shown.boxes), names, strict=True))

    def _resized(self, frame: Tensor) -> Tensor:
        return Warp.identity((1, 1), dtype=frame.dtype).zoom(frame, self._comparison.size)

    def _encode(self, frame: Tensor, record: _Record) -> list[bytes]:
        """Return the JPEGs of the source frame, and of what both systems saw."""
        zoomed = record.warp.zoom(frame, self._comparison.size)
        return [_source_jpeg(frame), _input_jpeg(self._resized(frame)), _input_jpeg(zoomed)]

    def _keep(self, index: int, jpegs: list[bytes]) -> None:
        """Keep the JPEGs of a frame, and forget those that are farthest from the shown frame."""
        self._jpegs[index] = jpegs
        self._jpeg_bytes += sum(map(len, jpegs))
        shown = self._request.shown if self._request else index
        while self._jpeg_bytes > CACHE_BYTES and len(self._jpegs) > 1:
            farthest = max(self._jpegs.keys() - {index}, key=lambda known: abs(known - shown))
            self._jpeg_bytes -= sum(map(len, self._jpegs.pop(farthest)))


def _source_jpeg(frame: Tensor) -> bytes:
    rows, columns = frame.shape[-2:]
    width = min(columns, SHOWN_WIDTH)
    size = (max(1, round(rows * width / columns)), width)
    return panels.jpeg(panels.picture(frame, size), SOURCE_QUALITY)


def _input_jpeg(image: Tensor) -> bytes:
    return panels.jpeg(panels.picture(image), INPUT_QUALITY)


def _rounded(numbers: Tensor) -> Any:
    """Return numbers as lists, rounded to a fiftieth of a pixel, which keeps messages short."""
    return numbers.double().mul(1e5).round().div(1e5).tolist()
