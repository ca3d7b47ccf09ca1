"""Uniform: plain downsampling, the baseline of all comparisons."""

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
from .lzu import LZU, UnzoomStage


class Uniform(LZU):
    """Downsample uniformly: the identity warp through the same resampler as :class:`LZU`.

    Args:
        features: as for :class:`LZU`.
        head: likewise.
        size: likewise.
        unzoom: likewise; it says which maps get the grids of `upsample_factor`.
        upsample_factor: likewise.
        decode: likewise.
        antialias: likewise.
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
        decode: Decode | None = None,
        antialias: bool = True,
    ) -> None:
        if warp is not None:
            warnings.warn(
                "Uniform uses no warp; leave it out. Version 0.3 will not take one",
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
        """Return the system around a network; a warp that is given is not used."""
        return cls(network.features, network.head, **{"decode": network.decode, **options})

    def zoom(self, image: Tensor, warp: Warp | None = None) -> Tensor:
        """Return the uniformly downsampled image, whatever the warp."""
        return super().zoom(image, _identity(image.device))

    def unzoom(self, levels: Levels, warp: Warp) -> Levels:
        """Return the levels on grids of `upsample_factor`, whatever the warp."""
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
        """Return predictions in the source frame, which is the frame that the network saw."""
        first = outputs if isinstance(outputs, Tensor) else outputs[0]
        return super().decode(outputs, _identity(first.device), decode, source_size=source_size)


@lru_cache(maxsize=8)
def _identity(device: torch.device) -> Warp:
    """Return one identity warp for each device, so that its maps are computed once."""
    with torch.inference_mode(False):  # the first call may be in inference mode
        return Warp.identity((1, 1), device=device)
