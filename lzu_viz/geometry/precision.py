"""Double precision, on devices that have it and on those that do not."""

from torch import Tensor

WITHOUT_FLOAT64 = {"mps"}
"""Types of devices without float64: Apple's GPUs."""


def in_float64(tensor: Tensor) -> Tensor:
    """Return a tensor in float64, on its device or, if that has no float64, on the CPU."""
    on_device = tensor.cpu() if tensor.device.type in WITHOUT_FLOAT64 else tensor
    return on_device.double()
