"""Uniform: plain downsampling, the baseline."""

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..geometry.deprecation import renamed_arguments
from ..geometry.warp import Warp
from ..models.registry import TwoPartNetwork
from .base import Decode, Levels, Predictions
from .lzu import LZU, UnzoomStage, options_for
from .placement import Strides


class Uniform(LZU):
    """A system that downsamples uniformly: `LZU` with the identity warp.

    Args:
        features: module, or method of one, from a downsampled image `b 3 h w` to features.
        head: module, or method of one, from these features to outputs.
        size: (rows, columns) of the downsampled image.
        unzoom: what to resample by `upsample_factor`: "features" or "outputs"; or "predictions", to
            resample dense predictions to ``source_size``.
        upsample_factor: size of the resampled maps relative to the network's own.
        strides: as in :class:`LZU`.
        decode: from outputs to predictions.
        antialias: as in :meth:`Warp.zoom`.
    """

    @renamed_arguments(finer="upsample_factor")
    def __init__(
        self,
        features: Callable[[Tensor], Levels],
        head: Callable[[Any], Levels],
        warp: object = None,
        *,
        size: Sequence[int],
        unzoom: UnzoomStage = "features",
        upsample_factor: int = 1,
        strides: Strides | None = None,
        decode: Decode | None = None,
        antialias: bool = True,
    ) -> None:
        if warp is not None:
            warnings.warn(
                "the argument 'warp' of Uniform() has no effect; it will be removed in version 0.3",
                DeprecationWarning,
                stacklevel=3,
            )
        super().__init__(
            features,
            head,
            lambda image: _identity(image.device),
            size=size,
            unzoom=unzoom,
            upsample_factor=upsample_factor,
            strides=strides,
            decode=decode,
            antialias=antialias,
        )

    @classmethod
    def from_network(
        cls,
        network: TwoPartNetwork,
        warp: Warp | Callable[[Tensor], Warp] | None = None,
        **options: Any,
    ) -> "Uniform":
        """Return the system of a network, as of :class:`LZU`; a given warp is ignored."""
        options = {"decode": network.decode, **options_for(network, options)}
        return cls(network.features, network.head, **options)

    def zoom(self, image: Tensor, warp: Warp | None = None) -> Tensor:
        """Return the uniformly downsampled image; ``warp`` is ignored."""
        return super().zoom(image, _identity(image.device))

    def unzoom(self, levels: Levels, warp: Warp) -> Levels:
        """Return the levels enlarged by `upsample_factor`; ``warp`` is ignored."""
        first = levels if isinstance(levels, Tensor) else levels[0]
        return super().unzoom(levels, _identity(first.device))

    def decode(
        self,
        outputs: Levels,
        warp: Warp,
        decode: Decode | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Predictions:
        """Return predictions in the source frame, which is also that of the network's input."""
        first = outputs
        # Outputs are a map, a list of maps, or detections, of which the boxes come first.
        while not isinstance(first, Tensor):
            first = first[0]
        return super().decode(outputs, _identity(first.device), decode, source_size=source_size)


@lru_cache(maxsize=8)
def _identity(device: torch.device) -> Warp:
    """Return the identity warp on a device, cached so that its maps are computed once."""
    with torch.inference_mode(False):  # the first call may be in inference mode
        return Warp.identity((1, 1), device=device)
