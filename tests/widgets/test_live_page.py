"""Tests of the page on film: its loop is that of Python, and what is written."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from in_node import run_node
from lzu_viz import Fovea
from lzu_viz.datasets.video_files import COURTYARD
from lzu_viz.experiments.films import GENTLE, STRONG, Loop
from lzu_viz.geometry.boxes import Detections
from lzu_viz.geometry.warp import Warp
from lzu_viz.systems.video import follow
from lzu_viz.widgets import live_to_html, page_networks
from lzu_viz.widgets.live_page import PRESETS
from lzu_viz.widgets.page_networks import MANIFEST


def random_frames(seed: int, count: int = 12) -> list[Tensor]:
    """Return boxes `n 4` in the zoomed frame for each frame; in some frames there are none."""
    draw = random.Random(seed)
    frames = []
    for _ in range(count):
        boxes = []
        for _ in range(draw.choice((0, 0, 1, 2, 4))):
            left, top = draw.uniform(-1, 0.8), draw.uniform(-1, 0.8)
            boxes.append(
                [left, top, draw.uniform(left + 0.05, 1), draw.uniform(top + 0.05, 1)],
            )
        frames.append(torch.tensor(boxes).reshape(-1, 4))
    return frames


@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("loop", [GENTLE, STRONG])
def test_loop_on_a_film_is_that_of_python(tmp_path: Path, loop: Loop, patience: int) -> None:
    frames = random_frames(patience)
    found = iter(frames)

    def decode(*_: Any, **__: Any) -> list[Detections]:
        boxes = next(found)
        n = len(boxes)
        return [Detections(boxes, labels=torch.zeros(n, dtype=torch.long), scores=torch.ones(n))]

    system = Fovea(lambda x: x, lambda x: x, Warp.identity((1, 1)), size=(32, 32))
    images = [torch.zeros(1, 3, 48, 64)] * len(frames)
    expected = list(follow(system, images, decode, loop.warp, patience=patience))
    request = {
        "frames": [boxes.tolist() for boxes in frames],
        "loop": {"amplitude": loop.amplitude, "relativeSigma": loop.relative_sigma},
        "patience": patience,
    }
    results = json.loads(run_node("video_loop.mjs", tmp_path, json.dumps(request)))
    assert len(results) == len(expected)
    assert any(len(result.expected) for result in expected)
    for page, result in zip(results, expected, strict=True):
        compare(page["expected"], result.expected)
        compare(page["boxes"], result.detections.boxes)
        assert result.warp.axes is not None
        for name, axis in zip("xy", result.warp.axes, strict=True):
            torch.testing.assert_close(torch.tensor(page["axes"][name]), axis[0], rtol=0, atol=2e-6)


def compare(boxes: list[list[float]], expected: Tensor) -> None:
    """Compare boxes of the page, in double precision, with those of Python, in single."""
    torch.testing.assert_close(torch.tensor(boxes).reshape(-1, 4), expected, rtol=0, atol=1e-5)


def test_presets_have_different_titles_and_sizes_that_the_network_accepts() -> None:
    assert len({preset.title for preset in PRESETS}) == len(PRESETS)
    assert all(side % page_networks.MULTIPLE == 0 for preset in PRESETS for side in preset.size)


def test_page_names_the_film_its_credit_and_its_networks(
    tmp_path: Path, network_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = json.loads((network_files / MANIFEST).read_text(encoding="utf-8"))
    monkeypatch.setattr(page_networks, "write_networks", lambda _: manifest)
    path = live_to_html(tmp_path / "live.html", networks="elsewhere")
    text = path.read_text(encoding="utf-8")
    data = json.loads(text.split('id="lzu-data">')[1].split("</script>")[0])
    assert data["base"] == "elsewhere/"
    assert data["networks"]["detector"]["task"] == "detection"
    assert "Apache License 2.0" in data["credit"]
    assert (tmp_path / data["film"]).read_bytes() == COURTYARD.read_bytes()
