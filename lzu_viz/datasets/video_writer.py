"""Writing of films."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .._extras import needs

DEFAULT_RATE = 10
"""Frames per second of a film whose rate is unknown."""


class VideoWriter:
    """Writes pictures of one size as a film; the suffix of the path chooses the container."""

    def __init__(self, path: Path, rate: float | None) -> None:
        with needs("films"):
            import av
        self._av = av
        self._path = path
        self._rate = Fraction(rate or DEFAULT_RATE).limit_denominator(1000)
        self._container: Any = None

    def __enter__(self) -> "VideoWriter":
        """Return the writer."""
        return self

    def add(self, picture: Image.Image) -> None:
        """Append a picture."""
        if self._container is None:
            self._container = self._av.open(str(self._path), "w")
            codec = "libvpx-vp9" if self._path.suffix == ".webm" else "libx264"
            self._stream = self._container.add_stream(codec, rate=self._rate)
            # Both sides have to be even.
            self._stream.width, self._stream.height = (side // 2 * 2 for side in picture.size)
            self._stream.pix_fmt = "yuv420p"
            self._stream.options = {
                "crf": "30",
                "b:v": "0",
                "deadline": "realtime",
                "cpu-used": "6",
            }
        pixels = np.asarray(picture)[: self._stream.height, : self._stream.width]
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, *_: object) -> None:
        """Finish the film."""
        if self._container is not None:
            self._container.mux(self._stream.encode())
            self._container.close()
