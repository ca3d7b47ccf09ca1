"""Tests of the still pictures of widgets."""

import html
import re
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import pytest
from matplotlib.figure import Figure

from lzu_viz.widgets import Explorer, InteractiveFigure, Player, still_picture
from lzu_viz.widgets.front import STYLE

WIDGET = "application/vnd.jupyter.widget-view+json"


def explorer() -> Explorer:
    return Explorer(np.zeros((96, 128, 3), np.uint8))


def interactive_figure() -> InteractiveFigure:
    def draw(figure: Figure, height: int) -> None:
        axes = figure.subplots()
        axes.plot([0, height])
        axes.set(title="A\nline", ylabel="height [m]")

    return InteractiveFigure(draw, {"height": ipywidgets.IntSlider(1, 1, 5)})


def player() -> Player:
    return Player(np.zeros((4, 96, 128, 3), np.uint8), size=(96, 128))


@pytest.mark.parametrize("make", [explorer, interactive_figure, player])
def test_a_widget_is_displayed_as_picture_and_widget(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def display(bundle: dict[str, Any], metadata: dict[str, Any], raw: bool) -> None:
        assert raw
        outputs.append((bundle, metadata))

    monkeypatch.setattr(still_picture, "display", display)
    shown = make()
    shown._ipython_display_()
    (still, _), (widget, _) = outputs
    assert set(still) == {"text/html", "text/plain"}
    picture = shown.still_picture()
    assert len(picture.description.split()) > 3
    assert f'alt="{html.escape(picture.description)}"' in still["text/html"]
    assert picture.remedy.startswith("Run this cell to ")
    assert picture.remedy in still["text/html"]
    assert set(widget) == {WIDGET, "text/plain"}
    assert still["text/plain"] == widget["text/plain"] == repr(shown)
    assert "0x" not in repr(shown)
    shown.close()


def test_description_of_a_figure_is_made_of_titles_and_labels() -> None:
    assert interactive_figure().still_picture().description == "Figure. A line: height [m]."


def test_a_widget_without_a_picture_is_displayed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[dict[str, Any]] = []
    monkeypatch.setattr(still_picture, "display", lambda bundle, **_: outputs.append(bundle))
    shown = player()
    monkeypatch.setattr(shown, "still_picture", lambda: None)
    shown._ipython_display_()
    assert [set(bundle) for bundle in outputs] == [{WIDGET, "text/plain"}]
    shown.close()


def test_the_style_names_elements_that_exist() -> None:
    assert ".lzu {" in STYLE.read_text(encoding="utf-8")
    assert "lzu-figure" in interactive_figure()._dom_classes
    assert set(re.findall(r"\.lzu[\w-]*", still_picture.STYLE)) == {
        ".lzu",
        ".lzu-figure",
        ".lzu-quest",
        ".lzu-still",
    }
