"""The warp and the networks of a system in its state: buffers, parameters and submodules."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lzu_viz import LZU, Uniform, Warp, saliency

SIZE = (32, 48)


def fovea(x: float = 0.3, separable: bool = True) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[x, -0.2]]]), 0.15)
    return Warp.from_saliency(
        saliency.mix(saliency.uniform(), map_of_fovea), (8, 12), separable=separable
    )


def system(warp: Any) -> LZU:
    torch.manual_seed(0)
    return LZU(nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1), warp, size=SIZE)


@pytest.mark.parametrize("separable", [True, False])
def test_fixed_warp_is_in_the_state(separable: bool) -> None:
    """A loaded checkpoint brings its warp with it."""
    image = torch.rand(1, 3, 64, 96)
    saved, other = system(fovea(0.5, separable)), system(fovea(-0.5, separable))
    names = {"warp_x", "warp_y"} if separable else {"warp_grid"}
    assert names <= saved.state_dict().keys()
    expected = saved(image)
    assert (other(image) - expected).abs().max() > 0.01
    assert other.load_state_dict(saved.state_dict()).missing_keys == []
    torch.testing.assert_close(other(image), expected)
    another_kind = system(fovea(0.5, not separable))
    with pytest.raises(RuntimeError, match="warp_"):
        another_kind.load_state_dict(saved.state_dict())


@pytest.mark.parametrize("separable", [True, False])
def test_warp_that_is_a_parameter_is_trained(separable: bool) -> None:
    start = fovea(0.3, separable)
    if start.axes is not None:
        parameters = [nn.Parameter(axis.clone()) for axis in start.axes]
        warp = Warp.from_axes(*parameters)
    else:
        parameters = [nn.Parameter(start.grid.clone())]
        warp = Warp.from_grid(*parameters)
    lzu = system(warp)
    assert {id(each) for each in parameters} <= {id(each) for each in lzu.parameters()}
    optimiser = torch.optim.SGD(lzu.parameters(), lr=1e-3)
    before = [each.detach().clone() for each in parameters]
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        loss = lzu(torch.linspace(0, 9, 3 * 64 * 96).sin().view(1, 3, 64, 96)).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all((a - b).abs().max() > 0 for a, b in zip(before, parameters, strict=True))


def test_tensor_with_a_gradient_that_is_no_parameter_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"make them a torch\.nn\.Parameter"):
        system(Warp.from_grid(fovea().grid.clone().requires_grad_()))


def test_learnt_warp_is_a_submodule() -> None:
    class Learnt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = nn.Parameter(torch.zeros(1, 1, 8, 8))

        def forward(self, image: Tensor) -> Warp:
            return Warp.from_saliency(self.logits.exp())

    lzu = system(Learnt())
    assert "warp.logits" in lzu.state_dict()
    lzu(torch.rand(1, 3, 64, 96)).mean().backward()
    assert lzu.warp.logits.grad is not None  # type: ignore[union-attr]
    lzu.warp = fovea()
    assert "warp_x" in lzu.state_dict()
    assert "warp.logits" not in lzu.state_dict()
    lzu.warp = Learnt()
    assert "warp.logits" in lzu.state_dict()


NETWORK = nn.ModuleList([nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1)])


def test_networks_inside_functions_are_registered() -> None:
    features, head = nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1)
    parts: list[tuple[Any, Any]] = [
        (lambda image: features(image), lambda maps: head(maps)),
        (partial(lambda network, image: network(image), features), partial(head.forward)),
        (features.forward, partial(head)),
        (lambda image: NETWORK[0](image), lambda maps: NETWORK[1](maps)),
    ]
    for first, second in parts:
        lzu = LZU(first, second, fovea(), size=SIZE)
        assert len({id(each) for each in lzu.parameters()}) == 4
        assert lzu(torch.rand(1, 3, 64, 96)).shape == (1, 2, 8, 12)


@pytest.mark.slow
@pytest.mark.parametrize("separable", [True, False])
def test_copies_and_casts_keep_the_maps(separable: bool) -> None:
    image = torch.rand(1, 3, 64, 96)
    lzu = system(fovea(0.3, separable))
    lzu(image)
    for changed in (copy.deepcopy(lzu), copy.deepcopy(lzu).float(), copy.deepcopy(lzu).to("cpu"),
                    copy.deepcopy(lzu).double().float()):  # fmt: skip
        warp = changed.warp
        assert isinstance(warp, Warp)
        assert isinstance(lzu.warp, Warp)
        assert warp.grid.dtype == torch.float32
        assert set(warp._memory) == set(lzu.warp._memory) != set()
        program = torch.export.export(changed, (image,)).module()
        torch.testing.assert_close(program(image), lzu(image), atol=1e-5, rtol=1e-4)


def test_half_precision_does_not_reach_the_warp() -> None:
    lzu = system(fovea()).bfloat16()
    assert lzu.state_dict()["warp_x"].dtype == torch.float32
    assert lzu(torch.rand(1, 3, 64, 96).bfloat16()).dtype == torch.bfloat16


def test_copy_of_a_system_has_its_own_warp() -> None:
    lzu = system(fovea())
    copied = copy.deepcopy(lzu)
    copied.warp = fovea(-0.5)
    image = torch.rand(1, 3, 64, 96)
    assert (copied(image) - lzu(image)).abs().max() > 0.01


def test_averaged_buffers_take_effect() -> None:
    """An average of models also averages their buffers, in place."""
    lzu, image = system(fovea(0.5)), torch.rand(1, 3, 64, 96)
    lzu(image)
    with torch.no_grad():
        for name in ("warp_x", "warp_y"):
            getattr(lzu, name).copy_(getattr(system(fovea(-0.5)), name))
    torch.testing.assert_close(lzu(image), system(fovea(-0.5))(image))


def test_uniform_has_no_warp_in_its_state() -> None:
    uniform = Uniform(nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1), size=SIZE)
    assert not any("warp" in name for name in uniform.state_dict())
