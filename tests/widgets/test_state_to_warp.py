"""Tests of the saliency and the warp of a state, in Python and in the page."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from in_node import run_node
from lzu_viz import Warp, saliency
from lzu_viz.datasets.scenes import SCENES, far_person
from lzu_viz.geometry import bilinear
from lzu_viz.widgets import Box, Node, State
from lzu_viz.widgets.state import saliency_kinds
from lzu_viz.widgets.state_to_warp import (
    saliency_from_image,
    saliency_of,
    saliency_size,
    smooth_warp,
    warp_of,
)
from random_states import random_state

IMAGE = far_person(place=(0.2, 0.4), height=0.6, size=(128, 192)).image


@pytest.mark.slow
def test_page_computes_the_same_saliency_and_warp(tmp_path: Path) -> None:
    """Check also states whose saliency only the kernel can compute, and folded grids."""
    states = [random_state(random.Random(index)) for index in range(150)]
    rows, columns = IMAGE.shape[-2:]
    requests = []
    for state in states:
        saliency_map = None
        if state.saliency_kind in ("edges", "network"):
            cells = saliency_from_image(state, IMAGE)[0, 0]
            saliency_map = {
                "rows": cells.shape[0],
                "columns": cells.shape[1],
                "cells": cells.flatten().tolist(),
            }
        size = {"width": columns, "height": rows}
        requests.append({"state": state.to_page(), "size": size, "photoSaliency": saliency_map})
    results = json.loads(run_node("states.mjs", tmp_path, json.dumps(requests)))
    folded = 0
    for state, result in zip(states, results, strict=True):
        saliency_map, warp = warp_of(state, IMAGE)
        assert_close(result["saliency"], saliency_map, 1e-5 * float(saliency_map.amax()))
        assert_close(result["grid"], warp.grid, 2e-5)
        if is_clear_of_folding(warp):
            assert result["folds"] == warp.folds()[:, 1:].tolist()
            folded += len(result["folds"]) > 0
    assert folded > 10
    assert {state.saliency_kind for state in states} == {*saliency_kinds()}


def assert_close(actual: list[float], expected: Tensor, tolerance: float) -> None:
    difference = torch.tensor(actual, dtype=torch.float64) - expected.flatten().double()
    assert difference.abs().max() <= tolerance


def is_clear_of_folding(warp: Warp) -> bool:
    """Return whether no piece is so nearly folded that rounding decides."""
    minimum = bilinear.min_determinant(warp.grid)
    return bool((minimum.abs() > 1e-4).all())


def test_strength_is_the_fraction_of_non_uniform_saliency() -> None:
    """Check for every kind that this fraction of the saliency is above the uniform floor."""
    for kind in saliency_kinds():
        state = State(saliency_kind=kind, strength=60, network="detector")
        saliency_map, uniform = saliency_of(state, IMAGE), saliency.uniform(saliency_size(state))
        pure = saliency_of(replace(state, strength=98), IMAGE)
        fraction = float(
            ((saliency_map - uniform) * (pure - uniform)).sum() / (pure - uniform).square().sum()
        )
        assert fraction == pytest.approx(0.6 / 0.98, abs=0.02), kind
        flat = saliency_of(replace(state, strength=0), IMAGE)
        assert torch.allclose(flat, uniform, rtol=1e-3), kind


def test_saliency_peaks_at_the_box_in_both_units_of_bandwidth() -> None:
    box = Box(x=0.5, y=0.5, width=10, height=20)
    for kind in ("boxes", "boxes in pixels"):
        saliency_map = saliency_of(State(saliency_kind=kind, boxes=(box,)), IMAGE)[0, 0]
        row, column = divmod(int(saliency_map.argmax()), saliency_map.shape[1])
        assert (row, column) in {(23, 47), (23, 48), (24, 47), (24, 48)}
    wider = replace(IMAGE_STATE, bandwidth=200)
    assert saliency_of(wider, IMAGE).amax() < saliency_of(IMAGE_STATE, IMAGE).amax()


IMAGE_STATE = State(
    saliency_kind="boxes in pixels", boxes=(Box(width=10, height=20),), bandwidth=16
)


def test_bandwidth_depends_on_the_frame_and_relative_sigma_does_not() -> None:
    large = torch.nn.functional.interpolate(IMAGE, scale_factor=4)
    sharper = [saliency_of(IMAGE_STATE, image).amax() for image in (large, IMAGE)]
    assert sharper[0] > 2 * sharper[1]
    relative = replace(IMAGE_STATE, saliency_kind="boxes")
    assert torch.equal(saliency_of(relative, large), saliency_of(relative, IMAGE))


def test_saliency_from_a_network_lies_on_the_detected_person() -> None:
    """Check both networks on a large person in the right half of the image."""
    scene = far_person(place=(0.5, 0.0), height=0.8, size=(256, 384))
    for network in ("segmenter", "detector"):
        state = State(saliency_kind="network", network=network, input_size=320)
        saliency_map = saliency_from_image(state, scene.image)
        assert float(saliency_map[..., :, 32:].sum()) > 0.6
    nothing = State(saliency_kind="network", network="none")
    assert torch.equal(saliency_from_image(nothing, scene.image), saliency.uniform((32, 64)))


def test_saliency_from_a_network_is_even_without_detections() -> None:
    scene = SCENES["temple"]()
    for network in ("segmenter", "detector"):
        state = State(saliency_kind="network", network=network, input_size=96)
        saliency_map = saliency_of(state, scene.image)
        assert float(saliency_map.amax() * saliency_map.numel()) < 5


def test_shifts_of_nodes_are_relative_to_the_warp_of_the_saliency() -> None:
    state = State(separable=False, pieces=8, nodes=(Node(2, 3, 0.02, -0.01), Node(8, 8, 0.1, 0.0)))
    saliency_map, warp = warp_of(state, IMAGE)
    shift = warp.grid - smooth_warp(state, saliency_map).grid
    assert shift.abs().sum() == pytest.approx(0.13, abs=1e-5)
    assert shift[0, 2, 3].tolist() == pytest.approx([0.02, -0.01], abs=1e-6)
    half = warp_of(replace(state, morph=0.5), IMAGE)[1]
    middle = (warp.grid + Warp.identity((8, 8)).grid) / 2
    assert torch.allclose(half.grid, middle, atol=1e-6)


def test_saliency_map_has_the_given_columns() -> None:
    for kind in saliency_kinds():
        state = State(saliency_kind=kind, columns=24)
        assert saliency_of(state, IMAGE).shape == (1, 1, 12, 24)
        assert math.isclose(float(saliency_of(state, IMAGE).sum()), 1, rel_tol=1e-5)


def test_old_names_of_fields_warn_and_work() -> None:
    with pytest.warns(DeprecationWarning, match="'saliency_kind'"):
        state = State(kind="boxes", strength=40)  # type: ignore[call-arg]
    assert state == State(saliency_kind="boxes", strength=40)
    with pytest.warns(DeprecationWarning, match="State.relative_sigma"):
        assert state.spread == state.relative_sigma
    with pytest.warns(DeprecationWarning, match="State.drag_target"):
        assert state.hand == "saliency"
