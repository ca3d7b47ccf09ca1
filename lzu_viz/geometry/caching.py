"""Caching of tensors that depend on sizes only."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVarTuple

import torch
from torch import Tensor

Ts = TypeVarTuple("Ts")


def cached_tensor(function: Callable[[*Ts], Tensor]) -> Callable[[*Ts], Tensor]:
    """Cache the tensors that a function returns for its latest 64 arguments.

    The tensors must not be modified in place. While a program is compiled, nothing is cached: its
    tensors are symbols.
    """

    @lru_cache(maxsize=64)
    def cached(*args: Any) -> Tensor:
        # Tensors created in inference mode cannot be used in autograd later.
        with torch.inference_mode(False):
            return function(*args)

    @wraps(function)
    def inner(*args: *Ts) -> Tensor:
        if torch.compiler.is_compiling():
            return function(*args)
        return cached(*args)

    return inner
