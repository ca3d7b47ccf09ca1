"""Controlled scenes: people at random positions and distances, with exact ground truth.

All scenes show the same cut-out person at various sizes, mirrored or not. They measure how a
system depends on size and position, but not how it generalises to other people.
"""

import math
import random
from collections.abc import Sequence

from .far_person import Person, Scene, people

BACKGROUNDS = ("china", "coffee", "rocket")
"""Photographs without people."""

HEIGHTS = (0.04, 0.4)
"""Minimum and maximum height of a person, as fractions of the scene's height."""

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
    """Return a random scene, determined by the seed.

    Heights are log-uniform; positions are uniform over those where a person is entirely in the
    frame and overlaps nobody else.

    Args:
        seed: seed of the random generator.
        persons: number of persons.
        heights: minimum and maximum height, as fractions of the scene's height.
        within: region (left, top, right, bottom) in [-1, 1] of the persons' centres. A region
            smaller than the frame makes positions predictable, as in a street, so that a fixed
            saliency can learn them.
        backgrounds: names of photographs, of which one is chosen.
        size: (rows, columns) of the scene.

    Returns:
        The scene.

    Raises:
        ValueError: the heights are not in order within (0, 1], the sides of ``within`` are not in
            order within [-1, 1], or there is no room for so many persons.

    Example:
        >>> first, again, other = (controlled(seed, size=(64, 96), heights=(0.2, 0.5)).boxes
        ...     for seed in (1, 1, 2))
        >>> bool((first == again).all()), bool((first == other).all())
        (True, False)
    """
    minimum, maximum = heights
    if not 0 < minimum <= maximum <= 1:
        raise ValueError(f"heights must satisfy 0 < minimum <= maximum <= 1, got {tuple(heights)}")
    left, top, right, bottom = within
    if not (-1 <= left <= right <= 1 and -1 <= top <= bottom <= 1):
        raise ValueError(
            "within must be (left, top, right, bottom) in [-1, 1] with left <= right and "
            f"top <= bottom, got {tuple(within)}"
        )
    rng = random.Random(seed)
    background = rng.choice(list(backgrounds))
    chosen: list[Person] = []
    for _ in range(persons):
        logs = (math.log(minimum), math.log(maximum))
        chosen.append(_random_person(rng, chosen, logs, (left, top, right, bottom), size))
    return people(background, chosen, size)


def _random_person(
    rng: random.Random,
    others: Sequence[Person],
    heights: tuple[float, float],
    within: tuple[float, float, float, float],
    size: tuple[int, int],
) -> Person:
    left, top, right, bottom = within
    for _ in range(TRIES):
        height = math.exp(rng.uniform(*heights))
        # Half the height in [-1, 1] is the fraction; the cut-out is about as wide as high.
        half_width = height * size[0] / size[1]
        x = rng.uniform(max(left, half_width - 1), min(right, 1 - half_width))
        y = rng.uniform(max(top, height - 1), min(bottom, 1 - height))
        person = Person((x, y), height, rng.random() < 0.5)
        # In a region that is too narrow the bounds cross, so the result may lie outside it.
        inside = left <= x <= right and top <= y <= bottom
        if inside and all(_apart(person, other, size) for other in others):
            return person
    raise ValueError(
        f"no free position for person {len(others) + 1} of a height of up to "
        f"{math.exp(heights[1]):.2f} after {TRIES} attempts; reduce the number of persons or "
        "their heights"
    )


def _apart(first: Person, second: Person, size: tuple[int, int]) -> bool:
    distance = first.height + second.height
    apart_in_x = abs(first.place[0] - second.place[0]) > distance * size[0] / size[1]
    return apart_in_x or abs(first.place[1] - second.place[1]) > distance
