"""Tests of the plots of intervals."""

import matplotlib.pyplot as plt
import pytest

from lzu_viz.plots.intervals import dodge, draw_intervals

INTERVALS = [(0.5, 0.25, 1.0), (0.2, 0.2, 0.3)]


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


@pytest.mark.parametrize("horizontal", [False, True])
def test_error_bars_span_their_intervals(ax, horizontal):
    drawn = draw_intervals(
        ax, [3, 7], INTERVALS, colour="red", mark="s", label="name", horizontal=horizontal
    )
    marks, _, (bars,) = drawn
    along, across = (1, 0) if horizontal else (0, 1)
    assert marks.get_data()[along].tolist() == [3, 7]
    assert marks.get_data()[across].tolist() == [0.5, 0.2]
    for segment, place, (_, low, high) in zip(bars.get_segments(), (3, 7), INTERVALS, strict=True):
        assert segment[:, along].tolist() == [place, place]
        assert segment[:, across] == pytest.approx([low, high])
    assert (marks.get_color(), marks.get_marker(), drawn.get_label()) == ("red", "s", "name")


def test_mean_outside_its_interval_has_a_one_sided_bar(ax):
    _, _, (bars,) = draw_intervals(ax, [0], [(0.1, 0.2, 0.4)], colour="red", mark="o")
    assert bars.get_segments()[0][:, 1] == pytest.approx([0.1, 0.4])


def test_dodge_shifts_series_symmetrically():
    moved = [dodge(3, number, of=3, apart=0.1) for number in range(3)]
    assert moved[1] == [0, 1, 2]
    assert moved[0] == pytest.approx([-0.1, 0.9, 1.9])
    assert moved[2] == pytest.approx([0.1, 1.1, 2.1])
