"""Warps under torch.func, forward mode, torch.jit.trace, torch.compile and torch.export."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from lzu_viz import LZU, Warp, saliency

# Warnings of PyTorch about its own implementation.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:`torch.jit.(script|trace)` is deprecated:DeprecationWarning"
    ),
    pytest.mark.filterwarnings("ignore:torch.searchsorted:UserWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]

SIZE = (12, 18)


def fovea(separable: bool = True, dtype: torch.dtype = torch.float32) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[0.3, -0.2]]], dtype=dtype), 0.15)
    return Warp.from_saliency(
        saliency.mix(saliency.uniform().to(dtype), map_of_fovea), (6, 9), separable=separable
    )


both = pytest.mark.parametrize("separable", [True, False])


@both
@pytest.mark.parametrize("antialias", [True, False])
def test_vmap_over_images(separable: bool, antialias: bool) -> None:
    warp, images = fovea(separable), torch.rand(5, 3, 24, 36)
    batched = torch.vmap(lambda image: warp.zoom(image[None], SIZE, antialias)[0])(images)
    torch.testing.assert_close(batched, warp.zoom(images, SIZE, antialias), atol=1e-5, rtol=1e-5)
    features = torch.rand(5, 4, 6, 9)
    batched = torch.vmap(lambda each: warp.unzoom(each[None], SIZE)[0])(features)
    torch.testing.assert_close(batched, warp.unzoom(features, SIZE), atol=1e-6, rtol=1e-5)
    points = torch.rand(5, 7, 2) * 1.8 - 0.9
    batched = torch.vmap(lambda each: warp.to_source(each[None])[0])(points)
    torch.testing.assert_close(batched, warp.to_source(points))


def test_vmap_over_saliency_of_separable_warps() -> None:
    maps, image = torch.rand(4, 1, 8, 8) + 0.1, torch.rand(1, 3, 24, 36)
    features = torch.rand(1, 4, 6, 9)

    def both_ways(single: Tensor) -> tuple[Tensor, Tensor]:
        warp = Warp.from_saliency(single[None], (6, 9))
        return warp.zoom(image, SIZE)[0], warp.unzoom(features, SIZE)[0]

    zoomed, unzoomed = torch.vmap(both_ways)(maps)
    warps = Warp.from_saliency(maps, (6, 9))
    torch.testing.assert_close(zoomed, warps.zoom(image, SIZE), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(unzoomed, warps.unzoom(features, SIZE), atol=1e-5, rtol=1e-5)


@both
def test_jvp_matches_finite_differences(separable: bool) -> None:
    image = torch.rand(1, 2, 24, 36, dtype=torch.float64)
    features = torch.rand(1, 2, 6, 9, dtype=torch.float64)
    logits = torch.randn(1, 1, 5, 7, dtype=torch.float64)
    directions = [torch.randn_like(each) for each in (logits, image, features)]

    def step(logits: Tensor, image: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        warp = Warp.from_saliency(saliency.normalise(logits.exp()), (6, 9), separable=separable)
        points = torch.tensor([[[0.1, -0.3], [0.5, 0.7]]], dtype=torch.float64)
        return warp.zoom(image, SIZE), warp.unzoom(features, SIZE), warp.to_zoomed(points)

    inputs = (logits, image, features)
    values, tangents = torch.func.jvp(step, inputs, tuple(directions))
    small = 1e-6
    ahead, behind = (
        step(*(each + sign * small * way for each, way in zip(inputs, directions, strict=True)))
        for sign in (1, -1)
    )
    for value, plain, tangent, after, before in zip(
        values, step(*inputs), tangents, ahead, behind, strict=True
    ):
        torch.testing.assert_close(value, plain)
        error = (tangent - (after - before) / (2 * small)).abs()
        # Finite differences across a kink of the bilinear samples are wrong.
        assert error.median() < 1e-6 * tangent.abs().max()
        assert (error > 1e-4 * tangent.abs().max()).float().mean() < 0.01


@both
def test_forward_mode_is_not_lost(separable: bool) -> None:
    warp = fovea(separable, torch.float64)
    with forward_ad.dual_level():
        grid = forward_ad.make_dual(warp.grid, torch.ones_like(warp.grid))
        moved = Warp.from_grid(grid)
        if warp.axes is not None:
            x, y = (forward_ad.make_dual(axis, torch.ones_like(axis)) for axis in warp.axes)
            moved = Warp.from_axes(x, y)
        unzoomed = moved.unzoom(torch.rand(1, 2, 6, 9, dtype=torch.float64), SIZE)
        assert forward_ad.unpack_dual(unzoomed).tangent.abs().max() > 0


@both
def test_grad_of_func_matches_autograd(separable: bool) -> None:
    image, logits = torch.rand(1, 2, 24, 36), torch.randn(1, 1, 5, 7)

    def loss(logits: Tensor) -> Tensor:
        warp = Warp.from_saliency(saliency.normalise(logits.exp()), (6, 9), separable=separable)
        zoomed = warp.zoom(image, SIZE)
        return warp.unzoom(zoomed, (24, 36)).square().mean() + zoomed.mean()

    expected = torch.autograd.grad(loss(logits.requires_grad_()), logits)[0]
    result = torch.func.grad(loss)(logits.detach())
    torch.testing.assert_close(result, expected, atol=1e-6, rtol=1e-3)


@both
def test_jit_trace_is_rejected_with_a_remedy(separable: bool) -> None:
    warp = fovea(separable)
    for function in (warp.zoom, warp.unzoom):
        with pytest.raises(RuntimeError, match=r"use torch\.export"):
            torch.jit.trace(lambda image, function=function: function(image, SIZE),
                            torch.rand(1, 3, 87, 131))  # fmt: skip


class Adaptive(torch.nn.Module):
    """A saliency network."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 1, 8, stride=8)

    def forward(self, image: Tensor) -> Warp:
        logits = self.convolution(image)
        return Warp.from_saliency(
            saliency.normalise(logits.flatten(1).softmax(-1).view_as(logits)),
            (6, 9),
            max_magnification=4,
        )


def system(warp: object) -> LZU:
    torch.manual_seed(0)
    network, head = torch.nn.Conv2d(3, 4, 4, stride=4), torch.nn.Conv2d(4, 2, 1)
    return LZU(network, head, warp, size=(32, 48), upsample_factor=2).eval()  # type: ignore[arg-type]


@pytest.mark.slow
def test_adaptive_system_is_one_graph() -> None:
    adaptive, images = system(Adaptive()), [torch.rand(2, 3, 64, 96) for _ in range(2)]
    explained = torch._dynamo.explain(adaptive)(images[0])
    print(f"graph breaks: {explained.graph_break_count}")
    assert explained.graph_break_count <= 2
    torch._dynamo.reset()
    compiled = torch.compile(adaptive, backend="aot_eager")
    for image in images:
        torch.testing.assert_close(compiled(image), adaptive(image), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fixed separable", "fixed", "adaptive"])
def test_exported_batch_is_dynamic(kind: str) -> None:
    warp = Adaptive() if kind == "adaptive" else fovea("separable" in kind)
    lzu, image = system(warp), torch.rand(3, 3, 64, 96)
    with torch.no_grad():
        lzu(image)
        dynamic = {0: torch.export.Dim("batch", min=2)}
        program = torch.export.export(lzu, (image,), dynamic_shapes=(dynamic,)).module()
        for batch in (2, 3, 7):
            other = torch.rand(batch, 3, 64, 96)
            torch.testing.assert_close(program(other), lzu(other), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # raised within the exporter
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["fixed separable", "fixed", "adaptive"])
def test_batch_of_onnx_files_is_dynamic(kind: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    warp = Adaptive() if kind == "adaptive" else fovea("separable" in kind)
    lzu, image = system(warp), torch.rand(3, 3, 64, 96)
    with torch.no_grad():
        lzu(image)
        dynamic = {0: torch.export.Dim("batch", min=2)}
        path = tmp_path / "lzu.onnx"
        torch.onnx.export(
            lzu, (image,), path, dynamo=True, verbose=False, dynamic_shapes=(dynamic,)
        )
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        for batch in (1, 2, 7):
            other = torch.rand(batch, 3, 64, 96)
            (output,) = session.run(None, {session.get_inputs()[0].name: other.numpy()})
            torch.testing.assert_close(torch.from_numpy(output), lzu(other), atol=1e-5, rtol=1e-4)
