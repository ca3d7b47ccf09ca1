"""Images from anywhere, as the one thing that the rest works on: a tensor `1 3 h w`, RGB, 0..1."""

import math
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from . import check
from .sampling import resize

Source = str | Path | bytes | NDArray[np.generic] | Image.Image | Tensor

LARGEST = 100e6
"""A file with more pixels than this is refused unread: it would fill the memory."""

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
    `max_pixels`, keeping its shape. That happens silently: compare sizes if it matters.

    Args:
        source: a path, the name of a shipped photograph (see `photos`), the bytes of a file,
            an array `h w`, `h w 3` or `h w 4`, a tensor `c h w` or `1 c h w` with 1, 3 or 4
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
    if isinstance(source, bytes):
        return _from_file(BytesIO(source), f"the data ({len(source)} bytes)", max_pixels)
    if isinstance(source, str | Path):
        path = _PHOTOS / f"{source}.jpg" if source in _CREDITS else Path(source)
        if not path.is_file():
            raise FileNotFoundError(
                f"no image file at {str(path)!r}; "
                f"give a path, or the name of a shipped photograph: {', '.join(_CREDITS)}"
            )
        return _from_file(path, repr(path.name), max_pixels)
    if isinstance(source, Image.Image):
        return _from_pillow(source, "the PIL image", max_pixels)
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, Tensor):
        return _from_tensor(source, max_pixels)
    raise ValueError(
        f"cannot load an image from {type(source).__name__}; "
        "give a path, a name of `photos()`, bytes, an array, a tensor or a PIL image"
    )


def _from_file(file: Path | BytesIO, name: str, max_pixels: float) -> Tensor:
    with warnings.catch_warnings():
        # Pillow warns of what it repairs and of large images; `_check_size` is stricter than that.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(file)
        except Image.DecompressionBombError as error:
            raise ValueError(f"{name} is too large: {error}; reduce it first") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise ValueError(f"{name} is no image that Pillow can read: {error}") from error
        with image:
            _check_size(*image.size, name)
            # JPEG can be decoded at 1/2, 1/4 or 1/8, so that the large image never exists.
            image.draft(None, _reduced(image.size, max_pixels))
            return _from_pillow(image, name, max_pixels)


def _from_pillow(image: Image.Image, name: str, max_pixels: float) -> Tensor:
    _check_size(*image.size, name)
    if image.mode in ("I", "F"):
        raise ValueError(
            f"{name} has 32 bits a pixel and no known range; load an array in 0..1 made of it"
        )
    try:
        image.load()
        if image.mode.startswith("I;16"):
            return _from_array(np.asarray(image, dtype=np.float32) / 65535, max_pixels)
        mode = "RGBA" if image.has_transparency_data else "RGB"
        image = image if image.mode == mode else image.convert(mode)
        size = _reduced(image.size, max_pixels)
        if size != image.size:
            image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2)
        image = ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception as error:  # whatever a decoder stumbles on in damaged data
        raise ValueError(f"{name} is damaged or cut short: {error}") from error
    return _from_array(np.asarray(image), max_pixels)


def _check_size(width: int, height: int, name: str = "an image") -> None:
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
    """Give the largest size of the same shape that has no more pixels than asked."""
    scale = min(1.0, math.sqrt(max_pixels / (size[0] * size[1])))
    first, second = (max(2, int(side * scale)) for side in size)
    return first, second


def _from_array(array: NDArray[np.generic], max_pixels: float) -> Tensor:
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
    dtype = np.uint8 if array.dtype == np.uint8 else np.float32
    copy = np.array(array if array.ndim == 3 else array[..., None], dtype=dtype)
    return _from_tensor(torch.from_numpy(copy).permute(2, 0, 1), max_pixels)


def _from_tensor(tensor: Tensor, max_pixels: float) -> Tensor:
    image = tensor[None] if tensor.ndim == 3 else tensor
    if image.ndim != 4 or image.shape[0] != 1 or image.shape[1] not in (1, 3, 4):
        raise ValueError(
            f"a tensor must be `c h w` or `1 c h w` with 1, 3 or 4 channels, "
            f"got {check.shape(tensor)}; load one image at a time"
        )
    _check_size(image.shape[-1], image.shape[-2])
    if image.dtype == torch.uint8:
        image = image.float() / 255
    elif not image.is_floating_point():
        raise ValueError(
            f"a tensor must be uint8 or floating point in 0..1, got {image.dtype}; "
            "divide it by its largest possible value"
        )
    image = image.float()
    low, high = float(image.detach().amin()), float(image.detach().amax())
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(
            f"floating point values must lie in 0..1 and none be NaN, got {low:g} to {high:g}; "
            "divide 0..255 by 255, or clamp"
        )
    if image.shape[1] == 4:
        colour, alpha = image[:, :3], image[:, 3:]
        image = colour * alpha + (1 - alpha)
    image = image.expand(-1, 3, -1, -1).contiguous()
    rows, columns = image.shape[-2:]
    size = _reduced((rows, columns), max_pixels)
    return image if size == (rows, columns) else resize(image, size)
