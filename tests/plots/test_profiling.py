"""Tests of the plots of costs."""

import pytest
from matplotlib.figure import Figure

from lzu_viz.experiments.frozen import load, pareto
from lzu_viz.experiments.profiling import STAGES, Cost, Setting
from lzu_viz.plots import profiling as plots

FIXED = Setting("detector", (64, 96))
BOXES = FIXED._replace(saliency="boxes", separable=False)


def make_costs(scale: float = 1.0) -> dict[str, Cost]:
    """Return costs: stage k takes k + 1 milliseconds; network and head have FLOPs."""
    flops = {"network": 3000, "head": 1000}
    return {s: Cost(flops.get(s, 0), (k + 1) * 1e-3 * scale) for k, s in enumerate(STAGES)}


def test_show_stages_stacks_bars_in_order_of_the_stages() -> None:
    ax = Figure().subplots()
    bars = plots.show_stages(ax, {FIXED: make_costs(), BOXES: make_costs(2)})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(STAGES)
    for row, scale in ((0, 1), (1, 2)):
        starts = [container.patches[row].get_x() for container in bars]
        assert starts == pytest.approx([scale * x for x in (0, 1, 3, 6, 10, 15, 21)])
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["64×96, fixed, separable", "64×96, boxes, non-separable"]


def test_warp_share_is_relative_to_the_total_cost() -> None:
    assert plots.warp_share(make_costs(), "flops") == 0
    assert plots.warp_share(make_costs(), "seconds") == pytest.approx(1 - (4 + 7) / 28)
    flops, seconds = plots.show_shares(Figure().subplots(), {FIXED: make_costs()})
    assert flops.patches[0].get_width() == 0
    assert seconds.patches[0].get_width() == pytest.approx(100 * 17 / 28)


@pytest.mark.slow
def test_accuracy_and_cost_are_of_the_same_system() -> None:
    settings = pareto.settings()
    boxes_costs = {
        setting: make_costs(setting.upsample_factor)
        for setting in settings
        if setting.saliency == "boxes"
    }
    plain = {setting: make_costs(0.5) for setting in settings if setting.saliency == "uniform"}
    by_cost = pareto.accuracy_by_cost(load("detector"), boxes_costs | plain)
    rows = {row["system"]: row["ap50"] for row in load("detector").summary if row["rows"] == 192}
    for name, (system, *_) in pareto.SYSTEMS.items():
        assert by_cost[name][192][1] == rows[system]
    milliseconds = {name: row[192][0].seconds * 1e3 for name, row in by_cost.items()}
    expected = {"uniform": 14, "FOVEA": 17, "LZU, outputs": 28, "LZU, outputs twice as fine": 56}
    assert milliseconds == pytest.approx(expected)


def test_show_accuracy_by_cost_marks_the_selected_size() -> None:
    drawn = {
        "a": {128: (Cost(10**9, 0.01), 0.2), 256: (Cost(4 * 10**9, 0.04), 0.5)},
        "b": {128: (Cost(10**9, 0.02), 0.3)},
    }
    figure = Figure()
    plots.show_accuracy_by_cost(figure, 256, systems=drawn)
    left, right = figure.axes
    rings = [line for line in right.lines if line.get_markersize() == 16]
    assert [line.get_xydata().tolist() for line in rings] == [[[40.0, 0.5]]]
    assert left.lines[-1].get_xydata()[0].tolist() == [1.0, 0.3]
    assert figure.get_suptitle() == "256 rows: a 0.50 for 40 ms"
