"""Tests of the benchmarks without a browser: drags, reports, missing requirements."""

import io
import json
import math
import re
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import psutil
import pytest

from lzu_viz.bench import explorer, notebooks
from lzu_viz.bench.__main__ import main
from lzu_viz.bench.browser import browser_session
from lzu_viz.bench.browser.drag import DrawnPicture, Notes, figures, row
from lzu_viz.bench.browser.file_server import served
from lzu_viz.bench.cpu_load import Load
from lzu_viz.bench.report import Progress, report, table, write

FRAME = 1000 / 60
XS = [100.0 + 3 * k for k in range(61)]
LEARNED = [[f"picture {k}"] for k in range(61)]


def notes(latency: float, every: int = 1, answered: float | None = None) -> Notes:
    """Return a drag with pictures `latency` after their movement; each `every`th is drawn."""
    moves = tuple((k * FRAME, x) for k, x in enumerate(XS))
    drawn = range(every, 61, every)
    pictures = tuple(DrawnPicture(k * FRAME + latency, f"picture {k}") for k in drawn)
    return Notes(moves, pictures, up=61 * FRAME, answered=answered)


def test_file_server_sends_types_and_headers(tmp_path: Path) -> None:
    """Browsers refuse modules and WebAssembly of other types."""
    types = {"a.mjs": "text/javascript", "b.wasm": "application/wasm", "c.html": "text/html"}
    for name in types:
        (tmp_path / name).write_text("x")
    with served(tmp_path, {"X-Test": "yes"}) as address:
        for name, expected in types.items():
            with urllib.request.urlopen(f"{address}/{name}") as response:
                assert response.headers["Content-Type"] == expected
                assert response.headers["X-Test"] == "yes"


# --- figures of a drag -------------------------------------------------------------------------


def test_figures_of_a_drag_with_constant_latency() -> None:
    result = figures(notes(latency=20, answered=61 * FRAME + 80), XS, LEARNED)
    assert len(result.latencies) == 60
    assert all(latency == pytest.approx(20) for latency in result.latencies)
    assert result.pictures_per_s == pytest.approx(59, abs=1)
    assert result.settled == pytest.approx(20 - FRAME)
    assert result.answer == pytest.approx(80)
    assert result.moves_per_s == pytest.approx(60)
    assert (result.known, result.whole) == (1, 1)


def test_latency_of_a_skipped_movement_ends_at_the_next_picture() -> None:
    result = figures(notes(latency=20, every=3), XS, LEARNED)
    assert sorted({round(latency) for latency in result.latencies}) == [20, 37, 53]
    assert result.pictures_per_s == pytest.approx(20, abs=1.5)


@pytest.mark.parametrize("behind", [3, 15])
def test_constant_backlog_adds_to_the_latencies(behind: int) -> None:
    """Check pictures at 60 per second, each of which is some movements late."""
    result = figures(notes(latency=behind * FRAME), XS, LEARNED)
    assert all(latency == pytest.approx(behind * FRAME) for latency in result.latencies)
    assert result.settled == pytest.approx((behind - 1) * FRAME)


def test_lag_and_rate_of_the_predictions_during_a_drag() -> None:
    """Of predictions before the drag, after it, or of an unknown state nothing is counted."""
    drag = notes(latency=20)
    answers = tuple((100.0 * k, 100.0 * k - 40 - k) for k in range(1, 10))
    others = ((10.0, 0.0), (-5.0, -30.0), (61 * FRAME + 50, 61 * FRAME))
    result = figures(replace(drag, answers=answers + others), XS, LEARNED)
    assert sorted(result.answer_lag) == pytest.approx([40 + k for k in range(1, 10)])
    assert result.answers_per_s == pytest.approx(9, rel=0.02)
    assert row("page", [result])["answer_lag_ms"] == 45
    assert row("baseline", [figures(drag, XS, LEARNED)])["answer_lag_ms"] is None


def test_growing_backlog_adds_to_the_latencies() -> None:
    """Check 20 pictures per second, none of them skipped: the last is two seconds late."""
    moves = tuple((k * FRAME, x) for k, x in enumerate(XS))
    pictures = tuple(DrawnPicture(k * 50.0, f"picture {k}") for k in range(1, 61))
    result = figures(Notes(moves, pictures, up=61 * FRAME), XS, LEARNED)
    assert max(result.latencies) == pytest.approx(60 * (50 - FRAME))
    assert result.settled == pytest.approx(60 * 50 - 61 * FRAME)
    assert result.answer is None


def test_movements_to_an_equal_picture_are_not_counted() -> None:
    learned = [*LEARNED[:30], LEARNED[29], *LEARNED[31:]]
    result = figures(notes(latency=20), XS, learned)
    assert len(result.latencies) == 59
    assert max(result.latencies) == pytest.approx(20)


def test_unknown_pictures_do_not_affect_the_latencies() -> None:
    """Check pictures that were not recorded in the slow drag, for example half drawn ones."""
    sent = notes(latency=40)
    odd = tuple(
        DrawnPicture(picture.time - 30, "half drawn", whole=False) for picture in sent.pictures
    )
    both = tuple(sorted((*sent.pictures, *odd), key=lambda picture: picture.time))
    result = figures(Notes(sent.moves, both, sent.up), XS, LEARNED)
    assert min(result.latencies) == pytest.approx(40)
    assert (result.known, result.whole) == (0.5, 0.5)


def test_drag_without_last_picture_or_movements_raises() -> None:
    sent = notes(latency=20)
    with pytest.raises(RuntimeError, match="no picture of position 60"):
        figures(Notes(sent.moves, sent.pictures[:-1], sent.up), XS, LEARNED)
    with pytest.raises(RuntimeError, match="did not move"):
        figures(Notes(sent.moves[:1], sent.pictures, sent.up), XS, LEARNED)


def test_notes_are_parsed_from_a_message_of_the_page() -> None:
    page_message = {
        "moves": [[1.0, 100.0], [2.0, 103.0]],
        "pictures": [[3.0, "a", True]],
        "up": [4.0],
        "fresh": [[2.5, False], [9.0, True]],
        "answers": [[8.5, 2.0]],
    }
    assert Notes.from_page(page_message) == Notes(
        ((1, 100), (2, 103)), (DrawnPicture(3, "a"),), 4, 9, ((8.5, 2),)
    )
    assert Notes.from_page({**page_message, "fresh": []}).answered is None
    with pytest.raises(RuntimeError, match="2 movements and 0 releases"):
        Notes.from_page({**page_message, "up": []})


def test_row_contains_medians_over_the_drags() -> None:
    drags = [
        figures(notes(latency=latency, answered=latency + 1100), XS, LEARNED)
        for latency in (20, 30, 500)
    ]
    result = row("explorer", drags)
    assert result["latency_ms"] == 30
    assert result["latency_p90_ms"] == 30
    assert result["answer_ms"] == pytest.approx(1130 - 61 * FRAME, abs=0.1)
    assert (result["drags"], result["movements"]) == (3, 180)


# --- reports -----------------------------------------------------------------------------------


def synthetic_report(latency: float = 20) -> dict[str, object]:
    """Return a report of synthetic drags."""
    sent = {
        "explorer": notes(latency, answered=1100),
        "explorer_slow_link": notes(1.05 * latency, answered=1400),
        "baseline": notes(200, every=12),
        "detector": notes(latency, answered=1500),
    }
    rows = {
        design: row(design, [figures(recorded, XS, LEARNED)]) for design, recorded in sent.items()
    }
    memory = {
        "updates": 2000,
        "page_before_mb": 25.9,
        "page_after_mb": 26.1,
        "kernel_before_mb": 598.9,
        "kernel_after_mb": 599.8,
    }
    return report(
        "explorer",
        explorer.compare(rows),
        {"chromium": "1.2"},
        panel="478 x 239",
        others=0.02,
        memory=memory,
    )


def test_report_has_the_common_format_of_benchmarks(tmp_path: Path) -> None:
    write(synthetic_report(), tmp_path / "figures.json")
    read = json.loads((tmp_path / "figures.json").read_text())
    assert read["bench"] == "explorer"
    assert {
        "python",
        "torch",
        "jupyterlab",
        "ipywidgets",
        "anywidget",
        "lzu_viz",
        "chromium",
    } <= set(read["versions"])
    rows = {entry["design"]: entry for entry in read["rows"]}
    assert set(rows) == {"explorer", "explorer_slow_link", "baseline"}
    for entry in rows.values():
        for name in ("latency_ms", "latency_p90_ms", "pictures_per_s", "settled_ms"):
            assert math.isfinite(entry[name])
    assert rows["explorer"]["segmenter_ms"] == pytest.approx(83, abs=1)
    assert rows["explorer"]["detector_ms"] == pytest.approx(483, abs=1)
    assert rows["explorer"]["times_baseline"] > 4
    assert rows["explorer_slow_link"]["latency_of_local"] == 1.05


def test_table_shows_targets_and_whether_they_are_met() -> None:
    printed = explorer.text(synthetic_report())
    lines = printed.splitlines()
    for start, end in (
        ("latency, median, ms", "20.0  21.0  291.7  at most 35: met"),
        ("detector's prediction after release, ms", "at most 400: MISSED"),
        ("pictures per second / baseline", "at least 4: met"),
        ("pictures per second / local link", "at least 0.9: met"),
    ):
        (line,) = [candidate for candidate in lines if candidate.startswith(start)]
        assert re.sub(r" {2,}", "  ", line).endswith(end)
    assert "page 25.9 -> 26.1, kernel 598.9 -> 599.8" in lines[-2]
    assert "Other programs" not in printed
    assert "Other programs used 75%" in explorer.text(synthetic_report() | {"others": 0.75})
    slow = explorer.text(synthetic_report(latency=60))
    assert "at most 35: MISSED" in slow
    assert "at most 50: met" in slow


def test_table_aligns_columns() -> None:
    assert table(["", "a"], [["x", "1.5"], ["long", "10"]]) == "        a\nx     1.5\nlong   10"


def test_progress_prints_each_step_once() -> None:
    out = io.StringIO()
    progress = Progress(4, out)
    for what in ("open", "drag", "drag", "end"):
        progress.step(what)
    progress.close()
    assert out.getvalue() == "  0% open\n 25% drag\n 75% end\n"


def test_progress_is_one_line_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    progress = Progress(2, out)
    progress.step("open")
    progress.step("drag")
    progress.close()
    assert "\n" not in out.getvalue()
    assert "[##########          ]  50% drag" in out.getvalue()


def test_notebooks_are_valid_and_their_code_is_python(tmp_path: Path) -> None:
    cells = [
        notebooks.PHOTO,
        notebooks.KERNEL,
        notebooks.EXPLORER.format(network="detector", x=-0.6),
        notebooks.BASELINE.format(width=400, height=200),
        notebooks.SLIDERS.format(x=-0.6),
    ]
    notebooks.write(tmp_path / "all.ipynb", *cells)
    nbformat.validate(nbformat.read(tmp_path / "all.ipynb", as_version=4))
    for cell in cells:
        compile(cell, "cell", "exec")


def test_load_counts_other_processes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check 10 s of CPU time: 2 s of this process, 4 s of its child, 4 s of others."""
    now = {"clock": 0.0, "all": 100.0, "we": 5.0, "child": 1.0}

    class Process:
        def __init__(self, name: str = "we") -> None:
            self.name = name

        def cpu_times(self) -> SimpleNamespace:
            if self.name == "gone":
                raise psutil.NoSuchProcess(1)
            return SimpleNamespace(user=now[self.name], system=0.0)

        def children(self, recursive: bool) -> list["Process"]:
            return [Process("child"), Process("gone")]

    monkeypatch.setattr(psutil, "Process", Process)
    monkeypatch.setattr(psutil, "cpu_times", lambda: SimpleNamespace(user=now["all"], system=0.0))
    monkeypatch.setattr("time.monotonic", lambda: now["clock"])
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    load = Load()
    now |= {"clock": 10.0, "all": 110.0, "we": 7.0, "child": 5.0}
    assert load.others() == pytest.approx(0.2)


# --- missing requirements ----------------------------------------------------------------------


def test_missing_browser_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser_session, "CHROMIUM", None)
    assert main(["explorer"]) == 1
    assert "needs Chromium or Chrome on PATH" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["playwright", "psutil", "websocket"])
def test_missing_package_is_reported_with_its_extra(name: str) -> None:
    code = (
        f"import sys; sys.modules[{name!r}] = None; from lzu_viz.bench.__main__ import main; "
        "sys.exit(main(['explorer']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert name in run.stderr
    assert "pip install 'lzu_viz[test]'" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["explorer", "--drags", "0"]])
def test_invalid_arguments_exit_with_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert "usage" in capsys.readouterr().err
