"""Solids of which things are built, and where rays of a pinhole camera meet them.

A thing stands upright: between its own frame and the camera's lie a turn about the vertical and a
shift. Both frames have x to the right, y down and z ahead, in metres.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Faces = NDArray[np.int8]
"""Indices of a polytope's faces."""


class Rays(NamedTuple):
    """Rays from the camera through a lattice of the picture: directions (x, y, 1).

    Attributes:
        x: `columns`.
        y: `rows`.
    """

    x: Array
    y: Array


class Pose(NamedTuple):
    """Where a thing stands in the camera's frame.

    Attributes:
        place: (x, y, z) of its origin, on the ground.
        yaw: its z axis points along (sin yaw, 0, cos yaw).
    """

    place: tuple[float, float, float]
    yaw: float


class Local(NamedTuple):
    """Rays in a thing's own frame: each part of a direction goes with its row or its column alone.

    Attributes:
        x: `columns`, of the directions.
        y: `rows`.
        z: `columns`.
        origin: (x, y, z) of the camera.
    """

    x: Array
    y: Array
    z: Array
    origin: tuple[float, float, float]


class Hits(NamedTuple):
    """Where rays meet a solid.

    Attributes:
        depth: `rows columns`, z in the camera's frame, infinite where they miss it.
        face: `rows columns`, the index of the face that is met, wherever one is; None of an
            ellipsoid, which has no faces.
    """

    depth: Array
    face: Faces | None


Bounds = tuple[float, float, float, float]
"""(left, top, right, bottom) of a picture, as ray directions x and y with z = 1."""

Extent = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""(least, largest) x, y and z in metres."""


class Solid(Protocol):
    """A convex solid in a thing's own frame."""

    def hit(self, rays: Local) -> Hits:
        """Return where rays meet it first."""
        ...

    def bounds(self, pose: Pose) -> Bounds | None:
        """Return where its picture lies; None if it is behind the camera.

        Of a solid that reaches behind the camera they are infinite: it may fill the picture.
        """
        ...

    def extent(self) -> Extent:
        """Return how far it reaches in the thing's frame."""
        ...

    def normals(self, points: Array) -> Array:
        """Return outer normals of length 1: `n 3` of a polytope's faces, else `k 3` at points."""
        ...


NEAR = 0.3
"""Nothing nearer than this is drawn, in metres."""

EVERYWHERE: Bounds = (-math.inf, -math.inf, math.inf, math.inf)
"""Where the picture of a solid may lie that reaches behind the camera."""


def local(rays: Rays, pose: Pose) -> Local:
    """Turn rays into the frame of a thing."""
    sine, cosine = math.sin(pose.yaw), math.cos(pose.yaw)
    x, y, z = (-each for each in pose.place)
    origin = (cosine * x - sine * z, y, sine * x + cosine * z)
    return Local(
        np.float32(cosine) * rays.x - np.float32(sine),
        rays.y,
        np.float32(sine) * rays.x + np.float32(cosine),
        origin,
    )


def in_camera(points: NDArray[np.float64], pose: Pose) -> NDArray[np.float64]:
    """Turn points `k 3` of a thing into the camera's frame."""
    sine, cosine = math.sin(pose.yaw), math.cos(pose.yaw)
    x, y, z = points.T
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=-1) + pose.place


class _Span:
    """Between which depths rays run inside all faces so far, and the face through which they came.

    Attributes:
        enter: depth of the last face entered.
        leave: of the first left.
        face: index of the last entered, -1 for none.
    """

    def __init__(self, enter: Array, leave: Array | None = None, face: Faces | None = None) -> None:
        self.enter = enter
        self.leave = np.full_like(enter, np.inf) if leave is None else leave
        self.face = np.full(enter.shape, -1, np.int8) if face is None else face

    def cut(self, along: Array, rest: float, index: int) -> None:
        """Cut by the plane that a ray reaches at ``rest / along``.

        Args:
            along: growth of the distance from the plane along each ray, outwards.
            rest: how far inside of it the camera is.
            index: of the face.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.float32(rest) / along
        if rest >= 0:
            np.minimum(self.leave, np.where(along > 0, reach, np.inf), out=self.leave)
            return
        reach = np.where(along < 0, reach, np.inf)
        later = reach > self.enter
        np.copyto(self.enter, reach, where=later)
        np.copyto(self.face, index, where=later)


@dataclass(frozen=True, eq=False)
class Polytope:
    """A convex solid with flat faces: all points with faces . point <= offsets.

    Attributes:
        faces: `n 3`, outer normals of length 1.
        offsets: `n`.
        corners: `m 3`.
    """

    faces: NDArray[np.float64]
    offsets: NDArray[np.float64]
    corners: NDArray[np.float64]

    def hit(self, rays: Local) -> Hits:
        """Return where rays meet it first: behind the last face entered, before the first left.

        Upright faces are met at a depth that depends on the column alone, level ones on the row
        alone; only a leaning face takes a number for each ray.
        """
        apart = self.offsets - self.faces @ np.array(rays.origin)
        columns = _Span(np.full(len(rays.x), NEAR, np.float32))
        rows = _Span(np.full(len(rays.y), NEAR, np.float32))
        leaning = []
        for index, (normal, rest) in enumerate(zip(self.faces, apart, strict=True)):
            nx, ny, nz = (np.float32(part) for part in normal)
            if ny == 0:
                columns.cut(nx * rays.x + nz * rays.z, rest, index)
            elif nx == 0 and nz == 0:
                rows.cut(ny * rays.y, rest, index)
            else:
                leaning.append((nx * rays.x + nz * rays.z, ny * rays.y, rest, index))
        by_row = rows.enter[:, None] > columns.enter
        both = _Span(
            np.where(by_row, rows.enter[:, None], columns.enter),
            np.minimum(rows.leave[:, None], columns.leave),
            np.where(by_row, rows.face[:, None], columns.face),
        )
        for across, down, rest, index in leaning:
            both.cut(across + down[:, None], rest, index)
        both.enter[(both.enter > both.leave) | (both.face < 0)] = np.inf
        return Hits(both.enter, both.face)

    def bounds(self, pose: Pose) -> Bounds | None:
        """Return the bounds of its corners' pictures."""
        x, y, z = in_camera(self.corners, pose).T
        if z.max() <= NEAR:
            return None
        if z.min() <= NEAR:
            return EVERYWHERE
        x, y = x / z, y / z
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())

    def extent(self) -> Extent:
        """Return that of its corners."""
        x, y, z = np.stack([self.corners.min(axis=0), self.corners.max(axis=0)], axis=1).tolist()
        return x, y, z

    def normals(self, points: Array) -> Array:
        """Return the normals of the faces `n 3`."""
        return self.faces.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """A ball, drawn out along the thing's axes.

    Attributes:
        centre: (x, y, z).
        radii: likewise.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]

    def hit(self, rays: Local) -> Hits:
        """Solve (o + t d)^2 = 1 in the frame where it is the unit ball.

        The root of (o . d)^2 - d^2 (o^2 - 1) is written as d^2 - (o x d)^2, which does not subtract
        large numbers for what is small and far.
        """
        ox, oy, oz = (
            np.float32((o - c) / r)
            for o, c, r in zip(rays.origin, self.centre, self.radii, strict=True)
        )
        dx, dy, dz = (
            each / np.float32(r)
            for each, r in zip((rays.x, rays.y, rays.z), self.radii, strict=True)
        )
        square = (dx * dx + dz * dz)[None, :] + (dy * dy)[:, None]
        half = (ox * dx + oz * dz)[None, :] + (oy * dy)[:, None]
        level = (oz * dx - ox * dz)[None, :]
        across = oy * dz[None, :] - oz * dy[:, None]
        along = ox * dy[:, None] - oy * dx[None, :]
        root = square - level * level - across * across - along * along
        with np.errstate(invalid="ignore"):
            depth = (-half - np.sqrt(root)) / square
            depth[~(depth > NEAR)] = np.inf
        return Hits(depth, None)

    def bounds(self, pose: Pose) -> Bounds | None:
        """Return the directions of the planes through the camera that touch it.

        The plane x = u z touches where (c . n)^2 = n' A A' n with n = (1, 0, -u), a quadratic in u.
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
        left, right = _touching(cx, cz, xx, zz, xz)
        top, bottom = _touching(cy, cz, yy, zz, 0.0)
        return left, top, right, bottom

    def extent(self) -> Extent:
        """Return the radii to both sides of the centre."""
        x, y, z = ((at - r, at + r) for at, r in zip(self.centre, self.radii, strict=True))
        return x, y, z

    def normals(self, points: Array) -> Array:
        """Return the gradient of the ball's equation, made as long as 1."""
        centre, radii = np.array(self.centre, np.float32), np.array(self.radii, np.float32)
        slope: Array = (points - centre) / radii**2
        normals: Array = slope / np.linalg.norm(slope, axis=-1, keepdims=True)
        return normals


def _touching(side: float, ahead: float, ss: float, aa: float, sa: float) -> tuple[float, float]:
    """Solve for the slopes of the two planes that touch.

    Args:
        side: x or y of the centre.
        ahead: z of it.
        ss: entry of A A' for x x or y y.
        aa: for z z.
        sa: for x z or y z.
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
        width: along x.
        height: along y.
        length: along z.
        at: (x, y, z) of the middle of its underside.
    """
    return frustum((width, length), (width, length), height, at)


def frustum(
    below: tuple[float, float],
    above: tuple[float, float],
    height: float,
    at: Sequence[float] = (0.0, 0.0, 0.0),
    shift: float = 0.0,
) -> Polytope:
    """Return a box whose top is smaller or larger than its underside, as a car's cabin is.

    Args:
        below: (width, length) of the underside.
        above: (width, length) of the top.
        height: between the two.
        at: (x, y, z) of the middle of the underside.
        shift: how far the top lies ahead of the underside.
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
        points: its outline in (x, y), convex, clockwise as seen on a picture with y down.
        thickness: along z; its back and front are the last two faces.
    """
    outline = np.array(points, dtype=np.float64)
    along = np.roll(outline, -1, axis=0) - outline
    normals = np.zeros((len(outline) + 2, 3))
    normals[:-2, 0], normals[:-2, 1] = along[:, 1], -along[:, 0]
    normals[-2], normals[-1] = (0, 0, -1), (0, 0, 1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    half = thickness / 2
    offsets = np.append((normals[:-2, :2] * outline).sum(axis=-1), [half, half])
    corners = np.concatenate(
        [np.column_stack([outline, np.full(len(outline), side)]) for side in (-half, half)]
    )
    return Polytope(normals, offsets, corners)
