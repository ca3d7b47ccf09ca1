"""The explorer: sliders, four panels, and the numbers that belong to them."""

import base64
import html
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
from torch import Tensor

from .. import images
from ..plots import panels
from ..plots.palette import TRUTH
from ..plots.panels import Picture
from ..sampling import resize
from ..scenes import Scene
from .result import Answer, Result, explore
from .state import NETWORK_LEGEND, NETWORKS, State, controls

LONG_SIDE = 720
"""Of a panel, in pixels."""

MOST_PIXELS = 2e6
"""Of a photo that is explored; a larger one is reduced first, or each step would take too long."""

CAPTIONS = {
    "source": "Source, with the fovea and the warp's pieces",
    "zoomed": "Zoomed: what the network sees",
    "uniform": "Uniform downsampling: what is left, and the answer",
    "zoom": "Zoom, then unzoom: what is left, and the answer",
}


class Explorer(widgets.VBox):
    """Move a fovea over a picture, and see what a network finds through the zoom.

    Blue is what the network answers, yellow what is true, where that is known.

    Args:
        photo: a scene whose truth is known, or anything that :func:`lzu_viz.images.load` takes: the
            path of your own photo, an array, an image tensor.
        state: to begin with; by default, for a scene, the fovea lies on the person.

    Attributes:
        state: what the controls say. Setting it moves them.
        result: the tensors and numbers that are shown.

    Raises:
        ValueError: the photo cannot be used; see :func:`lzu_viz.images.load`.
    """

    def __init__(self, photo: Any, state: State | None = None) -> None:
        super().__init__()
        self.truth = photo if isinstance(photo, Scene) else None
        self.image = self.truth.image if self.truth else images.load(photo, MOST_PIXELS)
        self._state = state or _on_person(self.truth)
        self._result: Result | None = None
        self._setting = False
        self._controls = _controls(self._state)
        self._panels = {name: widgets.Image(format="jpeg", layout=_FULL) for name in CAPTIONS}
        self._message = widgets.HTML()
        self._numbers = widgets.HTML()
        self._pictures: dict[str, Picture] = {}
        self._uniform: tuple[Answer, Picture] | None = None
        for name, control in self._controls.items():
            control.observe(partial(self._moved, name), "value")
        sliders = list(self._controls.values())
        cells = [_cell(CAPTIONS[name], panel) for name, panel in self._panels.items()]
        self.children = [
            widgets.HBox([widgets.VBox(sliders[:4]), widgets.VBox(sliders[4:])], layout=_WRAP),
            self._numbers,
            self._message,
            widgets.HBox(cells[:2]),
            widgets.HBox(cells[2:]),
        ]
        self._show(self._state)

    @property
    def state(self) -> State:
        """What the controls say."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._setting = True
        try:
            for name, control in self._controls.items():
                control.value = getattr(state, name)
        finally:
            self._setting = False
        self._show(state)

    @property
    def result(self) -> Result:
        """What is shown: of the last state that could be."""
        if self._result is None:
            raise ValueError(f"nothing could be shown yet: {self._message.value}")
        return self._result

    def _moved(self, name: str, change: dict[str, Any]) -> None:
        if not self._setting:
            self._show(replace(self._state, **{name: change["new"]}))

    def _show(self, state: State) -> None:
        """Show a state; where that cannot be, say why and leave the last pictures in place."""
        self._state = state
        try:
            self._result = explore(self.image, state, self.truth)
        except ValueError as error:
            self._message.value = f'<div role="alert">Not shown: {html.escape(str(error))}</div>'
            return
        self._message.value = ""
        self._pictures = self._draw(self._result)
        for name, drawn in self._pictures.items():
            self._panels[name].value = panels.jpeg(drawn)
        first, *others = self._lines()
        lines = "<br>".join([f"<b>{first}</b>", *others])
        self._numbers.value = f'<div role="status" style="line-height: 1.5">{lines}</div>'

    def _draw(self, result: Result) -> dict[str, Picture]:
        rows, columns = self.image.shape[-2:]
        scale = LONG_SIDE / max(rows, columns)
        size = (round(rows * scale), round(columns * scale))
        state = self._state
        source = panels.with_grid(panels.picture(self.image, size), result.warp)
        if self._uniform is None or self._uniform[0] is not result.uniform:
            plain = resize(resize(self.image, result.zoomed.shape[-2:]), size)
            self._uniform = result.uniform, self._answered(plain, result.uniform)
        return {
            "source": panels.with_fovea(source, (state.x, state.y), state.width / 100),
            "zoomed": panels.centred(panels.picture(result.zoomed), size),
            "uniform": self._uniform[1],
            "zoom": self._answered(result.warp.unzoom(result.zoomed, size), result.zoom),
        }

    def _answered(self, left: Tensor, answer: Answer) -> Picture:
        """Draw an answer, and the truth, over what is left of the image."""
        drawn = panels.picture(left)
        if answer.mask is not None:
            drawn = panels.with_mask(drawn, answer.mask)
        if self.truth:
            if answer.mask is None:
                drawn = panels.with_boxes(drawn, self.truth.box, colour=TRUTH)
            else:
                drawn = panels.with_outline(drawn, self.truth.mask)
        drawn = panels.with_boxes(drawn, answer.boxes, answer.labels)
        if self.truth:
            drawn = panels.with_inset(drawn, self.truth.box[0])
        return drawn if answer.found else panels.with_note(drawn, "nothing found")

    def _lines(self) -> list[str]:
        result, side = self.result, self._state.input_size
        size = f"Input of the network, either way: {side} x {side} = {result.input_pixels:,} pixels"
        warp = (
            f"Peak magnification: {result.peak_magnification:.1f} times. Pieces against the "
            f"continuous warp: {result.error_rms:.2f} px root mean square, "
            f"{result.error_worst:.1f} px at worst"
        )
        if result.uniform.iou is None or result.zoom.iou is None:
            return [size, warp]
        overlap = (
            f"Overlap with the truth (IoU, 0 to 1): uniform {result.uniform.iou:.2f}, "
            f"zoom and unzoom {result.zoom.iou:.2f}"
        )
        return [overlap, size, warp]

    def still(self) -> Picture:
        """Give all panels and numbers as one picture."""
        named = [(CAPTIONS[name], drawn) for name, drawn in self._pictures.items()]
        return panels.sheet(named, columns=2, footer=self._lines())

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Leave a picture beside the widget, for where no kernel runs."""
        still = base64.b64encode(panels.jpeg(self.still())).decode()
        own = {"image/jpeg": still, "text/plain": repr(self)}
        return {**super()._repr_mimebundle_(**options), **own}

    def __repr__(self) -> str:
        """Name the explorer, without an address."""
        return f"Explorer({self._state})"


_FULL = widgets.Layout(width="100%")
_WRAP = widgets.Layout(flex_flow="row wrap")
_ROW = widgets.Layout(width="440px", max_width="100%")
_STYLE = {"description_width": "110px"}


def _controls(state: State) -> dict[str, widgets.ValueWidget]:
    """Make a slider for every number of a state, and a chooser for the network."""
    made: dict[str, widgets.ValueWidget] = {}
    for name, control in controls().items():
        slider = widgets.IntSlider if isinstance(control.step, int) else widgets.FloatSlider
        made[name] = slider(
            value=getattr(state, name),
            min=control.low,
            max=control.high,
            step=control.step,
            description=control.label,
            tooltip=control.legend,
            layout=_ROW,
            style=_STYLE,
        )
    made["network"] = widgets.Dropdown(
        options=NETWORKS,
        value=state.network,
        description="network",
        tooltip=NETWORK_LEGEND,
        layout=_ROW,
        style=_STYLE,
    )
    return made


def _cell(caption: str, panel: widgets.Image) -> widgets.VBox:
    title = widgets.HTML(f"<b>{html.escape(caption)}</b>")
    return widgets.VBox([title, panel], layout=widgets.Layout(width="50%", padding="2px 6px"))


def _on_person(truth: Scene | None) -> State:
    if truth is None:
        return State()
    left, top, right, bottom = truth.box[0].tolist()
    return State(x=round((left + right) / 2, 2), y=round((top + bottom) / 2, 2))
