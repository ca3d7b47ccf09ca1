"""Controlled scenes: people at random places and distances, by seed, the truth known exactly.

All show the same cut-out person, larger or smaller, as she is or mirrored. So they tell how a
system depends on size and place, and nothing of how it does on other people.
"""

import math
import random
from collections.abc import Sequence

from .far_person import Person, Scene, people

BACKGROUNDS = ("china", "coffee", "rocket")
"""Photographs that show nobody."""

HEIGHTS = (0.04, 0.4)
"""From far to near: parts of the scene's height."""

EVERYWHERE = (-1.0, -1.0, 1.0, 1.0)

SIZE = (640, 960)

TRIES = 100


def controlled(
    seed: int,
    *,
    persons: int = 1,
    heights: Sequence[float] = HEIGHTS,
    within: Sequence[float] = EVERYWHERE,
    backgrounds: Sequence[str] = BACKGROUNDS,
    size: tuple[int, int] = SIZE,
) -> Scene:
    """Draw a scene: the same seed gives the same scene.

    Heights are drawn evenly on a logarithmic scale, places evenly among those where a person is
    wholly in view and covers nobody else.

    Args:
        seed: of the drawing.
        persons: how many.
        heights: least and largest, parts of the scene's height.
        within: (left, top, right, bottom) in [-1, 1]: where the middles of the persons may lie. A
            part of the frame makes scenes of one kind, as a street does, where a fixed saliency
            has something to learn.
        backgrounds: names of photographs, of which one is drawn.
        size: (rows, columns) of the scene.

    Returns:
        The scene.

    Raises:
        ValueError: the heights are not in order within ]0, 1], the place has no extent, or so many
            persons find no room.

    Example:
        >>> first, again, other = (controlled(seed, size=(64, 96), heights=(0.2, 0.5)).box
        ...     for seed in (1, 1, 2))
        >>> bool((first == again).all()), bool((first == other).all())
        (True, False)
    """
    minimum, maximum = heights
    if not 0 < minimum <= maximum <= 1:
        raise ValueError(f"heights must be 0 < least <= largest <= 1, got {tuple(heights)}")
    left, top, right, bottom = within
    if not (-1 <= left <= right <= 1 and -1 <= top <= bottom <= 1):
        raise ValueError(
            f"within must be (left, top, right, bottom) in order in [-1, 1], got {tuple(within)}"
        )
    draw = random.Random(seed)
    background = draw.choice(list(backgrounds))
    chosen: list[Person] = []
    for _ in range(persons):
        logs = (math.log(minimum), math.log(maximum))
        chosen.append(_fitting(draw, chosen, logs, (left, top, right, bottom), size))
    return people(background, chosen, size)


def _fitting(
    draw: random.Random,
    others: Sequence[Person],
    heights: tuple[float, float],
    within: tuple[float, float, float, float],
    size: tuple[int, int],
) -> Person:
    left, top, right, bottom = within
    for _ in range(TRIES):
        height = math.exp(draw.uniform(*heights))
        # In [-1, 1] the height is twice the fraction; the cut-out is about as wide as high.
        across = height * size[0] / size[1]
        x = draw.uniform(max(left, across - 1), min(right, 1 - across))
        y = draw.uniform(max(top, height - 1), min(bottom, 1 - height))
        person = Person((x, y), height, draw.random() < 0.5)
        # Where the place is too narrow for her, the bounds cross, and she may stick out of it.
        inside = left <= x <= right and top <= y <= bottom
        if inside and all(_apart(person, other, size) for other in others):
            return person
    raise ValueError(
        f"no room for {len(others) + 1} persons of up to {math.exp(heights[1]):.2f} of the height; "
        "ask for fewer or for smaller ones"
    )


def _apart(first: Person, second: Person, size: tuple[int, int]) -> bool:
    reach = first.height + second.height
    across = abs(first.place[0] - second.place[0]) > reach * size[0] / size[1]
    return across or abs(first.place[1] - second.place[1]) > reach
