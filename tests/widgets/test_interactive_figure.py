"""Tests of interactive figures, training monitors and progress bars."""

import io

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lzu_viz.plots.reproduction import smoothed
from lzu_viz.widgets import InteractiveFigure
from lzu_viz.widgets.progress import TrainingMonitor, watch


def draw(figure: Figure, height: float, name: str = "") -> None:
    if height > 5:
        raise ValueError(f"height must be at most 5, got {height:g}")
    figure.subplots().bar([0], [height])


def figure() -> tuple[InteractiveFigure, ipywidgets.FloatSlider]:
    slider = ipywidgets.FloatSlider(2, min=0, max=9)
    return InteractiveFigure(draw, {"height": slider}, size=(3, 2)), slider


def test_picture_changes_with_the_control() -> None:
    shown, slider = figure()
    first = shown.picture
    assert Image.open(io.BytesIO(first)).size == (300, 200)
    slider.value = 3
    assert shown.picture != first
    assert shown.values == {"height": 3}
    slider.value = 2
    assert shown.picture == first


def test_drawing_error_keeps_the_last_picture_and_shows_a_message() -> None:
    shown, slider = figure()
    first = shown.picture
    slider.value = 8
    assert shown.picture == first
    assert "at most 5, got 8" in shown.message
    slider.value = 1
    assert shown.message == ""


def test_still_picture_is_the_one_that_is_shown() -> None:
    shown, _ = figure()
    assert repr(shown) == "InteractiveFigure(height=2.0)"
    assert shown.still_picture().jpeg == shown.picture


class Steps:
    """Stand-in for a training, which yields one loss per step."""

    def __init__(self, count: int) -> None:
        self.count, self.losses = count, []

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        for step in range(self.count):
            self.losses.append(1 / (step + 1))
            yield self.losses[-1]


@pytest.mark.slow
def test_training_monitor_runs_all_trainings_to_the_end() -> None:
    trainings = {"uniform": Steps(5), "lzu": Steps(5)}
    shown = TrainingMonitor(trainings)  # type: ignore[arg-type]
    before = shown.picture
    shown.run()
    assert [len(training.losses) for training in trainings.values()] == [5, 5]
    assert shown.picture != before
    assert repr(shown) == "TrainingMonitor(uniform, lzu: 5 of 5 steps)"
    assert shown.still_picture().jpeg == shown.picture
    assert smoothed(trainings["lzu"].losses)[-1] < 1


def test_no_trainings_or_unequal_numbers_of_steps_raise() -> None:
    with pytest.raises(ValueError, match=r"same number of steps, got \[3, 4\]"):
        TrainingMonitor({"a": Steps(3), "b": Steps(4)})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="at least one training, got none"):
        TrainingMonitor({})


def test_watch_updates_a_progress_bar_and_leaves_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[ipywidgets.IntProgress] = []
    updates: list[dict[str, str]] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            assert raw
            updates.append(bundle)

    def display(bar: ipywidgets.IntProgress, display_id: bool) -> Handle:
        assert display_id
        shown.append(bar)
        return Handle()

    monkeypatch.setattr("lzu_viz.widgets.progress.display", display)
    values = [(step, shown[0].value) for step in watch("abc", 3)]
    assert values == [("a", 0), ("b", 1), ("c", 2)]
    assert (shown[0].max, shown[0].value, shown[0].description) == (3, 3, "measuring")
    assert updates == [{"text/plain": "measured 3 of 3"}]


def test_figure_is_dark_on_a_dark_page_and_described() -> None:
    shown, slider = figure()
    light = shown.picture
    first = shown._page.description
    assert first.startswith("Figure.")
    shown._page.theme = "dark"
    dark = shown.picture
    with Image.open(io.BytesIO(light)) as one, Image.open(io.BytesIO(dark)) as other:
        assert np.asarray(one)[0, 0].min() > 240
        assert np.asarray(other)[0, 0].max() < 50
    slider.value = 3
    assert shown.picture not in (light, dark)
    shown._page.theme = "light"
    slider.value = 2
    assert shown.picture == light
    assert shown._page.description == first
