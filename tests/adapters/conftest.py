"""torchvision without its compiled operators: these do not load with every build of PyTorch.

Where they load, nothing is replaced.
"""

import sys
from collections.abc import Iterator

import pytest
import torch
from kornia.geometry.bbox import nms
from torch import Tensor, library

_OPERATORS = library.Library("torchvision", "FRAGMENT")


def _loads() -> bool:
    """Return whether torchvision can be imported; define the missing operators if it cannot."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        return False
    return True


def _nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    if not len(boxes):
        return scores.new_zeros(0, dtype=torch.int64)
    return nms(boxes, scores, iou_threshold)


if not _loads():
    _OPERATORS.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _OPERATORS.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _OPERATORS.impl("nms", _nms, "CPU")
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    import torchvision

    # `nms` asserts that the operators are there; RoIAlign has a version in Python, which is used
    # as its module has imported the original function.
    torchvision.extension._has_ops = lambda: True


@pytest.fixture(autouse=True)
def _eager() -> Iterator[None]:
    """Do not compile: torchvision compiles RoIAlign where its operators are missing."""
    with torch.compiler.set_stance("force_eager"):
        yield
