"""Tests of the plots of the limits."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb

from lzu_viz import Warp, saliency
from lzu_viz.plots import limits
from lzu_viz.plots.palette import FOLD, GROUND_TRUTH, PREDICTION


@pytest.fixture
def ax() -> Iterator[Axes]:
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_show_answer_tints_mask_and_draws_boxes_over_ground_truth(ax: Axes) -> None:
    mask = torch.zeros(1, 1, 20, 30, dtype=torch.bool)
    mask[..., 4:8, 20:] = True
    ground_truth = torch.tensor([[-0.5, -0.4, 0.1, 0.2]])
    drawn = limits.show_answer(
        ax, torch.ones(1, 3, 20, 30), mask, ground_truth + 0.1, ground_truth, "title"
    )
    tint = np.asarray(drawn.get_array())
    assert ((tint[..., 3] > 0) == mask[0, 0].numpy()).all()
    assert tint[5, 25, :3] == pytest.approx(to_rgb(PREDICTION))
    assert 0.3 < tint[5, 25, 3] < 0.9  # the image remains visible
    first, second = ax.patches
    assert (to_hex(first.get_edgecolor()), to_hex(second.get_edgecolor())) == (
        GROUND_TRUTH.lower(),
        PREDICTION.lower(),
    )
    assert second.get_xy() == pytest.approx((-0.4, -0.3))
    assert ax.get_title() == "title"


def test_show_answer_without_detections_draws_no_boxes(ax: Axes) -> None:
    none, mask = torch.zeros(0, 4), torch.zeros(1, 1, 20, 30, dtype=torch.bool)
    limits.show_answer(ax, torch.ones(1, 3, 20, 30), mask, none, none)
    assert not ax.patches


def area(vertices: np.ndarray) -> float:
    x, y = vertices[:, 0], vertices[:, 1]
    return float(abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2)


def test_show_budget_has_equal_areas_of_gain_and_loss(ax: Axes) -> None:
    saliency_map = saliency.gaussian(torch.tensor([[[0.5, -0.3]]]), sigma=0.1)
    warp = Warp.from_saliency(saliency.mix(saliency.uniform(), saliency_map))
    gained, lost = limits.show_budget(ax, warp.magnification((96, 160)))
    areas = [sum(area(path.vertices) for path in part.get_paths()) for part in (gained, lost)]
    assert areas[0] == pytest.approx(areas[1], rel=0.03)
    assert areas[0] > 0.1


def test_show_budget_raises_if_source_is_out_of_view(ax: Axes) -> None:
    with pytest.raises(ValueError, match="out of view"):
        limits.show_budget(ax, torch.full((1, 4, 4), torch.nan))


def test_show_gain_plots_values_and_intervals(ax: Axes) -> None:
    curves = {"boxes": {0.0: (0.2, 0.1, 0.4), 0.4: (-0.3, -0.5, -0.2)}, "masks": {0.1: (0, 0, 0)}}
    drawn = limits.show_gain(ax, curves, "title", "widths")
    line, _, (bars,) = drawn[0]
    assert list(line.get_xdata()) == [0.0, 0.4]
    assert list(line.get_ydata()) == [0.2, -0.3]
    ends = [(low[1], high[1]) for low, high in bars.get_segments()]
    assert np.allclose(ends, [(0.1, 0.4), (-0.5, -0.2)])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["boxes", "masks"]
    assert (ax.get_title(), ax.get_xlabel()) == ("title", "widths")


def test_show_ranked_has_the_greatest_loss_on_top(ax: Axes) -> None:
    gains = {"a": (-0.1, -0.2, 0.1), "b": (-0.4, -0.5, -0.3), "c": (0.3, 0.2, 0.5)}
    line, _, (bars,) = limits.show_ranked(ax, gains)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "a", "b"]
    assert [bar.get_width() for bar in ax.patches] == [0.3, -0.1, -0.4]
    colours = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert colours == [PREDICTION.lower(), FOLD.lower(), FOLD.lower()]
    assert list(line.get_xdata()) == [0.3, -0.1, -0.4]
    assert np.allclose([(low[0], high[0]) for low, high in bars.get_segments()][2], (-0.5, -0.3))


def test_show_ranked_raises_without_gains(ax: Axes) -> None:
    with pytest.raises(ValueError, match="at least one gain"):
        limits.show_ranked(ax, {})
