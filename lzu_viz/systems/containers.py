"""Tensors inside containers: lists, tuples, mappings and dataclasses of any nesting."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor


def tensors_of(value: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors of a container, depth first, each with its path for messages.

    Args:
        value: a tensor, a container, or anything else, which has no tensors.
        path: of the value.

    Example:
        >>> import torch
        >>> [path for path, _ in tensors_of({"maps": [torch.rand(1), torch.rand(1)], "size": 3})]
        ["['maps'][0]", "['maps'][1]"]
    """
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from tensors_of(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from tensors_of(item, f"{path}[{index}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from tensors_of(getattr(value, field.name), f"{path}.{field.name}")


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a container of the same types, keys and order, with a function applied to tensors.

    The function is called in the order of :func:`tensors_of`. The container itself is unchanged.
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, Mapping):
        items = {key: map_tensors(item, function) for key, item in value.items()}
        # A shallow copy keeps attributes and special types, such as the outputs of transformers.
        result = copy.copy(value)
        if not hasattr(result, "__setitem__"):
            return type(value)(items)  # type: ignore[call-arg]
        for key, item in items.items():
            result[key] = item
        return result
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_tensors(item, function) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(map_tensors(item, function) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed: Any = copy.copy(value)
        for field in dataclasses.fields(value):
            # Also for frozen dataclasses.
            object.__setattr__(
                changed, field.name, map_tensors(getattr(value, field.name), function)
            )
        return changed
    return value
