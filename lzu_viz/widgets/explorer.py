"""The explorer: an interactive view of zoom and unzoom.

The page draws the warp itself; the kernel computes what needs a network.
"""

import os
import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import torch
import traitlets
from torch import Tensor

from ..datasets import images
from ..datasets.scenes import Scene
from ..geometry.threads import threads
from ..models.registry import Network, register_network
from ..plots import palette, panels
from ..plots.panels import Picture
from .front import STYLE, module_source
from .morph_film import write_morph
from .page_networks import RuntimeMissingError, network_message
from .protocol import (
    ground_truth_to_page,
    lines,
    result_summary,
    result_to_page,
    truth_to_page,
)
from .result import Result, cell_values, explore, scores
from .state import RENAMED, Box, State, controls, lists
from .still_picture import StillOutput, StillPicture
from .views import DEFAULT_VIEWS, VIEWS, still

MAX_PIXELS = 2e6
"""Largest number of pixels of an image; larger ones are reduced first, for short response times."""


class Explorer(StillOutput, anywidget.AnyWidget):
    """Widget that zooms an image interactively and shows what a network predicts.

    Drag a fovea or a box on the source image; a double click adds or removes one; the wheel changes
    its width. Predictions are blue, the ground truth, if known, is yellow, and folded pieces of the
    warp are red. "Follow a pixel" shows how a clicked place is unzoomed; "Slow connection?" lets
    the networks run in the page in place of the kernel.

    Args:
        photo: a scene with ground truth, or anything that :func:`lzu_viz.datasets.images.load`
            accepts: the path of your own photo, an array, an image tensor.
        state: initial state; by default ``State()``, for a scene with a fovea and a box on the
            person.
        views: names of the ``VIEWS`` to show, in order.
        controls: names of the state's fields that get controls; all if None.
        network: a network of your own, for example of :mod:`lzu_viz.adapters`, which is registered
            and selected; by default that of the state.
        presets: states by the titles of their buttons, to which the explorer goes when they are
            pressed.

    Attributes:
        state: values of the controls. Setting it moves them.
        result: tensors and numbers of the last valid state, which are shown.

    Raises:
        ValueError: if the photo cannot be used (see :func:`lzu_viz.datasets.images.load`), or
            there is no such view or control.
    """

    _esm = module_source()
    _css = STYLE

    _photo = traitlets.Bytes().tag(sync=True)
    _ground_truth = traitlets.Dict().tag(sync=True)
    _views: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _controls: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _lists = traitlets.Dict().tag(sync=True)
    _colours = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _result = traitlets.Dict().tag(sync=True)
    _presets: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _goal = traitlets.Any({"serial": 0}).tag(sync=True)
    # A state whose score the page wants to know, and the answer.
    _question = traitlets.Dict().tag(sync=True, echo_update=False)
    _score = traitlets.Dict().tag(sync=True)
    # The cells of the zoomed features that the page asks for, and their values.
    _follow = traitlets.Dict().tag(sync=True, echo_update=False)
    _followed = traitlets.Dict().tag(sync=True)
    # The network that the page asks for, to run it itself, and the files of it.
    _wanted_network = traitlets.Dict().tag(sync=True, echo_update=False)
    _network = traitlets.Dict().tag(sync=True)
    # Whether the photo is one that the page sent.
    _is_uploaded = traitlets.Bool(False).tag(sync=True)
    # A photo is not echoed to the page that sent it.
    _upload = traitlets.Dict({"serial": 0}).tag(sync=True, echo_update=False)

    def __init__(
        self,
        photo: Any,
        state: State | None = None,
        views: Sequence[str] = DEFAULT_VIEWS,
        controls: Sequence[str] | None = None,
        network: Network | None = None,
        presets: Mapping[str, State] | None = None,
    ) -> None:
        own = None if network is None else register_network(network)
        _check_names("views", views, VIEWS)
        page_controls = _controls_to_page(controls)
        self.ground_truth = photo if isinstance(photo, Scene) else None
        self.image = (
            self.ground_truth.image if self.ground_truth else images.load(photo, MAX_PIXELS)
        )
        # Setting the traits calls their observers before the widget is initialised.
        self._is_initialized = False
        self._photo_note = [] if self.ground_truth else _resized(images.size_of(photo), self.image)
        self._first = _Photo(self.image, self.ground_truth, self._photo_note)
        self._latest_result: Result | None = None
        self._is_outdated = False
        self._current_state = state or _default_state(self.ground_truth)
        if own is not None:
            self._current_state = replace(self._current_state, network=own)
        self._first_state = self._current_state
        super().__init__(
            _photo=panels.jpeg(panels.picture(self.image), quality=92),
            _ground_truth=ground_truth_to_page(self.ground_truth) if self.ground_truth else {},
            _views=[{"name": name, **asdict(VIEWS[name])} for name in views],
            _controls=page_controls,
            _lists={name: [minimum, maximum] for name, (_, minimum, maximum) in lists().items()},
            _colours=palette.to_page(),
            _presets=[
                {"title": title, "state": preset.to_page()}
                for title, preset in (presets or {}).items()
            ],
            _state=self._current_state.to_page(),
        )
        self._is_initialized = True
        self._compute(self._state)

    @property
    def state(self) -> State:
        """Values of the controls."""
        return self._current_state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state.to_page()

    @property
    def result(self) -> Result:
        """Result of the last valid state, which is shown."""
        if self._is_outdated:
            with suppress(ValueError):  # a folded warp has none: the last one stays
                self._latest_result = explore(self.image, self._current_state, self.ground_truth)
            self._is_outdated = False
        if self._latest_result is None:
            error = self._result.get("error")
            raise ValueError(f"there is no result yet: the initial state is invalid: {error}")
        return self._latest_result

    def go_to(self, state: State) -> None:
        """Let the page go to a state, as one step of undo; without a page, nothing happens."""
        serial = self._goal["serial"] + 1
        self._goal = {"serial": serial, "state": state.to_page()}

    @traitlets.observe("_question")
    def _on_question(self, change: dict[str, Any]) -> None:
        """Answer with the scores of a state, which is not shown; None if it is invalid."""
        question = change["new"]
        if not self._is_initialized or "state" not in question:
            return
        try:
            with _one_core_left_to_the_page():
                pair = scores(self.image, State.from_page(question["state"]), self.ground_truth)
        except ValueError:
            pair = None
        self._score = {"serial": question.get("serial"), "score": pair}

    @traitlets.observe("_follow")
    def _on_follow(self, change: dict[str, Any]) -> None:
        """Answer with the features of the cells that the page asks for; None without a network."""
        question = change["new"]
        if not self._is_initialized or "state" not in question:
            return
        try:
            state = State.from_page(question["state"])
            cells, weights = map(list, (question["cells"], question["weights"]))
            with _one_core_left_to_the_page():
                values = cell_values(self.image, state, cells, weights)
        except (IndexError, KeyError, TypeError, ValueError):
            values = None
        self._followed = {"serial": question.get("serial"), "cells": values}

    @traitlets.observe("_wanted_network")
    def _on_wanted_network(self, change: dict[str, Any]) -> None:
        """Send the files of the network that the page wants to run, or the error."""
        wanted = change["new"]
        if not self._is_initialized or "name" not in wanted:
            return
        try:
            message = network_message(wanted["name"], not wanted.get("hasRuntime"))
        except (ImportError, RuntimeMissingError, ValueError) as error:
            message = {"error": str(error)}
        truth = truth_to_page(self._first.ground_truth)
        self._network = {**message, "name": wanted["name"], "truth": truth}

    @traitlets.observe("_state")
    def _on_state(self, change: dict[str, Any]) -> None:
        if not self._is_initialized:
            return
        if change["new"].get("is_computed"):
            self._adopt(change["new"])
        else:
            self._compute(change["new"])

    def _adopt(self, message: dict[str, Any]) -> None:
        """Take over a state whose result the page has computed; ours is computed when needed."""
        with suppress(ValueError):
            self._current_state = State.from_page(message)
            self._is_outdated = True

    @traitlets.observe("_upload")
    def _on_upload(self, change: dict[str, Any]) -> None:
        """Load a photo that the page sent; if that fails, send the error and change nothing.

        At the request to go back, show the photo that the explorer was made with.
        """
        if not self._is_initialized:
            return
        upload = change["new"]
        serial = upload.get("serial")
        if upload.get("back"):
            self._show(self._first, self._first_state, serial, is_uploaded=False)
            return
        try:
            image = images.load(bytes(upload["file"]), MAX_PIXELS)
            width, height = int(upload["width"]), int(upload["height"])
        except (KeyError, TypeError, ValueError) as error:
            message = f"cannot load the photo, nothing was changed: {error}"
            self._result = {**self._result, "serial": serial, "error": message}
            return
        photo = _Photo(image, None, _resized((height, width), image))
        self._show(photo, _default_state(None), serial, is_uploaded=True)

    def _show(self, photo: "_Photo", places: State, serial: Any, is_uploaded: bool) -> None:
        """Show another photo, with the foveas, boxes and nodes of a state."""
        self.image, self.ground_truth, self._photo_note = photo
        # In separate messages, the page would draw an old outline on a new photo.
        with self.hold_sync():
            self._ground_truth = (
                ground_truth_to_page(self.ground_truth) if self.ground_truth else {}
            )
            self._photo = panels.jpeg(panels.picture(self.image), quality=92)
            self._is_uploaded = is_uploaded
        state = replace(
            self._current_state, foveas=places.foveas, boxes=places.boxes, nodes=places.nodes
        )
        self._is_initialized = False  # the state is computed once, with the page's serial
        try:
            self._state = state.to_page()
        finally:
            self._is_initialized = True
        self._compute({**state.to_page(), "serial": serial})

    def _compute(self, message: dict[str, Any]) -> None:
        """Send the result of a state, or the error and the last result if it is invalid."""
        serial = message.get("serial") if isinstance(message, dict) else None
        start = time.perf_counter()
        try:
            # A valid state whose warp is folded still becomes the current state; an invalid
            # message does not.
            self._current_state = State.from_page(message)
            views = [view["name"] for view in self._views]
            with _one_core_left_to_the_page():
                result = explore(self.image, self._current_state, self.ground_truth, views)
        except ValueError as error:
            self._result = {**self._result, "serial": serial, "error": str(error)}
            return
        self._latest_result = result
        self._is_outdated = False
        message_to_page = result_to_page(result, self.image)
        self._result = {
            **message_to_page,
            "serial": serial,
            "lines": [*self._photo_note, *message_to_page["lines"]],
            # During a gesture the page pauses for a multiple of this between two messages.
            "took_ms": 1000 * (time.perf_counter() - start),
        }

    def film(self, path: str | Path, seconds: float = 4.0, rate: float = 12.0) -> Path:
        """Write a film in which the grid morphs from uniform to zoomed and back, for slides.

        Args:
            path: of the film: WebM, MP4 or GIF, by its suffix.
            seconds: duration.
            rate: frames per second.

        Returns:
            The path.

        Raises:
            ValueError: the suffix, the duration or the rate is out of range.
        """
        return write_morph(self.image, self.state, Path(path), seconds, rate)

    def still(self) -> Picture:
        """Return the views and the numbers as one image."""
        names = [view["name"] for view in self._views]
        pictures = still(self.image, self.ground_truth, self.result, names)
        panels_with_captions = [
            (VIEWS[name].caption, picture) for name, picture in zip(names, pictures, strict=True)
        ]
        # The font of the picture has no arrows.
        sentence = result_summary(self.result).replace("→", "to")
        technical = [line for line in lines(self.result) if not line.startswith("IoU")]
        footer = [*self._photo_note, sentence, *technical]
        return panels.sheet(panels_with_captions, columns=min(2, len(names)), footer=footer)

    def still_picture(self) -> StillPicture | None:
        """Return the views and the numbers as a JPEG; None if there is no result yet."""
        if self._latest_result is None:
            return None
        result = self.result
        captions = "; ".join(VIEWS[view["name"]].caption for view in self._views)
        description = f"Explorer. {captions}. {result_summary(result)}"
        remedy = "Run this cell to move the picture."
        return StillPicture(panels.jpeg(self.still()), description, remedy)

    def __repr__(self) -> str:
        """Return a representation without a memory address."""
        return f"Explorer({self._current_state})"


class _Photo(NamedTuple):
    """A photo with its ground truth, if known, and a note if it was resized."""

    image: Tensor
    ground_truth: Scene | None
    note: list[str]


def _resized(size: tuple[int, int], image: Tensor) -> list[str]:
    """Return a note if a photo of this size (rows, columns) was resized; otherwise none."""
    rows, columns = image.shape[-2:]
    if size == (rows, columns):
        return []
    return [f"Your photo: {size[1]} x {size[0]} pixels, explored at {columns} x {rows}"]


@contextmanager
def _one_core_left_to_the_page() -> Iterator[None]:
    """Compute on all cores but one, which is left to the browser.

    Threads that compete with the browser for a core make a result ten times slower.
    """
    with threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1))):
        yield


def _controls_to_page(names: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return all controls in the page's format; those of the named fields, or all, are shown."""
    all_controls = [(control.name.split(".")[0], control) for control in controls()]
    if names is not None:
        if not isinstance(names, str):
            names = [_renamed(name) for name in names]
        _check_names("controls", names, [field for field, _ in all_controls], minimum=0)
    return [
        {**control._asdict(), "shown": names is None or field in names}
        for field, control in all_controls
    ]


def _renamed(name: str) -> str:
    """Return the name of a field, with a warning if it is an old one."""
    if name not in RENAMED:
        return name
    warnings.warn(
        f"the control {name!r} is now called {RENAMED[name]!r}; "
        f"{name!r} will be removed in the next version",
        DeprecationWarning,
        stacklevel=4,
    )
    return RENAMED[name]


def _check_names(
    argument: str, names: Sequence[str], valid: Collection[str], minimum: int = 1
) -> None:
    if isinstance(names, str) or set(names) - set(valid) or len(names) < minimum:
        raise ValueError(
            f"{argument} must be a sequence of at least {minimum} of the names "
            f"{sorted(set(valid))}, got {names!r}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{argument} must not contain a name twice, got {names!r}")


def _default_state(ground_truth: Scene | None) -> State:
    if ground_truth is None:
        return State()
    box = Box.around(*ground_truth.boxes[0].tolist())
    return State(boxes=(box,)).at(x=box.x, y=box.y)
