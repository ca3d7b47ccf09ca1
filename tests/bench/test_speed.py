"""Tests of the benchmarks of inverse and zoom: timing, official code, reports."""

import io
import json
import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from lzu_viz import Warp
from lzu_viz.bench import busy, inverse, stages, timing, zoom
from lzu_viz.bench.__main__ import main
from lzu_viz.bench.official import Official
from lzu_viz.bench.report import CannotRun, Progress
from lzu_viz.plots.timings import show_inverses

INVERT = """
import torch

def invert_grid(grid, shape, separable=False):
    return torch.zeros(shape[0], shape[2], shape[3], 2)
"""

GRID = """
import numpy as np
import torch
from mmdet3d.models.builder import MODELS

class RecasensSaliencyToGridMixin:
    def __init__(self, output_shape, grid_shape, separable, attraction_fwhm):
        self.filter = torch.from_numpy(np.ones(3, dtype=np.float)).cuda()

    def nonseparable_saliency_to_grid(self, images, saliency, device):
        return None, saliency.expand(1, 2, -1, -1).permute(0, 2, 3, 1)

    def separable_saliency_to_grid(self, images, x, y, device):
        return None, torch.cat([x.mean() * y, y], 1)

@MODELS.register_module()
class FixedGrid(RecasensSaliencyToGridMixin):
    pass
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a stand-in for the official repository: the same files and requirements."""
    (tmp_path / "lzu").mkdir()
    (tmp_path / "lzu" / "invert_grid.py").write_text(INVERT)
    (tmp_path / "lzu" / "fixed_grid.py").write_text(GRID)
    saliency_map = torch.linspace(1, 2, 27 * 48).view(1, 1, 27, 48)
    (tmp_path / "saliency.pkl").write_bytes(pickle.dumps(saliency_map, protocol=4))
    return tmp_path


def quiet() -> Progress:
    return Progress(1, io.StringIO())


# --- timing -------------------------------------------------------------------------------------


def test_medians_alternates_and_repeats_slow_functions_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, order = [0.0], list[str]()

    def run(name: str, seconds: float) -> None:
        order.append(name)
        clock[0] += seconds

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    seconds_by_name = timing.medians(
        {
            "quick": lambda: run("quick", 0.005),
            "long": lambda: run("long", 0.15),
            "slow": lambda: run("slow", 3.0),
        },
        5, quiet(), "all",
    )  # fmt: skip
    assert seconds_by_name == pytest.approx({"quick": 0.005, "long": 0.15, "slow": 3.0})
    assert order[:6] == ["quick", "long", "slow", "quick", "long", "quick"]
    assert [order.count(name) for name in ("quick", "long", "slow")] == [6, 4, 1]


def test_medians_repeats_quick_functions_within_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]

    def run() -> None:
        clock[0] += 0.001

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    seconds_by_name = timing.medians({"it": run}, 2, quiet(), "it")
    assert seconds_by_name["it"] == pytest.approx(0.001)
    assert clock[0] == pytest.approx(0.001 + 2 * timing.MIN_SAMPLE_SECONDS)


def test_peak_mb_is_the_peak_memory_of_a_call() -> None:
    grown = timing.peak_mb(lambda: torch.ones(32 << 18))
    if grown is None:
        pytest.skip("this system does not report peak memory")
    assert 25 < grown < 60


# --- the official code --------------------------------------------------------------------------


def test_official_code_runs_unmodified(checkout: Path) -> None:
    official = Official(checkout)
    saliency_map = official.saliency()
    assert torch.equal(saliency_map, torch.linspace(1, 2, 27 * 48).view(1, 1, 27, 48))
    assert official.invert(torch.zeros(1, 27, 48, 2), (4, 5), separable=True).shape == (1, 4, 5, 2)
    assert official.grid_maker(saliency_map, 10, separable=False)().shape == (1, 27, 48, 2)
    assert not hasattr(torch.zeros(1).cuda, "__wrapped__")
    with pytest.raises(ModuleNotFoundError):
        __import__("mmdet3d")


def test_code_in_a_pickle_is_not_executed(checkout: Path) -> None:
    mark = checkout / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (mark,)

    (checkout / "saliency.pkl").write_bytes(pickle.dumps((Evil(), torch.ones(1, 1, 2, 2)), 4))
    Official(checkout).saliency()
    assert not mark.exists()


def test_folder_without_the_official_code_raises(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CannotRun, match=r"no lzu/invert_grid.py.*expected a checkout"):
        Official(tmp_path)
    assert main(["zoom", "--official", str(tmp_path)]) == 1
    assert "expected a checkout" in capsys.readouterr().err


# --- reports ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_inverse_benchmark_reports_and_plots_ratios(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(inverse, "SIZES", ((8, 16), (16, 32)))
    monkeypatch.setattr(inverse, "DETAIL_SIZE", (16, 32))
    monkeypatch.setattr(inverse, "BATCHES", (1, 2))
    monkeypatch.setattr(inverse, "CHANNELS", 4)
    monkeypatch.setattr(inverse, "POINTS", 2)
    path, picture = tmp_path / "said.json", tmp_path / "said.png"
    arguments = ["inverse", "--official", str(checkout), "--rounds", "1", "--json", str(path)]
    assert main([*arguments, "--picture", str(picture)]) == 0
    result = json.loads(path.read_text())
    assert {(r["look"], r["separable"], r["batch"]) for r in result["rows"]} == {
        (which, separable, batch)
        for which in ("nuScenes", "strong") for separable in (True, False) for batch in (1, 2)
    }  # fmt: skip
    alone = next(r for r in result["rows"] if not r["separable"] and r["threads"] == 1)
    contenders = {"ours", "official", "scipy", "scikit-image", "sample", "obvious"}
    assert set(alone["seconds"]) == contenders
    assert all(seconds > 0 for row in result["rows"] for seconds in row["seconds"].values())
    assert all(
        error["holes"] == 0 and error["worst, px"] < 1e-3 for error in result["error"].values()
    )
    assert result["gradient"]["relative error"] < 1e-4
    printed = capsys.readouterr().out
    assert "official/ours" in printed
    assert "nuScenes, non-separable" in printed
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_zoom_benchmark_reports_every_contender(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(zoom, "ZOOMS", (((64, 64), (16, 16)),))
    monkeypatch.setattr(zoom, "UNZOOMS", (((8, 8), (16, 16)),))
    monkeypatch.setattr(zoom, "PLATE", 128)
    monkeypatch.setattr(zoom, "SEEN", 32)
    assert main(["zoom", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    for name in (
        "grid from saliency, separable",
        "means, new warp",
        "mipmap, new warp",
        "rms error",
        "kornia's pyramid",
        "channels last",
    ):
        assert name in printed


def test_busy_benchmark_reports_times_and_ends_its_processes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    begin = busy.subprocess.Popen
    monkeypatch.setattr(
        busy.subprocess, "Popen", lambda *a, **k: started.append(begin(*a, **k)) or started[-1]
    )
    monkeypatch.setattr(busy, "SIZE", (32, 64))
    monkeypatch.setattr(busy, "RUNS_PER_ROUND", 1)
    assert main(["busy", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "2 busy processes" in printed
    assert "inverse 32x64, non-separable" in printed
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


@pytest.mark.slow
def test_stages_benchmark_reports_stages_of_both_networks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "SIZES", {"detector": ((64, 96),), "segmenter": ((128, 128),)})
    assert main(["stages", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    for name in ("64x96, fixed, separable", "128x128, edges, full", "GFLOPs", "inverse"):
        assert name in printed


def test_timed_inverse_is_not_cached() -> None:
    """Check that each call computes the inverse, as a cached one would take no time."""
    warp = Warp.from_grid(Warp.identity((3, 4)).grid)
    first = inverse._ours(warp, (6, 8))
    assert inverse._ours(warp, (6, 8)) is not first


def test_show_inverses_draws_one_plot_per_grid_and_one_legend() -> None:
    rows = [
        {"look": "a", "separable": separable, "batch": batch, "threads": 1, "size": [side, side],
         "seconds": {"ours": 1e-3 * side, "sample": 1e-2, "obvious": 1e3}}
        for separable in (True, False) for batch in (1, 4) for side in (8, 16)
    ]  # fmt: skip
    figure = Figure()
    show_inverses(figure, rows)
    drawn = [ax for ax in figure.axes if ax.lines]
    assert [ax.get_title() for ax in drawn] == ["a, separable", "a, non-separable"]
    assert drawn[0].lines[0].get_ydata().tolist() == [8, 16]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["this library", "grid_sample, 256 channels"]
