"""Tests of "Follow a pixel": what it shows is what `Warp.unzoom` computes."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from in_node import run_node
from lzu_viz import Warp, saliency
from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer, State
from lzu_viz.widgets.result import cell_values

MAP, SIZE = (12, 16), (20, 30)


def random_warp(seed: int, separable: bool, anti_crop: bool = True) -> Warp:
    """Return a warp with 6 x 8 pieces."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(1, 1, 2, generator=generator) * 1.2 - 0.6
    return Warp.from_saliency(
        saliency.gaussian(centre, 0.1, size=(16, 32)),
        (6, 8),
        0.4,
        separable=separable,
        anti_crop=anti_crop,
    )


def case(warp: Warp, cell: tuple[int, int], values: Tensor) -> dict[str, Any]:
    """Return what the page knows."""
    rows, columns = warp.pieces
    axes, grid = None, None
    if warp.axes is None:
        grid = {"rows": rows, "columns": columns, "nodes": warp.grid[0].flatten().tolist()}
    else:
        axes = {name: axis[0].tolist() for name, axis in zip("xy", warp.axes, strict=True)}
    return {
        "axes": axes,
        "grid": grid,
        "size": {"rows": SIZE[0], "columns": SIZE[1]},
        "map": {"rows": MAP[0], "columns": MAP[1]},
        "cell": {"row": cell[0], "column": cell[1]},
        "values": values.flatten().tolist(),
    }


@pytest.mark.parametrize("separable", [True, False])
def test_the_sum_is_the_unzoomed_value(tmp_path: Path, separable: bool) -> None:
    values = torch.rand(1, 1, *MAP, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    draw = random.Random(0)
    cases, expected = [], []
    for seed in range(20):
        warp = random_warp(seed, separable)
        cell = draw.randrange(SIZE[0]), draw.randrange(SIZE[1])
        cases.append(case(warp, cell, values))
        expected.append(float(warp.unzoom(values, SIZE)[0, 0, cell[0], cell[1]]))
    results = json.loads(run_node("follow.mjs", tmp_path, json.dumps(cases)))
    assert [result["value"] for result in results] == pytest.approx(expected, abs=2e-5)
    for result, value in zip(results, expected, strict=True):
        weights = [corner["weight"] for corner in result["path"]["corners"]]
        assert sum(weights) == pytest.approx(1)
        shown = float(result["sum"].split(" = ")[1].replace("−", "-"))
        assert shown == pytest.approx(value, abs=0.006)
        assert len(result["texts"]) == 3


def test_a_place_that_the_warp_does_not_reach_is_named(tmp_path: Path) -> None:
    warp = Warp.from_axes(torch.linspace(-0.5, 0.5, 9)[None], torch.linspace(-1, 1, 7)[None])
    cases = [case(warp, (0, 0), torch.zeros(MAP))]
    (result,) = json.loads(run_node("follow.mjs", tmp_path, json.dumps(cases)))
    assert result["path"]["zoomed"] is None
    assert result["texts"][-1].startswith("The warp does not reach this place")


def test_features_of_cells() -> None:
    """The channel with the largest weighted sum is chosen."""
    scene = far_person(place=(0.2, 0.4), height=0.3, size=(120, 180))
    state = State(input_size=128)
    cells, weights = [0, 1, 16, 17], [0.1, 0.2, 0.3, 0.4]
    found = cell_values(scene.image, state, cells, weights)
    assert found is not None
    assert 0 <= found["channel"] < found["channels"]
    assert len(found["values"]) == 4
    assert cell_values(scene.image, State(network="none"), cells, weights) is None
    with pytest.raises(IndexError):
        cell_values(scene.image, state, [10**6], [1.0])


def test_explorer_answers_with_the_features_of_cells() -> None:
    explorer = Explorer(far_person(place=(0.2, 0.4), height=0.3, size=(120, 180)))
    question = {"cells": [0, 1, 2, 3], "weights": [0.25] * 4, "state": explorer.state.to_page()}
    explorer._follow = {"serial": "a 1", **question}
    assert explorer._followed["serial"] == "a 1"
    assert len(explorer._followed["cells"]["values"]) == 4
    explorer._follow = {"serial": "a 2", **question, "cells": [10**6] * 4}
    assert explorer._followed == {"serial": "a 2", "cells": None}
