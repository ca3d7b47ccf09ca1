"""A picture of a world: rays through a lattice of the frame, the nearest solid, its paint.

The lattice has a point in the middle of every pixel and halfway between. A pixel's colour is the
mean over its area by the trapezoidal rule, weights 1/4, 1/2, 1/4 along each axis; its class and its
depth are those of its middle.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .paint import Surface, noise
from .solids import Array, Local, Pose, Rays, Solid, local
from .things import Area, Thing
from .world import FOCAL, PAVEMENT, ROAD, World


class Frame(NamedTuple):
    """What the camera sees.

    Attributes:
        image: `h w 3`, in 0..1.
        depth: `h w`, z of the middle of each pixel in metres, infinite in the sky.
        area: `h w`, its class, see `Area`.
        thing: `h w`, index of the world's thing that is seen, -1 where none.
        visible: for each thing the part of its picture that nothing hides, of what lies in the
            frame; 0 where nothing of it does.
    """

    image: Array
    depth: Array
    area: NDArray[np.uint8]
    thing: NDArray[np.int16]
    visible: NDArray[np.float64]


class View(NamedTuple):
    """A camera at one moment, in units of rays: x = (column - centre) / focal.

    Attributes:
        size: (rows, columns).
        focal: in pixels.
        centre: (x, y) of the principal point in pixels from the frame's left and upper edge.
        place: (x, height, z) of the camera in the world.
    """

    size: tuple[int, int]
    focal: float
    centre: tuple[float, float]
    place: tuple[float, float, float]

    def pose(self, thing: Thing) -> Pose:
        """Tell where a thing stands before the camera."""
        x, height, z = self.place
        return Pose((thing.x - x, height, thing.z - z), thing.yaw)

    def lattice(self) -> Rays:
        """Give rays through the middles of pixels, and halfway between, ends included."""
        rows, columns = self.size
        across = np.arange(2 * columns + 1) / 2
        down = np.arange(2 * rows + 1) / 2
        return Rays(
            ((across - self.centre[0]) / self.focal).astype(np.float32),
            ((down - self.centre[1]) / self.focal).astype(np.float32),
        )


def view_at(world: World, size: tuple[int, int], seconds: float = 0.0) -> View:
    """Give the world's camera at a moment.

    The focal length goes with the width, so that a frame of another size shows the same.
    """
    rows, columns = size
    x, y = world.horizon_at(seconds)
    # The vertical reference is the shape 3:10; a taller frame shows more above and below.
    centre = ((x + 1) / 2 * columns, rows / 2 + y / 2 * 0.3 * columns)
    return View(
        size, FOCAL * columns, centre,
        (world.camera_x, world.preset.height, world.speed * seconds),
    )  # fmt: skip


SUN = np.float32([0.45, -0.75, -0.48])
"""Towards the sun, in the camera's frame."""

HAZY = np.float32([0.80, 0.86, 0.92])
"""What is seen through endless air."""

HAZE = 260.0
"""Metres in which the air takes two thirds of a colour."""


def render(world: World, view: View, seconds: float = 0.0) -> Frame:
    """Draw the world as it is at a moment."""
    rays = view.lattice()
    canvas = Canvas.empty((len(rays.y), len(rays.x)))
    now = [thing.at(seconds) for thing in world.things]
    whole = np.zeros(len(now), np.int64)
    # The nearest first: what lies behind it is then not painted.
    for index in np.argsort([thing.z for thing in now], kind="stable").tolist():
        if now[index].z - view.place[2] > -12:
            whole[index] = _draw(world, now[index], index, view, rays, canvas)
    _ground(canvas, world, view, rays, now)
    _sky(canvas, world, rays)
    seen = np.bincount(canvas.thing + 1, minlength=len(now) + 1)[1:]
    visible = np.where(whole > 0, np.minimum(seen / np.maximum(whole, 1), 1.0), 0.0)
    rows, columns = view.size
    image, depth, area, thing = (
        each.reshape(len(rays.y), len(rays.x), -1).squeeze(-1)
        if each.ndim == 1
        else each.reshape(len(rays.y), len(rays.x), 3)
        for each in canvas
    )
    air = _means(np.exp(depth / np.float32(-HAZE)))[..., None]
    air[~np.isfinite(depth[1::2, 1::2])] = 1  # the sky is painted as it looks through the air
    return Frame(
        np.clip(HAZY + (_means(image) - HAZY) * air, 0, 1),
        depth[1::2, 1::2].copy(),
        area[1::2, 1::2].copy(),
        thing[1::2, 1::2].copy(),
        visible,
    )


class Canvas(NamedTuple):
    """What is drawn so far at the points of the lattice, in one row.

    Attributes:
        image: `k 3`.
        depth: `k`, infinite where nothing is.
        area: `k`.
        thing: `k`.
    """

    image: Array
    depth: Array
    area: NDArray[np.uint8]
    thing: NDArray[np.int16]

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> "Canvas":
        """Give a canvas with nothing on it, which is sky."""
        count = shape[0] * shape[1]
        return cls(
            np.empty((count, 3), np.float32),
            np.full(count, np.inf, np.float32),
            np.full(count, Area.SKY, np.uint8),
            np.full(count, -1, np.int16),
        )


def _draw(world: World, thing: Thing, index: int, view: View, rays: Rays, canvas: Canvas) -> int:
    """Draw one thing into the lattice; give on how many of its points it would be, unhidden."""
    pose = view.pose(thing)
    windows = [_window(part.solid, pose, rays) for part in thing.parts]
    inside = [each for each in windows if each is not None]
    if not inside:
        return 0
    top, left = (min(each[axis].start for each in inside) for axis in (0, 1))
    bottom, right = (max(each[axis].stop for each in inside) for axis in (0, 1))
    union = np.zeros((bottom - top, right - left), bool)
    depth = canvas.depth.reshape(len(rays.y), len(rays.x))
    for part, window in zip(thing.parts, windows, strict=True):
        if window is None:
            continue
        rows, columns = window
        here = local(Rays(rays.x[columns], rays.y[rows]), pose)
        reach, face = part.solid.hit(here)
        if thing.label >= 0 and part.counts:
            hit = reach < np.inf
            union[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ] |= hit
        point = np.flatnonzero(reach < depth[window])
        if not len(point):
            continue
        row, column = np.divmod(point, columns.stop - columns.start)
        distance = reach.ravel()[point]
        points = _along(here, row, column, distance)
        faces = None if face is None else face.ravel()[point]
        place = (row + rows.start) * len(rays.x) + (column + columns.start)
        light = _light(part.solid, faces, points, pose, world)
        canvas.image[place] = part.paint(Surface(points, faces)) * light[:, None]
        canvas.depth[place] = distance
        canvas.area[place] = part.area
        canvas.thing[place] = index if part.counts else -1
    return int(union.sum())


def _window(solid: Solid, pose: Pose, rays: Rays) -> tuple[slice, slice] | None:
    """Give the rows and columns of the lattice that can meet a solid."""
    bounds = solid.bounds(pose)
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    first, last = np.searchsorted(rays.x, (left, right))
    upper, lower = np.searchsorted(rays.y, (top, bottom))
    if first == last or upper == lower:
        return None
    return slice(int(upper), int(lower)), slice(int(first), int(last))


def _along(here: Local, row: NDArray[np.intp], column: NDArray[np.intp], depth: Array) -> Array:
    points = np.empty((len(row), 3), np.float32)
    for axis, (origin, direction) in enumerate(
        zip(here.origin, (here.x[column], here.y[row], here.z[column]), strict=True)
    ):
        points[:, axis] = np.float32(origin) + depth * direction
    return points


def _light(
    solid: Solid, faces: NDArray[np.int8] | None, points: Array, pose: Pose, world: World
) -> Array:
    """Give what part of the light comes back: from the sky everywhere, from the sun on its side."""
    sine, cosine = np.float32(math.sin(pose.yaw)), np.float32(math.cos(pose.yaw))
    sun = np.float32([cosine * SUN[0] - sine * SUN[2], SUN[1], sine * SUN[0] + cosine * SUN[2]])
    sunny = np.float32(0.3 + 0.4 * world.light)
    normals = solid.normals(points)
    light = np.float32(0.74) - sunny * np.float32(0.45)
    light = light - np.float32(0.12) * normals[:, 1] + sunny * np.maximum(normals @ sun, 0)
    return light if faces is None else light[faces]


def _sky(canvas: Canvas, world: World, rays: Rays) -> None:
    """Draw the sky: paler at the horizon, with clouds that grow flatter there."""
    point = np.flatnonzero(canvas.area == Area.SKY)
    row, column = np.divmod(point, len(rays.x))
    dull = np.float32(1 - world.light)
    top = np.float32([0.30, 0.50, 0.80]) * (1 - dull) + np.float32([0.55, 0.60, 0.66]) * dull
    height = np.clip(-rays.y / np.float32(0.35), 0, 1) ** np.float32(0.8)
    blue = HAZY + (top - HAZY) * height[:, None]
    away = (1 / (0.12 + np.maximum(-rays.y, 0))).astype(np.float32)
    across = rays.x[column] * away[row] + np.float32(world.seed % 97)
    clouds = noise(across, away[row], 14.0, smooth=True)
    cover = np.clip(clouds * 1.2 - np.float32(0.08 - 0.4 * dull), 0, 0.75)[:, None]
    sky = blue[row]
    canvas.image[point] = sky + (np.float32([0.95, 0.95, 0.96]) - sky) * cover


def _ground(canvas: Canvas, world: World, view: View, rays: Rays, now: list[Thing]) -> None:
    """Draw road, markings, kerbs, pavement and grass where nothing stands before them."""
    x, height, z = view.place
    horizon = int(np.searchsorted(rays.y, np.float32(1e-4), side="right"))
    start = horizon * len(rays.x)
    point = start + np.flatnonzero(canvas.depth[start:] == np.inf)
    row, column = np.divmod(point, len(rays.x))
    ahead = (np.float32(height) / rays.y[row]).astype(np.float32)
    across = rays.x[column] * ahead + np.float32(x)
    along = ahead + np.float32(z)
    canvas.depth[point] = ahead
    out = np.abs(across)
    # A repeating texture that is finer than the lattice would only shimmer.
    fine = np.clip(np.float32(1.2) - ahead / 60, 0, 1)
    grain = noise(across, along, 21.0) * fine
    lane = (out < 0.08) & (np.mod(along, 6.0) < 3.0)
    edge = np.abs(out - np.float32(3.55)) < 0.06
    colours = np.repeat((np.float32(0.36) * (1 + np.float32(0.10) * grain))[:, None], 3, axis=1)
    colours[lane | edge] = 0.82
    area = np.full(len(point), Area.ROAD, np.uint8)
    paved = np.flatnonzero(out > ROAD)
    tiles = (np.mod(across[paved], 1.0) < 0.05) | (np.mod(along[paved], 1.0) < 0.05)
    grey = np.where(tiles, np.float32(0.50), np.float32(0.58)) * (
        1 + np.float32(0.05) * grain[paved]
    )
    colours[paved] = grey[:, None] * np.float32([1.02, 1.0, 0.95])
    area[paved] = Area.PAVEMENT
    colours[np.abs(out - np.float32(ROAD)) < 0.12] = 0.68
    grass = np.flatnonzero(out > PAVEMENT)
    green = np.float32([0.30, 0.42, 0.20])
    colours[grass] = green * (1 + np.float32(0.3) * grain[grass])[:, None]
    area[grass] = Area.GREEN
    canvas.image[point] = colours * np.float32(0.85 + 0.25 * world.light)
    canvas.area[point] = area
    for thing in now:
        _shadow(canvas, thing, view, rays)


def _shadow(canvas: Canvas, thing: Thing, view: View, rays: Rays) -> None:
    """Darken the ground under a thing, with a soft rim; that is what makes it stand there."""
    x, height, z = view.place
    reach = thing.reach * 1.3
    near, far = max(thing.z - z - reach, 0.6), thing.z - z + reach
    if not any(thing.shadow) or far <= 0.6:
        return
    upper, lower = np.searchsorted(rays.y, (height / far, height / near))
    side = thing.x - x
    left, right = (
        min((side - reach) / near, (side - reach) / far),
        max((side + reach) / near, (side + reach) / far),
    )
    first, last = np.searchsorted(rays.x, (left, right))
    if upper == lower or first == last:
        return
    ahead = (np.float32(height) / rays.y[upper:lower])[:, None]
    dx = ahead * rays.x[None, first:last] - np.float32(side)
    dz = ahead - np.float32(thing.z - z)
    sine, cosine = np.float32(math.sin(thing.yaw)), np.float32(math.cos(thing.yaw))
    across = np.abs(cosine * dx - sine * dz) / np.float32(thing.shadow[0] / 2)
    along = np.abs(sine * dx + cosine * dz) / np.float32(thing.shadow[1] / 2)
    dark = np.clip((1.25 - np.maximum(across, along)) / 0.45, 0, 1) * np.float32(0.55)
    shape = (len(rays.y), len(rays.x))
    window = np.s_[upper:lower, first:last]
    on_ground = canvas.area.reshape(shape)[window] <= Area.PAVEMENT
    on_ground |= canvas.area.reshape(shape)[window] == Area.GREEN
    on_ground &= canvas.thing.reshape(shape)[window] < 0
    canvas.image.reshape(*shape, 3)[window] *= (1 - dark * on_ground)[..., None]


def _means(lattice: Array) -> Array:
    """Take the mean over each pixel, by the trapezoidal rule."""
    rows = lattice[0:-1:2] + 2 * lattice[1::2] + lattice[2::2]
    means: Array = (rows[:, 0:-1:2] + 2 * rows[:, 1::2] + rows[:, 2::2]) / 16
    return means
