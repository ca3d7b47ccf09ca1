"""Tests of image loading: kinds of source, sizes, large images, invalid input."""

import contextlib
import re
import struct
import subprocess
import sys
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lzu_viz import images
from lzu_viz.datasets import image_io
from lzu_viz.geometry.resampling import resize

SMOOTH = np.stack(
    np.broadcast_arrays(np.arange(60)[:, None] * 4, np.arange(80)[None] * 3, 90), axis=-1
).astype(np.uint8)


Image.init()
AVIF = ["AVIF"] if "AVIF" in Image.SAVE else []  # not every Pillow has it


def as_tensor(array):
    return torch.from_numpy(array.astype(np.float32)).permute(2, 0, 1)[None] / 255


def encoded(image, kind, **options):
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def exif_of(orientation):
    """Return EXIF data with this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(kind, body):
    """Return a chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def with_chunk(png, kind, body, before):
    """Return a PNG with one more chunk, before the first of another kind."""
    place = png.index(before) - 4
    return png[:place] + chunk(kind, body) + png[place:]


def deep(array):
    """Return the image with 16 bits per pixel."""
    return Image.fromarray(array.astype(np.uint16) * 257)


# --- shipped photographs ---------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="'moon', expected one of astronaut, chelsea"):
        images.credit("moon")


# --- kinds of source -------------------------------------------------------------------------


def as_bytearray(path):
    return bytearray(path.read_bytes())


def as_memoryview(path):
    return memoryview(path.read_bytes())


@pytest.mark.parametrize(
    "wrap", [str, Path, Path.read_bytes, as_bytearray, as_memoryview, Image.open]
)
def test_files(tmp_path, wrap):
    path = tmp_path / "a.png"
    Image.fromarray(SMOOTH).save(path)
    source = wrap(path)
    assert images.size_of(source) == (60, 80)
    assert torch.equal(images.load(source), as_tensor(SMOOTH))


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
        image = deep(np.asarray(grey))
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
def test_alpha_is_composited_on_white(through):
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


UNDO = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that a viewer reverses


def stored(upright, orientation):
    """Return an image as a camera in this orientation stores it."""
    return upright.transpose(Image.Transpose(UNDO[orientation])) if orientation > 1 else upright


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", *AVIF, "PNG, 16 bits"])
@pytest.mark.parametrize("scale", [1, 4])
def test_exif_rotation(orientation, kind, scale):
    upright = Image.new("RGB", (48 * scale, 32 * scale))
    upright.paste((255, 0, 0), (0, 0, 16 * scale, 16 * scale))  # a red patch at the top left
    image = stored(upright, orientation)
    if "16" in kind:
        image = deep(np.asarray(image)[..., 0])
    data = encoded(image, kind.split(",")[0], exif=exif_of(orientation))
    loaded = images.load(data, max_pixels=48 * 32)
    assert loaded.shape == (1, 3, 32, 48)
    assert loaded[0, 0, 4:12, 4:12].min() > 0.9
    assert loaded[0, 0, 20:].max() < 0.1
    assert loaded[0, 0, :, 24:].max() < 0.1
    assert images.size_of(data) == (32 * scale, 48 * scale)
    assert images.size_of(Image.open(BytesIO(data))) == (32 * scale, 48 * scale)


def test_invalid_exif_data_is_ignored():
    image = Image.fromarray(SMOOTH)
    for exif in (b"Exif\0\0", b"Exif\0\0nonsense", b"Exif\0\0" + bytes(40), exif_of(99).tobytes()):
        data = encoded(image, "PNG", exif=exif)
        assert torch.equal(images.load(data), as_tensor(SMOOTH))
        assert images.size_of(data) == (60, 80)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation_is_loaded(kind):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("white", "black", "red")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (images.load(data) == 1).all()


def test_cmyk_files():
    for kind in ("JPEG", "TIFF"):
        loaded = images.load(encoded(Image.fromarray(SMOOTH).convert("CMYK"), kind))
        assert (loaded - as_tensor(SMOOTH)).abs().mean() < 0.02


# --- size ------------------------------------------------------------------------------------


def test_size_of_returns_the_size_before_reduction(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (1600, 1200)).save(path, exif=exif_of(6))
    assert images.size_of(path) == images.size_of(str(path)) == (1600, 1200)
    assert images.load(path, max_pixels=4800).shape == (1, 3, 80, 60)
    assert images.size_of("china") == tuple(images.load("china").shape[-2:])
    assert images.size_of(SMOOTH) == images.size_of(SMOOTH[..., 0]) == (60, 80)
    assert images.size_of(as_tensor(SMOOTH)) == images.size_of(as_tensor(SMOOTH)[0]) == (60, 80)


def test_size_of_does_not_decode_files(monkeypatch):
    def raise_error(image):
        raise AssertionError(f"{image.format} was decoded")

    kinds = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", *AVIF)
    files = {kind: encoded(Image.new("RGB", (80, 60)), kind) for kind in kinds}
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", raise_error)
    for data in files.values():
        assert images.size_of(data) == (60, 80)


def test_png_with_exif_data_after_the_pixels():
    plain = encoded(Image.fromarray(SMOOTH), "PNG")
    late = with_chunk(plain, b"eXIf", exif_of(6).tobytes()[6:], before=b"IEND")
    assert images.size_of(late) == tuple(images.load(late).shape[-2:]) == (80, 60)
    with Image.open(BytesIO(late)) as image:
        assert images.size_of(image) == (80, 60)
        assert images.load(image).shape == (1, 3, 80, 60)
    words = with_chunk(plain, b"tEXt", b"Comment\0no turn", before=b"IEND")
    assert images.size_of(words) == (60, 80)


# --- large images ----------------------------------------------------------------------------


def test_large_images_are_reduced():
    data = encoded(Image.fromarray(SMOOTH).resize((1600, 1200)), "JPEG", quality=95)
    small = images.load(data, max_pixels=80 * 60)
    assert small.shape == (1, 3, 60, 80)
    assert (small - as_tensor(SMOOTH)).abs().mean() < 0.02
    for source in (images.load(data), Image.open(BytesIO(data))):
        assert images.load(source, max_pixels=80 * 60).shape == (1, 3, 60, 80)


def test_pillow_image_is_not_modified():
    image = Image.open(BytesIO(encoded(Image.fromarray(SMOOTH), "JPEG")))
    images.load(image, max_pixels=100)
    assert image.size == (80, 60)
    assert image.mode == "RGB"


def test_reduced_size_respects_limit_and_aspect_ratio():
    for size in ((1000, 3000), (999, 1001), (2, 100_000)):
        image = images.load(torch.zeros(3, *size, dtype=torch.uint8), max_pixels=50_000)
        rows, columns = image.shape[-2:]
        assert rows * columns <= 100_000
        if min(size) > 2:
            assert rows * columns <= 50_000
            assert rows / columns == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_and_tensors_of_16_bits_keep_their_precision(order):
    values = np.arange(4 * 6 * 3).reshape(4, 6, 3) * 900
    expected = torch.from_numpy(values / 65535).permute(2, 0, 1)[None].float()
    array = values.astype(np.dtype(np.uint16).newbyteorder(order))
    assert torch.equal(images.load(array), expected)
    tensor = torch.from_numpy(values.astype(np.uint16)).permute(2, 0, 1)
    assert torch.equal(images.load(tensor), expected)
    small = images.load(array, max_pixels=6)
    assert (small - images.load(expected, max_pixels=6)).abs().max() < 1e-6


def tiff_of_16_bits(array):
    """Return an uncompressed TIFF of an array `h w 3` of uint16; Pillow cannot write it."""
    rows, columns, _ = array.shape
    data = array.astype("<u2").tobytes()
    tags = [
        (256, 3, 1, columns), (257, 3, 1, rows), (258, 3, 3, 8 + len(data)), (259, 3, 1, 1),
        (262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 3), (278, 3, 1, rows), (279, 4, 1, len(data)),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        struct.pack("<2sHI", b"II", 42, 14 + len(data))
        + data
        + struct.pack("<3H", 16, 16, 16)
        + struct.pack("<H", len(tags))
        + directory
        + bytes(4)
    )


def test_tiff_of_16_bits_in_colour():
    array = (np.arange(4 * 6 * 3).reshape(4, 6, 3) * 900).astype(np.uint16)
    loaded = images.load(tiff_of_16_bits(array))
    assert loaded.shape == (1, 3, 4, 6)
    # Pillow reads the upper 8 bits.
    assert (loaded[0].permute(1, 2, 0) - torch.from_numpy(array / 65535)).abs().max() < 1 / 255


@pytest.mark.slow
def test_reduction_by_default_warns_and_names_the_option(monkeypatch):
    large = Image.new("RGB", (4100, 4000))
    with pytest.warns(
        UserWarning, match=r"16\.4 million pixels .* to 3950 x 4049.*max_pixels=None"
    ):
        images.load(large)
    with pytest.warns(UserWarning, match="the array has 16"):
        images.load(np.asarray(large))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert images.load(large, max_pixels=1e6).shape[-1] < 1100
        assert images.load(large, max_pixels=None).shape == (1, 3, 4000, 4100)


def test_jpeg_is_decoded_at_reduced_size(monkeypatch):
    sizes = []
    real = image_io._converted
    monkeypatch.setattr(
        image_io, "_converted", lambda image: sizes.append(image.size) or real(image)
    )
    images.load(encoded(Image.new("RGB", (1600, 1600)), "JPEG"), max_pixels=200 * 200)
    assert sizes == [(200, 200)]


def test_all_file_formats_are_reduced_to_the_same_image():
    # A JPEG of this size, decoded at 1/8, ends in the middle of a pixel.
    picture = Image.fromarray(SMOOTH).resize((1603, 1205))
    expected = as_tensor(np.asarray(picture.resize((81, 61), Image.Resampling.BICUBIC)))
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", *AVIF):
        loaded = images.load(encoded(picture, kind), max_pixels=81.5 * 61.5)
        assert loaded.shape == expected.shape
        assert (loaded - expected).abs().max() < 0.03, kind


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_conversion_in_strips_matches_conversion_of_the_whole(mode, monkeypatch):
    monkeypatch.setattr(image_io, "_STRIP", 3000)
    grey = Image.fromarray(SMOOTH[..., 0]).resize((401, 303))
    if mode == "I;16":
        image, expected = deep(np.asarray(grey)), grey.convert("RGB")
    else:
        image = grey.convert("RGB").convert(mode)
        expected = image.convert("RGB")
    expected = expected.resize((40, 30), Image.Resampling.BICUBIC)
    loaded = images.load(image, max_pixels=40.5 * 30.5)
    assert (loaded - as_tensor(np.asarray(expected))).abs().max() < 2.01 / 255


def test_transparent_pixels_do_not_affect_their_neighbours():
    array = np.zeros((64, 64, 4), np.uint8)
    array[:, ::2] = [255, 0, 0, 255]  # red beside transparent black
    loaded = images.load(Image.fromarray(array), max_pixels=16 * 16)
    assert (loaded[0, :, 8, 8] - torch.tensor([1, 0.5, 0.5])).abs().max() < 0.01


@pytest.mark.parametrize("limit", [3000, 1000, 300, 40])
@pytest.mark.parametrize("kind", ["uint8", "float64", "tensor", "alpha", "grey"])
def test_reduction_in_strips_matches_reduction_of_the_whole(kind, limit, monkeypatch):
    monkeypatch.setattr(images, "_STRIP", 1000)
    array = SMOOTH[:57, :75]
    whole = as_tensor(array)
    sources = {
        "uint8": array,
        "float64": array / 255,
        "tensor": whole[0],
        "alpha": np.concatenate([array, np.full_like(array[..., :1], 255)], axis=-1),
        "grey": array[..., 1],
    }
    loaded = images.load(sources[kind], max_pixels=limit)
    if kind == "grey":
        whole = whole[:, 1:2].expand(-1, 3, -1, -1)
    assert loaded.shape[-2] * loaded.shape[-1] <= limit
    torch.testing.assert_close(loaded, resize(whole, loaded.shape[-2:]), atol=2e-6, rtol=0)


def test_reduction_of_a_large_tensor_is_differentiable(monkeypatch):
    monkeypatch.setattr(images, "_STRIP", 1000)
    source = as_tensor(SMOOTH).requires_grad_()
    images.load(source, max_pixels=300).sum().backward()
    assert source.grad is not None
    assert source.grad.sum() == pytest.approx(3 * 20 * 15, rel=0.02)


def test_nan_anywhere_in_a_large_array_raises(monkeypatch):
    monkeypatch.setattr(images, "_STRIP", 1000)
    for row in (0, 31, 59):
        array = SMOOTH / 255
        array[row, 3, 1] = np.nan
        with pytest.raises(ValueError, match="and not NaN"):
            images.load(array, max_pixels=300)


def test_very_narrow_images_respect_the_limit():
    for size in ((2, 5000), (5000, 2), (3, 40_000)):
        for source in (np.zeros(size, np.uint8), Image.new("L", size)):
            rows, columns = images.load(source, max_pixels=2500).shape[-2:]
            assert 2000 < rows * columns <= 2500


MEMORY = r"""
import numpy, re, sys
from pathlib import Path
from lzu_viz import images

def peak():  # of this process only; resource.getrusage counts its parent's, too
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) // 1024

images.load("china", max_pixels=9e4)
before = peak()
print(images.load(sys.argv[1], max_pixels=2e6).shape[-2:], peak() - before)
for kind in (numpy.uint8, numpy.float32):  # read but never written, zeros take no memory
    images.load(numpy.zeros((5773, 8660, 3), kind), max_pixels=2e6)
    print(kind, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak so")
def test_peak_memory_for_a_photo_of_50_megapixels(tmp_path):
    path = tmp_path / "large.png"
    image = Image.new("P", (8660, 5773), 3)
    image.putpalette([10, 20, 30] * 256)
    image.save(path, compress_level=1, transparency=bytes(range(256)))
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True
    )
    lines = run.stdout.splitlines()
    assert lines[0].startswith("torch.Size([1154, 1732])")
    # In MB. As floats, each copy of it would take 600.
    for line, limit in zip(lines, (250, 500, 500), strict=True):
        assert int(line.split()[-1]) < limit, run.stdout


def bomb(width, height):
    """Return a PNG whose header declares a size, but without pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [12_500, 60_000])
def test_decompression_bombs_raise(side):
    with pytest.raises(ValueError, match=r"too large.*downsample it first"):
        images.load(bomb(side, side))


def test_large_allowed_size_is_not_reported_as_too_large():
    with pytest.raises(ValueError, match="damaged or truncated"):
        images.load(bomb(9_900, 9_900))  # above the size at which Pillow warns


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
def test_compressed_text_of_excessive_size_raises(kind, before):
    body = b"name\0\0" + zlib.compress(bytes(20_000_000))
    data = with_chunk(encoded(Image.fromarray(SMOOTH), "PNG"), kind, body, before)
    with pytest.raises(ValueError, match=r"(not a readable image|damaged).*too large"):
        images.load(data)


# --- invalid input ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_damaged_files_raise(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "holiday.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"'holiday\.img' is (damaged|not a readable image)"):
        images.load(path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", *AVIF])
def test_truncated_files_raise_or_load_completely(kind):
    picture = Image.fromarray(SMOOTH).rotate(30)
    data = encoded(picture, kind)
    whole = images.load(data)
    for cut in {*range(0, len(data), 29), *range(len(data) - 20, len(data))}:
        try:
            loaded = images.load(data[:cut])
        except ValueError:
            loaded = None
        if loaded is not None:  # only the end marker was missing
            assert cut > 0.9 * len(data)
            assert torch.equal(loaded, whole)
        with contextlib.suppress(ValueError):
            assert images.size_of(data[:cut]) == (60, 80)


INVALID_DATA = {
    "empty": b"",
    "text": b"hello",
    "zeros": bytes(100),
    "start of a JPEG": b"\xff\xd8\xff",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>',
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
    # Pillow would run Ghostscript.
    "PostScript": encoded(Image.new("RGB", (9, 9)), "EPS"),
    "icon": encoded(Image.new("RGB", (32, 32)), "ICO"),
}


@pytest.mark.parametrize("name", INVALID_DATA)
@pytest.mark.parametrize("function", [images.load, images.size_of])
def test_data_that_is_not_an_image_raises(name, function, tmp_path):
    data = INVALID_DATA[name]
    message = "is not a readable image.*; convert it to JPEG or PNG"
    with pytest.raises(ValueError, match=rf"the data \({len(data)} bytes\) {message}") as raised:
        function(data)
    assert " object at 0x" not in str(raised.value)
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"'holiday\.jpg' {message}"):
        function(path)


def test_lab_colours_raise():
    with pytest.raises(ValueError, match="Lab colours, which are not supported; convert it to RGB"):
        images.load(encoded(Image.new("LAB", (8, 8)), "TIFF"))


def test_warnings_are_suppressed():
    """Check warnings of Pillow about a palette, and of numpy about an overflow in float32."""
    image = Image.new("P", (4, 4), 0)
    image.info["transparency"] = bytes(4)
    assert images.load(image).shape == (1, 3, 4, 4)
    with pytest.raises(ValueError, match="got inf to inf"):
        images.load(np.full((8, 8), 1e300))


def test_missing_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no image file at 'nowhere\.png'.*astronaut"):
        images.load("nowhere.png")
    with pytest.raises(FileNotFoundError, match="no image file at"):
        images.load(tmp_path)
    # Text that cannot be a path, for example a data URL.
    with pytest.raises(
        FileNotFoundError, match=r"'data:image/png;base64,AAA.*\(10024 characters\)"
    ):
        images.load("data:image/png;base64," + "A" * 10_000)
    with pytest.raises(FileNotFoundError, match="no image file at"):
        images.size_of("a\0b")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((1, 9), np.uint8), "at least 2x2"),
        (Image.new("RGB", (9, 1)), "at least 2x2"),
        (torch.zeros(3, 0, 4), "at least 2x2"),
        (np.zeros((0, 4, 3)), "at least 2x2"),
        (Image.new("RGB", (0, 9)), "at least 2x2"),
        (np.zeros(12), "(h, w), (h, w, 3) or (h, w, 4)"),
        (np.zeros((3, 8, 8)), "channels to the last axis"),
        (np.zeros((2, 8, 8, 3)), "one image at a time"),
        (torch.zeros(2, 3, 8, 8), "one image at a time"),
        (torch.zeros(8, 8), "(c, h, w) or (1, c, h, w)"),
        (np.zeros((8, 8), np.int64), "divide it by the maximum of its range"),
        (np.zeros((8, 8), bool), "got bool"),
        (torch.zeros(3, 8, 8, dtype=torch.int32), "divide it by the maximum of its range"),
        (np.full((8, 8, 3), np.nan), "and not NaN"),
        (np.full((8, 8, 3), np.inf), "and not NaN"),
        (np.full((8, 8, 3), 255.0), "divide values in 0..255 by 255"),
        (torch.full((3, 8, 8), -0.1), "in 0..1"),
        (Image.new("F", (8, 8)), "32 bits per pixel"),
        (42, "cannot load an image from int"),
        (None, "cannot load an image from NoneType"),
    ],
)
def test_invalid_sources_raise(source, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        images.load(source)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_invalid_limits_raise(limit):
    with pytest.raises(ValueError, match="max_pixels"):
        images.load(SMOOTH, max_pixels=limit)
