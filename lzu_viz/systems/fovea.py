"""Fovea: zoom, and map the predictions back to the source frame."""

from collections.abc import Sequence

from ..geometry.warp import Warp
from .base import Decode, Levels, Predictions, predictions_to_source
from .lz import LZ


class Fovea(LZ):
    """Zoom, run the network, and map what it predicts back through T.

    Boxes become the box around their mapped edges, dense maps are unzoomed. Features stay in the
    zoomed frame. Thavamani et al., "FOVEA", ICCV 2021.
    """

    def decode(
        self,
        outputs: Levels,
        warp: Warp,
        decode: Decode | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Predictions:
        """Return predictions in the source frame, decoded in the zoomed frame."""
        return predictions_to_source(self._decoded(outputs, None, decode), warp, source_size)
