"""Random streets: their objects, and the camera that drives along.

In world coordinates x points to the right and z ahead, in metres; the camera drives along z.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from . import objects
from .objects import SceneObject

ROAD = 6.0
"""Half the width of the road, in metres: one lane and a row of parked cars on each side."""

PAVEMENT = 9.5
"""Distance from the middle of the road to the outer edge of the pavement, in metres."""

LANE = 1.75
"""Distance from the middle of the road to that of a lane, in metres; traffic keeps right."""

FOCAL = 0.5625
"""Focal length as a fraction of the image's width: 360 pixels of 640."""

TRIES = 30
"""Number of attempts to place an object before it is omitted."""


@dataclass(frozen=True)
class Preset:
    """Parameters of the random streets.

    Attributes:
        near: minimum distance of objects, in metres.
        far: maximum distance of objects, in metres.
        middle: mean of the gamma distribution of distances, before truncation to near..far.
        shape: shape of the gamma distribution; 1 is exponential.
        objects: minimum and maximum number of cars, pedestrians and signs; objects without room are
            omitted, and some may be occluded or outside the frame.
        others: minimum and maximum number of distractors, objects similar to those classes.
        horizon: vanishing point of the road, (x, y) in [-1, 1] of a frame of aspect ratio 3:10.
        jitter: standard deviation of the vanishing point between scenes.
        height: height of the camera above the ground, in metres.
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
"""`far`: small, distant objects, where zooming helps. `near`: near, large objects, where it does
not. `shifted`: as `far`, but with the camera turned to the right and up, so that a fixed saliency
trained on `far` does not fit."""


@dataclass(frozen=True, eq=False)
class World:
    """A street and its camera.

    Attributes:
        objects: objects at time 0.
        preset: parameters of the street.
        seed: seed of the street, also used for the clouds.
        camera_x: x of the camera, in metres from the middle of the road.
        speed: speed of the camera, in metres per second.
        horizon: vanishing point of the road at time 0, (x, y) in [-1, 1] of a frame of aspect ratio
            3:10.
        sway: amplitude of the camera's rotation, in the units of `horizon`.
        phase: phase of that rotation, in radians.
        light: daylight, from 0 (overcast) to 1 (sunny).
    """

    objects: tuple[SceneObject, ...]
    preset: Preset
    seed: int
    camera_x: float
    speed: float
    horizon: tuple[float, float]
    sway: tuple[float, float]
    phase: float
    light: float

    def horizon_at(self, seconds: float) -> tuple[float, float]:
        """Return the vanishing point at a time, as the camera's yaw and pitch vary slightly."""
        return (
            self.horizon[0]
            + self.sway[0] * (math.sin(1.3 * seconds + self.phase) - math.sin(self.phase)),
            self.horizon[1]
            + self.sway[1] * (math.sin(3.1 * seconds + self.phase) - math.sin(self.phase)),
        )


def build(seed: int, preset: Preset) -> World:
    """Return a random street, determined by the seed."""
    rng = random.Random(seed)
    chosen: list[SceneObject] = []
    for make, count in _random_counts(rng, preset):
        for _ in range(count):
            placed = _place_randomly(rng, make(rng), make, chosen, preset)
            if placed is not None:
                chosen.append(placed)
    houses = [*_houses(rng, -1), *_houses(rng, 1)]
    camera_x = LANE + rng.gauss(0, 0.3)
    sway = abs(rng.gauss(0, 0.04)), abs(rng.gauss(0, 0.015))
    return World(
        objects=tuple(chosen + houses),
        preset=preset,
        seed=seed,
        camera_x=camera_x,
        speed=rng.uniform(4, 14),
        horizon=(
            rng.gauss(preset.horizon[0], preset.jitter[0]),
            rng.gauss(preset.horizon[1], preset.jitter[1]),
        ),
        sway=sway,
        phase=rng.uniform(0, 2 * math.pi),
        light=rng.random(),
    )


Make = Callable[[random.Random], SceneObject]
"""Returns a random object that is not placed yet."""


def _random_counts(rng: random.Random, preset: Preset) -> list[tuple[Make, int]]:
    """Return constructors and numbers of objects; those with a class come first."""
    count = rng.randint(*preset.objects)
    cars = sum(rng.random() < 0.4 for _ in range(count))
    signs = sum(rng.random() < 0.45 for _ in range(count - cars))
    others = rng.randint(*preset.others)
    split = sorted(rng.randint(0, others) for _ in range(2))
    return [
        (objects.car, cars),
        (objects.sign, signs),
        (objects.pedestrian, count - cars - signs),
        (objects.container, split[0]),
        (objects.blank_board, split[1] - split[0]),
        (objects.pillar, others - split[1]),
        (objects.tree, rng.randint(2, 9)),
        (objects.bush, rng.randint(2, 7)),
        (objects.lamp, rng.randint(1, 4)),
    ]


def _place_randomly(
    rng: random.Random, obj: SceneObject, make: Make, others: list[SceneObject], preset: Preset
) -> SceneObject | None:
    """Return the object placed at a random free position, or None if there is no room."""
    for _ in range(TRIES):
        z = rng.gammavariate(preset.shape, preset.middle / preset.shape)
        if not preset.near <= z <= preset.far:
            continue
        candidate = _place_at_distance(rng, obj, make, z)
        if all(
            math.hypot(candidate.x - other.x, candidate.z - other.z) > candidate.reach + other.reach
            for other in others
        ):
            return candidate
    return None


def _place_at_distance(rng: random.Random, obj: SceneObject, make: Make, z: float) -> SceneObject:
    """Return the object at a distance, with position and heading typical of its kind."""
    side = rng.choice((-1, 1))
    kerb = side * rng.uniform(ROAD + 0.4, ROAD + 1.0)
    if make is objects.car:
        return _place_car(rng, obj, z)
    if make is objects.pedestrian:
        if rng.random() < 0.3:  # crossing the road
            direction = rng.choice((-1, 1))
            yaw = direction * math.pi / 2 + rng.gauss(0, 0.15)
            x = rng.uniform(-ROAD, ROAD)
        else:
            yaw = rng.choice((0.0, math.pi)) + rng.gauss(0, 0.3)
            x = side * rng.uniform(ROAD + 0.3, PAVEMENT - 0.3)
        pace = rng.uniform(0.8, 1.8)
        return replace(
            obj, x=x, z=z, yaw=yaw, velocity=(pace * math.sin(yaw), pace * math.cos(yaw))
        )
    if make in (objects.sign, objects.blank_board):
        return replace(obj, x=kerb, z=z, yaw=math.pi + rng.gauss(0, 0.25))
    if make is objects.container:
        x = side * rng.uniform(4.4, 5.0)
        return replace(obj, x=x, z=z, yaw=rng.choice((0.0, math.pi)) + rng.gauss(0, 0.08))
    if make is objects.lamp:
        return replace(obj, x=kerb, z=z, yaw=math.pi if side > 0 else 0.0)
    x = side * rng.uniform(ROAD + 0.6, PAVEMENT + 0.6)
    return replace(obj, x=x, z=z, yaw=rng.uniform(-math.pi, math.pi))


def _place_car(rng: random.Random, obj: SceneObject, z: float) -> SceneObject:
    """Return a car in a lane, parked at the kerb, or crossing the road."""
    kind = rng.random()
    speed = rng.uniform(5, 13)
    if kind < 0.2:
        x, yaw = LANE, rng.gauss(0, 0.06)
    elif kind < 0.45:
        x, yaw = -LANE, math.pi + rng.gauss(0, 0.06)
    elif kind < 0.8:
        side = rng.choice((-1, 1))
        x, yaw, speed = side * 4.75, (0.0 if side > 0 else math.pi) + rng.gauss(0, 0.08), 0.0
    else:
        x, yaw, speed = rng.uniform(-4.5, 4.5), rng.uniform(-math.pi, math.pi), 3.0
    return replace(obj, x=x, z=z, yaw=yaw, velocity=(speed * math.sin(yaw), speed * math.cos(yaw)))


def _houses(rng: random.Random, side: int) -> list[SceneObject]:
    """Return the buildings on one side of the street, with some gaps of grass."""
    houses, z = [], -6.0
    while z < 150:
        length = rng.uniform(9, 20)
        if rng.random() < 0.8:
            house = objects.building(rng, length)
            x = side * (PAVEMENT + 6 + rng.uniform(0.3, 2.5))
            houses.append(replace(house, x=x, z=z + length / 2))
        z += length + (rng.uniform(0, 3) if rng.random() < 0.4 else 0.0)
    return houses
