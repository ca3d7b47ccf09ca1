"""Backbones and segmenters of torchvision, timm and transformers, with the zoom attached."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import timm
import torch
import torchvision
import transformers
from torch import Tensor, nn
from torchvision.models import segmentation

import lzu_viz
from lzu_viz import Warp, saliency
from lzu_viz.geometry.resampling import pixel_centres
from lzu_viz.systems.containers import map_tensors, tensors_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

SIZE = (192, 256)
NO_WEIGHTS = {"weights": None, "weights_backbone": None}


class Case(NamedTuple):
    """A model, the part to attach to, and its loss.

    Attributes:
        model: the whole model.
        part: the part that receives images and returns maps.
        loss: of the model, for two images.
        options: of `attach`.
    """

    model: nn.Module
    part: nn.Module
    loss: Callable[[Tensor], Tensor]
    options: dict[str, Any]


def labels(size: tuple[int, int] = (384, 512)) -> Tensor:
    target = torch.zeros(2, *size, dtype=torch.int64)
    target[:, 100:250, 200:400] = 1
    return target


def of_maps(model: nn.Module, **options: Any) -> Case:
    """Return a model that returns maps, with a loss of its own."""

    def loss(image: Tensor) -> Tensor:
        maps = [tensor for _, tensor in tensors_of(model(image)) if tensor.ndim == 4]
        return sum((level.square().mean() for level in maps), torch.zeros(()))

    return Case(model, model, loss, options)


def torchvision_segmenter(model: nn.Module) -> Case:
    def loss(image: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(image)["out"], labels())

    return Case(model, model.backbone, loss, {})  # type: ignore[arg-type]


def transformers_segmenter(model: Any, part: nn.Module, **options: Any) -> Case:
    def loss(image: Tensor) -> Tensor:
        found: Tensor = model(pixel_values=image, labels=labels()).loss
        return found

    return Case(model, part, loss, options)


def detr() -> Case:
    config = transformers.DetrConfig(
        use_timm_backbone=False, use_pretrained_backbone=False, backbone=None,
        backbone_config=transformers.ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1],
            out_features=["stage4"],
        ),
        d_model=32, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=32, decoder_ffn_dim=32,
        encoder_attention_heads=2, decoder_attention_heads=2, num_queries=5, num_labels=3,
    )  # fmt: skip
    model = transformers.DetrForObjectDetection(config)

    def loss(image: Tensor) -> Tensor:
        target = {"class_labels": torch.tensor([1]), "boxes": torch.tensor([[0.5, 0.5, 0.2, 0.3]])}
        found: Tensor = model(pixel_values=image, labels=[target, target]).loss
        return found

    return Case(model, model.model.backbone, loss, {})


def segformer() -> Case:
    config = transformers.SegformerConfig(
        hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=16, num_labels=3,
    )  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(config)
    return transformers_segmenter(model, model.segformer)


def upernet() -> Case:
    backbone = transformers.ConvNextConfig(
        hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.UperNetConfig(
        backbone_config=backbone, use_pretrained_backbone=False, hidden_size=16,
        auxiliary_in_channels=24, auxiliary_channels=8, num_labels=3,
    )  # fmt: skip
    model = transformers.UperNetForSemanticSegmentation(config)
    return transformers_segmenter(model, model.backbone)


def mobilevit() -> Case:
    config = transformers.MobileViTConfig(
        image_size=256, hidden_sizes=[8, 12, 16], neck_hidden_sizes=[4, 8, 8, 12, 16, 16, 24],
        num_attention_heads=2, num_labels=3,
    )  # fmt: skip
    model = transformers.MobileViTForSemanticSegmentation(config)
    return transformers_segmenter(model, model.mobilevit)


CASES: dict[str, Callable[[], Case]] = {
    "torchvision fcn_resnet50": lambda: torchvision_segmenter(
        segmentation.fcn_resnet50(**NO_WEIGHTS, num_classes=3)
    ),
    "torchvision deeplabv3_mobilenet_v3_large": lambda: torchvision_segmenter(
        segmentation.deeplabv3_mobilenet_v3_large(**NO_WEIGHTS, num_classes=3)
    ),
    "torchvision lraspp_mobilenet_v3_large": lambda: torchvision_segmenter(
        segmentation.lraspp_mobilenet_v3_large(**NO_WEIGHTS, num_classes=3)
    ),
    "torchvision resnet_fpn_backbone": lambda: of_maps(
        torchvision.models.detection.backbone_utils.resnet_fpn_backbone(
            backbone_name="resnet18", weights=None, trainable_layers=5
        )
    ),
    "timm resnet18": lambda: of_maps(timm.create_model("resnet18", features_only=True)),
    "timm convnext_atto": lambda: of_maps(timm.create_model("convnext_atto", features_only=True)),
    "timm efficientnet_b0": lambda: of_maps(
        timm.create_model("efficientnet_b0", features_only=True)
    ),
    "timm mobilenetv3_small_050": lambda: of_maps(
        timm.create_model("mobilenetv3_small_050", features_only=True)
    ),
    "timm swin_tiny": lambda: of_maps(
        timm.create_model(
            "swin_tiny_patch4_window7_224", features_only=True, img_size=SIZE,
            window_size=(6, 8), embed_dim=24, depths=(1, 1, 1, 1), num_heads=(1, 2, 3, 4),
        ),
        data_format="channels_last",
    ),
    "transformers SegFormer": segformer,
    "transformers UperNet": upernet,
    "transformers MobileViT": mobilevit,
    "transformers DETR": detr,
}  # fmt: skip


def fovea(x: float) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[x, -0.2]]]), 0.25)
    return Warp.from_saliency(saliency.mix(saliency.uniform(), map_of_fovea))


@pytest.mark.parametrize("name", CASES)
def test_models_train_with_their_own_loss(name: str) -> None:
    torch.manual_seed(0)
    case = CASES[name]()
    optimiser = torch.optim.SGD(case.model.parameters(), lr=1e-4)
    losses = []
    with lzu_viz.attach(case.part, Warp.cat([fovea(-0.4), fovea(0.4)]), size=SIZE, **case.options):
        for _ in range(3):
            optimiser.zero_grad()
            loss = case.loss(torch.rand(2, 3, 384, 512))
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    print(name, *(f"{loss:.3f}" for loss in losses))
    assert all(0 < loss < float("inf") for loss in losses)


@pytest.mark.parametrize("name", CASES)
def test_maps_are_placed_in_the_source_frame(name: str) -> None:
    """The finest map encodes coordinates of the source: at most 0.3 % of the side off."""
    torch.manual_seed(0)
    case = CASES[name]()
    case.model.eval()
    last = case.options.get("data_format") == "channels_last"
    seen: list[Any] = []

    def encode(module: nn.Module, args: Any, kwargs: Any, output: Any) -> Any:
        """Replace maps by the coordinates that the zoomed image has at their cells."""
        image = next(tensor for _, tensor in tensors_of((args, kwargs)) if tensor.ndim == 4)

        def encoded(tensor: Tensor) -> Tensor:
            if tensor.ndim != 4:
                return tensor
            size = tensor.shape[1:3] if last else tensor.shape[-2:]
            points = pixel_centres(size).expand(len(image), -1, -1, -1)
            sampled = nn.functional.grid_sample(image, points, align_corners=False)
            return sampled.movedim(1, -1) if last else sampled

        return map_tensors(output, encoded)

    case.part.register_forward_hook(encode, with_kwargs=True)
    with lzu_viz.attach(case.part, Warp.cat([fovea(-0.4), fovea(0.4)]), size=SIZE, **case.options):
        case.part.register_forward_hook(lambda _, __, output: seen.append(output))
        picture = torch.cat([pixel_centres((384, 512)).movedim(-1, 1), torch.zeros(1, 1, 384, 512)],
                            dim=1).expand(2, -1, -1, -1)  # fmt: skip
        with torch.no_grad(), warnings.catch_warnings():
            if name == "transformers DETR":
                case.part(picture, torch.ones(2, 384, 512, dtype=torch.bool))
            else:
                case.part(picture)
    maps = [tensor for _, tensor in tensors_of(seen[0]) if tensor.ndim == 4]
    finest = max(maps, key=lambda tensor: tensor.numel())
    finest = finest.movedim(-1, 1) if last else finest
    expected = pixel_centres(finest.shape[-2:]).movedim(-1, 1)
    inner = (expected.abs() < 0.8).all(dim=1).expand(len(finest), -1, -1)
    error = (finest[:, :2] - expected).norm(dim=1)[inner].mean() / 2
    print(f"{name}: {float(error):.2%} of the side")
    assert error < 0.003
