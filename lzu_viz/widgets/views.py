"""The views of the explorer, and their static images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..datasets.scenes import Scene
from ..geometry.resampling import resize
from ..geometry.warp import Warp
from ..plots import panels
from ..plots.palette import FOVEA, GROUND_TRUTH
from ..plots.panels import Picture
from .result import Prediction, Result
from .state import BOX_KINDS, NO_NETWORK, State

STILL_SIDE = 720
"""Longer side of a panel of the static image, in pixels."""


@dataclass(frozen=True)
class View:
    """Description of a view.

    Attributes:
        caption: text above the view.
        frame: coordinate frame of its points.
        unit: of the values that it shows as colours; empty for an image.
        scale: of the colours: from 0, or logarithmic about 1.
    """

    caption: str
    frame: Literal["source", "zoomed"] = "source"
    unit: str = ""
    scale: Literal["from 0", "about 1"] = "from 0"


VIEWS = {
    "source": View("Source image, with the grid of the warp"),
    "zoomed": View("Zoomed image, the network's input", "zoomed"),
    "uniform": View("Uniformly downsampled, with prediction"),
    "unzoomed": View("Zoomed and unzoomed, with prediction"),
    "saliency": View("Saliency", unit="times the mean"),
    "magnification": View("Magnification per side", unit="times", scale="about 1"),
    "approximation": View("Approximation error of the pieces", "zoomed", "px of the source"),
    "round_trip": View("Round trip error of colours", unit="grey levels of 255"),
    "features_zoomed": View("Norm of features, zoomed frame", "zoomed", "(vector norm)"),
    "features_unzoomed": View("Norm of features, unzoomed", unit="(vector norm)"),
}
"""All views by name."""

DEFAULT_VIEWS = ("source", "zoomed", "uniform", "unzoomed")


def still(
    image: Tensor, ground_truth: Scene | None, result: Result, views: list[str]
) -> list[Picture]:
    """Return static images of views, all of the same width, for notebooks without a kernel."""
    rows, columns = image.shape[-2:]
    scale = STILL_SIDE / max(rows, columns)
    size = (round(rows * scale), round(columns * scale))
    state = result.state

    def uniform() -> Picture:
        side = (state.input_size, state.input_size)
        resampled = resize(resize(image, side, state.antialias), size)
        return with_prediction(resampled, result.uniform)

    def with_prediction(resampled: Tensor, prediction: Prediction) -> Picture:
        if state.network == NO_NETWORK:
            return panels.picture(resampled)
        return _with_prediction(resampled, prediction, ground_truth)

    def heat(values: Tensor) -> Picture:
        return panels.heatmap(values, size, VIEWS[name].unit, VIEWS[name].frame == "zoomed")

    relative_saliency = result.saliency[0, 0] * result.saliency.numel()
    makers: dict[str, Callable[[], Picture]] = {
        "source": lambda: draw_source(image, result.warp, state, size),
        "zoomed": lambda: panels.centred(panels.picture(result.zoomed), size),
        "uniform": uniform,
        "unzoomed": lambda: with_prediction(result.warp.unzoom(result.zoomed, size), result.zoom),
        "saliency": lambda: heat(relative_saliency),
        "magnification": lambda: panels.magnification_map(result.warp.magnification(size)[0], size),
    }
    pictures = []
    for name in views:
        if name in makers:
            pictures.append(makers[name]())
        else:
            pictures.append(heat(result.maps.get(name, torch.full((1, 1), torch.nan))))
    return pictures


def draw_source(image: Tensor, warp: Warp, state: State, size: tuple[int, int]) -> Picture:
    """Return the source of a size (rows, columns) with the grid of a warp, and what is dragged."""
    drawn = panels.with_grid(panels.picture(image, size), warp)
    if state.drag_target == "nodes":
        return drawn
    if state.saliency_kind == "foveas":
        for fovea in state.foveas:
            drawn = panels.with_fovea(drawn, (fovea.x, fovea.y), fovea.width / 100)
    elif state.saliency_kind in BOX_KINDS:
        drawn = panels.with_boxes(
            drawn, torch.tensor([box.sides for box in state.boxes]), colour=FOVEA
        )
    return drawn


def _with_prediction(
    resampled: Tensor, prediction: Prediction, ground_truth: Scene | None
) -> Picture:
    """Draw a prediction and the ground truth over a resampled image."""
    drawn = panels.picture(resampled)
    if prediction.mask is not None:
        drawn = panels.with_mask(drawn, prediction.mask)
    if ground_truth:
        if prediction.mask is None:
            drawn = panels.with_boxes(drawn, ground_truth.boxes, colour=GROUND_TRUTH)
        else:
            drawn = panels.with_outline(drawn, ground_truth.mask)
    drawn = panels.with_boxes(drawn, prediction.boxes, prediction.labels)
    score, unit = _score(prediction)
    return panels.with_score(drawn, score, unit, ground_truth.boxes[0] if ground_truth else None)


def _score(prediction: Prediction) -> tuple[str, str]:
    """Return the most important number of a prediction, and what it is."""
    if prediction.iou is not None:
        return f"{prediction.iou:.2f}", "IoU" if prediction.found else "IoU: nothing found"
    if prediction.mask is not None:
        return f"{prediction.mask.float().mean():.1%}", "mask"
    return str(len(prediction.boxes)), "boxes found"
