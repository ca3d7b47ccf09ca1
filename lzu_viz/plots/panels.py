"""Panels for interactive widgets, drawn on Pillow images and encoded as JPEG, without matplotlib.

Functions take a Pillow image and return a new one. Points are (x, y) in [-1, 1] over the image.
"""

import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont
from torch import Tensor

from ..geometry.warp import Warp
from .palette import (
    DIVERGING,
    FOVEA,
    GRID,
    GROUND_TRUTH,
    INK,
    MAP,
    PAPER,
    PREDICTION,
    position_about_one,
    round_up,
    top_about_one,
)

Picture = Image.Image

SCORE_HEIGHT = 96
"""Height of the row of a score below an image, in pixels."""

MOST_LINES = 16
"""Maximum number of pieces drawn along each axis; lines of finer warps are skipped evenly."""


def picture(image: Tensor, size: Sequence[int] | None = None, smooth: bool = True) -> Picture:
    """Return an image tensor as a Pillow image.

    Args:
        image: `1 3 h w` in 0..1; values out of range are clipped.
        size: (rows, columns) of the Pillow image; that of ``image`` if None.
        smooth: whether enlarged pixels are interpolated rather than drawn as squares.
    """
    pixels = image[0].detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    drawn = Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
    if size is None:
        return drawn
    resampling = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    return drawn.resize((size[1], size[0]), resampling)


def centred(drawn: Picture, size: Sequence[int]) -> Picture:
    """Return the image scaled to fit `size` (rows, columns) and centred on an empty background."""
    scale = min(size[0] / drawn.height, size[1] / drawn.width)
    width, height = round(drawn.width * scale), round(drawn.height * scale)
    page = Image.new("RGB", (size[1], size[0]), PAPER)
    fitted = drawn.resize((width, height), Image.Resampling.NEAREST)
    page.paste(fitted, ((size[1] - width) // 2, (size[0] - height) // 2))
    return page


def heatmap(values: Tensor, size: Sequence[int], unit: str, square: bool = False) -> Picture:
    """Return a heat map from 0 (dark) to a round upper limit (bright), with a labelled colour bar.

    Args:
        values: `h w`, not negative; NaN is grey.
        size: (rows, columns) of the result.
        unit: of the values.
        square: whether the map is a centred square, like the zoomed frame, or fills the result.
    """
    finite = values.isfinite()
    top = round_up(float(values[finite].amax()) if bool(finite.any()) else 0.0)
    positions = (values.nan_to_num(0.0) / top).cpu().numpy()
    label = f"0 to {top:g} {unit}"
    return _coloured(positions, finite, MAP, label, size, square)


def magnification_map(values: Tensor, size: Sequence[int]) -> Picture:
    """Return a magnification `h w` as purple below 1, white at 1 and orange above 1, with a bar.

    Args:
        values: positive; NaN is grey.
        size: (rows, columns) of the result.
    """
    finite = values.isfinite() & (values > 0)
    known = values[finite] if bool(finite.any()) else values.new_ones(1)
    top = top_about_one(float(known.amin()), float(known.amax()))
    positions = position_about_one(torch.where(finite, values, 1.0).double().cpu().numpy(), top)
    label = f"1/{top:g} to {top:g} times, 1 is white"
    return _coloured(positions, finite, DIVERGING, label, size, square=False)


def _coloured(
    positions: NDArray[np.floating],
    finite: Tensor,
    colours: NDArray[np.uint8],
    label: str,
    size: Sequence[int],
    square: bool,
) -> Picture:
    """Return positions `h w` in 0..1 of a colour map as a picture with a labelled colour bar."""
    pixels = colours[(positions * 255).round().clip(0, 255).astype(np.uint8)]
    pixels[~finite.cpu().numpy()] = ImageColor.getrgb(PAPER)
    drawn = Image.fromarray(pixels)
    side = (min(size), min(size)) if square else (size[0], size[1])
    page = centred(drawn.resize((side[1], side[0]), Image.Resampling.BILINEAR), size)
    bar = Image.fromarray(colours[None]).resize((size[1] // 3, 12))
    _write(ImageDraw.Draw(page), (8, size[0] - 34), label, INK)
    page.paste(bar, (8, size[0] - 50))
    return page


def with_grid(drawn: Picture, warp: Warp) -> Picture:
    """Return the source image with the pieces of a warp, the first of a batch, drawn over it."""
    out, grid = drawn.copy(), warp.grid[0].detach()
    rows, columns = warp.pieces
    lines = [grid[i] for i in _drawn_lines(rows)] + [grid[:, j] for j in _drawn_lines(columns)]
    pen = ImageDraw.Draw(out)
    for line in lines:
        pen.line(_pixel_positions(out, line), fill=GRID, width=max(1, drawn.width // 500))
    return out


def with_fovea(drawn: Picture, centre: tuple[float, float], sigma: float) -> Picture:
    """Return the image with a fovea: a ring at one standard deviation, and a cross at its centre.

    Args:
        drawn: source image.
        centre: (x, y) in [-1, 1].
        sigma: standard deviation, as a fraction of the image's sides.
    """
    out = drawn.copy()
    pen = ImageDraw.Draw(out)
    ((x, y),) = _pixel_positions(out, torch.tensor([centre]))
    across, down = sigma * out.width, sigma * out.height
    ring = [x - across, y - down, x + across, y + down]
    arm = out.width / 90
    for colour, thick in ((INK, 5), (FOVEA, 3)):
        pen.ellipse(ring, outline=colour, width=thick)
        pen.line([x - arm, y, x + arm, y], fill=colour, width=thick)
        pen.line([x, y - arm, x, y + arm], fill=colour, width=thick)
    return out


def with_mask(drawn: Picture, mask: Tensor) -> Picture:
    """Return the image with the pixels of a mask tinted.

    Args:
        drawn: image under the mask.
        mask: `1 1 h w`, boolean, over the same frame, of any size.
    """
    stencil = _stencil(mask, drawn)
    tinted = Image.blend(drawn, Image.new("RGB", drawn.size, PREDICTION), 0.6)
    return Image.composite(tinted, drawn, stencil)


def with_outline(drawn: Picture, mask: Tensor) -> Picture:
    """Return the image with the outline of a mask `1 1 h w`."""
    stencil = _stencil(mask, drawn)
    line = ImageChops.subtract(stencil.filter(ImageFilter.MaxFilter(3)), stencil)
    return Image.composite(Image.new("RGB", drawn.size, GROUND_TRUTH), drawn, line)


def with_boxes(
    drawn: Picture,
    boxes: Tensor,
    labels: Sequence[str] = (),
    colour: str = PREDICTION,
    text_size: int = 20,
) -> Picture:
    """Return the image with boxes and their labels.

    Args:
        drawn: the image.
        boxes: `n 4`, xyxy in [-1, 1].
        labels: text of each box, or none.
        colour: of boxes and labels.
        text_size: height of the text in pixels.
    """
    out = drawn.copy()
    pen = ImageDraw.Draw(out)
    for index, box in enumerate(boxes.detach()):
        (left, top), (right, bottom) = _pixel_positions(out, box.view(2, 2))
        pen.rectangle([left, top, max(left, right), max(top, bottom)], outline=colour, width=3)
        if labels:
            _write(pen, (left, max(0.0, top - 1.2 * text_size)), labels[index], colour, text_size)
    return out


def with_note(drawn: Picture, text: str) -> Picture:
    """Return the image with a text in the bottom left corner."""
    out = drawn.copy()
    _write(ImageDraw.Draw(out), (8, drawn.height - 34), text, PREDICTION)
    return out


def with_score(drawn: Picture, score: str, unit: str, box: Tensor | None = None) -> Picture:
    """Return the image with a row below it: a large number, and a close-up of a box.

    Args:
        drawn: the image.
        score: the number, as text.
        unit: what the number is.
        box: `4`, xyxy in [-1, 1]; None for no close-up.
    """
    height = SCORE_HEIGHT
    out = Image.new("RGB", (drawn.width, drawn.height + height + 4), "white")
    out.paste(drawn, (0, 0))
    pen, large = ImageDraw.Draw(out), _font(round(0.6 * height))
    middle = drawn.height + 4 + height / 2
    pen.text((0, middle), score, fill=INK, font=large, anchor="lm")
    pen.text(
        (pen.textlength(score, font=large) + 12, middle),
        unit,
        fill=INK,
        font=_font(18),
        anchor="lm",
    )
    if box is None:
        return out
    (left, top), (right, bottom) = _pixel_positions(drawn, box.detach().view(2, 2))
    half = max(right - left, bottom - top, 8.0) * 0.75
    part = _within(drawn, (left + right) / 2, (top + bottom) / 2, half)
    enlarged = drawn.resize((height, height), Image.Resampling.BICUBIC, box=part)
    out.paste(enlarged, (drawn.width - height, drawn.height + 4))
    pen.rectangle(part, outline="white", width=1)
    return out


def sheet(
    panels: Sequence[tuple[str, Picture]], columns: int, footer: Sequence[str] = ()
) -> Picture:
    """Return captioned panels in one image: the static version of a widget without a kernel.

    Args:
        panels: (caption, image) of each; all images have the same width.
        columns: panels per row.
        footer: lines of text under the panels.
    """
    width, line, gap = panels[0][1].width, 26, 8
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    heights = [max(drawn.height for _, drawn in row) + line + gap for row in rows]
    foot = line * len(footer)
    page = Image.new("RGB", (columns * (width + gap) + gap, sum(heights) + gap + foot), "white")
    pen = ImageDraw.Draw(page)
    y = gap
    for row, height in zip(rows, heights, strict=True):
        for index, (caption, drawn) in enumerate(row):
            x = gap + index * (width + gap)
            pen.text((x, y), caption, fill=INK, font=_font(17))
            page.paste(drawn, (x, y + line))
        y += height
    for index, text in enumerate(footer):
        pen.text((gap, page.height - foot + index * line), text, fill=INK, font=_font(17))
    return page


def jpeg(drawn: Picture, quality: int = 88) -> bytes:
    """Return the image encoded as JPEG."""
    out = io.BytesIO()
    drawn.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _drawn_lines(pieces: int) -> list[int]:
    """Return the indices of the nodes whose lines are drawn, always with the outer two."""
    step = -(-pieces // MOST_LINES)
    return sorted({*range(0, pieces, step), pieces})


def _pixel_positions(drawn: Picture, points: Tensor) -> list[tuple[float, float]]:
    """Return points `n 2` in [-1, 1] as pixel positions in an image."""
    pixels = (points + 1) / 2 * torch.tensor([drawn.width - 1, drawn.height - 1])
    return [(x, y) for x, y in pixels.tolist()]


def _within(drawn: Picture, x: float, y: float, half: float) -> tuple[float, float, float, float]:
    """Return the square around a point, shifted to stay within the image."""
    half = min(half, drawn.width / 2, drawn.height / 2)
    x = min(max(x, half), drawn.width - half)
    y = min(max(y, half), drawn.height - half)
    return x - half, y - half, x + half, y + half


def _stencil(mask: Tensor, drawn: Picture) -> Picture:
    pixels = mask[0, 0].detach().to(torch.uint8).mul(255).cpu().numpy()
    return Image.fromarray(pixels).resize(drawn.size, Image.Resampling.BILINEAR).point(_threshold)


def _threshold(value: int) -> int:
    return 255 * (value > 127)


def _write(
    pen: ImageDraw.ImageDraw,
    position: tuple[float, float],
    text: str,
    colour: str,
    text_size: int = 20,
) -> None:
    font = _font(text_size)
    pen.rectangle(pen.textbbox(position, text, font=font), fill=colour)
    red, green, blue = ImageColor.getrgb(colour)[:3]
    dark = 0.3 * red + 0.6 * green + 0.1 * blue < 140
    pen.text(position, text, fill="white" if dark else INK, font=font)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
