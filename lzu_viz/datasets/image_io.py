"""Files as Pillow decodes them: brought upright, and reduced on the way, in little memory."""

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

# Pillow knows more kinds. Some of them run another program (EPS), or hide an image of another size
# than they say (ICO).
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM")

_STRIP = 2**20
"""So many pixels are converted and reduced at a time."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an image upright, by the number in its EXIF tag."""


@contextmanager
def opened(file: Path | BytesIO, name: str) -> Iterator[Image.Image]:
    """Open an image file, and decode nothing yet.

    Args:
        file: where it is.
        name: what errors call it.

    Raises:
        ValueError: it is no image, or none of a kind that is read.
    """
    try:
        with _silence():
            Image.init()
            image = Image.open(file, formats=[each for each in _FORMATS if each in Image.OPEN])
    except UnidentifiedImageError as error:
        raise ValueError(
            f"{name} is no image that can be read (not a sound JPEG, PNG, WebP, TIFF, GIF, BMP, "
            "AVIF, JPEG 2000 or PPM file); save it as JPEG or PNG first"
        ) from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} is too large: {error}; reduce it first") from error
    except MemoryError:
        raise
    except Exception as error:  # whatever a decoder stumbles on in damaged data
        raise ValueError(
            f"{name} is no image that can be read: {error}; save it as JPEG or PNG first"
        ) from error
    with image:
        yield image


def upright_size(image: Image.Image) -> check.Size:
    """Return (rows, columns) of an image once it is upright, and decode it only if need be."""
    with _silence():
        columns, rows = image.size
        return (columns, rows) if _orientation(image) in (5, 6, 7, 8) else (rows, columns)


def pixels(
    image: Image.Image, name: str, size: tuple[int, int], keep: bool = False
) -> NDArray[np.uint8 | np.float32]:
    """Decode an image, reduce it and bring it upright.

    Args:
        image: as it was opened.
        name: what errors call it.
        size: (columns, rows) wanted, before it is turned; not larger than the image.
        keep: leave the image as it is, for somebody else's use.

    Returns:
        `h w 3` or `h w 4`, uint8, or `h w` of a deep grey image, float32 in 0..1.

    Raises:
        ValueError: it is damaged, or it has pixels of a kind that is not read.
    """
    if image.mode in ("I", "F"):
        raise ValueError(
            f"{name} has 32 bits a pixel and no known range; load an array in 0..1 made of it"
        )
    if image.mode == "LAB":
        raise ValueError(f"{name} has Lab colours, which are not read; save it in RGB first")
    try:
        with _silence():
            # JPEG can be decoded at 1/2, 1/4 or 1/8, so that the large image never exists.
            drafted = None if keep else image.draft(None, size)
            image.load()
            width, height = drafted[1][2:] if drafted else image.size
            small = _converted(image) if size == image.size else _shrunk(image, size, width, height)
            turn = _TURNS.get(_orientation(image))
            array = np.asarray(small if turn is None else small.transpose(turn))
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{name} is damaged or cut short: {error}; save it anew") from error
    return array if array.dtype == np.uint8 else array.astype(np.float32) / np.float32(65535)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Pillow's warnings in: of what it repairs, and of large images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_deep(image: Image.Image) -> bool:
    """Return whether an image has 16 bits a pixel; of these, Pillow knows only grey ones."""
    return image.mode.startswith("I;16")


def _converted(image: Image.Image) -> Image.Image:
    """Bring an image into a mode that arrays are made of."""
    if _is_deep(image):
        return image
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _shrunk(image: Image.Image, size: tuple[int, int], width: float, height: float) -> Image.Image:
    """Convert an image and reduce it: first by means of whole pixels, the last step bicubically.

    The first step goes strip by strip: a second image as large as the first may fill the memory.

    Args:
        image: decoded.
        size: (columns, rows) wanted.
        width: of the image; JPEG, decoded at 1/8, may end in the middle of a pixel.
        height: likewise.
    """
    if _is_deep(image):  # there is nothing to convert
        return image.resize(size, Image.Resampling.BICUBIC, (0, 0, width, height))
    columns, rows = image.size
    across, down = max(1, int(width / size[0] / 2)), max(1, int(height / size[1] / 2))
    step = max(1, _STRIP // (columns * down)) * down
    # "a": a colour counts as much as it is opaque.
    mode = "RGBa" if image.has_transparency_data else "RGB"
    small = Image.new(mode, (math.ceil(columns / across), math.ceil(rows / down)))
    for top in range(0, rows, step):
        strip = _converted(image.crop((0, top, columns, min(top + step, rows))))
        strip = strip if strip.mode == mode else strip.convert(mode)
        small.paste(strip.reduce((across, down)), (0, top // down))
    small = small.resize(size, Image.Resampling.BICUBIC, (0, 0, width / across, height / down))
    return small if mode == "RGB" else small.convert("RGBA")


def _orientation(image: Image.Image) -> int:
    """Read how an image says that it is turned; nonsense counts as upright."""
    if image.format == "TIFF":
        return 1  # Pillow turns these itself, and gives the size of the turned image from the start
    try:
        if isinstance(image, PngImageFile) and not _has_late_tags(image):
            # Its own `getexif` decodes the whole file in search of a tag behind the pixels.
            tags = Image.Image.getexif(image)
        else:
            tags = image.getexif()
        return int(tags.get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # the pixels may be sound where the tags are not
        return 1


def _has_late_tags(image: PngImageFile) -> bool:
    """Return whether a PNG that is not decoded yet has tags behind its pixels."""
    file = image.fp
    if file is None or not image.tile:
        return False  # decoded: all are known by now
    start, late, has_late_tags = file.tell(), False, False
    file.seek(8)
    while not has_late_tags and len(head := file.read(8)) == 8:
        kind = head[4:]
        late = late or kind == b"IDAT"
        has_late_tags = late and kind in (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
        file.seek(int.from_bytes(head[:4]) + 4, 1)
    file.seek(start)
    return has_late_tags
