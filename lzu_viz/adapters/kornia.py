"""The zoom as an augmentation in the form of kornia's `data_keys`."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ..geometry import check
from ..geometry.boxes import from_pixels, to_pixels
from ..geometry.check import Size
from ..geometry.warp import Mode, Warp

DataKey = Literal["input", "image", "mask", "bbox", "bbox_xyxy", "bbox_xywh", "keypoints"]
"""Kinds of data, in kornia's words: images and masks `b c h w`; boxes as corners `b n 4 2`, xyxy
`b n 4` or xywh `b n 4`; points `b n 2`. Coordinates are in pixels, from the image's corner."""


class Zoom(nn.Module):
    """A zoom of images, masks, boxes and keypoints, and its inverse, all exact.

    Boxes become the bounds of the mapped boxes; points are mapped by the warp's inverse.

    Args:
        warp: of batch 1 or b, or a callable from the first image to a warp.
        size: (rows, columns) of the zoomed data.
        data_keys: kinds of the data, in the order in which they are given.

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), 0.1)
        >>> warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea))
        >>> zoom = Zoom(warp, size=(45, 80), data_keys=["input", "keypoints"])
        >>> image, points = torch.rand(1, 3, 90, 160), torch.tensor([[[120.0, 45.0]]])
        >>> zoomed, zoomed_points = zoom(image, points)
        >>> zoomed.shape
        torch.Size([1, 3, 45, 80])
        >>> torch.allclose(zoom.inverse(zoomed, zoomed_points)[1], points, atol=1e-3)
        True
    """

    def __init__(
        self,
        warp: Warp | Callable[[Tensor], Warp],
        size: Sequence[int],
        data_keys: Sequence[DataKey] = ("input",),
    ) -> None:
        super().__init__()
        self.warp = warp
        self.size = check.size(size, minimum=2)
        self.data_keys = tuple(data_keys)
        for key in self.data_keys:
            check.one_of(key, get_args(DataKey), "each of data_keys")
        self._last: tuple[Warp, Size] | None = None

    def forward(self, *data: Tensor) -> Tensor | list[Tensor]:
        """Return the zoomed data; one tensor for one, else a list.

        Args:
            data: as many tensors as there are data keys, with an image or a mask among them.

        Raises:
            ValueError: the number of tensors is wrong, or none gives the size of the frame.
        """
        keyed = self._keyed(data)
        dense = [tensor for key, tensor in keyed if key in ("input", "image", "mask")]
        if not dense:
            raise ValueError(
                f"there must be an image or a mask among the data, got keys {self.data_keys}"
            )
        images = [tensor for key, tensor in keyed if key in ("input", "image")]
        if not isinstance(self.warp, Warp) and not images:
            raise ValueError("a warp that is computed from the image needs an image")
        warp = self.warp if isinstance(self.warp, Warp) else self.warp(images[0])
        frame = check.size(dense[0].shape[-2:])
        self._last = warp, frame
        return _one_or_list(
            [
                _moved(
                    key,
                    tensor,
                    frame,
                    self.size,
                    dense=lambda values, mode: warp.zoom(values, self.size, mode=mode),
                    boxes=warp.boxes_to_zoomed,
                    points=warp.to_zoomed,
                )
                for key, tensor in keyed
            ]
        )

    def inverse(self, *data: Tensor) -> Tensor | list[Tensor]:
        """Return data of the zoomed frame in the source frame of the last call.

        Args:
            data: as for :meth:`forward`.

        Raises:
            ValueError: there was no call before, or the number of tensors is wrong.
        """
        if self._last is None:
            raise ValueError("the inverse is that of the last call, and there was none")
        warp, frame = self._last
        return _one_or_list(
            [
                _moved(
                    key,
                    tensor,
                    self.size,
                    frame,
                    dense=lambda values, mode: warp.unzoom(values, frame, mode=mode),
                    boxes=warp.boxes_to_source,
                    points=warp.to_source,
                )
                for key, tensor in self._keyed(data)
            ]
        )

    def _keyed(self, data: Sequence[Tensor]) -> list[tuple[DataKey, Tensor]]:
        if len(data) != len(self.data_keys):
            raise ValueError(
                f"expected {len(self.data_keys)} tensors for the data keys {self.data_keys}, "
                f"got {len(data)}"
            )
        return list(zip(self.data_keys, data, strict=True))


def _one_or_list(results: list[Tensor]) -> Tensor | list[Tensor]:
    return results[0] if len(results) == 1 else results


def _moved(
    key: DataKey,
    tensor: Tensor,
    frame: Size,
    size: Size,
    *,
    dense: Callable[[Tensor, Mode], Tensor],
    boxes: Callable[[Tensor], Tensor],
    points: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return data in another frame.

    Args:
        key: kind of the data.
        tensor: the data.
        frame: (rows, columns) of its frame.
        size: (rows, columns) of the other frame.
        dense: maps `b c h w` in a mode.
        boxes: maps boxes `b n 4`, xyxy in [-1, 1].
        points: maps points `b n 2` in [-1, 1].
    """
    if key in ("input", "image"):
        return dense(tensor, "bilinear")
    if key == "mask":
        return dense(tensor, "nearest")
    if key == "keypoints":
        return to_pixels(points(from_pixels(tensor, frame)), size)
    return _from_xyxy(key, to_pixels(boxes(from_pixels(_to_xyxy(key, tensor), frame)), size))


def _to_xyxy(key: DataKey, boxes: Tensor) -> Tensor:
    if key == "bbox":
        return torch.cat([boxes.amin(dim=-2), boxes.amax(dim=-2)], dim=-1)
    if key == "bbox_xywh":
        return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], dim=-1)
    return boxes


def _from_xyxy(key: DataKey, boxes: Tensor) -> Tensor:
    left, top, right, bottom = boxes.unbind(-1)
    if key == "bbox":
        # Clockwise from the top left, as in kornia.
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return torch.stack([torch.stack(corner, dim=-1) for corner in corners], dim=-2)
    if key == "bbox_xywh":
        return torch.stack([left, top, right - left, bottom - top], dim=-1)
    return boxes
