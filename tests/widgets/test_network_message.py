"""Tests of the networks that a kernel sends to its page."""

import gzip
import hashlib
from typing import Any

import pytest

from lzu_viz.datasets.scenes import far_person
from lzu_viz.widgets import Explorer, State, page_networks
from lzu_viz.widgets.front import WIDGET, bundle
from lzu_viz.widgets.page_networks import (
    RUNTIME,
    RuntimeMissingError,
    network_message,
    onnx_file,
)


@pytest.fixture
def explorer() -> Explorer:
    """Return an explorer of a small scene."""
    return Explorer(far_person(place=(0.2, 0.4), height=0.3, size=(120, 180)))


def size_of(message: dict[str, Any]) -> int:
    """Return the bytes of the files of a message."""
    return sum(len(file["gzip"]) for file in message["files"].values())


@pytest.mark.slow
def test_message_holds_the_files_of_a_network() -> None:
    first = network_message("segmenter", with_runtime=True)
    assert set(first["files"]) == {*RUNTIME, "segmenter.onnx"}
    for name, file in first["files"].items():
        data = gzip.decompress(file["gzip"])
        assert len(data) == file["bytes"], name
        assert hashlib.sha256(data).hexdigest() == file["sha256"], name
    assert gzip.decompress(first["files"]["segmenter.onnx"]["gzip"]) == onnx_file("segmenter")
    # The explorer names both sizes under "Slow connection?".
    second = network_message("detector", with_runtime=True)
    sizes = [round(size_of(message) / 1e6) for message in (first, second)]
    assert f"once, {sizes[0]} or {sizes[1]} MB" in bundle(WIDGET)
    assert set(network_message("segmenter", with_runtime=False)["files"]) == {"segmenter.onnx"}


def test_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="pages run the networks segmenter, detector"):
        network_message("other", with_runtime=False)


def test_explorer_answers_with_the_error(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeMissingError("npm is not installed")

    monkeypatch.setattr(page_networks, "runtime_folder", fail)
    explorer._wanted_network = {"name": "segmenter", "hasRuntime": False}
    assert explorer._network["name"] == "segmenter"
    assert explorer._network["error"] == "npm is not installed"
    explorer._wanted_network = {"name": "mine", "hasRuntime": True}
    assert "got ['mine']" in explorer._network["error"]


def test_states_that_the_page_has_computed_are_computed_only_when_needed(
    explorer: Explorer,
) -> None:
    before, sent = explorer.result, explorer._result
    state = State(strength=20).at(x=-0.5, y=0.3)
    explorer._state = {**state.to_page(), "serial": "a 1", "is_computed": True}
    assert explorer.state == state
    assert explorer._result is sent  # the page has its own
    assert explorer.result.state == state
    assert explorer.result is not before
    assert explorer.result is explorer.result
    explorer._state = {**state.to_page(), "strength": 500, "is_computed": True}
    assert explorer.state == state  # an invalid state changes nothing
