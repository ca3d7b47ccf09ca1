"""Images from anywhere, as the one thing that the rest works on: a tensor `1 3 h w`, RGB, 0..1."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..geometry import check
from ..geometry.area_resampling import MeanPlan, area_means, intervals, plan_axis
from ..geometry.resampling import axis_edges
from . import image_io

File = str | Path | bytes | bytearray | memoryview
Source = File | NDArray[np.generic] | Image.Image | Tensor

LARGEST = 100e6
"""A file with more pixels than this is refused unread: it would fill the memory."""

_STRIP = 2**20
"""So many pixels of a large array are made floats of at a time."""

_PHOTOS = Path(__file__).parent / "data" / "photos"
_CREDITS = {
    "astronaut": "Eileen Collins, by NASA, public domain",
    "chelsea": "Chelsea the cat, by Stefan van der Walt, CC0",
    "china": "China, by danielbuechele, CC BY 2.0",
    "coffee": "Coffee cup, by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0",
    "rocket": "Launch of DSCOVR on Falcon 9, by SpaceX, public domain",
}


def photos() -> tuple[str, ...]:
    """Name the photographs that come with the package; `load` takes each name.

    Example:
        >>> photos()
        ('astronaut', 'chelsea', 'china', 'coffee', 'rocket')
    """
    return tuple(_CREDITS)


def credit(name: str) -> str:
    """Say whose photograph it is, in a line to print under it.

    `LICENCES.md` beside the files says more.

    Args:
        name: one of `photos()`.

    Raises:
        ValueError: there is no such photograph.

    Example:
        >>> credit("china")
        'China, by danielbuechele, CC BY 2.0'
    """
    if name not in _CREDITS:
        raise ValueError(f"no photograph is called {name!r}; there are {', '.join(_CREDITS)}")
    return _CREDITS[name]


def load(source: Source, max_pixels: float = 16e6) -> Tensor:
    """Load an image.

    Files are turned as their EXIF tag says; transparent ones are laid on white; grey ones get three
    equal channels; of an animation the first frame is taken. A larger image is reduced to about
    `max_pixels`, keeping its shape: `size_of` tells what size it had.

    Args:
        source: a path, the name of a shipped photograph (see `photos`), the bytes of a file, an
            array `h w`, `h w 3` or `h w 4`, a tensor `c h w` or `1 c h w` with 1, 3 or 4
            channels (both uint8, or floating in 0..1), or a PIL image.
        max_pixels: largest height times width of the result.

    Returns:
        `1 3 h w`, float32, RGB, 0..1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read or has over 100 million pixels, a side is shorter than
            2 pixels, or the values or the shape of an array are not those of an image.

    Example:
        >>> load("astronaut").shape
        torch.Size([1, 3, 512, 512])
    """
    if not max_pixels >= 4:
        raise ValueError(f"max_pixels must be at least 4 (2x2 pixels), got {max_pixels}")
    if isinstance(source, np.ndarray):
        return _from_array(_checked_array(source), max_pixels)
    if isinstance(source, Tensor):
        return _from_tensor(_checked_tensor(source), max_pixels)
    with _opened(source) as (image, name):
        size = _reduced(image.size, max_pixels)
        return _from_array(image_io.pixels(image, name, size, keep=image is source), math.inf)


def size_of(source: Source) -> check.Size:
    """Return the size of an image as it is shown: turned as its EXIF tag says, and not reduced.

    Only the beginning of a file is read, so that this is quick. That its pixels are sound, `load`
    finds out.

    Args:
        source: as `load` takes it.

    Returns:
        (rows, columns).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as `load` raises it.

    Example:
        >>> size_of("china")
        (427, 640)
    """
    if isinstance(source, np.ndarray):
        rows, columns = _checked_array(source).shape[:2]
        return rows, columns
    if isinstance(source, Tensor):
        rows, columns = _checked_tensor(source).shape[-2:]
        return rows, columns
    with _opened(source) as (image, _):
        return image_io.upright_size(image)


@contextmanager
def _opened(source: File | Image.Image) -> Iterator[tuple[Image.Image, str]]:
    """Open what Pillow reads, and name it for errors; a PIL image stays open."""
    if isinstance(source, Image.Image):
        _check_size(*source.size, "the PIL image")
        yield source, "the PIL image"
        return
    file, name = _file(source)
    with image_io.opened(file, name) as image:
        _check_size(*image.size, name)
        yield image, name


def _file(source: File) -> tuple[Path | BytesIO, str]:
    """Return what Pillow opens, and its name."""
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesIO(source), f"the data ({memoryview(source).nbytes} bytes)"
    if not isinstance(source, str | Path):
        raise ValueError(
            f"cannot load an image from {type(source).__name__}; "
            "give a path, a name of `photos()`, bytes, an array, a tensor or a PIL image"
        )
    path = _PHOTOS / f"{source}.jpg" if source in _CREDITS else Path(source)
    try:
        exists = path.is_file()
    except OSError:  # no path at all, but a text that is longer than any
        exists = False
    if not exists:
        shown = repr(str(path))
        shown = shown if len(shown) < 300 else f"{shown[:200]}... ({len(shown)} characters)"
        raise FileNotFoundError(
            f"no image file at {shown}; "
            f"give a path, or the name of a shipped photograph: {', '.join(_CREDITS)}"
        )
    return path, repr(path.name)


def _check_size(width: int, height: int, name: str) -> None:
    if min(width, height) < 2:
        raise ValueError(
            f"{name} must be at least 2x2 pixels, got (rows, columns) = {(height, width)}: "
            "one pixel has nothing to zoom into"
        )
    if width * height > LARGEST:
        raise ValueError(
            f"{name} is too large: {width} x {height} pixels, at most {LARGEST / 1e6:.0f} million "
            "are read; reduce it first"
        )


def _reduced(size: tuple[int, int], max_pixels: float) -> tuple[int, int]:
    """Return the largest size of the same shape that has no more pixels than asked."""
    if size[0] * size[1] <= max_pixels:
        return size
    scale = math.sqrt(max_pixels / (size[0] * size[1]))
    first, second = (max(2, int(side * scale)) for side in size)
    # Of a very slender image the short side cannot give way: the long one does.
    first, second = min(first, int(max_pixels / second)), min(second, int(max_pixels / first))
    return max(2, first), max(2, second)


def _checked_array(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return what has the shape and the kind of values of an image, as `h w c`."""
    array = np.asarray(array)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"an array must be `h w`, `h w 3` or `h w 4`, got {array.shape}; "
            "bring the channels to the last axis, and load one image at a time"
        )
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"an array must be uint8 or floating point in 0..1, got {array.dtype}; "
            "divide it by its largest possible value"
        )
    _check_size(array.shape[1], array.shape[0], "an array")
    return array if array.ndim == 3 else array[..., None]


def _checked_tensor(tensor: Tensor) -> Tensor:
    """Return what has the shape and the kind of values of an image, as `1 c h w`."""
    image = tensor[None] if tensor.ndim == 3 else tensor
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] not in (1, 3, 4):
        raise ValueError(
            f"a tensor must be `c h w` or `1 c h w` with 1, 3 or 4 channels, "
            f"got {check.shape(tensor)}; load one image at a time"
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise ValueError(
            f"a tensor must be uint8 or floating point in 0..1, got {image.dtype}; "
            "divide it by its largest possible value"
        )
    _check_size(image.shape[-1], image.shape[-2], "a tensor")
    return image


def _from_array(array: NDArray[np.generic], max_pixels: float) -> Tensor:
    array = _checked_array(array)
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32

    def read(top: int, bottom: int) -> Tensor:
        with np.errstate(over="ignore"):  # infinity is refused like any value beyond 1
            copy = np.array(array[top:bottom], dtype=dtype, order="C")
        return torch.from_numpy(copy).permute(2, 0, 1)[None]

    return _from_rows(read, array.shape[:2], max_pixels)


def _from_tensor(tensor: Tensor, max_pixels: float) -> Tensor:
    image = _checked_tensor(tensor)
    return _from_rows(lambda top, bottom: image[..., top:bottom, :], image.shape[-2:], max_pixels)


def _from_rows(
    read: Callable[[int, int], Tensor], shape: Sequence[int], max_pixels: float
) -> Tensor:
    """Make an image of what `read(top, bottom)` returns, and reduce it.

    The same as :func:`lzu_viz.geometry.resampling.resize` of the whole image, strip by strip: as
    floats, a large photo would fill the memory.
    """
    rows, columns = shape
    size = _reduced((rows, columns), max_pixels)
    if size == (rows, columns):
        image = _on_white(_in_range(read(0, rows)))
        return image.expand(-1, 3, -1, -1).contiguous()
    down, across = (
        intervals(axis_edges(count)[None], whole, torch.float32)
        for count, whole in zip(size, (rows, columns), strict=True)
    )
    kind = torch.float32, torch.device("cpu")
    across_plan = plan_axis(across, columns, *kind)
    step = max(1, _STRIP * size[0] // (rows * columns))
    strips = []
    for some in down.split(step, dim=1):
        top = max(0, math.floor(some[0, 0, 0]))
        bottom = min(rows, math.ceil(some[0, -1, 1]))
        strip = _on_white(_in_range(read(top, bottom)))
        plan = MeanPlan(plan_axis(some - top, bottom - top, *kind), across_plan)
        strips.append(area_means(strip, plan))
    return torch.cat(strips, dim=-2).expand(-1, 3, -1, -1).contiguous()


def _in_range(image: Tensor) -> Tensor:
    """Return the values as float32 in 0..1, or refuse them."""
    if image.dtype == torch.uint8:
        return image.float() / 255
    image = image.float()
    low, high = float(image.detach().amin()), float(image.detach().amax())
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(
            f"floating point values must lie in 0..1 and none be NaN, got {low:g} to {high:g}; "
            "divide 0..255 by 255, or clamp"
        )
    return image


def _on_white(image: Tensor) -> Tensor:
    if image.shape[1] < 4:
        return image
    colour, alpha = image[:, :3], image[:, 3:]
    return colour * alpha + (1 - alpha)
