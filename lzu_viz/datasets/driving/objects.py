"""Objects of a street: cars, pedestrians, signs, distractors similar to them, and scenery."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from . import textures
from .solids import Ellipsoid, Extent, Solid, box, frustum, prism
from .textures import Colour, Paint


class SemanticClass(IntEnum):
    """Classes of the semantic mask."""

    ROAD = 0
    PAVEMENT = 1
    BUILDING = 2
    GREEN = 3
    SKY = 4
    OTHER = 5
    CAR = 6
    PEDESTRIAN = 7
    SIGN = 8


CLASSES = ("car", "pedestrian", "sign")
"""Classes of boxes, in the order of their labels."""

SEMANTIC_CLASSES = tuple(item.name.lower() for item in SemanticClass)
"""Names of the classes of the semantic mask, in the order of `SemanticClass`."""


@dataclass(frozen=True, eq=False)
class Part:
    """A solid with its paint.

    Attributes:
        solid: shape, in the object's own frame.
        paint: colours of the surface.
        semantic_class: class in the semantic mask.
        counts: whether the object's boxes include the part; those of a sign exclude its pole.
    """

    solid: Solid
    paint: Paint
    semantic_class: SemanticClass
    counts: bool = True


@dataclass(frozen=True, eq=False)
class SceneObject:
    """Object on the ground of the world, with x to the right and z ahead, in metres.

    Attributes:
        parts: solids of which it consists.
        x: x coordinate at time 0.
        z: z coordinate at time 0.
        yaw: heading; the object faces (sin yaw, cos yaw).
        velocity: (x, z) in metres per second.
        label: index into `CLASSES`; -1 for objects without a class.
        shadow: (width, length) of the shadow under it.
    """

    parts: tuple[Part, ...]
    x: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    velocity: tuple[float, float] = (0.0, 0.0)
    label: int = -1
    shadow: tuple[float, float] = (0.0, 0.0)

    def at(self, seconds: float) -> "SceneObject":
        """Return the object moved from its position at time 0 to that at another time."""
        if self.velocity == (0.0, 0.0):
            return self
        return replace(
            self,
            x=self.x + seconds * self.velocity[0],
            z=self.z + seconds * self.velocity[1],
        )

    @property
    def extent(self) -> Extent:
        """Return the extent of the parts that count, in the object's own frame."""
        parts = [part.solid.extent() for part in self.parts if part.counts]
        x, y, z = (
            (min(low for low, _ in axis), max(high for _, high in axis))
            for axis in zip(*parts, strict=True)
        )
        return x, y, z

    @property
    def reach(self) -> float:
        """Return the radius of the object's bounding circle on the ground."""
        return math.hypot(*(self.shadow if any(self.shadow) else (0.6, 0.6))) / 2


_CAR_COLOURS: Sequence[Colour] = (
    (0.82, 0.82, 0.83), (0.10, 0.10, 0.12), (0.45, 0.47, 0.50), (0.62, 0.08, 0.08),
    (0.08, 0.18, 0.45), (0.75, 0.72, 0.62), (0.10, 0.32, 0.22), (0.85, 0.55, 0.10),
)  # fmt: skip
_CLOTHES: Sequence[Colour] = (
    (0.75, 0.15, 0.15), (0.12, 0.22, 0.55), (0.9, 0.85, 0.3), (0.85, 0.85, 0.85),
    (0.15, 0.45, 0.25), (0.25, 0.2, 0.35), (0.1, 0.1, 0.12), (0.85, 0.45, 0.55),
)  # fmt: skip
_SKIN: Sequence[Colour] = ((0.94, 0.76, 0.63), (0.76, 0.55, 0.41), (0.45, 0.30, 0.21))
_HAIR: Sequence[Colour] = ((0.12, 0.08, 0.06), (0.40, 0.26, 0.14), (0.72, 0.56, 0.30))
_WALLS: Sequence[Colour] = (
    (0.62, 0.45, 0.36), (0.74, 0.68, 0.58), (0.55, 0.54, 0.53), (0.80, 0.76, 0.68),
    (0.50, 0.36, 0.30), (0.66, 0.60, 0.62), (0.60, 0.62, 0.55),
)  # fmt: skip


def car(rng: random.Random) -> SceneObject:
    """Return a car: body, cabin and four wheels; about one in five is a van."""
    colour = rng.choice(_CAR_COLOURS)
    length, width = rng.uniform(3.9, 4.7), rng.uniform(1.7, 1.85)
    van = rng.random() < 0.2
    base, height = (0.95, 2.0) if van else (0.85, rng.uniform(1.4, 1.55))
    body = frustum((width, length), (width - 0.08, length - 0.15), base - 0.22, (0, -0.22, 0))
    if van:
        below, above, back = (width - 0.08, 0.82 * length), (width - 0.25, 0.72 * length), -0.2
    else:
        below, above, back = (width - 0.12, 0.62 * length), (width - 0.5, 0.36 * length), -0.15
    cabin = frustum(below, above, height - base, (0, -base, back), shift=-0.05)
    wheels = [
        Part(Ellipsoid((x, -0.32, z), (0.12, 0.32, 0.32)), textures.wheel(), SemanticClass.CAR)
        for x in (-width / 2 + 0.05, width / 2 - 0.05)
        for z in (-1.35, 1.35)
    ]
    parts = (
        Part(body, textures.car_body(colour, width, 1.35), SemanticClass.CAR),
        Part(cabin, textures.car_cabin(colour, height, base), SemanticClass.CAR),
        *wheels,
    )
    return SceneObject(parts, label=0, shadow=(width + 0.3, length + 0.3))


def pedestrian(rng: random.Random) -> SceneObject:
    """Return a person: head, torso, arms and legs, in the middle of a step."""
    height = rng.uniform(1.55, 1.9)
    scale = height / 1.75
    shirt, trousers = rng.choice(_CLOTHES), rng.choice(_CLOTHES[1:])
    stride = rng.choice((-1, 1)) * rng.uniform(0.04, 0.2)

    def ball(x: float, y: float, z: float, *radii: float) -> Ellipsoid:
        a, b, c = radii
        return Ellipsoid((scale * x, -scale * y, scale * z), (scale * a, scale * b, scale * c))

    skin, hair = rng.choice(_SKIN), rng.choice(_HAIR)
    shirted = textures.striped(shirt, rng.choice(_CLOTHES), 0.22) if rng.random() < 0.3 else None
    shirted = shirted or textures.plain(shirt)
    legs, arms = textures.plain(trousers), textures.plain(textures.shade(shirt, 0.9))
    body = (
        (ball(0, 1.62, 0.02, 0.105, 0.135, 0.12), textures.head(skin, hair, -1.62 * scale)),
        (ball(0, 1.16, 0, 0.23, 0.36, 0.15), shirted),
        (ball(-0.26, 1.14, -stride, 0.065, 0.32, 0.08), arms),
        (ball(0.26, 1.14, stride, 0.065, 0.32, 0.08), arms),
        (ball(-0.1, 0.44, stride, 0.095, 0.45, 0.11), legs),
        (ball(0.1, 0.44, -stride, 0.095, 0.45, 0.11), legs),
    )
    parts = tuple(Part(solid, paint_of, SemanticClass.PEDESTRIAN) for solid, paint_of in body)
    return SceneObject(parts, label=1, shadow=(0.7, 0.6))


def _plate(rng: random.Random, radius: float, high: float) -> tuple[Solid, Paint]:
    """Return the plate of a sign: a triangle, a square or a disc."""
    kind = rng.randrange(4)
    if kind == 0:
        points = [(0.0, -radius), (0.95 * radius, 0.7 * radius), (-0.95 * radius, 0.7 * radius)]
        shape = prism([(x, y - high) for x, y in points], 0.06)
        return shape, textures.triangle_sign(radius, high)
    if kind == 1:
        side = 0.85 * radius
        board = box(2 * side, 2 * side, 0.06, (0, side - high, 0))
        return board, textures.square_sign(radius, high)
    disc = Ellipsoid((0, -high, 0), (radius, radius, 0.05))
    if kind == 2:
        return disc, textures.round_sign(textures.RED, textures.WHITE, textures.DARK, radius, high)
    return disc, textures.round_sign(textures.BLUE, textures.BLUE, textures.WHITE, radius, high)


def sign(rng: random.Random) -> SceneObject:
    """Return a traffic sign on its pole; its boxes include the plate only."""
    radius, high = rng.uniform(0.42, 0.58), rng.uniform(2.1, 2.6)
    plate, paint_of = _plate(rng, radius, high)
    pole = Part(
        box(0.09, high, 0.09, (0, 0, -0.1)),
        textures.plain(textures.GREY),
        SemanticClass.OTHER,
        counts=False,
    )
    return SceneObject(
        (Part(plate, paint_of, SemanticClass.SIGN), pole), label=2, shadow=(0.4, 0.4)
    )


def blank_board(rng: random.Random) -> SceneObject:
    """Return a distractor similar to a sign: a plain board, like the back of a sign."""
    radius, high = rng.uniform(0.42, 0.58), rng.uniform(2.1, 2.6)
    plate, _ = _plate(rng, radius, high)
    colour = rng.choice(
        (textures.GREY, textures.GREY, textures.WHITE, (0.55, 0.20, 0.16), (0.2, 0.3, 0.5))
    )
    pole = box(0.09, high, 0.09, (0, 0, -0.1))
    return SceneObject(
        (
            Part(plate, textures.plain(colour), SemanticClass.OTHER),
            Part(pole, textures.plain(textures.GREY), SemanticClass.OTHER),
        ),
        shadow=(0.4, 0.4),
    )


def container(rng: random.Random) -> SceneObject:
    """Return a distractor similar to a car: a container or a stack of crates."""
    width, length, height = rng.uniform(1.6, 1.9), rng.uniform(2.6, 4.4), rng.uniform(1.3, 1.7)
    colour = rng.choice(_CAR_COLOURS)
    if rng.random() < 0.6:
        return SceneObject(
            (Part(box(width, height, length), textures.container(colour), SemanticClass.OTHER),),
            shadow=(width + 0.2, length + 0.2),
        )
    wood = (0.58, 0.44, 0.27)
    parts = (
        Part(box(width, 0.75, 0.6 * length), textures.crate(wood), SemanticClass.OTHER),
        Part(
            box(0.6 * width, 0.7, 0.35 * length, (0.1, -0.75, 0.2)),
            textures.crate(wood),
            SemanticClass.OTHER,
        ),
    )
    return SceneObject(parts, shadow=(width + 0.2, 0.7 * length))


def pillar(rng: random.Random) -> SceneObject:
    """Return a distractor similar to a pedestrian: a pillar or a wrapped plant."""
    height = rng.uniform(1.3, 1.9)
    colours = (rng.choice(_CLOTHES), rng.choice(_CLOTHES))
    paint_of = (
        textures.striped(*colours, 0.8) if rng.random() < 0.6 else textures.plain(colours[0], 0.2)
    )
    solid: Solid = (
        box(0.45, height, 0.45)
        if rng.random() < 0.5
        else Ellipsoid((0, -height / 2, 0), (0.28, height / 2, 0.28))
    )
    return SceneObject((Part(solid, paint_of, SemanticClass.OTHER),), shadow=(0.6, 0.6))


def bush(rng: random.Random) -> SceneObject:
    """Return a bush."""
    green = _green(rng)
    parts = []
    for _ in range(3):
        radius = rng.uniform(0.4, 0.9)
        centre = (rng.uniform(-0.7, 0.7), -0.6 * radius, rng.uniform(-0.7, 0.7))
        parts.append(
            Part(
                Ellipsoid(centre, (radius, radius, radius)),
                textures.leaves(green),
                SemanticClass.GREEN,
            )
        )
    return SceneObject(tuple(parts), shadow=(1.8, 1.8))


def tree(rng: random.Random) -> SceneObject:
    """Return a tree."""
    green, high = _green(rng), rng.uniform(2.4, 3.4)
    trunk = Part(
        box(0.28, high, 0.28), textures.plain((0.30, 0.22, 0.16), 0.3), SemanticClass.GREEN
    )
    crown = []
    for _ in range(4):
        radius = rng.uniform(0.9, 1.6)
        centre = (rng.uniform(-0.8, 0.8), -high - rng.uniform(0.2, 1.6), rng.uniform(-0.8, 0.8))
        crown.append(
            Part(
                Ellipsoid(centre, (radius, 0.85 * radius, radius)),
                textures.leaves(green),
                SemanticClass.GREEN,
            )
        )
    return SceneObject((trunk, *crown), shadow=(2.6, 2.6))


def lamp(rng: random.Random) -> SceneObject:
    """Return a street lamp with an arm over the road."""
    high, metal = rng.uniform(5.5, 7), textures.plain((0.28, 0.30, 0.32))
    parts = (
        Part(box(0.14, high, 0.14), metal, SemanticClass.OTHER),
        Part(box(1.6, 0.1, 0.1, (0.7, -high, 0)), metal, SemanticClass.OTHER),
        Part(
            box(0.5, 0.12, 0.25, (1.5, 0.12 - high, 0)),
            textures.plain(textures.WHITE),
            SemanticClass.OTHER,
        ),
    )
    return SceneObject(parts, shadow=(0.5, 0.5))


def building(rng: random.Random, length: float) -> SceneObject:
    """Return a building of the given length along the street; its width is across."""
    red, green, blue = (min(1.0, part * rng.uniform(0.85, 1.15)) for part in rng.choice(_WALLS))
    storey = rng.uniform(2.9, 3.5)
    height = storey * rng.randint(2, 6) + 0.8
    glass = rng.choice(((0.16, 0.20, 0.26), (0.22, 0.27, 0.32), (0.10, 0.12, 0.15)))
    lit, bay = rng.uniform(0, 0.12), rng.uniform(2.2, 3.4)
    paint_of = textures.facade((red, green, blue), glass, lit, storey, bay, height)
    return SceneObject((Part(box(12, height, length), paint_of, SemanticClass.BUILDING),))


def _green(rng: random.Random) -> Colour:
    return rng.uniform(0.16, 0.30), rng.uniform(0.32, 0.46), rng.uniform(0.10, 0.18)
