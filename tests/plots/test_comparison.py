"""Plots of a comparison of systems on annotated images."""

import math

import numpy as np
from matplotlib.figure import Figure

from lzu_viz.plots.comparison import (
    SYSTEM_STYLES,
    show_average_precision,
    show_recall_by_height,
)

ROWS = [
    {"system": name, "size": [rows, 2 * rows], "ap": ap,
     "recall by height": [(30, 0.25), (40, ap), (3, 1.0), (0, math.nan)]}
    for name, rows, ap in (
        ("uniform", 128, 0.5), ("uniform", 64, 0.2), ("fovea", 64, 0.3), ("fovea", 128, 0.4),
    )
]  # fmt: skip


def test_average_precision_of_each_system_in_order_of_size() -> None:
    ax = Figure().subplots()
    uniform, fovea = show_average_precision(ax, ROWS)
    assert uniform.get_xydata().tolist() == [[64, 0.2], [128, 0.5]]
    assert fovea.get_xydata().tolist() == [[64, 0.3], [128, 0.4]]
    assert (uniform.get_label(), uniform.get_color()) == ("uniform", SYSTEM_STYLES["uniform"][0])


def test_recall_by_height_leaves_out_ranges_of_few_objects() -> None:
    ax = Figure().subplots()
    lines = show_recall_by_height(ax, ROWS[1:3])
    assert [line.get_label() for line in lines] == ["uniform", "fovea"]
    np.testing.assert_equal(lines[1].get_ydata(), [0.25, 0.3, math.nan, math.nan])
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["under 5 %\n(30)", "5 to 10 %\n(40)", "10 to 20 %\n(3)", "over 20 %\n(0)"]


def test_systems_differ_in_colour_and_marker() -> None:
    for values in zip(*SYSTEM_STYLES.values(), strict=True):
        assert len(set(values)) == len(SYSTEM_STYLES)
