"""The stages that all systems share: zoom, encode, unzoom, head, decode."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from types import FunctionType, MethodType
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor, nn

from ..geometry import check
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..models.registry import TwoPartNetwork

Levels = Tensor | Sequence[Tensor]
"""One map `b c h w`, or a list with one map for each level of a pyramid."""

Predictions = list[Detections] | Tensor
"""Predictions of a network: detections for each image, or one dense map `b c h w`."""


class Decode(Protocol):
    """A function from the outputs of a head to predictions, for example ``NanoDet.decode``."""

    def __call__(self, outputs: Any, warp: Warp | None = None, *, size: Size) -> Predictions:
        """Return predictions from the outputs of a network.

        Args:
            outputs: a list of the head's output maps.
            warp: the warp by which the outputs were unzoomed; None if they are in the frame of the
                network's input.
            size: (rows, columns) of the network's input.
        """
        ...


class Trace(NamedTuple):
    """All intermediate results of a system, in the order in which they are computed.

    Attributes:
        warp: from the zoomed to the source frame.
        zoomed: `b 3 *size`, the network's input.
        features: of the zoomed image, in the zoomed frame.
        head_inputs: the features, unzoomed if the system unzooms features.
        head_outputs: the outputs of the head.
        outputs: the result of :meth:`System.forward`: the head's outputs, unzoomed if the system
            unzooms outputs.
        predictions: the decoded outputs; None if the system has no decoder.
    """

    warp: Warp
    zoomed: Tensor
    features: Levels
    head_inputs: Levels
    head_outputs: Levels
    outputs: Levels
    predictions: Predictions | None


class System(nn.Module):
    """A network applied to images that are zoomed by a warp.

    Each stage is a method that can be called alone: :meth:`zoom`, :meth:`encode`, :meth:`unzoom`,
    :meth:`head` and :meth:`decode`. :meth:`forward` composes them, :meth:`trace` returns all
    intermediate results. A subclass defines how to unzoom by overriding :meth:`unzoom` and
    :meth:`decode`, and at which stage by setting ``unzooms`` to "features" or "outputs".

    Args:
        features: module, or method of one, from a zoomed image `b 3 h w` to features: one map or a
            list of levels.
        head: module, or method of one, from these features to outputs: one map or a list of levels.
        warp: a :class:`Warp`, or a callable from an image to a warp (adaptive or learnt saliency).
        size: (rows, columns) of the zoomed image.
        decode: from outputs to predictions; used by :meth:`decode`, :meth:`detect` and
            :meth:`trace`.
        antialias: as in :meth:`Warp.zoom`.
    """

    stages: ClassVar[tuple[str, ...]] = ("zoom", "encode", "unzoom", "head", "decode")
    _fixed: tuple[Warp, tuple[Any, ...]] | None
    _other_warp: Warp | Callable[[Tensor], Warp]

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
        self._set_warp(warp)
        self.size = check.size(size, minimum=2)
        self.decoder = decode
        self.antialias = antialias
        self.unzooms = ""
        # A function is no submodule: register the modules that it uses, so that their parameters
        # are trained and moved.
        used = {
            id(module): module for part in (features, head, warp) for module in modules_of(part)
        }
        self.owners = nn.ModuleList(used.values())

    @classmethod
    def from_network(
        cls, network: TwoPartNetwork, warp: Warp | Callable[[Tensor], Warp], **options: Any
    ) -> Self:
        """Return the system of a network with the methods `features`, `head` and `decode`.

        Args:
            network: for example a :class:`lzu_viz.models.NanoDet`.
            warp: a warp, or a callable from an image to a warp.
            options: keyword arguments of the class.
        """
        return cls(network.features, network.head, warp, **{"decode": network.decode, **options})

    # The stages.

    def warp_for(self, image: Tensor) -> Warp:
        """Return the warp that the system uses for an image."""
        return self.warp if isinstance(self.warp, Warp) else self.warp(image)

    def zoom(self, image: Tensor, warp: Warp | None = None) -> Tensor:
        """Return the network's input: the image zoomed to `size`.

        Args:
            image: `b 3 h w` in 0..1, of any size.
            warp: used in place of the system's own, if given.
        """
        return (self.warp_for(image) if warp is None else warp).zoom(
            image, self.size, self.antialias
        )

    def encode(self, zoomed: Tensor) -> Levels:
        """Return the features of a zoomed image, in the zoomed frame."""
        return self.backbone(zoomed)

    def unzoom(self, levels: Levels, warp: Warp) -> Levels:
        """Return features or outputs in the system's output frame; unchanged by default."""
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
            warp: the warp by which the image was zoomed.
            decode: used in place of the system's own decoder, if given.
            source_size: (rows, columns) of a dense prediction that is unzoomed after decoding; by
                default the size of the decoded map.

        Raises:
            ValueError: if the system has no decoder, and none is given.
        """
        return self._decoded(outputs, None, decode)

    # The composition of the stages.

    def forward(self, image: Tensor, warp: Warp | None = None) -> Levels:
        """Return the outputs of the system for images of any size.

        Args:
            image: `b 3 h w` in 0..1.
            warp: used in place of the system's own, if given; for example a warp made from the
                boxes of the previous frame.

        Returns:
            The head's outputs, unzoomed if the system unzooms outputs.
        """
        warp = self.warp_for(image) if warp is None else warp
        return self.forward_zoomed(self.zoom(image, warp), warp)

    def forward_zoomed(self, zoomed: Tensor, warp: Warp) -> Levels:
        """Return the outputs of the system for images already zoomed by ``warp``."""
        return self._from_zoomed(zoomed, warp)[-1]

    def trace(
        self,
        image: Tensor,
        warp: Warp | None = None,
        *,
        source_size: Sequence[int] | None = None,
    ) -> Trace:
        """Return all intermediate results of the system by name.

        Args:
            image: `b 3 h w` in 0..1.
            warp: used in place of the system's own, if given.
            source_size: (rows, columns) of a dense prediction, as in :meth:`decode`.
        """
        warp = self.warp_for(image) if warp is None else warp
        zoomed = self.zoom(image, warp)
        levels = self._from_zoomed(zoomed, warp)
        has_decoder = self.decoder is not None
        predictions = (
            self.decode(levels[-1], warp, source_size=source_size) if has_decoder else None
        )
        return Trace(warp, zoomed, *levels, predictions)

    def detect(
        self, image: Tensor, decode: Decode | None = None, warp: Warp | None = None
    ) -> list[Detections]:
        """Return the detections of the system in images.

        Args:
            image: `b 3 h w` in 0..1.
            decode: from outputs to detections; by default the system's own decoder.
            warp: used in place of the system's own, if given.

        Returns:
            Detections for each image. Boxes are in the source frame, except those of `LZ`.

        Raises:
            ValueError: if there is no decoder, or it returns a dense map.
        """
        warp = self.warp_for(image) if warp is None else warp
        predictions = self.decode(self(image, warp), warp, decode)
        if isinstance(predictions, Tensor):
            raise ValueError(
                "the decoder must return boxes, got a map of shape "
                f"{check.shape(predictions)}; use `decode` for dense predictions"
            )
        return predictions

    def _from_zoomed(self, zoomed: Tensor, warp: Warp) -> tuple[Levels, Levels, Levels, Levels]:
        """Return the features, the head's inputs and outputs, and the system's outputs."""
        features = self.encode(zoomed)
        inputs = self.unzoom(features, warp) if self.unzooms == "features" else features
        raw = self.head(inputs)
        return features, inputs, raw, self.unzoom(raw, warp) if self.unzooms == "outputs" else raw

    def _decoded(self, outputs: Levels, warp: Warp | None, decode: Decode | None) -> Predictions:
        decode = decode or self.decoder
        if decode is None:
            raise ValueError(
                f"{type(self).__name__} has no decoder; pass `decode` to this method or to the "
                "constructor"
            )
        return decode(_listed(outputs), warp, size=self.size)

    # The warp: a submodule, a callable, or a fixed warp whose nodes are buffers or parameters.

    @property
    def warp(self) -> Warp | Callable[[Tensor], Warp]:
        """The warp, or a callable from an image to a warp.

        The nodes of a fixed warp are in the `state_dict`: as buffers `warp_x` and `warp_y` of a
        separable warp, or `warp_grid`; or as parameters, if they were given as such.
        """
        if "warp" in self._modules:
            return self._modules["warp"]  # type: ignore[return-value]
        if self._fixed is None:
            return self._other_warp
        tensors = self._warp_tensors()
        is_current = self._fixed[1] == _versions(tensors)
        # A compiled program uses the maps that the warp has cached.
        if torch.compiler.is_compiling() or (
            is_current and not any(tensor.requires_grad for tensor in tensors)
        ):
            return self._fixed[0]
        warp = Warp.from_axes(*tensors) if len(tensors) == 2 else Warp.from_grid(*tensors)
        self._fixed = warp, _versions(tensors)
        return warp

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; register a warp."""
        if name == "warp":
            self._set_warp(value)
        else:
            super().__setattr__(name, value)

    def _set_warp(self, warp: Warp | Callable[[Tensor], Warp]) -> None:
        for name in WARP_TENSORS:
            self._buffers.pop(name, None)
            self._parameters.pop(name, None)
        self._modules.pop("warp", None)
        self._fixed = None
        if isinstance(warp, nn.Module):
            self._modules["warp"] = warp
            return
        self._other_warp = warp
        if not isinstance(warp, Warp):
            return
        nodes = {"warp_grid": warp.grid}
        if warp.axes is not None:
            nodes = dict(zip(("warp_x", "warp_y"), warp.axes, strict=True))
        if not all(tensor.is_leaf for tensor in nodes.values()):
            return  # a warp computed from something that is trained elsewhere
        for name, tensor in nodes.items():
            if isinstance(tensor, nn.Parameter):
                self.register_parameter(name, tensor)
            elif tensor.requires_grad:
                raise ValueError(
                    f"the nodes of the warp ({name}) require a gradient, but are no parameter, so "
                    "that no optimiser would move them; make them a torch.nn.Parameter"
                )
            else:
                self.register_buffer(name, tensor)
        self._fixed = warp, _versions(self._warp_tensors())

    def _warp_tensors(self) -> list[Tensor]:
        """Return the registered nodes of a fixed warp."""
        registered = {**self._buffers, **self._parameters}
        return [tensor for name in WARP_TENSORS if (tensor := registered.get(name)) is not None]

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or pickled system; copied warps keep their maps."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if self._fixed is not None:
            self._fixed = self._fixed[0], _versions(self._warp_tensors())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        nodes = {name: tensor for name in WARP_TENSORS if (tensor := self._node(name)) is not None}
        values = {name: tensor.data for name, tensor in nodes.items()}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, value in values.items():
            # The warp moves to the module's device, but is not cast to half precision.
            moved = self._node(name)
            assert moved is not None
            moved.data = value.to(moved.device)
        if self._fixed is not None and values:
            tensors = self._warp_tensors()
            self._fixed = self._fixed[0].to(tensors[0].device), _versions(tensors)
        return self

    def _node(self, name: str) -> Tensor | None:
        return self._buffers.get(name, self._parameters.get(name))


WARP_TENSORS = ("warp_x", "warp_y", "warp_grid")
"""Names of the buffers or parameters of a fixed warp in the state of a system."""


def _versions(tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    """Return what changes when tensors are moved or modified in place."""
    return tuple((tensor.device, tensor._version) for tensor in tensors)


def modules_of(function: object) -> list[nn.Module]:
    """Return the modules that a callable uses, if it is not a module itself.

    The owner of a bound method, the arguments of a `partial`, and the variables of a function or
    lambda.
    """
    if isinstance(function, nn.Module):
        return []
    candidates: list[object] = [getattr(function, "__self__", None)]
    if isinstance(function, partial):
        parts = [function.func, *function.args, *function.keywords.values()]
        candidates += parts
        candidates += [module for part in parts for module in modules_of(part)]
    if isinstance(function, FunctionType):
        variables = inspect.getclosurevars(function)
        for value in (*variables.nonlocals.values(), *variables.globals.values()):
            candidates += value if isinstance(value, list | tuple) else [value]
            if isinstance(value, MethodType):
                candidates.append(value.__self__)
    return [module for module in candidates if isinstance(module, nn.Module)]


def predictions_to_source(
    predictions: Predictions, warp: Warp, source_size: Sequence[int] | None = None
) -> Predictions:
    """Return predictions mapped from the zoomed to the source frame.

    Args:
        predictions: detections for each image, whose boxes become the bounding boxes of their
            mapped edges, or a dense map, which is unzoomed.
        warp: of batch 1, or of one warp for each image.
        source_size: (rows, columns) of the unzoomed dense map; by default its own size.
    """
    if isinstance(predictions, Tensor):
        return warp.unzoom(predictions, source_size or predictions.shape[-2:])
    warps = [warp[0 if len(warp) == 1 else index] for index in range(len(predictions))]
    return [
        detections._replace(boxes=image_warp.boxes_to_source(detections.boxes))
        for detections, image_warp in zip(predictions, warps, strict=True)
    ]


def _listed(levels: Levels) -> list[Tensor]:
    return [levels] if isinstance(levels, Tensor) else list(levels)
