"""Clips of a walking person and a swinging camera, with ground truth in every frame."""

import math
import random
from collections.abc import Iterator, Sequence

from .controlled import BACKGROUNDS, SIZE
from .far_person import Person, Scene, backdrop, people

SWING = (0.2, 0.1)
"""Amplitude of the camera's swing, (x, y) in [-1, 1] of the frame."""

ROOM = 0.5
"""Maximum distance of the person from the centre along each axis, in [-1, 1] of a fixed frame."""


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
    """Generate a random clip of a walking person, determined by the seed.

    The person walks in a straight line, and is reflected at a maximum distance from the centre. The
    camera swings periodically, mostly sideways; person and background move in the opposite
    direction.

    Args:
        seed: seed of the random generator.
        frames: number of frames.
        speed: speed of the person, in frame widths per frame.
        pan: maximum sideways speed of the camera, in frame widths per frame.
        heights: minimum and maximum height of the person, as fractions of the frame's height, up to
            0.4; the height is constant within a clip.
        backgrounds: names of photographs, of which one is chosen.
        size: (rows, columns) of a frame.

    Yields:
        The scene of each frame, with one person.

    Raises:
        ValueError: there are no frames, a speed is negative, or the heights are not in order.

    Example:
        >>> from lzu_viz.geometry.boxes import to_pixels
        >>> first, second = (to_pixels(scene.boxes, (64, 96)) for scene in
        ...     moving(0, frames=2, speed=0.1, size=(64, 96)))
        >>> round((second - first)[0, :2].norm().item())  # a tenth of 96 pixels
        10
    """
    minimum, maximum = heights
    if not 0 < minimum <= maximum <= 0.4:
        raise ValueError(
            "heights must satisfy 0 < minimum <= maximum <= 0.4, so that the person stays in the "
            f"frame, got {tuple(heights)}"
        )
    if frames < 1 or speed < 0 or pan < 0:
        raise ValueError(
            "frames must be at least 1, speed and pan non-negative, "
            f"got frames={frames}, speed={speed:g} and pan={pan:g}"
        )
    rng = random.Random(seed)
    rows, columns = size
    # The photograph extends beyond the frame by the amplitude of the swing.
    spare = [
        math.ceil(swing / 2 * side) for swing, side in zip(SWING, (columns, rows), strict=True)
    ]
    wide_background = backdrop(
        rng.choice(list(backgrounds)), (rows + 2 * spare[1], columns + 2 * spare[0])
    )
    height = math.exp(rng.uniform(math.log(minimum), math.log(maximum)))
    mirrored = rng.random() < 0.5
    x, y = rng.uniform(-ROOM, ROOM), rng.uniform(-ROOM, ROOM)
    heading = rng.uniform(0, 2 * math.pi)
    # From frame widths to [-1, 1]: the width is 2, and y is scaled by the aspect ratio.
    step = (2 * speed * math.cos(heading), 2 * speed * math.sin(heading) * columns / rows)
    phase = rng.uniform(0, 2 * math.pi)
    for frame in range(frames):
        # The maximum speed of A sin(w t) is A w = 2 pan, as the frame's width is 2.
        angle = phase + 2 * pan / SWING[0] * frame
        camera = (SWING[0] * math.sin(angle), SWING[1] * math.sin(angle / 2))
        left, top = (
            spare[axis] + round(camera[axis] / 2 * side)
            for axis, side in enumerate((columns, rows))
        )
        background = wide_background[..., top : top + rows, left : left + columns].contiguous()
        position = (
            _reflected(x + frame * step[0]) - camera[0],
            _reflected(y + frame * step[1]) - camera[1],
        )
        yield people(background, [Person(position, height, mirrored)], size)


def _reflected(coordinate: float) -> float:
    """Return a coordinate reflected into [-ROOM, ROOM]."""
    phase = (coordinate + ROOM) % (4 * ROOM)
    return min(phase, 4 * ROOM - phase) - ROOM
