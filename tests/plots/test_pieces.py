"""Tests of the plots of the number of pieces."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from lzu_viz.plots import pieces
from lzu_viz.plots.palette import INK


@pytest.fixture
def ax() -> Axes:
    _, axes = plt.subplots()
    return axes


def test_chords_end_at_equally_spaced_nodes(ax: Axes) -> None:
    places = torch.linspace(-1, 1, 9)
    nodes = torch.tensor([-1.0, 0.125, 1.0])
    chords = pieces.show_cut(ax, places, places**3, nodes, "Cut")
    assert np.allclose(chords.get_xydata(), [(-1, -1), (0, 0.125), (1, 1)])
    assert np.allclose(ax.lines[0].get_ydata(), (places**3).numpy())
    assert chords.get_label() == "2 pieces"
    assert ax.get_title() == "Cut"


def test_show_errors_draws_a_power_law_as_a_straight_line(ax: Axes) -> None:
    counts = (4, 8, 16)
    (line,) = pieces.show_errors(ax, counts, {"square": [count**-2.0 for count in counts]})
    on_screen = ax.transData.transform(line.get_xydata())
    steps = np.diff(on_screen, axis=0)
    assert np.allclose(steps[0], steps[1])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["4", "8", "16"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["square"]


def test_curves_differ_in_colour_and_marker(ax: Axes) -> None:
    counts = (2, 4)
    errors = {str(index): [1.0, 0.5 / (index + 1)] for index in range(5)}
    lines = pieces.show_errors(ax, counts, errors)
    assert len({line.get_color() for line in lines}) == 5
    assert len({line.get_marker() for line in lines}) == 5


@pytest.mark.parametrize(("slope", "end"), [(-2.0, 1.0), (-1.0, 4.0), (-1.5, 2.0)])
def test_draw_slope_has_the_given_slope(ax: Axes, slope: float, end: float) -> None:
    line = pieces.draw_slope(ax, (4, 16), slope, start=16.0)
    assert np.allclose(line.get_xydata(), [(4, 16), (16, end)])
    assert [text.get_text() for text in ax.texts] == [f"{slope:g}"]


def test_error_bars_show_the_spread(ax: Axes) -> None:
    (drawn,) = pieces.show_against(ax, (2, 8), {"IoU": [0.25, 0.5]}, spread=[0.125, 0.0])
    (bars,) = drawn.lines[2]
    assert np.allclose(bars.get_segments()[0], [(2, 0.125), (2, 0.375)])
    assert np.allclose(drawn.lines[0].get_ydata(), [0.25, 0.5])
    assert ax.get_legend() is None


def test_the_uniform_value_is_a_dashed_line(ax: Axes) -> None:
    drawn = pieces.show_against(ax, (2, 8), {"a": [1, 2], "b": [2, 3]}, uniform=0.5, title="T")
    assert len(drawn) == 2
    assert ax.lines[-1].get_linestyle() == "--"
    assert set(ax.lines[-1].get_ydata()) == {0.5}
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert set(names) == {"a", "b", "uniform"}


def test_error_table_labels_each_cell(ax: Axes) -> None:
    values = torch.tensor([[100.0, 9.96, 2.04], [0.949, 0.5, 0.123]])
    drawn = pieces.show_error_table(ax, values, (8, 16), (2, 4, 8))
    texts = {text.get_position(): text.get_text() for text in ax.texts}
    assert texts[0, 0] == "100"
    assert texts[1, 0] == "10"
    assert texts[2, 0] == "2.0"
    assert texts[0, 1] == "0.95"
    assert texts[2, 1] == "0.12"
    assert np.allclose(drawn.get_array(), values.numpy())
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["100"] == INK
    assert colours["0.12"] == "white"


def test_error_table_of_another_shape_raises(ax: Axes) -> None:
    with pytest.raises(ValueError, match="rows x columns = 2 x 3"):
        pieces.show_error_table(ax, torch.ones(3, 2), (8, 16), (2, 4, 8))
