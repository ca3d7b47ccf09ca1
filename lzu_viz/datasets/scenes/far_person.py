"""Scenes of a distant person: a cut-out of the astronaut pasted into a photograph.

The cut-out was made by the package's own `SelfieSegmenter` from the photograph at full size, and is
stored as data. The ground truth is therefore that segmenter's prediction at close range. This
favours the segmenter, but equally in all compared systems, which differ only in its input.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from PIL import Image
from torch import Tensor

from ...geometry import check
from ...geometry.deprecation import renamed_attribute
from ...geometry.resampling import resize
from ...models import SelfieSegmenter
from .. import images

CUTOUT_FILE = Path(__file__).parents[1] / "data" / "cutouts" / "astronaut.png"

MIN_ROWS = 4
"""Minimum height of a person, in pixels."""


@dataclass(frozen=True)
class Scene:
    """An image with its ground truth.

    Attributes:
        image: `1 3 h w`, RGB, 0..1.
        mask: `1 1 h w`, boolean, the pixels of all persons.
        boxes: `n 4`, bounding box of the visible part of each person, xyxy in [-1, 1] of the source
            frame.
    """

    image: Tensor
    mask: Tensor
    boxes: Tensor

    box = renamed_attribute("box", "boxes")


class Person(NamedTuple):
    """Position and size of a person in a scene.

    Attributes:
        place: (x, y) of the centre of the cut-out, in [-1, 1] of the scene.
        height: height of the cut-out, as a fraction of the scene's height.
        mirrored: whether the cut-out is flipped horizontally.
    """

    place: tuple[float, float] = (0.0, 0.0)
    height: float = 0.15
    mirrored: bool = False


def far_person(
    background: str | Tensor = "china",
    place: tuple[float, float] = (0.0, 0.0),
    height: float = 0.15,
    size: tuple[int, int] = (854, 1280),
) -> Scene:
    """Return a scene with the astronaut pasted into a photograph.

    The background is centre-cropped to the aspect ratio of the scene, then resized. It should not
    show other people.

    Args:
        background: the name of a photograph that comes with the package, or an image `1 3 h w` in
            0..1.
        place: (x, y) of the centre of the cut-out, in [-1, 1] of the scene.
        height: height of the cut-out, as a fraction of the scene's height.
        size: (rows, columns) of the scene.

    Returns:
        The scene, with mask and box of the part visible within the frame.

    Raises:
        ValueError: the person would be less than 4 pixels high, or entirely outside the frame.

    Example:
        >>> scene = far_person("coffee", place=(0.5, 0.0), height=0.25, size=(80, 120))
        >>> scene.image.shape, (scene.boxes[0, 3] - scene.boxes[0, 1]) / 2  # part of the height
        (torch.Size([1, 3, 80, 120]), tensor(0.2500))
    """
    return people(background, [Person(place, height)], size)


def people(
    background: str | Tensor, persons: Sequence[Person], size: tuple[int, int] = (854, 1280)
) -> Scene:
    """Return a scene with several copies of the astronaut, each in front of the previous ones.

    Args:
        background: the name of a photograph, or an image `1 3 h w` in 0..1.
        persons: position and size of each copy, at least one.
        size: (rows, columns) of the scene.

    Returns:
        The scene, with the joint mask and a box of the visible part of each person.

    Raises:
        ValueError: there are no persons, or one is not visible, or less than 4 pixels high.
    """
    rows, columns = check.size(size, minimum=MIN_ROWS)
    if not persons:
        raise ValueError("persons must contain at least one person, got none")
    image = backdrop(background, (rows, columns))
    masks: list[Tensor] = []
    for person in persons:
        layer = _layer(person, (rows, columns))
        image = layer[:, :3] + (1 - layer[:, 3:]) * image
        layer_mask = layer[:, 3:] > 0.5
        masks = [*(mask & ~layer_mask for mask in masks), layer_mask]
    for person, mask in zip(persons, masks, strict=True):
        if not bool(mask.any()):
            raise ValueError(
                f"the person at place={person.place} is outside the frame or entirely occluded by "
                "later persons; x and y run from -1 (left, top) to 1 (right, bottom)"
            )
    mask = torch.stack(masks).any(dim=0)
    return Scene(image, mask, torch.cat([_bounds(person_mask) for person_mask in masks]))


def _layer(person: Person, size: tuple[int, int]) -> Tensor:
    """Return a person as a layer `1 4 h w` of the scene's size, RGB premultiplied by alpha."""
    rows, columns = size
    cut = load_cutout().flip(-1) if person.mirrored else load_cutout()
    tall = round(person.height * rows)
    wide = max(1, round(tall * cut.shape[-1] / cut.shape[-2]))
    if tall < MIN_ROWS:
        raise ValueError(
            f"a person must be at least {MIN_ROWS} rows high, got {tall} of {rows} rows for "
            f"height={person.height:g}; increase the height or the size of the scene"
        )
    # Resizing premultiplied colours keeps the dark outside from bleeding into the edges.
    colour, alpha = cut[:, :3], cut[:, 3:]
    small = resize(torch.cat((colour * alpha, alpha), dim=1), (tall, wide))

    left = round((person.place[0] + 1) / 2 * columns - wide / 2)
    top = round((person.place[1] + 1) / 2 * rows - tall / 2)
    layer = torch.zeros(1, 4, rows, columns)
    visible = small[..., max(0, -top) : max(0, rows - top), max(0, -left) : max(0, columns - left)]
    top, left = max(0, top), max(0, left)
    layer[..., top : top + visible.shape[-2], left : left + visible.shape[-1]] = visible
    return layer


def backdrop(background: str | Tensor, size: tuple[int, int]) -> Tensor:
    """Return a photograph, centre-cropped and resized, as `1 3 *size`."""
    if isinstance(background, str):
        return _named_backdrop(background, size)
    image = images.load(background)
    if image.shape[-2:] == size:
        return image
    return resize(_crop_to_shape(image, size[0] / size[1]), size)


# Cached, as many scenes share a background.
@lru_cache(maxsize=8)
def _named_backdrop(name: str, size: tuple[int, int]) -> Tensor:
    image = images.load(name)
    return resize(_crop_to_shape(image, size[0] / size[1]), size)


def load_cutout() -> Tensor:
    """Return the stored cut-out `1 4 h w`, RGB and alpha in 0..1, not premultiplied."""
    with Image.open(CUTOUT_FILE) as file:
        pixels = np.array(file)
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


@torch.no_grad()
def make_cutout(photo: Tensor, segmenter: SelfieSegmenter) -> Tensor:
    """Return a cut-out of the person in a photograph, made by a segmenter.

    The mask is thresholded at 0.7 and smoothed, which removes specks and holes of a few pixels; its
    edge is soft over about a pixel.

    Args:
        photo: `1 3 h w`, RGB, 0..1.
        segmenter: predicts the mask.

    Returns:
        `1 4 h' w'`: RGB and alpha in 0..1, cropped to the person.

    Raises:
        ValueError: the segmenter detects no person.
    """
    confident = (segmenter.segment(photo) > 0.7).float()
    smooth = gaussian_blur2d(confident, (9, 9), (2.0, 2.0))
    alpha = (4 * (smooth - 0.5) + 0.5).clamp(0, 1)
    if not bool((alpha > 0.5).any()):
        raise ValueError(
            "the segmenter detects no person in the photo; use a photo of a person at close range"
        )
    rows, columns = (
        torch.nonzero(alpha[0, 0].amax(dim=axis) > 0.5)[[0, -1], 0].tolist() for axis in (1, 0)
    )
    cut = torch.cat((photo * (alpha > 0), alpha), dim=1)
    return cut[..., rows[0] : rows[1] + 1, columns[0] : columns[1] + 1]


def _bounds(mask: Tensor) -> Tensor:
    """Return the bounding box `1 4` of a mask `1 1 h w`, xyxy in [-1, 1]."""
    sides = []
    for axis, length in ((-1, mask.shape[-1]), (-2, mask.shape[-2])):
        hit = mask[0, 0].any(dim=0 if axis == -1 else 1).nonzero()
        sides.append((2 * hit[0] / length - 1, 2 * (hit[-1] + 1) / length - 1))
    (left, right), (top, bottom) = sides
    return torch.stack((left, top, right, bottom), dim=-1)


def _crop_to_shape(photo: Tensor, ratio: float) -> Tensor:
    """Return the centre crop of a photo with height / width equal to ``ratio``."""
    rows, columns = photo.shape[-2:]
    tall, wide = min(rows, round(columns * ratio)), min(columns, round(rows / ratio))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    return photo[..., top : top + tall, left : left + wide]


SCENES: dict[str, Callable[..., Scene]] = {
    "temple": partial(far_person, "china", place=(0.2, 0.4), height=0.15),
    "launch": partial(far_person, "rocket", place=(0.35, 0.7), height=0.3),
    "cup": partial(far_person, "coffee", place=(0.0, -0.25), height=0.15),
}
"""Functions that create three example scenes: ``SCENES["temple"]()``. They are hand-picked.

For the segmenter at 256x256, with saliency from the person's box: in "temple", the person is missed
with uniform downsampling and detected with zoom; in "launch", uniform downsampling already
suffices; in "cup" (orange on orange), a moderate zoom does not detect her.
"""
