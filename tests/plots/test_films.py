"""Pictures of systems on the frames of a film, and the table of their recall."""

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image, ImageColor
from torch import Tensor

from lzu_viz import Warp
from lzu_viz.experiments.films import STRONG
from lzu_viz.geometry.boxes import Detections
from lzu_viz.plots import palette
from lzu_viz.plots.films import (
    WIDTH,
    comparison_panels,
    frame_panels,
    labels_of,
    show_recall_table,
)
from lzu_viz.plots.reproduction import colour_of
from lzu_viz.systems.video import FrameResult

BOX = torch.tensor([[0.1, -0.2, 0.3, 0.2]])
HALF = torch.tensor([[-0.5, -0.5, 0.5, 0.5]])
NOTHING = torch.zeros(0, 4)


def detections(boxes: Tensor) -> Detections:
    return Detections(boxes, torch.arange(len(boxes)), torch.linspace(0.9, 0.5, len(boxes)))


def pixels(picture: Image.Image, colour: str) -> int:
    """Return the number of pixels of a colour."""
    return int((np.asarray(picture) == ImageColor.getrgb(colour)).all(axis=-1).sum())


def test_labels_name_class_and_score() -> None:
    boxes = BOX.repeat(3, 1)
    assert labels_of(detections(boxes), ["person", "dog"]) == ["person 0.90", "dog 0.70", "2 0.50"]


@pytest.mark.parametrize("system", ["fovea", "lzu"])
def test_each_panel_shows_its_systems_boxes(system: str) -> None:
    frame = torch.full((1, 3, 60, 90), 0.4)
    nothing = torch.zeros(0, 4)
    uniform = FrameResult(detections(BOX - 0.4), Warp.identity((1, 1)), nothing)
    zoom = FrameResult(detections(BOX), STRONG.warp(BOX), BOX + 0.3)
    panels = comparison_panels(frame, system, uniform, zoom, (32, 48), ["person"], width=240)
    assert [panel.size for panel in panels] == [(240, 160)] * 3
    source, zoomed, plain = panels
    found, uniformly = colour_of(system), colour_of("uniform")
    assert pixels(source, found) > 100
    assert pixels(source, palette.GRID) > 500
    assert pixels(source, palette.INK) > 20  # under the dashes
    assert pixels(plain, uniformly) > 100
    assert pixels(plain, found) == pixels(source, uniformly) == pixels(zoomed, found) == 0


def test_labels_of_boxes_that_touch_do_not_overlap() -> None:
    """Check that each of several labels is as large as one alone, or as its score alone."""
    frame = torch.full((1, 3, 100, 100), 0.4)
    nothing = torch.zeros(0, 4)
    identity = Warp.identity((1, 1))
    empty = FrameResult(detections(nothing), identity, nothing)

    def inked(count: int) -> int:
        shift = torch.tensor([0.22, 0.0, 0.22, 0.0])
        boxes = BOX - 0.3 + shift * torch.arange(count)[:, None]
        result = FrameResult(detections(boxes), identity, nothing)
        panels = comparison_panels(frame, "fovea", empty, result, (32, 32), ["x"] * 9, width=400)
        # Text is blended with its background, which is brighter than the frame.
        return int((np.asarray(panels[0]).sum(axis=-1) < 200).sum())

    assert inked(0) == 0
    assert inked(3) > 1.8 * inked(1) > 0


def result(boxes: Tensor, expected: Tensor, warp: Warp) -> FrameResult:
    count = len(boxes)
    detections = Detections(boxes, torch.full((count,), 1), torch.full((count,), 0.5))
    return FrameResult(detections, warp, expected)


def test_panels_show_detections_above_and_the_input_below() -> None:
    frame = torch.full((1, 3, 60, 80), 0.5)
    frame[..., 20:40, 30:50] = 1.0
    right = Warp.from_axes(torch.tensor([[0.0, 1.0]]), torch.tensor([[-1.0, 1.0]]))
    results = [result(NOTHING, NOTHING, Warp.identity((1, 1))), result(HALF, NOTHING, right)]
    drawn = np.asarray(frame_panels(frame, ["uniform", "fovea"], results, (60, 80), ["cat", "dog"]))
    height = WIDTH * 60 // 80
    assert drawn.shape == (2 * height, 2 * WIDTH, 3)
    above, below = np.split(drawn, 2)
    # A blue edge of the box at a quarter of the width, on the right only.
    for panel, is_blue in zip(np.split(above, 2, axis=1), (False, True), strict=True):
        red, _, blue = panel[height // 2, WIDTH // 4].astype(int)
        assert (blue > red + 80) == is_blue
    # The bright square begins left of the middle in the source, and on the left in the zoom.
    uniform, zoomed = np.split(below, 2, axis=1)
    assert uniform[height // 2, WIDTH // 2].min() > 240
    assert uniform[height // 2, 5].max() < 140
    assert zoomed[height // 2, 5].min() > 240


def records() -> list[dict[str, Any]]:
    return [
        {"system": name, "size": [rows, 2 * rows], "recall": recall}
        for name, recalls in {"uniform": (0.4, 0.8), "fovea": (0.6, 0.7)}.items()
        for rows, recall in zip((64, 128), recalls, strict=True)
    ]


def test_table_shows_recall_and_gain() -> None:
    ax = Figure().subplots()
    drawn = show_recall_table(ax, records(), "Recall")
    assert [text.get_text() for text in ax.texts] == [
        "0.40", "0.80", "0.60  (+0.20)", "0.70  (-0.10)",
    ]  # fmt: skip
    assert np.asarray(drawn.get_array()) == pytest.approx(np.array([[0, 0], [0.2, -0.1]]))
    assert drawn.get_clim() == pytest.approx((-0.2, 0.2))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["64 x 128", "128 x 256"]
