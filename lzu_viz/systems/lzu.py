"""LZU and its rivals: one network, four ways to feed it, so that only the resampling differs.

======= =========== ================================ ====================================
system  image       features or outputs              boxes
======= =========== ================================ ====================================
Uniform downsampled resampled by the identity warp   decoded in the source frame
LZ      zoomed      left in the zoomed frame         left in the zoomed frame
Fovea   zoomed      left in the zoomed frame         decoded, then mapped back through T
LZU     zoomed      unzoomed                         decoded in the source frame
======= =========== ================================ ====================================

LZ: Recasens et al., "Learning to Zoom", ECCV 2018. Fovea: Thavamani et al., "FOVEA", ICCV 2021.
LZU: Thavamani et al., "Learning to Zoom and Unzoom", CVPR 2023.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn

from ..geometry import check
from ..geometry.boxes import Detections
from ..geometry.warp import Warp

Levels = Tensor | Sequence[Tensor]
"""One map `b c h w`, or one a level of any stride."""


class Decode(Protocol):
    """How a detector's outputs become boxes, for example ``NanoDet.decode``."""

    def __call__(
        self, outputs: list[Tensor], warp: Warp | None = None, *, size: check.Size
    ) -> list[Detections]:
        """Decode outputs of a network whose input was ``size``, unzoomed by ``warp`` if any."""
        ...


class LZ(nn.Module):
    """Zoom, run the network, and leave what comes out in the zoomed frame.

    Why spatial tasks break without an unzoom: masks and boxes fit the zoomed image, not the source.

    Args:
        features: from a zoomed image `b 3 h w` to features: one map or a list of levels. A module,
            or a method of one.
        head: from those features to outputs: one map or a list of levels. A module, or a method of
            one.
        warp: a :class:`Warp`, or a callable from image to one (adaptive or learnt saliency).
        size: (rows, columns) of the zoomed image.
        unzoom: for :class:`LZU` and :class:`Uniform`; taken so that all systems are called alike.
        finer: likewise.
        antialias: as in :meth:`Warp.zoom`.
    """

    def __init__(
        self,
        features: Callable[[Tensor], Levels],
        head: Callable[[Any], Levels],
        warp: Warp | Callable[[Tensor], Warp],
        *,
        size: Sequence[int],
        unzoom: Literal["features", "outputs"] = "features",
        finer: int = 1,
        antialias: bool = True,
    ) -> None:
        super().__init__()
        if unzoom not in ("features", "outputs"):
            raise ValueError(f'unzoom must be "features" or "outputs", got {unzoom!r}')
        if not isinstance(finer, int) or finer < 1:
            raise ValueError(f"finer must be a whole number of at least 1, got {finer!r}")
        self.features = features
        self.head = head
        self.warp = warp
        self.size = check.size(size, least=2)
        self.unzoom = unzoom
        self.finer = finer
        self.antialias = antialias
        # A method is no submodule: its owner has to be one, or its parameters would not be trained
        # or moved.
        owners = {
            id(part): part
            for part in (getattr(p, "__self__", None) for p in (features, head, warp))
        }
        self.owners = nn.ModuleList(
            [part for part in owners.values() if isinstance(part, nn.Module)]
        )

    def forward(self, image: Tensor, warp: Warp | None = None) -> Levels:
        """Run the system on images of any size.

        Args:
            image: `b 3 h w` in 0..1.
            warp: to be used in place of the system's own, for example one made from the last
                frame's boxes.

        Returns:
            The head's outputs.
        """
        warp = warp or self.warp_for(image)
        return self.run(warp.zoom(image, self.size, self.antialias), warp)

    def run(self, zoomed: Tensor, warp: Warp) -> Levels:
        """Run the network on an image that was zoomed by ``warp``."""
        return self.head(self.features(zoomed))

    def warp_for(self, image: Tensor) -> Warp:
        """Give the warp that the system uses for an image."""
        return self.warp if isinstance(self.warp, Warp) else self.warp(image)

    def detect(self, image: Tensor, decode: Decode, warp: Warp | None = None) -> list[Detections]:
        """Run the system on images, and decode what comes out to boxes.

        Args:
            image: `b 3 h w` in 0..1.
            decode: the model's way from outputs to boxes.
            warp: as in :meth:`forward`.

        Returns:
            One for each image. The boxes of all systems but LZ itself are in the source frame.
        """
        warp = warp or self.warp_for(image)
        outputs = self(image, warp)
        return self.decoded(
            [outputs] if isinstance(outputs, Tensor) else list(outputs), decode, warp
        )

    def decoded(self, outputs: list[Tensor], decode: Decode, warp: Warp) -> list[Detections]:
        """Decode the outputs of :meth:`forward`."""
        return decode(outputs, size=self.size)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if isinstance(self.warp, Warp):
            # The warp follows the module to its device, but not to half precision.
            self.warp = self.warp.to(fn(self.warp.grid.new_empty(0)).device)
        return self


class Fovea(LZ):
    """Zoom, detect, and map the boxes back through T: a way that masks and features do not have."""

    def decoded(self, outputs: list[Tensor], decode: Decode, warp: Warp) -> list[Detections]:
        """Decode in the zoomed frame, then take the box around each one's mapped edges."""
        found = super().decoded(outputs, decode, warp)
        warps = [warp[0 if len(warp) == 1 else index] for index in range(len(found))]
        return [
            each._replace(boxes=own.boxes_to_source(each.boxes))
            for each, own in zip(found, warps, strict=True)
        ]


class LZU(LZ):
    """Zoom the image, run the network on it, and unzoom: what comes out is in the source frame.

    Args:
        features: from a zoomed image `b 3 h w` to features: one map or a list of levels. A module,
            or a method of one.
        head: from those features to outputs: one map or a list of levels. A module, or a method of
            one.
        warp: a :class:`Warp`, or a callable from image to one (adaptive or learnt saliency).
        size: (rows, columns) of the zoomed image.
        unzoom: whether "features" are unzoomed before the head, as in the paper, or the head's
            "outputs" after it. A frozen head that never saw unzoomed features does better with
            "outputs": see :class:`NanoDet`.
        finer: how many times as fine as the network's own the grids are that levels are unzoomed
            onto. A map unzoomed to its own size drops most of the cells that the zoom has won.
        antialias: as in :meth:`Warp.zoom`.

    Where the warp crops, unzoomed maps are 0; a decoder that is given the warp knows that from
    :meth:`Warp.coverage`.

    With a fixed warp it is a program for ``torch.compile``, ``torch.export.export`` and
    ``torch.onnx.export``, for images of one size: call it once on such an image before, as a
    compiled program takes the warp's maps as they are. It does not look for NaN in the image. With
    a warp that is made from the image, compile the network alone.

    A network that is laid out channels last (``network.to(memory_format=torch.channels_last)``)
    has its features unzoomed faster, too; features that come otherwise are laid out so only where
    they are read at more than three times as many points as they have cells.

    Example:
        >>> import torch
        >>> from lzu_viz import saliency
        >>> network = nn.Conv2d(3, 8, kernel_size=4, stride=4)
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), width=0.1)
        >>> warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea))
        >>> system = LZU(network, nn.Conv2d(8, 2, kernel_size=1), warp, size=(64, 128), finer=2)
        >>> system(torch.rand(1, 3, 256, 512)).shape
        torch.Size([1, 2, 32, 64])
    """

    def run(self, zoomed: Tensor, warp: Warp) -> Levels:
        """Run the network on a zoomed image, and unzoom before or after its head."""
        features = self.features(zoomed)
        if self.unzoom == "features":
            return self.head(self._unzoomed(features, warp))
        return self._unzoomed(self.head(features), warp)

    def decoded(self, outputs: list[Tensor], decode: Decode, warp: Warp) -> list[Detections]:
        """Decode in the source frame; the decoder corrects sizes by the warp."""
        return decode(outputs, warp, size=self.size)

    def _unzoomed(self, levels: Levels, warp: Warp) -> Levels:
        every = [levels] if isinstance(levels, Tensor) else list(levels)
        sizes = [(level.shape[-2] * self.finer, level.shape[-1] * self.finer) for level in every]
        unzoomed = warp.unzoom_levels(every, sizes)
        return unzoomed[0] if isinstance(levels, Tensor) else unzoomed


class Uniform(LZU):
    """Downsample plainly: the identity warp through the same resampler; nothing else differs.

    It takes a warp, so that all systems are called alike, and does not use it.
    """

    def warp_for(self, image: Tensor) -> Warp:
        """Give the identity."""
        return _identity(image.device)

    def forward(self, image: Tensor, warp: Warp | None = None) -> Levels:
        """Run the network on the plainly downsampled image, whatever the warp."""
        return super().forward(image, self.warp_for(image))

    def decoded(self, outputs: list[Tensor], decode: Decode, warp: Warp) -> list[Detections]:
        """Decode in the source frame, which is the frame that the network saw."""
        return super().decoded(outputs, decode, _identity(outputs[0].device))


@lru_cache(maxsize=8)
def _identity(device: torch.device) -> Warp:
    """Give the same identity every time, as it remembers its maps."""
    with torch.inference_mode(False):  # it may be asked for anywhere
        return Warp.identity((1, 1), device=device)
