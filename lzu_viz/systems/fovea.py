"""Fovea: zoom, and map predictions back to the source frame."""

from collections.abc import Sequence

from ..geometry.warp import Warp
from .base import Decode, Levels, Predictions, predictions_to_source
from .lz import LZ


class Fovea(LZ):
    """A system that zooms, runs the network, and maps its predictions back through T.

    Boxes become the bounding boxes of their mapped edges, dense maps are unzoomed. Features stay in
    the zoomed frame. Thavamani et al., "FOVEA", ICCV 2021.
    """

    def decode(
        self,
        outputs: Levels,
        warp: Warp,
        decode: Decode | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Predictions:
        """Return predictions decoded in the zoomed frame and mapped to the source frame."""
        return predictions_to_source(self._decoded(outputs, None, decode), warp, source_size)
