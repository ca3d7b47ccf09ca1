"""LZ: zoom, and leave everything in the zoomed frame."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ..geometry.deprecation import ignored_arguments
from ..geometry.warp import Warp
from .base import Decode, Levels, System


class LZ(System):
    """Zoom, run the network, and leave features, outputs and predictions in the zoomed frame.

    It shows why spatial tasks need an unzoom: its masks and boxes fit the zoomed image, not the
    source. Recasens et al., "Learning to Zoom", ECCV 2018.

    Args:
        features: as for :class:`System`, and so the others.
        head: likewise.
        warp: likewise.
        size: likewise.
        decode: likewise.
        antialias: likewise.
    """

    @ignored_arguments("unzoom", "finer")
    def __init__(
        self,
        features: Callable[[Tensor], Levels],
        head: Callable[[Any], Levels],
        warp: Warp | Callable[[Tensor], Warp],
        *,
        size: Sequence[int],
        decode: Decode | None = None,
        antialias: bool = True,
    ) -> None:
        super().__init__(features, head, warp, size=size, decode=decode, antialias=antialias)
