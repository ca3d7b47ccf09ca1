"""Tests of evaluations of frozen networks: stored results, hashes, statistics."""

import importlib
import json

import numpy as np
import pytest
import torch

from lzu_viz.datasets.scenes import far_person
from lzu_viz.datasets.source_code import without_words
from lzu_viz.experiments.films import Loop
from lzu_viz.experiments.frozen import (
    EVALUATIONS,
    StoredResults,
    differing,
    inference,
    limits,
    load,
    mean_interval,
    moving_saliency,
    pretrained_detector,
    results_store,
    select,
    sizes,
)
from lzu_viz.experiments.frozen import __main__ as command
from lzu_viz.geometry.boxes import Detections
from lzu_viz.metrics.detection import average_precision


@pytest.mark.parametrize("name", EVALUATIONS)
def test_stored_results_have_the_hash_of_the_current_code(name):
    assert load(name).source == results_store.source_hash(EVALUATIONS[name]), (
        "the code has changed since; make them anew with "
        f"`python -m lzu_viz.experiments.frozen {name}`"
    )


@pytest.mark.parametrize("name", EVALUATIONS)
def test_stored_settings_and_scenes_match_the_module(name):
    module, stored = (
        importlib.import_module(f"lzu_viz.experiments.frozen.{EVALUATIONS[name]}"),
        load(name),
    )
    settings = {"scenes": module.SCENES, **module.SETTINGS}
    assert stored.settings == json.loads(json.dumps(settings))
    assert {record["seed"] for record in stored.records} == set(range(module.SCENES))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sizes", "detector", "segmenter", "limits"])
def test_recomputed_records_match_the_stored_ones(name):
    module = importlib.import_module(f"lzu_viz.experiments.frozen.{EVALUATIONS[name]}")
    stored = load(name).records
    seeds = {record["seed"] for record in stored}
    for seed in (min(seeds), max(seeds)):
        # Processors differ in the last digits, which may move a box or a pixel over a threshold.
        assert not differing(
            stored, module.measure(seed), tolerance=0.02 if name != "detector" else 1
        )


def test_default_loop_is_the_simplest_of_the_best():
    """Check that no loop that is as simple or simpler is within 0.01 of the best recall."""
    rows = load("film").summary
    best = rows[0]["recall"]
    good = [row["loop"] for row in rows if row["recall"] > best - 0.01]
    default = Loop()
    chosen = [default.amplitude, default.relative_sigma, default.patience, default.gain]
    assert chosen in good

    def extras(loop):
        return sum(value != 0 for value in loop[2:])

    assert extras(chosen) == min(map(extras, good)) == 0
    # Of those without patience and motion it has the lowest amplitude.
    assert chosen[0] == min(loop[0] for loop in good if not extras(loop))


@pytest.mark.slow
def test_summary_of_the_detector_matches_its_records():
    stored = load("detector")
    first = stored.summary[0]
    detections, ground_truth = pretrained_detector.detections_and_ground_truth(
        stored.records, first["rows"], first["system"]
    )
    assert average_precision(
        detections, ground_truth, pretrained_detector.SOURCE
    ).ap == pytest.approx(first["ap"], abs=6e-4)
    assert len(stored.summary) == len(pretrained_detector.SIZES) * len(pretrained_detector.SYSTEMS)
    for row in stored.summary:
        assert row["ap low"] <= row["ap"] <= row["ap high"]


# --- storage --------------------------------------------------------------------------------------

STORED = StoredResults(
    "x", "abc", {"scenes": 2}, [{"seed": 0, "iou": 0.5}, {"seed": 1, "iou": 0.25}], []
)


def test_load_inverts_write(tmp_path):
    assert STORED.write(tmp_path) == tmp_path / "x.json"
    assert load("x", tmp_path) == STORED


def test_missing_or_damaged_files_raise(tmp_path):
    with pytest.raises(ValueError, match="no stored results of evaluation 'y'"):
        load("y", tmp_path)
    path = STORED.write(tmp_path)
    for damage in (path.read_text()[:-20], "[]", '{"name": "x"}'):
        path.write_text(damage)
        with pytest.raises(ValueError, match=r"x\.json is damaged"):
            load("x", tmp_path)


def test_differing_returns_changes_beyond_the_tolerance():
    rows = [{"seed": 3, "system": "a", "boxes": [[1.0, 2.0]], "first": True}]
    other = {"seed": 4, "system": "a", "boxes": [], "first": True}
    assert not differing([other, *rows], rows, 0.0)
    for change in (
        {"system": "b"},
        {"boxes": [[1.0, 2.2]]},
        {"boxes": []},
        {"first": False},
        {"more": 1},
    ):
        assert len(differing(rows, [{**rows[0], **change}], 0.1)) == 1
    assert not differing(rows, [{**rows[0], "boxes": [[1.0, 2.05]]}], 0.1)
    assert differing(rows, [*rows, *rows], 0.1)
    assert differing([], rows, 0.1)


def test_intervals_resample_scenes_and_not_records():
    draw = np.random.default_rng(0)
    values = draw.normal(size=50)
    once = [{"seed": seed, "v": value} for seed, value in enumerate(values)]
    often = [record for record in once for _ in range(10)]
    mean, low, high = mean_interval(once, "v")
    assert mean == pytest.approx(values.mean())
    # As wide as the normal approximation, for any number of records per scene.
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 50**0.5, rel=0.15)
    assert mean_interval(often, "v") == pytest.approx((mean, low, high))
    with pytest.raises(ValueError, match="no records"):
        mean_interval([], "v")


def test_select_accepts_values_and_predicates():
    rows = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 2, "b": 3}]
    assert select(rows, a=1, b=lambda b: b > 2) == [rows[1]]
    assert select(rows) == rows


def test_hash_ignores_comments_and_docstrings():
    code = 'X = "#"\n\n\ndef f(a):\n    return a  # why\n'
    worded = f'"""What it is."""\n# more\n{code}"""An attribute\n\ndocumented."""\n'
    assert without_words(code) == without_words(worded)
    assert without_words(code) != without_words(code.replace("return a", "return -a"))
    assert without_words(code) != without_words(code.replace('"#"', '"##"'))


def test_hash_ignores_the_list_of_evaluations(monkeypatch):
    hashed = []
    monkeypatch.setattr(results_store, "without_words", lambda text: hashed.append(text) or "")
    results_store.source_hash("limits")
    assert not any("EVALUATIONS =" in text for text in hashed)
    assert any("class Warp" in text for text in hashed)


def test_hash_covers_imported_modules():
    files = {
        path.name
        for path in results_store._dependencies(
            results_store.PACKAGE / "experiments/frozen/limits.py", set()
        )
    }
    assert {"warp.py", "invert.py", "nanodet.py", "selfie.py", "controlled.py"} <= files
    assert not files & {"figures.py", "explorer.py", "video.py"}


# --- measurements ---------------------------------------------------------------------------------


def test_window_has_the_given_size_and_lies_in_the_source():
    source, size = (640, 960), (192, 288)
    middle = torch.tensor([-0.05, -0.05, 0.05, 0.05])
    assert sizes.window(middle, size, source) == (336, 224, 624, 416)
    left, top, right, bottom = sizes.window(middle + 0.94, size, source)
    assert (right, bottom) == (960, 640)
    assert (right - left, bottom - top) == (288, 192)
    large = torch.tensor([-0.5, -0.5, 0.5, 0.5])
    left, top, right, bottom = sizes.window(large, size, source)
    assert 320 / (bottom - top) == pytest.approx(sizes.FILL, abs=0.01)
    assert (right - left) / (bottom - top) == pytest.approx(1.5, abs=0.01)
    assert sizes.window(torch.tensor([-1.0, -1.0, 1.0, 1.0]), size, source) == (0, 0, 960, 640)


def test_boxes_in_a_window_are_mapped_to_the_source(monkeypatch):
    scene = far_person("china", place=(0.5, -0.3), height=0.1, size=(640, 960))
    left, top, right, bottom = sizes.window(scene.boxes[0], (192, 288), (640, 960))
    whole = Detections(torch.tensor([[-1.0, -1.0, 1.0, 1.0]]), torch.tensor([0]), torch.ones(1))
    monkeypatch.setattr(sizes.inference, "detect", lambda *_: whole)
    detections = sizes.detect_in_window(scene, (192, 288)).boxes
    pixels = (detections + 1) / 2 * torch.tensor([960, 640, 960, 640])
    assert pixels[0].tolist() == pytest.approx([left, top, right, bottom], abs=1e-3)


def test_person_ious_compare_masks_near_each_person():
    scene = far_person("china", place=(0.5, -0.3), height=0.1, size=(320, 480))
    elsewhere = scene.mask.clone()
    elsewhere[..., :10, :10] = True  # far from the person: ignored
    assert inference.person_ious(elsewhere, scene) == [1.0]
    assert inference.person_ious(~scene.mask, scene) == [0.0]


def test_heights_are_in_source_pixels():
    scene = far_person("china", place=(0.5, -0.3), height=0.2, size=(320, 480))
    assert inference.heights_in(scene) == [64]


def test_shifted_moves_boxes_by_the_given_distance():
    box = torch.tensor([[0.7, -0.9, 0.9, -0.7]])
    for seed in range(20):
        moved = limits.shifted(box, 0.2, seed)
        step = (moved - box)[0, :2] / 2 * torch.tensor([960, 640])
        assert step.norm().item() <= 0.2 * 960 + 0.1
        assert ((moved[:, :2] + moved[:, 2:]) / 2).abs().max() <= 1
    centred = torch.tensor([[-0.1, -0.1, 0.1, 0.1]])
    step = (limits.shifted(centred, 0.2, 5) - centred)[0, :2] / 2 * torch.tensor([960, 640])
    assert step.norm().item() == pytest.approx(192, abs=0.1)


def test_recall_of_counts_kept_lost_and_regained_frames(monkeypatch):
    hits = iter([[0.6], [0.4], [0.7], [0.8], [0.0]])
    monkeypatch.setattr(moving_saliency.inference, "best_iou", lambda *_: next(hits))
    scenes = [far_person(size=(80, 120), height=0.3)] * 5
    results = [type("Seen", (), {"detections": None})()] * 5
    assert moving_saliency.recall_of(scenes, results) == {
        "recall": 0.5,
        "first": True,
        "kept": 1,
        "lost": 2,
        "regained": 1,
    }


@pytest.mark.slow
def test_command_measures_and_stores_every_scene(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sizes, "SCENES", 2)
    monkeypatch.setattr(sizes, "measure", lambda seed: [{"seed": seed, "iou": seed / 2}])
    monkeypatch.setattr(results_store.StoredResults.write, "__defaults__", (tmp_path,))
    monkeypatch.setattr("sys.argv", ["evaluation", "sizes"])
    command.main()
    written = load("sizes", tmp_path)
    assert written.records == [{"seed": 0, "iou": 0.0}, {"seed": 1, "iou": 0.5}]
    assert written.settings["scenes"] == 2
    assert written.source == results_store.source_hash("sizes")
    assert "sizes.json" in capsys.readouterr().out


def test_command_exits_for_an_unknown_evaluation(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["evaluation", "sizes", "colours"])
    with pytest.raises(SystemExit):
        command.main()
    assert "colours" in capsys.readouterr().err
