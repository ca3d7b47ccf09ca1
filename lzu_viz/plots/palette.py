"""Colours that people with any colour vision can tell apart (Okabe and Ito, 2008)."""

import math

import numpy as np
from matplotlib import colormaps

FOVEA = "#E69F00"
"""Orange: where the reader looks."""

GRID = "#56B4E9"
"""Sky blue: the warp's pieces."""

ANSWER = "#0072B2"
"""Blue: what a network says."""

TRUTH = "#F0E442"
"""Yellow: what is true."""

PAPER = "#F4F4F4"
"""Light grey: where there is no picture."""

INK = "#1A1A1A"
"""Nearly black: writing."""

FOLD = "#C8102E"
"""Red, darker than all else: where the warp is folded."""

MARK = "#CC79A7"
"""Reddish purple: the place that the reader points at."""

SERIES = (ANSWER, FOVEA, FOLD, MARK, GRID)
"""For curves that have no colour of their own, in this order."""

MARKERS = ("o", "s", "^", "D", "v")
"""Likewise: no two curves differ in colour alone."""

MAP = (colormaps["cividis"](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)
"""`256 3`: from little (dark blue) to much (yellow), in an order that everybody sees."""


def nice(maximum: float) -> float:
    """Return a round upper end of a scale: 1, 2 or 5 times a power of ten, so that it seldom jumps.

    Example:
        >>> nice(3.2), nice(0.02), nice(70)
        (5.0, 0.02, 100.0)
    """
    if not maximum > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(maximum))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= maximum * 0.999))


def to_page() -> dict[str, str | bytes]:
    """Return the colours by name, and the colour maps as bytes, for the page."""
    names = ("FOVEA", "GRID", "ANSWER", "TRUTH", "FOLD", "MARK", "PAPER", "INK")
    return {**{name.lower(): globals()[name] for name in names}, "map": MAP.tobytes()}
