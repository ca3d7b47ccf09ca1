"""The player: a film frame by frame, with what a zooming and a uniform system find in it.

A thread of the kernel computes the results in order; the page asks for the frames near the one
that it shows, and draws.
"""

from typing import Any

import anywidget
import traitlets

from ..datasets.video_files import Frames, VideoSource, frames
from ..experiments.films import GENTLE, FilmSystem, Loop
from ..experiments.own_detector import load_detector
from ..geometry import check
from ..models.registry import Network
from ..plots import panels
from ..plots.films import comparison_panels, film_colours
from ..plots.panels import Picture
from .film_worker import FilmWorker, PlayerResult, Request, SideBySide
from .front import PLAYER, PLAYER_STYLE, STYLE, bundle
from .progress import progress_bar
from .still_picture import StillOutput, StillPicture

ZOOMS: tuple[FilmSystem, ...] = ("fovea", "lzu")
"""The systems that zoom, and follow their own detections."""

DEFAULT_RATE = 10.0
"""Frames per second of films whose rate is unknown."""

STILL_FRAME, STILL_SECONDS = 5, 3.0
"""The still picture shows a frame of at least this index, as the first frame is not zoomed, or the
last that is computed within this time."""

STILL_WIDTH = 420
"""Width of each view of the still picture, in pixels."""

QUIET_SECONDS = 2.0
"""A cell that waits longer than this for a result shows its progress."""


class Player(StillOutput, anywidget.AnyWidget):
    """Widget that plays a film, and shows what a zooming and a uniform system find in it.

    Three views are shown side by side: the source frame with the zooming system's detections, the
    boxes that it expected, from the frames before, and the grid of its warp; the zoomed picture,
    which is the network's input; and the picture that the uniform system sees, of as many pixels,
    with its detections. Below them the numbers of detections of both systems are drawn frame by
    frame.

    The zoom follows its own detections: each frame depends on those before it. So results are
    computed in order, in a thread, on one core, some way ahead of the frame that is shown. Playing
    waits for them; a frame that is not reached yet is shown without the zoom. Without a kernel a
    still picture is left.

    Keys, if the widget has the focus: space plays and pauses, the left and right arrow keys step,
    Home and End go to the first and the last frame, ``-`` and ``+`` change the speed.

    Args:
        film: :class:`lzu_viz.datasets.video_files.Frames`, or anything that
            :func:`lzu_viz.datasets.frames` accepts: the path of a video file or of a folder of
            images, an array `t h w 3`, a tensor `t 3 h w`, a sequence of images.
        network: a detector: the name of a registered one, or one of your own, for example of
            :mod:`lzu_viz.adapters`.
        system: "fovea" or "lzu", the system that zooms.
        size: (rows, columns) of the network's input, for both systems.
        loop: how the detections of one frame become the warp of the next.
        label: class that the zoom follows, and whose detections are shown and counted; 0 is COCO's
            person. None for all classes.
        threshold: minimum score of detections, in 0..1.
        ahead: number of frames after the shown one that are computed in advance.

    Attributes:
        film: the frames.
        frame: index of the frame that is shown, from 0. Setting it moves the player.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError: if the film is nothing that can be read as frames, or the loop is no `Loop`.
        ValueError: if the file cannot be read, the network is no detector, or another argument is
            out of range.

    Example:
        >>> import numpy as np
        >>> player = Player(np.zeros((4, 96, 128, 3), np.uint8), size=(96, 128))
        >>> player
        Player(4 frames of 96 x 128 pixels, uniform and fovea at 96 x 128)
        >>> len(player.result(1).zoom.detections.boxes)
        0
        >>> player.close()
    """

    _esm = bundle(PLAYER)
    _css = STYLE.read_text(encoding="utf-8") + PLAYER_STYLE.read_text(encoding="utf-8")

    frame = traitlets.Int(0).tag(sync=True)
    _film = traitlets.Dict().tag(sync=True)
    _colours = traitlets.Dict().tag(sync=True)
    # What the page asks for; it is not told its own request.
    _request = traitlets.Dict().tag(sync=True, echo_update=False)

    def __init__(
        self,
        film: VideoSource | Frames,
        network: str | Network = "detector",
        system: FilmSystem = "fovea",
        size: tuple[int, int] = (192, 256),
        loop: Loop = GENTLE,
        *,
        label: int | None = 0,
        threshold: float = 0.35,
        ahead: int = 60,
    ) -> None:
        check.one_of(system, ZOOMS, "system")
        if not isinstance(loop, Loop):
            raise TypeError(
                f"loop must be a Loop, for example Loop(amplitude=0.3), got {type(loop).__name__}"
            )
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be in 0..1, got {threshold}")
        if ahead < 0:
            raise ValueError(f"ahead must be a number of frames, at least 0, got {ahead}")
        self.film = _frames_of(film)
        self._comparison = _compare(network, system, check.size(size), loop, label, threshold)
        self._worker = FilmWorker(self.film, self._comparison, ahead, self._send_to_page)
        rows, columns = self.film.size
        super().__init__(
            _film={
                "count": len(self.film),
                "rows": rows,
                "columns": columns,
                "rate": self.film.rate or DEFAULT_RATE,
                "ahead": ahead,
                "input": list(self._comparison.size),
                "system": system.upper(),
                "followed": self._comparison.followed,
            },
            _colours=film_colours(system),
        )

    def result(self, index: int) -> PlayerResult:
        """Return what both systems found in a frame; wait until it is computed.

        A wait of more than two seconds shows a progress bar. Interrupting the kernel ends it.

        Args:
            index: of the frame, from 0; negative indices count from the end.

        Raises:
            IndexError: there is no such frame.
            RuntimeError: the frame could not be read or computed, or the player is closed.
        """
        count = len(self.film)
        if not -count <= index < count:
            raise IndexError(f"the film has {count} frames, got index {index}")
        index %= count
        try:
            if not self._worker.wait_for(index, QUIET_SECONDS):
                self._watch(index)
        finally:
            self._worker.stop_waiting()
        return self._worker.result(index)

    def _watch(self, index: int) -> None:
        """Wait until a frame is computed, and show a progress bar."""
        start = self._worker.computed
        for step in progress_bar(range(start, index + 1), index + 1 - start):
            while not self._worker.wait_for(index, 0.1) and self._worker.computed <= step:
                pass

    @property
    def computed(self) -> int:
        """Number of frames, from the first on, whose results are known."""
        return self._worker.computed

    @traitlets.validate("frame")
    def _check_frame(self, proposal: dict[str, Any]) -> int:
        index: int = proposal["value"]
        if not 0 <= index < len(self.film):
            raise traitlets.TraitError(
                f"frame must be an index of the film's {len(self.film)} frames, "
                f"in 0..{len(self.film) - 1}, got {index}"
            )
        return index

    @traitlets.observe("_request")
    def _on_request(self, change: dict[str, Any]) -> None:
        if not change["new"].get("wanted") and change["new"].get("closed"):
            self._worker.ask(None)
            return
        self._worker.ask(Request.from_page(change["new"], len(self.film)))

    def _send_to_page(self, message: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(message, buffers)

    def close(self) -> None:
        """Stop the computation, and remove the widget from the page."""
        # A widget whose arguments were invalid has no worker.
        if hasattr(self, "_worker"):
            self._worker.close()
        super().close()

    def still(self, index: int | None = None) -> Picture:
        """Return the three views of a frame, with their captions, as one image.

        Args:
            index: of the frame; the one that is shown if None.

        Raises:
            IndexError: there is no such frame.
            RuntimeError: the frame could not be read or computed, or the player is closed.
        """
        index = self.frame if index is None else index
        uniform, zoom = (
            each._replace(detections=self._comparison.shown(each.detections))
            for each in self.result(index)
        )
        count = len(self.film)
        index %= count
        comparison = self._comparison
        rows, columns = comparison.size
        pictures = comparison_panels(
            self.film[index],
            comparison.system,
            uniform,
            zoom,
            comparison.size,
            comparison.network.classes,
            STILL_WIDTH,
        )
        name = comparison.system.upper()
        found = comparison.followed or "detections"
        captions = (
            f"{name}, {found}: {len(zoom.detections.scores)}",
            f"Zoomed: what {name} sees",
            f"Uniform, {found}: {len(uniform.detections.scores)}",
        )
        footer = [
            f"Frame {index + 1} of {count}. Both see {rows} x {columns} pixels.",
            f"Dashed: the boxes that {name} expected, from the frame before. Blue lines: its warp.",
        ]
        return panels.sheet(list(zip(captions, pictures, strict=True)), columns=3, footer=footer)

    def still_picture(self) -> StillPicture | None:
        """Return the views of a frame as a JPEG; None if none can be computed."""
        index = self._still_index()
        if index is None:
            return None
        alt = f"Frame {index + 1} of a film: detections of {self._comparison.system} and uniform"
        return StillPicture(panels.jpeg(self.still(index)), alt, "Run this cell to play the film.")

    def _still_index(self) -> int | None:
        """Return the frame of the still picture; None if none can be computed."""
        wanted = min(max(self.frame, STILL_FRAME), len(self.film) - 1)
        try:
            self._worker.wait_for(wanted, STILL_SECONDS)
        except RuntimeError:  # it is closed
            return None
        finally:
            self._worker.stop_waiting()
        computed = self._worker.computed
        return min(wanted, computed - 1) if computed else None

    def __repr__(self) -> str:
        """Return a representation without a memory address."""
        rows, columns = self.film.size
        high, wide = self._comparison.size
        return (
            f"Player({len(self.film)} frames of {rows} x {columns} pixels, "
            f"uniform and {self._comparison.system} at {high} x {wide})"
        )


def _frames_of(film: VideoSource | Frames) -> Frames:
    if isinstance(film, Frames):
        opened = film
    else:
        try:
            opened = frames(film)
        except TypeError as error:
            raise TypeError(
                "film must be the path of a video file or of a folder of images, an array "
                f"t h w 3, a tensor t 3 h w, or a sequence of images, got {type(film).__name__}: "
                f"{error}"
            ) from error
    if not len(opened):
        raise ValueError("the film must have at least one frame, got none")
    return opened


def _compare(
    network: str | Network,
    system: FilmSystem,
    size: check.Size,
    loop: Loop,
    label: int | None,
    threshold: float,
) -> SideBySide:
    module, unzoom = load_detector(network)
    stride = max(module.strides, default=1)
    if any(side % stride for side in size):
        raise ValueError(f"size must be multiples of the network's stride {stride}, got {size}")
    return SideBySide(module, system, size, loop, label, threshold, unzoom)
