"""The explorer without a browser: every control from end to end, and what happens when it fails."""

import base64
import io
import math
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lzu_viz import images
from lzu_viz.scenes import SCENES, Scene, far_person
from lzu_viz.widgets import Explorer, State, explore
from lzu_viz.widgets import explorer as module
from lzu_viz.widgets.state import NETWORKS, controls

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))


@pytest.fixture
def explorer(scene: Scene) -> Explorer:
    return Explorer(scene)


def shown(explorer: Explorer) -> list[bytes]:
    return [panel.value for panel in explorer._panels.values()]


def test_state_is_frozen_and_checked() -> None:
    with pytest.raises(FrozenInstanceError):
        State().x = 0.5  # type: ignore[misc]
    for name, control in controls().items():
        for value in (control.low - control.step, control.high + control.step, math.nan):
            with pytest.raises(ValueError, match=f"{name} must be between"):
                State(**{name: value})
    with pytest.raises(ValueError, match="network must be one of"):
        State(network="oracle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="multiple of 32"):
        State(input_size=100)


def test_every_control_from_end_to_end(explorer: Explorer) -> None:
    """Each slider, moved as a reader moves it: all is finite, and the pictures follow."""
    start = explorer.state
    for name, control in controls().items():
        for part in (0, 0.25, 0.5, 0.75, 1):
            steps = round(part * (control.high - control.low) / control.step)
            explorer._controls[name].value = control.low + steps * control.step
            result = explorer.result
            assert getattr(explorer.state, name) == pytest.approx(
                control.low + steps * control.step
            )
            for number in (result.peak_magnification, result.error_rms, result.error_worst):
                assert math.isfinite(number)
            assert result.zoomed.isfinite().all()
            assert 0 <= result.zoom.iou <= 1
            assert len(result.warp.folds()) == 0
        explorer.state = start
    for network in NETWORKS:
        explorer._controls["network"].value = network
        assert explorer.state.network == network
    assert explorer._message.value == ""


def test_controls_say_what_the_state_says(explorer: Explorer) -> None:
    assert {name: each.value for name, each in explorer._controls.items()} == asdict(explorer.state)
    wanted = replace(explorer.state, x=-0.5, pieces=8, network="detector")
    explorer.state = wanted
    assert {name: each.value for name, each in explorer._controls.items()} == asdict(wanted)
    assert set(explorer._controls) == set(asdict(wanted))


def test_one_step_a_setting_and_not_one_a_control(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(module, "explore", lambda *given: calls.append(given) or explore(*given))
    explorer.state = State(x=0.5, y=0.5, pieces=5)
    assert len(calls) == 1


def test_dragging_changes_the_zoomed_pictures_and_not_the_uniform_one(explorer: Explorer) -> None:
    before = shown(explorer)
    explorer._controls["x"].value = -0.5
    source, zoomed, uniform, zoom = (a != b for a, b in zip(before, shown(explorer), strict=True))
    assert source
    assert zoomed
    assert zoom
    assert not uniform


def test_no_strength_is_uniform_downsampling(scene: Scene) -> None:
    result = explore(scene.image, State(strength=0), scene)
    assert result.zoom.iou == pytest.approx(result.uniform.iou, abs=0.01)
    assert result.peak_magnification == pytest.approx(1, abs=1e-3)


def test_finds_the_person_that_uniform_downsampling_loses() -> None:
    scene = SCENES["temple"]()
    explorer = Explorer(scene)
    assert explorer.result.uniform.iou < 0.1
    assert explorer.result.zoom.iou > 0.8
    assert explorer.result.input_pixels == 256 * 256
    assert "uniform 0.0" in explorer._numbers.value


def test_more_pieces_approximate_better(scene: Scene) -> None:
    errors = [explore(scene.image, State(pieces=k), scene).error_rms for k in (4, 16, 64)]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]


def test_bad_state_leaves_the_last_pictures_and_says_why(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, result = shown(explorer), explorer.result

    def refuse(*given: object) -> None:
        raise ValueError("this warp is folded in <1> of 4 pieces")

    with monkeypatch.context() as patch:
        patch.setattr(module, "explore", refuse)
        explorer._controls["x"].value = 0.9
    assert "folded in &lt;1&gt; of 4 pieces" in explorer._message.value
    assert shown(explorer) == before
    assert explorer.result is result
    explorer._controls["x"].value = 0.8
    assert explorer._message.value == ""
    assert shown(explorer) != before


def test_a_fault_in_a_callback_is_not_swallowed(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(module, "explore", fail)
    with pytest.raises(ZeroDivisionError, match="planted"):
        explorer._controls["x"].value = 0.9


def test_own_photos_have_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)).save(path)
    for photo in (str(path), images.load(path), np.zeros((50, 40, 3), np.uint8), "coffee"):
        explorer = Explorer(photo)
        assert explorer.result.uniform.iou is None
        assert "Overlap" not in explorer._numbers.value
        explorer._controls["network"].value = "detector"
        assert len(shown(explorer)[0]) > 500


def test_large_photos_are_reduced() -> None:
    explorer = Explorer(torch.rand(1, 3, 2000, 3000))
    rows, columns = explorer.image.shape[-2:]
    assert rows * columns <= 2e6
    assert columns / rows == pytest.approx(1.5, abs=0.01)


def test_bad_photos_are_refused_in_words(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not a photo")
    with pytest.raises(ValueError, match=r"photo|image"):
        Explorer(str(broken))
    with pytest.raises(FileNotFoundError):
        Explorer(str(tmp_path / "missing.jpg"))
    with pytest.raises(ValueError, match=r"NaN|finite"):
        Explorer(torch.full((1, 3, 20, 20), torch.nan))


def test_leaves_a_picture_where_no_kernel_runs(explorer: Explorer) -> None:
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))
    assert still.width > 700
    assert np.asarray(still).std() > 20
    assert bundle["text/plain"] == repr(explorer)
    assert "0x" not in repr(explorer)


def test_readme_picture_is_what_the_package_draws() -> None:
    kept = np.asarray(Image.open(ROOT / "notebooks/explorer.jpg").convert("RGB")).astype(float)
    drawn = np.asarray(Explorer(SCENES["temple"]()).still()).astype(float)
    assert kept.shape == drawn.shape
    # JPEG rounds, and fonts are drawn a little otherwise elsewhere.
    assert np.abs(kept - drawn).mean() < 4
