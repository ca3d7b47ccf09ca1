"""torchvision: detectors with the zoom in place of their resize, and networks only called."""

import math
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from .._extras import needs
from ..geometry import check
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..systems.attach import unzoom_output
from ..systems.placement import Strides
from .called_network import CalledNetwork, map_of_class
from .records import from_dict

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours of ImageNet, by which torchvision's networks are trained."""

Warps = Warp | Callable[[Tensor], Warp] | Sequence[Warp]
"""One warp for all images, a callable from an image `1 c h w` to a warp, or one warp an image."""


def zoom_and_unzoom(
    model: nn.Module, warp: Warps, *, size: Sequence[int], strides: Strides | None = None
) -> "ZoomedDetector":
    """Zoom the images of one of torchvision's detectors, and unzoom the features of its backbone.

    The detector's transform resizes images and pads them to a common size. The zoom takes its
    place, so that no detail is lost before it, nothing is padded, and images of any sizes make one
    batch. The features are unzoomed to the frame of the uniformly resized images, so that heads,
    anchors, losses and the conversion of boxes to pixels of each image work unchanged, in training
    and in prediction.

    Args:
        model: with a `transform` and a `backbone`: Faster, Mask and Keypoint R-CNN, RetinaNet,
            FCOS, SSD.
        warp: one warp for all images; or a sequence with one for each image of the next batch; or a
            callable from an image `1 c h w` in 0..1 to a warp.
        size: (rows, columns) of the zoomed images, best multiples of the largest stride.
        strides: of the backbone's maps; by default the steps of SSD's anchors, and powers of two
            for the others.

    Returns:
        A handle, whose ``warp`` can be replaced between steps, and which restores the model by
        ``remove()`` or at the end of a ``with`` block.

    Raises:
        ValueError: the model has no transform or backbone; later, the number of warps is wrong.
    """
    return ZoomedDetector(model, warp, size, strides)


class ZoomedDetector:
    """The zoom of a detector, until it is removed; made by :func:`zoom_and_unzoom`.

    Attributes:
        warp: the warp, or warps; may be replaced between two steps.
        size: (rows, columns) of the zoomed images.
    """

    def __init__(
        self, model: nn.Module, warp: Warps, size: Sequence[int], strides: Strides | None
    ) -> None:
        parts = [getattr(model, name, None) for name in ("transform", "backbone")]
        if not all(isinstance(part, nn.Module) for part in parts):
            raise ValueError(
                f"model must be one of torchvision's detectors, with a `transform` and a "
                f"`backbone`, got {type(model).__name__}; for other networks use lzu_viz.attach"
            )
        self.warp = warp
        self.size = check.size(size, minimum=2)
        self._model, self._strides = model, strides
        self._current: Warp | None = None
        self._original: Any = model.transform
        model.transform = _Zoom(self._original, self)
        self._hook = model.backbone.register_forward_hook(self._unzoom)  # type: ignore[union-attr]

    def remove(self) -> None:
        """Restore the model's own transform."""
        self._model.transform = self._original
        self._hook.remove()

    def __enter__(self) -> Self:
        """Return the handle."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the model's own transform."""
        self.remove()

    def warps_for(self, images: Sequence[Tensor]) -> list[Warp]:
        """Return the warp of each image `c h w`, and use them for the features that follow."""
        if isinstance(self.warp, Warp):
            count = len(self.warp)
            if count not in (1, len(images)):
                raise ValueError(
                    f"the warp must have a batch of 1 or of {len(images)}, that of the images, got "
                    f"{count}; set `handle.warp` before each step"
                )
            warps = [self.warp[index if count > 1 else 0] for index in range(len(images))]
            self._current = self.warp
            return warps
        if callable(self.warp):
            warps = [self.warp(image[None]) for image in images]
        else:
            warps = list(self.warp)
        if len(warps) != len(images):
            raise ValueError(
                f"there must be one warp for each of the {len(images)} images, got {len(warps)}; "
                "set `handle.warp` before each step"
            )
        self._current = Warp.cat(warps)
        return warps

    def _unzoom(self, module: nn.Module, args: Any, output: Any) -> Any:
        assert self._current is not None, "the transform runs before the backbone"
        return unzoom_output(
            output,
            self._current,
            size=self.size,
            strides=self._strides_of(output),
            name=type(module).__name__,
        )

    def _strides_of(self, output: Any) -> Strides:
        if self._strides is not None:
            return self._strides
        steps = getattr(getattr(self._model, "anchor_generator", None), "steps", None)
        if steps is not None:
            return list(steps)
        maps = [output] if isinstance(output, Tensor) else list(output.values())
        if hasattr(getattr(self._model, "anchor_generator", None), "aspect_ratios") and hasattr(
            self._model.anchor_generator, "scales"
        ):
            # SSD's anchors without steps divide the frame by the number of cells.
            return [_exact(level, self.size) for level in maps]
        return [
            tuple(_power_of_two(side / cells) for side, cells in zip(
                self.size, level.shape[-2:], strict=True))
            for level in maps
        ]  # fmt: skip


class _Zoom(nn.Module):
    """Zooms images in place of a detector's transform.

    Args:
        original: the detector's own transform, for normalisation and postprocessing.
        handle: with the warp and the size.
    """

    def __init__(self, original: Any, handle: ZoomedDetector) -> None:
        super().__init__()
        self.original = original
        self._handle = [handle]  # in a list, as the handle refers to the model

    def forward(
        self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[Any, list[dict[str, Tensor]] | None]:
        """Return the zoomed images as torchvision's `ImageList`, and targets scaled to them."""
        (handle,) = self._handle
        for image in images:
            if image.ndim != 3:
                raise ValueError(f"images must have shape (c, h, w), got {check.shape(image)}")
        warps = handle.warps_for(images)
        size = handle.size
        zoomed = [
            warp.zoom(self.original.normalize(image)[None], size)
            for image, warp in zip(images, warps, strict=True)
        ]
        if targets is not None:
            targets = [
                _scaled(target, check.size(image.shape[-2:]), size)
                for target, image in zip(targets, images, strict=True)
            ]
        return _image_list(torch.cat(zoomed)), targets

    def postprocess(self, *arguments: Any) -> Any:
        """Return detections in pixels of the images, by the detector's own transform."""
        return self.original.postprocess(*arguments)


def detector(model: nn.Module, classes: Sequence[str] = ()) -> CalledNetwork:
    """Return one of torchvision's detectors as a network that is only called.

    Its resize is left out, whose place the zoom takes. Its features are not unzoomed: for that, see
    :func:`zoom_and_unzoom`.

    Args:
        model: a detector of `torchvision.models.detection`.
        classes: names of the labels from 0 on, such as the ``meta["categories"]`` of its weights.
    """

    def call(image: Tensor) -> list[Detections]:
        original = model.transform
        model.transform = _WithoutResize(original)
        try:
            records = model(list(image))
        finally:
            model.transform = original
        return [from_dict(record, check.size(image.shape[-2:])) for record in records]

    return CalledNetwork(call, "detection", classes, model)


def segmenter(
    model: nn.Module,
    label: int | None = None,
    classes: Sequence[str] = (),
    mean: Sequence[float] = MEAN,
    deviation: Sequence[float] = DEVIATION,
) -> CalledNetwork:
    """Return one of torchvision's segmenters as a network that is only called.

    Args:
        model: a segmenter of `torchvision.models.segmentation`.
        label: index of the class whose probability is predicted, `b 1 h w`; by default the
            probabilities of all classes, `b c h w`.
        classes: names of the classes.
        mean: of the colours, subtracted from images in 0..1.
        deviation: standard deviation of the colours.
    """

    def call(image: Tensor) -> Tensor:
        centre, scale = (image.new_tensor(values).view(1, -1, 1, 1) for values in (mean, deviation))
        return map_of_class(model((image - centre) / scale)["out"], label)

    return CalledNetwork(call, "segmentation", classes, model)


class _WithoutResize(nn.Module):
    """Normalises images of one size in place of a detector's transform.

    Args:
        original: the detector's own transform, for normalisation and postprocessing.
    """

    def __init__(self, original: Any) -> None:
        super().__init__()
        self.original = original

    def forward(self, images: list[Tensor], targets: None = None) -> tuple[Any, None]:
        """Return the images as torchvision's `ImageList`."""
        batch = torch.stack([self.original.normalize(image) for image in images])
        return _image_list(batch), targets

    def postprocess(self, *arguments: Any) -> Any:
        """Return detections in pixels of the images, by the detector's own transform."""
        return self.original.postprocess(*arguments)


def _image_list(batch: Tensor) -> Any:
    """Return images `b c h w`, of which nothing is padded, as torchvision's `ImageList`."""
    with needs("adapters"):
        from torchvision.models.detection.image_list import ImageList
    return ImageList(batch, [check.size(batch.shape[-2:])] * len(batch))


def _scaled(target: dict[str, Tensor], frame: Size, size: Size) -> dict[str, Tensor]:
    """Return a target of an image resized from one (rows, columns) to another."""
    target = dict(target)
    rows, columns = (new / old for new, old in zip(size, frame, strict=True))
    if "boxes" in target:
        boxes = target["boxes"]
        target["boxes"] = boxes * boxes.new_tensor([columns, rows, columns, rows])
    if "keypoints" in target:
        keypoints = target["keypoints"]
        target["keypoints"] = keypoints * keypoints.new_tensor([columns, rows, 1])
    if "masks" in target:
        masks = target["masks"][:, None]
        identity = Warp.identity((1, 1), device=masks.device)
        target["masks"] = identity.zoom(masks, size, mode="nearest")[:, 0]
    return target


def _exact(level: Tensor, size: Size) -> tuple[float, ...]:
    """Return the strides of a map that spans an input exactly."""
    return tuple(side / cells for side, cells in zip(size, level.shape[-2:], strict=True))


def _power_of_two(stride: float) -> int:
    return 1 << max(0, round(math.log2(stride)))
