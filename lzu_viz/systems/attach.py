"""Attach: zoom before any module and unzoom after it, by hooks, with no change to the module."""

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor, nn

from ..geometry import check
from ..geometry.check import Size
from ..geometry.warp import Warp
from .containers import map_tensors, tensors_of
from .placement import Strides, relative_extents

DataFormat = Literal["channels_first", "channels_last"]
Sizes = Sequence[Sequence[int]] | Callable[[Size], Sequence[int]]
"""Sizes of the unzoomed maps: one (rows, columns) for each map, or a function of a map's size."""


def attach(
    module: nn.Module,
    warp: Warp | Callable[[Tensor], Warp],
    *,
    size: Sequence[int],
    sizes: Sizes | None = None,
    strides: Strides | None = None,
    data_format: DataFormat = "channels_first",
) -> "Attachment":
    """Zoom the first image that goes into a module, and unzoom every map that comes out.

    The module, for example the backbone of a detector, is not changed otherwise; its outputs keep
    their types and keys. What follows it, heads and losses, works in the source frame as before.

    Args:
        module: receives an image `b c h w`, as an argument or inside a container, and returns maps
            in any container: a tensor, list, tuple, mapping, dataclass or `ModelOutput`. Masks `b h
            w` of the same size as the image, such as DETR's, are zoomed and unzoomed with it.
        warp: one warp for all images, or one for each image of the batch; or a callable from the
            image to a warp, for example a learnt saliency network. Parameters of the warp are not
            among those of the module: pass them to the optimiser, too.
        size: (rows, columns) of the zoomed image, best a multiple of the largest stride.
        sizes: (rows, columns) to which each map is unzoomed, in the order of the output; or a
            function from the (rows, columns) of a map; by default each map keeps its size.
        strides: of the maps in pixels of the zoomed image, one for all, or one for each map. Needed
            for modules that pad their input, as their maps span more than the zoomed image.
        data_format: layout of the maps: `b c h w` or, with "channels_last", `b h w c`.

    Returns:
        A handle, whose ``warp`` can be replaced between steps, and which detaches by ``remove()``
        or at the end of a ``with`` block.

    Raises:
        ValueError: an argument has no sense; later, in the module's forward pass: there is no
            image, or a map does not fit the zoomed image.

    Example:
        >>> from lzu_viz import Warp, saliency
        >>> backbone = nn.Conv2d(3, 8, kernel_size=4, stride=4)
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), 0.1)
        >>> warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea))
        >>> with attach(backbone, warp, size=(64, 128)):
        ...     backbone(torch.rand(1, 3, 256, 512)).shape
        torch.Size([1, 8, 16, 32])
        >>> backbone(torch.rand(1, 3, 256, 512)).shape
        torch.Size([1, 8, 64, 128])
    """
    return Attachment(module, warp, size, sizes, strides, data_format)


class Attachment:
    """A zoom before and an unzoom after a module, until it is removed; made by :func:`attach`.

    Attributes:
        warp: the warp, or a callable from the image to a warp; may be replaced between two steps.
        size: (rows, columns) of the zoomed image.
    """

    def __init__(
        self,
        module: nn.Module,
        warp: Warp | Callable[[Tensor], Warp],
        size: Sequence[int],
        sizes: Sizes | None,
        strides: Strides | None,
        data_format: DataFormat,
    ) -> None:
        check.one_of(data_format, get_args(DataFormat), "data_format")
        if not isinstance(module, nn.Module):
            raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
        self.warp = warp
        self.size = check.size(size, minimum=2)
        self._sizes, self._strides, self._data_format = sizes, strides, data_format
        # The warp of the forward pass under way, apart for each thread, as in DataParallel.
        self._current = threading.local()
        self._hooks = [
            module.register_forward_pre_hook(self._zoom, with_kwargs=True),
            module.register_forward_hook(self._unzoom),
        ]

    def remove(self) -> None:
        """Detach from the module."""
        for hook in self._hooks:
            hook.remove()

    def __enter__(self) -> Self:
        """Return the attachment."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Detach from the module."""
        self.remove()

    def _zoom(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        inputs = (args, kwargs)
        image = next((tensor for _, tensor in tensors_of(inputs) if _is_image(tensor)), None)
        if image is None:
            shapes = [check.shape(tensor) for _, tensor in tensors_of(inputs)]
            raise ValueError(
                f"{type(module).__name__} was called without an image `b c h w` (floating point), "
                f"with tensors of shapes {shapes}; attach to the part that takes a batch of images"
            )
        warp = self.warp if isinstance(self.warp, Warp) else self.warp(image)
        if warp.grid.shape[0] not in (1, image.shape[0]):
            raise ValueError(
                f"the warp must have a batch of 1 or of {len(image)}, that of the images, got "
                f"{len(warp)}; set `handle.warp` before each step"
            )
        self._current.warp = warp
        frame = image.shape[-2:]

        def zoomed(tensor: Tensor) -> Tensor:
            if tensor is image:
                return warp.zoom(tensor, self.size)
            if _is_mask(tensor, len(image)) and tensor.shape[-2:] == frame:
                return warp.zoom(tensor[:, None], self.size, mode="nearest")[:, 0]
            return tensor

        new_args, new_kwargs = map_tensors(inputs, zoomed)
        return new_args, new_kwargs

    def _unzoom(self, module: nn.Module, args: Any, output: Any) -> Any:
        return unzoom_output(
            output,
            self._current.warp,
            size=self.size,
            sizes=self._sizes,
            strides=self._strides,
            data_format=self._data_format,
            name=type(module).__name__,
        )


def unzoom_output(
    output: Any,
    warp: Warp,
    *,
    size: Size,
    sizes: Sizes | None = None,
    strides: Strides | None = None,
    data_format: DataFormat = "channels_first",
    name: str = "the module",
) -> Any:
    """Return the output of a module with every map unzoomed.

    Args:
        output: maps in any container.
        warp: by which the image was zoomed.
        size: (rows, columns) of the zoomed image.
        sizes: as in :func:`attach`.
        strides: as in :func:`attach`.
        data_format: as in :func:`attach`.
        name: of the module in messages.

    Raises:
        ValueError: there is no map, or a map does not fit the zoomed image.
    """
    is_last = data_format == "channels_last"
    maps = [
        (path, tensor.movedim(-1, 1) if is_last else tensor)
        for path, tensor in tensors_of(output)
        if _is_image(tensor)
    ]
    if not maps:
        raise ValueError(
            f"{name} returned no map `b c h w`; for tokens `b n c` attach to the part before, or "
            "unzoom them by lzu_viz.unzoom_tokens"
        )
    cells = [check.size(tensor.shape[-2:]) for _, tensor in maps]
    unzoomed_sizes = _sizes_for(cells, sizes)
    names = [f"map output{path}" for path, _ in maps]
    unzoomed = warp.unzoom_levels(
        [tensor for _, tensor in maps],
        unzoomed_sizes,
        extents=relative_extents(cells, size, strides, names),
    )
    results = iter(tensor.movedim(1, -1) if is_last else tensor for tensor in unzoomed)
    batch = len(maps[0][1])

    def replaced(tensor: Tensor) -> Tensor:
        if _is_image(tensor):
            return next(results)
        if _is_mask(tensor, batch) and tensor.shape[-2:] in cells:
            mask_size = unzoomed_sizes[cells.index(check.size(tensor.shape[-2:]))]
            return warp.unzoom(tensor[:, None], mask_size, mode="nearest")[:, 0]
        return tensor

    return map_tensors(output, replaced)


def _sizes_for(cells: Sequence[Size], sizes: Sizes | None) -> list[Size]:
    """Return the sizes to which maps of these sizes are unzoomed."""
    if sizes is None:
        return list(cells)
    if callable(sizes):
        return [check.size(sizes(size), "sizes(size)") for size in cells]
    checked = [check.size(size, "sizes") for size in sizes]
    if len(checked) != len(cells):
        raise ValueError(
            f"sizes must have one (rows, columns) for each of the {len(cells)} maps, got "
            f"{len(checked)}"
        )
    return checked


def unzoom_tokens(warp: Warp, tokens: Tensor, grid: Sequence[int], prefix: int = 1) -> Tensor:
    """Return the tokens of a vision transformer, with the tokens of patches unzoomed.

    Args:
        warp: by which the image was zoomed.
        tokens: `b prefix+rows*columns c`: tokens without a place, then those of the patches in
            row-major order.
        grid: (rows, columns) of the patches.
        prefix: number of tokens without a place, such as the class token and registers; they are
            returned unchanged.

    Returns:
        The same shape.

    Raises:
        ValueError: the number of tokens is another.

    Example:
        >>> from lzu_viz import Warp
        >>> unzoom_tokens(Warp.identity(), torch.rand(2, 1 + 4 * 8, 16), grid=(4, 8)).shape
        torch.Size([2, 33, 16])
    """
    rows, columns = check.size(grid, "grid")
    check.is_tensor(tokens, "tokens")
    if tokens.ndim != 3 or prefix < 0 or tokens.shape[1] != prefix + rows * columns:
        raise ValueError(
            f"tokens must have shape (b, {prefix + rows * columns}, c), {prefix} and then "
            f"{rows} x {columns}, got {check.shape(tokens)}; check grid= and prefix="
        )
    patches = tokens[:, prefix:].mT.unflatten(2, (rows, columns))
    unzoomed = warp.unzoom(patches, (rows, columns)).flatten(2).mT
    return torch.cat([tokens[:, :prefix].expand(len(unzoomed), -1, -1), unzoomed], dim=1)


def _is_image(tensor: Tensor) -> bool:
    return tensor.ndim == 4 and tensor.is_floating_point()


def _is_mask(tensor: Tensor, batch: int) -> bool:
    """Return whether a tensor may be a mask or a map of labels `b h w`."""
    return tensor.ndim == 3 and len(tensor) == batch and not tensor.is_floating_point()
