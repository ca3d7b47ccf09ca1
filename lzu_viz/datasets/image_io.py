"""Decoding of image files with Pillow, with rotation and memory-efficient downsampling."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile

from ..geometry import check

# Excludes Pillow formats that run an external program (EPS) or can contain an image of a size other
# than the declared one (ICO).
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM")

_STRIP = 2**20
"""Number of pixels that are converted and downsampled at a time."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transposition that makes an image upright, by its EXIF orientation."""


@contextmanager
def opened(file: Path | BytesIO, name: str) -> Iterator[Image.Image]:
    """Open an image file without decoding its pixels.

    Args:
        file: path or stream of the file.
        name: name of the file in error messages.

    Raises:
        ValueError: it is not an image of a supported format, or it is too large.
    """
    try:
        with _silence():
            Image.init()
            image = Image.open(
                file,
                formats=[image_format for image_format in _FORMATS if image_format in Image.OPEN],
            )
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is not a readable image (expected a valid JPEG, PNG, WebP, TIFF, GIF, BMP, "
            "AVIF, JPEG 2000 or PPM file); convert it to JPEG or PNG, or pass an array"
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large: {error}; downsample it first") from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise any exception on damaged data
        raise ValueError(
            f"{name} is not a readable image: {error}; convert it to JPEG or PNG, or pass an array"
        ) from error
    with image:
        yield image


def upright_size(image: Image.Image) -> check.Size:
    """Return (rows, columns) of an image after rotation, decoding it only if necessary."""
    with _silence():
        columns, rows = image.size
        return (columns, rows) if _orientation(image) in (5, 6, 7, 8) else (rows, columns)


def pixels(
    image: Image.Image, name: str, size: tuple[int, int], keep: bool = False
) -> NDArray[np.uint8 | np.float32]:
    """Return the pixels of an image, downsampled and rotated upright.

    Args:
        image: opened image.
        name: name of the image in error messages.
        size: requested (columns, rows) before rotation; at most the size of the image.
        keep: whether to leave `image` unmodified, as it belongs to the caller.

    Returns:
        `h w 3` or `h w 4`, uint8; for 16-bit grey images `h w`, float32 in 0..1.

    Raises:
        ValueError: the image is damaged, or its pixel format is not supported.
    """
    if image.mode in ("I", "F"):
        raise ValueError(
            f"{name} has 32 bits per pixel, without a defined range; convert it to an array in "
            "0..1 and pass that"
        )
    if image.mode == "LAB":
        raise ValueError(f"{name} has Lab colours, which are not supported; convert it to RGB")
    try:
        with _silence():
            # JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which saves memory.
            drafted = None if keep else image.draft(None, size)
            image.load()
            width, height = drafted[1][2:] if drafted else image.size
            small = _converted(image) if size == image.size else _shrunk(image, size, width, height)
            turn = _TURNS.get(_orientation(image))
            array = np.asarray(small if turn is None else small.transpose(turn))
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{name} is damaged or truncated: {error}; save it again") from error
    return array if array.dtype == np.uint8 else array.astype(np.float32) / np.float32(65535)


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress Pillow's warnings about repaired files and large images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_deep(image: Image.Image) -> bool:
    """Return whether an image has 16 bits per channel; Pillow supports only grey ones."""
    return image.mode.startswith("I;16")


def _converted(image: Image.Image) -> Image.Image:
    """Return an image converted to RGB or RGBA; 16-bit grey images are not converted."""
    if _is_deep(image):
        return image
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _shrunk(image: Image.Image, size: tuple[int, int], width: float, height: float) -> Image.Image:
    """Return an image converted and downsampled: first by averaging whole pixels, then bicubically.

    The first step works strip by strip, as a second image of full size may not fit in memory.

    Args:
        image: decoded image.
        size: requested (columns, rows).
        width: width of the image, fractional if a JPEG decoded at 1/8 ends within a pixel.
        height: height of the image, also possibly fractional.
    """
    if _is_deep(image):
        return image.resize(size, Image.Resampling.BICUBIC, (0, 0, width, height))
    columns, rows = image.size
    factor_x, factor_y = max(1, int(width / size[0] / 2)), max(1, int(height / size[1] / 2))
    strip_rows = max(1, _STRIP // (columns * factor_y)) * factor_y
    # "a" is premultiplied alpha, so that colours are averaged with their opacity as weight.
    mode = "RGBa" if image.has_transparency_data else "RGB"
    small = Image.new(mode, (math.ceil(columns / factor_x), math.ceil(rows / factor_y)))
    for top in range(0, rows, strip_rows):
        strip = _converted(image.crop((0, top, columns, min(top + strip_rows, rows))))
        strip = strip if strip.mode == mode else strip.convert(mode)
        small.paste(strip.reduce((factor_x, factor_y)), (0, top // factor_y))
    small = small.resize(
        size, Image.Resampling.BICUBIC, (0, 0, width / factor_x, height / factor_y)
    )
    return small if mode == "RGB" else small.convert("RGBA")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an image; 1 (upright) if the tags cannot be read."""
    if image.format == "TIFF":
        return 1  # Pillow rotates TIFF images itself, and reports the rotated size
    try:
        if isinstance(image, PngImageFile) and not _has_late_tags(image):
            # The `getexif` of PNG decodes the whole file in search of a tag after the pixels.
            tags = Image.Image.getexif(image)
        else:
            tags = image.getexif()
        return int(tags.get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # the pixels may be valid even if the tags are not
        return 1


def _has_late_tags(image: PngImageFile) -> bool:
    """Return whether a PNG that is not yet decoded has metadata after its pixels."""
    file = image.fp
    if file is None or not image.tile:
        return False  # already decoded, so all metadata has been read
    start, late, has_late_tags = file.tell(), False, False
    file.seek(8)
    while not has_late_tags and len(head := file.read(8)) == 8:
        kind = head[4:]
        late = late or kind == b"IDAT"
        has_late_tags = late and kind in (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
        file.seek(int.from_bytes(head[:4]) + 4, 1)
    file.seek(start)
    return has_late_tags
