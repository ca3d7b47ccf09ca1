"""Messages from the kernel to the page, in plain numbers, text and bytes."""

import io
import math
from typing import Any

import torch
from PIL import Image, ImageColor
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..datasets.scenes import Scene
from ..plots.palette import GROUND_TRUTH, PREDICTION
from .result import Prediction, Result, true_mask
from .state import NO_NETWORK, PAGE_KINDS
from .state_to_warp import saliency_from_image

NO_VALUE = 255
"""Byte that stands for a missing value (NaN) in a map; 0 to 254 are values."""


def result_to_page(result: Result, image: Tensor) -> dict[str, Any]:
    """Return the parts of a result that the page cannot compute by itself."""
    state = result.state
    needs_kernel = state.saliency_kind not in PAGE_KINDS
    return {
        "state": state.to_page(),
        "summary": result_summary(result),
        "lines": lines(result),
        "uniform": _prediction_to_page(result.uniform),
        "zoom": _prediction_to_page(result.zoom),
        "maps": maps_to_page(result.maps),
        "saliency": _saliency_to_page(saliency_from_image(state, image)) if needs_kernel else None,
    }


def truth_to_page(ground_truth: Scene | None) -> dict[str, Any] | None:
    """Return the true box, and the true mask as a byte for each pixel, for networks in a page."""
    if ground_truth is None:
        return None
    mask = true_mask(ground_truth)[0, 0].to(torch.uint8)
    return {"box": ground_truth.boxes[0].tolist(), "mask": mask.numpy().tobytes()}


FOUND_IOU = 0.5
"""An object counts as found from this IoU with the ground truth on."""

SAME_IOU = 0.02
"""Values of the IoU that differ by less are called neither better nor worse."""


def result_summary(result: Result) -> str:
    """Return what zooming changed in the network's prediction, as a sentence."""
    state = result.state
    side = state.input_size
    same = f"with the same {side} × {side} pixels"
    uniform, zoom = result.uniform, result.zoom
    if state.network == NO_NETWORK:
        return f"Zoomed to {side} × {side} pixels."
    if uniform.iou is not None and zoom.iou is not None:
        found = uniform.iou >= FOUND_IOU, zoom.iou >= FOUND_IOU
        outcome = {
            (False, True): "Found by zooming",
            (True, False): "Lost by zooming",
            (True, True): "Found by both",
            (False, False): "Found by neither",
        }[found]
        if all(found) and abs(zoom.iou - uniform.iou) >= SAME_IOU:
            outcome += ", better" if zoom.iou > uniform.iou else ", worse"
            outcome += " by zooming"
        return f"{outcome}: IoU {uniform.iou:.2f} → {zoom.iou:.2f}, {same}."
    if uniform.mask is not None and zoom.mask is not None:
        before, after = uniform.mask.float().mean(), zoom.mask.float().mean()
        return f"Mask of the image: uniform {before:.1%}, zoom and unzoom {after:.1%}, {same}."
    counts = f"uniform {len(uniform.boxes)}, zoom and unzoom {len(zoom.boxes)}"
    return f"Boxes found: {counts}, {same}."


def lines(result: Result) -> list[str]:
    """Return the figures of a result as lines of text, the most important first."""
    side = result.state.input_size
    text_lines = []
    if result.uniform.iou is not None and result.zoom.iou is not None:
        text_lines.append(
            f"IoU with the ground truth: uniform {result.uniform.iou:.2f}, "
            f"zoom and unzoom {result.zoom.iou:.2f}"
        )
    network_runs = result.state.network != NO_NETWORK
    image = "Input of the network, uniform or zoomed" if network_runs else "Zoomed image"
    text_lines.append(f"{image}: {side} x {side} = {side * side:,} pixels")
    text_lines.append(f"Peak magnification: {result.peak_magnification:.1f} times per side")
    error = result.round_trip_error
    text_lines.append(
        "Round trip error of positions: "
        + (f"at most {error:.3f} px" if error >= MIN_SHOWN_ERROR else f"below {MIN_SHOWN_ERROR} px")
    )
    text_lines.append(
        f"Approximation error of the pieces: {result.error_rms:.2f} px "
        f"(root mean square), at most {result.error_worst:.1f} px"
    )
    if "round_trip" in result.maps:
        change = result.maps["round_trip"]
        mean = float(change[change.isfinite()].mean())
        text_lines.append(f"Round trip error of colours: {mean:.1f} of 255 grey levels on average")
    return text_lines


MIN_SHOWN_ERROR = 0.001
"""Least error of positions in pixels that is shown as a number."""


def ground_truth_to_page(ground_truth: Scene) -> dict[str, Any]:
    """Return the ground truth of a scene: the box, and the outline of the mask."""
    mask = ground_truth.mask.float()
    # A few source pixels wide, so that the outline is visible in a panel a third as large.
    line = (max_pool2d(mask, 9, stride=1, padding=4) > mask).to(torch.bool)
    return {
        "box": ground_truth.boxes[0].tolist(),
        "outline": overlay(line, GROUND_TRUTH, alpha=255),
    }


def overlay(mask: Tensor, colour: str = PREDICTION, alpha: int = 153) -> bytes:
    """Return a mask `1 1 h w` as a PNG: coloured inside the mask, transparent elsewhere."""
    picture = Image.fromarray(mask[0, 0].to(torch.uint8).numpy(), mode="P")
    picture.putpalette([0, 0, 0, *ImageColor.getrgb(colour)])
    out = io.BytesIO()
    picture.save(out, "PNG", transparency=bytes([0, alpha]), compress_level=1)
    return out.getvalue()


def maps_to_page(maps: Any) -> dict[str, Any]:
    """Return maps `h w` as bytes, 0 to 254 for values from 0 to the maximum, 255 for NaN.

    Zoomed and unzoomed features share one scale, so that their colours can be compared.
    """
    largest = {name: _largest(values) for name, values in maps.items()}
    features = [maximum for name, maximum in largest.items() if name.startswith("features")]
    encoded = {}
    for name, values in maps.items():
        maximum = max(features) if name.startswith("features") else largest[name]
        scaled = (values.nan_to_num(0.0) * ((NO_VALUE - 1) / maximum)).round().to(torch.uint8)
        scaled[values.isnan()] = NO_VALUE
        rows, columns = values.shape
        data = scaled.numpy().tobytes()
        encoded[name] = {"rows": rows, "columns": columns, "maximum": maximum, "data": data}
    return encoded


def _largest(values: Tensor) -> float:
    finite = values[values.isfinite()]
    maximum = float(finite.amax()) if len(finite) else 0.0
    return maximum if maximum > 0 and math.isfinite(maximum) else 1.0


def _saliency_to_page(saliency_map: Tensor) -> dict[str, Any]:
    rows, columns = saliency_map.shape[-2:]
    return {"rows": rows, "columns": columns, "cells": saliency_map[0, 0].numpy().tobytes()}


def _prediction_to_page(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction in the page's format: the mask as a PNG, the boxes as lists."""
    return {
        "found": prediction.found,
        "share": None if prediction.mask is None else float(prediction.mask.float().mean()),
        "iou": prediction.iou,
        "mask": None if prediction.mask is None else overlay(prediction.mask),
        "boxes": [
            [box, label]
            for box, label in zip(prediction.boxes.tolist(), prediction.labels, strict=True)
        ],
    }
