"""Slow, simple reference implementations in numpy, one value at a time."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def attract_point(
    x: float, y: float, saliency: Array, fwhm: tuple[float, float], anti_crop: bool, frames: int = 4
) -> tuple[float, float]:
    """Evaluate Recasens' sums at one point, over the frame and its continuation on every side.

    `frames` frames are added on each side, mirrored or continued by the last value.
    """
    rows, columns = saliency.shape
    mode = "symmetric" if anti_crop else "edge"
    wide = np.pad(saliency, ((frames * rows,) * 2, (frames * columns,) * 2), mode=mode)
    place_x = (2 * np.arange(-frames * columns, (frames + 1) * columns) + 1) / columns - 1
    place_y = (2 * np.arange(-frames * rows, (frames + 1) * rows) + 1) / rows - 1
    distance = ((place_x - x) / (2 * fwhm[1])) ** 2 + ((place_y[:, None] - y) / (2 * fwhm[0])) ** 2
    weight = wide * np.exp(-4 * math.log(2) * distance)
    total = weight.sum()
    return float((weight * place_x).sum() / total), float((weight.T * place_y).sum() / total)


def evaluate_point(grid: Array, x: float, y: float) -> Array:
    """Interpolate a control grid `rows+1 columns+1 2` at one point of [-1, 1]."""
    rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
    along_x, along_y = (x + 1) / 2 * columns, (y + 1) / 2 * rows
    column, row = min(int(along_x), columns - 1), min(int(along_y), rows - 1)
    u, v = along_x - column, along_y - row
    top = (1 - u) * grid[row, column] + u * grid[row, column + 1]
    bottom = (1 - u) * grid[row + 1, column] + u * grid[row + 1, column + 1]
    return np.asarray((1 - v) * top + v * bottom)


def invert_point(grid: Array, target: Array) -> Array | None:
    """Return the point that a control grid maps to `target`, by dividing pieces into quarters.

    A bilinear patch lies in the convex hull of its corners. Patches whose bounding box does not
    contain the target are discarded and the others divided into four, until they are smaller than
    rounding errors.
    """
    rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
    patches = [
        (column / columns * 2 - 1, row / rows * 2 - 1, 2 / columns, 2 / rows)
        for row in range(rows)
        for column in range(columns)
        if _may_contain(grid[row : row + 2, column : column + 2].reshape(4, 2), target)
    ]
    for _ in range(40):
        patches = [
            quarter
            for x, y, width, height in patches
            for quarter in (
                (x, y, width / 2, height / 2),
                (x + width / 2, y, width / 2, height / 2),
                (x, y + height / 2, width / 2, height / 2),
                (x + width / 2, y + height / 2, width / 2, height / 2),
            )
            if _may_contain(_corners(grid, *quarter), target)
        ]
    centres = [np.array([x + width / 2, y + height / 2]) for x, y, width, height in patches]
    return np.mean(centres, axis=0) if centres else None


def pieces_containing(grid: Array, target: Array) -> list[tuple[int, int]]:
    """Return (row, column) of all pieces whose straight edges enclose or touch `target`."""
    rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
    pieces = []
    for row in range(rows):
        for column in range(columns):
            corners = grid[[row, row, row + 1, row + 1], [column, column + 1, column + 1, column]]
            offset, edge = target - corners, np.roll(corners, -1, axis=0) - corners
            # A piece may have a corner that points inwards: count crossings of a ray to the right.
            crosses = (corners[:, 1] > target[1]) != (np.roll(corners[:, 1], -1) > target[1])
            with np.errstate(divide="ignore", invalid="ignore"):
                right = offset[:, 0] < offset[:, 1] * edge[:, 0] / edge[:, 1]
            near = np.abs(edge[:, 0] * offset[:, 1] - edge[:, 1] * offset[:, 0]) < 1e-9
            inside = (corners.min(0) - 1e-9 <= target) & (target <= corners.max(0) + 1e-9)
            if (crosses & right).sum() % 2 or (near.any() and inside.all()):
                pieces.append((row, column))
    return pieces


def _corners(grid: Array, x: float, y: float, width: float, height: float) -> Array:
    # Slightly inside the patch, so that the corners belong to its own piece.
    low, high = 1e-15, 1 - 1e-15
    return np.stack(
        [
            evaluate_point(grid, x + s * width, y + t * height)
            for s in (low, high)
            for t in (low, high)
        ]
    )


def _may_contain(corners: Array, target: Array) -> bool:
    slack = 1e-12
    return bool(
        (corners.min(axis=0) - slack <= target).all()
        and (target <= corners.max(axis=0) + slack).all()
    )


def sample_point(image: Array, x: float, y: float) -> Array:
    """Interpolate an image `c h w` bilinearly at one point; -1 and 1 are its outer edges."""
    _, rows, columns = image.shape
    column = min(max((x + 1) / 2 * columns - 0.5, 0), columns - 1)
    row = min(max((y + 1) / 2 * rows - 0.5, 0), rows - 1)
    left, top = min(int(column), columns - 2), min(int(row), rows - 2)
    s, t = column - left, row - top
    above = (1 - s) * image[:, top, left] + s * image[:, top, left + 1]
    below = (1 - s) * image[:, top + 1, left] + s * image[:, top + 1, left + 1]
    return np.asarray((1 - t) * above + t * below)


def first_inside(
    inside: Callable[[Array, Array, Array], NDArray[np.bool_]],
    ray: tuple[float, float],
    place: tuple[float, float, float],
    yaw: float,
    depths: tuple[float, float],
) -> float:
    """Return the depth at which a ray enters a solid; infinite if it never does.

    The ray is (x, y, 1) times the depth. `inside` takes points in the frame of the solid, whose
    origin is `place` and whose z axis points along (sin yaw, 0, cos yaw).
    """
    low, high = depths
    for _ in range(3):
        depth = np.linspace(low, high, 400)
        x, y, z = (
            depth * direction - start for direction, start in zip((*ray, 1.0), place, strict=True)
        )
        hit = inside(
            x * math.cos(yaw) - z * math.sin(yaw), y, x * math.sin(yaw) + z * math.cos(yaw)
        )
        if not hit.any():
            return math.inf
        first = int(hit.argmax())
        low, high = depth[max(first - 1, 0)], depth[first]
    return float(high)


def area_mean(source: Array, edges_y: Array, edges_x: Array) -> Array:
    """Average an image `c h w` over rectangles, pixel by pixel; edges in pixels from the corner."""

    def share(low: float, high: float, pixel: int, count: int) -> float:
        begin = -math.inf if pixel == 0 else pixel
        end = math.inf if pixel == count - 1 else pixel + 1
        return max(0.0, min(high, end) - max(low, begin)) / (high - low)

    def interval(first: float, second: float) -> tuple[float, float]:
        middle, length = (first + second) / 2, max(abs(second - first), 1.0)
        return middle - length / 2, middle + length / 2

    channels, height, width = source.shape
    means = np.zeros((channels, len(edges_y) - 1, len(edges_x) - 1))
    for i in range(len(edges_y) - 1):
        for j in range(len(edges_x) - 1):
            for row in range(height):
                for column in range(width):
                    weight = share(*interval(*edges_y[i : i + 2]), row, height)
                    weight *= share(*interval(*edges_x[j : j + 2]), column, width)
                    means[:, i, j] += weight * source[:, row, column]
    return means


def pyramid(image: Array, top: int) -> list[tuple[Array, Array]]:
    """Return the levels of a mipmap of an image `b c h w`, by repeated 2x2 means.

    The last row or column of an odd side is repeated. Each level comes with the fraction (x, y) of
    its extent that the original image covers.
    """
    extent = np.ones(2)
    levels = [(image, extent)]
    for _ in range(top):
        rows, columns = image.shape[-2:]
        padding = ((0, 0), (0, 0), (0, rows % 2), (0, columns % 2))
        image = np.pad(image, padding, mode="edge")
        extent = extent * [columns / image.shape[-1], rows / image.shape[-2]]
        image = (image[..., ::2, :] + image[..., 1::2, :]) / 2
        image = (image[..., ::2] + image[..., 1::2]) / 2
        levels.append((image, extent))
    return levels
