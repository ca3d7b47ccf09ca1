"""torchvision's detectors with the zoom in place of their resize and padding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import detection

from lzu_viz import Warp, saliency
from lzu_viz.adapters.torchvision import ZoomedDetector, zoom_and_unzoom
from lzu_viz.geometry.resampling import pixel_centres

# A warning of torchvision about its own implementation.
pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"
)

SIZE = (128, 192)
NO_WEIGHTS = {"weights": None, "weights_backbone": None}
# Few proposals: RoIAlign in Python needs gigabytes for thousands.
FEW = (
    NO_WEIGHTS
    | {
        f"rpn_{stage}_nms_top_n_{mode}": 40
        for stage in ("pre", "post")
        for mode in ("train", "test")
    }
    | {"box_batch_size_per_image": 8, "box_detections_per_img": 5}
)
MODELS: dict[str, Callable[[], nn.Module]] = {
    "fasterrcnn_resnet50_fpn": lambda: detection.fasterrcnn_resnet50_fpn(**FEW, num_classes=4),
    "fasterrcnn_mobilenet_v3_large_fpn": lambda: detection.fasterrcnn_mobilenet_v3_large_fpn(
        **FEW, num_classes=4
    ),
    "maskrcnn_resnet50_fpn": lambda: detection.maskrcnn_resnet50_fpn(**FEW, num_classes=4),
    "keypointrcnn_resnet50_fpn": lambda: detection.keypointrcnn_resnet50_fpn(
        **FEW, num_classes=2, num_keypoints=3
    ),
    "retinanet_resnet50_fpn": lambda: detection.retinanet_resnet50_fpn(**NO_WEIGHTS, num_classes=4),
    "fcos_resnet50_fpn": lambda: detection.fcos_resnet50_fpn(**NO_WEIGHTS, num_classes=4),
    "ssd300_vgg16": lambda: detection.ssd300_vgg16(**NO_WEIGHTS, num_classes=4),
    "ssdlite320_mobilenet_v3_large": lambda: detection.ssdlite320_mobilenet_v3_large(
        **NO_WEIGHTS, num_classes=4
    ),
}
SIZES = {"ssd300_vgg16": (300, 300), "ssdlite320_mobilenet_v3_large": (320, 320)}


def fovea(x: float) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[x, -0.2]]]), 0.2)
    return Warp.from_saliency(saliency.mix(saliency.uniform(), map_of_fovea))


def images() -> list[Tensor]:
    """Return two images of different sizes."""
    draw = torch.Generator().manual_seed(0)
    return [torch.rand(3, *size, generator=draw) for size in ((240, 320), (200, 400))]


def targets() -> list[dict[str, Tensor]]:
    found = []
    for image in images():
        mask = torch.zeros(1, *image.shape[-2:], dtype=torch.uint8)
        mask[:, 50:150, 60:220] = 1
        found.append(
            {
                "boxes": torch.tensor([[60.0, 50.0, 220.0, 150.0]]),
                "labels": torch.tensor([1]),
                "masks": mask,
                "keypoints": torch.tensor(
                    [[[80.0, 60.0, 1.0], [120.0, 90.0, 1.0], [200.0, 140.0, 1.0]]]
                ),
            }
        )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_detectors_train_and_predict(name: str) -> None:
    """Three steps with the model's own loss, and detections in pixels of images of two sizes."""
    torch.manual_seed(0)
    model = MODELS[name]()
    # The masks of targets are cropped by RoIAlign in Python, whose memory grows with the image.
    size = (64, 96) if "maskrcnn" in name else SIZES.get(name, SIZE)
    # Without normalisation layers, a network with random weights needs small steps.
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-6 if "vgg" in name else 1e-3)
    with zoom_and_unzoom(model, [fovea(-0.4), fovea(0.4)], size=size):
        losses = []
        for _ in range(3):
            optimiser.zero_grad()
            loss = sum(model(images(), targets()).values())
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        print(name, *(f"{loss:.3f}" for loss in losses))
        assert all(0 < loss < float("inf") for loss in losses)
        assert all(
            parameter.grad is None or parameter.grad.isfinite().all()
            for parameter in model.parameters()
        )
        with torch.no_grad():
            found = model.eval()(images())
    for detections, image in zip(found, images(), strict=True):
        boxes = detections["boxes"]
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= image.shape[-1] + 1e-3).all()
        assert (boxes[:, 3] <= image.shape[-2] + 1e-3).all()


class Coordinates(nn.Module):
    """A backbone that returns means of its input, which encodes coordinates, on another's grids."""

    def __init__(self, backbone: nn.Module, strides: list[Any]) -> None:
        super().__init__()
        self.backbone, self.strides = backbone, strides

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            maps = self.backbone(image)
        result = {}
        for (key, level), stride in zip(maps.items(), self.strides, strict=True):
            rows, columns = (stride, stride) if isinstance(stride, int | float) else stride
            # Coordinates at the centres of the cells, beyond the image if the network pads it.
            at = pixel_centres(level.shape[-2:])
            scale = [level.shape[-1] * columns / image.shape[-1],
                     level.shape[-2] * rows / image.shape[-2]]  # fmt: skip
            points = (at + 1) * torch.tensor(scale) - 1
            sampled = nn.functional.grid_sample(
                image, points.expand(len(image), -1, -1, -1), align_corners=False,
                padding_mode="border",
            )  # fmt: skip
            result[key] = sampled
        return result


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_features_are_placed_in_the_source_frame(name: str) -> None:
    """The finest map encodes coordinates of the source: at most 0.3 % of the side off."""
    torch.manual_seed(0)
    # The finest map of MobileNet has a stride of 32.
    size = (384, 576) if "fasterrcnn_mobilenet" in name else SIZES.get(name, SIZE)
    model = MODELS[name]().eval()
    seen: dict[str, Any] = {}
    with zoom_and_unzoom(model, [fovea(-0.4), fovea(0.4)], size=size) as handle:
        model.transform.original.image_mean = [0.0, 0.0, 0.0]
        model.transform.original.image_std = [1.0, 1.0, 1.0]
        with torch.no_grad():
            maps = model.backbone.forward(torch.rand(1, 3, *size))
        backbone = model.backbone
        model.backbone = Coordinates(backbone, list(handle._strides_of(maps)))
        model.backbone.register_forward_hook(handle._unzoom)
        model.backbone.register_forward_hook(lambda _, __, output: seen.update(maps=output))
        model.backbone.out_channels = getattr(backbone, "out_channels", None)
        pictures = [
            torch.cat([pixel_centres(image.shape[-2:])[0].movedim(-1, 0), image[:1] * 0])
            for image in images()
        ]
        batch, _ = model.transform(pictures)
        model.backbone(batch.tensors)
    finest = next(iter(seen["maps"].values()))[:, :2]
    expected = pixel_centres(finest.shape[-2:]).movedim(-1, 1)
    inner = (expected.abs() < 0.8).all(dim=1).expand(len(finest), -1, -1)
    error = (finest - expected).norm(dim=1)[inner].mean() / 2
    print(f"{name}: {float(error):.2%} of the side")
    assert error < 0.003


@pytest.mark.slow
def test_the_model_is_restored() -> None:
    model = MODELS["fasterrcnn_mobilenet_v3_large_fpn"]().eval()
    original = model.transform
    with torch.no_grad():
        expected = model(images())[0]["boxes"]
        with zoom_and_unzoom(model, fovea(0.3), size=SIZE) as handle:
            assert isinstance(handle, ZoomedDetector)
            assert model.transform is not original
        torch.testing.assert_close(model(images())[0]["boxes"], expected)
    assert model.transform is original


def test_warps_are_one_or_one_an_image_or_computed() -> None:
    model = MODELS["fasterrcnn_mobilenet_v3_large_fpn"]().eval()
    with zoom_and_unzoom(model, fovea(0.3), size=SIZE) as handle, torch.no_grad():
        model(images())
        shapes = []
        handle.warp = lambda image: shapes.append(image.shape) or fovea(0.1)  # type: ignore[func-returns-value]
        model(images())
        assert shapes == [(1, 3, 240, 320), (1, 3, 200, 400)]
        for wrong in ([fovea(0.1)], Warp.cat([fovea(0.1)] * 3)):
            handle.warp = wrong
            with pytest.raises(ValueError, match=r"set `handle\.warp` before each step"):
                model(images())
    with pytest.raises(ValueError, match=r"use lzu_viz\.attach"):
        zoom_and_unzoom(nn.Conv2d(3, 3, 1), fovea(0.1), size=SIZE)


def test_targets_are_scaled_to_the_zoomed_size() -> None:
    model = MODELS["maskrcnn_resnet50_fpn"]()
    with zoom_and_unzoom(model, Warp.identity(), size=(120, 160)):
        batch, scaled = model.transform([images()[0]], [targets()[0]])
    assert batch.tensors.shape == (1, 3, 120, 160)
    assert batch.image_sizes == [(120, 160)]
    assert scaled[0]["boxes"].tolist() == [[30, 25, 110, 75]]
    assert scaled[0]["keypoints"][0, 0].tolist() == [40, 30, 1]
    rows, columns = scaled[0]["masks"][0].nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (25, 74, 30, 109)
