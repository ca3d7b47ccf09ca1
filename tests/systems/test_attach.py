"""Zoom before and unzoom after a module, by hooks."""

import dataclasses
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import lzu_viz
from lzu_viz import Warp, saliency
from lzu_viz.geometry.resampling import pixel_centres
from lzu_viz.systems.containers import map_tensors, tensors_of

SIZE = (128, 192)


def fovea(x: float = 0.3, separable: bool = True) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[x, -0.2]]]), 0.15)
    return Warp.from_saliency(saliency.mix(saliency.uniform(), map_of_fovea), separable=separable)


def coordinates(size: tuple[int, int], batch: int = 1) -> Tensor:
    """Return an image whose red and green are x and y in [-1, 1]; blue is 0."""
    x, y = pixel_centres(size)[0].unbind(-1)
    return torch.stack([x, y, torch.zeros_like(x)])[None].expand(batch, -1, -1, -1)


def placement_error(maps: Tensor) -> float:
    """Return the mean distance of encoded coordinates from the true ones, relative to the side."""
    expected = coordinates(maps.shape[-2:])[:, :2]
    inner = (expected.abs() < 0.8).all(dim=1)
    error = (maps[:, :2] - expected).norm(dim=1)
    return float(error[inner.expand(len(maps), -1, -1)].mean()) / 2


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Outputs of a network."""

    maps: list[Tensor]
    step: int = 3


class Pair(NamedTuple):
    """Two maps."""

    fine: Tensor
    coarse: Tensor


class Backbone(nn.Module):
    """A network of means over 4 x 4 and 8 x 8 pixels, which returns them in a container."""

    def __init__(self, container: Any) -> None:
        super().__init__()
        self.container = container

    def forward(self, inputs: Any) -> Any:
        image = next(tensor for _, tensor in tensors_of(inputs))
        fine = nn.functional.avg_pool2d(image, 4)
        return self.container(fine, nn.functional.avg_pool2d(fine, 2))


CONTAINERS: dict[str, Any] = {
    "list": lambda a, b: [a, b],
    "tuple": lambda a, b: (a, b),
    "named tuple": Pair,
    "dict": lambda a, b: {"c3": a, "c4": b},
    "ordered dict": lambda a, b: OrderedDict([("0", a), ("1", b)]),
    "dataclass": lambda a, b: Outputs([a, b]),
    "nested": lambda a, b: {"maps": (a, [b]), "name": "x", "loss": torch.zeros(())},
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("separable", [True, False])
def test_maps_in_any_container_are_unzoomed(name: str, separable: bool) -> None:
    backbone, image = Backbone(CONTAINERS[name]), coordinates((256, 384), 2)
    plain = backbone(nn.functional.interpolate(image, SIZE, mode="area"))
    with lzu_viz.attach(backbone, fovea(separable=separable), size=SIZE):
        output = backbone(image)
    assert type(output) is type(plain)
    before, after = list(tensors_of(plain)), list(tensors_of(output))
    assert [path for path, _ in before] == [path for path, _ in after]
    assert [tensor.shape for _, tensor in before] == [tensor.shape for _, tensor in after]
    for _, tensor in after:
        if tensor.ndim == 4:
            assert placement_error(tensor) < 0.003
    assert backbone(image) is not None
    assert next(tensors_of(backbone(image)))[1].shape[-2:] == (64, 96)  # not attached any more


def test_images_inside_containers_and_keywords_are_zoomed() -> None:
    backbone = Backbone(CONTAINERS["list"])
    with lzu_viz.attach(backbone, fovea(), size=SIZE):
        for call in (
            lambda: backbone({"pixel_values": coordinates((256, 384))}),
            lambda: backbone([coordinates((256, 384))]),
            lambda: backbone(inputs=coordinates((256, 384))),
        ):
            assert placement_error(call()[0]) < 0.003


def test_warp_is_replaced_between_steps_and_may_differ_between_images() -> None:
    backbone, image = Backbone(CONTAINERS["list"]), coordinates((256, 384), 2)
    handle = lzu_viz.attach(backbone, Warp.cat([fovea(-0.5), fovea(0.5)]), size=SIZE)
    assert placement_error(backbone(image)[0]) < 0.003
    handle.warp = fovea(0.0)
    assert placement_error(backbone(image)[0]) < 0.003
    seen = []
    handle.warp = lambda batch: seen.append(batch.shape) or fovea(0.2)  # type: ignore[func-returns-value]
    assert placement_error(backbone(image)[0]) < 0.003
    assert seen == [(2, 3, 256, 384)]
    handle.warp = Warp.cat([fovea()] * 3)
    with pytest.raises(ValueError, match="batch of 1 or of 2"):
        backbone(image)
    handle.remove()
    assert backbone(image)[0].shape[-2:] == (64, 96)


def test_sizes_are_given_for_each_map_or_by_a_function() -> None:
    backbone, image = Backbone(CONTAINERS["list"]), coordinates((256, 384))
    with lzu_viz.attach(backbone, fovea(), size=SIZE, sizes=[(32, 24), (10, 20)]):
        maps = backbone(image)
        assert [tuple(level.shape[-2:]) for level in maps] == [(32, 24), (10, 20)]
        assert all(placement_error(level) < 0.003 for level in maps)
    with lzu_viz.attach(backbone, fovea(), size=SIZE, sizes=lambda size: (2 * size[0], size[1])):
        assert [tuple(level.shape[-2:]) for level in backbone(image)] == [(64, 48), (32, 24)]
    with (
        lzu_viz.attach(backbone, fovea(), size=SIZE, sizes=[(32, 24)]),
        pytest.raises(ValueError, match=r"one .* for each of the 2 maps"),
    ):
        backbone(image)


class PaddingBackbone(nn.Module):
    """A network that pads its input at the bottom and on the right to multiples of 32."""

    def forward(self, image: Tensor) -> Tensor:
        rows, columns = (-side % 32 for side in image.shape[-2:])
        # The coordinates continue linearly, so that the means of padded cells are exact.
        padded = coordinates((image.shape[-2] + rows, image.shape[-1] + columns))
        padded = padded.clone()
        padded[..., : image.shape[-2], : image.shape[-1]] = image
        return nn.functional.avg_pool2d(padded, 32)


def test_a_network_that_pads_is_placed_by_its_strides() -> None:
    """Maps of 8 x 15 cells at stride 32 of an input of 225 x 450 pixels span 256 x 480 pixels."""
    backbone, image = PaddingBackbone(), coordinates((450, 900))
    with (
        lzu_viz.attach(backbone, fovea(), size=(225, 450)),
        pytest.raises(ValueError, match=r"8 x 15 cells .* do not divide .* 225 x 450 .*strides="),
    ):
        backbone(image)
    inner = (slice(None), slice(None), slice(1, 6), slice(1, 13))
    with lzu_viz.attach(backbone, Warp.identity(), size=(225, 450), sizes=[(7, 14)], strides=32):
        placed = backbone(image)
    assert (placed - coordinates((7, 14)))[inner][:, :2].abs().mean() < 0.006


def test_channels_last_maps_are_named_or_rejected() -> None:
    class Last(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return nn.functional.avg_pool2d(image, 4).repeat(1, 8, 1, 1).movedim(1, -1)

    backbone, image = Last(), coordinates((256, 384))
    with lzu_viz.attach(backbone, fovea(), size=SIZE, data_format="channels_last"):
        output = backbone(image)
        assert output.shape == (1, 32, 48, 24)
        assert placement_error(output.movedim(-1, 1)) < 0.003
    wide = nn.Sequential(Last(), nn.Linear(24, 192))
    with (
        lzu_viz.attach(wide, fovea(), size=SIZE),
        pytest.raises(ValueError, match="data_format='channels_last'"),
    ):
        wide(image)
    with pytest.raises(ValueError, match="data_format must be one of"):
        lzu_viz.attach(backbone, fovea(), size=SIZE, data_format="nhwc")  # type: ignore[arg-type]


def test_masks_of_the_image_are_zoomed_and_unzoomed() -> None:
    class Masked(nn.Module):
        def forward(self, image: Tensor, mask: Tensor) -> list[tuple[Tensor, Tensor]]:
            assert mask.shape[-2:] == image.shape[-2:]
            small = mask[:, None].float()
            return [
                (nn.functional.avg_pool2d(image, 4), nn.functional.avg_pool2d(small, 4)[:, 0] > 0.5)
            ]

    mask = torch.zeros(1, 256, 384, dtype=torch.bool)
    mask[:, :, 192:] = True
    masked = Masked()
    with lzu_viz.attach(masked, fovea(), size=SIZE):
        ((features, small),) = masked(coordinates((256, 384)), mask)
    assert features.shape[-2:] == small.shape[-2:] == (32, 48)
    assert small.dtype == torch.bool
    assert (small[0, :, 26:]).all()
    assert not small[0, :, :22].any()


def test_modules_without_images_or_maps_are_named() -> None:
    linear = nn.Linear(4, 4)
    with (
        lzu_viz.attach(linear, fovea(), size=SIZE),
        pytest.raises(ValueError, match=r"Linear was called without an image .*\(2, 4\)"),
    ):
        linear(torch.rand(2, 4))
    pooled = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with (
        lzu_viz.attach(pooled, fovea(), size=SIZE),
        pytest.raises(ValueError, match="returned no map"),
    ):
        pooled(torch.rand(2, 3, 128, 192))
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module"):
        lzu_viz.attach(lambda image: image, fovea(), size=SIZE)  # type: ignore[arg-type]


def test_a_learnt_warp_gets_gradients_through_the_hooks() -> None:
    logits = nn.Parameter(torch.zeros(1, 1, 8, 12))

    def learnt(image: Tensor) -> Warp:
        return Warp.from_saliency(
            saliency.normalise(logits.flatten(1).softmax(-1).view_as(logits)), (8, 12)
        )

    backbone = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, 4, 3, padding=1))
    with lzu_viz.attach(backbone, learnt, size=SIZE):
        backbone(torch.rand(2, 3, 128, 192)).square().mean().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_tokens_are_unzoomed_behind_their_prefix() -> None:
    warp = fovea()
    zoomed = warp.zoom(coordinates((256, 384), 2), (16, 24))
    prefix = torch.rand(2, 5, 3)
    tokens = torch.cat([prefix, zoomed.flatten(2).mT], dim=1)
    unzoomed = lzu_viz.unzoom_tokens(warp, tokens, (16, 24), prefix=5)
    assert torch.equal(unzoomed[:, :5], prefix)
    assert placement_error(unzoomed[:, 5:].mT.unflatten(2, (16, 24))) < 0.003
    with pytest.raises(ValueError, match=r"\(b, 385, c\), 1 and then 16 x 24"):
        lzu_viz.unzoom_tokens(warp, tokens, (16, 24))


def test_containers_keep_what_is_no_tensor() -> None:
    value = {"a": [torch.ones(1), "text", None, 3], "b": Outputs([torch.ones(2)], step=7)}
    doubled = map_tensors(value, lambda tensor: tensor * 2)
    assert doubled["a"][1:] == ["text", None, 3]
    assert doubled["b"].step == 7
    assert doubled["b"].maps[0].tolist() == [2, 2]
    assert value["b"].maps[0].tolist() == [1, 1]  # type: ignore[union-attr]
