"""Tests of the plots of recorded training runs."""

import pytest
from matplotlib.figure import Figure

from lzu_viz.experiments.profiling import Cost
from lzu_viz.experiments.reproduce.results import Run, RunResult, load, select_results, spread
from lzu_viz.experiments.training.trained_systems import SYSTEMS
from lzu_viz.plots import reproduction as plots
from lzu_viz.plots.palette import SERIES


def result(system, seed, scale=0.25, task="detection", **metrics):
    return RunResult(task, system, scale, seed, "far", metrics, {}, {}, 1.0)


RESULTS = [
    *(result("uniform", seed, ap=0.2 + 0.1 * seed) for seed in (0, 1)),
    *(result("lzu", seed, ap=0.3 + 0.2 * seed) for seed in (0, 1)),
    *(result("fovea", seed, ap=0.1 + 0.3 * seed) for seed in (0, 1)),
]


def dots(ax):
    """Return the x coordinates of all dots, by row."""
    return {
        round(float(y)): [float(x) for x in line.get_xdata()]
        for line in ax.lines
        if line.get_marker() == "o"
        for y in line.get_ydata()
    }


def test_show_systems_draws_means_as_bars_and_seeds_as_dots():
    ax = Figure().subplots()
    plots.show_systems(ax, RESULTS, "ap", ["lzu", "uniform"], "title")
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.4, 0.25])
    assert dots(ax) == {0: pytest.approx([0.3, 0.5]), 1: pytest.approx([0.2, 0.3])}
    assert [text.get_text() for text in ax.get_yticklabels()] == ["lzu", "uniform"]
    top, bottom = (ax.transData.transform((0, row))[1] for row in (0, 1))
    assert top > bottom
    assert ax.get_xlabel() == "AP"


def test_gains_are_paired_by_seed_and_hollow_if_signs_differ():
    ax = Figure().subplots()
    plots.show_gains(ax, RESULTS, "ap", ["uniform", "lzu", "fovea"])
    assert dots(ax) == {1: pytest.approx([0.15]), 2: pytest.approx([0.0])}
    ranges = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 3]
    assert [list(xs) for xs in ranges] == [
        pytest.approx([0.1, 0.2]), pytest.approx([-0.1, 0.1]),
    ]  # fmt: skip
    faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"]
    assert faces == [SERIES[2], "white"]


def test_gain_of_one_seed_is_hollow():
    ax, one_seed = Figure().subplots(), select_results(RESULTS, seed=1)
    plots.show_gains(ax, one_seed, "ap", ["uniform", "lzu"])
    assert dots(ax) == {1: pytest.approx([0.2])}
    assert [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"] == [
        "white"
    ]
    assert not ax.texts[0].get_text().startswith("no other system")


def test_show_gains_says_that_there_is_none():
    ax = Figure().subplots()
    plots.show_gains(ax, select_results(RESULTS, system="uniform"), "ap", ["uniform"])
    assert not dots(ax)
    assert ax.texts[0].get_text().startswith("no other system was run")


def test_show_table_plots_results_and_raises_without_any():
    figure, ap = Figure(), ("detection", "ap")
    plots.show_table(figure, RESULTS, ap, "how to unzoom", 0.25)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["uniform", "fovea", "lzu"]
    assert right.get_ylim() == left.get_ylim()
    assert "seeds: 2" in figure.get_suptitle()
    with pytest.raises(
        ValueError, match=r"no result of detection at scale 0\.5 has the metric 'ap'"
    ):
        plots.show_table(figure, RESULTS, ap, "short table", 0.5)
    with pytest.raises(
        ValueError, match=r"no result of segmentation at scale 0\.25 has the metric 'miou'"
    ):
        plots.show_table(figure, RESULTS, ("segmentation", "miou"), "short table", 0.25)


def test_show_frontier_plots_accuracy_by_flops_and_time():
    results = [*RESULTS, result("lzu", 0, 0.5, ap=0.6)]
    costs = {
        Run("detection", "uniform", 0.25, 0): Cost(2_000_000_000, 0.010),
        Run("detection", "lzu", 0.25, 0): Cost(3_000_000_000, 0.020),
        Run("detection", "lzu", 0.5, 0): Cost(9_000_000_000, 0.090),
    }
    figure = Figure()
    plots.show_frontier(figure, results, costs, "detection", ["uniform", "lzu", "lz"], [0.5, 0.25])
    operations, times = (
        {line.get_label(): line.get_xydata().tolist() for line in ax.lines[1:]}
        for ax in figure.axes
    )
    assert operations == {
        "uniform": [pytest.approx([2, 0.25])],
        "lzu": [pytest.approx([3, 0.4]), pytest.approx([9, 0.6])],
    }
    assert times["lzu"] == [pytest.approx([20, 0.4]), pytest.approx([90, 0.6])]
    with pytest.raises(ValueError, match="no result of segmentation for the systems"):
        plots.show_frontier(figure, results, costs, "segmentation", ["lzu"], [0.25])


def test_every_figure_has_a_name_and_is_recorded():
    recorded = load()
    for task, name in plots.FIGURES:
        assert name in plots.NAMES
        assert spread(select_results(recorded, task=task), name).seeds
    assert set(plots.MAIN.items()) <= set(plots.FIGURES)


def test_groups_contain_every_system():
    assert {name for names in plots.GROUPS.values() for name in names} == set(SYSTEMS)
