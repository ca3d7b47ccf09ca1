"""Argument checks, whose errors state the value received, the value expected and a remedy."""

from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Real
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

P = ParamSpec("P")
R = TypeVar("R")

Size = tuple[int, int]
"""(rows, columns), i.e. (height, width): of an image in pixels, a map in cells, or a warp in
pieces."""


FAR = 8.0
"""Largest magnitude of a coordinate that is accepted: [-1, 1] spans a frame, and coordinates in
pixels are almost always larger."""


def shape(tensor: Tensor) -> str:
    """Return a tensor's shape as text for error messages: ``(1, 3, 90, 160)``."""
    return str(tuple(tensor.shape))


def is_tensor(value: object, name: str) -> None:
    """Raise ``TypeError`` unless the value is a tensor."""
    if not isinstance(value, Tensor):
        kind = f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")
        raise TypeError(f"{name} must be a torch.Tensor, got {kind}; use torch.as_tensor")


def value_of(condition: Tensor) -> bool | None:
    """Return a condition as a bool, or None where values are unknown: while compiling, in vmap."""
    if torch.compiler.is_compiling():
        return None
    try:
        return bool(condition)
    except RuntimeError as error:
        if "vmap" in str(error):
            return None
        raise


def is_transformed(tensor: Tensor) -> bool:
    """Return whether a tensor is traced, by torch.compile or by a transform of torch.func.

    In-place operations, NumPy and custom operations without a rule for it are then not possible.
    """
    # There is no public test for torch.func.
    return torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def not_jit_traced() -> None:
    """Raise ``RuntimeError`` in ``torch.jit.trace``, which would record values as constants."""
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise RuntimeError(
            "warps cannot be traced by torch.jit.trace, or by torch.onnx.export with dynamo=False: "
            "it would record values that depend on the warp as constants; use torch.export or "
            "torch.onnx.export(..., dynamo=True)"
        )


def is_differentiated(tensor: Tensor) -> bool:
    """Return whether a derivative may be computed, in reverse or in forward mode."""
    if tensor.requires_grad:
        return True
    if torch.compiler.is_compiling():
        return False
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return True
    in_forward_mode = forward_ad._current_level >= 0
    return in_forward_mode and forward_ad.unpack_dual(tensor).tangent is not None


def in_reach(tensor: Tensor, name: str) -> None:
    """Raise ``ValueError`` for coordinates far outside [-1, 1], such as pixels.

    NaN and infinite coordinates are ignored.
    """
    coordinates = tensor.detach()
    far = (coordinates.abs() > FAR) & coordinates.isfinite()
    if value_of(far.any()):
        raise ValueError(
            f"{name} must be in [-1, 1], where -1 and 1 are the frame's edges, got "
            f"{float(coordinates[far][0]):g}; convert pixels with lzu_viz.boxes.from_pixels"
        )


def one_of(value: object, options: Sequence[object], name: str) -> None:
    """Raise ``ValueError`` unless the value is one of the options."""
    if value not in options:
        raise ValueError(f"{name} must be one of {tuple(options)}, got {value!r}")


def size(value: Sequence[int], name: str = "size", minimum: int = 1) -> Size:
    """Return ``value`` as (rows, columns), both integers of at least ``minimum``."""
    try:
        rows, columns = (int(side) for side in value)
        are_integers = (rows, columns) == tuple(value)
    except (TypeError, ValueError, OverflowError):
        are_integers = False
    if not are_integers or min(rows, columns) < minimum:
        raise ValueError(
            f"{name} must be (rows, columns), two integers of at least {minimum}, got {value!r}"
        )
    return rows, columns


def per_axis(
    value: float | Sequence[float], name: str, minimum: float, maximum: float
) -> tuple[float, float]:
    """Return a length as (rows, columns), fractions of the side in [minimum, maximum]."""
    try:
        pair = (value, value) if isinstance(value, Real) else tuple(value)  # type: ignore[arg-type]
        rows, columns = (float(side) for side in pair)
        good = minimum <= rows <= maximum and minimum <= columns <= maximum
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"{name} must be a fraction of the frame's side, one number or (rows, columns), "
            f"between {minimum:g} and {maximum:g}, got {value!r}; divide a length in pixels or "
            "nodes by the length of the side"
        )
    return rows, columns


def features(tensor: Tensor, name: str = "features") -> None:
    """Raise ``ValueError`` unless the tensor is a floating `b c h w`; `b` may be 0."""
    dense(tensor, name)
    if not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be floating point, got {tensor.dtype}; divide an image in 0..255 by 255, "
            "and pass mode='nearest' for a map of labels"
        )


def dense(tensor: Tensor, name: str) -> None:
    """Raise ``ValueError`` unless the tensor is a `b c h w` of any dtype; `b` may be 0."""
    is_tensor(tensor, name)
    if tensor.ndim != 4 or 0 in tensor.shape[1:]:
        raise ValueError(f"{name} must have shape (b, c, h, w), got {shape(tensor)}")


def image(tensor: Tensor, name: str = "image") -> None:
    """Raise ``ValueError`` unless the tensor is a finite, floating `b c h w`, at least 2x2."""
    image_shape(tensor, name)
    finite(tensor, tensor, name)


def image_shape(tensor: Tensor, name: str = "image") -> None:
    """Raise ``ValueError`` unless the tensor is a floating `b c h w`, at least 2x2."""
    features(tensor, name)
    if min(tensor.shape[-2:]) < 2:
        raise ValueError(f"{name} must have at least 2x2 pixels, got {shape(tensor)}")


def finite(tensor: Tensor, means: Tensor, name: str = "image") -> None:
    """Raise ``ValueError`` for NaN or infinite pixels; not checked where values are unknown.

    Args:
        tensor: the image.
        means: the image, or means to which every pixel contributes, which are faster to check.
        name: of the image in the message.
    """
    # A fast test: the sum is not finite if any value is not. As it may also overflow, the pixels
    # are tested if it is not finite.
    sum_is_finite = value_of(torch.isfinite(means.detach().sum()))
    if sum_is_finite is False and not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} has NaN or infinite pixels; check how it was computed")


def points(tensor: Tensor, name: str = "points") -> None:
    """Raise ``ValueError`` unless the tensor is a floating `b n 2`, not far outside [-1, 1]."""
    is_tensor(tensor, name)
    if tensor.ndim != 3 or tensor.shape[-1] != 2 or not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be floating point of shape (b, n, 2), with (x, y) in [-1, 1], "
            f"got {tensor.dtype} of shape {shape(tensor)}"
        )
    in_reach(tensor, name)


def saliency(tensor: Tensor, name: str = "saliency") -> None:
    """Raise ``ValueError`` unless the tensor is a floating, finite, positive `b 1 h w`."""
    is_tensor(tensor, name)
    if tensor.ndim != 4 or tensor.shape[1] != 1 or 0 in tensor.shape[1:]:
        raise ValueError(
            f"{name} must have shape (b, 1, h, w), got {shape(tensor)}; add a batch and a channel "
            "axis to a map of shape (h, w)"
        )
    if not tensor.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {tensor.dtype}; convert it")
    # One test of all cells: it is also False for NaN.
    if value_of(((tensor > 0) & (tensor < torch.inf)).all()) is not False:
        return
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} has NaN or infinite cells; check how it was computed")
    raise ValueError(
        f"{name} must be positive everywhere, got a minimum of {float(tensor.detach().amin()):g}; "
        "`lzu_viz.saliency.normalise` adds a small floor to a non-negative map"
    )


def boxes(tensor: Tensor, name: str = "boxes") -> None:
    """Raise ``ValueError`` unless the tensor is a floating, ordered xyxy `n 4` or `b n 4`.

    Boxes in pixels are refused if a coordinate exceeds `FAR`. Boxes in [0, 1], and boxes as (x, y,
    width, height), cannot always be told apart from boxes in [-1, 1].
    """
    is_tensor(tensor, name)
    if tensor.ndim not in (2, 3) or tensor.shape[-1] != 4 or not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be floating point of shape (n, 4) or (b, n, 4), "
            f"got {tensor.dtype} of shape {shape(tensor)}"
        )
    # One test of all boxes: it is also False for NaN.
    valid = (tensor[..., :2] <= tensor[..., 2:]).all(dim=-1)
    if value_of((valid[..., None] & (tensor.detach().abs() <= FAR)).all()) is not False:
        return
    if not bool(valid.all()):
        raise ValueError(
            f"{name} must be (left, top, right, bottom) with left <= right and top <= bottom, "
            f"without NaN, got {tensor[~valid][0].tolist()}"
        )
    in_reach(tensor, name)


def is_autocast_enabled(device_type: str) -> bool:
    """Return whether autocast is enabled for a type of devices; not all types have it."""
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Disable autocast in a function of tensors, as bfloat16 coordinates err by whole pixels."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next(
            (argument.device.type for argument in args if isinstance(argument, Tensor)), "cpu"
        )
        if not is_autocast_enabled(device):
            return function(*args, **kwargs)
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return inner


def same_batch(first: int, second: int, names: str) -> int:
    """Return the common batch size of two tensors, where a batch of 1 is broadcast."""
    if first != second and first != 1 and second != 1:
        raise ValueError(
            f"{names} must have equal batch sizes, or one of them a batch size of 1, "
            f"got {first} and {second}"
        )
    # Not the maximum: an empty batch is broadcast, too.
    return second if first == 1 else first
