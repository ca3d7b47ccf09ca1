"""Tests of the percentile bootstrap."""

import numpy as np
import pytest

from lzu_viz.metrics.bootstrap import percentile_interval, resample


def test_resamples_are_drawn_with_replacement_from_all_scenes() -> None:
    indices = resample(7, 500)
    assert indices.shape == (500, 7)
    assert set(indices.flat) == set(range(7))
    assert any(len(set(row)) < 7 for row in indices)
    # Each scene is drawn about once a resample.
    assert np.bincount(indices.ravel()) / 500 == pytest.approx(np.ones(7), abs=0.15)


def test_resamples_depend_on_the_seed_alone() -> None:
    assert np.array_equal(resample(20, 5, seed=3), resample(20, 5, seed=3))
    assert not np.array_equal(resample(20, 5, seed=3), resample(20, 5, seed=4))
    # More resamples continue the sequence of fewer.
    assert np.array_equal(resample(20, 9)[:5], resample(20, 5))


def test_interval_of_a_mean_matches_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    low, high = percentile_interval(values[resample(400, 4000)].mean(axis=1))
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_intervals_are_per_column_and_ignore_nan() -> None:
    statistics = np.stack([np.arange(101.0), np.full(101, np.nan), np.arange(101.0)], axis=1)
    statistics[50, 2] = np.nan
    low, high = percentile_interval(statistics, level=0.9)
    assert low == pytest.approx([5, np.nan, 4.95], nan_ok=True)
    assert high == pytest.approx([95, np.nan, 95.05], nan_ok=True)


@pytest.mark.parametrize("level", [0, 1, 95, float("nan")])
def test_invalid_level_raises(level: float) -> None:
    with pytest.raises(ValueError, match=r"level must be between 0 and 1.*got"):
        percentile_interval([1.0, 2.0], level)


def test_resampling_no_scenes_raises() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        resample(0, 10)
