"""Percentile bootstrap of a statistic over scenes (Efron, "Bootstrap methods", 1979)."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def resample(count: int, n_resamples: int, seed: int = 0) -> NDArray[np.int64]:
    """Return indices of scenes, drawn with replacement.

    Args:
        count: number of scenes, at least 1.
        n_resamples: number of resamples.
        seed: of the random generator.

    Returns:
        `n_resamples count`, in 0..count - 1.

    Raises:
        ValueError: there are no scenes.
    """
    if count < 1:
        raise ValueError("expected at least one scene to resample, got none")
    return np.random.default_rng(seed).integers(0, count, (n_resamples, count))


def percentile_interval(
    statistics: ArrayLike, level: float = 0.95
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the central interval that holds a part of the resampled statistics.

    Args:
        statistics: `n` or `n k`: of each resample one value, or `k` values.
        level: confidence level, between 0 and 1.

    Returns:
        The lower and the upper end, each a scalar or `k`. NaN values are left out; where all are
        NaN, so are both ends.

    Raises:
        ValueError: the level is not between 0 and 1.

    Example:
        >>> low, high = percentile_interval(np.arange(101.0), level=0.9)
        >>> round(float(low), 6), round(float(high), 6)
        (5.0, 95.0)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, as 0.95 for 95 %, got {level!r}")
    outside = (1 - level) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        low, high = np.nanquantile(np.asarray(statistics), (outside, 1 - outside), axis=0)
    return low, high
