"""Figures with controls: redrawn when a control changes, and stored as an image in the page."""

import html
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..plots import panels
from ..plots.dark_theme import dark_colours
from ..plots.html_figures import description
from .front import FIGURE, bundle
from .still_picture import StillOutput, StillPicture

Draw = Callable[..., None]
"""Function that draws on an empty figure, given the values of the controls by name."""

CACHE_SIZE = 64
"""Number of cached images, so that returning to earlier values takes no time."""


PLAY_INTERVAL_MS = 600
"""Milliseconds between two values that are played."""


class _Page(anywidget.AnyWidget):
    """The invisible part of a figure's widget: describes the picture and knows the page's theme."""

    _esm = bundle(FIGURE)

    description = traitlets.Unicode().tag(sync=True)
    theme = traitlets.Enum(("light", "dark"), "light").tag(sync=True)


class FigureWidget(StillOutput, ipywidgets.VBox):
    """A figure shown as a JPEG, light or dark as the page.

    Args:
        size: (width, height) of the figure in inches.
        above: widgets above the figure.

    Attributes:
        figure: the Matplotlib figure, which is converted by :meth:`drawn`.
    """

    def __init__(self, size: tuple[float, float], above: tuple[ipywidgets.Widget, ...]) -> None:
        self.figure = Figure(figsize=size, layout="constrained", dpi=100)
        self._canvas = FigureCanvasAgg(self.figure)
        self._image = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"})
        self._page = _Page()
        self._page.observe(self._on_theme, "theme")
        super().__init__((*above, self._image, self._page))
        self.add_class("lzu-figure")

    @property
    def picture(self) -> bytes:
        """The JPEG that is shown."""
        picture: bytes = self._image.value
        return picture

    @property
    def theme(self) -> str:
        """Theme of the page: "light" or "dark"."""
        theme: str = self._page.theme
        return theme

    def show(self, picture: bytes, text: str | None = None) -> None:
        """Show a JPEG, with its description; by default that of the current figure."""
        self._image.value = picture
        self._page.description = description(self.figure) if text is None else text

    def drawn(self) -> bytes:
        """Return the current figure as a JPEG, in the colours of the page's theme."""
        with dark_colours(self.figure) if self.theme == "dark" else nullcontext():
            self._canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        return panels.jpeg(Image.fromarray(pixels[..., :3]))

    def _on_theme(self, _: object) -> None:
        self.show(self.drawn())

    def still_picture(self) -> StillPicture:
        """Return the JPEG that is shown."""
        remedy = "Run this cell to move the figure."
        return StillPicture(self.picture, self._page.description, remedy)


class InteractiveFigure(FigureWidget):
    """A figure that is redrawn whenever one of its controls changes.

    If drawing raises a `ValueError` or a `FileNotFoundError`, its message is shown above the
    figure, which keeps the last valid image.

    Args:
        draw: called with the figure, which is empty, and the values of the controls by name.
        controls: widgets with a ``value``, by name.
        size: (width, height) of the figure in inches.
        play: name of an integer slider, to which a button is added that plays through its values.

    Attributes:
        picture: the JPEG that is shown.
        message: the error message; empty if there is none.

    Raises:
        ValueError: `play` is not the name of an integer slider.
    """

    def __init__(
        self,
        draw: Draw,
        controls: Mapping[str, ipywidgets.Widget],
        size: tuple[float, float] = (11, 4),
        play: str | None = None,
    ) -> None:
        self._draw, self._controls = draw, dict(controls)
        self._pictures: dict[tuple[Any, ...], tuple[bytes, str]] = {}
        self._message = ipywidgets.HTML()
        for control in self._controls.values():
            control.observe(self._redraw, "value")
            _show_whole_texts(control)
        shown = {**self._controls}
        if play is not None:
            slider = shown.get(play)
            if not isinstance(slider, ipywidgets.IntSlider):
                sliders = [n for n, c in shown.items() if isinstance(c, ipywidgets.IntSlider)]
                raise ValueError(f"play must be an integer slider, one of {sliders}, got {play!r}")
            shown[play] = ipywidgets.HBox((_play_button(slider), slider))
        box = ipywidgets.HBox(
            tuple(shown.values()), layout={"flex_flow": "row wrap", "grid_gap": "8px"}
        )
        super().__init__(size, (box, self._message))
        self._redraw()

    @property
    def values(self) -> dict[str, Any]:
        """Values of the controls, by name."""
        return {name: control.value for name, control in self._controls.items()}

    @property
    def message(self) -> str:
        """The error message; empty if there is none."""
        message: str = self._message.value
        return message

    def _redraw(self, _: object = None) -> None:
        key = (self.theme, *(repr(value) for value in self.values.values()))
        try:
            if key not in self._pictures:
                self.figure.clear()
                self._draw(self.figure, **self.values)
                self._pictures[key] = self.drawn(), description(self.figure)
                if len(self._pictures) > CACHE_SIZE:
                    del self._pictures[next(iter(self._pictures))]
            self.show(*self._pictures[key])
            self._message.value = ""
        except (ValueError, FileNotFoundError) as error:
            self._message.value = f"<b>Cannot draw the figure:</b> {html.escape(str(error))}"

    def _on_theme(self, _: object) -> None:
        self._redraw()

    def __repr__(self) -> str:
        """Return a representation with the controls' values, without a memory address."""
        values = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"InteractiveFigure({values})"


def _play_button(slider: ipywidgets.IntSlider) -> ipywidgets.Play:
    """Return a button that plays through the values of a slider."""
    play = ipywidgets.Play(
        slider.value, slider.min, slider.max, slider.step, interval=PLAY_INTERVAL_MS, repeat=True
    )
    ipywidgets.link((play, "value"), (slider, "value"))
    return play


def _show_whole_texts(control: ipywidgets.Widget) -> None:
    """Make a control as wide as its label and its longest option."""
    if "description_width" in getattr(control.style, "keys", ()):
        control.style.description_width = "initial"
    if isinstance(control, ipywidgets.Dropdown) and control.layout.width is None:
        control.layout.width = "max-content"
        control.layout.max_width = "100%"
