"""Solids of which objects consist, and their intersection with rays of a pinhole camera.

Objects are upright: their own frame and the camera's differ by a rotation about the vertical and a
translation. Both frames have x to the right, y down and z ahead, in metres.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Faces = NDArray[np.int8]
"""Indices of the faces of a polytope."""


class Rays(NamedTuple):
    """Rays from the camera through a lattice of the image, with directions (x, y, 1).

    Attributes:
        x: `columns`, x of the directions.
        y: `rows`, y of the directions.
    """

    x: Array
    y: Array


class Pose(NamedTuple):
    """Pose of an object in the camera's frame.

    Attributes:
        place: (x, y, z) of the object's origin, on the ground.
        yaw: rotation; the object's z axis points along (sin yaw, 0, cos yaw).
    """

    place: tuple[float, float, float]
    yaw: float


class Local(NamedTuple):
    """Rays in an object's own frame; each component depends on the row or the column only.

    Attributes:
        x: `columns`, x of the directions.
        y: `rows`, y of the directions.
        z: `columns`, z of the directions.
        origin: (x, y, z) of the camera.
    """

    x: Array
    y: Array
    z: Array
    origin: tuple[float, float, float]


class Hits(NamedTuple):
    """First intersections of rays with a solid.

    Attributes:
        depth: `rows columns`, z in the camera's frame, infinite where a ray misses the solid.
        face: `rows columns`, index of the face hit, valid where a ray hits the solid; None for an
            ellipsoid, which has no faces.
    """

    depth: Array
    face: Faces | None


Bounds = tuple[float, float, float, float]
"""(left, top, right, bottom) of a projection, as ray directions x and y with z = 1."""

Extent = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""(minimum, maximum) of x, y and z in metres."""


class Solid(Protocol):
    """Convex solid in an object's own frame."""

    def hit(self, rays: Local) -> Hits:
        """Return the first intersections with rays."""
        ...

    def bounds(self, pose: Pose) -> Bounds | None:
        """Return the bounds of the solid's projection, or None if it is behind the camera.

        The bounds are infinite if the solid extends behind the camera, as it may fill the image.
        """
        ...

    def extent(self) -> Extent:
        """Return the minimum and maximum coordinates in the object's frame."""
        ...

    def normals(self, points: Array) -> Array:
        """Return unit outer normals: `n 3` of a polytope's faces, else `k 3` at the points."""
        ...


NEAR = 0.3
"""Distance of the near plane in metres; nothing nearer is rendered."""

EVERYWHERE: Bounds = (-math.inf, -math.inf, math.inf, math.inf)
"""Bounds of the projection of a solid that extends behind the camera."""


def local(rays: Rays, pose: Pose) -> Local:
    """Transform rays from the camera's frame to that of an object."""
    sine, cosine = math.sin(pose.yaw), math.cos(pose.yaw)
    x, y, z = (-coordinate for coordinate in pose.place)
    origin = (cosine * x - sine * z, y, sine * x + cosine * z)
    return Local(
        np.float32(cosine) * rays.x - np.float32(sine),
        rays.y,
        np.float32(sine) * rays.x + np.float32(cosine),
        origin,
    )


def in_camera(points: NDArray[np.float64], pose: Pose) -> NDArray[np.float64]:
    """Transform points `k 3` from an object's frame to the camera's."""
    sine, cosine = math.sin(pose.yaw), math.cos(pose.yaw)
    x, y, z = points.T
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=-1) + pose.place


class _Span:
    """Depth intervals of rays inside all half-spaces processed so far.

    Attributes:
        enter: depth at which the ray has entered all half-spaces.
        leave: depth at which the ray leaves the first half-space.
        face: index of the last face entered, -1 for none.
    """

    def __init__(self, enter: Array, leave: Array | None = None, face: Faces | None = None) -> None:
        self.enter = enter
        self.leave = np.full_like(enter, np.inf) if leave is None else leave
        self.face = np.full(enter.shape, -1, np.int8) if face is None else face

    def cut(self, outward: Array, distance: float, index: int) -> None:
        """Intersect the intervals with the half-space of a plane, at depth ``distance / outward``.

        Args:
            outward: outward component of each ray direction, normal to the plane.
            distance: signed distance of the camera from the plane, positive inside.
            index: index of the face.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = np.float32(distance) / outward
        if distance >= 0:
            np.minimum(self.leave, np.where(outward > 0, depth, np.inf), out=self.leave)
            return
        depth = np.where(outward < 0, depth, np.inf)
        enters = depth > self.enter
        np.copyto(self.enter, depth, where=enters)
        np.copyto(self.face, index, where=enters)


@dataclass(frozen=True, eq=False)
class Polytope:
    """Convex polytope, the points with faces . point <= offsets.

    Attributes:
        faces: `n 3`, unit outer normals.
        offsets: `n`, signed distances of the faces from the origin.
        corners: `m 3`, vertices.
    """

    faces: NDArray[np.float64]
    offsets: NDArray[np.float64]
    corners: NDArray[np.float64]

    def hit(self, rays: Local) -> Hits:
        """Return the first intersections with rays, by clipping against all faces.

        The depth at a vertical face depends on the column only, at a horizontal face on the row
        only; only oblique faces need a computation for each ray.
        """
        distances = self.offsets - self.faces @ np.array(rays.origin)
        columns = _Span(np.full(len(rays.x), NEAR, np.float32))
        rows = _Span(np.full(len(rays.y), NEAR, np.float32))
        oblique = []
        for index, (normal, distance) in enumerate(zip(self.faces, distances, strict=True)):
            nx, ny, nz = (np.float32(part) for part in normal)
            if ny == 0:
                columns.cut(nx * rays.x + nz * rays.z, distance, index)
            elif nx == 0 and nz == 0:
                rows.cut(ny * rays.y, distance, index)
            else:
                oblique.append((nx * rays.x + nz * rays.z, ny * rays.y, distance, index))
        by_row = rows.enter[:, None] > columns.enter
        combined = _Span(
            np.where(by_row, rows.enter[:, None], columns.enter),
            np.minimum(rows.leave[:, None], columns.leave),
            np.where(by_row, rows.face[:, None], columns.face),
        )
        for outward_x, outward_y, distance, index in oblique:
            combined.cut(outward_x + outward_y[:, None], distance, index)
        combined.enter[(combined.enter > combined.leave) | (combined.face < 0)] = np.inf
        return Hits(combined.enter, combined.face)

    def bounds(self, pose: Pose) -> Bounds | None:
        """Return the bounds of the projected corners, or None if behind the camera."""
        x, y, z = in_camera(self.corners, pose).T
        if z.max() <= NEAR:
            return None
        if z.min() <= NEAR:
            return EVERYWHERE
        x, y = x / z, y / z
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())

    def extent(self) -> Extent:
        """Return the minimum and maximum coordinates of the corners."""
        x, y, z = np.stack([self.corners.min(axis=0), self.corners.max(axis=0)], axis=1).tolist()
        return x, y, z

    def normals(self, points: Array) -> Array:
        """Return the normals of the faces `n 3`."""
        return self.faces.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """Ellipsoid aligned with the object's axes.

    Attributes:
        centre: (x, y, z) of the centre.
        radii: semi-axes along x, y and z.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]

    def hit(self, rays: Local) -> Hits:
        """Return the first intersections: solve (o + t d)^2 = 1 after scaling to the unit ball.

        The discriminant (o . d)^2 - d^2 (o^2 - 1) is computed as d^2 - (o x d)^2, which avoids
        cancellation for small, distant ellipsoids.
        """
        ox, oy, oz = (
            np.float32((o - c) / r)
            for o, c, r in zip(rays.origin, self.centre, self.radii, strict=True)
        )
        dx, dy, dz = (
            direction / np.float32(r)
            for direction, r in zip((rays.x, rays.y, rays.z), self.radii, strict=True)
        )
        square = (dx * dx + dz * dz)[None, :] + (dy * dy)[:, None]
        half = (ox * dx + oz * dz)[None, :] + (oy * dy)[:, None]
        cross_y = (oz * dx - ox * dz)[None, :]
        cross_x = oy * dz[None, :] - oz * dy[:, None]
        cross_z = ox * dy[:, None] - oy * dx[None, :]
        root = square - cross_y * cross_y - cross_x * cross_x - cross_z * cross_z
        with np.errstate(invalid="ignore"):
            depth = (-half - np.sqrt(root)) / square
            depth[~(depth > NEAR)] = np.inf
        return Hits(depth, None)

    def bounds(self, pose: Pose) -> Bounds | None:
        """Return the bounds of the projection, from the tangent planes through the camera.

        The plane x = u z is tangent where (c . n)^2 = n' A A' n with n = (1, 0, -u), a quadratic
        equation in u.
        """
        cx, cy, cz = in_camera(np.array([self.centre]), pose)[0]
        sine, cosine = math.sin(pose.yaw), math.cos(pose.yaw)
        a, b, c = (radius**2 for radius in self.radii)
        xx, yy = cosine**2 * a + sine**2 * c, b
        zz, xz = sine**2 * a + cosine**2 * c, sine * cosine * (c - a)
        if cz + math.sqrt(zz) <= NEAR:
            return None
        if cz - math.sqrt(zz) <= NEAR:
            return EVERYWHERE
        left, right = _tangent_slopes(cx, cz, xx, zz, xz)
        top, bottom = _tangent_slopes(cy, cz, yy, zz, 0.0)
        return left, top, right, bottom

    def extent(self) -> Extent:
        """Return the centre minus and plus the radii."""
        x, y, z = ((c - r, c + r) for c, r in zip(self.centre, self.radii, strict=True))
        return x, y, z

    def normals(self, points: Array) -> Array:
        """Return the normalised gradient of the ellipsoid's equation at points."""
        centre, radii = np.array(self.centre, np.float32), np.array(self.radii, np.float32)
        slope: Array = (points - centre) / radii**2
        normals: Array = slope / np.linalg.norm(slope, axis=-1, keepdims=True)
        return normals


def _tangent_slopes(
    side: float, ahead: float, ss: float, aa: float, sa: float
) -> tuple[float, float]:
    """Return the slopes of the two tangent planes.

    Args:
        side: x or y of the centre.
        ahead: z of the centre.
        ss: entry x x or y y of A A'.
        aa: entry z z of A A'.
        sa: entry x z or y z of A A'.
    """
    square = ahead**2 - aa
    half = side * ahead - sa
    root = math.sqrt(max(half**2 - square * (side**2 - ss), 0.0))
    return (half - root) / square, (half + root) / square


SIDES = ("left", "right", "top", "bottom", "back", "front")
"""The faces of a frustum, in order: -x, +x, -y (up), +y, -z, +z."""


def box(
    width: float, height: float, length: float, at: Sequence[float] = (0.0, 0.0, 0.0)
) -> Polytope:
    """Return a box that stands on the ground, or ``-at[1]`` above it.

    Args:
        width: size along x.
        height: size along y.
        length: size along z.
        at: (x, y, z) of the centre of the bottom face.
    """
    return frustum((width, length), (width, length), height, at)


def frustum(
    below: tuple[float, float],
    above: tuple[float, float],
    height: float,
    at: Sequence[float] = (0.0, 0.0, 0.0),
    shift: float = 0.0,
) -> Polytope:
    """Return a frustum with rectangular bottom and top faces, such as a car's cabin.

    Args:
        below: (width, length) of the bottom face.
        above: (width, length) of the top face.
        height: distance between the two.
        at: (x, y, z) of the centre of the bottom face.
        shift: offset of the top face along z.
    """
    x, y, z = at
    corners = []
    for (width, length), level, ahead in ((below, y, 0.0), (above, y - height, shift)):
        for sx in (-0.5, 0.5):
            for sz in (-0.5, 0.5):
                corners.append((x + sx * width, level, z + ahead + sz * length))
    lean_x = (below[0] - above[0]) / 2
    lean_back, lean_front = (
        (below[1] - above[1]) / 2 + shift,
        (below[1] - above[1]) / 2 - shift,
    )
    normals = np.array(
        [
            (-height, -lean_x, 0.0),
            (height, -lean_x, 0.0),
            (0.0, -1.0, 0.0),
            (0.0, 1.0, 0.0),
            (0.0, -lean_back, -height),
            (0.0, -lean_front, height),
        ]
    )
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    on = np.array([corners[0], corners[2], corners[4], corners[0], corners[0], corners[1]])
    return Polytope(normals, (normals * on).sum(axis=-1), np.array(corners))


def prism(points: Sequence[tuple[float, float]], thickness: float) -> Polytope:
    """Return an upright plate.

    Args:
        points: convex outline in (x, y), clockwise in an image with y down.
        thickness: thickness along z; the back and front faces are the last two.
    """
    outline = np.array(points, dtype=np.float64)
    edges = np.roll(outline, -1, axis=0) - outline
    normals = np.zeros((len(outline) + 2, 3))
    normals[:-2, 0], normals[:-2, 1] = edges[:, 1], -edges[:, 0]
    normals[-2], normals[-1] = (0, 0, -1), (0, 0, 1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    half = thickness / 2
    offsets = np.append((normals[:-2, :2] * outline).sum(axis=-1), [half, half])
    corners = np.concatenate(
        [np.column_stack([outline, np.full(len(outline), side)]) for side in (-half, half)]
    )
    return Polytope(normals, offsets, corners)
