"""Networks of other libraries in the `Network` protocol."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lzu_viz import LZU, Fovea, Uniform, Warp, saliency
from lzu_viz.adapters import onnx, torchvision, transformers, ultralytics
from lzu_viz.adapters.called_network import CalledNetwork, map_of_class
from lzu_viz.geometry.boxes import Detections
from lzu_viz.geometry.resampling import pixel_centres

# Warnings of torchvision and PyTorch about their own implementation.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`isinstance:FutureWarning"),
]

SIZE = (64, 96)


def fovea() -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.2)
    return Warp.from_saliency(saliency.mix(saliency.uniform(), map_of_fovea))


def bright_box(image: Tensor) -> Detections:
    """Return the bounds of the bright pixels of an image `1 3 h w`."""
    rows, columns = (image[0, 0] > 0.5).nonzero().T
    height, width = image.shape[-2:]
    left, right = columns.min() / width, (columns.max() + 1) / width
    top, bottom = rows.min() / height, (rows.max() + 1) / height
    box = torch.stack([left, top, right, bottom])[None] * 2 - 1
    return Detections(box, torch.tensor([0]), torch.tensor([0.9]))


def image_with_box() -> tuple[Tensor, Tensor]:
    """Return an image with a bright box, and the box in [-1, 1]."""
    x, y = pixel_centres((240, 360)).unbind(-1)
    inside = (x > 0.2) & (x < 0.6) & (y > -0.4) & (y < 0.1)
    return inside[:, None].float().expand(-1, 3, -1, -1), torch.tensor([0.2, -0.4, 0.6, 0.1])


def test_boxes_are_mapped_to_the_source_frame() -> None:
    network = CalledNetwork(lambda image: [bright_box(image)], "detection", ["box"])
    image, expected = image_with_box()
    for system in (
        Fovea.from_network(network, fovea(), size=SIZE),
        LZU.from_network(network, fovea(), size=SIZE),
        Uniform.from_network(network, size=SIZE),
    ):
        found = system.detect(image)[0]
        # Half a pixel of the zoomed image.
        torch.testing.assert_close(found.boxes[0], expected, atol=0.04, rtol=0)
        assert system.decode([found], fovea())[0].scores.tolist() == pytest.approx([0.9])


def test_scores_below_the_threshold_are_left_out() -> None:
    network = CalledNetwork(lambda image: [bright_box(image)], "detection")
    outputs = network(image_with_box()[0])
    assert len(network.decode(outputs, threshold=0.8)[0].scores) == 1
    assert len(network.decode(outputs, threshold=0.95)[0].scores) == 0


def test_maps_are_unzoomed_and_detections_cannot_be() -> None:
    image, _ = image_with_box()
    segmenter = CalledNetwork(lambda image: image[:, :1], "segmentation", ["box"])
    for unzoom in ("outputs", "predictions"):
        system = LZU.from_network(segmenter, fovea(), size=SIZE, unzoom=unzoom, upsample_factor=2)
        unzoomed = system.decode(system(image), fovea())
        assert isinstance(unzoomed, Tensor)
        expected = nn.functional.interpolate(image[:, :1], unzoomed.shape[-2:], mode="area")
        assert (unzoomed - expected).abs().mean() < 0.03
    maps = torch.rand(2, 1, 8, 12)
    assert segmenter.decode(maps) is segmenter.decode([maps]) is maps
    detector = CalledNetwork(lambda image: [bright_box(image)], "detection")
    with pytest.raises(ValueError, match="unzoom='predictions'"):
        detector.decode(detector(image), fovea())
    with pytest.raises(TypeError, match="unzoom='predictions'"):
        LZU.from_network(detector, fovea(), size=SIZE, unzoom="outputs")(image)
    with pytest.raises(ValueError, match="has no feature maps; unzoom must be 'outputs'"):
        LZU.from_network(detector, fovea(), size=SIZE, unzoom="features")


def test_the_module_is_moved_and_trained() -> None:
    module = nn.Conv2d(3, 1, 1)
    network = CalledNetwork(module, "segmentation", module=module)
    assert set(network.parameters()) == set(module.parameters())
    system = LZU.from_network(network, fovea(), size=SIZE, unzoom="outputs")
    system(torch.rand(1, 3, 96, 128)).sum().backward()
    assert module.weight.grad is not None
    assert set(module.parameters()) <= set(system.parameters())


def test_map_of_class() -> None:
    logits = torch.randn(2, 5, 4, 6)
    assert map_of_class(logits, None).sum(dim=1).allclose(torch.ones(2, 4, 6))
    assert map_of_class(logits, 3).equal(logits.softmax(dim=1)[:, 3:4])
    assert map_of_class(logits[:, :1], None).equal(logits[:, :1].sigmoid())


# --- torchvision -------------------------------------------------------------------------------


@pytest.mark.slow
def test_torchvision_detector() -> None:
    from torchvision.models import detection

    torch.manual_seed(0)
    options = {"weights": None, "weights_backbone": None, "num_classes": 4, "box_score_thresh": 0.0}
    model = detection.fasterrcnn_mobilenet_v3_large_fpn(**options).eval()
    # Its resize is the identity.
    same = detection.fasterrcnn_mobilenet_v3_large_fpn(
        **options, min_size=SIZE[0], max_size=SIZE[1]
    ).eval()
    same.load_state_dict(model.state_dict())
    network = torchvision.detector(model, classes=["background", "person", "car", "bicycle"])
    image = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        found = network.decode(network(image))[0]
        alone = same(list(image))[0]
    assert len(found.boxes) == len(alone["boxes"]) > 0
    torch.testing.assert_close(found.scores, alone["scores"])
    expected = alone["boxes"] / torch.tensor([96, 64, 96, 64]) * 2 - 1
    torch.testing.assert_close(found.boxes, expected)
    with torch.no_grad():
        system = Fovea.from_network(network, fovea(), size=SIZE)
        boxes = system.detect(torch.rand(1, 3, 128, 192))[0].boxes
    assert boxes.abs().max() <= 1


@pytest.mark.slow
def test_torchvision_segmenter() -> None:
    from torchvision.models import segmentation

    torch.manual_seed(0)
    model = segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=3
    ).eval()
    network = torchvision.segmenter(model, label=1)
    image = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        result = network(image)
        normalised = (image - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
            [0.229, 0.224, 0.225]
        )[:, None, None]
        expected = model(normalised)["out"].softmax(dim=1)[:, 1:2]
    torch.testing.assert_close(result, expected)
    assert LZU.from_network(network, fovea(), size=SIZE, unzoom="outputs")(image).shape == (
        2, 1, *SIZE,
    )  # fmt: skip


# --- transformers ------------------------------------------------------------------------------


@pytest.mark.slow
def test_transformers_detector() -> None:
    import transformers as library

    torch.manual_seed(0)
    backbone = library.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], out_features=["stage4"]
    )
    config = library.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=7,
        num_labels=3,
    )
    model = library.DetrForObjectDetection(config).eval()
    processor = library.DetrImageProcessor()
    network = transformers.detector(model, processor, threshold=0.0)
    assert network.classes == ("LABEL_0", "LABEL_1", "LABEL_2")
    image = torch.rand(2, 3, *SIZE)
    with torch.no_grad():
        found = network.decode(network(image))
        mean, deviation = (
            torch.tensor(values)[:, None, None]
            for values in (processor.image_mean, processor.image_std)
        )
        outputs = model(pixel_values=(image - mean) / deviation)
    scores, labels = outputs.logits.softmax(-1)[..., :-1].max(-1)
    order = scores[0].argsort(descending=True)
    torch.testing.assert_close(found[0].scores, scores[0][order])
    assert found[0].labels.equal(labels[0][order])
    centre, side = outputs.pred_boxes[0][order].split(2, dim=-1)
    expected = torch.cat([centre - side / 2, centre + side / 2], dim=-1) * 2 - 1
    torch.testing.assert_close(found[0].boxes, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_transformers_segmenter() -> None:
    import transformers as library

    torch.manual_seed(0)
    config = library.SegformerConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 2, 2, 4],
        decoder_hidden_size=16, id2label={0: "road", 1: "person"},
        label2id={"road": 0, "person": 1},
    )  # fmt: skip
    model = library.SegformerForSemanticSegmentation(config).eval()
    processor = library.SegformerImageProcessor()
    network = transformers.segmenter(model, processor, "person")
    image = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        result = network(image)
        expected = model(pixel_values=transformers.normalised(image, processor)).logits
    torch.testing.assert_close(result, expected.softmax(dim=1)[:, 1:])
    assert transformers.segmenter(model, processor)(image).shape == (1, 2, 16, 24)
    with pytest.raises(ValueError, match=r"label must be one of \('road', 'person'\), got 'sky'"):
        transformers.segmenter(model, processor, "sky")


# --- ultralytics, by its interface --------------------------------------------------------------


class Yolo:
    """The part of `ultralytics.YOLO` that is used."""

    def __init__(self) -> None:
        self.names = {0: "box"}
        self.calls: list[dict[str, Any]] = []

    def predict(self, image: Tensor, **options: Any) -> list[Any]:
        self.calls.append({"shape": tuple(image.shape), **options})
        results = []
        for one in image:
            found = bright_box(one[None])
            height, width = image.shape[-2:]
            scale = torch.tensor([width, height, width, height])
            boxes = SimpleNamespace(
                xyxy=(found.boxes + 1) / 2 * scale, cls=torch.tensor([0.0]), conf=found.scores
            )
            results.append(SimpleNamespace(boxes=boxes))
        return results


def test_ultralytics_detector() -> None:
    yolo = Yolo()
    network = ultralytics.detector(yolo, threshold=0.1)
    assert network.classes == ("box",)
    image, expected = image_with_box()
    found = Fovea.from_network(network, fovea(), size=SIZE).detect(image)[0]
    torch.testing.assert_close(found.boxes[0], expected, atol=0.04, rtol=0)
    assert found.labels.dtype == torch.int64
    assert yolo.calls == [
        {"shape": (1, 3, *SIZE), "conf": 0.1, "imgsz": list(SIZE), "verbose": False}
    ]


# --- ONNX files --------------------------------------------------------------------------------


@pytest.mark.slow
def test_onnx_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    path = tmp_path / "network.onnx"
    torch.onnx.export(module.eval(), (torch.rand(1, 3, *SIZE),), path, dynamo=True, verbose=False)
    network = onnx.segmenter(path, providers=["CPUExecutionProvider"])
    image = torch.rand(1, 3, *SIZE)
    with torch.no_grad():
        torch.testing.assert_close(network(image), module(image), atol=1e-5, rtol=1e-4)
    system = LZU.from_network(network, fovea(), size=SIZE, unzoom="outputs")
    assert system(torch.rand(1, 3, 128, 192)).shape == (1, 1, 32, 48)


class Session:
    """A session of onnxruntime with a detector's outputs."""

    def __init__(self, inputs: int = 1) -> None:
        self.inputs = inputs

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name=f"input{index}") for index in range(self.inputs)]

    def run(self, outputs: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        found = bright_box(torch.from_numpy(feed["input0"]))
        return [found.boxes.numpy(), found.scores.numpy()]


def test_onnx_detector_is_decoded() -> None:
    def decode(outputs: list[Tensor], size: tuple[int, int]) -> list[Detections]:
        assert size == SIZE
        boxes, scores = outputs
        return [Detections(boxes, torch.zeros(len(boxes), dtype=torch.long), scores)]

    network = onnx.detector(Session(), decode)
    image, expected = image_with_box()
    found = Fovea.from_network(network, fovea(), size=SIZE).detect(image)[0]
    torch.testing.assert_close(found.boxes[0], expected, atol=0.04, rtol=0)
    with pytest.raises(ValueError, match="must have one input, an image, got"):
        onnx.detector(Session(inputs=2), decode)
