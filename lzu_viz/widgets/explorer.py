"""The explorer: an interactive view of zoom and unzoom.

The page draws the warp itself; the kernel computes what needs a network.
"""

import base64
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import anywidget
import torch
import traitlets
from torch import Tensor

from ..datasets import images
from ..datasets.scenes import Scene
from ..geometry.threads import threads
from ..plots import palette, panels
from ..plots.panels import Picture
from .front import STYLE, module_source
from .protocol import answer_to_page, ground_truth_to_page, lines
from .result import Result, explore
from .state import Box, State, controls, lists
from .views import DEFAULT_VIEWS, VIEWS, still

MOST_PIXELS = 2e6
"""Largest number of pixels of an image; larger ones are reduced first, for short response times."""


class Explorer(anywidget.AnyWidget):
    """Widget that zooms an image interactively and shows what a network predicts.

    Drag a fovea or a box on the source; double click adds or removes one; the wheel changes its
    width. Predictions are blue, the ground truth, where known, is yellow, and folded pieces of the
    warp are red.

    Args:
        photo: a scene with ground truth, or anything that :func:`lzu_viz.datasets.images.load`
            accepts: the path of your own photo, an array, an image tensor.
        state: initial state; by default, for a scene, a fovea (and a box) lies on the person.
        views: names of the ``VIEWS`` to show, in order.
        controls: names of the state's fields that get controls; all if None.

    Attributes:
        state: values of the controls. Setting it moves them.
        result: tensors and numbers that are shown, for the last valid state.

    Raises:
        ValueError: if the photo cannot be used (see :func:`lzu_viz.datasets.images.load`), or
            there is no such view or control.
    """

    _esm = module_source()
    _css = STYLE

    _photo = traitlets.Bytes().tag(sync=True)
    _truth = traitlets.Dict().tag(sync=True)
    _views: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _controls: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _lists = traitlets.Dict().tag(sync=True)
    _colours = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _answer = traitlets.Dict().tag(sync=True)
    # A photo is not sent back to the page that has just sent it.
    _upload = traitlets.Dict({"serial": 0}).tag(sync=True, echo_update=False)

    def __init__(
        self,
        photo: Any,
        state: State | None = None,
        views: Sequence[str] = DEFAULT_VIEWS,
        controls: Sequence[str] | None = None,
    ) -> None:
        _check_names("views", views, VIEWS)
        chosen = _controls_to_page(controls)
        self.ground_truth = photo if isinstance(photo, Scene) else None
        self.image = (
            self.ground_truth.image if self.ground_truth else images.load(photo, MOST_PIXELS)
        )
        # Setting the traits calls their observers before the widget is complete.
        self._made = False
        self._note = [] if self.ground_truth else _resized(images.size_of(photo), self.image)
        self._result: Result | None = None
        self._said = state or _on_person(self.ground_truth)
        super().__init__(
            _photo=panels.jpeg(panels.picture(self.image), quality=92),
            _truth=ground_truth_to_page(self.ground_truth) if self.ground_truth else {},
            _views=[{"name": name, **asdict(VIEWS[name])} for name in views],
            _controls=chosen,
            _lists={name: [minimum, maximum] for name, (_, minimum, maximum) in lists().items()},
            _colours=palette.to_page(),
            _state=self._said.to_page(),
        )
        self._made = True
        self._reply(self._state)

    @property
    def state(self) -> State:
        """Values of the controls."""
        return self._said

    @state.setter
    def state(self, state: State) -> None:
        self._state = state.to_page()

    @property
    def result(self) -> Result:
        """Result that is shown, for the last valid state."""
        if self._result is None:
            raise ValueError(f"nothing could be shown yet: {self._answer.get('error')}")
        return self._result

    @traitlets.observe("_state")
    def _hear(self, change: dict[str, Any]) -> None:
        if self._made:
            self._reply(change["new"])

    @traitlets.observe("_upload")
    def _take(self, change: dict[str, Any]) -> None:
        """Load a photo that the page sends; one that cannot be read changes nothing."""
        if not self._made:
            return
        sent = change["new"]
        try:
            image = images.load(bytes(sent["file"]), MOST_PIXELS)
            width, height = int(sent["width"]), int(sent["height"])
        except (KeyError, TypeError, ValueError) as error:
            words = f"the photo cannot be used, nothing was changed: {error}"
            self._answer = {**self._answer, "serial": sent.get("serial"), "error": words}
            return
        self.image, self.ground_truth = image, None
        self._note = _resized((height, width), image)
        self._truth = {}
        self._photo = panels.jpeg(panels.picture(image), quality=92)
        self._reply({**self._said.to_page(), "serial": sent.get("serial")})

    def _reply(self, message: dict[str, Any]) -> None:
        """Send the result of a state; if the state is invalid, send the error and keep the last."""
        serial = message.get("serial") if isinstance(message, dict) else None
        start = time.perf_counter()
        try:
            # A state that cannot be shown still holds the values of the controls; an invalid
            # message does not.
            self._said = State.from_page(message)
            shown = [each["name"] for each in self._views]
            with _a_core_for_the_page():
                result = explore(self.image, self._said, self.ground_truth, shown)
        except ValueError as error:
            self._answer = {**self._answer, "serial": serial, "error": str(error)}
            return
        self._result = result
        answer = answer_to_page(result, self.image)
        self._answer = {
            **answer,
            "serial": serial,
            "lines": [*self._note, *answer["lines"]],
            # The page waits about this long between two messages while something is dragged.
            "took_ms": 1000 * (time.perf_counter() - start),
        }

    def still(self) -> Picture:
        """Return the views and the numbers as one image."""
        names = [each["name"] for each in self._views]
        drawn = still(self.image, self.ground_truth, self.result, names)
        named = [(VIEWS[name].caption, each) for name, each in zip(names, drawn, strict=True)]
        footer = [*self._note, *lines(self.result)]
        return panels.sheet(named, columns=min(2, len(named)), footer=footer)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget's MIME bundle with a JPEG, which is shown where no kernel runs."""
        shown = super()._repr_mimebundle_(**options)
        if shown is None:
            return None
        bundle, metadata = shown
        bundle = {**bundle, "text/plain": repr(self)}
        if self._result is None:
            return bundle, metadata
        left = base64.b64encode(panels.jpeg(self.still())).decode()
        return {**bundle, "image/jpeg": left}, metadata

    def __repr__(self) -> str:
        """Return a representation without a memory address."""
        return f"Explorer({self._said})"


def _resized(size: tuple[int, int], image: Tensor) -> list[str]:
    """Return a note if a photo of this size (rows, columns) was resized; otherwise none."""
    rows, columns = image.shape[-2:]
    if size == (rows, columns):
        return []
    return [f"Your photo: {size[1]} x {size[0]} pixels, explored at {columns} x {rows}"]


@contextmanager
def _a_core_for_the_page() -> Iterator[None]:
    """Leave a core to the browser: threads that wait for one make a result ten times slower."""
    with threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1))):
        yield


def _controls_to_page(names: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return all controls, each with whether it is shown: those of some fields, all if None."""
    every = [(each.name.split(".")[0], each) for each in controls()]
    if names is not None:
        _check_names("controls", names, [name for name, _ in every], minimum=0)
    return [{**each._asdict(), "shown": names is None or name in names} for name, each in every]


def _check_names(what: str, names: Sequence[str], known: Any, minimum: int = 1) -> None:
    if isinstance(names, str) or set(names) - set(known) or len(names) < minimum:
        raise ValueError(f"{what} must be some of {sorted(set(known))}, got {names!r}")
    if len(set(names)) < len(names):
        raise ValueError(f"{what} must each be named once, got {names!r}")


def _on_person(ground_truth: Scene | None) -> State:
    if ground_truth is None:
        return State()
    box = Box.around(*ground_truth.box[0].tolist())
    return State(boxes=(box,)).at(x=box.x, y=box.y)
