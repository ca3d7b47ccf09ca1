"""LZU: zoom the image, and unzoom features, outputs or predictions."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

from torch import Tensor

from ..geometry.check import Size
from ..geometry.deprecation import renamed_arguments
from ..geometry.warp import Warp
from .base import Decode, Levels, Predictions, System, predictions_to_source

UnzoomStage = Literal["features", "outputs", "predictions"]


class LZU(System):
    """Zoom the image, run the network on it, and unzoom: the result is in the source frame.

    Thavamani et al., "Learning to Zoom and Unzoom", CVPR 2023.

    Args:
        features: from a zoomed image `b 3 h w` to features: one map or a list of levels. A module,
            or a method of one.
        head: from those features to outputs: one map or a list of levels. A module, or a method of
            one.
        warp: a :class:`Warp`, or a callable from image to one (adaptive or learnt saliency).
        size: (rows, columns) of the zoomed image.
        unzoom: whether "features" are unzoomed before the head, as in the paper, the head's
            "outputs" after it, or "predictions" after they are decoded. A frozen head that never
            saw unzoomed features does better with "outputs": see :class:`NanoDet`.
        upsample_factor: size of the unzoomed grids in units of the network's own. A map unzoomed to
            its own size loses most of the cells that the zoom has gained.
        decode: from outputs to predictions; only :meth:`decode` and :meth:`trace` need it.
        antialias: as in :meth:`Warp.zoom`.

    Where the warp crops, unzoomed maps are 0; a decoder that is given the warp knows that from
    :meth:`Warp.coverage`.

    With a fixed warp the system can be compiled and exported by ``torch.compile``,
    ``torch.export.export`` and ``torch.onnx.export``, for images of one size: call it once on such
    an image before, as a compiled program takes the warp's maps as constants. It does not look for
    NaN in the image. With a warp that is made from the image, compile the network alone.

    A network in channels-last layout (``network.to(memory_format=torch.channels_last)``) has its
    features unzoomed faster, too; other features are converted only where they are sampled at more
    than three times as many points as they have cells.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from lzu_viz import saliency
        >>> network = nn.Conv2d(3, 8, kernel_size=4, stride=4)
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), 0.1)
        >>> warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea))
        >>> head = nn.Conv2d(8, 2, kernel_size=1)
        >>> system = LZU(network, head, warp, size=(64, 128), upsample_factor=2)
        >>> system(torch.rand(1, 3, 256, 512)).shape
        torch.Size([1, 2, 32, 64])
    """

    @renamed_arguments(finer="upsample_factor")
    def __init__(
        self,
        features: Callable[[Tensor], Levels],
        head: Callable[[Any], Levels],
        warp: Warp | Callable[[Tensor], Warp],
        *,
        size: Sequence[int],
        unzoom: UnzoomStage = "features",
        upsample_factor: int = 1,
        decode: Decode | None = None,
        antialias: bool = True,
    ) -> None:
        super().__init__(features, head, warp, size=size, decode=decode, antialias=antialias)
        if unzoom not in get_args(UnzoomStage):
            raise ValueError(f"unzoom must be one of {get_args(UnzoomStage)}, got {unzoom!r}")
        if not isinstance(upsample_factor, int) or upsample_factor < 1:
            raise ValueError(
                f"upsample_factor must be an integer of at least 1, got {upsample_factor!r}"
            )
        self.unzooms = unzoom
        self.upsample_factor = upsample_factor

    def unzoom(self, levels: Levels, warp: Warp) -> Levels:
        """Return features or outputs in the source frame, on grids of `upsample_factor`."""
        maps = [levels] if isinstance(levels, Tensor) else list(levels)
        unzoomed = warp.unzoom_levels(maps, self.unzoomed_sizes(maps))
        return unzoomed[0] if isinstance(levels, Tensor) else unzoomed

    def unzoomed_sizes(self, levels: Sequence[Tensor]) -> list[Size]:
        """Return (rows, columns) of the grid onto which each level is unzoomed."""
        scale = self.upsample_factor
        return [(level.shape[-2] * scale, level.shape[-1] * scale) for level in levels]

    def decode(
        self,
        outputs: Levels,
        warp: Warp,
        decode: Decode | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Predictions:
        """Return predictions in the source frame; the decoder corrects sizes by the warp."""
        if self.unzooms == "predictions":
            return predictions_to_source(self._decoded(outputs, None, decode), warp, source_size)
        return self._decoded(outputs, warp, decode)
