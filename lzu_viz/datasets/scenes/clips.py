"""Moving scenes: a person walks, the camera swings, and the truth is known in every frame."""

import math
import random
from collections.abc import Iterator, Sequence

from .controlled import BACKGROUNDS, SIZE
from .far_person import Person, Scene, backdrop, people

SWING = (0.2, 0.1)
"""How far the camera swings to each side, (x, y) in [-1, 1] of the frame."""

ROOM = 0.5
"""How far from the middle the person walks, as seen by a camera that does not move."""


def moving(
    seed: int,
    *,
    frames: int = 24,
    speed: float = 0.02,
    pan: float = 0.0,
    heights: Sequence[float] = (0.08, 0.2),
    backgrounds: Sequence[str] = BACKGROUNDS,
    size: tuple[int, int] = SIZE,
) -> Iterator[Scene]:
    """Draw a sequence of scenes: the same seed gives the same sequence.

    The person walks straight on and turns where she comes too far from the middle. The camera
    swings to and fro, mostly sideways; what it shows moves the other way, the person with it.

    Args:
        seed: of the drawing.
        frames: how many.
        speed: of the person, in widths of the frame a frame.
        pan: the camera's speed sideways where it is fastest, likewise.
        heights: least and largest height of the person, parts of the frame's height, up to 0.4; she
            keeps it through the sequence.
        backgrounds: names of photographs, of which one is drawn.
        size: (rows, columns) of a frame.

    Yields:
        One scene a frame, with one person.

    Raises:
        ValueError: there are no frames, a speed is negative, or the heights are not in order.

    Example:
        >>> from lzu_viz.geometry.boxes import to_pixels
        >>> first, second = (to_pixels(scene.box, (64, 96)) for scene in
        ...     moving(0, frames=2, speed=0.1, size=(64, 96)))
        >>> round((second - first)[0, :2].norm().item())  # a tenth of 96 pixels
        10
    """
    minimum, maximum = heights
    if not 0 < minimum <= maximum <= 0.4:
        raise ValueError(
            f"heights must be 0 < least <= largest <= 0.4, so that she stays in view, "
            f"got {tuple(heights)}"
        )
    if frames < 1 or speed < 0 or pan < 0:
        raise ValueError(
            f"frames must be at least 1, speed and pan not negative, got {frames}, {speed:g} "
            f"and {pan:g}"
        )
    draw = random.Random(seed)
    rows, columns = size
    # The photograph reaches beyond the frame by as much as the camera swings.
    spare = [
        math.ceil(swing / 2 * side) for swing, side in zip(SWING, (columns, rows), strict=True)
    ]
    wide = backdrop(draw.choice(list(backgrounds)), (rows + 2 * spare[1], columns + 2 * spare[0]))
    height = math.exp(draw.uniform(math.log(minimum), math.log(maximum)))
    mirrored = draw.random() < 0.5
    x, y = draw.uniform(-ROOM, ROOM), draw.uniform(-ROOM, ROOM)
    way = draw.uniform(0, 2 * math.pi)
    # In [-1, 1] a width of the frame is 2, and the height counts as many pixels less.
    step = (2 * speed * math.cos(way), 2 * speed * math.sin(way) * columns / rows)
    phase = draw.uniform(0, 2 * math.pi)
    for frame in range(frames):
        # The steepest slope of A sin(w t) is A w, and `pan` says it in widths, each 2 long.
        angle = phase + 2 * pan / SWING[0] * frame
        camera = (SWING[0] * math.sin(angle), SWING[1] * math.sin(angle / 2))
        left, top = (
            spare[axis] + round(camera[axis] / 2 * side)
            for axis, side in enumerate((columns, rows))
        )
        seen = wide[..., top : top + rows, left : left + columns].contiguous()
        place = (
            _turned(x + frame * step[0]) - camera[0],
            _turned(y + frame * step[1]) - camera[1],
        )
        yield people(seen, [Person(place, height, mirrored)], size)


def _turned(place: float) -> float:
    """Fold a straight way into [-ROOM, ROOM], as a ball that bounces to and fro."""
    along = (place + ROOM) % (4 * ROOM)
    return min(along, 4 * ROOM - along) - ROOM
