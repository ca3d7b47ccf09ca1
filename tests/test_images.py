"""Loading of images: every kind of source, and every kind of rubbish."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lzu_viz import images

SMOOTH = np.stack(
    np.broadcast_arrays(np.arange(60)[:, None] * 4, np.arange(80)[None] * 3, 90), axis=-1
).astype(np.uint8)


def as_tensor(array):
    return torch.from_numpy(array.astype(np.float32)).permute(2, 0, 1)[None] / 255


def encoded(image, kind, **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


# --- what comes with the package -------------------------------------------------------------


@pytest.mark.parametrize("name", images.photos())
def test_shipped_photographs(name):
    image = images.load(name)
    assert image.dtype == torch.float32
    assert image.shape[:2] == (1, 3)
    assert min(image.shape[-2:]) >= 300
    assert image.min() >= 0
    assert 0.8 < image.max() <= 1
    assert image.std() > 0.1


def test_each_photograph_has_its_licence_and_is_small():
    folder = Path(images.__file__).parent / "data" / "photos"
    files = sorted(folder.glob("*.jpg"))
    assert tuple(file.stem for file in files) == images.photos()
    licences = (folder / "LICENCES.md").read_text()
    for file in files:
        assert f"## {file.name}" in licences
        assert file.stat().st_size < 250_000
        author = images.credit(file.stem).split("by ")[1].split(",")[0]
        assert author in licences


def test_credit():
    assert images.credit("china") == "China, by danielbuechele, CC BY 2.0"
    with pytest.raises(ValueError, match="'moon'; there are astronaut, chelsea"):
        images.credit("moon")


# --- kinds of source -------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [str, Path, Path.read_bytes, Image.open])
def test_files(tmp_path, wrap):
    path = tmp_path / "a.png"
    Image.fromarray(SMOOTH).save(path)
    assert torch.equal(images.load(wrap(path)), as_tensor(SMOOTH))


def test_arrays_and_tensors():
    expected = as_tensor(SMOOTH)
    assert torch.equal(images.load(SMOOTH), expected)
    assert torch.equal(images.load(expected), expected)
    assert torch.equal(images.load(expected[0]), expected)
    assert torch.equal(images.load((expected[0] * 255).round().to(torch.uint8)), expected)
    for dtype in (np.float32, np.float64, ">f8"):
        torch.testing.assert_close(images.load((SMOOTH / 255).astype(dtype)), expected)
    assert torch.equal(images.load(SMOOTH[::-1, ::2]), expected.flip(2)[..., ::2])


def test_a_read_only_array_is_copied():
    array = SMOOTH.copy()
    array.flags.writeable = False
    assert torch.equal(images.load(array), as_tensor(SMOOTH))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "I;16"])
def test_modes(mode):
    grey = Image.new("L", (8, 6), 255)
    grey.paste(0, (0, 0, 4, 6))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        assert image.mode == mode
    else:
        image = (grey.convert("RGB") if mode == "CMYK" else grey).convert(mode)
    loaded = images.load(image)
    assert loaded.shape == (1, 3, 6, 8)
    assert (loaded[..., :4] == 0).all()
    assert (loaded[..., 4:] == 1).all()


def test_grey_arrays():
    grey = SMOOTH[..., 0]
    expected = as_tensor(np.stack([grey] * 3, axis=-1))
    assert torch.equal(images.load(grey), expected)
    assert torch.equal(images.load(grey[..., None]), expected)
    assert torch.equal(images.load(as_tensor(SMOOTH)[:, :1]), expected)


@pytest.mark.parametrize(
    "through", [Image.fromarray, np.asarray, lambda a: encoded(Image.fromarray(a), "PNG")]
)
def test_alpha_is_laid_on_white(through):
    array = np.zeros((2, 3, 4), dtype=np.uint8)
    array[..., 0] = 200
    array[:, :, 3] = [0, 51, 255]
    loaded = images.load(through(array))
    expected = [1, 0.2 * 200 / 255 + 0.8, 200 / 255]
    assert loaded[0, 0, 0].tolist() == pytest.approx(expected, abs=1 / 255)
    assert loaded[0, 1, 0].tolist() == pytest.approx([1, 0.8, 0], abs=1 / 255)


def test_palette_with_transparency():
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30] * 256)
    data = encoded(image, "PNG", transparency=0)
    assert (images.load(data) == 1).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_rotation(orientation, kind):
    upright = Image.new("RGB", (48, 32))
    upright.paste((255, 0, 0), (0, 0, 16, 16))  # a red patch at the top left
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a viewer reverses
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, kind, exif=exif)
    loaded = images.load(data)
    assert loaded.shape == (1, 3, 32, 48)
    assert loaded[0, 0, 4:12, 4:12].min() > 0.9
    assert loaded[0, 0, 20:].max() < 0.1
    assert loaded[0, 0, :, 24:].max() < 0.1


# --- large images ----------------------------------------------------------------------------


def test_large_images_are_reduced():
    data = encoded(Image.fromarray(SMOOTH).resize((1600, 1200)), "JPEG", quality=95)
    small = images.load(data, max_pixels=80 * 60)
    assert small.shape == (1, 3, 60, 80)
    assert (small - as_tensor(SMOOTH)).abs().mean() < 0.02
    for source in (images.load(data), Image.open(BytesIO(data))):
        assert images.load(source, max_pixels=80 * 60).shape == (1, 3, 60, 80)


def test_a_given_pillow_image_is_left_alone():
    image = Image.open(BytesIO(encoded(Image.fromarray(SMOOTH), "JPEG")))
    images.load(image, max_pixels=100)
    assert image.size == (80, 60)
    assert image.mode == "RGB"


def test_reduced_size_keeps_the_limit_and_the_shape():
    for size in ((1000, 3000), (999, 1001), (2, 100_000)):
        image = images.load(torch.zeros(3, *size, dtype=torch.uint8), max_pixels=50_000)
        rows, columns = image.shape[-2:]
        assert rows * columns <= 100_000
        if min(size) > 2:
            assert rows * columns <= 50_000
            assert rows / columns == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_jpeg_is_decoded_small(monkeypatch):
    seen = []
    real = images._from_pillow
    monkeypatch.setattr(
        images, "_from_pillow", lambda image, *rest: seen.append(image.size) or real(image, *rest)
    )
    images.load(encoded(Image.new("RGB", (1600, 1600)), "JPEG"), max_pixels=200 * 200)
    assert seen == [(200, 200)]


def bomb(width, height):
    """The start of a PNG that claims a size and holds nothing."""

    def chunk(kind, body):
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_001, 60_000])
def test_decompression_bombs(side):
    with pytest.raises(ValueError, match=r"too large.*reduce it first"):
        images.load(bomb(side, side))


def test_large_but_allowed_headers_are_not_called_too_large():
    with pytest.raises(ValueError, match="damaged or cut short"):
        images.load(bomb(9_900, 9_900))  # more than Pillow warns of


# --- rubbish ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_damaged_files(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "holiday.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"'holiday\.img' is (damaged|no image)"):
        images.load(path)


@pytest.mark.parametrize("data", [b"", b"hello", bytes(100), b"\xff\xd8\xff"])
def test_not_an_image(data):
    with pytest.raises(ValueError, match=rf"the data \({len(data)} bytes\) is no image"):
        images.load(data)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image file at 'nowhere\.png'.*astronaut"):
        images.load("nowhere.png")
    with pytest.raises(FileNotFoundError, match="no image file at"):
        images.load(tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((1, 9), np.uint8), "at least 2x2"),
        (Image.new("RGB", (9, 1)), "at least 2x2"),
        (torch.zeros(3, 0, 4), "at least 2x2"),
        (np.zeros((0, 4, 3)), "at least 2x2"),
        (Image.new("RGB", (0, 9)), "at least 2x2"),
        (np.zeros(12), "`h w`"),
        (np.zeros((3, 8, 8)), "channels to the last axis"),
        (np.zeros((2, 8, 8, 3)), "one image at a time"),
        (torch.zeros(2, 3, 8, 8), "one image at a time"),
        (torch.zeros(8, 8), "`c h w`"),
        (np.zeros((8, 8), np.int64), "divide it by its largest"),
        (np.zeros((8, 8), bool), "got bool"),
        (torch.zeros(3, 8, 8, dtype=torch.int32), "divide it by its largest"),
        (np.full((8, 8, 3), np.nan), "none be NaN"),
        (np.full((8, 8, 3), np.inf), "none be NaN"),
        (np.full((8, 8, 3), 255.0), "divide 0..255 by 255"),
        (torch.full((3, 8, 8), -0.1), "in 0..1"),
        (Image.new("F", (8, 8)), "32 bits a pixel"),
        (42, "cannot load an image from int"),
        (None, "cannot load an image from NoneType"),
    ],
)
def test_refused_sources(source, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.").replace("[", r"\[")):
        images.load(source)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_refused_limits(limit):
    with pytest.raises(ValueError, match="max_pixels"):
        images.load(SMOOTH, max_pixels=limit)
