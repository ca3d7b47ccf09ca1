"""LZ: zoom without unzooming."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ..geometry.deprecation import ignored_arguments
from ..geometry.warp import Warp
from .base import Decode, Levels, System


class LZ(System):
    """A system that leaves features, outputs and predictions in the zoomed frame.

    It shows why spatial tasks need unzooming: its masks and boxes fit the zoomed image, not the
    source image. Recasens et al., "Learning to Zoom", ECCV 2018.

    Args:
        features: module, or method of one, from a zoomed image `b 3 h w` to features.
        head: module, or method of one, from these features to outputs.
        warp: a :class:`Warp`, or a callable from an image to a warp.
        size: (rows, columns) of the zoomed image.
        decode: from outputs to predictions.
        antialias: as in :meth:`Warp.zoom`.
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
