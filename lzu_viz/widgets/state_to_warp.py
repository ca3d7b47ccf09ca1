"""The saliency and the warp of an explorer's state."""

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache

import torch
from torch import Tensor

from ..geometry import saliency
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..systems.saliency_policies import (
    SALIENCY_POLICIES,
    BoxSaliency,
    EdgeSaliency,
    GaussianSaliency,
    NetworkSaliency,
    PixelBoxSaliency,
    SaliencyInputs,
    SaliencyPolicy,
    UniformSaliency,
)
from .state import BOX_KINDS, PAGE_KINDS, State

_NO_BOXES = torch.zeros(0, 4)


def saliency_size(state: State) -> Size:
    """Return (rows, columns) of a state's saliency."""
    return state.columns // 2, state.columns


def policy_of(state: State) -> SaliencyPolicy:
    """Return the saliency policy of a state, with the parameters of its controls."""
    make = _POLICIES.get(state.saliency_kind)
    return make(state) if make else SALIENCY_POLICIES[state.saliency_kind].build()


def saliency_of(state: State, image: Tensor) -> Tensor:
    """Return the saliency of a state: a policy's map mixed with the uniform map.

    Args:
        state: of the controls.
        image: `1 3 h w` in 0..1; used by policies that need the image or its size.

    Returns:
        `1 1 *saliency_size`.
    """
    weight, size = state.strength / 100, saliency_size(state)
    if state.saliency_kind in BOX_KINDS:
        # These policies include a uniform floor.
        boxes = torch.tensor([box.sides for box in state.boxes], dtype=torch.float32)
        return policy_of(state)(SaliencyInputs(image, boxes, size))
    if state.saliency_kind in PAGE_KINDS:
        saliency_map = policy_of(state)(SaliencyInputs(image, _NO_BOXES, size))
    else:
        saliency_map = saliency_from_image(state, image)
    return saliency.mix(saliency.uniform(size), saliency_map, weights=(1 - weight, weight))


def saliency_from_image(state: State, image: Tensor) -> Tensor:
    """Return the map of a policy that the page cannot evaluate by itself, without uniform floor.

    Returns:
        `1 1 *saliency_size`.
    """
    return _evaluated(policy_of(state), image, saliency_size(state))


# Cached: the map does not change while other controls are moved. Tensors are hashed by identity.
@lru_cache(maxsize=8)
def _evaluated(policy: Hashable, image: Tensor, size: Size) -> Tensor:
    assert callable(policy)
    saliency_map: Tensor = policy(SaliencyInputs(image, _NO_BOXES, size))
    return saliency_map


def warp_of(state: State, image: Tensor) -> tuple[Tensor, Warp]:
    """Return the saliency and the warp of a state, including its moved nodes.

    Args:
        state: of the controls.
        image: as for :func:`saliency_of`.
    """
    saliency_map = saliency_of(state, image)
    warp = with_moved_nodes(smooth_warp(state, saliency_map), state).morph(state.morph)
    return saliency_map, warp


def smooth_warp(state: State, saliency_map: Tensor) -> Warp:
    """Return the warp of a saliency map, without moved nodes and without morphing."""
    pieces = (state.pieces, state.pieces)
    return Warp.from_saliency(
        saliency_map, pieces, state.fwhm / 100, state.separable, state.anti_crop
    )


def with_moved_nodes(warp: Warp, state: State) -> Warp:
    """Return the warp with the state's moved nodes."""
    if not state.nodes:
        return warp
    grid = warp.grid.clone()
    for node in state.nodes:
        grid[0, node.row, node.column] += torch.tensor([node.dx, node.dy], dtype=grid.dtype)
    return Warp.from_grid(grid)


def _amplitude(state: State) -> float:
    # With a uniform floor of mass 1, the boxes together get the fraction `weight` of the total.
    weight = state.strength / 100
    return weight / (1 - weight) / len(state.boxes)


def _from_network(state: State) -> SaliencyPolicy:
    if state.network == "none":
        return UniformSaliency()
    return NetworkSaliency(
        state.network,
        (state.input_size, state.input_size),
        state.antialias,
        state.score / 100,
        state.relative_sigma / 100,
    )


_POLICIES: Mapping[str, Callable[[State], SaliencyPolicy]] = {
    "foveas": lambda state: GaussianSaliency(
        tuple((fovea.x, fovea.y) for fovea in state.foveas),
        tuple(fovea.width / 100 for fovea in state.foveas),
    ),
    "boxes": lambda state: BoxSaliency(_amplitude(state), state.relative_sigma / 100),
    "boxes in pixels": lambda state: PixelBoxSaliency(_amplitude(state), state.bandwidth),
    "edges": lambda state: EdgeSaliency(),
    "network": _from_network,
}
"""Policies whose parameters are controls of the explorer."""
