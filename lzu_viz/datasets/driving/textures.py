"""Procedural textures: a paint maps points on the surface of a solid to colours.

Only fine detail such as windows, lights or stripes distinguishes a car from a container or a sign
from its grey back. At low resolution they look alike.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .solids import SIDES, Array, Faces

Colour = tuple[float, float, float]
"""(red, green, blue), each in 0..1."""

TOP, BACK, FRONT = (SIDES.index(name) for name in ("top", "back", "front"))
"""Indices of faces of a frustum."""


class Surface(NamedTuple):
    """Visible points of a solid.

    Attributes:
        points: `k 3`, in the object's own frame.
        face: `k`, index of a polytope's face at each point; -1 for an ellipsoid.
    """

    points: Array
    face: Faces


Paint = Callable[[Surface], Array]
"""Maps visible points to colours `k 3` in 0..1."""


def _tile(side: int = 256, seed: int = 7) -> Array:
    """Return a periodic tile of smooth noise of several scales, in -1..1."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.fft2(rng.standard_normal((side, side)))
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    smooth = np.fft.ifft2(spectrum / np.maximum(wave, 1 / side) ** 1.2).real
    tile: Array = np.clip(smooth / smooth.std() / 2, -1, 1).astype(np.float32)
    return tile


TILE = _tile()
"""`256 256`, periodic smooth noise in -1..1."""


def noise(first: Array, second: Array, size: float, smooth: bool = False) -> Array:
    """Return noise in -1..1 as a function of two coordinates, periodic after ``size`` metres.

    Args:
        first: `k`, coordinates in metres.
        second: `k`, coordinates in metres.
        size: side length of the tile in metres.
        smooth: whether to interpolate bilinearly, which is about four times slower.

    Returns:
        `k`, noise at each point.
    """
    scale, last = np.float32(len(TILE) / size), len(TILE) - 1
    row, column = first * scale, second * scale
    if not smooth:
        nearest: Array = TILE[row.astype(np.int32) & last, column.astype(np.int32) & last]
        return nearest
    above, left = np.floor(row).astype(np.int32), np.floor(column).astype(np.int32)
    down, right = (row - above).astype(np.float32), (column - left).astype(np.float32)
    near, far = (TILE[(above + offset) & last, left & last] for offset in (0, 1))
    near_right, far_right = (TILE[(above + offset) & last, (left + 1) & last] for offset in (0, 1))
    near, far = near + right * (near_right - near), far + right * (far_right - far)
    mixed: Array = near + down * (far - near)
    return mixed


def plain(colour: Colour, grain: float = 0.0, size: float = 3.0) -> Paint:
    """Return a paint of one colour with grain.

    Args:
        colour: mean colour.
        grain: strength of the grain, relative to the colour.
        size: period of the grain in metres.
    """
    base = np.array(colour, np.float32)

    def paint(surface: Surface) -> Array:
        if not grain:
            return np.broadcast_to(base, surface.points.shape)
        x, y, z = surface.points.T
        mottled = noise(x, y, size) + noise(z, y, size) + noise(x, z, size)
        return base * (1 + np.float32(grain / 2) * mottled)[:, None]

    return paint


Mask = NDArray[np.bool_]

Where = Callable[[Array, Array, Array, Faces], Mask]
"""Maps x, y, z and faces of points, all `k`, to whether each point is painted."""


def painted(base: Colour, *layers: tuple[Where, Colour]) -> Paint:
    """Return a paint of a base colour with layers, each where its function is true."""
    ground = np.array(base, np.float32)

    def paint(surface: Surface) -> Array:
        colours = np.empty_like(surface.points)
        colours[:] = ground
        x, y, z = surface.points.T
        for where, colour in layers:
            colours[where(x, y, z, surface.face)] = colour
        return colours

    return paint


def shade(colour: Colour, factor: float) -> Colour:
    """Return a colour multiplied by a factor."""
    red, green, blue = colour
    return factor * red, factor * green, factor * blue


DARK: Colour = (0.05, 0.05, 0.06)
GLASS: Colour = (0.10, 0.14, 0.18)
RED: Colour = (0.75, 0.06, 0.06)
WHITE: Colour = (0.93, 0.93, 0.90)
GREY: Colour = (0.50, 0.51, 0.52)
BLUE: Colour = (0.10, 0.25, 0.62)


def _ends(face: Faces) -> Mask:
    ends: Mask = (face == BACK) | (face == FRONT)
    return ends


def car_body(colour: Colour, width: float, wheel: float) -> Paint:
    """Return the paint of a car's body: doors, wheel arches, lights, bumpers, number plates.

    Args:
        colour: colour of the car.
        width: width of the body, in metres.
        wheel: distance of the axles from the centre, in metres.
    """
    lamp = 0.3 * width
    seam = shade(colour, 0.55)

    return painted(
        colour,
        (lambda x, y, z, face: ~_ends(face) & (np.abs(z - 0.05) < 0.03), seam),
        (lambda x, y, z, face: y > -0.36, DARK),
        (
            lambda x, y, z, face: (
                ~_ends(face) & ((np.abs(z) - wheel) ** 2 + (y + 0.32) ** 2 < 0.42**2)
            ),
            DARK,
        ),
        (
            lambda x, y, z, face: (face == FRONT) & (np.abs(x) < lamp) & (np.abs(y + 0.6) < 0.1),
            DARK,
        ),
        (
            lambda x, y, z, face: (face == FRONT) & (np.abs(x) > lamp) & (y < -0.55) & (y > -0.78),
            (1.0, 0.98, 0.85),
        ),
        (lambda x, y, z, face: (face == BACK) & (np.abs(x) > lamp) & (y < -0.5) & (y > -0.8), RED),
        (lambda x, y, z, face: _ends(face) & (np.abs(x) < 0.3) & (np.abs(y + 0.45) < 0.07), WHITE),
    )


def car_cabin(colour: Colour, top: float, base: float) -> Paint:
    """Return the paint of a car's cabin: windows, with pillars and roof of the car's colour.

    Args:
        colour: colour of the car.
        top: height of the roof above the ground, in metres.
        base: height of the cabin's lower edge above the ground, in metres.
    """

    def glass(x: Array, y: Array, z: Array, face: Faces) -> Mask:
        height = (y < -base - 0.05) & (y > -top + 0.07)
        across = np.where(_ends(face), np.abs(x) < 0.62, np.abs(z + 0.2) > 0.06)
        panes: Mask = height & across & (face != TOP)
        return panes

    return painted(colour, (glass, GLASS))


def wheel() -> Paint:
    """Return the paint of a wheel, with tyre and hub."""
    hub = (0.55, 0.56, 0.58)
    return painted(
        DARK, (lambda x, y, z, face: ((np.abs(z) - 1.35) ** 2 + (y + 0.32) ** 2) < 0.17**2, hub)
    )


def head(skin: Colour, hair: Colour, centre: float) -> Paint:
    """Return the paint of a head, with the face in front, hair behind and on top.

    Args:
        skin: colour of the face.
        hair: colour of the hair.
        centre: y of the head's centre, in metres.
    """
    return painted(skin, (lambda x, y, z, face: (z < -0.01) | (y < centre - 0.06), hair))


def striped(first: Colour, second: Colour, size: float) -> Paint:
    """Return a paint of horizontal stripes in two colours, with a period of ``size`` metres."""
    return painted(
        first, (lambda x, y, z, face: np.sin(y * np.float32(2 * np.pi / size)) > 0, second)
    )


def round_sign(rim: Colour, inner: Colour, mark: Colour, radius: float, high: float) -> Paint:
    """Return the paint of a round sign: a rim and two marks like digits, with a grey back.

    Args:
        rim: colour of the rim.
        inner: colour inside the rim.
        mark: colour of the marks.
        radius: radius of the disc, in metres.
        high: height of the centre above the ground, in metres.
    """

    def ring(x: Array, y: Array, z: Array, face: Faces) -> Mask:
        outer: Mask = x**2 + (y + high) ** 2 > (0.74 * radius) ** 2
        return outer

    def digits(x: Array, y: Array, z: Array, face: Faces) -> Mask:
        upright = np.abs(np.abs(x) - 0.24 * radius) < 0.11 * radius
        marks: Mask = upright & (np.abs(y + high) < 0.42 * radius)
        return marks

    return painted(inner, (digits, mark), (ring, rim), (_from_behind, GREY))


def _from_behind(x: Array, y: Array, z: Array, face: Faces) -> Mask:
    return z < 0


def triangle_sign(radius: float, high: float) -> Paint:
    """Return the paint of a warning sign: red rim, white field, black bar and grey back."""

    def field(x: Array, y: Array, z: Array, face: Faces) -> Mask:
        return (y + high < 0.26 * radius) & (np.abs(x) * 1.75 < (y + high + 0.5 * radius))

    def bar(x: Array, y: Array, z: Array, face: Faces) -> Mask:
        return (np.abs(x) < 0.08 * radius) & (y + high < 0.2 * radius) & (y + high > -0.2 * radius)

    return painted(RED, (field, WHITE), (bar, DARK), (_from_behind, GREY))


def square_sign(radius: float, high: float) -> Paint:
    """Return the paint of a pedestrian crossing sign: blue with a white triangle, grey back."""

    def inner(x: Array, y: Array, z: Array, face: Faces) -> Mask:
        return (y + high < 0.5 * radius) & (np.abs(x) * 1.6 < (y + high + 0.6 * radius))

    return painted(BLUE, (inner, WHITE), (_from_behind, GREY))


def container(colour: Colour) -> Paint:
    """Return the paint of a ribbed container."""
    dark = shade(colour, 0.62)
    return painted(colour, (lambda x, y, z, face: np.sin((x + z) * 9) > 0.55, dark))


def crate(colour: Colour) -> Paint:
    """Return the paint of a crate of planks."""
    dark = shade(colour, 0.6)
    return painted(
        colour,
        (lambda x, y, z, face: np.abs(np.mod(y, 0.25)) < 0.04, dark),
        (lambda x, y, z, face: np.abs(np.abs(x) - np.abs(z)) < 0.05, dark),
    )


def facade(
    wall: Colour, glass: Colour, lit: float, storey: float, bay: float, height: float
) -> Paint:
    """Return the paint of a facade: rows of windows, a dark ground floor and a cornice.

    Args:
        wall: colour between the windows.
        glass: colour of unlit windows.
        lit: approximate fraction of lit windows.
        storey: height of a storey, in metres.
        bay: horizontal distance between windows, in metres.
        height: height of the building, in metres.
    """
    base, panes = np.array(wall, np.float32), np.array(glass, np.float32)
    lamp = np.array((0.95, 0.82, 0.55), np.float32)

    def paint(surface: Surface) -> Array:
        x, y, z = surface.points.T
        face = surface.face
        along: Array = np.where(_ends(face), x, z)
        up = -y
        colours = base * (1 + np.float32(0.07) * noise(along, up, 9.0))[:, None]
        column, row = along / np.float32(bay), up / np.float32(storey)
        bay_number, storey_number = np.floor(column), np.floor(row)
        left = np.abs(column - bay_number - 0.5)
        low = np.abs(row - storey_number - 0.55)
        upright = face != TOP
        window = (left < 0.27) & (low < 0.28) & (up > storey) & (up < height - 0.6) & upright
        pane = np.flatnonzero(window)
        frame = pane[(left[pane] > 0.22) | (low[pane] > 0.24)]
        number = bay_number[pane].astype(np.int32) * 71 + storey_number[pane].astype(np.int32) * 37
        bright = TILE[number & 255, (number * 3) & 255] > np.float32(1 - 2 * lit)
        colours[pane] = panes
        colours[pane[bright]] = lamp * np.float32(0.8)
        colours[frame] = base * np.float32(1.25)
        shop = (up < storey * 0.85) & (left < 0.4) & (up > 0.4) & upright
        colours[shop] = panes * np.float32(0.8)
        colours[(np.abs(up - storey) < 0.12) | (up > height - 0.45)] = base * np.float32(0.78)
        clipped: Array = np.clip(colours, 0, 1)
        return clipped

    return paint


def leaves(colour: Colour) -> Paint:
    """Return the paint of leaves."""
    return plain(colour, grain=0.55, size=2.6)
