"""Tests of the networks in pages without a kernel: their files, and the results of the page."""

import base64
import hashlib
import json
import random
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from in_node import run_node
from lzu_viz.datasets.scenes import Scene, far_person
from lzu_viz.models import network
from lzu_viz.plots import panels
from lzu_viz.widgets import Result, State, explore, page_networks
from lzu_viz.widgets.page_networks import PAGE_NETWORKS, entry_for_page, onnx_file, write_networks
from lzu_viz.widgets.protocol import lines, result_summary
from lzu_viz.widgets.result import Prediction, cell_values, true_mask
from random_states import random_state

CELLS, WEIGHTS = [0, 1, 4, 5], [0.4, 0.3, 0.2, 0.1]
"""Cells of the zoomed features that are compared; the smallest map is 4 x 4."""

VIEWS = ("approximation", "round_trip", "features_zoomed", "features_unzoomed")


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Return a scene whose pixels are whole numbers of 0..255, as in a page."""
    scene = far_person(place=(0.2, 0.4), height=0.3, size=(427, 640))
    return replace(scene, image=(scene.image * 255).round() / 255)


def results_in_page(
    scene: Scene, states: list[State], network_files: Path, tmp_path: Path
) -> list[dict[str, Any]]:
    """Return what the page computes for states, in Node."""
    rgb = np.asarray(panels.picture(scene.image))
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    mask = true_mask(scene)[0, 0].to(torch.uint8).numpy()
    request = {
        "folder": str(network_files),
        "networks": {name: entry_for_page(name) for name in PAGE_NETWORKS},
        "picture": {"width": rgb.shape[1], "height": rgb.shape[0], "data": encoded(rgba)},
        "truth": {"box": scene.boxes[0].tolist(), "mask": encoded(mask)},
        "states": [state.to_page() for state in states],
        "views": VIEWS,
        "cells": CELLS,
        "weights": WEIGHTS,
    }
    results: list[dict[str, Any]] = json.loads(
        run_node("explore.mjs", tmp_path, json.dumps(request))
    )
    return results


def encoded(values: Any) -> str:
    """Return the bytes of an array as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def decoded(sent: dict[str, Any], key: str) -> Any:
    """Return an array `rows columns` that the page sent."""
    values = np.frombuffer(base64.b64decode(sent[key]), np.uint8)
    return values.reshape(sent["rows"], sent["columns"])


@pytest.mark.slow
def test_page_computes_the_same_results(scene: Scene, network_files: Path, tmp_path: Path) -> None:
    """Compare boxes, masks, scores, error maps and sentences over 100 random states."""
    draw = random.Random(0)
    states = []
    for index in range(100):
        state = random_state(random.Random(index))
        states.append(replace(state, input_size=draw.choice((128, 192, 256)), score=35))
    sent = results_in_page(scene, states, network_files, tmp_path)
    compared = [check_result(scene, state, page) for state, page in zip(states, sent, strict=True)]
    assert sum(compared) >= 60  # of the others, the grid is folded


def check_result(scene: Scene, state: State, page: dict[str, Any]) -> bool:
    """Compare the page's result with Python's; return whether there is one."""
    if "error" in page:
        assert "folded" in page["error"]
        with pytest.raises(ValueError, match="folded"):
            explore(scene.image, state, scene, VIEWS)
        return False
    result = explore(scene.image, state, scene, VIEWS)
    assert page["summary"] == result_summary(result)
    assert page["lines"] == lines(result)
    check_prediction(scene, page["uniform"], result.uniform)
    check_prediction(scene, page["zoom"], result.zoom)
    assert page["scores"] == pytest.approx(
        {"uniform": result.uniform.iou, "zoom": result.zoom.iou}, abs=1e-4
    )
    check_maps(page["maps"], result)
    check_cells(page["cells"], cell_values(scene.image, state, CELLS, WEIGHTS))
    return True


def check_cells(page: dict[str, Any] | None, expected: dict[str, Any] | None) -> None:
    """Compare the features of some cells."""
    if page is None or expected is None:
        assert page is expected
        return
    assert page["channels"] == expected["channels"]
    assert page["channel"] == expected["channel"]
    assert page["values"] == pytest.approx(expected["values"], rel=1e-3, abs=1e-3)


def check_prediction(scene: Scene, page: dict[str, Any], prediction: Prediction) -> None:
    """Compare a prediction: boxes within half a source pixel, masks in nearly all pixels."""
    assert page["found"] == prediction.found
    assert page["iou"] == pytest.approx(prediction.iou, abs=1e-4)
    if prediction.mask is not None:
        mask = prediction.mask[0, 0].numpy()
        assert (decoded(page["mask"], "cells") != mask).mean() < 5e-3
        assert page["share"] == pytest.approx(mask.mean(), abs=1e-4)
    height, width = scene.image.shape[-2:]
    pixels = torch.tensor([width, height] * 2) / 2
    boxes = torch.tensor([box for box, _ in page["boxes"]]).reshape(-1, 4)
    torch.testing.assert_close(boxes * pixels, prediction.boxes * pixels, rtol=0, atol=0.5)
    # Scores that differed by more than rounding would round to other digits in many boxes.
    assert [text for _, text in page["boxes"]] == list(prediction.labels)


def check_maps(page: dict[str, Any], result: Result) -> None:
    """Compare the maps of the views, in steps of their scale."""
    assert set(page) == set(result.maps)
    for name, expected in result.maps.items():
        bytes_of_page = decoded(page[name], "data")
        known = expected.isfinite().numpy()
        assert ((bytes_of_page != 255) == known).all(), name
        values = bytes_of_page[known] * (page[name]["maximum"] / 254)
        difference = np.abs(values - expected.numpy()[known])
        # An approximation error without pieces is rounding only, in float32 1e-5 pixels.
        assert difference.max() <= 1.1 * page[name]["maximum"] / 254 + 1e-4, name


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGE_NETWORKS)
@pytest.mark.parametrize("size", [(64, 64), (192, 256), (416, 288)])
def test_onnx_files_compute_the_same_at_every_size(
    network_files: Path, name: str, size: tuple[int, int]
) -> None:
    """Compare all maps with the network's own."""
    session = onnxruntime.InferenceSession(str(network_files / f"{name}.onnx"))
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    module = network(name)
    with torch.no_grad():
        features = module.features(image)
        outputs = module.head(features)
    expected = {
        f"{kind}_{level}": values
        for kind, levels in (("outputs", outputs), ("features", features))
        for level, values in enumerate([levels] if isinstance(levels, torch.Tensor) else levels)
    }
    computed = session.run(list(expected), {"image": image.numpy()})
    for values, (key, wanted) in zip(computed, expected.items(), strict=True):
        torch.testing.assert_close(
            torch.from_numpy(values), wanted, rtol=1e-4, atol=3e-3, msg=f"{key} differs"
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGE_NETWORKS)
def test_weights_are_stored_in_half_precision(name: str) -> None:
    """Check the size of the file: two bytes for each weight, and the graph."""
    weights = sum(parameter.numel() for parameter in network(name).parameters())
    assert len(onnx_file(name)) < 2 * weights + 300_000


@pytest.mark.slow
def test_manifest_describes_the_files(network_files: Path) -> None:
    """Check sizes, hashes and licence of what is written."""
    manifest = json.loads((network_files / page_networks.MANIFEST).read_text())
    assert set(manifest["networks"]) == set(PAGE_NETWORKS)
    sizes = [description["bytes"] for description in manifest["files"].values()]
    assert sum(sizes) == pytest.approx(22e6, abs=0.5e6)  # as the README says
    for name, description in manifest["files"].items():
        data = (network_files / name).read_bytes()
        assert description == {
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    assert "Microsoft Corporation" in (network_files / page_networks.LICENCE.name).read_text()


def test_unknown_networks_are_refused(tmp_path: Path) -> None:
    """A page cannot decode the outputs of every network."""
    with pytest.raises(
        ValueError, match=r"pages run the networks segmenter, detector, got \['a'\]"
    ):
        write_networks(tmp_path, ["a"])


def test_missing_npm_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without npm and without the files, the error says what to install."""
    monkeypatch.setattr(page_networks, "user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(page_networks.shutil, "which", lambda _: None)
    with pytest.raises(page_networks.RuntimeMissingError, match=re.escape("install Node.js")):
        write_networks(tmp_path / "networks")


def test_another_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive that npm fetches is compared with its known hash."""

    def pack(*_: Any, cwd: str, **__: Any) -> Any:
        (Path(cwd) / "x.tgz").write_bytes(b"another")
        return subprocess.CompletedProcess((), 0, "", "")

    monkeypatch.setattr(page_networks, "user_cache_path", lambda _: tmp_path)
    monkeypatch.setattr(page_networks.shutil, "which", lambda _: "npm")
    monkeypatch.setattr(page_networks.subprocess, "run", pack)
    with pytest.raises(page_networks.RuntimeMissingError, match="has the SHA-512"):
        write_networks(tmp_path / "networks")
