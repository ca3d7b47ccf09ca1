"""Reads from the device: their number does not depend on the batch."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lzu_viz import Warp, saliency

READS = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::repeat_interleave.Tensor",
    "aten::unique_consecutive",
    "aten::_unique2",
    "aten::masked_select",
    "aten::equal",
    "aten::is_nonzero",
}
"""Operations that wait for the device, as a value or a size depends on the result."""


class CountReads(TorchDispatchMode):
    """Counts reads from the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += function.name() in READS
        return function(*args, **(kwargs or {}))


def reads_of_step(batch: int, separable: bool) -> int:
    """Return the number of reads of a training step: saliency, warp, zoom and unzoom."""
    centres = torch.linspace(-0.8, 0.8, batch)[:, None, None].expand(-1, 1, 2)
    features = [torch.rand(batch, 4, 2**k, 2 ** (k + 1)) for k in (2, 3, 4)]
    logits = torch.zeros(batch, 1, 16, 32, requires_grad=True)
    image = torch.rand(batch, 3, 64, 128)
    with CountReads() as reads:
        learnt = logits.flatten(1).softmax(-1).view_as(logits)
        mixed = saliency.mix(
            saliency.normalise(learnt), saliency.gaussian(centres, 0.1, size=(16, 32))
        )
        warp = Warp.from_saliency(mixed, (8, 16), separable=separable)
        zoomed = warp.zoom(image, (32, 64))
        levels = warp.unzoom_levels(features, [(8, 16), (16, 32), (32, 64)])
    (zoomed.mean() + sum(level.mean() for level in levels)).backward()
    return reads.count


@pytest.mark.parametrize("separable", [True, False])
def test_number_of_reads_does_not_depend_on_the_batch(separable: bool) -> None:
    few = reads_of_step(1, separable)
    assert few == reads_of_step(4, separable) == reads_of_step(33, separable)
    assert few <= (12 if separable else 21)
