"""Tests of panels and figures: pixels, grids, masks, boxes, insets, axes."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from lzu_viz import Warp, saliency
from lzu_viz.plots import figures, panels
from lzu_viz.plots.palette import GRID, GROUND_TRUTH, PREDICTION

GREY = torch.full((1, 3, 60, 90), 0.5)


def pixels(drawn: Image.Image) -> np.ndarray:
    return np.asarray(drawn).astype(int)


def coloured(drawn: Image.Image, colour: str) -> np.ndarray:
    """Return a mask of the pixels that have a colour."""
    return (pixels(drawn) == ImageColor.getrgb(colour)).all(axis=-1)


def test_picture_preserves_the_pixels() -> None:
    image = torch.rand(1, 3, 5, 7)
    assert (
        np.abs(pixels(panels.picture(image)) / 255 - image[0].permute(1, 2, 0).numpy()).max()
        < 0.003
    )
    large = panels.picture(image, (50, 70), smooth=False)
    assert large.size == (70, 50)
    assert (pixels(large)[:10, :10] == pixels(panels.picture(image))[0, 0]).all()


def test_centred_preserves_the_aspect_ratio() -> None:
    page = panels.centred(panels.picture(GREY[..., :60]), (100, 200))
    assert page.size == (200, 100)
    inner = (pixels(page) == 128).all(axis=-1)
    assert inner[:, 50:150].all()
    assert not inner[:, :50].any()
    assert not inner[:, 150:].any()


def test_with_grid_draws_the_lines_of_the_warp() -> None:
    warp = Warp.from_axes(torch.tensor([[-1.0, 0.5, 1.0]]), torch.tensor([[-1.0, 1.0]]))
    lines = coloured(panels.with_grid(panels.picture(GREY), warp), GRID)
    assert lines[30].nonzero()[0].tolist() == [0, 66, 67, 89] or lines[30].sum() in (3, 4)
    assert abs(lines[30].nonzero()[0][1] / 89 * 2 - 1 - 0.5) < 0.03


def test_with_grid_thins_out_fine_grids() -> None:
    coarse, fine = (
        coloured(panels.with_grid(panels.picture(GREY, (600, 900)), Warp.identity((k, k))), GRID)
        for k in (16, 64)
    )
    assert (coarse == fine).mean() > 0.999


def test_mask_outline_and_boxes() -> None:
    mask = torch.zeros(1, 1, 60, 90, dtype=torch.bool)
    mask[..., 20:40, 30:60] = True
    tinted = pixels(panels.with_mask(panels.picture(GREY), mask))
    assert (tinted[:20] == 128).all()
    assert (tinted[21:39, 31:59] != 128).any(axis=-1).all()
    line = coloured(panels.with_outline(panels.picture(GREY), mask), GROUND_TRUTH)
    assert line[19, 40]
    assert not line[30, 45]
    box = torch.tensor([[-0.5, -0.5, 0.5, 0.5]])
    assert coloured(panels.with_boxes(panels.picture(GREY), box), PREDICTION)[15, 45]
    labelled = panels.with_boxes(panels.picture(GREY), box, ["person 0.90"])
    assert (
        coloured(labelled, PREDICTION).sum()
        > coloured(panels.with_boxes(panels.picture(GREY), box), PREDICTION).sum()
    )


@pytest.mark.parametrize(
    "box", [(-1.0, -1.0, -0.9, -0.9), (0.9, 0.9, 1.0, 1.0), (-1.0, -1.0, 1.0, 1.0)]
)
def test_score_and_close_up_are_below_the_picture(box: tuple[float, ...]) -> None:
    drawn = panels.picture(torch.rand(1, 3, 60, 190))
    out = panels.with_score(drawn, "0.91", "IoU", torch.tensor(box))
    assert out.size == (190, 60 + 4 + panels.SCORE_HEIGHT)
    below = pixels(out)[64:]
    assert (below[:, :80] < 100).any()
    assert (below[:, -panels.SCORE_HEIGHT :] != 255).mean() > 0.5
    # Of the picture, only a thin line around the box changes.
    assert (pixels(out)[:60] != pixels(drawn)).mean() < 0.1
    plain = panels.with_score(drawn, "0.91", "IoU")
    assert (pixels(plain)[:60] == pixels(drawn)).all()


def test_magnification_is_white_at_one_orange_above_and_purple_below() -> None:
    values = torch.tensor([[0.25, 1.0, 4.0, torch.nan]]).repeat_interleave(30, dim=1)
    drawn = pixels(panels.magnification_map(values, (200, 360)))[50, ::10]
    smaller, same, larger, unknown = drawn[4], drawn[13], drawn[22], drawn[31]
    assert smaller[2] > smaller[1] + 30  # purple
    assert same.min() > 230
    assert larger[0] > larger[2] + 60  # orange
    assert (unknown == unknown[0]).all()


def test_with_fovea_draws_a_ring_around_the_centre() -> None:
    drawn = panels.with_fovea(panels.picture(GREY, (300, 450)), (0.2, 0.0), 0.1)
    changed = (pixels(drawn) != 128).any(axis=-1)
    rows, columns = changed.nonzero()
    assert columns.mean() / 450 * 2 - 1 == pytest.approx(0.2, abs=0.02)
    assert np.ptp(columns) == pytest.approx(0.2 * 450, abs=4)
    assert np.ptp(rows) == pytest.approx(0.2 * 300, abs=4)


def test_sheet_and_jpeg() -> None:
    drawn = panels.picture(GREY)
    page = panels.sheet([("one", drawn), ("two", drawn), ("three", drawn)], 2, ["a line"])
    assert page.width > 2 * 90
    assert page.height > 2 * 60
    again = Image.open(io.BytesIO(panels.jpeg(page)))
    assert again.size == page.size


def test_figures_draw_on_the_given_axes() -> None:
    figure, ax = plt.subplots()
    shown = figures.show_image(ax, GREY, "grey")
    assert shown.get_array().shape == (60, 90, 3)
    assert ax.get_title() == "grey"
    warp = Warp.from_saliency(saliency.gaussian(torch.zeros(1, 1, 2), 0.1), (4, 6))
    figures.draw_grid(ax, warp)
    assert len(ax.lines) == 5 + 7
    assert ax.lines[0].get_xydata()[0].tolist() == [-1, -1]
    edge = figures.draw_box(ax, torch.tensor([-0.5, -0.25, 0.5, 0.75]))
    assert (edge.get_x(), edge.get_y(), edge.get_width(), edge.get_height()) == (-0.5, -0.25, 1, 1)
    figures.close_up(ax, torch.tensor([-0.5, -0.25, 0.5, 0.75]), times=2)
    assert ax.get_xlim() == (-1, 1)
    assert ax.get_ylim() == (1.75, -1.25)  # a square in pixels: the image is 60 x 90
    figure.canvas.draw()
    plt.close(figure)


def test_show_saliency_and_show_axis() -> None:
    figure, axes = plt.subplots(1, 2)
    saliency_map = saliency.gaussian(torch.zeros(1, 1, 2), 0.1)
    assert figures.show_saliency(axes[0], saliency_map).get_array().max() == saliency_map.max()
    curve = figures.show_axis(axes[1], Warp.from_saliency(saliency_map, (4, 6)))
    x, y = curve.get_data()
    assert (x[0], y[0]) == (-1, -1)
    assert len(x) == 7
    with pytest.raises(ValueError, match="non-separable"):
        figures.show_axis(axes[1], Warp.from_saliency(saliency_map, separable=False))
    figure.canvas.draw()
    plt.close(figure)


def test_with_note_draws_in_the_lower_left_corner() -> None:
    drawn = panels.with_note(panels.picture(GREY, (200, 300)), "nothing found")
    changed = (pixels(drawn) != 128).any(axis=-1)
    assert changed[160:, :150].any()
    assert not changed[:150].any()


def test_boxes_are_drawn_in_order() -> None:
    _, ax = plt.subplots()
    boxes = torch.tensor([[-0.5, -0.4, 0.1, 0.2], [0.0, 0.0, 1.0, 1.0]])
    first, second = figures.draw_boxes(ax, boxes, "red", width=4)
    assert first.get_xy() == pytest.approx((-0.5, -0.4))
    assert (second.get_width(), second.get_linewidth()) == (1, 4)
    assert figures.draw_boxes(ax, boxes[:0]) == []


def test_log_axis_labels_its_ticks() -> None:
    _, ax = plt.subplots()
    ax.plot((0.5, 8), (1, 2))
    figures.log_axis(ax, (0.5, 2, 8))
    assert ax.get_xscale() == "log"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.5", "2", "8"]
