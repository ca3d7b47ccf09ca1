"""All of the geometry on a device without float64: the same results as on the CPU."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from grids import random_warp
from lzu_viz import Warp, attract, saliency
from without_float64 import device_without_float64, to_cpu

SIZE = (24, 36)


def test_the_simulated_device_has_no_float64() -> None:
    with device_without_float64() as device:
        tensor = torch.ones(3, device=device)
        assert to_cpu(tensor * 2).tolist() == [2, 2, 2]
        with pytest.raises(TypeError, match="no float64"):
            tensor.double()
        with pytest.raises(TypeError, match="no float64"):
            torch.zeros(3, dtype=torch.float64, device=device)
        with pytest.raises(RuntimeError, match="mixes tensors"):
            tensor + torch.ones(3)


def learnt(device: torch.device, separable: bool) -> tuple[Tensor, Warp]:
    logits = torch.linspace(-2, 2, 8 * 12).view(1, 1, 8, 12).to(device).requires_grad_()
    mixed = saliency.mix(
        saliency.normalise(logits.flatten(1).softmax(-1).view_as(logits)),
        saliency.gaussian(torch.tensor([[[0.3, -0.2]]]).to(device), 0.1, size=(8, 12)),
        saliency.uniform((8, 12), device=device),
    )
    return logits, Warp.from_saliency(mixed, (6, 9), separable=separable, max_magnification=3.0)


def step(device: torch.device, separable: bool) -> list[Tensor]:
    """Return results and gradients of a training step with a learnt saliency."""
    logits, warp = learnt(device, separable)
    image = torch.linspace(0, 1, 3 * 48 * 72).sin().view(1, 3, 48, 72).to(device).requires_grad_()
    features = torch.linspace(0, 9, 4 * 6 * 9).cos().view(1, 4, 6, 9).to(device)
    zoomed = warp.zoom(image, SIZE)
    levels = warp.unzoom_levels([features, zoomed], [(12, 18), SIZE])
    loss = zoomed.square().mean() + sum(level.square().mean() for level in levels)
    loss.backward()
    assert logits.grad is not None
    assert image.grad is not None
    return [zoomed.detach(), *(level.detach() for level in levels), logits.grad, image.grad]


@pytest.mark.parametrize("separable", [True, False])
def test_training_step_gives_the_same_results(separable: bool) -> None:
    expected = step(torch.device("cpu"), separable)
    with device_without_float64() as device:
        results = [to_cpu(result) for result in step(device, separable)]
    for result, value in zip(results, expected, strict=True):
        torch.testing.assert_close(result, value, atol=1e-5, rtol=1e-4)


FUNCTIONS: dict[str, Callable[[Warp, Callable[[Tensor], Tensor]], Tensor]] = {
    "zoom": lambda warp, at: warp.zoom(at(torch.rand(1, 3, 48, 72)), SIZE),
    "zoom without antialiasing": lambda warp, at: warp.zoom(at(torch.rand(1, 3, 48, 72)), SIZE,
                                                            antialias=False),
    "zoom of labels": lambda warp, at: warp.zoom(at(torch.randint(0, 9, (1, 1, 48, 72))), SIZE,
                                                 mode="nearest"),
    "unzoom of labels": lambda warp, at: warp.unzoom(at(torch.randint(0, 9, (1, 1, 48, 72))), SIZE,
                                                     mode="nearest"),
    "unzoom_flow": lambda warp, at: warp.unzoom_flow(at(torch.rand(1, 2, 48, 72)), SIZE),
    "to_source": lambda warp, at: warp.to_source(at(torch.rand(1, 50, 2) * 2 - 1)),
    "to_zoomed": lambda warp, at: warp.to_zoomed(at(torch.rand(1, 50, 2) * 2.2 - 1.1)),
    "boxes_to_source": lambda warp, at: warp.boxes_to_source(at(torch.rand(1, 9, 4).sort().values)),
    "boxes_to_zoomed": lambda warp, at: warp.boxes_to_zoomed(at(torch.rand(1, 9, 4).sort().values)),
    "polygon_to_source": lambda warp, at: warp.polygon_to_source(at(torch.rand(5, 2))),
    "polygon_to_zoomed": lambda warp, at: warp.polygon_to_zoomed(at(torch.rand(5, 2))),
    "magnification": lambda warp, at: warp.magnification(SIZE),
    "coverage": lambda warp, at: warp.coverage(SIZE),
    "jacobian": lambda warp, at: warp.jacobian(at(torch.rand(1, 50, 2))),
    "morph": lambda warp, at: warp.morph(0.5).grid,
    "cat": lambda warp, at: Warp.cat([warp, warp]).repeat_interleave(2)[1:3].grid,
    "attract": lambda warp, at: attract(
        at(torch.rand(1, 50, 2)), saliency.from_boxes(at(torch.tensor([[0.0, 0.0, 0.5, 0.5]])),
                                                      frame=(48, 72))),
    "edges": lambda warp, at: saliency.from_edges(at(torch.rand(1, 3, 48, 72))),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["separable", "jittered", "cropped"])
def test_each_function_gives_the_same_result(name: str, kind: str) -> None:
    warp = {
        "separable": Warp.from_saliency(saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), 0.2)),
        "jittered": random_warp("jittered", 1, (6, 9)),
        "cropped": Warp.from_grid(random_warp("jittered", 1, (6, 9)).grid * 0.8),
    }[kind]
    torch.manual_seed(0)
    expected = FUNCTIONS[name](warp, lambda tensor: tensor)
    torch.manual_seed(0)
    with device_without_float64() as device:
        moved = Warp.from_grid(warp.grid.to(device))
        if warp.axes is not None:
            moved = Warp.from_axes(*(axis.to(device) for axis in warp.axes))
        result = to_cpu(FUNCTIONS[name](moved, lambda tensor: tensor.to(device)))
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-4, equal_nan=True)
