"""Views: the pictures that an explorer can show, and how each looks where no page draws it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..datasets.scenes import Scene
from ..geometry.resampling import resize
from ..plots import panels
from ..plots.palette import FOVEA, TRUTH
from ..plots.panels import Picture
from .result import Prediction, Result
from .state import BOX_KINDS, State

STILL_SIDE = 720
"""The long side of a panel in the picture that is left behind, in pixels."""


@dataclass(frozen=True)
class View:
    """What a view shows.

    Attributes:
        caption: above it.
        frame: in which its points lie.
        unit: of the numbers that it paints; empty for a picture.
    """

    caption: str
    frame: Literal["source", "zoomed"] = "source"
    unit: str = ""


VIEWS = {
    "source": View("Source, with the pieces of the warp"),
    "zoomed": View("Zoomed: what the network sees", "zoomed"),
    "uniform": View("Uniform: what is left, and the answer"),
    "unzoomed": View("Zoom, unzoom: what is left, and the answer"),
    "saliency": View("Saliency: where to look", unit="times the mean"),
    "magnification": View("Magnification: how much larger per side", unit="times"),
    "approximation": View("Approximation: how far pieces are off", "zoomed", "px of the source"),
    "round_trip": View("Round trip: how far colours are off", unit="grey levels of 255"),
    "features_zoomed": View(
        "Feature strength, as the network made it", "zoomed", "(vector length)"
    ),
    "features_unzoomed": View("Feature strength, unzoomed", unit="(vector length)"),
}
"""The views there are."""

DEFAULT_VIEWS = ("source", "zoomed", "uniform", "unzoomed")


def still(
    image: Tensor, ground_truth: Scene | None, result: Result, views: list[str]
) -> list[Picture]:
    """Draw views as they stay behind in a saved notebook, all of one size."""
    rows, columns = image.shape[-2:]
    scale = STILL_SIDE / max(rows, columns)
    size = (round(rows * scale), round(columns * scale))
    state = result.state

    def uniform() -> Picture:
        side = (state.input_size, state.input_size)
        left = resize(resize(image, side, state.antialias), size)
        return answered(left, result.uniform)

    def answered(left: Tensor, answer: Prediction) -> Picture:
        if state.network == "none":
            return panels.picture(left)
        return _answered(left, answer, ground_truth)

    def heat(values: Tensor) -> Picture:
        return panels.heat(values, size, VIEWS[name].unit, VIEWS[name].frame == "zoomed")

    even = result.saliency[0, 0] * result.saliency.numel()
    makers: dict[str, Callable[[], Picture]] = {
        "source": lambda: _source(image, result, size),
        "zoomed": lambda: panels.centred(panels.picture(result.zoomed), size),
        "uniform": uniform,
        "unzoomed": lambda: answered(result.warp.unzoom(result.zoomed, size), result.zoom),
        "saliency": lambda: heat(even),
        "magnification": lambda: heat(result.warp.magnification(size)[0]),
    }
    drawn = []
    for name in views:
        if name in makers:
            drawn.append(makers[name]())
        else:
            drawn.append(heat(result.maps.get(name, torch.full((1, 1), torch.nan))))
    return drawn


def _source(image: Tensor, result: Result, size: tuple[int, int]) -> Picture:
    state: State = result.state
    drawn = panels.with_grid(panels.picture(image, size), result.warp)
    if state.hand == "nodes":
        return drawn
    if state.kind == "foveas":
        for fovea in state.foveas:
            drawn = panels.with_fovea(drawn, (fovea.x, fovea.y), fovea.width / 100)
    elif state.kind in BOX_KINDS:
        drawn = panels.with_boxes(
            drawn, torch.tensor([box.sides for box in state.boxes]), colour=FOVEA
        )
    return drawn


def _answered(left: Tensor, answer: Prediction, ground_truth: Scene | None) -> Picture:
    """Draw an answer, and the truth, over what is left of the image."""
    drawn = panels.picture(left)
    if answer.mask is not None:
        drawn = panels.with_mask(drawn, answer.mask)
    if ground_truth:
        if answer.mask is None:
            drawn = panels.with_boxes(drawn, ground_truth.box, colour=TRUTH)
        else:
            drawn = panels.with_outline(drawn, ground_truth.mask)
    drawn = panels.with_boxes(drawn, answer.boxes, answer.labels)
    if ground_truth:
        drawn = panels.with_inset(drawn, ground_truth.box[0])
    return drawn if answer.found else panels.with_note(drawn, "nothing found")
