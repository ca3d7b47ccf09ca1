"""Page: what the kernel knows, written as the page reads it, in plain numbers, text and bytes."""

import io
import math
from typing import Any

import torch
from PIL import Image, ImageColor
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..datasets.scenes import Scene
from ..plots.palette import ANSWER, TRUTH
from .result import Prediction, Result
from .state import PAGE_KINDS
from .state_to_warp import saliency_from_image

NOTHING = 255
"""The byte of a cell of a map where there is no number; 0 to 254 are its numbers."""


def answer_to_page(result: Result, image: Tensor) -> dict[str, Any]:
    """Return all that the page cannot know by itself of a result."""
    state = result.state
    needs_kernel = state.kind not in PAGE_KINDS
    return {
        "state": state.to_page(),
        "lines": lines(result),
        "uniform": _answer(result.uniform),
        "zoom": _answer(result.zoom),
        "maps": maps_to_page(result.maps),
        "look": _look(saliency_from_image(state, image)) if needs_kernel else None,
    }


def lines(result: Result) -> list[str]:
    """Say in numbers what a result shows, the most important first."""
    side = result.state.input_size
    sentences = []
    if result.uniform.iou is not None and result.zoom.iou is not None:
        sentences.append(
            f"Overlap with the truth (IoU, 0 to 1): uniform {result.uniform.iou:.2f}, "
            f"zoom and unzoom {result.zoom.iou:.2f}"
        )
    seer = (
        "Zoomed picture" if result.state.network == "none" else "Input of the network, either way"
    )
    sentences.append(f"{seer}: {side} x {side} = {side * side:,} pixels")
    sentences.append(
        f"Peak magnification: {result.peak_magnification:.1f} times. "
        f"Zoomed and unzoomed again, a place is off by at most {result.round_trip_error:.3f} px"
    )
    sentences.append(
        f"The pieces stray from the smooth warp by {result.error_rms:.2f} px "
        f"(root mean square; {result.error_worst:.1f} px at worst)"
    )
    if "round_trip" in result.maps:
        change = result.maps["round_trip"]
        mean = float(change[change.isfinite()].mean())
        sentences.append(f"Round trip of the colours: {mean:.1f} of 255 grey levels on average")
    return sentences


def ground_truth_to_page(ground_truth: Scene) -> dict[str, Any]:
    """Return what is true of a scene: the box, and a line around the mask."""
    mask = ground_truth.mask.float()
    # A few source pixels wide, so that it is seen in a panel a third as large.
    line = (max_pool2d(mask, 9, stride=1, padding=4) > mask).to(torch.bool)
    return {"box": ground_truth.box[0].tolist(), "outline": overlay(line, TRUTH, alpha=255)}


def overlay(mask: Tensor, colour: str = ANSWER, alpha: int = 153) -> bytes:
    """Return a mask `1 1 h w` as a PNG: coloured where it is, transparent elsewhere."""
    picture = Image.fromarray(mask[0, 0].to(torch.uint8).numpy(), mode="P")
    picture.putpalette([0, 0, 0, *ImageColor.getrgb(colour)])
    out = io.BytesIO()
    picture.save(out, "PNG", transparency=bytes([0, alpha]), compress_level=1)
    return out.getvalue()


def maps_to_page(maps: Any) -> dict[str, Any]:
    """Return maps `h w` as bytes, 0 to 254 for 0 to the largest number.

    The features are scaled alike, zoomed and unzoomed, so that their colours can be compared.
    """
    largest = {name: _largest(values) for name, values in maps.items()}
    features = [maximum for name, maximum in largest.items() if name.startswith("features")]
    sent = {}
    for name, values in maps.items():
        maximum = max(features) if name.startswith("features") else largest[name]
        scaled = (values.nan_to_num(0.0) * ((NOTHING - 1) / maximum)).round().to(torch.uint8)
        scaled[values.isnan()] = NOTHING
        rows, columns = values.shape
        data = scaled.numpy().tobytes()
        sent[name] = {"rows": rows, "columns": columns, "most": maximum, "data": data}
    return sent


def _largest(values: Tensor) -> float:
    known = values[values.isfinite()]
    maximum = float(known.amax()) if len(known) else 0.0
    return maximum if maximum > 0 and math.isfinite(maximum) else 1.0


def _look(saliency_map: Tensor) -> dict[str, Any]:
    rows, columns = saliency_map.shape[-2:]
    return {"rows": rows, "columns": columns, "cells": saliency_map[0, 0].numpy().tobytes()}


def _answer(answer: Prediction) -> dict[str, Any]:
    """Return an answer as the page draws it: the mask as a picture, the boxes as lists."""
    return {
        "found": answer.found,
        "iou": answer.iou,
        "mask": None if answer.mask is None else overlay(answer.mask),
        "boxes": [
            [box, label] for box, label in zip(answer.boxes.tolist(), answer.labels, strict=True)
        ],
    }
