"""Sliced: the network is run on overlapping tiles of the image, and its boxes are merged."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..geometry import check
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.merging import Merge, merge_detections
from ..geometry.warp import Warp
from ..models.registry import TwoPartNetwork
from .base import Decode, Levels
from .fovea import Fovea


class Sliced(Fovea):
    """A system that cuts the image into overlapping tiles, and merges the boxes found in them.

    Each tile is a zoom by a linear warp onto a part of the image, and all are resampled to one
    size. Objects larger than a tile are seen whole only in the uniformly downsampled image, which
    is one more input. Akyon et al., "Slicing Aided Hyper Inference", ICIP 2022.

    Args:
        features: module, or method of one, from a tile `b 3 h w` to features.
        head: module, or method of one, from these features to outputs.
        size: (rows, columns) of each input of the network.
        tiles: (rows, columns) of tiles.
        overlap: of neighbouring tiles, as a fraction of a tile's side.
        with_whole: whether the uniformly downsampled image is an input, too.
        merge: see :func:`lzu_viz.geometry.merging.merge_detections`.
        merge_threshold: see :func:`lzu_viz.geometry.merging.merge_detections`.
        decode: from outputs to detections.
        antialias: as in :meth:`Warp.zoom`.

    Example:
        >>> from lzu_viz.models import NanoDet
        >>> system = Sliced.from_network(NanoDet(), size=(96, 128), tiles=(2, 2))
        >>> (found,) = system.detect(torch.rand(1, 3, 240, 320))
        >>> system.input_pixels
        61440
    """

    def __init__(
        self,
        features: Callable[[Tensor], Levels],
        head: Callable[[Any], Levels],
        *,
        size: Sequence[int],
        tiles: Sequence[int] = (2, 2),
        overlap: float = 0.2,
        with_whole: bool = True,
        merge: Merge = "nmm",
        merge_threshold: float = 0.5,
        decode: Decode | None = None,
        antialias: bool = True,
    ) -> None:
        warps = tile_warps(tiles, overlap)
        if with_whole:
            warps = Warp.cat([warps, Warp.identity((1, 1))])
        super().__init__(features, head, warps, size=size, decode=decode, antialias=antialias)
        self.merge: Merge = merge
        self.merge_threshold = merge_threshold

    @classmethod
    def from_network(
        cls,
        network: TwoPartNetwork,
        warp: Warp | Callable[[Tensor], Warp] | None = None,
        **options: Any,
    ) -> "Sliced":
        """Return the system of a network with the methods `features`, `head` and `decode`.

        Raises:
            ValueError: a warp is given; the tiles are the warps.
        """
        if warp is not None:
            raise ValueError("Sliced zooms onto its own tiles; pass tiles= and overlap=, no warp")
        return cls(network.features, network.head, **{"decode": network.decode, **options})

    @property
    def input_pixels(self) -> int:
        """Total number of pixels of the network's inputs for one image."""
        assert isinstance(self.warp, Warp)
        return len(self.warp) * self.size[0] * self.size[1]

    @torch.no_grad()
    def detect(
        self, image: Tensor, decode: Decode | None = None, warp: Warp | None = None
    ) -> list[Detections]:
        """Return the merged detections of each image `b 3 h w`; no gradient.

        Args:
            image: `b 3 h w` in 0..1.
            decode: from outputs to detections; by default the system's own decoder.
            warp: other tiles, one in each item of the batch.
        """
        warps = self.warp if warp is None else warp
        assert isinstance(warps, Warp)
        found = [super(Sliced, self).detect(one, decode, warps) for one in image.split(1)]
        return [merge_detections(parts, self.merge, self.merge_threshold) for parts in found]


def tile_warps(tiles: Sequence[int], overlap: float = 0.2) -> Warp:
    """Return the warps that zoom onto each of the tiles that cover an image, row by row.

    Args:
        tiles: (rows, columns) of tiles.
        overlap: of neighbouring tiles, as a fraction of a tile's side, in 0..0.9.

    Returns:
        A warp of batch rows * columns, linear and separable.

    Raises:
        ValueError: the overlap is out of range.

    Example:
        >>> tile_warps((1, 2), overlap=0.5).axes[0]
        tensor([[-1.0000,  0.3333],
                [-0.3333,  1.0000]])
    """
    rows, columns = check.size(tiles, "tiles")
    if not 0 <= overlap <= 0.9:
        raise ValueError(f"overlap must be a fraction of a tile's side in 0..0.9, got {overlap}")
    y, x = (_intervals(count, overlap) for count in (rows, columns))
    return Warp.from_axes(x.repeat(rows, 1), y.repeat_interleave(columns, dim=0))


def tiles_of(frame: Sequence[int], tile: Sequence[int] = (512, 512), overlap: float = 0.2) -> Size:
    """Return (rows, columns) of the tiles of about one size in pixels that cover an image.

    Args:
        frame: (rows, columns) of the image.
        tile: (rows, columns) of a tile.
        overlap: of neighbouring tiles, as a fraction of a tile's side.

    Example:
        >>> tiles_of((960, 1280))
        (3, 3)
    """
    counts = [
        max(1, math.ceil((side / length - overlap) / (1 - overlap)))
        for side, length in zip(check.size(frame), check.size(tile, "tile"), strict=True)
    ]
    return counts[0], counts[1]


def _intervals(count: int, overlap: float) -> Tensor:
    """Return the two ends of `count` equal intervals that cover [-1, 1]: `count 2`."""
    length = 2 / (count - (count - 1) * overlap)
    start = torch.linspace(-1, 1 - length, count)
    return torch.stack([start, start + length], dim=-1)
