"""Loading of images from files, arrays and tensors as tensors `1 3 h w`, RGB, 0..1."""

import math
import warnings
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
from .paths import local_path

File = str | Path | bytes | bytearray | memoryview
Source = File | NDArray[np.generic] | Image.Image | Tensor

LARGEST = 150e6
"""Maximum number of pixels; larger images are rejected before decoding, to limit memory use."""

MAX_PIXELS = 16e6
"""Number of pixels to which larger images are downsampled by default."""

_STRIP = 2**20
"""Number of pixels of a large array that are converted to float at a time."""

_INTEGERS = (np.uint8, np.uint16)
"""Types of integers of an image; their range maps to 0..1."""

_PHOTOS = Path(__file__).parent / "data" / "photos"
_CREDITS = {
    "astronaut": "Eileen Collins, by NASA, public domain",
    "chelsea": "Chelsea the cat, by Stefan van der Walt, CC0",
    "china": "China, by danielbuechele, CC BY 2.0",
    "coffee": "Coffee cup, by Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0",
    "rocket": "Launch of DSCOVR on Falcon 9, by SpaceX, public domain",
}


def photos() -> tuple[str, ...]:
    """Return the names of the photographs that come with the package, accepted by `load`.

    Example:
        >>> photos()
        ('astronaut', 'chelsea', 'china', 'coffee', 'rocket')
    """
    return tuple(_CREDITS)


def credit(name: str) -> str:
    """Return the credit line of a photograph; see `LICENCES.md` beside the files for details.

    Args:
        name: one of `photos()`.

    Raises:
        ValueError: there is no such photograph.

    Example:
        >>> credit("china")
        'China, by danielbuechele, CC BY 2.0'
    """
    if name not in _CREDITS:
        raise ValueError(f"unknown photograph {name!r}, expected one of {', '.join(_CREDITS)}")
    return _CREDITS[name]


def load(source: Source, max_pixels: float | None = MAX_PIXELS) -> Tensor:
    """Load an image.

    Files are rotated by their EXIF tag, transparent images are composited on white, grey images get
    three equal channels, and of an animation the first frame is used. Larger images are downsampled
    to about `max_pixels`, preserving the aspect ratio, with a warning if it is the default that
    they exceed; `size_of` returns the original size.

    Args:
        source: a path, the name of a photograph that comes with the package (see `photos`), the
            bytes of a file, an array `h w`, `h w 3` or `h w 4`, a tensor `c h w` or `1 c h w` with
            1, 3 or 4 channels (both uint8, uint16, or floating point in 0..1), or a PIL image.
        max_pixels: maximum height times width of the result; None for the full size, which takes
            12 bytes for each pixel.

    Returns:
        `1 3 h w`, float32, RGB, 0..1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, the image has over 150 million pixels or a side shorter
            than 2 pixels, or the values or the shape of an array are not those of an image.

    Example:
        >>> load("astronaut").shape
        torch.Size([1, 3, 512, 512])
    """
    if max_pixels is not None and not max_pixels >= 4:
        raise ValueError(f"max_pixels must be at least 4 (2x2 pixels) or None, got {max_pixels}")
    limit = math.inf if max_pixels is None else max_pixels
    if isinstance(source, np.ndarray):
        array = _checked_array(source)
        count, name = array.shape[0] * array.shape[1], "the array"
        image = _from_array(array, limit)
    elif isinstance(source, Tensor):
        tensor = _checked_tensor(source)
        count, name = tensor.shape[-2] * tensor.shape[-1], "the tensor"
        image = _from_tensor(tensor, limit)
    else:
        with _opened(source) as (opened, name):
            count, size = opened.width * opened.height, _reduced(opened.size, limit)
            array = image_io.pixels(opened, name, size, keep=opened is source)
            image = _from_array(array, math.inf)
    if count > limit and max_pixels == MAX_PIXELS:
        warnings.warn(
            f"{name} has {count / 1e6:.1f} million pixels and was downsampled to "
            f"{image.shape[-2]} x {image.shape[-1]}; pass max_pixels=None for its full size, or "
            "max_pixels= to choose one",
            stacklevel=2,
        )
    return image


def size_of(source: Source) -> check.Size:
    """Return the size of an image after rotation by its EXIF tag, before any downsampling.

    This is fast, as only metadata of a file is read where possible; damaged pixel data is detected
    by `load` only.

    Args:
        source: image in any form accepted by `load`.

    Returns:
        (rows, columns).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the image is not valid, see `load`.

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
    """Open an image with Pillow and name it for errors; a given PIL image is not closed."""
    if isinstance(source, Image.Image):
        _check_size(*source.size, "the PIL image")
        yield source, "the PIL image"
        return
    file, name = _file(source)
    with image_io.opened(file, name) as image:
        _check_size(*image.size, name)
        yield image, name


def _file(source: File) -> tuple[Path | BytesIO, str]:
    """Return the path or stream that Pillow opens, and its name for errors."""
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesIO(source), f"the data ({memoryview(source).nbytes} bytes)"
    if not isinstance(source, str | Path):
        raise ValueError(
            f"cannot load an image from {type(source).__name__}; "
            "pass a path, a name of `photos()`, bytes, an array, a tensor or a PIL image"
        )
    path = _PHOTOS / f"{source}.jpg" if source in _CREDITS else local_path(source)
    try:
        exists = path.is_file()
    except OSError:  # the string is too long for a path
        exists = False
    if not exists:
        shown = repr(str(path))
        shown = shown if len(shown) < 300 else f"{shown[:200]}... ({len(shown)} characters)"
        raise FileNotFoundError(
            f"no image file at {shown}; "
            f"pass a path, or the name of a photograph of the package: {', '.join(_CREDITS)}"
        )
    return path, repr(path.name)


def _check_size(width: int, height: int, name: str) -> None:
    if min(width, height) < 2:
        raise ValueError(
            f"{name} must have at least 2x2 pixels, got (rows, columns) = {(height, width)}"
        )
    if width * height > LARGEST:
        raise ValueError(
            f"{name} is too large: at most {LARGEST / 1e6:.0f} million pixels are supported, got "
            f"{width} x {height}; downsample it first"
        )


def _reduced(size: tuple[int, int], max_pixels: float) -> tuple[int, int]:
    """Return the largest size of the same aspect ratio with at most ``max_pixels`` pixels."""
    if size[0] * size[1] <= max_pixels:
        return size
    scale = math.sqrt(max_pixels / (size[0] * size[1]))
    first, second = (max(2, int(side * scale)) for side in size)
    # The short side cannot go below 2 pixels, so a very narrow image needs a shorter long side.
    first, second = min(first, int(max_pixels / second)), min(second, int(max_pixels / first))
    return max(2, first), max(2, second)


def _checked_array(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return an array as `h w c`, after checking that its shape and dtype are those of an image."""
    array = np.asarray(array)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(
            f"an array must have shape (h, w), (h, w, 3) or (h, w, 4), got {array.shape}; "
            "move the channels to the last axis, and load one image at a time"
        )
    if array.dtype.type not in _INTEGERS and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(
            f"an array must be uint8, uint16 or floating point in 0..1, got {array.dtype}; "
            "divide it by the maximum of its range"
        )
    _check_size(array.shape[1], array.shape[0], "an array")
    return array if array.ndim == 3 else array[..., None]


def _checked_tensor(tensor: Tensor) -> Tensor:
    """Return a tensor as `1 c h w`, after checking its shape and dtype."""
    image = tensor[None] if tensor.ndim == 3 else tensor
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] not in (1, 3, 4):
        raise ValueError(
            "a tensor must have shape (c, h, w) or (1, c, h, w) with 1, 3 or 4 channels, "
            f"got {check.shape(tensor)}; load one image at a time"
        )
    if image.dtype not in (torch.uint8, torch.uint16) and not image.is_floating_point():
        raise ValueError(
            f"a tensor must be uint8, uint16 or floating point in 0..1, got {image.dtype}; "
            "divide it by the maximum of its range"
        )
    _check_size(image.shape[-1], image.shape[-2], "a tensor")
    return image


def _from_array(array: NDArray[np.generic], max_pixels: float) -> Tensor:
    array = _checked_array(array)
    # Conversion to the native byte order, which torch needs.
    dtype = array.dtype.type if array.dtype.type in _INTEGERS else np.float32

    def read(top: int, bottom: int) -> Tensor:
        with np.errstate(over="ignore"):  # infinity is rejected later, as it exceeds 1
            copy = np.array(array[top:bottom], dtype=dtype, order="C")
        return torch.from_numpy(copy).permute(2, 0, 1)[None]

    return _from_rows(read, array.shape[:2], max_pixels)


def _from_tensor(tensor: Tensor, max_pixels: float) -> Tensor:
    image = _checked_tensor(tensor)
    return _from_rows(lambda top, bottom: image[..., top:bottom, :], image.shape[-2:], max_pixels)


def _from_rows(
    read: Callable[[int, int], Tensor], shape: Sequence[int], max_pixels: float
) -> Tensor:
    """Return the downsampled image of rows read by `read(top, bottom)`.

    Equals :func:`lzu_viz.geometry.resampling.resize` of the whole image, but works strip by strip
    to limit the memory for float values.
    """
    rows, columns = shape
    size = _reduced((rows, columns), max_pixels)
    if size == (rows, columns):
        image = _on_white(_in_range(read(0, rows)))
        return image.expand(-1, 3, -1, -1).contiguous()
    row_intervals, column_intervals = (
        intervals(axis_edges(count)[None], length, torch.float32)
        for count, length in zip(size, (rows, columns), strict=True)
    )
    kind = torch.float32, torch.device("cpu")
    column_plan = plan_axis(column_intervals, columns, *kind)
    strip_rows = max(1, _STRIP * size[0] // (rows * columns))
    strips = []
    for strip_intervals in row_intervals.split(strip_rows, dim=1):
        top = max(0, math.floor(strip_intervals[0, 0, 0]))
        bottom = min(rows, math.ceil(strip_intervals[0, -1, 1]))
        strip = _on_white(_in_range(read(top, bottom)))
        plan = MeanPlan(plan_axis(strip_intervals - top, bottom - top, *kind), column_plan)
        strips.append(area_means(strip, plan))
    return torch.cat(strips, dim=-2).expand(-1, 3, -1, -1).contiguous()


def _in_range(image: Tensor) -> Tensor:
    """Return the values as float32, after checking that they are in 0..1."""
    if image.dtype == torch.uint8:
        return image.float() / 255
    if image.dtype == torch.uint16:
        return image.float() / 65535
    image = image.float()
    low, high = float(image.detach().amin()), float(image.detach().amax())
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(
            f"floating point values must be in 0..1 and not NaN, got {low:g} to {high:g}; "
            "divide values in 0..255 by 255, or clamp them"
        )
    return image


def _on_white(image: Tensor) -> Tensor:
    if image.shape[1] < 4:
        return image
    colour, alpha = image[:, :3], image[:, 3:]
    return colour * alpha + (1 - alpha)
