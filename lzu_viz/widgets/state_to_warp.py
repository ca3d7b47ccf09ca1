"""Looks: from a state to its saliency, and from that to its warp."""

from functools import cache, lru_cache

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..geometry import saliency
from ..geometry.check import Size
from ..geometry.resampling import resize
from ..geometry.warp import Warp
from ..models import NanoDet, SelfieSegmenter
from .state import Network, State

DOUBT = 0.05
"""Added to what the segmenter believes: where it sees nobody, the saliency is all but even."""


@cache
def segmenter() -> SelfieSegmenter:
    """Give the segmenter, loaded once."""
    return SelfieSegmenter()


@cache
def detector() -> NanoDet:
    """Give the detector, loaded once."""
    return NanoDet()


def map_size(state: State) -> Size:
    """Give (rows, columns) of a state's saliency."""
    return state.columns // 2, state.columns


def saliency_of(state: State, image: Tensor) -> Tensor:
    """Give the saliency of a state: something to look at, over an even floor.

    Args:
        state: of the controls.
        image: `1 3 h w` in 0..1, for what is found in it, and for lengths in its pixels.

    Returns:
        `1 1 *map_size`.
    """
    share, size = state.strength / 100, map_size(state)
    if state.kind in ("boxes", "boxes in pixels"):
        sides = torch.tensor([box.sides for box in state.boxes], dtype=torch.float32)
        # On a floor of 1, these boxes together hold their share.
        amplitude = share / (1 - share) / len(state.boxes)
        if state.kind == "boxes":
            return saliency.from_boxes_scale_free(sides, amplitude, state.spread / 100, size)
        frame = image.shape[-2:]
        return saliency.from_boxes(sides, amplitude, state.bandwidth, frame=frame, size=size)
    if state.kind == "foveas":
        # A page says 0 where Python says 0.0, so the numbers may all be whole.
        places = [[fovea.x, fovea.y] for fovea in state.foveas]
        centres = torch.tensor([places], dtype=torch.float32)
        widths = torch.tensor([[fovea.width / 100 for fovea in state.foveas]])
        found = saliency.gaussian(centres, widths, size=size)
    else:
        found = found_in(image, state)
    return saliency.mix(saliency.uniform(size), found, weights=(1 - share, share))


def found_in(image: Tensor, state: State) -> Tensor:
    """Give the saliency that needs the image itself, before the floor: edges, or a network's.

    Returns:
        `1 1 *map_size`.
    """
    if state.kind == "edges":
        return _edges(image, map_size(state))
    return _network(
        image,
        map_size(state),
        state.network,
        state.input_size,
        state.antialias,
        state.score / 100,
        state.spread / 100,
    )


# While anything else is moved these stay the same; tensors are compared by identity.
@lru_cache(maxsize=8)
def _edges(image: Tensor, size: Size) -> Tensor:
    return saliency.from_edges(image, size)


@lru_cache(maxsize=8)
@torch.no_grad()
def _network(
    image: Tensor,
    size: Size,
    network: Network,
    side: int,
    antialias: bool,
    score: float,
    spread: float,
) -> Tensor:
    """Look where a network finds something in the uniform picture."""
    if network == "none":
        return saliency.uniform(size)
    plain = resize(image, (side, side), antialias)
    if network == "segmenter":
        believed = segmenter().decode(segmenter()(plain))
        return saliency.normalise(adaptive_avg_pool2d(believed, size) + DOUBT)
    (found,) = detector().decode(detector()(plain), threshold=score)
    if not len(found.boxes):
        return saliency.uniform(size)
    # All but no floor: the strength puts one under it.
    return saliency.from_boxes_scale_free(found.boxes, 1e3, spread, size)


def warp_of(state: State, image: Tensor) -> tuple[Tensor, Warp]:
    """Give the saliency and the warp of a state, its moved nodes included.

    Args:
        state: of the controls.
        image: as for :func:`saliency_of`.
    """
    look = saliency_of(state, image)
    return look, moved(smooth_warp(state, look), state).morph(state.morph)


def smooth_warp(state: State, look: Tensor) -> Warp:
    """Give the warp that the saliency asks for, no node moved by hand, not morphed."""
    pieces = (state.pieces, state.pieces)
    return Warp.from_saliency(look, pieces, state.fwhm / 100, state.separable, state.anti_crop)


def moved(warp: Warp, state: State) -> Warp:
    """Move the nodes that the state moves by hand."""
    if not state.nodes:
        return warp
    grid = warp.grid.clone()
    for node in state.nodes:
        grid[0, node.row, node.column] += torch.tensor([node.dx, node.dy], dtype=grid.dtype)
    return Warp.from_grid(grid)
