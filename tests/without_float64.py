"""A simulated device without float64, whose tensors do not mix with those of the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from lzu_viz.geometry import precision

DEVICE = torch.device("meta")
"""Every build of PyTorch knows the device `meta`; here its tensors hold values, on the CPU."""


class DeviceTensor(Tensor):
    """A tensor on the simulated device."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> Self:
        """Return a tensor with these values."""
        tensor = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=DEVICE,
        )
        tensor.values = values
        return tensor  # type: ignore[no-any-return]

    def __init__(self, values: Tensor) -> None:
        """Do nothing: see `__new__`."""

    # PyTorch refuses to read values of the device `meta`.
    def item(self) -> Any:
        return self.values.item()

    def __float__(self) -> float:
        return float(self.values)

    def __int__(self) -> int:
        return int(self.values)

    def __bool__(self) -> bool:
        return bool(self.values)

    def new_tensor(self, data: Any, dtype: torch.dtype | None = None) -> Tensor:
        return self.values.new_tensor(data, dtype=dtype).to(DEVICE)

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(function, args, kwargs or {})


def _run(function: Any, args: Any, kwargs: Any) -> Any:
    """Run an operation on the CPU, under the restrictions of the simulated device."""
    on_device, on_cpu = [], []

    def values(argument: Any) -> Any:
        if isinstance(argument, DeviceTensor):
            on_device.append(argument)
            return argument.values
        if isinstance(argument, Tensor) and argument.ndim:
            on_cpu.append(argument)
        return argument

    args, kwargs = tree_map(values, args), tree_map(values, kwargs)
    is_copy = function.name() in ("aten::_to_copy", "aten::copy_")
    if on_device and on_cpu and not is_copy and "index" not in function.name():
        raise RuntimeError(f"{function.name()} mixes tensors of the CPU and of the device")
    target = kwargs.get("device")
    to_device = bool(on_device) if target is None else torch.device(target) == DEVICE
    if function.name() == "aten::copy_":
        to_device = isinstance(args[0], Tensor) and not on_cpu
    if target is not None:
        kwargs = {**kwargs, "device": "cpu"}
    results = function(*args, **kwargs)

    def wrapped(result: Any) -> Any:
        if not isinstance(result, Tensor) or not to_device:
            return result
        if result.dtype == torch.float64:
            raise TypeError(f"{function.name()}: the device has no float64")
        return DeviceTensor(result)

    return tree_map(wrapped, results)


@contextmanager
def device_without_float64() -> Iterator[torch.device]:
    """Yield the device; operations on it with a result in float64 raise ``TypeError``."""
    on_cpu = torch.tensor

    def tensor(data: Any, *, device: torch.device | None = None, **options: Any) -> Tensor:
        # torch.tensor does not ask the mode.
        return on_cpu(data, **options).to(device or "cpu")

    with pytest.MonkeyPatch.context() as patch, _Mode():
        patch.setattr(torch, "tensor", tensor)
        patch.setattr(precision, "WITHOUT_FLOAT64", {DEVICE.type})
        yield DEVICE


def to_cpu(tensor: Tensor) -> Tensor:
    """Return a tensor on the CPU, and check that it was on the device."""
    assert tensor.device == DEVICE
    return tensor.cpu()
