"""Colours of a figure on a dark page."""

import colorsys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

MAX_CHROMA = 0.15
"""Colours of less chroma, the range of the three channels, are greys, which are inverted."""

BACKGROUND, FOREGROUND = 0.09, 0.92
"""Lightness that white and black become."""

MIN_LIGHTNESS = 0.45
"""Minimum lightness of the other colours, which would be too dark otherwise."""

Rgba = tuple[float, float, float, float]


def dark(colour: Any) -> Rgba:
    """Return the colour that stands for another on a dark page.

    Greys are inverted in lightness, so that black lines on white become light lines on dark; dark
    saturated colours become lighter in the same hue.

    Example:
        >>> dark("white"), dark("black")
        ((0.09, 0.09, 0.09, 1.0), (0.92, 0.92, 0.92, 1.0))
    """
    red, green, blue, alpha = to_rgba(colour)
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    chroma = max(red, green, blue) - min(red, green, blue)
    if chroma < MAX_CHROMA:
        grey = round(FOREGROUND + (BACKGROUND - FOREGROUND) * lightness, 4)
        return grey, grey, grey, alpha
    lightness = max(lightness, MIN_LIGHTNESS)
    return *colorsys.hls_to_rgb(hue, lightness, saturation), alpha


@contextmanager
def dark_colours(figure: Figure) -> Iterator[None]:
    """Give a figure the colours of a dark page within the block.

    What is drawn over an image keeps its colours.
    """
    with ExitStack() as stack:
        # Some artists are children of several others.
        for artist in {id(artist): artist for artist in _recoloured(figure)}.values():
            for get, set_ in _colours_of(artist):
                value = get()
                stack.callback(set_, value)
                set_(_all_dark(value))
        yield


def _recoloured(parent: Artist) -> Iterator[Artist]:
    """Yield the descendants of an artist that are not drawn over an image."""
    over_image = isinstance(parent, Axes) and bool(parent.images)
    for child in parent.get_children():
        if over_image and child in _drawn_inside(parent):
            continue
        yield child
        yield from _recoloured(child)


def _drawn_inside(axes: Artist) -> list[Artist]:
    assert isinstance(axes, Axes)
    return [*axes.lines, *axes.patches, *axes.collections, *axes.texts, axes.patch]


def _colours_of(artist: Artist) -> list[tuple[Callable[[], Any], Callable[[Any], None]]]:
    """Return the getter and the setter of each colour of an artist."""
    if isinstance(artist, Line2D):
        return [
            (artist.get_color, artist.set_color),
            (artist.get_markerfacecolor, artist.set_markerfacecolor),
            (artist.get_markeredgecolor, artist.set_markeredgecolor),
        ]
    if isinstance(artist, Patch):
        return [
            (artist.get_facecolor, artist.set_facecolor),
            (artist.get_edgecolor, artist.set_edgecolor),
        ]
    if isinstance(artist, Collection) and artist.get_array() is None:
        return [
            (artist.get_facecolor, artist.set_facecolor),
            (artist.get_edgecolor, artist.set_edgecolor),
        ]
    # A text on a patch of its own keeps its colour, as the patch may be saturated.
    if isinstance(artist, Text) and artist.get_bbox_patch() is None:
        return [(artist.get_color, artist.set_color)]
    return []


def _all_dark(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return np.array([dark(colour) for colour in to_rgba_array(value)])
    if isinstance(value, str) and value.lower() in ("none", "auto"):
        return value
    return dark(value)
