"""Tests of the plots of attraction: positions and colours."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from lzu_viz import saliency
from lzu_viz.plots import attraction
from lzu_viz.plots.palette import FOVEA


def axes_of(count: int = 1) -> list[Axes]:
    plt.close("all")
    _, axes = plt.subplots(count, 1, squeeze=False)
    return list(axes[:, 0])


CELLS = saliency.cell_centres(4, torch.zeros(1))
TERMS = {name: torch.tensor([1.0, 2.0, 3.0, 4.0]) for name in ("S", "k", "S k")}


def test_show_terms_draws_bars_as_high_as_the_values() -> None:
    axes = axes_of(3)
    bars = attraction.show_terms(axes, CELLS, TERMS, point=0.0, mapped=0.3)
    assert [bar.get_height() for bar in bars[2]] == [1, 2, 3, 4]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in bars[0]]
    assert middles == pytest.approx(CELLS.tolist())
    assert [ax.get_ylabel() for ax in axes] == list(TERMS)


@pytest.mark.parametrize("drawn", [-0.3, 0.3])
def test_labels_stand_on_the_sides_away_from_the_arrow(drawn: float) -> None:
    axes = axes_of(3)
    attraction.show_terms(axes, CELLS, TERMS, point=0.0, mapped=drawn)
    point, place = (text for text in axes[2].texts if text.get_text() in ("p", "T(p)"))
    assert (point.get_position()[0] < 0) == (drawn > 0)
    assert (place.get_position()[0] > drawn) == (drawn > 0)


def test_show_terms_raises_without_one_axis_per_term() -> None:
    with pytest.raises(ValueError, match="one axis per term, got 1 axes, 3 terms"):
        attraction.show_terms(axes_of(1), CELLS, TERMS, 0.0, 0.0)


def test_show_threads_connects_zoomed_and_source_coordinates() -> None:
    zoomed, source = torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([-1.0, 0.5, 1.0])
    threads = attraction.show_threads(axes_of()[0], zoomed, source).get_segments()
    assert np.allclose(threads[1], [[0.0, 1.0], [0.5, 0.0]])
    assert len(threads) == 3


@pytest.mark.parametrize("even", [True, False])
def test_curves_differ_in_colour_and_in_dashes(even: bool) -> None:
    (ax,) = axes_of()
    places = torch.linspace(-1, 1, 5)
    lines = attraction.show_curves(ax, places, {str(n): n * places for n in range(5)}, even=even)
    assert len({line.get_color() for line in lines}) == 5
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines}) == 5
    assert lines[2].get_ydata() == pytest.approx([-2, -1, 0, 1, 2])
    assert len(ax.get_lines()) == 5 + even


def test_colours_of_magnification_are_centred_at_one() -> None:
    (ax,) = axes_of()
    values = torch.tensor([[[0.25, 1.0, 4.0, torch.nan]]])
    drawn = attraction.show_magnification(ax, values)
    shades = drawn.to_rgba(values[0].numpy())[0]
    assert shades[1][:3] == pytest.approx([0.97] * 3, abs=0.02)
    assert shades[0][2] > shades[0][0]
    assert shades[2][0] > shades[2][2]
    assert ax.get_aspect() == pytest.approx(1 / 4)
    attraction.show_magnification(ax, values, shape=0.5)
    assert ax.get_aspect() == 0.5


@pytest.mark.parametrize("several", [True, False])
def test_scale_is_labelled_with_powers_of_two(several: bool) -> None:
    axes = axes_of(2)
    drawn = attraction.show_magnification(axes[0], torch.ones(1, 2, 2), maximum=4)
    bar = attraction.add_scale(drawn, axes if several else axes[0])
    assert [text.get_text() for text in bar.ax.get_yticklabels()] == ["0.25", "0.5", "1", "2", "4"]


def test_fovea_is_a_ring_at_one_standard_deviation() -> None:
    ring = attraction.draw_fovea(axes_of()[0], (0.2, -0.4), 0.1)
    # Two standard deviations across; a fraction of the side is twice as long in [-1, 1].
    assert (ring.width, ring.height) == pytest.approx((0.4, 0.4))
    assert to_hex(ring.get_edgecolor()).upper() == FOVEA


def test_dim_unseen_dims_only_what_is_out_of_view() -> None:
    (ax,) = axes_of()
    ax.set_aspect(0.5)
    veil = attraction.dim_unseen(ax, torch.tensor([[[True, False]]])).get_array()
    assert veil is not None
    assert veil[0, 0, 3] == 0
    assert veil[0, 1, 3] == 0.75
    assert ax.get_aspect() == 0.5
