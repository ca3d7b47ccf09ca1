"""Caching of tensors that depend on sizes only."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec

import torch
from torch import Tensor

P = ParamSpec("P")


def cached_tensor(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Cache the tensors that a function returns for its latest 64 arguments.

    The tensors must not be modified in place. While a program is compiled, nothing is cached: its
    tensors are symbols.
    """

    @lru_cache(maxsize=64)
    def cached(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        # Tensors created in inference mode cannot be used in autograd later.
        with torch.inference_mode(False):
            return function(*args, **kwargs)

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        if torch.compiler.is_compiling():
            return function(*args, **kwargs)
        return cached(*args, **kwargs)

    return inner
