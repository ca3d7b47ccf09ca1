"""Tests of the plots of adaptive saliency on video."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_rgba

from lzu_viz import Warp, saliency
from lzu_viz.geometry.boxes import Detections
from lzu_viz.plots import palette, video
from lzu_viz.systems.video import FrameResult

BOX = torch.tensor([[-0.5, -0.4, 0.1, 0.2]])


@pytest.fixture
def axes():
    figure, axes = plt.subplots(1, 2)
    yield axes
    plt.close(figure)


def test_show_step_draws_ground_truth_expected_and_detected_boxes(axes):
    image = torch.linspace(0, 1, 30).expand(1, 3, 20, 30)
    warp = Warp.from_saliency(saliency.from_boxes_scale_free(BOX, 3.0))
    other = torch.tensor([[-0.9, -0.9, 0.9, 0.9]])
    detections = Detections(torch.cat([BOX + 0.2, other]), torch.tensor([0, 74]), torch.ones(2))
    (expected,), zoomed = video.show_step(
        *axes, image, FrameResult(detections, warp, BOX), BOX + 0.1, (10, 15), "frame 3"
    )
    assert expected.get_xy() == pytest.approx((-0.5, -0.4))
    assert (expected.get_width(), expected.get_height()) == pytest.approx((0.6, 0.6))
    assert [patch.get_xy()[1] for patch in axes[0].patches] == pytest.approx([-0.3, -0.4, -0.2])
    colours = [to_rgba(patch.get_edgecolor()) for patch in axes[0].patches]
    assert colours == [
        to_rgba(colour) for colour in (palette.GROUND_TRUTH, palette.FOVEA, palette.PREDICTION)
    ]
    assert axes[0].get_title() == "frame 3"
    expected_image = warp.zoom(image, (10, 15))[0].movedim(0, -1)
    assert torch.allclose(torch.as_tensor(zoomed.get_array()), expected_image, atol=1e-6)


def test_show_hits_draws_one_square_per_frame_and_row_per_system(axes):
    squares = video.show_hits(axes[0], {"uniform": [True, False, False], "adaptive": [False] * 3})
    assert [square.get_facecolor() == to_rgba(palette.PREDICTION) for square in squares] == [
        True
    ] + [False] * 5
    middles = [square.get_xy()[0] + square.get_width() / 2 for square in squares]
    assert middles == pytest.approx([0, 1, 2] * 2)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["uniform", "adaptive"]
    assert axes[0].yaxis_inverted()  # the first system on top


def test_show_means_plots_means_and_intervals(axes):
    rows = {"uniform": [(0.2, 0.1, 0.4), (0.3, 0.2, 0.5)], "another": [(0.6, 0.5, 0.8)] * 2}
    drawn = video.show_means(axes[0], rows, ["0", "0.01"], "recall")
    for container, values in zip(drawn, rows.values(), strict=True):
        line, _, (bars,) = container
        assert line.get_ydata().tolist() == pytest.approx([mean for mean, _, _ in values])
        assert line.get_xdata().round().tolist() == [0, 1]
        for (low, high), value in zip(bars.get_segments(), values, strict=True):
            assert (low[1], high[1]) == pytest.approx(value[1:])
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["0", "0.01"]
    assert [line.get_color() for line, _, _ in drawn] == [palette.INK, palette.INK]
    assert axes[0].get_title() == "recall"
