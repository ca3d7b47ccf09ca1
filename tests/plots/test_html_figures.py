"""Tests of figures as HTML, with descriptions and dark versions."""

import base64
import io
import re

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lzu_viz.plots.dark_theme import dark, dark_colours
from lzu_viz.plots.html_figures import description, figure_to_html


def chart() -> Figure:
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot([0, 1], color="black", label="black")
    axes.plot([1, 0], color="#0072B2", label="blue")
    axes.set(title='A "quoted"\ntitle', xlabel="time [s]", ylabel="height [m]")
    axes.legend()
    return figure


def pixels(address: str) -> NDArray[np.uint8]:
    data = base64.b64decode(address.removeprefix("data:image/webp;base64,"))
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("L"))


def test_html_has_a_description_and_two_versions() -> None:
    page = figure_to_html(chart())
    match = re.search(r'src="([^"]+)"', page)
    assert match
    light = pixels(match[1])
    match = re.search(r"url\(([^)]+)\)", page)
    assert match
    dark_version = pixels(match[1])
    assert light.shape == dark_version.shape
    assert np.median(light) > 240
    assert np.median(dark_version) < 40
    assert 'alt="Figure. A &quot;quoted&quot; title: height [m] against time [s]."' in page
    assert page == figure_to_html(chart())


def test_colours_are_restored_after_the_dark_version() -> None:
    figure = chart()
    before = figure_to_html(figure)
    with dark_colours(figure):
        assert figure.get_facecolor() == to_rgba((0.09, 0.09, 0.09))
        assert figure.axes[0].lines[0].get_color() == (0.92, 0.92, 0.92, 1.0)
        assert figure.axes[0].title.get_color() == (0.92, 0.92, 0.92, 1.0)
    assert figure_to_html(figure) == before


def test_saturated_colours_keep_their_hue_and_are_visible_on_dark() -> None:
    background = 0.09

    def luminance(colour: tuple[float, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    for colour in ("#0072B2", "#E69F00", "#C8102E", "#CC79A7", "#56B4E9", "black", "0.4"):
        contrast = (luminance(dark(colour)) + 0.05) / (luminance((background,) * 3) + 0.05)
        assert contrast >= 3, colour
    assert dark("none")[3] == 0


def test_lines_over_an_image_keep_their_colours() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.imshow(np.zeros((2, 2)))
    (line,) = axes.plot([0, 1], color="black")
    axes.set_title("title")
    with dark_colours(figure):
        assert line.get_color() == "black"
        assert axes.title.get_color() == (0.92, 0.92, 0.92, 1.0)


def test_description_names_each_title_once() -> None:
    figure = Figure()
    assert description(figure) == "Figure."
    figure.suptitle("All")
    for axes in figure.subplots(1, 3):
        axes.set(title="One", xlabel="x")
    assert description(figure) == "Figure. All; One: x."
