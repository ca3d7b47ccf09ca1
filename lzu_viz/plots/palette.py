"""Colour-blind safe palette (Okabe and Ito, 2008)."""

import math

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

FOVEA = "#E69F00"
"""Orange: the fovea."""

GRID = "#56B4E9"
"""Sky blue: the pieces of a warp."""

PREDICTION = "#0072B2"
"""Blue: predictions."""

GROUND_TRUTH = "#F0E442"
"""Yellow: ground truth."""

PAPER = "#F4F4F4"
"""Light grey: background, and pixels without a value."""

INK = "#1A1A1A"
"""Nearly black: text."""

FOLD = "#C8102E"
"""Dark red: folds of a warp."""

MARK = "#CC79A7"
"""Reddish purple: a marked point."""

SERIES = (PREDICTION, FOVEA, FOLD, MARK, GRID)
"""Colours of curves without a fixed colour, in order."""

MARKERS = ("o", "s", "^", "D", "v")
"""Markers of these curves, so that no two curves differ in colour alone."""

MAP = (colormaps["cividis"](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)
"""`256 3`: the colour map cividis, from low (dark blue) to high (yellow), perceptually uniform."""

DIVERGING = (colormaps["PuOr_r"](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)
"""`256 3`: purple below 1, white at 1, orange above 1, on a logarithmic scale."""


def position_about_one(values: NDArray[np.floating], top: float) -> NDArray[np.floating]:
    """Return positions in 0..1 in the colour map ``DIVERGING``: 1/top is 0, 1 is 0.5, top is 1.

    Example:
        >>> position_about_one(np.array([0.25, 1.0, 2.0]), top=4).tolist()
        [0.0, 0.5, 0.75]
    """
    position: NDArray[np.floating] = 0.5 + np.log(values) / (2 * math.log(top))
    return position.clip(0, 1)


def top_about_one(lowest: float, highest: float) -> float:
    """Return the upper end of a scale about 1, a power of two.

    Example:
        >>> top_about_one(0.3, 3.1), top_about_one(1.0, 1.0), top_about_one(0.1, 2.0)
        (4.0, 2.0, 16.0)
    """
    ratio = max(highest, 1 / lowest if lowest > 0 else 1.0, 2.0)
    return float(2.0 ** math.ceil(math.log2(ratio * 0.999)))


def round_up(maximum: float) -> float:
    """Return a round upper limit for an axis: 1, 2 or 5 times a power of ten, 1 if not positive.

    Example:
        >>> round_up(3.2), round_up(0.02), round_up(70)
        (5.0, 0.02, 100.0)
    """
    if not maximum > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(maximum))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= maximum * 0.999))


def to_page() -> dict[str, str | bytes]:
    """Return the colours by name and the colour map as bytes, for the page."""
    names = ("FOVEA", "GRID", "PREDICTION", "GROUND_TRUTH", "FOLD", "MARK", "PAPER", "INK")
    maps = {"map": MAP.tobytes(), "diverging": DIVERGING.tobytes()}
    return {**{name.lower(): globals()[name] for name in names}, **maps}
