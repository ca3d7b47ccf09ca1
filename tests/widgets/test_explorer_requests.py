"""Tests of what page and kernel ask of each other: photos, scores, states; and of films."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lzu_viz.datasets import frames
from lzu_viz.datasets.scenes import Scene
from lzu_viz.plots import panels
from lzu_viz.widgets import Explorer, Gaussian, State, explore
from lzu_viz.widgets.protocol import result_summary


def photo(size: tuple[int, int]) -> dict[str, object]:
    jpeg = panels.jpeg(Image.linear_gradient("L").convert("RGB").resize(size))
    return {"file": jpeg, "width": size[0], "height": size[1]}


def test_an_own_photo_has_the_fovea_in_its_middle_and_the_scene_comes_back(
    explorer: Explorer, scene: Scene
) -> None:
    first, start = explorer._photo, explorer.state
    explorer.state = replace(start, foveas=(Gaussian(-0.5, -0.5),), strength=40)
    explorer._upload = {"serial": 1, **photo((200, 120))}
    assert explorer._result["serial"] == 1
    assert explorer._is_uploaded
    assert explorer._ground_truth == {}
    assert explorer.state.foveas == State().foveas
    assert explorer.state.strength == 40
    assert tuple(explorer.image.shape[-2:]) == (120, 200)
    assert "IoU" not in explorer._result["summary"]
    explorer._upload = {"serial": 2, "back": True}
    assert explorer._result["serial"] == 2
    assert not explorer._is_uploaded
    assert explorer._photo == first
    assert explorer.ground_truth is scene
    assert explorer._ground_truth["box"]
    assert explorer.state == replace(start, strength=40)


def test_an_error_of_a_photo_ends_with_the_next_result(explorer: Explorer) -> None:
    explorer._upload = {"serial": 1, "file": b"no picture", "width": 1, "height": 1}
    assert "cannot load the photo" in explorer._result["error"]
    explorer._upload = {"serial": 2, **photo((60, 40))}
    assert "error" not in explorer._result


def test_scores_of_other_states_are_those_that_the_explorer_shows(
    explorer: Explorer, scene: Scene
) -> None:
    before = explorer._result
    other = replace(explorer.state, strength=30, input_size=192)
    explorer._question = {"serial": "a 1", "state": other.to_page()}
    shown = explore(scene.image, other, scene)
    assert explorer._score == {
        "serial": "a 1",
        "score": {"uniform": shown.uniform.iou, "zoom": shown.zoom.iou},
    }
    assert explorer._result is before
    explorer._question = {"serial": "a 2", "state": {**other.to_page(), "strength": 500}}
    assert explorer._score == {"serial": "a 2", "score": None}


def test_no_score_without_ground_truth() -> None:
    explorer = Explorer(torch.zeros(1, 3, 96, 128))
    explorer._question = {"serial": "a 1", "state": explorer.state.to_page()}
    assert explorer._score["score"] is None


@pytest.mark.parametrize(
    ("ious", "start"),
    [
        ((0.1, 0.9), "Found by zooming: IoU 0.10 → 0.90"),
        ((0.9, 0.1), "Lost by zooming: IoU 0.90 → 0.10"),
        ((0.6, 0.7), "Found by both, better by zooming: IoU 0.60 → 0.70"),
        ((0.9, 0.84), "Found by both, worse by zooming: IoU 0.90 → 0.84"),
        ((0.9, 0.91), "Found by both: IoU 0.90 → 0.91"),
        ((0.2, 0.3), "Found by neither: IoU 0.20 → 0.30"),
    ],
)
def test_summary_says_what_zooming_changed(
    explorer: Explorer, ious: tuple[float, float], start: str
) -> None:
    result = explorer.result
    uniform, zoom = (
        replace(each, iou=iou)
        for each, iou in zip((result.uniform, result.zoom), ious, strict=True)
    )
    text = result_summary(replace(result, uniform=uniform, zoom=zoom))
    assert text == f"{start}, with the same 256 × 256 pixels."


def test_summary_without_ground_truth_counts_what_was_found(scene: Scene) -> None:
    image = scene.image.clamp(0, 1)
    result = explore(image, State(network="detector", input_size=320).at(x=0.2, y=0.4))
    counts = f"uniform {len(result.uniform.boxes)}, zoom and unzoom {len(result.zoom.boxes)}"
    assert result_summary(result) == f"Boxes found: {counts}, with the same 320 × 320 pixels."
    assert result_summary(explore(image, State())).startswith("Mask of the image: uniform ")
    summary = result_summary(explore(image, State(network="none")))
    assert summary == "Zoomed to 256 × 256 pixels."


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".webm", ".gif"])
def test_film_morphs_to_the_zoomed_picture_and_back(
    explorer: Explorer, tmp_path: Path, suffix: str
) -> None:
    path = explorer.film(tmp_path / f"zoom{suffix}", seconds=1, rate=8)
    if suffix == ".gif":
        with Image.open(path) as film:
            count = film.n_frames
            pictures = []
            for index in range(count):
                film.seek(index)
                pictures.append(np.asarray(film.convert("RGB"), np.float32))
    else:
        film_frames = frames(path)
        count = len(film_frames)
        pictures = [255 * film_frames[index][0].movedim(0, -1).numpy() for index in range(count)]
    assert count == 8
    difference = [float(np.abs(picture - pictures[0]).mean()) for picture in pictures]
    assert max(difference) == difference[4] > 3
    assert abs(difference[1] - difference[7]) < 1
    assert difference[1] < difference[2] < difference[3]


def test_bad_films_raise(explorer: Explorer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end with one of .*got 'zoom.avi'"):
        explorer.film(tmp_path / "zoom.avi")
    for seconds, rate in ((0, 10), (1, 0), (1000, 60), (1, float("nan"))):
        with pytest.raises(ValueError, match="2 to 2000 frames"):
            explorer.film(tmp_path / "zoom.gif", seconds, rate)
