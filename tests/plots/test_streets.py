"""Tests of the plots of driving scenes and of losses."""

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lzu_viz.datasets.driving import CLASSES, driving
from lzu_viz.datasets.streets import GroundTruth
from lzu_viz.metrics.detection3d import Detections3D
from lzu_viz.plots import reproduction as results_plots
from lzu_viz.plots import streets as plots


def axes():
    return Figure().subplots()


@pytest.mark.parametrize("yaw", [0.0, 0.4, math.pi / 2, -2.0])
def test_corners_of_a_rotated_box(yaw: float) -> None:
    box = torch.tensor([[2.0, 1.0, 20.0, 1.8, 1.5, 4.2, yaw]])
    corners = plots.corners(box)[0]
    assert corners.mean(dim=0) == pytest.approx(box[0, :3], abs=1e-5)
    # The centre of the front face is half a length ahead of the box's centre, along the yaw.
    front = corners[1::2].mean(dim=0) - box[0, :3]
    assert front == pytest.approx(
        torch.tensor([2.1 * math.sin(yaw), 0, 2.1 * math.cos(yaw)]), abs=1e-5
    )
    assert (corners[:, 1].max() - corners[:, 1].min()).item() == pytest.approx(1.5)


def test_projected_3d_boxes_match_2d_boxes() -> None:
    street = driving(4, size=(96, 320))
    camera = street.camera.intrinsics[0, [0, 0, 1], [0, 2, 2]]
    drawn = plots.draw_boxes_3d(axes(), street.boxes_3d, camera, (96, 320), "red")
    lines = np.array(drawn.get_segments())
    assert len(lines) == 12 * len(street.boxes)
    for edges, box in zip(lines.reshape(-1, 24, 2), street.boxes.numpy(), strict=True):
        inside = np.abs(box) < 0.99
        bounds = np.concatenate([edges.min(axis=0), edges.max(axis=0)])
        assert bounds[inside] == pytest.approx(box[inside], abs=0.05)


def test_boxes_behind_the_camera_are_not_drawn() -> None:
    box = torch.tensor([[0.0, 1.0, -5.0, 1.8, 1.5, 4.2, 0.0]])
    drawn = plots.draw_boxes_3d(axes(), box, torch.tensor([90.0, 80, 24]), (48, 160), "red")
    assert len(drawn.get_segments()) == 0


def test_show_from_above_fills_ground_truth_boxes() -> None:
    ax = axes()
    ground_truth = torch.tensor([[-8.0, 1.0, 30.0, 2.0, 1.5, 4.0, 0.0]])
    plots.show_from_above(
        ax, ground_truth, ground_truth + 1, torch.tensor([90.0, 80, 24]), (48, 160)
    )
    ring, other = (patch.get_path().vertices for patch in ax.patches[1:])
    assert ring.min(axis=0) == pytest.approx([-9, 28])
    assert ring.max(axis=0) == pytest.approx([-7, 32])
    assert other.min(axis=0)[1] > ring.min(axis=0)[1]
    assert ax.patches[1].get_fill()


def test_class_legend_lists_every_class() -> None:
    ax = axes()
    plots.class_legend(ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(CLASSES)


def test_boxes_are_drawn_in_their_class_colour() -> None:
    street, ax = driving(4, size=(48, 160)), axes()
    plots.draw_labelled(ax, street.boxes, street.labels)
    assert len(ax.patches) == len(street.boxes)
    assert len({patch.get_edgecolor() for patch in ax.patches}) == len(set(street.labels.tolist()))


class SingleStreet:
    """A dataset of one street, held in memory."""

    size = (48, 160)

    def __init__(self) -> None:
        street = driving(4, size=self.size)
        self.picture = street.image
        camera = street.camera.intrinsics[0, [0, 0, 1], [0, 2, 2]]
        self.ground_truth = [
            GroundTruth(street.boxes, street.labels, street.boxes_3d, street.boxes, camera)
        ]

    def image(self, scenes: list[int]) -> torch.Tensor:
        return self.picture


def make_detections_3d(off: float = 0.0, turn: int = 0, count: int = 3) -> list[Detections3D]:
    (ground_truth,) = SingleStreet().ground_truth
    boxes = ground_truth.boxes_3d[:count] + torch.tensor([0, 0, off, 0, 0, 0, 0])
    return [
        Detections3D(
            boxes, (ground_truth.labels[:count] + turn) % 3, torch.linspace(0.9, 0.5, count)
        )
    ]


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes]


@pytest.mark.slow
def test_show_in_space_counts_matches_by_class_and_distance() -> None:
    one, figure = SingleStreet(), Figure()
    detections = {
        "LZU": make_detections_3d(off=3.0),
        "far off": make_detections_3d(off=60.0),
        "uniform": make_detections_3d(turn=1),
    }
    many = len(one.ground_truth[0].boxes)
    for name, right in (("LZU", 3), ("far off", 0)):
        figure.clear()
        plots.show_in_space(figure, 0, name, 0.1, streets=one, detections=detections)
        assert titles(figure)[0] == f"{name}: {right} of {many} found within 4 m"
    figure.clear()
    plots.show_in_space(figure, 0, "LZU", 0.8, streets=one, detections=detections)
    assert "LZU: 1 of" in titles(figure)[0]
    plots.show_in_space(Figure(), 0, "LZU", 0.95, streets=one, detections=detections)


def test_boxes_of_another_class_are_not_counted() -> None:
    (ground_truth,) = SingleStreet().ground_truth
    (title,) = make_detections_3d(turn=1, count=1)
    assert plots._near(title.boxes, title.labels, ground_truth) == 0
    assert plots._near(title.boxes, ground_truth.labels[:1], ground_truth) >= 1


def test_show_in_space_draws_the_same_boxes_in_all_views() -> None:
    figure = Figure()
    plots.show_in_space(
        figure, 0, "LZU", 0.6, streets=SingleStreet(), detections={"LZU": make_detections_3d()}
    )
    by_start = {title[:3]: ax for title, ax in zip(titles(figure), figure.axes, strict=True)}
    whole, middle, above = (by_start[start] for start in ("LZU", "clo", "fro"))
    for ax in (whole, middle):
        true, drawn = (np.array(lines.get_segments()) for lines in ax.collections)
        assert drawn == pytest.approx(true[: len(drawn)])
        assert len(drawn) == 2 * 12
    assert middle.get_xlim() == (-0.5, 0.5)
    assert whole.get_xlim() == (-1, 1)
    assert len(above.patches) == 1 + len(SingleStreet().ground_truth[0].boxes) + 2


def test_show_depths_groups_points_by_class() -> None:
    ax = axes()
    true, predicted = torch.tensor([10.0, 20, 30, 40]), torch.tensor([11.0, math.nan, 33, 20])
    plots.show_depths(ax, true, predicted, torch.tensor([0, 0, 2, 2]))
    cars, pedestrians, signs = ax.lines[3:]
    assert cars.get_xydata()[0] == pytest.approx([10, 11])
    assert len(pedestrians.get_xydata()) == 0
    assert signs.get_xydata().tolist() == [[30, 33], [40, 20]]
    assert ax.lines[2].get_ydata() == pytest.approx(1.1 * np.array(ax.lines[0].get_ydata()))


# --- results ---------------------------------------------------------------------------------


def test_losses_are_smoothed_over_past_steps_only() -> None:
    assert results_plots.smoothed([4.0, 2.0, 0.0], over=2) == [4.0, 3.0, 1.0]
    assert results_plots.smoothed([]) == []


def test_show_losses_has_fixed_limits() -> None:
    ax = axes()
    (line,) = results_plots.show_losses(ax, {"lzu": [3.0, 1.0]}, 10)
    assert line.get_ydata() == pytest.approx([3, 2])
    assert ax.get_xlim() == (0, 10)


def test_systems_of_a_family_share_a_colour() -> None:
    assert results_plots.colour_of("lzu-fine") == results_plots.colour_of("lzu")
    assert results_plots.colour_of("lzu") != results_plots.colour_of("uniform")
