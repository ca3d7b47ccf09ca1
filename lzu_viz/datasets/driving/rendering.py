"""Rendering of a world by casting rays through a lattice of the frame to the nearest solid.

The lattice has a point at the centre of each pixel and halfway between. The colour of a pixel is
the mean over its area by the trapezoidal rule, with weights 1/4, 1/2, 1/4 along each axis; its
class and depth are those at its centre.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .objects import Part, SceneObject, SemanticClass
from .solids import Array, Faces, Hits, Local, Pose, Rays, Solid, local
from .textures import Surface, noise
from .world import FOCAL, PAVEMENT, ROAD, World


class RenderedFrame(NamedTuple):
    """Rendered frame.

    Attributes:
        image: `h w 3`, RGB in 0..1.
        depth: `h w`, z at the centre of each pixel in metres, infinite in the sky.
        semantic_mask: `h w`, class at the centre of each pixel, see `SemanticClass`.
        object_index: `h w`, index into the objects of the world at the centre of each pixel, -1
            where there is none; the pole of a sign does not belong to the sign.
        visible: `objects`, unoccluded fraction of each object's projection within the frame; 0 for
            objects outside the frame or without a class.
    """

    image: Array
    depth: Array
    semantic_mask: NDArray[np.uint8]
    object_index: NDArray[np.int16]
    visible: NDArray[np.float64]


class CameraView(NamedTuple):
    """Camera at one time, facing along z; the ray of a pixel is (((x, y) - centre) / focal, 1).

    Attributes:
        size: (rows, columns) of the frame.
        focal: focal length in pixels.
        centre: (x, y) of the principal point in pixels from the frame's left and upper edge.
        place: (x, height, z) of the camera in the world, in metres.
    """

    size: tuple[int, int]
    focal: float
    centre: tuple[float, float]
    place: tuple[float, float, float]

    def pose(self, obj: SceneObject) -> Pose:
        """Return the pose of an object in the camera's frame."""
        x, height, z = self.place
        return Pose((obj.x - x, height, obj.z - z), obj.yaw)

    def lattice(self) -> Rays:
        """Return rays through pixel centres and pixel edges, including the frame's edges."""
        rows, columns = self.size
        pixel_x = np.arange(2 * columns + 1) / 2
        pixel_y = np.arange(2 * rows + 1) / 2
        return Rays(
            ((pixel_x - self.centre[0]) / self.focal).astype(np.float32),
            ((pixel_y - self.centre[1]) / self.focal).astype(np.float32),
        )


def view_at(world: World, size: tuple[int, int], seconds: float = 0.0) -> CameraView:
    """Return the world's camera at a time.

    The focal length is proportional to the frame's width, so that the field of view does not
    depend on the resolution.

    Args:
        world: world of the camera.
        size: (rows, columns) of the frame.
        seconds: time.
    """
    rows, columns = size
    x, y = world.horizon_at(seconds)
    # The horizon is given for the aspect ratio 3:10; a taller frame shows more above and below.
    centre = ((x + 1) / 2 * columns, rows / 2 + y / 2 * 0.3 * columns)
    place = (world.camera_x, world.preset.height, world.speed * seconds)
    return CameraView(size, FOCAL * columns, centre, place)


SUN_DIRECTION = np.array([0.45, -0.75, -0.48], np.float32)
"""Direction towards the sun, in the camera's frame."""

HAZE_COLOUR = np.array([0.80, 0.86, 0.92], np.float32)
"""Colour of an infinite depth of air."""

HAZE_DISTANCE = 260.0
"""Distance in metres at which a fraction 1 - 1/e of a colour is replaced by that of the air."""

MAX_BEHIND = 12.0
"""Distance behind the camera, in metres, beyond which objects are not rendered."""

AT_PIXEL_CENTRES = np.s_[1::2, 1::2]
"""Index of the lattice points that are pixel centres."""


class Canvas(NamedTuple):
    """Buffers of the rendering at the lattice points, or at the flattened points (see `flat`).

    Attributes:
        image: `rows columns 3`, RGB.
        depth: `rows columns`, infinite where nothing is rendered yet.
        semantic_mask: `rows columns`, class, see `SemanticClass`.
        object_index: `rows columns`, index of the object, -1 for none.
    """

    image: Array
    depth: Array
    semantic_mask: NDArray[np.uint8]
    object_index: NDArray[np.int16]

    @classmethod
    def empty(cls, rays: Rays) -> "Canvas":
        """Return an empty canvas, whose class is sky everywhere."""
        shape = (len(rays.y), len(rays.x))
        return cls(
            np.empty((*shape, 3), np.float32),
            np.full(shape, np.inf, np.float32),
            np.full(shape, SemanticClass.SKY, np.uint8),
            np.full(shape, -1, np.int16),
        )

    def flat(self) -> "Canvas":
        """Return views with flattened points, as one index is faster than two."""
        return Canvas(
            self.image.reshape(-1, 3),
            self.depth.reshape(-1),
            self.semantic_mask.reshape(-1),
            self.object_index.reshape(-1),
        )


def render(world: World, view: CameraView, seconds: float = 0.0) -> RenderedFrame:
    """Return the rendered frame of a world at a time.

    Args:
        world: world to render.
        view: camera at that time, see `view_at`.
        seconds: time.
    """
    rays = view.lattice()
    canvas = Canvas.empty(rays)
    now = [obj.at(seconds) for obj in world.objects]
    covered = np.zeros(len(now), np.int64)
    # The nearest objects come first, so that surfaces occluded by them are not painted.
    for index in np.argsort([obj.z for obj in now], kind="stable").tolist():
        if now[index].z - view.place[2] > -MAX_BEHIND:
            covered[index] = _draw(world, now[index], index, view, rays, canvas)
    _ground(canvas, world, view, rays)
    for obj in now:
        _shadow(canvas, obj, view, rays)
    _sky(canvas, world, rays)
    visible = np.bincount(canvas.flat().object_index + 1, minlength=len(now) + 1)[1:]
    return RenderedFrame(
        _through_air(canvas),
        canvas.depth[AT_PIXEL_CENTRES].copy(),
        canvas.semantic_mask[AT_PIXEL_CENTRES].copy(),
        canvas.object_index[AT_PIXEL_CENTRES].copy(),
        np.where(covered > 0, np.minimum(visible / np.maximum(covered, 1), 1.0), 0.0),
    )


def _through_air(canvas: Canvas) -> Array:
    """Return the colours of pixels `h w 3`, with haze that increases with depth."""
    air = _means(np.exp(canvas.depth / np.float32(-HAZE_DISTANCE)))[..., None]
    # The colour of the sky already includes the haze.
    air[~np.isfinite(canvas.depth[AT_PIXEL_CENTRES])] = 1
    image: Array = np.clip(HAZE_COLOUR + (_means(canvas.image) - HAZE_COLOUR) * air, 0, 1)
    return image


class _HitPart(NamedTuple):
    """Part of an object with its ray intersections.

    Attributes:
        part: part of the object.
        window: rows and columns of the lattice outside which no ray hits the part.
        rays: rays of the window, in the object's frame.
        hits: intersections of those rays with the part.
    """

    part: Part
    window: tuple[slice, slice]
    rays: Local
    hits: Hits


def _draw(
    world: World, obj: SceneObject, index: int, view: CameraView, rays: Rays, canvas: Canvas
) -> int:
    """Render an object, and return the number of points it covers, ignoring occlusion.

    The number is 0 for objects without a class.
    """
    pose = view.pose(obj)
    hit_parts = []
    for part in obj.parts:
        window = _window(part.solid, pose, rays)
        if window is not None:
            rows, columns = window
            local_rays = local(Rays(rays.x[columns], rays.y[rows]), pose)
            hit_parts.append(_HitPart(part, window, local_rays, part.solid.hit(local_rays)))
    for hit_part in hit_parts:
        _paint(hit_part, index if hit_part.part.counts else -1, pose, world, canvas)
    return (
        _count_covered([hit_part for hit_part in hit_parts if hit_part.part.counts])
        if obj.label >= 0
        else 0
    )


def _paint(hit_part: _HitPart, index: int, pose: Pose, world: World, canvas: Canvas) -> None:
    """Paint the points of a part that are nearer than the current depth."""
    part, (rows, columns), local_rays, hits = hit_part
    point = np.flatnonzero(hits.depth < canvas.depth[hit_part.window])
    if not len(point):
        return
    row, column = _rows_and_columns(point, columns.stop - columns.start)
    depth = hits.depth.ravel()[point]
    points = _points_along(local_rays, row, column, depth)
    faces = None if hits.face is None else hits.face.ravel()[point]
    light = _light(part.solid, faces, points, pose, world)
    face_index = np.broadcast_to(np.int8(-1), len(point)) if faces is None else faces
    index_in_canvas = (row + rows.start) * canvas.depth.shape[1] + (column + columns.start)
    flat = canvas.flat()
    flat.image[index_in_canvas] = part.paint(Surface(points, face_index)) * light[:, None]
    flat.depth[index_in_canvas] = depth
    flat.semantic_mask[index_in_canvas] = part.semantic_class
    flat.object_index[index_in_canvas] = index


def _rows_and_columns(
    point: NDArray[np.intp], width: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of flat indices; `np.divmod` is several times slower."""
    row = point // width
    return row, point - row * width


def _count_covered(hit_parts: list[_HitPart]) -> int:
    """Return the number of lattice points whose rays hit at least one of the parts."""
    if not hit_parts:
        return 0
    top, left = (min(hit_part.window[axis].start for hit_part in hit_parts) for axis in (0, 1))
    bottom, right = (max(hit_part.window[axis].stop for hit_part in hit_parts) for axis in (0, 1))
    union = np.zeros((bottom - top, right - left), bool)
    for hit_part in hit_parts:
        rows, columns = hit_part.window
        union[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= (
            hit_part.hits.depth < np.inf
        )
    return int(np.count_nonzero(union))


def _window(solid: Solid, pose: Pose, rays: Rays) -> tuple[slice, slice] | None:
    """Return the rows and columns of the lattice whose rays can hit a solid, or None."""
    bounds = solid.bounds(pose)
    if bounds is None:
        return None
    left, top, right, bottom = bounds
    first, last = np.searchsorted(rays.x, (left, right))
    upper, lower = np.searchsorted(rays.y, (top, bottom))
    if first == last or upper == lower:
        return None
    return slice(int(upper), int(lower)), slice(int(first), int(last))


def _points_along(
    rays: Local, row: NDArray[np.intp], column: NDArray[np.intp], depth: Array
) -> Array:
    """Return the points `k 3` at depths `k` on the rays of rows `k` and columns `k`."""
    points = np.empty((len(row), 3), np.float32)
    for axis, (origin, direction) in enumerate(
        zip(rays.origin, (rays.x[column], rays.y[row], rays.z[column]), strict=True)
    ):
        points[:, axis] = np.float32(origin) + depth * direction
    return points


def _light(solid: Solid, faces: Faces | None, points: Array, pose: Pose, world: World) -> Array:
    """Return the shading of points: ambient light from the sky plus diffuse light from the sun.

    Args:
        solid: solid on which the points are.
        faces: `k`, faces of the points; None for an ellipsoid.
        points: `k 3`, in the object's frame.
        pose: pose of the object.
        world: world, which gives the daylight.

    Returns:
        `k`, factor of the colour at each point.
    """
    sine, cosine = np.float32(math.sin(pose.yaw)), np.float32(math.cos(pose.yaw))
    x, y, z = SUN_DIRECTION
    sun = np.array([cosine * x - sine * z, y, sine * x + cosine * z], np.float32)
    sunny = np.float32(0.3 + 0.4 * world.light)
    normals = solid.normals(points)
    dark = np.float32(0.74) - sunny * np.float32(0.45)
    light: Array = dark - np.float32(0.12) * normals[:, 1] + sunny * np.maximum(normals @ sun, 0)
    return light if faces is None else light[faces]


def _sky(canvas: Canvas, world: World, rays: Rays) -> None:
    """Render the sky, which is paler at the horizon, with clouds in perspective."""
    flat = canvas.flat()
    point = np.flatnonzero(flat.semantic_mask == SemanticClass.SKY)
    row, column = _rows_and_columns(point, len(rays.x))
    dull = np.float32(1 - world.light)
    clear, grey = np.array([[0.30, 0.50, 0.80], [0.55, 0.60, 0.66]], np.float32)
    top = clear * (1 - dull) + grey * dull
    height = np.clip(-rays.y / np.float32(0.35), 0, 1) ** np.float32(0.8)
    blue = HAZE_COLOUR + (top - HAZE_COLOUR) * height[:, None]
    away = (1 / (0.12 + np.maximum(-rays.y, 0))).astype(np.float32)
    cloud_x = rays.x[column] * away[row] + np.float32(world.seed % 97)
    clouds = noise(cloud_x, away[row], 14.0, smooth=True)
    cover = np.clip(clouds * 1.2 - np.float32(0.08 - 0.4 * dull), 0, 0.75)[:, None]
    sky = blue[row]
    flat.image[point] = sky + (np.array([0.95, 0.95, 0.96], np.float32) - sky) * cover


def _ground(canvas: Canvas, world: World, view: CameraView, rays: Rays) -> None:
    """Render the ground where it is not occluded."""
    x, height, z = view.place
    flat = canvas.flat()
    # Rays at or above the horizon do not intersect the ground.
    horizon = int(np.searchsorted(rays.y, np.float32(1e-4), side="right"))
    start = horizon * len(rays.x)
    point = start + np.flatnonzero(flat.depth[start:] == np.inf)
    row, column = _rows_and_columns(point, len(rays.x))
    ahead = (np.float32(height) / rays.y[row]).astype(np.float32)
    colours, area = _surfaces(rays.x[column] * ahead + np.float32(x), ahead + np.float32(z), ahead)
    flat.image[point] = colours * np.float32(0.85 + 0.25 * world.light)
    flat.depth[point] = ahead
    flat.semantic_mask[point] = area


def _surfaces(x: Array, z: Array, ahead: Array) -> tuple[Array, NDArray[np.uint8]]:
    """Return colours and classes of the ground: road, markings, kerbs, pavement and grass.

    Args:
        x: `k`, x of points of the ground in the world.
        z: `k`, z of the points in the world.
        ahead: `k`, z of the points in the camera's frame.

    Returns:
        Colours `k 3` and classes `k`.
    """
    distance = np.abs(x)
    # The texture fades with distance, as detail finer than the lattice would alias.
    fine: Array = np.clip(np.float32(1.2) - ahead / np.float32(60), 0, 1)
    grain = noise(x, z, 21.0) * fine
    centre_line = np.flatnonzero(distance < 0.08)
    lane = centre_line[np.mod(z[centre_line], 6.0) < 3.0]
    edge = np.abs(distance - np.float32(3.55)) < 0.06
    colours = np.repeat((np.float32(0.36) * (1 + np.float32(0.10) * grain))[:, None], 3, axis=1)
    colours[lane] = colours[edge] = 0.82
    area = np.full(len(x), SemanticClass.ROAD, np.uint8)
    paved = np.flatnonzero(distance > ROAD)
    tiles = (np.mod(x[paved], 1.0) < 0.05) | (np.mod(z[paved], 1.0) < 0.05)
    grey = np.full(len(paved), 0.58, np.float32)
    grey[tiles] = 0.50
    grey *= 1 + np.float32(0.05) * grain[paved]
    colours[paved] = grey[:, None] * np.array([1.02, 1.0, 0.95], np.float32)
    area[paved] = SemanticClass.PAVEMENT
    colours[np.abs(distance - np.float32(ROAD)) < 0.12] = 0.68
    grass = np.flatnonzero(distance > PAVEMENT)
    green = np.array([0.30, 0.42, 0.20], np.float32)
    colours[grass] = green * (1 + np.float32(0.3) * grain[grass])[:, None]
    area[grass] = SemanticClass.GREEN
    return colours, area


def _shadow(canvas: Canvas, obj: SceneObject, view: CameraView, rays: Rays) -> None:
    """Render the soft shadow of an object on the ground below it."""
    x, height, z = view.place
    radius = obj.reach * 1.3
    near, far = max(obj.z - z - radius, 0.6), obj.z - z + radius
    if not any(obj.shadow) or far <= 0.6:
        return
    upper, lower = np.searchsorted(rays.y, (height / far, height / near))
    side = obj.x - x
    left, right = (
        min((side - radius) / near, (side - radius) / far),
        max((side + radius) / near, (side + radius) / far),
    )
    first, last = np.searchsorted(rays.x, (left, right))
    if upper == lower or first == last:
        return
    ahead = (np.float32(height) / rays.y[upper:lower])[:, None]
    dx = ahead * rays.x[None, first:last] - np.float32(side)
    dz = ahead - np.float32(obj.z - z)
    sine, cosine = np.float32(math.sin(obj.yaw)), np.float32(math.cos(obj.yaw))
    across = np.abs(cosine * dx - sine * dz) / np.float32(obj.shadow[0] / 2)
    along = np.abs(sine * dx + cosine * dz) / np.float32(obj.shadow[1] / 2)
    dark = np.clip((1.25 - np.maximum(across, along)) / 0.45, 0, 1) * np.float32(0.55)
    window = np.s_[upper:lower, first:last]
    # Points without an object are on the ground, except those on the pole of a sign.
    on_ground = (canvas.object_index[window] < 0) & (
        canvas.semantic_mask[window] != SemanticClass.OTHER
    )
    canvas.image[window] *= (1 - dark * on_ground)[..., None]


def _means(lattice: Array) -> Array:
    """Return the mean over each pixel by the trapezoidal rule.

    Args:
        lattice: `2h+1 2w+1 ...`, values at the lattice points.

    Returns:
        `h w ...`, means of the pixels.
    """
    rows = 2 * lattice[1::2]
    rows += lattice[0:-1:2]
    rows += lattice[2::2]
    means: Array = 2 * rows[:, 1::2]
    means += rows[:, 0:-1:2]
    means += rows[:, 2::2]
    means /= 16
    return means
