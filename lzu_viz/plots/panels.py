"""Panels that follow a slider: drawn on Pillow images, sent as JPEG; no matplotlib in this path.

Every function takes a picture and returns a new one. Places are (x, y) in [-1, 1] over the
picture's extent.
"""

import io
from collections.abc import Sequence

import torch
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont
from torch import Tensor

from ..geometry.warp import Warp
from .palette import ANSWER, FOVEA, GRID, INK, MAP, PAPER, TRUTH, nice

Picture = Image.Image

MOST_LINES = 16
"""Pieces drawn along each axis; of a finer warp every second, third, ... line is drawn."""


def picture(image: Tensor, size: Sequence[int] | None = None, smooth: bool = True) -> Picture:
    """Turn an image tensor into a picture.

    Args:
        image: `1 3 h w` in 0..1; what lies outside is clipped.
        size: (rows, columns) of the picture; the image's own where None.
        smooth: whether enlarged pixels are interpolated, or stay squares.
    """
    pixels = image[0].detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    drawn = Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
    if size is None:
        return drawn
    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return drawn.resize((size[1], size[0]), how)


def centred(drawn: Picture, size: Sequence[int]) -> Picture:
    """Set a picture in the middle of an empty one of `size` (rows, columns), as large as fits."""
    scale = min(size[0] / drawn.height, size[1] / drawn.width)
    width, height = round(drawn.width * scale), round(drawn.height * scale)
    page = Image.new("RGB", (size[1], size[0]), PAPER)
    fitted = drawn.resize((width, height), Image.Resampling.NEAREST)
    page.paste(fitted, ((size[1] - width) // 2, (size[0] - height) // 2))
    return page


def heat(values: Tensor, size: Sequence[int], unit: str, square: bool = False) -> Picture:
    """Paint numbers from 0 (dark) to a round upper end (bright), with a bar that says which.

    Args:
        values: `h w`, not negative; NaN where there is none, which stays grey.
        size: (rows, columns) of the picture.
        unit: of the numbers.
        square: whether the numbers fill a square in the middle, as the zoomed frame does.
    """
    known = values.isfinite()
    top = nice(float(values[known].amax()) if bool(known.any()) else 0.0)
    index = (values.nan_to_num(0.0) / top * 255).round().clamp(0, 255).to(torch.uint8)
    pixels = MAP[index.cpu().numpy()]
    pixels[~known.cpu().numpy()] = ImageColor.getrgb(PAPER)
    drawn = Image.fromarray(pixels)
    side = (min(size), min(size)) if square else (size[0], size[1])
    page = centred(drawn.resize((side[1], side[0]), Image.Resampling.BILINEAR), size)
    bar = Image.fromarray(MAP[None]).resize((size[1] // 3, 12))
    _write(ImageDraw.Draw(page), (8, size[0] - 34), f"0 to {top:g} {unit}", INK)
    page.paste(bar, (8, size[0] - 50))
    return page


def with_grid(drawn: Picture, warp: Warp) -> Picture:
    """Draw the pieces of a warp (of a batch the first) over its source."""
    out, grid = drawn.copy(), warp.grid[0].detach()
    rows, columns = warp.pieces
    lines = [grid[i] for i in _every(rows)] + [grid[:, j] for j in _every(columns)]
    pen = ImageDraw.Draw(out)
    for line in lines:
        pen.line(_places(out, line), fill=GRID, width=max(1, drawn.width // 500))
    return out


def with_fovea(drawn: Picture, centre: tuple[float, float], sigma: float) -> Picture:
    """Draw a fovea: a ring one standard deviation from its centre, and a cross.

    Args:
        drawn: the source.
        centre: (x, y) in [-1, 1].
        sigma: standard deviation, a fraction of the picture's sides.
    """
    out = drawn.copy()
    pen = ImageDraw.Draw(out)
    ((x, y),) = _places(out, torch.tensor([centre]))
    across, down = sigma * out.width, sigma * out.height
    ring = [x - across, y - down, x + across, y + down]
    arm = out.width / 90
    for colour, thick in ((INK, 5), (FOVEA, 3)):
        pen.ellipse(ring, outline=colour, width=thick)
        pen.line([x - arm, y, x + arm, y], fill=colour, width=thick)
        pen.line([x, y - arm, x, y + arm], fill=colour, width=thick)
    return out


def with_mask(drawn: Picture, mask: Tensor, colour: str = ANSWER) -> Picture:
    """Tint the pixels of a mask.

    Args:
        drawn: the picture under it.
        mask: `1 1 h w`, boolean, over the same frame, of any size.
        colour: of the tint.
    """
    where = _stencil(mask, drawn)
    tinted = Image.blend(drawn, Image.new("RGB", drawn.size, colour), 0.6)
    return Image.composite(tinted, drawn, where)


def with_outline(drawn: Picture, mask: Tensor, colour: str = TRUTH) -> Picture:
    """Draw a line around a mask `1 1 h w`."""
    where = _stencil(mask, drawn)
    line = ImageChops.subtract(where.filter(ImageFilter.MaxFilter(3)), where)
    return Image.composite(Image.new("RGB", drawn.size, colour), drawn, line)


def with_boxes(
    drawn: Picture, boxes: Tensor, labels: Sequence[str] = (), colour: str = ANSWER
) -> Picture:
    """Draw boxes `n 4`, xyxy in [-1, 1], each with its label if there are any."""
    out = drawn.copy()
    pen = ImageDraw.Draw(out)
    for index, box in enumerate(boxes.detach()):
        (left, top), (right, bottom) = _places(out, box.view(2, 2))
        pen.rectangle([left, top, max(left, right), max(top, bottom)], outline=colour, width=3)
        if labels:
            _write(pen, (left, max(0.0, top - 24)), labels[index], colour)
    return out


def with_note(drawn: Picture, text: str, colour: str = ANSWER) -> Picture:
    """Write a few words into the bottom left corner."""
    out = drawn.copy()
    _write(ImageDraw.Draw(out), (8, drawn.height - 34), text, colour)
    return out


def with_inset(drawn: Picture, box: Tensor, part: float = 0.42) -> Picture:
    """Enlarge the surroundings of a box into the picture's corner that is farthest from it.

    Args:
        drawn: the picture.
        box: `4`, xyxy in [-1, 1].
        part: of the picture's height that the inset takes.
    """
    (left, top), (right, bottom) = _places(drawn, box.detach().view(2, 2))
    side = round(part * drawn.height)
    half = max(right - left, bottom - top, 8.0) * 0.75
    x, y = (left + right) / 2, (top + bottom) / 2
    near = drawn.resize((side, side), Image.Resampling.BICUBIC, box=_within(drawn, x, y, half))
    out = drawn.copy()
    corner = (
        0 if x > drawn.width / 2 else drawn.width - side,
        0 if y > drawn.height / 2 else drawn.height - side,
    )
    out.paste(near, corner)
    pen = ImageDraw.Draw(out)
    pen.rectangle([*corner, corner[0] + side - 1, corner[1] + side - 1], outline="white", width=3)
    pen.rectangle(_within(drawn, x, y, half), outline="white", width=1)
    return out


def sheet(
    panels: Sequence[tuple[str, Picture]], columns: int, footer: Sequence[str] = ()
) -> Picture:
    """Lay captioned panels out on one page: what stays of a widget when no kernel runs.

    Args:
        panels: caption and picture of each, all pictures of one size.
        columns: panels in a row.
        footer: lines under them.
    """
    width, height = panels[0][1].size
    line, gap = 26, 8
    rows = -(-len(panels) // columns)
    foot = line * len(footer)
    page = Image.new(
        "RGB", (columns * (width + gap) + gap, rows * (height + line + gap) + gap + foot), "white"
    )
    pen = ImageDraw.Draw(page)
    for index, (caption, drawn) in enumerate(panels):
        x = gap + index % columns * (width + gap)
        y = gap + index // columns * (height + line + gap)
        pen.text((x, y), caption, fill=INK, font=_font(17))
        page.paste(drawn, (x, y + line))
    for index, text in enumerate(footer):
        pen.text((gap, page.height - foot + index * line), text, fill=INK, font=_font(17))
    return page


def jpeg(drawn: Picture, quality: int = 88) -> bytes:
    """Encode a picture."""
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _every(pieces: int) -> list[int]:
    """Choose the nodes whose lines are drawn, the outer two among them."""
    step = -(-pieces // MOST_LINES)
    return sorted({*range(0, pieces, step), pieces})


def _places(drawn: Picture, points: Tensor) -> list[tuple[float, float]]:
    """Turn points `n 2` in [-1, 1] into pixels of a picture."""
    pixels = (points + 1) / 2 * torch.tensor([drawn.width - 1, drawn.height - 1])
    return [(x, y) for x, y in pixels.tolist()]


def _within(drawn: Picture, x: float, y: float, half: float) -> tuple[float, float, float, float]:
    """Return the square about a place, pushed inside the picture."""
    half = min(half, drawn.width / 2, drawn.height / 2)
    x = min(max(x, half), drawn.width - half)
    y = min(max(y, half), drawn.height - half)
    return x - half, y - half, x + half, y + half


def _stencil(mask: Tensor, drawn: Picture) -> Picture:
    pixels = mask[0, 0].detach().to(torch.uint8).mul(255).cpu().numpy()
    return Image.fromarray(pixels).resize(drawn.size, Image.Resampling.BILINEAR).point(_threshold)


def _threshold(value: int) -> int:
    return 255 * (value > 127)


def _write(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str, colour: str) -> None:
    font = _font(20)
    pen.rectangle(pen.textbbox(place, text, font=font), fill=colour)
    red, green, blue = ImageColor.getrgb(colour)[:3]
    dark = 0.3 * red + 0.6 * green + 0.1 * blue < 140
    pen.text(place, text, fill="white" if dark else INK, font=font)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
