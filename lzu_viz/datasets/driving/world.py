"""A street by seed: what stands and moves in it, and the camera that drives along.

The world's x points to the right and its z ahead, in metres; the camera drives along z.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from . import objects
from .objects import Thing

ROAD = 6.0
"""Half the width of the road, in metres: a lane and a row of parked cars each way."""

PAVEMENT = 9.5
"""From the middle of the road to the outer edge of the pavement."""

LANE = 1.75
"""Middle of a lane; traffic keeps to the right."""

FOCAL = 0.5625
"""Focal length as a part of the picture's width: 360 pixels of 640."""

TRIES = 30
"""How often a place is sought for a thing, before it is left out."""


@dataclass(frozen=True)
class Preset:
    """A kind of street.

    Attributes:
        near: least distance of what is to be found, in metres.
        far: largest.
        middle: mean of the distances, gamma-distributed with the next.
        shape: of that distribution; 1 is exponential.
        objects: least and largest number of cars, pedestrians and signs; fewer stand where there is
            no room, and of these some are hidden or outside the frame.
        others: likewise of what is easily taken for them.
        horizon: where the road vanishes, (x, y) in [-1, 1] of a frame of shape 3:10.
        jitter: standard deviation of that from scene to scene.
        height: of the camera over the ground, in metres.
    """

    near: float = 10.0
    far: float = 90.0
    middle: float = 38.0
    shape: float = 3.0
    objects: tuple[int, int] = (8, 14)
    others: tuple[int, int] = (9, 16)
    horizon: tuple[float, float] = (0.0, -0.1)
    jitter: tuple[float, float] = (0.056, 0.052)
    height: float = 2.0


PRESETS = {
    "far": Preset(),
    "near": Preset(near=5.0, far=30.0, middle=11.0, objects=(4, 7), others=(4, 8), height=1.6),
    "shifted": Preset(horizon=(-0.55, 0.35)),
}
"""`far`: small and far, where zooming helps. `near`: near and large, where it does not. `shifted`:
as far, seen by a camera that is turned to the right and up: a fixed saliency does not know that."""


@dataclass(frozen=True, eq=False)
class World:
    """A street and its camera.

    Attributes:
        things: at time 0.
        preset: the kind of street.
        seed: of its sky, light and texture.
        camera_x: where the camera drives, in metres from the middle of the road.
        speed: of the camera, in metres a second.
        horizon: where the road vanishes at time 0, (x, y) in [-1, 1] of a frame of shape 3:10.
        sway: how far the camera turns to and fro, likewise.
        phase: of that, in radians.
        light: of the day, 0 is dull, 1 sunny.
    """

    things: tuple[Thing, ...]
    preset: Preset
    seed: int
    camera_x: float
    speed: float
    horizon: tuple[float, float]
    sway: tuple[float, float]
    phase: float
    light: float

    def horizon_at(self, seconds: float) -> tuple[float, float]:
        """Return where the road vanishes, as `horizon`: the camera turns and nods a little."""
        return (
            self.horizon[0]
            + self.sway[0] * (math.sin(1.3 * seconds + self.phase) - math.sin(self.phase)),
            self.horizon[1]
            + self.sway[1] * (math.sin(3.1 * seconds + self.phase) - math.sin(self.phase)),
        )


def build(seed: int, preset: Preset) -> World:
    """Draw a street: the same seed gives the same street."""
    draw = random.Random(seed)
    chosen: list[Thing] = []
    for make, count in _wanted(draw, preset):
        for _ in range(count):
            placed = _placed(draw, make(draw), make, chosen, preset)
            if placed is not None:
                chosen.append(placed)
    houses = [*_houses(draw, -1), *_houses(draw, 1)]
    camera_x = LANE + draw.gauss(0, 0.3)
    sway = abs(draw.gauss(0, 0.04)), abs(draw.gauss(0, 0.015))
    return World(
        things=tuple(chosen + houses),
        preset=preset,
        seed=seed,
        camera_x=camera_x,
        speed=draw.uniform(4, 14),
        horizon=(
            draw.gauss(preset.horizon[0], preset.jitter[0]),
            draw.gauss(preset.horizon[1], preset.jitter[1]),
        ),
        sway=sway,
        phase=draw.uniform(0, 2 * math.pi),
        light=draw.random(),
    )


Make = Callable[[random.Random], Thing]
"""Draws a thing that has no place yet."""


def _wanted(draw: random.Random, preset: Preset) -> list[tuple[Make, int]]:
    """Return how many of what, what is to be found first."""
    count = draw.randint(*preset.objects)
    cars = sum(draw.random() < 0.4 for _ in range(count))
    signs = sum(draw.random() < 0.45 for _ in range(count - cars))
    others = draw.randint(*preset.others)
    split = sorted(draw.randint(0, others) for _ in range(2))
    return [
        (objects.car, cars),
        (objects.sign, signs),
        (objects.pedestrian, count - cars - signs),
        (objects.container, split[0]),
        (objects.blank_board, split[1] - split[0]),
        (objects.pillar, others - split[1]),
        (objects.tree, draw.randint(2, 9)),
        (objects.bush, draw.randint(2, 7)),
        (objects.lamp, draw.randint(1, 4)),
    ]


def _placed(
    draw: random.Random, thing: Thing, make: Make, others: list[Thing], preset: Preset
) -> Thing | None:
    """Stand a thing where there is room, or give none."""
    for _ in range(TRIES):
        z = draw.gammavariate(preset.shape, preset.middle / preset.shape)
        if not preset.near <= z <= preset.far:
            continue
        here = _stand(draw, thing, make, z)
        if all(math.hypot(here.x - o.x, here.z - o.z) > here.reach + o.reach for o in others):
            return here
    return None


def _stand(draw: random.Random, thing: Thing, make: Make, z: float) -> Thing:
    """Stand a thing at a distance, as such things stand in a street."""
    side = draw.choice((-1, 1))
    kerb = side * draw.uniform(ROAD + 0.4, ROAD + 1.0)
    if make is objects.car:
        return _drive(draw, thing, z)
    if make is objects.pedestrian:
        if draw.random() < 0.3:  # crossing the road
            way = draw.choice((-1, 1))
            yaw = way * math.pi / 2 + draw.gauss(0, 0.15)
            x = draw.uniform(-ROAD, ROAD)
        else:
            yaw = draw.choice((0.0, math.pi)) + draw.gauss(0, 0.3)
            x = side * draw.uniform(ROAD + 0.3, PAVEMENT - 0.3)
        pace = draw.uniform(0.8, 1.8)
        return replace(
            thing, x=x, z=z, yaw=yaw, velocity=(pace * math.sin(yaw), pace * math.cos(yaw))
        )
    if make in (objects.sign, objects.blank_board):
        return replace(thing, x=kerb, z=z, yaw=math.pi + draw.gauss(0, 0.25))
    if make is objects.container:
        x = side * draw.uniform(4.4, 5.0)
        return replace(thing, x=x, z=z, yaw=draw.choice((0.0, math.pi)) + draw.gauss(0, 0.08))
    if make is objects.lamp:
        return replace(thing, x=kerb, z=z, yaw=math.pi if side > 0 else 0.0)
    x = side * draw.uniform(ROAD + 0.6, PAVEMENT + 0.6)
    return replace(thing, x=x, z=z, yaw=draw.uniform(-math.pi, math.pi))


def _drive(draw: random.Random, thing: Thing, z: float) -> Thing:
    """Stand a car in its lane, at the kerb or, crossing, anywhere."""
    kind = draw.random()
    speed = draw.uniform(5, 13)
    if kind < 0.2:
        x, yaw = LANE, draw.gauss(0, 0.06)
    elif kind < 0.45:
        x, yaw = -LANE, math.pi + draw.gauss(0, 0.06)
    elif kind < 0.8:
        side = draw.choice((-1, 1))
        x, yaw, speed = side * 4.75, (0.0 if side > 0 else math.pi) + draw.gauss(0, 0.08), 0.0
    else:
        x, yaw, speed = draw.uniform(-4.5, 4.5), draw.uniform(-math.pi, math.pi), 3.0
    return replace(
        thing, x=x, z=z, yaw=yaw, velocity=(speed * math.sin(yaw), speed * math.cos(yaw))
    )


def _houses(draw: random.Random, side: int) -> list[Thing]:
    """Line one side of the street with houses; here and there is a gap with grass."""
    houses, z = [], -6.0
    while z < 150:
        length = draw.uniform(9, 20)
        if draw.random() < 0.8:
            house = objects.building(draw, length)
            x = side * (PAVEMENT + 6 + draw.uniform(0.3, 2.5))
            houses.append(replace(house, x=x, z=z + length / 2))
        z += length + (draw.uniform(0, 3) if draw.random() < 0.4 else 0.0)
    return houses
