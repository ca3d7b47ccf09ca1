"""A picture of a world: rays through a lattice of the frame, the nearest solid, its paint.

The lattice has a point in the middle of every pixel and halfway between. A pixel's colour is the
mean over its area by the trapezoidal rule, weights 1/4, 1/2, 1/4 along each axis; its class and its
depth are those of its middle.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .objects import Area, Part, Thing
from .solids import Array, Faces, Hits, Local, Pose, Rays, Solid, local
from .textures import Surface, noise
from .world import FOCAL, PAVEMENT, ROAD, World


class Frame(NamedTuple):
    """What the camera sees.

    Attributes:
        image: `h w 3`, in 0..1.
        depth: `h w`, z of what is seen at the middle of each pixel in metres, infinite in the sky.
        area: `h w`, its class, see `Area`.
        thing: `h w`, index of the world's thing to which it belongs, -1 where to none; the pole of
            a sign does not count as the sign.
        visible: `things`, for each the part of its picture in the frame that nothing hides; 0 where
            nothing of it is in the frame, and for what is not to be found.
    """

    image: Array
    depth: Array
    area: NDArray[np.uint8]
    thing: NDArray[np.int16]
    visible: NDArray[np.float64]


class View(NamedTuple):
    """A camera at one moment. It looks along z, so a pixel's ray is ((x, y) - centre) / focal, 1.

    Attributes:
        size: (rows, columns) of the frame.
        focal: length in pixels.
        centre: (x, y) of the principal point in pixels from the frame's left and upper edge.
        place: (x, height, z) of the camera in the world, in metres.
    """

    size: tuple[int, int]
    focal: float
    centre: tuple[float, float]
    place: tuple[float, float, float]

    def pose(self, thing: Thing) -> Pose:
        """Return where a thing stands before the camera."""
        x, height, z = self.place
        return Pose((thing.x - x, height, thing.z - z), thing.yaw)

    def lattice(self) -> Rays:
        """Return rays through the middles of pixels, and halfway between, ends included."""
        rows, columns = self.size
        across = np.arange(2 * columns + 1) / 2
        down = np.arange(2 * rows + 1) / 2
        return Rays(
            ((across - self.centre[0]) / self.focal).astype(np.float32),
            ((down - self.centre[1]) / self.focal).astype(np.float32),
        )


def view_at(world: World, size: tuple[int, int], seconds: float = 0.0) -> View:
    """Return the world's camera at a moment.

    The focal length goes with the width, so that a frame of another size shows the same.

    Args:
        world: in which it drives.
        size: (rows, columns) of the frame.
        seconds: when.
    """
    rows, columns = size
    x, y = world.horizon_at(seconds)
    # The vertical reference is the shape 3:10; a taller frame shows more above and below.
    centre = ((x + 1) / 2 * columns, rows / 2 + y / 2 * 0.3 * columns)
    place = (world.camera_x, world.preset.height, world.speed * seconds)
    return View(size, FOCAL * columns, centre, place)


SUN = np.array([0.45, -0.75, -0.48], np.float32)
"""Towards the sun, in the camera's frame."""

HAZY = np.array([0.80, 0.86, 0.92], np.float32)
"""What is seen through endless air."""

HAZE = 260.0
"""Metres in which the air takes two thirds of a colour."""

BEHIND = 12.0
"""What stands farther behind the camera than this, in metres, does not reach before it."""

MIDDLES = np.s_[1::2, 1::2]
"""The points of the lattice that are middles of pixels."""


class Canvas(NamedTuple):
    """What is drawn so far at the points of the lattice, or, `flat`, at the same in one row.

    Attributes:
        image: `rows columns 3`.
        depth: `rows columns`, infinite where nothing is.
        area: `rows columns`.
        thing: `rows columns`.
    """

    image: Array
    depth: Array
    area: NDArray[np.uint8]
    thing: NDArray[np.int16]

    @classmethod
    def empty(cls, rays: Rays) -> "Canvas":
        """Return a canvas with nothing on it, which is sky."""
        shape = (len(rays.y), len(rays.x))
        return cls(
            np.empty((*shape, 3), np.float32),
            np.full(shape, np.inf, np.float32),
            np.full(shape, Area.SKY, np.uint8),
            np.full(shape, -1, np.int16),
        )

    def flat(self) -> "Canvas":
        """Return the same memory with its points in one row: one index is quicker than two."""
        image, depth, area, thing = self
        return Canvas(image.reshape(-1, 3), depth.reshape(-1), area.reshape(-1), thing.reshape(-1))


def render(world: World, view: View, seconds: float = 0.0) -> Frame:
    """Draw the world as it is at a moment.

    Args:
        world: what is drawn.
        view: the camera at that moment, see `view_at`.
        seconds: when.
    """
    rays = view.lattice()
    canvas = Canvas.empty(rays)
    now = [thing.at(seconds) for thing in world.things]
    drawn = np.zeros(len(now), np.int64)
    # The nearest first: what lies behind it is then not painted.
    for index in np.argsort([thing.z for thing in now], kind="stable").tolist():
        if now[index].z - view.place[2] > -BEHIND:
            drawn[index] = _draw(world, now[index], index, view, rays, canvas)
    _ground(canvas, world, view, rays)
    for thing in now:
        _shadow(canvas, thing, view, rays)
    _sky(canvas, world, rays)
    seen = np.bincount(canvas.flat().thing + 1, minlength=len(now) + 1)[1:]
    return Frame(
        _through_air(canvas),
        canvas.depth[MIDDLES].copy(),
        canvas.area[MIDDLES].copy(),
        canvas.thing[MIDDLES].copy(),
        np.where(drawn > 0, np.minimum(seen / np.maximum(drawn, 1), 1.0), 0.0),
    )


def _through_air(canvas: Canvas) -> Array:
    """Return the colours of pixels `h w 3`, paler with distance."""
    air = _means(np.exp(canvas.depth / np.float32(-HAZE)))[..., None]
    # The sky is painted as it looks through the air.
    air[~np.isfinite(canvas.depth[MIDDLES])] = 1
    image: Array = np.clip(HAZY + (_means(canvas.image) - HAZY) * air, 0, 1)
    return image


class _Met(NamedTuple):
    """A part of a thing where rays may meet it.

    Attributes:
        part: of the thing.
        window: rows and columns of the lattice outside of which no ray meets it.
        rays: those of the window, in the thing's frame.
        hits: where they meet it.
    """

    part: Part
    window: tuple[slice, slice]
    rays: Local
    hits: Hits


def _draw(world: World, thing: Thing, index: int, view: View, rays: Rays, canvas: Canvas) -> int:
    """Draw one thing; if it is to be found, tell how many points it would take, were all seen."""
    pose = view.pose(thing)
    met = []
    for part in thing.parts:
        window = _window(part.solid, pose, rays)
        if window is not None:
            rows, columns = window
            here = local(Rays(rays.x[columns], rays.y[rows]), pose)
            met.append(_Met(part, window, here, part.solid.hit(here)))
    for each in met:
        _paint(each, index if each.part.counts else -1, pose, world, canvas)
    return _covered([each for each in met if each.part.counts]) if thing.label >= 0 else 0


def _paint(met: _Met, index: int, pose: Pose, world: World, canvas: Canvas) -> None:
    """Paint the points of a part that lie before all that is drawn so far."""
    part, (rows, columns), here, hits = met
    point = np.flatnonzero(hits.depth < canvas.depth[met.window])
    if not len(point):
        return
    row, column = _places(point, columns.stop - columns.start)
    depth = hits.depth.ravel()[point]
    points = _along(here, row, column, depth)
    faces = None if hits.face is None else hits.face.ravel()[point]
    light = _light(part.solid, faces, points, pose, world)
    known = np.broadcast_to(np.int8(-1), len(point)) if faces is None else faces
    place = (row + rows.start) * canvas.depth.shape[1] + (column + columns.start)
    flat = canvas.flat()
    flat.image[place] = part.paint(Surface(points, known)) * light[:, None]
    flat.depth[place] = depth
    flat.area[place] = part.area
    flat.thing[place] = index


def _places(point: NDArray[np.intp], width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of points; `np.divmod` takes several times as long."""
    row = point // width
    return row, point - row * width


def _covered(met: list[_Met]) -> int:
    """Count the points of the lattice whose rays meet at least one of some parts."""
    if not met:
        return 0
    top, left = (min(each.window[axis].start for each in met) for axis in (0, 1))
    bottom, right = (max(each.window[axis].stop for each in met) for axis in (0, 1))
    union = np.zeros((bottom - top, right - left), bool)
    for each in met:
        rows, columns = each.window
        union[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= (
            each.hits.depth < np.inf
        )
    return int(np.count_nonzero(union))


def _window(solid: Solid, pose: Pose, rays: Rays) -> tuple[slice, slice] | None:
    """Return the rows and columns of the lattice that can meet a solid."""
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
    """Return the points `k 3` at a depth `k` on the rays of some rows and columns, both `k`."""
    points = np.empty((len(row), 3), np.float32)
    for axis, (origin, direction) in enumerate(
        zip(here.origin, (here.x[column], here.y[row], here.z[column]), strict=True)
    ):
        points[:, axis] = np.float32(origin) + depth * direction
    return points


def _light(solid: Solid, faces: Faces | None, points: Array, pose: Pose, world: World) -> Array:
    """Return what part of the light comes back: from the sky everywhere, from the sun on its side.

    Args:
        solid: that is lit.
        faces: `k`, of the points; None of an ellipsoid.
        points: `k 3`, in the thing's frame.
        pose: of the thing.
        world: whose sun it is.

    Returns:
        `k`.
    """
    sine, cosine = np.float32(math.sin(pose.yaw)), np.float32(math.cos(pose.yaw))
    x, y, z = SUN
    sun = np.array([cosine * x - sine * z, y, sine * x + cosine * z], np.float32)
    sunny = np.float32(0.3 + 0.4 * world.light)
    normals = solid.normals(points)
    dark = np.float32(0.74) - sunny * np.float32(0.45)
    light: Array = dark - np.float32(0.12) * normals[:, 1] + sunny * np.maximum(normals @ sun, 0)
    return light if faces is None else light[faces]


def _sky(canvas: Canvas, world: World, rays: Rays) -> None:
    """Draw the sky: paler at the horizon, with clouds that grow flatter there."""
    flat = canvas.flat()
    point = np.flatnonzero(flat.area == Area.SKY)
    row, column = _places(point, len(rays.x))
    dull = np.float32(1 - world.light)
    clear, grey = np.array([[0.30, 0.50, 0.80], [0.55, 0.60, 0.66]], np.float32)
    top = clear * (1 - dull) + grey * dull
    height = np.clip(-rays.y / np.float32(0.35), 0, 1) ** np.float32(0.8)
    blue = HAZY + (top - HAZY) * height[:, None]
    away = (1 / (0.12 + np.maximum(-rays.y, 0))).astype(np.float32)
    across = rays.x[column] * away[row] + np.float32(world.seed % 97)
    clouds = noise(across, away[row], 14.0, smooth=True)
    cover = np.clip(clouds * 1.2 - np.float32(0.08 - 0.4 * dull), 0, 0.75)[:, None]
    sky = blue[row]
    flat.image[point] = sky + (np.array([0.95, 0.95, 0.96], np.float32) - sky) * cover


def _ground(canvas: Canvas, world: World, view: View, rays: Rays) -> None:
    """Draw the ground where nothing stands before it."""
    x, height, z = view.place
    flat = canvas.flat()
    # Level rays would meet the ground at the end of the world.
    horizon = int(np.searchsorted(rays.y, np.float32(1e-4), side="right"))
    start = horizon * len(rays.x)
    point = start + np.flatnonzero(flat.depth[start:] == np.inf)
    row, column = _places(point, len(rays.x))
    ahead = (np.float32(height) / rays.y[row]).astype(np.float32)
    colours, area = _surfaces(rays.x[column] * ahead + np.float32(x), ahead + np.float32(z), ahead)
    flat.image[point] = colours * np.float32(0.85 + 0.25 * world.light)
    flat.depth[point] = ahead
    flat.area[point] = area


def _surfaces(across: Array, along: Array, ahead: Array) -> tuple[Array, NDArray[np.uint8]]:
    """Return road, markings, kerbs, pavement and grass.

    Args:
        across: `k`, x of points of the ground in the world.
        along: `k`, their z.
        ahead: `k`, how far before the camera they are.

    Returns:
        Colours `k 3` and classes `k`.
    """
    out = np.abs(across)
    # A repeating texture that is finer than the lattice would only shimmer.
    fine: Array = np.clip(np.float32(1.2) - ahead / np.float32(60), 0, 1)
    grain = noise(across, along, 21.0) * fine
    middle = np.flatnonzero(out < 0.08)
    lane = middle[np.mod(along[middle], 6.0) < 3.0]
    edge = np.abs(out - np.float32(3.55)) < 0.06
    colours = np.repeat((np.float32(0.36) * (1 + np.float32(0.10) * grain))[:, None], 3, axis=1)
    colours[lane] = colours[edge] = 0.82
    area = np.full(len(across), Area.ROAD, np.uint8)
    paved = np.flatnonzero(out > ROAD)
    tiles = (np.mod(across[paved], 1.0) < 0.05) | (np.mod(along[paved], 1.0) < 0.05)
    grey = np.full(len(paved), 0.58, np.float32)
    grey[tiles] = 0.50
    grey *= 1 + np.float32(0.05) * grain[paved]
    colours[paved] = grey[:, None] * np.array([1.02, 1.0, 0.95], np.float32)
    area[paved] = Area.PAVEMENT
    colours[np.abs(out - np.float32(ROAD)) < 0.12] = 0.68
    grass = np.flatnonzero(out > PAVEMENT)
    green = np.array([0.30, 0.42, 0.20], np.float32)
    colours[grass] = green * (1 + np.float32(0.3) * grain[grass])[:, None]
    area[grass] = Area.GREEN
    return colours, area


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
    window = np.s_[upper:lower, first:last]
    # Of what belongs to no thing, only the pole of a sign is not ground.
    on_ground = (canvas.thing[window] < 0) & (canvas.area[window] != Area.OTHER)
    canvas.image[window] *= (1 - dark * on_ground)[..., None]


def _means(lattice: Array) -> Array:
    """Take the mean over each pixel, by the trapezoidal rule.

    Args:
        lattice: `2h+1 2w+1 ...`.

    Returns:
        `h w ...`.
    """
    rows = 2 * lattice[1::2]
    rows += lattice[0:-1:2]
    rows += lattice[2::2]
    means: Array = 2 * rows[:, 1::2]
    means += rows[:, 0:-1:2]
    means += rows[:, 2::2]
    means /= 16
    return means
