"""The explorer without a browser: every control from end to end, and what happens when it fails.

What the page says arrives as a change of the trait `_state`; `set_state` is the call by which
ipywidgets makes it.
"""

import base64
import io
import json
import math
import re
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lzu_viz import Warp, images
from lzu_viz.scenes import SCENES, Scene, far_person
from lzu_viz.widgets import Explorer, Fovea, State, explore, to_html
from lzu_viz.widgets import explorer as module
from lzu_viz.widgets.explorer import VIEWS
from lzu_viz.widgets.result import warp_of
from lzu_viz.widgets.state import MOST_FOVEAS, Control, controls

ROOT = Path(__file__).parents[1]
CONTROLS = [*controls(Fovea), *controls(State)]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return far_person(place=(0.2, 0.4), height=0.3, size=(256, 384))


@pytest.fixture
def explorer(scene: Scene) -> Explorer:
    return Explorer(scene)


def say(explorer: Explorer, state: Any, serial: int = 1) -> None:
    """Let the page say a state."""
    explorer.set_state({"_state": {**state, "serial": serial}})


def positions(control: Control) -> list[Any]:
    """Give a control's positions from end to end."""
    if control.options:
        return list(control.options)
    if not control.step:
        return [False, True]
    steps = round((control.high - control.low) / control.step)
    chosen = sorted({round(part * steps / 4) for part in range(5)})
    return [round(control.low + step * control.step, 9) for step in chosen]


def with_control(state: State, name: str, value: Any) -> State:
    if name in {each.name for each in fields(Fovea)}:
        return state.at(**{name: value})
    return replace(state, **{name: value})


def test_state_is_frozen_and_checked() -> None:
    with pytest.raises(FrozenInstanceError):
        State().pieces = 5  # type: ignore[misc]
    for control in CONTROLS:
        for value in (None, "much", math.nan, 1e9, -1e9, [1]):
            with pytest.raises(ValueError, match=f"{control.name} must be"):
                with_control(State(), control.name, value)
    with pytest.raises(ValueError, match="96 plus a multiple of 32"):
        State(input_size=100)
    for foveas in ((), [Fovea()], (1,), (Fovea(),) * (MOST_FOVEAS + 1)):
        with pytest.raises(ValueError, match="foveas must be"):
            State(foveas=foveas)  # type: ignore[arg-type]


def test_state_goes_to_the_page_and_comes_back() -> None:
    state = State(foveas=(Fovea(0.5, -0.5, 9), Fovea()), pieces=7, network="detector")
    assert State.from_page(state.to_page()) == state
    assert State.from_page({**state.to_page(), "serial": 7}) == state


GARBAGE: list[Any] = [
    {},
    {"foveas": []},
    {**State().to_page(), "foveas": "x"},
    {**State().to_page(), "foveas": [1, 2]},
    {**State().to_page(), "foveas": [{"x": 0, "z": 1}]},
    {**State().to_page(), "pieces": "many"},
    {**State().to_page(), "pieces": 3.5},
    {**State().to_page(), "morph": None},
    {**State().to_page(), "network": "oracle"},
    {**State().to_page(), "strength": float("nan")},
    {**State().to_page(), "separable": 1},
]


@pytest.mark.parametrize("said", GARBAGE)
def test_garbage_from_the_page_changes_nothing_and_is_answered(
    explorer: Explorer, said: Any
) -> None:
    before, shown = explorer.state, explorer._answer
    say(explorer, said, serial=5)
    assert explorer._answer["error"]
    assert explorer._answer["serial"] == 5  # or the page would wait for ever
    assert explorer._answer["zoom"] == shown["zoom"]
    assert explorer.state == before
    say(explorer, before.at(x=0.5).to_page(), serial=6)
    assert "error" not in explorer._answer
    assert explorer.state.foveas[0].x == 0.5


def test_every_control_from_end_to_end(explorer: Explorer) -> None:
    """Each control, moved as a page moves it: all is finite, and the answer is of that state."""
    start = explorer.state
    serial = 0
    for control in CONTROLS:
        for value in positions(control):
            serial += 1
            wanted = with_control(start, control.name, value)
            say(explorer, wanted.to_page(), serial)
            assert explorer.state == wanted
            answer, result = explorer._answer, explorer.result
            assert answer["serial"] == serial
            assert answer["state"] == wanted.to_page()
            for number in (result.peak_magnification, result.error_rms, result.error_worst):
                assert math.isfinite(number)
            assert result.zoomed.isfinite().all()
            assert 0 <= result.zoom.iou <= 1
            assert len(result.warp.folds()) == 0


def test_whole_numbers_from_the_page_are_numbers(explorer: Explorer) -> None:
    said = State().to_page()
    say(explorer, {**said, "foveas": [{"x": 0, "y": 0, "width": 6}], "morph": 1})
    assert "error" not in explorer._answer
    assert explorer.state == State()


def test_setting_the_state_tells_the_page(explorer: Explorer) -> None:
    wanted = replace(explorer.state.at(x=-0.5), pieces=8, network="detector")
    explorer.state = wanted
    assert explorer._state == wanted.to_page()
    assert explorer._answer["state"] == wanted.to_page()
    assert explorer.state == wanted


def test_one_answer_a_state(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(module, "explore", lambda *given: calls.append(given) or explore(*given))
    explorer.state = State(pieces=5)
    say(explorer, State(pieces=6).to_page())
    assert len(calls) == 2
    Explorer(explorer.truth)
    assert len(calls) == 3


def test_the_page_gets_what_it_needs(scene: Scene) -> None:
    explorer = Explorer(scene, views=("source", "saliency"))
    assert explorer._views == ["source", "saliency"]
    photo = Image.open(io.BytesIO(explorer._photo))
    assert photo.size == (384, 256)
    assert [each["name"] for each in explorer._controls] == [each.name for each in CONTROLS]
    assert all(each["label"] and each["legend"] for each in explorer._controls)
    assert explorer._truth["box"] == scene.box[0].tolist()
    for picture in (explorer._truth["outline"], explorer._answer["zoom"]["mask"]):
        overlay = Image.open(io.BytesIO(picture)).convert("RGBA")
        assert overlay.width / overlay.height == pytest.approx(1.5, abs=0.01)
    line = np.asarray(Image.open(io.BytesIO(explorer._truth["outline"])).convert("RGBA"))[..., 3]
    assert 0 < (line > 0).sum() < scene.mask.sum()
    assert not (line[scene.mask[0, 0].numpy()] > 0).any()


def test_module_for_the_page_holds_both_files() -> None:
    source = module.module_source()
    assert "import " not in source.split("(() => {")[0]
    assert 'from "./warp.js"' not in source
    assert source.count("export default") == 1


def test_views_are_those_there_are(scene: Scene) -> None:
    for name in VIEWS:
        assert Explorer(scene, views=(name,))._views == [name]
    for views in ((), ("source", "oracle")):
        with pytest.raises(ValueError, match="views must be some of"):
            Explorer(scene, views=views)


def test_no_strength_and_no_morph_are_uniform_downsampling(scene: Scene) -> None:
    for state in (State(strength=0), State(morph=0.0)):
        result = explore(scene.image, state, scene)
        assert result.zoom.iou == pytest.approx(result.uniform.iou, abs=0.01)
        assert result.peak_magnification == pytest.approx(1, abs=1e-3)
        assert result.error_worst < 1e-3


def test_morph_bends_the_sheet_step_by_step() -> None:
    for separable in (True, False):
        state = State(separable=separable)
        whole, still = warp_of(state)[1], Warp.identity((32, 32))
        for morph in (0.0, 0.3, 1.0):
            half = warp_of(replace(state, morph=morph))[1]
            assert half.separable == separable
            wanted = torch.lerp(still.grid, whole.grid, morph)
            assert torch.allclose(half.grid, wanted, atol=1e-6)
            assert len(half.folds()) == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        still.morph(1.5)


def test_finds_the_person_that_uniform_downsampling_loses() -> None:
    explorer = Explorer(SCENES["temple"]())
    assert explorer.result.uniform.iou < 0.1
    assert not explorer.result.uniform.found
    assert explorer.result.zoom.iou > 0.8
    assert explorer.result.input_pixels == 256 * 256
    assert "uniform 0.0" in explorer._answer["lines"][0]


def test_two_foveas_share_the_saliency(scene: Scene) -> None:
    one, two = State().at(x=-0.5), State(foveas=(Fovea(x=-0.5), Fovea(x=0.5)))
    peaks = [explore(scene.image, each, scene).peak_magnification for each in (one, two)]
    assert peaks[0] > peaks[1]
    columns = warp_of(two)[1].magnification((4, 400))[0].amax(dim=0)
    assert columns[100] > 1.4 * columns[200]
    assert columns[300] > 1.4 * columns[200]


def test_more_pieces_approximate_better(scene: Scene) -> None:
    errors = [explore(scene.image, State(pieces=k), scene).error_rms for k in (4, 16, 64)]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]


def test_what_cannot_be_shown_leaves_the_last_answer_and_says_why(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, result = explorer._answer, explorer.result

    def refuse(*given: object) -> None:
        raise ValueError("this warp is folded in 1 of 4 pieces")

    with monkeypatch.context() as patch:
        patch.setattr(module, "explore", refuse)
        say(explorer, explorer.state.at(x=0.9).to_page())
    assert explorer._answer["error"] == "this warp is folded in 1 of 4 pieces"
    assert explorer._answer["zoom"] == before["zoom"]
    assert explorer.result is result


def test_a_fault_in_a_callback_is_not_swallowed(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(module, "explore", fail)
    with pytest.raises(ZeroDivisionError, match="planted"):
        explorer.state = explorer.state.at(x=0.9)
    with pytest.raises(ZeroDivisionError, match="planted"):
        say(explorer, explorer.state.at(x=0.8).to_page())


def test_own_photos_have_no_truth(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)).save(path)
    for photo in (str(path), images.load(path), np.zeros((50, 40, 3), np.uint8), "coffee"):
        explorer = Explorer(photo)
        assert explorer.result.uniform.iou is None
        assert explorer._truth == {}
        assert not any("Overlap" in line for line in explorer._answer["lines"])
        explorer.state = replace(explorer.state, network="detector")
        assert explorer._answer["zoom"]["mask"] is None
        assert explorer.still().width > 500


def test_takes_a_photo_from_the_page(explorer: Explorer) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((60, 90, 3), 99, np.uint8)).save(out, "JPEG")
    sent = {"width": 4000, "height": 2667, "serial": 3, "file": memoryview(out.getvalue())}
    explorer.set_state({"_upload": sent})
    assert explorer.image.shape == (1, 3, 60, 90)
    assert explorer.truth is None
    assert explorer._truth == {}
    assert Image.open(io.BytesIO(explorer._photo)).size == (90, 60)
    assert explorer._answer["serial"] == 3
    assert explorer._answer["lines"][0] == "Your photo: 4000 x 2667 pixels, explored at 90 x 60"


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"width": 4, "height": 4, "file": b""},
        {"width": 4, "height": 4, "file": b"\xff\xd8 no photo"},
        {"width": "x", "height": 4, "file": b"\xff\xd8"},
        {"width": 4, "height": 4, "file": None},
    ],
)
def test_a_broken_photo_from_the_page_changes_nothing(explorer: Explorer, sent: Any) -> None:
    image, photo, truth = explorer.image, explorer._photo, explorer.truth
    explorer.set_state({"_upload": {**sent, "serial": 9}})
    assert "nothing was changed" in explorer._answer["error"]
    assert explorer._answer["serial"] == 9
    assert explorer.image is image
    assert explorer._photo == photo
    assert explorer.truth is truth


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
    bundle, _ = explorer._repr_mimebundle_() or ({}, {})
    assert "application/vnd.jupyter.widget-view+json" in bundle
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))
    assert still.width > 700
    assert np.asarray(still).std() > 20
    assert bundle["text/plain"] == repr(explorer)
    assert "0x" not in repr(explorer)


def test_static_page_is_one_file_that_needs_nothing_else(
    explorer: Explorer, tmp_path: Path
) -> None:
    before = explorer.state
    states = {"on her": before, "nothing </script>": replace(before, strength=0)}
    page = to_html(explorer, tmp_path / "page.html", states, title="A <page>").read_text()
    assert explorer.state == before
    assert "A &lt;page&gt;" in page
    assert not re.search(r"""(src|href)=["']|@import|url\(|https?://""", page)
    assert page.count("</script>") == 2
    data = json.loads(re.search(r'id="lzu-data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert [each["title"] for each in data["prepared"]] == list(states)
    assert data["prepared"][1]["state"]["strength"] == 0
    mask = base64.b64decode(data["prepared"][0]["answer"]["zoom"]["mask"])
    assert Image.open(io.BytesIO(mask)).width == 384


def test_static_page_refuses_what_cannot_be_shown(
    explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(image: torch.Tensor, state: State, truth: Scene | None) -> object:
        if state.pieces == 5:
            raise ValueError("no such warp")
        return explore(image, state, truth)

    monkeypatch.setattr(module, "explore", refuse)
    with pytest.raises(ValueError, match="'odd' cannot be shown: no such warp"):
        to_html(explorer, tmp_path / "page.html", {"odd": replace(explorer.state, pieces=5)})
    assert not (tmp_path / "page.html").exists()


def test_readme_picture_is_what_the_package_draws() -> None:
    kept = np.asarray(Image.open(ROOT / "notebooks/explorer.jpg").convert("RGB")).astype(float)
    drawn = np.asarray(Explorer(SCENES["temple"]()).still()).astype(float)
    assert kept.shape == drawn.shape
    # JPEG rounds, and fonts are drawn a little otherwise elsewhere.
    assert np.abs(kept - drawn).mean() < 4


def test_fields_of_a_fovea_are_those_that_the_page_sets() -> None:
    assert set(asdict(Fovea())) == {"x", "y", "width"}
