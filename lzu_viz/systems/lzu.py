"""LZU: zoom the image, and unzoom features, outputs or predictions."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, get_args

from torch import Tensor

from ..geometry.check import Size
from ..geometry.deprecation import renamed_arguments
from ..geometry.warp import Warp
from ..models.registry import TwoPartNetwork
from .base import Decode, Levels, Predictions, System, predictions_to_source
from .placement import Strides, relative_extents

UnzoomStage = Literal["features", "outputs", "predictions"]


class LZU(System):
    """A system that zooms the image, runs the network, and unzooms to the source frame.

    Thavamani et al., "Learning to Zoom and Unzoom", CVPR 2023.

    Args:
        features: module, or method of one, from a zoomed image `b 3 h w` to features: one map or a
            list of levels.
        head: module, or method of one, from these features to outputs: one map or a list of levels.
        warp: a :class:`Warp`, or a callable from an image to a warp (adaptive or learnt saliency).
        size: (rows, columns) of the zoomed image.
        unzoom: what to unzoom: the "features" before the head, as in the paper, the "outputs" of
            the head, or the decoded "predictions". A frozen head that was not trained on unzoomed
            features performs better with "outputs": see :class:`NanoDet`.
        upsample_factor: size of the unzoomed maps relative to the network's own. A map unzoomed to
            its own size loses most of the resolution gained by zooming.
        strides: of the maps in pixels of the zoomed image, one for all, or one for each level.
            Needed for a network that pads or crops its input, as its maps then span another part of
            the frame; by default the cells of each map have to divide ``size``.
        decode: from outputs to predictions; used by :meth:`decode`, :meth:`detect` and
            :meth:`trace`.
        antialias: as in :meth:`Warp.zoom`.

    Unzoomed maps are 0 where the warp crops; decoders can identify these cells by
    :meth:`Warp.coverage`.

    With a fixed warp the system can be compiled and exported by ``torch.compile``,
    ``torch.export.export`` and ``torch.onnx.export``, for images of one size. Call it once on such
    an image first, as a compiled program uses the warp's maps as constants; it does not check the
    image for NaN. With a warp that is computed from the image, compile the network alone.

    Features of a network in channels-last layout
    (``network.to(memory_format=torch.channels_last)``) are unzoomed faster; other features are
    converted only if they have many channels and are sampled at more than three times as many
    points as they have cells.

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
        strides: Strides | None = None,
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
        self.strides = strides

    @classmethod
    def from_network(
        cls, network: TwoPartNetwork, warp: Warp | Callable[[Tensor], Warp], **options: Any
    ) -> Self:
        """Return the system of a network with the methods `features`, `head` and `decode`.

        Args:
            network: for example a :class:`lzu_viz.models.NanoDet`, or a network that is only
                called, of :mod:`lzu_viz.adapters`.
            warp: a warp, or a callable from an image to a warp.
            options: keyword arguments of the class. For a network without feature maps, ``unzoom``
                is "predictions" by default.

        Raises:
            ValueError: features are to be unzoomed, and the network has none.
        """
        return super().from_network(network, warp, **options_for(network, options))

    def unzoom(self, levels: Levels, warp: Warp) -> Levels:
        """Return features or outputs in the source frame, enlarged by `upsample_factor`.

        Raises:
            ValueError: the cells of a map do not divide the network's input, and there are no
                strides; or the map has another layout than `b c h w`.
        """
        maps = [levels] if isinstance(levels, Tensor) else list(levels)
        if not all(isinstance(level, Tensor) for level in maps):
            raise TypeError(
                f"maps `b c h w` are unzoomed, got {type(maps[0]).__name__}; unzoom='predictions' "
                "maps the predictions of a network that returns no maps"
            )
        cells = [(level.shape[-2], level.shape[-1]) for level in maps]
        extents = relative_extents(cells, self.size, self.strides)
        unzoomed = warp.unzoom_levels(maps, self.unzoomed_sizes(maps), extents=extents)
        return unzoomed[0] if isinstance(levels, Tensor) else unzoomed

    def unzoomed_sizes(self, levels: Sequence[Tensor]) -> list[Size]:
        """Return (rows, columns) to which each level is unzoomed."""
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
        """Return predictions in the source frame; the decoder rescales sizes by the warp."""
        if self.unzooms == "predictions":
            return predictions_to_source(self._decoded(outputs, None, decode), warp, source_size)
        return self._decoded(outputs, warp, decode)


def options_for(network: TwoPartNetwork, options: dict[str, Any]) -> dict[str, Any]:
    """Return options of :class:`LZU`, with what a network without feature maps needs.

    Raises:
        ValueError: features are to be unzoomed, and the network has none.
    """
    if getattr(network, "strides", None) != ():
        return options
    if options.get("unzoom") == "features":
        raise ValueError(
            f"{type(network).__name__} has no feature maps; unzoom must be 'outputs' for maps, or "
            "'predictions'"
        )
    return {"unzoom": "predictions", **options}
