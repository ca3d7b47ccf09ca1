"""Films of the morph of a warp, from uniform to zoomed and back, for slides."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..datasets.video_writer import VideoWriter
from ..plots import panels
from ..plots.panels import Picture
from .progress import progress_bar
from .state import State
from .state_to_warp import saliency_of, smooth_warp, with_moved_nodes
from .views import VIEWS, draw_source

FORMATS = (".webm", ".mp4", ".gif")
"""Suffixes of the films that can be written."""

SIDE = 640
"""Longer side of each of the two pictures, in pixels."""


def write_morph(image: Tensor, state: State, path: Path, seconds: float, rate: float) -> Path:
    """Write a film of the source with the grid of the warp, and of the zoomed image beside it.

    Args:
        image: `1 3 h w` in 0..1.
        state: of the controls; its morph is replaced.
        path: of the film; one of ``FORMATS``.
        seconds: duration.
        rate: frames per second.

    Returns:
        The path.

    Raises:
        ValueError: the suffix, the duration or the rate is out of range.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"path must end with one of {FORMATS}, got {path.name!r}")
    length = seconds * rate
    if not (0 < rate <= 60 and 2 <= length <= 2000):  # also for NaN
        raise ValueError(
            "rate must be more than 0 and at most 60, and the film must have 2 to 2000 frames, "
            f"got {seconds} s at {rate} frames per second"
        )
    count = round(length)
    pictures = progress_bar(_pictures(image, state, count), count)
    if path.suffix.lower() == ".gif":
        first, *others = pictures
        duration = round(1000 / rate)
        first.save(path, save_all=True, append_images=others, duration=duration, loop=0)
        return path
    with VideoWriter(path, rate) as writer:
        for picture in pictures:
            writer.add(picture)
    return path


@torch.no_grad()
def _pictures(image: Tensor, state: State, count: int) -> Iterator[Picture]:
    rows, columns = image.shape[-2:]
    scale = SIDE / max(rows, columns)
    size = (round(rows * scale), round(columns * scale))
    whole = with_moved_nodes(smooth_warp(state, saliency_of(state, image)), state)
    side = (state.input_size, state.input_size)
    for index in range(count):
        morph = 0.5 - 0.5 * math.cos(2 * math.pi * index / count)
        warp = whole.morph(morph)
        source = draw_source(image, warp, replace(state, morph=round(morph, 2)), size)
        zoomed = panels.centred(panels.picture(warp.zoom(image, side, state.antialias)), size)
        captions = (VIEWS["source"].caption, VIEWS["zoomed"].caption)
        yield panels.sheet(list(zip(captions, (source, zoomed), strict=True)), columns=2)
