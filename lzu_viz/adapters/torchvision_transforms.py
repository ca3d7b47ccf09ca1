"""The zoom as a transform of torchvision's v2, on its `tv_tensors`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .._extras import needs
from ..geometry import check
from ..geometry.boxes import from_pixels, to_pixels
from ..geometry.check import Size
from ..geometry.warp import Warp

with needs("adapters"):
    from torchvision import tv_tensors
    from torchvision.transforms import v2
    from torchvision.transforms.v2 import functional


class Zoom(v2.Transform):  # type: ignore[misc]
    """A zoom of an image with its masks, boxes and keypoints, and its inverse, all exact.

    Samples are as for every transform of v2: any nesting of `tv_tensors`. Images in uint8 stay
    uint8. Boxes become the bounds of the mapped boxes, in their own format.

    Args:
        warp: of batch 1, or a callable from the image `1 c h w` in 0..1 to a warp.
        size: (rows, columns) of the zoomed sample.

    Raises:
        ValueError: later, if a sample has no image, mask or boxes that give the size of the frame.
    """

    _transformed_types = (
        torch.Tensor, tv_tensors.Image, tv_tensors.Mask, tv_tensors.BoundingBoxes,
        tv_tensors.KeyPoints,
    )  # fmt: skip

    def __init__(self, warp: Warp | Callable[[Tensor], Warp], size: Sequence[int]) -> None:
        super().__init__()
        self.warp = warp
        self.size = check.size(size, minimum=2)
        self._last: tuple[Warp, Size] | None = None

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the warp and the size of the frame for a sample."""
        frame = next((size for value in flat_inputs if (size := _frame_of(value))), None)
        if frame is None:
            raise ValueError("the sample has no image, mask, boxes or keypoints")
        warp = self.warp
        if not isinstance(warp, Warp):
            image = next((value for value in flat_inputs if _is_image(value)), None)
            if image is None:
                raise ValueError("a warp that is computed from the image needs an image")
            warp = warp(_floating(image)[None])
        self._last = warp, frame
        return {"warp": warp, "frame": frame}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one part of a sample in the zoomed frame."""
        warp, frame = params["warp"], params["frame"]
        return _moved(
            inpt,
            frame,
            self.size,
            dense=lambda tensor, mode: warp.zoom(tensor, self.size, mode=mode),
            boxes=warp.boxes_to_zoomed,
            points=warp.to_zoomed,
        )

    def inverse(self, *sample: Any) -> Any:
        """Return a sample of the zoomed frame in the source frame of the last call.

        Raises:
            ValueError: there was no call before.
        """
        if self._last is None:
            raise ValueError("the inverse is that of the last call, and there was none")
        warp, frame = self._last
        inverse = _Unzoom(warp, self.size, frame)
        return inverse(*sample)


class _Unzoom(v2.Transform):  # type: ignore[misc]
    """The inverse of a zoom."""

    _transformed_types = Zoom._transformed_types

    def __init__(self, warp: Warp, size: Size, frame: Size) -> None:
        super().__init__()
        self._warp, self._size, self._frame = warp, size, frame

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return _moved(
            inpt,
            self._size,
            self._frame,
            dense=lambda tensor, mode: self._warp.unzoom(tensor, self._frame, mode=mode),
            boxes=self._warp.boxes_to_source,
            points=self._warp.to_source,
        )


def _is_image(value: Any) -> bool:
    others = (tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)
    return isinstance(value, Tensor) and not isinstance(value, others)


def _frame_of(value: Any) -> Size | None:
    """Return (rows, columns) of the frame of a part of a sample."""
    if isinstance(value, tv_tensors.BoundingBoxes | tv_tensors.KeyPoints):
        return check.size(value.canvas_size)
    return check.size(value.shape[-2:]) if isinstance(value, Tensor) else None


def _floating(image: Tensor) -> Tensor:
    """Return an image as a plain floating tensor in 0..1."""
    plain = image.as_subclass(Tensor)
    return plain if plain.is_floating_point() else plain.float() / 255


def _moved(
    value: Any,
    frame: Size,
    size: Size,
    *,
    dense: Callable[[Tensor, Any], Tensor],
    boxes: Callable[[Tensor], Tensor],
    points: Callable[[Tensor], Tensor],
) -> Any:
    """Return a part of a sample in another frame.

    Args:
        value: an image, a mask, boxes or keypoints.
        frame: (rows, columns) of its frame.
        size: (rows, columns) of the other frame.
        dense: maps `b c h w` in a mode.
        boxes: maps boxes `n 4`, xyxy in [-1, 1].
        points: maps points `1 n 2` in [-1, 1].
    """
    plain = value.as_subclass(Tensor)
    if isinstance(value, tv_tensors.BoundingBoxes):
        xyxy = functional.convert_bounding_box_format(
            plain.float(), value.format, tv_tensors.BoundingBoxFormat.XYXY
        )
        mapped = to_pixels(boxes(from_pixels(xyxy, frame)), size)
        result = functional.convert_bounding_box_format(
            mapped, tv_tensors.BoundingBoxFormat.XYXY, value.format
        )
        return tv_tensors.BoundingBoxes(result, format=value.format, canvas_size=size)
    if isinstance(value, tv_tensors.KeyPoints):
        flat = from_pixels(plain.float(), frame).reshape(1, -1, 2)
        mapped = to_pixels(points(flat), size).reshape(plain.shape)
        return tv_tensors.KeyPoints(mapped, canvas_size=size)
    batched = plain.reshape(-1, *plain.shape[-3:]) if plain.ndim > 2 else plain[None, None]
    if isinstance(value, tv_tensors.Mask):
        result = dense(batched, "nearest")
    elif plain.is_floating_point():
        result = dense(batched, "bilinear")
    else:
        # Images in integers are rounded, as by torchvision's resize.
        result = dense(batched.float(), "bilinear").round().clamp(0, 255).to(plain.dtype)
    shape = (*plain.shape[:-2], *size)
    reshaped = result.reshape(shape)
    return reshaped if type(value) is Tensor else tv_tensors.wrap(reshaped, like=value)
