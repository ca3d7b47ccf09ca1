"""Tests of systems with a fixed warp that are exported, compiled or converted to ONNX."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lzu_viz import LZU, Warp, saliency

FULL, SIZE = (96, 160), (32, 64)


class Network(nn.Module):
    """Two levels and a head, small enough to be compiled in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 4, 3, 2, 1)
        self.predict = nn.Conv2d(4, 2, 1)

    def features(self, image: Tensor) -> list[Tensor]:
        first = self.first(image)
        return [first, self.second(first)]

    def head(self, levels: list[Tensor]) -> list[Tensor]:
        return [self.predict(level) for level in levels]


def system(separable: bool) -> LZU:
    fovea = saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.1)
    saliency_map = saliency.mix(saliency.uniform(), fovea)
    network = Network()
    warp = Warp.from_saliency(saliency_map, separable=separable)
    return LZU(network.features, network.head, warp, size=SIZE, upsample_factor=2).eval()


def images() -> list[Tensor]:
    return [torch.rand(1, 3, *FULL) for _ in range(2)]


def agree(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("separable", [True, False])
def test_exported_program_matches_the_system(separable: bool) -> None:
    lzu, (first, second) = system(separable), images()
    lzu(first)
    program = torch.export.export(lzu, (first,)).module()
    assert agree(program(second), lzu(second))


@pytest.mark.slow
@pytest.mark.parametrize("separable", [True, False])
def test_compiled_graph_matches_the_system(separable: bool) -> None:
    lzu, (first, second) = system(separable), images()
    lzu(first)
    program = torch.compile(lzu, fullgraph=True, backend="aot_eager")
    assert agree(program(first), lzu(first))
    assert agree(program(second), lzu(second))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # raised within the exporter
def test_onnx_runtime_matches_the_system(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    lzu, (first, second) = system(separable=False), images()
    lzu(first)
    path = tmp_path / "lzu.onnx"
    torch.onnx.export(lzu, (first,), path, dynamo=True, verbose=False)
    session = runtime.InferenceSession(path)
    outputs = session.run(None, {session.get_inputs()[0].name: second.numpy()})
    assert agree([torch.from_numpy(output) for output in outputs], lzu(second))


def test_export_before_the_first_call_raises() -> None:
    lzu, (first, _) = system(separable=False), images()
    with pytest.raises(RuntimeError, match="call the model once on an image of the same size"):
        torch.export.export(lzu, (first,))
