"""Costs drawn: bars that add up, shares of what is counted, points where they belong."""

import pytest
from matplotlib.figure import Figure

from lzu_viz.experiments.frozen import load, pareto
from lzu_viz.experiments.profiling import STAGES, Cost, Setting
from lzu_viz.plots import profiling as plots

FIXED = Setting("detector", (64, 96))
BOXES = FIXED._replace(saliency="boxes", separable=False)


def priced(scale: float = 1.0) -> dict[str, Cost]:
    """Stage k takes k + 1 milliseconds; network and head have operations."""
    flops = {"network": 3000, "head": 1000}
    return {s: Cost(flops.get(s, 0), (k + 1) * 1e-3 * scale) for k, s in enumerate(STAGES)}


def test_bars_stand_end_to_end_in_the_order_of_the_work() -> None:
    ax = Figure().subplots()
    bars = plots.show_stages(ax, {FIXED: priced(), BOXES: priced(2)})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(STAGES)
    for row, scale in ((0, 1), (1, 2)):
        starts = [container.patches[row].get_x() for container in bars]
        assert starts == pytest.approx([scale * x for x in (0, 1, 3, 6, 10, 15, 21)])
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["64×96, fixed, separable", "64×96, boxes, non-separable"]


def test_the_warps_share_is_of_all_that_is_spent() -> None:
    assert plots.warp_share(priced(), "flops") == 0
    assert plots.warp_share(priced(), "seconds") == pytest.approx(1 - (4 + 7) / 28)
    flops, seconds = plots.show_shares(Figure().subplots(), {FIXED: priced()})
    assert flops.patches[0].get_width() == 0
    assert seconds.patches[0].get_width() == pytest.approx(100 * 17 / 28)


@pytest.mark.slow
def test_accuracy_and_cost_are_of_the_same_system() -> None:
    settings = pareto.settings()
    priced_anew = {
        setting: priced(setting.upsample_factor)
        for setting in settings
        if setting.saliency == "boxes"
    }
    plain = {setting: priced(0.5) for setting in settings if setting.saliency == "uniform"}
    by_cost = pareto.accuracy_by_cost(load("detector"), priced_anew | plain)
    rows = {row["system"]: row["ap50"] for row in load("detector").summary if row["rows"] == 192}
    for name, (system, *_) in pareto.SYSTEMS.items():
        assert by_cost[name][192][1] == rows[system]
    milliseconds = {name: row[192][0].seconds * 1e3 for name, row in by_cost.items()}
    expected = {"uniform": 14, "FOVEA": 17, "LZU, outputs": 28, "LZU, outputs twice as fine": 56}
    assert milliseconds == pytest.approx(expected)


def test_the_size_that_is_chosen_is_ringed_and_written() -> None:
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
