"""Tests of the explorer without a browser: states, messages, views, photos, static pages.

A message of the page arrives as a change of the trait `_state`, which ipywidgets makes by calling
`set_state`.
"""

import base64
import io
import json
import math
import re
import subprocess
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from in_node import find_node
from lzu_viz import Warp, images
from lzu_viz.datasets.scenes import SCENES, Scene
from lzu_viz.widgets import (
    Box,
    Explorer,
    Gaussian,
    Node,
    State,
    explore,
    front,
    static_page,
    to_html,
)
from lzu_viz.widgets import explorer as module
from lzu_viz.widgets.front import (
    FIGURE,
    FOLDER,
    LIVE,
    LIVE_WORKER,
    PLAYER,
    QUEST,
    STATIC,
    STORY,
    WIDGET,
    WORKER,
    bundle,
    modules,
)
from lzu_viz.widgets.protocol import NO_VALUE, maps_to_page
from lzu_viz.widgets.state import Control, controls, lists
from lzu_viz.widgets.state_to_warp import warp_of
from lzu_viz.widgets.views import VIEWS

ROOT = Path(__file__).parents[2]
CONTROLS = controls()
MAPS = ("approximation", "round_trip", "features_zoomed", "features_unzoomed")
FOLDED = State(separable=False, pieces=8, nodes=(Node(4, 4, 0.9, 0.0),))


def send(explorer: Explorer, state: Any, serial: int = 1) -> None:
    """Send a state as the page does."""
    explorer.set_state({"_state": {**state, "serial": serial}})


def positions(control: Control) -> list[Any]:
    """Return positions of a control over its whole range."""
    if control.options:
        return list(control.options)
    if not control.step:
        return [False, True]
    steps = round((control.high - control.low) / control.step)
    chosen = sorted({round(part * steps / 4) for part in range(5)})
    return [round(control.low + step * control.step, 9) for step in chosen]


def with_control(state: State, name: str, value: Any) -> State:
    """Return the state with one control moved, and with the changes that this requires."""
    name, _, part = name.partition(".")
    if name == "nodes":
        state = replace(state, separable=False, drag_target="nodes", pieces=64)
    if part:
        first, *others = getattr(state, name) or (Node(),)
        value = (replace(first, **{part: value}), *others)
    if (name, value) == ("drag_target", "nodes"):
        state = replace(state, separable=False)
    return replace(state, **{name: value})


def situations(state: State, control: Control) -> list[State]:
    """Return states in which a control is shown."""
    if control.when is None:
        return [state]
    field, values = control.when
    return [with_control(state, field, value) for value in values]


def test_state_is_frozen_and_validated() -> None:
    with pytest.raises(FrozenInstanceError):
        State().pieces = 5  # type: ignore[misc]
    for control in CONTROLS:
        for value in (None, "much", math.nan, 1e9, -1e9, [1]):
            with pytest.raises(ValueError, match=f"{control.name.split('.')[-1]} must be"):
                with_control(State(), control.name, value)
    with pytest.raises(ValueError, match="96 plus a multiple of 32"):
        State(input_size=100)
    for name, (kind, minimum, maximum) in lists().items():
        bad = [[kind()], (1,), (kind(),) * (maximum + 1), *([()] if minimum else [])]
        for value in bad:
            with pytest.raises(ValueError, match=f"{name} must be"):
                State(**{name: value})


def test_nodes_must_lie_on_a_non_separable_grid() -> None:
    node = Node(9, 9, 0.1, 0.1)
    with pytest.raises(ValueError, match="only if separable is False"):
        State(nodes=(node,))
    with pytest.raises(ValueError, match="must lie on the grid of 8 pieces"):
        State(nodes=(node,), separable=False, pieces=8)
    assert State(nodes=(node,), separable=False, pieces=9).nodes == (node,)


def test_controls_have_unique_names_labels_legends_and_groups() -> None:
    assert len({control.name for control in CONTROLS}) == len(CONTROLS)
    names = {control.name for control in CONTROLS}
    for control in CONTROLS:
        assert control.label
        assert control.legend
        assert control.group in ("Saliency", "Warp", "Network")
        if control.when:
            field, values = control.when
            assert field in names
            for value in values:
                with_control(State(), field, value)


def test_from_page_inverts_to_page() -> None:
    assert State.from_page(FOLDED.to_page()) == FOLDED
    state = State(foveas=(Gaussian(0.5, -0.5, 9), Gaussian()), pieces=7, network="detector")
    assert State.from_page(state.to_page()) == state
    assert State.from_page({**state.to_page(), "serial": 7}) == state


INVALID_STATES: list[Any] = [
    {},
    {"foveas": []},
    {**State().to_page(), "foveas": "x"},
    {**State().to_page(), "foveas": [1, 2]},
    {**State().to_page(), "foveas": [{"x": 0, "z": 1}]},
    {**State().to_page(), "pieces": "many"},
    {**State().to_page(), "pieces": 3.5},
    {**State().to_page(), "morph": None},
    {**State().to_page(), "network": "oracle"},
    {**State().to_page(), "saliency_kind": None},
    {**State().to_page(), "saliency_kind": ["foveas"]},
    {**State().to_page(), "boxes": [{"x": 0, "y": 0, "width": 10}, 3]},
    {**State().to_page(), "boxes": [{}] * 1000},
    {**State().to_page(), "nodes": [{"row": 1, "column": 1, "dx": 0, "dy": 0}]},
    {**State().to_page(), "nodes": {"row": 1}},
    {**FOLDED.to_page(), "pieces": 2},
    {**State().to_page(), "strength": float("nan")},
    {**State().to_page(), "separable": 1},
]


@pytest.mark.parametrize("sent", INVALID_STATES)
def test_invalid_state_from_the_page_gives_an_error_and_no_change(
    explorer: Explorer, sent: Any
) -> None:
    before, result = explorer.state, explorer._result
    send(explorer, sent, serial=5)
    assert explorer._result["error"]
    assert explorer._result["serial"] == 5  # the page waits for this serial
    assert explorer._result["zoom"] == result["zoom"]
    assert explorer.state == before
    send(explorer, before.at(x=0.5).to_page(), serial=6)
    assert "error" not in explorer._result
    assert explorer.state.foveas[0].x == 0.5


@pytest.mark.slow
def test_every_control_over_its_whole_range(explorer: Explorer) -> None:
    """Check that each result is finite and belongs to the state that the page has sent.

    A node that is moved too far folds the grid; then the last result stays.
    """
    start, serial, folded = explorer.state, 0, 0
    for control in CONTROLS:
        for situation in situations(start, control):
            for value in positions(control):
                serial += 1
                last = explorer.result
                expected = with_control(situation, control.name, value)
                send(explorer, expected.to_page(), serial)
                assert explorer.state == expected
                message, result = explorer._result, explorer.result
                assert message["serial"] == serial
                if "error" in message:
                    assert "folded" in message["error"]
                    assert control.name in ("nodes.dx", "nodes.dy")
                    assert result is last
                    folded += 1
                    continue
                assert result.state == expected
                assert message["state"] == expected.to_page()
                for number in (
                    result.peak_magnification,
                    result.error_rms,
                    result.error_worst,
                    result.round_trip_error,
                ):
                    assert math.isfinite(number)
                assert result.round_trip_error < 0.01
                assert result.zoomed.isfinite().all()
                assert (result.zoom.iou is None) == (expected.network == "none")
                assert 0 <= (result.zoom.iou or 0) <= 1
                assert len(result.warp.folds()) == 0
    assert folded > 2


def test_integers_from_the_page_are_accepted(explorer: Explorer) -> None:
    sent = State().to_page()
    box = {"x": 0, "y": 0, "width": 20, "height": 30}
    integers = {"foveas": [{"x": 0, "y": 0, "width": 6}], "boxes": [box], "morph": 1}
    for kind in ("foveas", "boxes"):
        send(explorer, {**sent, **integers, "saliency_kind": kind})
        assert "error" not in explorer._result
        assert explorer.state == State(saliency_kind=kind)


def test_setting_the_state_updates_the_page(explorer: Explorer) -> None:
    expected = replace(explorer.state.at(x=-0.5), pieces=8, network="detector")
    explorer.state = expected
    assert explorer._state == expected.to_page()
    assert explorer._result["state"] == expected.to_page()
    assert explorer.state == expected


def test_each_state_is_explored_once(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(module, "explore", lambda *args: calls.append(args) or explore(*args))
    explorer.state = State(pieces=5)
    send(explorer, State(pieces=6).to_page())
    assert len(calls) == 2
    Explorer(explorer.ground_truth)
    assert len(calls) == 3


def test_page_receives_views_photo_controls_and_ground_truth(scene: Scene) -> None:
    explorer = Explorer(scene, views=("source", "saliency"))
    assert [view["name"] for view in explorer._views] == ["source", "saliency"]
    assert explorer._views[1]["unit"] == "times the mean"
    assert len(explorer._colours["map"]) == 3 * 256
    photo = Image.open(io.BytesIO(explorer._photo))
    assert photo.size == (384, 256)
    assert [control["name"] for control in explorer._controls] == [
        control.name for control in CONTROLS
    ]
    assert all(control["label"] and control["legend"] for control in explorer._controls)
    assert explorer._ground_truth["box"] == scene.boxes[0].tolist()
    for picture in (explorer._ground_truth["outline"], explorer._result["zoom"]["mask"]):
        overlay = Image.open(io.BytesIO(picture)).convert("RGBA")
        assert overlay.width / overlay.height == pytest.approx(1.5, abs=0.01)
    line = np.asarray(Image.open(io.BytesIO(explorer._ground_truth["outline"])).convert("RGBA"))[
        ..., 3
    ]
    assert 0 < (line > 0).sum() < scene.mask.sum()
    assert not (line[scene.mask[0, 0].numpy()] > 0).any()


def test_bundles_contain_every_module_and_no_imports() -> None:
    for entry, exports in (
        (WIDGET, 1),
        (STATIC, 0),
        (WORKER, 0),
        (PLAYER, 1),
        (QUEST, 1),
        (FIGURE, 1),
        (LIVE, 0),
        (LIVE_WORKER, 0),
        (STORY, 0),
    ):
        source = bundle(entry)
        assert not re.search(r"^(import|export) (?!default)", source, re.MULTILINE)
        assert source.count("export default") == exports
        for name in modules(entry)[:-1]:
            assert source.count(f"const module_{name.removesuffix('.js')} = ") == 1
    assert {path.name for path in FOLDER.glob("*.js")} == {
        *modules(STATIC),
        *modules(WORKER),
        *modules(PLAYER),
        *modules(QUEST),
        *modules(FIGURE),
        *modules(LIVE),
        *modules(LIVE_WORKER),
        *modules(STORY),
    }
    of_the_page = {STATIC, "page_model.js", "theme.js"}
    assert set(modules(STATIC)) - set(modules(WIDGET)) == of_the_page


def test_a_bundle_behaves_as_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check all kinds of imports and exports, and that unexported names stay private."""
    sources = {
        "names.js": "/** Not code:\nexport const c = 5;\n */\n"
        "const own = 1;\nexport const a = own;\nexport function b() {\n  return 2;\n}\n"
        "export async function later() {\n  return 3;\n}\nexport default 4;\n",
        "middle.js": 'import { a as one, b } from "./names.js";\n'
        "const own = 10;\nexport const a = own * one + b();\nexport class Box {}\n",
        "main.js": 'import four from "./names.js";\n'
        'import {\n  Box,\n  a,\n} from "./middle.js";\nimport { later } from "./names.js";\n'
        "console.log(a, four, new Box() instanceof Box, await later());\n",
    }
    for name, source in sources.items():
        (tmp_path / name).write_text(source)
    monkeypatch.setattr(front, "FOLDER", tmp_path)
    joined = tmp_path / "joined.mjs"
    joined.write_text(bundle("main.js"))
    run = subprocess.run([find_node(), str(joined)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["12", "4", "true", "3"]


def test_circular_imports_raise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.js").write_text('import { b } from "./two.js";\n')
    (tmp_path / "two.js").write_text('import { a } from "./one.js";\n')
    monkeypatch.setattr(front, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"circle: one\.js -> two\.js -> one\.js"):
        bundle("one.js")


def test_every_view_can_be_shown_and_invalid_views_raise(scene: Scene) -> None:
    for name, view in VIEWS.items():
        explorer = Explorer(scene, views=(name,))
        (shown,) = explorer._views
        assert shown == {"name": name, **asdict(view)}
        assert (name in explorer._result["maps"]) == (name in MAPS)
        assert np.asarray(explorer.still()).std() > 10
    for views in ((), ("source", "oracle"), "source"):
        with pytest.raises(ValueError, match="views must be a sequence of at least 1 of the names"):
            Explorer(scene, views=views)
    with pytest.raises(ValueError, match="must not contain a name twice"):
        Explorer(scene, views=("source", "source"))


def test_only_the_selected_controls_are_shown(scene: Scene) -> None:
    explorer = Explorer(scene, controls=("strength", "boxes"))
    shown = [control["name"] for control in explorer._controls if control["shown"]]
    assert shown == ["boxes.x", "boxes.y", "boxes.width", "boxes.height", "strength"]
    assert len(explorer._controls) == len(CONTROLS)  # gestures need the ranges of all
    assert not any(control["shown"] for control in Explorer(scene, controls=())._controls)
    with pytest.warns(DeprecationWarning, match="the control 'kind' is now called"):
        renamed = Explorer(scene, controls=("kind", "strength"))._controls
    assert renamed == Explorer(scene, controls=("saliency_kind", "strength"))._controls
    with pytest.raises(ValueError, match="controls must be a sequence of at least 0"):
        Explorer(scene, controls=("zoominess",))


def test_zero_strength_or_morph_is_uniform_downsampling(scene: Scene) -> None:
    for state in (State(strength=0), State(morph=0.0)):
        result = explore(scene.image, state, scene)
        assert result.zoom.iou == pytest.approx(result.uniform.iou, abs=0.01)
        assert result.peak_magnification == pytest.approx(1, abs=1e-3)
        assert result.error_worst < 1e-3


def test_morph_interpolates_between_identity_and_warp() -> None:
    image = torch.rand(1, 3, 20, 30)
    for separable in (True, False):
        state = State(separable=separable)
        full, identity = warp_of(state, image)[1], Warp.identity((32, 32))
        for morph in (0.0, 0.3, 1.0):
            half = warp_of(replace(state, morph=morph), image)[1]
            assert half.separable == separable
            expected = torch.lerp(identity.grid, full.grid, morph)
            assert torch.allclose(half.grid, expected, atol=1e-6)
            assert len(half.folds()) == 0
    with pytest.raises(ValueError, match="between 0 and 1"):
        identity.morph(1.5)


def test_zoom_segments_the_person_that_uniform_misses() -> None:
    explorer = Explorer(SCENES["temple"]())
    assert explorer.result.uniform.iou < 0.05
    assert explorer.result.zoom.iou > 0.8
    assert explorer.result.input_pixels == 256 * 256
    assert "uniform 0.0" in explorer._result["lines"][0]


def test_two_foveas_share_the_saliency(scene: Scene) -> None:
    one, two = State().at(x=-0.5), State(foveas=(Gaussian(x=-0.5), Gaussian(x=0.5)))
    peaks = [explore(scene.image, state, scene).peak_magnification for state in (one, two)]
    assert peaks[0] > peaks[1]
    columns = warp_of(two, scene.image)[1].magnification((4, 400))[0].amax(dim=0)
    assert columns[100] > 1.4 * columns[200]
    assert columns[300] > 1.4 * columns[200]


def test_more_pieces_reduce_the_approximation_error(scene: Scene) -> None:
    errors = [explore(scene.image, State(pieces=k), scene).error_rms for k in (4, 16, 64)]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]


def test_error_keeps_the_last_result_and_is_sent_to_the_page(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, result = explorer._result, explorer.result

    def raise_error(*_: object) -> None:
        raise ValueError("this warp is folded in 1 of 4 pieces")

    with monkeypatch.context() as patch:
        patch.setattr(module, "explore", raise_error)
        send(explorer, explorer.state.at(x=0.9).to_page())
    assert explorer._result["error"] == "this warp is folded in 1 of 4 pieces"
    assert explorer._result["zoom"] == before["zoom"]
    assert explorer.result is result


def test_fold_keeps_the_last_result_and_changes_the_state(
    explorer: Explorer,
) -> None:
    before, result = explorer._result, explorer.result
    explorer.state = FOLDED
    assert explorer.state == FOLDED
    assert "folded" in explorer._result["error"]
    assert explorer._result["zoom"] == before["zoom"]
    assert explorer._result["state"] == before["state"]  # the page marks it as stale
    assert explorer.result is result
    assert explorer.still().width > 500
    explorer.state = replace(FOLDED, nodes=())
    assert "error" not in explorer._result
    assert explorer.result.state == explorer.state


def test_explorer_with_a_folded_initial_state(scene: Scene) -> None:
    explorer = Explorer(scene, FOLDED)
    assert "folded" in explorer._result["error"]
    with pytest.raises(ValueError, match="there is no result yet"):
        _ = explorer.result
    assert explorer.still_picture() is None
    explorer.state = State()
    assert explorer.result.state == State()


def test_saliency_from_the_image_is_sent_to_the_page(explorer: Explorer) -> None:
    assert explorer._result["saliency"] is None
    for kind in ("edges", "network"):
        explorer.state = replace(explorer.state, saliency_kind=kind, columns=40)
        saliency_map = explorer._result["saliency"]
        cells = np.frombuffer(saliency_map["cells"], np.float32)
        assert (saliency_map["rows"], saliency_map["columns"]) == (20, 40)
        assert cells.sum() == pytest.approx(1, abs=1e-4)
        # The page itself mixes it with the uniform map, by the strength.
        assert cells.max() * cells.size > explorer.result.saliency.amax() * cells.size * 0.99


def test_maps_of_the_views_are_sent_to_the_page(scene: Scene) -> None:
    explorer = Explorer(scene, State(network="detector"), views=MAPS)
    maps = explorer._result["maps"]
    assert set(maps) == {*MAPS}
    for name, sent in maps.items():
        values = explorer.result.maps[name]
        decoded = np.frombuffer(sent["data"], np.uint8).reshape(sent["rows"], sent["columns"])
        assert (
            np.abs(decoded * sent["maximum"] / 254 - values.numpy()).max() <= sent["maximum"] / 254
        )
    assert maps["features_zoomed"]["maximum"] == maps["features_unzoomed"]["maximum"]
    assert explorer.result.maps["approximation"].amax() == explorer.result.error_worst
    assert (maps["features_zoomed"]["rows"], maps["features_zoomed"]["columns"]) == (32, 32)
    explorer.state = replace(explorer.state, stride="32")
    assert explorer._result["maps"]["features_zoomed"]["rows"] == 8
    explorer.state = replace(explorer.state, network="none")
    assert set(explorer._result["maps"]) == {"approximation", "round_trip"}
    assert explorer.still().width > 500


def test_maps_to_page_encodes_nan_as_no_value() -> None:
    values = torch.tensor([[0.0, 2.0], [torch.nan, 1.0]])
    sent = maps_to_page({"round_trip": values, "approximation": torch.full((1, 1), torch.nan)})
    assert [*sent["round_trip"]["data"]] == [0, 254, NO_VALUE, 127]
    assert [*sent["approximation"]["data"]] == [NO_VALUE]


def test_round_trip_is_nan_where_the_warp_crops(scene: Scene) -> None:
    state = replace(State().at(x=0.5, y=0.5), anti_crop=False, fwhm=80)
    change = explore(scene.image, state, scene, ("round_trip",)).maps["round_trip"]
    assert 0.01 < float(change.isnan().float().mean()) < 0.9


def test_round_trip_error_of_colours_is_small_at_the_fovea(scene: Scene) -> None:
    state = Explorer(scene).state
    near = (scene.image.shape[-2] * 0.7, scene.image.shape[-1] * 0.6)
    row, column = (round(position * 256 / 384) for position in near)
    around = (slice(row - 8, row + 8), slice(column - 8, column + 8))
    change = [
        float(explore(scene.image, zoom, scene, ("round_trip",)).maps["round_trip"][around].mean())
        for zoom in (replace(state, input_size=96), replace(state, input_size=96, strength=0))
    ]
    assert change[0] < 0.7 * change[1]


def test_higher_thresholds_reduce_masks_and_detections(scene: Scene) -> None:
    state = Explorer(scene).state
    areas = [
        float(explore(scene.image, replace(state, probability=p), scene).zoom.mask.float().mean())
        for p in (5, 50, 95)
    ]
    assert areas[0] > areas[1] > areas[2]
    detections = [
        len(explore(scene.image, replace(state, network="detector", score=s), scene).zoom.boxes)
        for s in (5, 35, 95)
    ]
    assert detections[0] > detections[1] >= detections[2]


def test_antialias_affects_zoomed_and_uniform_input(scene: Scene) -> None:
    state = replace(Explorer(scene).state, input_size=96)
    plain, smooth = (
        explore(scene.image, replace(state, antialias=antialias), scene)
        for antialias in (False, True)
    )
    assert not torch.equal(plain.zoomed, smooth.zoomed)
    assert not torch.equal(plain.uniform.mask, smooth.uniform.mask)


def test_initial_box_is_that_of_the_scene(scene: Scene) -> None:
    (box,) = Explorer(scene).state.boxes
    assert box.sides == pytest.approx(scene.boxes[0].tolist(), abs=0.02)


def test_explore_leaves_one_core_to_the_page(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    used = []
    monkeypatch.setattr(module.os, "cpu_count", lambda: threads)
    monkeypatch.setattr(
        module, "explore", lambda *args: used.append(torch.get_num_threads()) or explore(*args)
    )
    Explorer(scene)
    assert used == [max(1, threads - 1)]
    assert torch.get_num_threads() == threads


def test_unexpected_exceptions_are_raised(
    explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(module, "explore", fail)
    with pytest.raises(ZeroDivisionError, match="planted"):
        explorer.state = explorer.state.at(x=0.9)
    with pytest.raises(ZeroDivisionError, match="planted"):
        send(explorer, explorer.state.at(x=0.8).to_page())


def test_photos_of_the_user_have_no_ground_truth(tmp_path: Path) -> None:
    path = tmp_path / "mine.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)).save(path)
    for photo in (str(path), images.load(path), np.zeros((50, 40, 3), np.uint8), "coffee"):
        explorer = Explorer(photo)
        assert explorer.result.uniform.iou is None
        assert explorer._ground_truth == {}
        assert not any("IoU" in line for line in explorer._result["lines"])
        explorer.state = replace(explorer.state, network="detector")
        assert explorer._result["zoom"]["mask"] is None
        assert explorer.still().width > 500


def test_photo_from_the_page_is_loaded(explorer: Explorer) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((60, 90, 3), 99, np.uint8)).save(out, "JPEG")
    sent = {"width": 4000, "height": 2667, "serial": 3, "file": memoryview(out.getvalue())}
    explorer.set_state({"_upload": sent})
    assert explorer.image.shape == (1, 3, 60, 90)
    assert explorer.ground_truth is None
    assert explorer._ground_truth == {}
    assert Image.open(io.BytesIO(explorer._photo)).size == (90, 60)
    assert explorer._result["serial"] == 3
    assert explorer._result["lines"][0] == "Your photo: 4000 x 2667 pixels, explored at 90 x 60"


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
def test_invalid_photo_from_the_page_changes_nothing(explorer: Explorer, sent: Any) -> None:
    image, photo, ground_truth = explorer.image, explorer._photo, explorer.ground_truth
    explorer.set_state({"_upload": {**sent, "serial": 9}})
    assert "nothing was changed" in explorer._result["error"]
    assert explorer._result["serial"] == 9
    assert explorer.image is image
    assert explorer._photo == photo
    assert explorer.ground_truth is ground_truth


def test_large_photos_are_reduced() -> None:
    explorer = Explorer(torch.rand(1, 3, 2000, 3000))
    rows, columns = explorer.image.shape[-2:]
    assert rows * columns <= 2e6
    assert columns / rows == pytest.approx(1.5, abs=0.01)
    note = f"Your photo: 3000 x 2000 pixels, explored at {columns} x {rows}"
    assert explorer._result["lines"][0] == note


def test_invalid_photos_raise(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not a photo")
    with pytest.raises(ValueError, match=r"photo|image"):
        Explorer(str(broken))
    with pytest.raises(FileNotFoundError):
        Explorer(str(tmp_path / "missing.jpg"))
    with pytest.raises(ValueError, match=r"NaN|finite"):
        Explorer(torch.full((1, 3, 20, 20), torch.nan))


def test_a_still_picture_is_left_without_a_kernel(explorer: Explorer) -> None:
    picture = explorer.still_picture()
    assert picture is not None
    still = Image.open(io.BytesIO(picture.jpeg))
    assert still.width > 700
    assert np.asarray(still).std() > 20


def test_static_page_is_self_contained(explorer: Explorer, tmp_path: Path) -> None:
    before = explorer.state
    states = {"on her": before, "nothing </script>": replace(before, strength=0)}
    page = to_html(explorer, tmp_path / "page.html", states, title="A <page>").read_text()
    assert explorer.state == before
    assert "A &lt;page&gt;" in page
    assert not re.search(r"""(src|href)=["'](?!data:)|@import|url\(|https?://""", page)
    assert page.count("</script>") == 3
    data = json.loads(re.search(r'id="lzu-data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert [prepared["title"] for prepared in data["prepared"]] == list(states)
    assert data["prepared"][1]["state"]["strength"] == 0
    mask = base64.b64decode(data["prepared"][0]["result"]["zoom"]["mask"]["bytes"])
    assert Image.open(io.BytesIO(mask)).width == 384


def test_static_page_raises_for_a_state_without_a_result(
    explorer: Explorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_error(image: torch.Tensor, state: State, *more: Any) -> object:
        if state.pieces == 5:
            raise ValueError("no such warp")
        return explore(image, state, *more)

    monkeypatch.setattr(static_page, "explore", raise_error)
    with pytest.raises(ValueError, match="'odd' cannot be shown: no such warp"):
        to_html(explorer, tmp_path / "page.html", {"odd": replace(explorer.state, pieces=5)})
    assert not (tmp_path / "page.html").exists()


def test_readme_picture_matches_the_explorer() -> None:
    stored = np.asarray(Image.open(ROOT / "notebooks/explorer.jpg").convert("RGB")).astype(float)
    drawn = np.asarray(Explorer(SCENES["temple"]()).still()).astype(float)
    assert stored.shape == drawn.shape
    # JPEG is lossy, and fonts are rendered differently on other machines.
    assert np.abs(stored - drawn).mean() < 4


def test_fields_of_gaussian_box_and_node_match_the_page() -> None:
    assert set(asdict(Gaussian())) == {"x", "y", "width"}
    assert set(asdict(Box())) == {"x", "y", "width", "height"}
    assert set(asdict(Node())) == {"row", "column", "dx", "dy"}
