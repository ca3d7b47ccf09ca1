"""The benchmark of the explorer, one short drag of each design: that it measures, not how much."""

import math

import pytest

from lzu_viz.bench import explorer

pytestmark = pytest.mark.browser


def test_measures_all_designs(chromium: str) -> None:
    result = explorer.run(drags=1, moves=20, updates=10)
    rows = {each["design"]: each for each in result["rows"]}
    assert list(rows) == ["explorer", "explorer_slow_link", "baseline"]
    for each in rows.values():
        assert each["movements"] > 10
        # A picture takes a frame at least, and its file would have been given up after a while.
        assert 5 < each["latency_ms"] <= each["latency_p90_ms"] < 30_000
        assert 0 < each["pictures_per_s"] <= 70
        assert 0 <= each["settled_ms"] < 30_000
        assert each["pictures_known"] > 0.9
    for name in ("segmenter_ms", "detector_ms", "times_baseline"):
        assert 0 <= rows["explorer"][name] < 30_000
    # Each way takes 150 ms longer.
    assert rows["explorer_slow_link"]["segmenter_ms"] > 200
    assert result["memory"]["updates"] == 10
    assert all(math.isfinite(each) and each > 0 for each in result["memory"].values())
    assert "latency, median, ms" in explorer.text(result)
