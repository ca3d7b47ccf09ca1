"""Checks of what comes in: each says what came, what was wanted, and what to do."""

from collections.abc import Callable, Sequence
from functools import wraps
from numbers import Real
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")

Size = tuple[int, int]
"""(rows, columns), that is (height, width): of an image in pixels, of a map in cells, of a warp in
pieces."""


def shape(tensor: Tensor) -> str:
    """Write a shape as errors show it: ``(1, 3, 90, 160)``."""
    return str(tuple(tensor.shape))


def size(value: Sequence[int], name: str = "size", minimum: int = 1) -> Size:
    """Return ``value`` as (rows, columns), both integers of at least ``minimum``."""
    try:
        rows, columns = (int(side) for side in value)
        are_integers = (rows, columns) == tuple(value)
    except (TypeError, ValueError, OverflowError):
        are_integers = False
    if not are_integers or min(rows, columns) < minimum:
        raise ValueError(
            f"{name} must be (rows, columns), two whole numbers of at least {minimum}, "
            f"got {value!r}"
        )
    return rows, columns


def per_axis(
    value: float | Sequence[float], name: str, minimum: float, maximum: float
) -> tuple[float, float]:
    """Return a length as (rows, columns), fractions of the frame's side in [least, most]."""
    try:
        pair = (value, value) if isinstance(value, Real) else tuple(value)  # type: ignore[arg-type]
        rows, columns = (float(side) for side in pair)
        good = minimum <= rows <= maximum and minimum <= columns <= maximum
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(
            f"{name} is a fraction of the frame's side, one number or (rows, columns), each from "
            f"{minimum:g} to {maximum:g}; got {value!r}. "
            "Divide a length in pixels or nodes by the side."
        )
    return rows, columns


def features(tensor: Tensor, name: str = "features") -> None:
    """Refuse what is not a floating `b c h w`."""
    if tensor.ndim != 4 or 0 in tensor.shape:
        raise ValueError(f"{name} must be `b c h w`, got {shape(tensor)}")
    if not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be floating point, got {tensor.dtype}; for an image in 0..255, "
            "divide by 255"
        )


def image(tensor: Tensor, name: str = "image") -> None:
    """Refuse what is not a floating, finite `b c h w` of at least 2x2 pixels."""
    image_shape(tensor, name)
    finite(tensor, tensor, name)


def image_shape(tensor: Tensor, name: str = "image") -> None:
    """Refuse what is not a floating `b c h w` of at least 2x2 pixels."""
    features(tensor, name)
    if min(tensor.shape[-2:]) < 2:
        raise ValueError(
            f"{name} must be at least 2x2 pixels, got {shape(tensor)}: "
            "one pixel has nothing to zoom into"
        )


def finite(tensor: Tensor, means: Tensor, name: str = "image") -> None:
    """Refuse NaN or infinite pixels, which show in the image's means too, if each pixel is in one.

    A compiled program is for any pixels, and does not look at them.
    """
    # The sum is quick and finds them all; it alone may overflow.
    if (
        not torch.compiler.is_compiling()
        and not bool(torch.isfinite(means.detach().sum()))
        and not bool(torch.isfinite(tensor).all())
    ):
        raise ValueError(f"{name} has NaN or infinite pixels; look at what made it")


def points(tensor: Tensor, name: str = "points") -> None:
    """Refuse what is not a floating `b n 2`."""
    if tensor.ndim != 3 or tensor.shape[-1] != 2 or not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be floating `b n 2`, (x, y) in [-1, 1], "
            f"got {shape(tensor)} of {tensor.dtype}"
        )


def saliency(tensor: Tensor, name: str = "saliency") -> None:
    """Refuse what is not a finite, positive `b 1 h w`."""
    if tensor.ndim != 4 or tensor.shape[1] != 1 or 0 in tensor.shape:
        raise ValueError(
            f"{name} must be `b 1 h w`, got {shape(tensor)}; add a batch and a channel axis"
        )
    if not tensor.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {tensor.dtype}")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} has NaN or infinite cells; look at what made it")
    minimum = float(tensor.detach().amin())
    if minimum <= 0:
        raise ValueError(
            f"{name} must be positive everywhere, its least cell is {minimum:g}; "
            "`lzu_viz.geometry.saliency.normalise` puts a floor under it"
        )


def boxes(tensor: Tensor, name: str = "boxes") -> None:
    """Refuse what is not a floating `n 4` or `b n 4` in order."""
    if tensor.ndim not in (2, 3) or tensor.shape[-1] != 4 or not tensor.is_floating_point():
        raise ValueError(
            f"{name} must be floating `n 4` or `b n 4`, got {shape(tensor)} of {tensor.dtype}"
        )
    if not bool((tensor[..., :2] <= tensor[..., 2:]).all()):
        raise ValueError(
            f"{name} must be (left, top, right, bottom), left <= right and top <= bottom, none NaN"
        )


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Keep autocast out of a function of tensors: coordinates in bfloat16 are pixels off."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next((each.device.type for each in args if isinstance(each, Tensor)), "cpu")
        with torch.autocast(device, enabled=False):
            return function(*args, **kwargs)

    return inner


def same_batch(first: int, second: int, names: str) -> int:
    """Return the common batch size of two tensors, where a batch of 1 serves any."""
    if first != second and 1 not in (first, second):
        raise ValueError(
            f"{names} have batches of {first} and {second}; they must be equal, or one of them 1"
        )
    return max(first, second)
