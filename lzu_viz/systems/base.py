"""The stages that all systems share: zoom, encode, unzoom, head, decode."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from torch import Tensor, nn

from ..geometry import check
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..models.registry import TwoPartNetwork

Levels = Tensor | Sequence[Tensor]
"""One map `b c h w`, or a list of them, one for each level of a pyramid."""

Predictions = list[Detections] | Tensor
"""What a network predicts: boxes for each image, or one dense map `b c h w`."""


class Decode(Protocol):
    """A function from a head's outputs to predictions, for example ``NanoDet.decode``."""

    def __call__(self, outputs: Any, warp: Warp | None = None, *, size: Size) -> Predictions:
        """Decode the outputs of a network.

        Args:
            outputs: of the head, a list of maps.
            warp: the warp by which the outputs were unzoomed; None if they lie in the frame that
                the network saw.
            size: (rows, columns) of the network's input.
        """
        ...


class Trace(NamedTuple):
    """All intermediate results of a system, in the order in which they are computed.

    Attributes:
        warp: from the zoomed to the source frame.
        zoomed: `b 3 *size`, the network's input.
        features: of the zoomed image, in the zoomed frame.
        head_inputs: what the head gets: the features, unzoomed where the system unzooms features.
        head_outputs: what the head returns.
        outputs: what :meth:`System.forward` returns: the head's outputs, unzoomed where the system
            unzooms outputs.
        predictions: the decoded outputs; None where the system has no decoder.
    """

    warp: Warp
    zoomed: Tensor
    features: Levels
    head_inputs: Levels
    head_outputs: Levels
    outputs: Levels
    predictions: Predictions | None


class System(nn.Module):
    """A network that sees an image through a warp.

    Each stage is a method that can be called alone: :meth:`zoom`, :meth:`encode`, :meth:`unzoom`,
    :meth:`head` and :meth:`decode`. :meth:`forward` composes them, :meth:`trace` returns all that
    they return. A subclass says what is unzoomed, by overriding :meth:`unzoom` and
    :meth:`decode`, and when, by `stage`.

    Args:
        features: from a zoomed image `b 3 h w` to features: one map or a list of levels. A module,
            or a method of one.
        head: from those features to outputs: one map or a list of levels. A module, or a method of
            one.
        warp: a :class:`Warp`, or a callable from image to one (adaptive or learnt saliency).
        size: (rows, columns) of the zoomed image.
        decode: from outputs to predictions; only :meth:`decode` and :meth:`trace` need it.
        antialias: as in :meth:`Warp.zoom`.
    """

    stages: ClassVar[tuple[str, ...]] = ("zoom", "encode", "unzoom", "head", "decode")

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
        super().__init__()
        self.backbone = features
        self.prediction_head = head
        self.warp = warp
        self.size = check.size(size, minimum=2)
        self.decoder = decode
        self.antialias = antialias
        self.unzooms = ""
        # A method is not a submodule: its owner has to be one, or its parameters would be neither
        # trained nor moved.
        owners = {
            id(owner): owner
            for owner in (getattr(part, "__self__", None) for part in (features, head, warp))
        }
        self.owners = nn.ModuleList(
            [owner for owner in owners.values() if isinstance(owner, nn.Module)]
        )

    @classmethod
    def from_network(
        cls, network: TwoPartNetwork, warp: Warp | Callable[[Tensor], Warp], **options: Any
    ) -> Self:
        """Return the system around a network with the methods `features`, `head` and `decode`.

        Args:
            network: for example a :class:`lzu_viz.models.NanoDet`.
            warp: as for the class.
            options: of the class.
        """
        return cls(network.features, network.head, warp, **{"decode": network.decode, **options})

    # The stages.

    def warp_for(self, image: Tensor) -> Warp:
        """Return the warp that the system uses for an image."""
        return self.warp if isinstance(self.warp, Warp) else self.warp(image)

    def zoom(self, image: Tensor, warp: Warp | None = None) -> Tensor:
        """Return the network's input: the image, zoomed to `size`.

        Args:
            image: `b 3 h w` in 0..1, of any size.
            warp: to be used in place of the system's own.
        """
        return (warp or self.warp_for(image)).zoom(image, self.size, self.antialias)

    def encode(self, zoomed: Tensor) -> Levels:
        """Return the features of a zoomed image, in its frame."""
        return self.backbone(zoomed)

    def unzoom(self, levels: Levels, warp: Warp) -> Levels:
        """Return features or outputs in the frame in which the system leaves them."""
        return levels

    def head(self, features: Levels) -> Levels:
        """Return the outputs of the network's head, in the frame of the features."""
        return self.prediction_head(features)

    def decode(
        self,
        outputs: Levels,
        warp: Warp,
        decode: Decode | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Predictions:
        """Return predictions from the outputs of :meth:`forward`.

        Args:
            outputs: of :meth:`forward`.
            warp: by which the image was zoomed.
            decode: to be used in place of the system's own decoder.
            source_size: (rows, columns) wanted of a dense prediction that is unzoomed after it was
                decoded; by default the size in which it was decoded.

        Raises:
            ValueError: the system has no decoder, and none is given.
        """
        return self._decoded(outputs, None, decode)

    # Their composition.

    def forward(self, image: Tensor, warp: Warp | None = None) -> Levels:
        """Run the system on images of any size.

        Args:
            image: `b 3 h w` in 0..1.
            warp: to be used in place of the system's own, for example one made from the boxes of
                the last frame.

        Returns:
            The head's outputs.
        """
        warp = warp or self.warp_for(image)
        return self.forward_zoomed(self.zoom(image, warp), warp)

    def forward_zoomed(self, zoomed: Tensor, warp: Warp) -> Levels:
        """Run the system on images that were zoomed by ``warp`` before."""
        return self._from_zoomed(zoomed, warp)[-1]

    def trace(
        self,
        image: Tensor,
        warp: Warp | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Trace:
        """Run the system, and return every intermediate result by name.

        Args:
            image: as in :meth:`forward`.
            warp: as in :meth:`forward`.
            source_size: as in :meth:`decode`.
        """
        warp = warp or self.warp_for(image)
        zoomed = self.zoom(image, warp)
        levels = self._from_zoomed(zoomed, warp)
        known = self.decoder is not None
        predictions = self.decode(levels[-1], warp, source_size=source_size) if known else None
        return Trace(warp, zoomed, *levels, predictions)

    def detect(
        self, image: Tensor, decode: Decode | None = None, warp: Warp | None = None
    ) -> list[Detections]:
        """Run the system on images, and decode its outputs to boxes.

        Args:
            image: `b 3 h w` in 0..1.
            decode: the model's way from outputs to boxes; by default the system's own decoder.
            warp: as in :meth:`forward`.

        Returns:
            One for each image. The boxes of all systems but LZ itself are in the source frame.
        """
        warp = warp or self.warp_for(image)
        predictions = self.decode(self(image, warp), warp, decode)
        if isinstance(predictions, Tensor):
            raise ValueError(
                f"the decoder returned a map {check.shape(predictions)} in place of boxes; "
                "call `decode` for dense predictions"
            )
        return predictions

    def _from_zoomed(self, zoomed: Tensor, warp: Warp) -> tuple[Levels, Levels, Levels, Levels]:
        """Return features, the head's inputs and outputs, and the system's outputs."""
        features = self.encode(zoomed)
        inputs = self.unzoom(features, warp) if self.unzooms == "features" else features
        raw = self.head(inputs)
        return features, inputs, raw, self.unzoom(raw, warp) if self.unzooms == "outputs" else raw

    def _decoded(self, outputs: Levels, warp: Warp | None, decode: Decode | None) -> Predictions:
        decode = decode or self.decoder
        if decode is None:
            raise ValueError(
                f"{type(self).__name__} has no decoder; give one with the call, or `decode=` when "
                "the system is made"
            )
        return decode(_listed(outputs), warp, size=self.size)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if isinstance(self.warp, Warp):
            # The warp follows the module to its device, but not to half precision.
            self.warp = self.warp.to(fn(self.warp.grid.new_empty(0)).device)
        return self


def predictions_to_source(
    predictions: Predictions, warp: Warp, source_size: Sequence[int] | None = None
) -> Predictions:
    """Return predictions of the zoomed frame in the source frame.

    Args:
        predictions: boxes are mapped to the box around their mapped edges, a dense map is unzoomed.
        warp: of batch 1, or as many as images.
        source_size: (rows, columns) wanted of a dense map; by default its own.
    """
    if isinstance(predictions, Tensor):
        return warp.unzoom(predictions, source_size or predictions.shape[-2:])
    warps = [warp[0 if len(warp) == 1 else index] for index in range(len(predictions))]
    return [
        detections._replace(boxes=own.boxes_to_source(detections.boxes))
        for detections, own in zip(predictions, warps, strict=True)
    ]


def _listed(levels: Levels) -> list[Tensor]:
    return [levels] if isinstance(levels, Tensor) else list(levels)
