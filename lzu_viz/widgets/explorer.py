"""The explorer: a picture that one takes hold of. The page draws the warp, the kernel answers."""

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
"""Of a photo that is explored; a larger one is reduced first, for answers in good time."""


class Explorer(anywidget.AnyWidget):
    """Move what you look at over a picture, and see what a network finds through the zoom.

    Drag a fovea or a box on the source; double click adds one or takes it away; the wheel makes it
    wider. Blue is what the network answers, yellow what is true, where that is known, and red where
    the warp is folded.

    Args:
        photo: a scene whose truth is known, or anything that :func:`lzu_viz.datasets.images.load`
            takes: the path of your own photo, an array, an image tensor.
        state: to begin with; by default, for a scene, a fovea (and a box) lies on the person.
        views: which of ``VIEWS`` are shown, in order.
        controls: which fields of the state get controls, by name; all where None.

    Attributes:
        state: what the controls say. Setting it moves them.
        result: the tensors and numbers that are shown: of the last state that could be.

    Raises:
        ValueError: the photo cannot be used (see :func:`lzu_viz.datasets.images.load`), or there
            is no such view or control.
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
        # Traits are set, and heard of, while the widget is still being made.
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
        """What the controls say."""
        return self._said

    @state.setter
    def state(self, state: State) -> None:
        self._state = state.to_page()

    @property
    def result(self) -> Result:
        """What is shown: of the last state that could be."""
        if self._result is None:
            raise ValueError(f"nothing could be shown yet: {self._answer.get('error')}")
        return self._result

    @traitlets.observe("_state")
    def _hear(self, change: dict[str, Any]) -> None:
        if self._made:
            self._reply(change["new"])

    @traitlets.observe("_upload")
    def _take(self, change: dict[str, Any]) -> None:
        """Take a photo that the page sends; one that cannot be read changes nothing."""
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
        """Answer a state; one that cannot be shown leaves all as it was, and says why."""
        serial = message.get("serial") if isinstance(message, dict) else None
        start = time.perf_counter()
        try:
            # What cannot be shown is still what the controls say; what is no state is not.
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
            # By this the page knows how long to leave the kernel alone while a hand moves.
            "took_ms": 1000 * (time.perf_counter() - start),
        }

    def still(self) -> Picture:
        """Return the views and the numbers as one picture."""
        names = [each["name"] for each in self._views]
        drawn = still(self.image, self.ground_truth, self.result, names)
        named = [(VIEWS[name].caption, each) for name, each in zip(names, drawn, strict=True)]
        footer = [*self._note, *lines(self.result)]
        return panels.sheet(named, columns=min(2, len(named)), footer=footer)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Leave a picture beside the widget, for where no kernel runs."""
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
        """Name the explorer, without an address."""
        return f"Explorer({self._said})"


def _resized(size: tuple[int, int], image: Tensor) -> list[str]:
    """Say what was done to a photo of this size (rows, columns), if anything was."""
    rows, columns = image.shape[-2:]
    if size == (rows, columns):
        return []
    return [f"Your photo: {size[1]} x {size[0]} pixels, explored at {columns} x {rows}"]


@contextmanager
def _a_core_for_the_page() -> Iterator[None]:
    """Leave a core to the browser: threads that wait for one make an answer ten times slower."""
    with threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1))):
        yield


def _controls_to_page(names: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return all controls, and which of them are shown: those of some fields, or all where None."""
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
