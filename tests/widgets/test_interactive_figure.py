"""Tests of interactive figures, training monitors and progress bars."""

import io
from collections.abc import Iterator

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lzu_viz.plots.reproduction import smoothed
from lzu_viz.widgets import InteractiveFigure
from lzu_viz.widgets.progress import TrainingMonitor, progress_bar


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


def test_play_button_moves_its_slider() -> None:
    controls = {"height": ipywidgets.IntSlider(1, 0, 4), "name": ipywidgets.Text("a")}
    shown = InteractiveFigure(draw, controls, (3, 2), play="height")
    first = shown.picture
    (button,) = (
        inner
        for outer in shown.children[0].children
        for inner in getattr(outer, "children", ())
        if isinstance(inner, ipywidgets.Play)
    )
    assert (button.min, button.max, button.value) == (0, 4, 1)
    button.value = 3
    assert shown.values == {"height": 3, "name": "a"}
    assert shown.picture != first
    controls["height"].value = 1
    assert button.value == 1
    assert shown.picture == first


@pytest.mark.parametrize("name", ["name", "other"])
def test_play_wants_an_integer_slider(name: str) -> None:
    controls = {"height": ipywidgets.IntSlider(1, 0, 4), "name": ipywidgets.Text("a")}
    with pytest.raises(ValueError, match=rf"one of \['height'\], got '{name}'"):
        InteractiveFigure(draw, controls, (3, 2), play=name)


class Displayed:
    """Stands in for IPython's display: keeps the widgets shown and the updates of the output."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widgets: list[ipywidgets.HBox] = []
        self.updates: list[dict[str, str]] = []
        monkeypatch.setattr("lzu_viz.widgets.progress.display", self)

    def __call__(self, widget: ipywidgets.HBox, display_id: bool) -> "Displayed":
        assert display_id
        self.widgets.append(widget)
        return self

    def update(self, bundle: dict[str, str], raw: bool) -> None:
        assert raw
        self.updates.append(bundle)

    @property
    def bar(self) -> ipywidgets.IntProgress:
        return self.widgets[-1].children[0]

    @property
    def status(self) -> str:
        return self.widgets[-1].children[1].value


def test_progress_bar_counts_the_steps_and_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Displayed(monkeypatch)
    values = [(step, shown.bar.value) for step in progress_bar("abc")]
    assert values == [("a", 0), ("b", 1), ("c", 2)]
    assert (shown.bar.max, shown.bar.value) == (3, 3)
    assert shown.status == "step 3 of 3, about 0 s left"
    assert repr(shown.widgets[0]) == ""  # as the output that is left, which nbval compares
    assert shown.updates == [{"text/plain": ""}]


def test_interrupted_progress_bar_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Displayed(monkeypatch)

    def steps() -> Iterator[int]:
        yield 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(progress_bar(steps(), 5))
    assert shown.updates == [{"text/plain": "stopped after step 1 of 5"}]


def test_progress_bar_wants_the_number_of_steps_of_a_generator() -> None:
    with pytest.raises(TypeError, match=r"expected `total`, .* as generator has no length"):
        progress_bar(step for step in "abc")


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
