"""Tests of the systems `Uniform`, `LZ`, `Fovea` and `LZU`."""

import copy
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from lzu_viz import LZ, LZU, Fovea, Uniform, Warp, saliency
from lzu_viz.geometry.boxes import Detections
from lzu_viz.geometry.resampling import pixel_centres, resize
from lzu_viz.systems import System

FOVEA = saliency.mix(
    saliency.uniform(), saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.08), weights=(1, 2)
)
WARP = Warp.from_saliency(FOVEA)
SIZE = (64, 128)


class TwoLevels(nn.Module):
    """A network whose features are means of the image, so that its outputs are known."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def features(self, image: Tensor) -> list[Tensor]:
        return [self.gain * nn.functional.avg_pool2d(image, stride) for stride in (4, 8)]

    def head(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [2 * level for level in features]

    def decode(self, outputs: Sequence[Tensor], warp: Warp | None = None, **_: object) -> Tensor:
        """Return dense predictions, from the finest level."""
        return outputs[0].sigmoid()


def coordinates(size: tuple[int, int]) -> Tensor:
    return pixel_centres(size).permute(0, 3, 1, 2)


@pytest.mark.parametrize("unzoom", ["features", "outputs"])
@pytest.mark.parametrize("upsample_factor", [1, 2])
def test_lzu_returns_every_level_in_the_source_frame(unzoom: str, upsample_factor: int) -> None:
    network = TwoLevels()
    options = {"size": SIZE, "unzoom": unzoom, "upsample_factor": upsample_factor}
    system = LZU(network.features, network.head, WARP, **options)  # type: ignore[arg-type]
    for stride, level in zip((4, 8), system(coordinates((256, 512))), strict=True):
        grid = (SIZE[0] // stride * upsample_factor, SIZE[1] // stride * upsample_factor)
        assert level.shape == (1, 2, *grid)
        residual = (level / 2 - coordinates(grid)).abs()[
            ..., upsample_factor:-upsample_factor, upsample_factor:-upsample_factor
        ]
        assert residual.median() < 0.04 * 2 * stride / SIZE[0]  # a small part of the network's cell


def test_lz_leaves_every_level_in_the_zoomed_frame() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    outputs = LZ(network.features, network.head, WARP, size=SIZE)(image)
    expected = network.head(network.features(WARP.zoom(image, SIZE)))
    assert all(torch.equal(got, want) for got, want in zip(outputs, expected, strict=True))


def test_uniform_downsamples_and_ignores_the_warp() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    expected = network.head(network.features(resize(image, SIZE)))
    system = Uniform(network.features, network.head, size=SIZE)
    for outputs in (system(image), system(image, WARP)):
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(outputs, expected, strict=True))


class BrightestCell:
    """A decoder that returns the brightest cell of a map as a box."""

    def __init__(self) -> None:
        self.warps: list[Warp | None] = []

    def __call__(
        self, outputs: list[Tensor], warp: Warp | None = None, *, size: tuple[int, int]
    ) -> list[Detections]:
        assert size == SIZE
        self.warps.append(warp)
        rows, columns = outputs[0].shape[-2:]
        detections = []
        for output in outputs[0]:
            row, column = divmod(int(output[0].argmax()), columns)
            low = torch.tensor([column / columns, row / rows]) * 2 - 1
            box = torch.cat([low, low + torch.tensor([2 / columns, 2 / rows])])
            detections.append(Detections(box[None], torch.zeros(1).long(), torch.ones(1)))
        return detections


def test_detections_are_in_the_source_frame_except_for_lz() -> None:
    """Check that all systems but LZ, which stays in the zoomed frame, locate a bright square."""
    image = torch.zeros(2, 1, 256, 512)
    image[0, :, 150:166, 180:196] = 1
    image[1, :, 60:76, 330:346] = 1
    ground_truth = torch.tensor([[188 / 256 - 1, 158 / 128 - 1], [338 / 256 - 1, 68 / 128 - 1]])
    warps = Warp.from_grid(torch.cat([WARP.grid, Warp.from_saliency(FOVEA, fwhm=0.4).grid]))
    network = TwoLevels()
    for warp in (WARP, warps):
        for kind, gets_warp in ((Uniform, False), (LZ, False), (Fovea, False), (LZU, True)):
            decoder = BrightestCell()
            detections = kind.from_network(network, warp, size=SIZE, decode=decoder).detect(image)
            centres = torch.stack(
                [
                    (image_detections.boxes[0, :2] + image_detections.boxes[0, 2:]) / 2
                    for image_detections in detections
                ]
            )
            residual = (centres - ground_truth).abs().max()
            # Up to a cell of the network; the error of LZ is far larger.
            assert (residual > 0.2) if kind is LZ else (residual < 0.08)
            assert (decoder.warps == [warp]) == gets_warp


def test_warp_is_computed_from_the_image_or_passed_to_the_call() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)

    def make_warp(image: Tensor) -> Warp:
        return Warp.from_saliency(saliency.from_edges(image))

    adaptive = LZU(network.features, network.head, make_warp, size=SIZE)
    fixed = LZU(network.features, network.head, make_warp(image), size=SIZE)
    assert torch.equal(adaptive(image)[0], fixed(image)[0])
    assert torch.equal(adaptive(image, WARP)[0], fixed(image, WARP)[0])
    assert not torch.equal(adaptive(image, WARP)[0], adaptive(image)[0])


def test_gradients_reach_parameters_of_network_and_saliency() -> None:
    network = TwoLevels()
    logits = nn.Parameter(torch.zeros(1, 1, 8, 8))

    class Learnt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = logits

        def forward(self, image: Tensor) -> Warp:
            return Warp.from_saliency(saliency.normalise(self.logits.exp()), separable=False)

    system = LZU(network.features, network.head, Learnt(), size=SIZE)
    assert {id(parameter) for parameter in system.parameters()} == {id(network.gain), id(logits)}
    system(torch.rand(1, 3, 256, 512))[0].square().sum().backward()
    assert network.gain.grad is not None
    assert logits.grad is not None
    assert logits.grad.abs().sum() > 0


def test_output_sizes_of_all_systems() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    shapes = {}
    for kind in (Uniform, LZ, Fovea, LZU):
        options = {"unzoom": "outputs", "upsample_factor": 2} if issubclass(kind, LZU) else {}
        system = kind.from_network(network, WARP, size=SIZE, **options)
        shapes[kind] = [tuple(level.shape[-2:]) for level in system(image)]
    assert shapes[Uniform] == shapes[LZU] == [(32, 64), (16, 32)]
    assert shapes[LZ] == shapes[Fovea] == [(16, 32), (8, 16)]


def test_lzu_of_modules_with_a_single_feature_map() -> None:
    system = LZU(nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1), WARP, size=SIZE)
    assert system(torch.rand(2, 3, 99, 177)).shape == (2, 2, 16, 32)
    assert len(list(system.parameters())) == 4
    twin = copy.deepcopy(system)
    assert torch.equal(twin(torch.ones(1, 3, 99, 177)), system(torch.ones(1, 3, 99, 177)))


def test_warp_of_a_bfloat16_system_stays_float32() -> None:
    half = LZU(nn.Conv2d(3, 4, 4, stride=4), nn.Conv2d(4, 2, 1), WARP, size=SIZE).bfloat16()
    assert half.warp.grid.dtype == torch.float32  # type: ignore[union-attr]
    assert half(torch.rand(1, 3, 64, 96).bfloat16()).dtype == torch.bfloat16


def test_invalid_input_raises() -> None:
    with pytest.raises(ValueError, match="unzoom must be one of"):
        LZU(nn.Identity(), nn.Identity(), WARP, size=SIZE, unzoom="boxes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="upsample_factor must be"):
        LZU(nn.Identity(), nn.Identity(), WARP, size=SIZE, upsample_factor=0)
    with pytest.raises(ValueError, match=r"size must be \(rows, columns\)"):
        LZU(nn.Identity(), nn.Identity(), WARP, size=(1, 64))


# --- stages -------------------------------------------------------------------------------------


def all_systems(network: TwoLevels) -> list[System]:
    ways = [(Uniform, {}), (LZ, {}), (Fovea, {}), *((LZU, {"unzoom": at}) for at in STAGES)]
    return [kind.from_network(network, WARP, size=SIZE, **more) for kind, more in ways]


STAGES = ("features", "outputs", "predictions")


def test_forward_is_the_composition_of_the_stages() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    for system in all_systems(network):
        zoomed = system.zoom(image, WARP)
        features = system.encode(zoomed)
        if system.unzooms == "features":
            outputs = system.head(system.unzoom(features, WARP))
        elif system.unzooms == "outputs":
            outputs = system.unzoom(system.head(features), WARP)
        else:
            outputs = system.head(features)
        for got, alone in zip(system(image), outputs, strict=True):
            assert torch.equal(got, alone)
        for got, alone in zip(system.forward_zoomed(zoomed, WARP), outputs, strict=True):
            assert torch.equal(got, alone)


def test_trace_contains_all_intermediate_results() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    for system in all_systems(network):
        trace = system.trace(image)
        assert trace._fields == (
            "warp", "zoomed", "features", "head_inputs", "head_outputs", "outputs", "predictions",
        )  # fmt: skip
        assert torch.equal(trace.zoomed, system.zoom(image))
        for got, expected in zip(trace.features, network.features(trace.zoomed), strict=True):
            assert torch.equal(got, expected)
        for got, expected in zip(trace.head_outputs, network.head(trace.head_inputs), strict=True):
            assert torch.equal(got, expected)
        for got, expected in zip(trace.outputs, system(image), strict=True):
            assert torch.equal(got, expected)
        assert isinstance(trace.predictions, Tensor)
    no_decoder = LZU(network.features, network.head, WARP, size=SIZE)
    assert no_decoder.trace(image).predictions is None
    with pytest.raises(ValueError, match="LZU has no decoder; pass `decode`"):
        no_decoder.decode(no_decoder(image), WARP)


def test_dense_predictions_are_unzoomed_after_they_are_decoded() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    expected = WARP.unzoom(
        network.decode(network.head(network.features(WARP.zoom(image, SIZE)))), (90, 70)
    )
    for kind, more in ((Fovea, {}), (LZU, {"unzoom": "predictions"})):
        system = kind.from_network(network, WARP, size=SIZE, **more)
        assert torch.equal(system.trace(image, source_size=(90, 70)).predictions, expected)
    left = LZ.from_network(network, WARP, size=SIZE).trace(image).predictions
    assert torch.equal(left, network.decode(network.head(network.features(WARP.zoom(image, SIZE)))))


def test_detect_raises_if_the_network_predicts_a_map() -> None:
    system = LZU.from_network(TwoLevels(), WARP, size=SIZE)
    with pytest.raises(ValueError, match=r"must return boxes, got a map of shape \(1, "):
        system.detect(torch.rand(1, 3, 256, 512))


def test_deprecated_arguments_warn_and_work() -> None:
    network, image = TwoLevels(), torch.rand(1, 3, 256, 512)
    parts = network.features, network.head
    with pytest.warns(DeprecationWarning, match="'finer' .* is now called 'upsample_factor'"):
        old = LZU(*parts, WARP, size=SIZE, finer=2)  # type: ignore[call-arg]
    assert torch.equal(old(image)[0], LZU(*parts, WARP, size=SIZE, upsample_factor=2)(image)[0])
    with pytest.warns(DeprecationWarning, match="'unzoom' .* does nothing"):
        Fovea(*parts, WARP, size=SIZE, unzoom="outputs")  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match="'warp' of Uniform.* has no effect"):
        Uniform(*parts, WARP, size=SIZE)
    with pytest.raises(TypeError, match="both 'finer' and 'upsample_factor'"):
        LZU(*parts, WARP, size=SIZE, finer=2, upsample_factor=2)  # type: ignore[call-arg]
