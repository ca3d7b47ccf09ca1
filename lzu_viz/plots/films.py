"""Pictures of systems on the frames of a film, and a table of their recall."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from PIL import Image, ImageColor, ImageDraw, ImageFont
from torch import Tensor

from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.resampling import resize
from ..systems.video import FrameResult
from . import palette, panels
from .reproduction import colour_of

WIDTH = 480
"""Width of a panel in pixels."""

TEXT_SIZE = 13
"""Height of the labels of boxes in pixels."""

SMALL_TEXT = 11
"""The same where many boxes are close to each other."""

DASH = 4
"""Length of dashes and of the gaps between them, in pixels."""


def film_colours(system: str) -> dict[str, str]:
    """Return the colours of a page on film: of the palette, and of uniform and the system."""
    colours = {
        name: colour for name, colour in palette.to_page().items() if isinstance(colour, str)
    }
    return {**colours, "uniform": colour_of("uniform"), "zoom": colour_of(system)}


def frame_panels(
    frame: Tensor,
    systems: Sequence[str],
    results: Sequence[FrameResult],
    size: Size,
    classes: Sequence[str],
) -> Image.Image:
    """Return the panels of a frame: detections above, and the network's input below.

    The detections are drawn on the source frame, with the boxes that the zoom expected.

    Args:
        frame: `1 3 h w`.
        systems: names of the systems, one a column.
        results: their results.
        size: (rows, columns) of the network's input.
        classes: names of the classes.
    """
    height = round(WIDTH * frame.shape[-2] / frame.shape[-1])
    small = panels.picture(resize(frame, (height, WIDTH)))
    out = Image.new("RGB", (WIDTH * len(systems), 2 * height))
    for index, (name, result) in enumerate(zip(systems, results, strict=True)):
        above = panels.with_boxes(small, result.expected, colour=palette.FOVEA)
        labels = labels_of(result.detections, classes)
        above = panels.with_boxes(above, result.detections.boxes, labels, text_size=TEXT_SIZE)
        seen = frame if name == "sliced" else result.warp.zoom(frame, size)
        below = panels.picture(seen, (height, WIDTH), smooth=False)
        out.paste(panels.with_note(above, name), (WIDTH * index, 0))
        out.paste(below, (WIDTH * index, height))
    return out


def comparison_panels(
    frame: Tensor,
    system: str,
    uniform: FrameResult,
    zoom: FrameResult,
    size: Size,
    classes: Sequence[str],
    width: int = WIDTH,
) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Return what a zooming and a uniform system see and find in a frame, as three panels.

    The first is the source frame with the grid of the warp, the boxes that the zoom expected
    (dashed), and its detections; the second the zoomed picture; the third the picture of the
    uniform system with its detections.

    Args:
        frame: `1 3 h w`.
        system: name of the zooming system, which gives its colour.
        uniform: result of the uniform system.
        zoom: result of the zooming system.
        size: (rows, columns) of the network's input.
        classes: names of the classes.
        width: of each panel in pixels.
    """
    shape = (max(1, round(width * frame.shape[-2] / frame.shape[-1])), width)
    colour = colour_of(system)
    found, uniformly = zoom.detections, uniform.detections
    source = panels.with_grid(panels.picture(frame, shape), zoom.warp)
    source = _with_dashed_boxes(source, zoom.expected, colour)
    labels = labels_of(found, classes)
    source = _with_labelled_boxes(source, found.boxes, labels, colour)
    zoomed = panels.picture(zoom.warp.zoom(frame, size), shape, smooth=False)
    plain = panels.picture(uniform.warp.zoom(frame, size), shape, smooth=False)
    labels = labels_of(uniformly, classes)
    plain = _with_labelled_boxes(plain, uniformly.boxes, labels, colour_of("uniform"))
    return source, zoomed, plain


def _with_labelled_boxes(
    drawn: Image.Image, boxes: Tensor, labels: Sequence[str], colour: str
) -> Image.Image:
    """Return the image with boxes `n 4`, xyxy in [-1, 1], and labels that do not overlap."""
    out = drawn.copy()
    pen = ImageDraw.Draw(out)
    font = ImageFont.load_default(SMALL_TEXT)
    dark = sum(ImageColor.getrgb(colour)) < 350
    sides = torch.tensor([out.width - 1, out.height - 1] * 2)
    edges = ((boxes.detach().cpu() + 1) / 2 * sides).tolist()
    for left, top, right, bottom in edges:
        pen.rectangle([left, top, max(left, right), max(top, bottom)], outline=colour, width=2)
    taken: list[tuple[float, ...]] = []
    for index, ((left, top, _, bottom), text) in enumerate(zip(edges, labels, strict=True)):
        others = [*edges[:index], *edges[index + 1 :]]
        height, score = SMALL_TEXT + 3, text.rpartition(" ")[2]
        near, far = (top - height, bottom), (top - 2 * height, bottom + height)
        # In full beside the box, or only the score: there, farther away, or over other boxes.
        for shown, tops, blocked in (
            (text, near, others),
            (score, near, others),
            (score, far, others),
            (score, near + far, []),
        ):
            width = pen.textlength(shown, font=font) + 4
            x = max(0, min(left, out.width - width))
            places = ((x, y, x + width, y + height) for y in tops if 0 <= y <= out.height - height)
            free = (
                place
                for place in places
                if not any(_overlap(place, other) for other in (*taken, *blocked))
            )
            if place := next(free, None):
                taken.append(place)
                pen.rectangle(place, fill=colour)
                pen.text((x + 2, place[1]), shown, "white" if dark else palette.INK, font)
                break
    return out


def _overlap(first: Sequence[float], second: Sequence[float]) -> bool:
    """Return whether two rectangles (left, top, right, bottom) overlap."""
    return (
        first[0] < second[2]
        and second[0] < first[2]
        and first[1] < second[3]
        and second[1] < first[3]
    )


def _with_dashed_boxes(drawn: Image.Image, boxes: Tensor, colour: str) -> Image.Image:
    """Return the image with dashed boxes `n 4`, xyxy in [-1, 1]."""
    out = drawn.copy()
    pen = ImageDraw.Draw(out)
    sides = torch.tensor([out.width - 1, out.height - 1] * 2)
    for left, top, right, bottom in ((boxes.detach().cpu() + 1) / 2 * sides).tolist():
        # Dashes on a dark line are seen on any picture, and beside the detections' boxes.
        pen.rectangle([left, top, max(left, right), max(top, bottom)], outline=palette.INK)
        for x in range(round(left), round(right), 2 * DASH):
            for y in (top, bottom):
                pen.line([x, y, min(x + DASH, right), y], fill=colour)
        for y in range(round(top), round(bottom), 2 * DASH):
            for x in (left, right):
                pen.line([x, y, x, min(y + DASH, bottom)], fill=colour)
    return out


def labels_of(detections: Detections, classes: Sequence[str]) -> list[str]:
    """Return class and score of each detection as text, for example `person 0.81`."""
    return [
        f"{classes[label] if label < len(classes) else label} {score:.2f}"
        for label, score in zip(detections.labels.tolist(), detections.scores.tolist(), strict=True)
    ]


def show_recall_table(ax: Axes, records: Sequence[Mapping[str, Any]], title: str = "") -> AxesImage:
    """Show the recall of each system at each size, coloured by the gain over "uniform".

    Args:
        ax: axes to draw on.
        records: with `system`, `size` and `recall`; each system once at each size.
        title: of the axes.

    Returns:
        The coloured cells: blue for a gain, red for a loss.
    """
    recalls = {(each["system"], tuple(each["size"])): each["recall"] for each in records}
    systems = list(dict.fromkeys(system for system, _ in recalls))
    sizes = sorted({size for _, size in recalls})
    gains = [
        [recalls[system, size] - recalls["uniform", size] for size in sizes] for system in systems
    ]
    limit = max(0.01, *(abs(gain) for row in gains for gain in row))
    drawn = ax.imshow(gains, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    for row, (system, line) in enumerate(zip(systems, gains, strict=True)):
        for column, (size, gain) in enumerate(zip(sizes, line, strict=True)):
            text = f"{recalls[system, size]:.2f}"
            text += "" if system == "uniform" else f"  ({gain:+.2f})"
            colour = "white" if abs(gain) > 0.6 * limit else palette.INK
            ax.text(column, row, text, ha="center", va="center", color=colour)
    ax.set_xticks(range(len(sizes)), [f"{rows} x {columns}" for rows, columns in sizes])
    ax.set_yticks(range(len(systems)), systems)
    ax.set_xlabel("network's input, rows x columns")
    ax.set_title(title, color=palette.INK)
    return drawn
