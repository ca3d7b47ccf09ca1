"""Systems on films."""

import json
import math
from pathlib import Path

import av
import pytest
import torch
from torch import Tensor

from lzu_viz import Warp, watch
from lzu_viz.adapters.called_network import CalledNetwork
from lzu_viz.datasets import frames
from lzu_viz.datasets.video_files import COURTYARD
from lzu_viz.experiments.films import (
    FILM_SYSTEMS,
    GENTLE,
    STRONG,
    Loop,
    precision_and_recall,
    run,
    tile_size,
)
from lzu_viz.geometry.boxes import Detections
from lzu_viz.systems.video import FrameResult

SIZE = (64, 96)


def frame(x: int) -> Tensor:
    """Return a frame with a bright square whose left edge is in column x."""
    image = torch.full((1, 3, 200, 300), 0.2)
    image[..., 90:110, x : x + 20] = 1.0
    return image


def true_box(x: int) -> Tensor:
    return torch.tensor([[x / 150 - 1, -0.1, (x + 20) / 150 - 1, 0.1]])


def detect(image: Tensor) -> list[Detections]:
    found = []
    for one in image:
        rows, columns = (one[0] > 0.6).nonzero().T
        if not len(rows):
            found.append(Detections(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0)))
            continue
        height, width = one.shape[-2:]
        edges = (columns.min() / width, rows.min() / height,
                 (columns.max() + 1) / width, (rows.max() + 1) / height)  # fmt: skip
        box = torch.stack(edges)[None] * 2 - 1
        found.append(Detections(box, torch.tensor([0]), torch.tensor([0.9])))
    return found


XS = (40, 44, 48, 52)


@pytest.mark.parametrize("name", FILM_SYSTEMS)
def test_each_system_finds_the_square_in_each_frame(name: str) -> None:
    network = CalledNetwork(detect, "detection", ["square"])
    results = list(run(name, network, map(frame, XS), SIZE, STRONG))  # type: ignore[arg-type]
    assert len(results) == len(XS)
    assert precision_and_recall(results, map(true_box, XS), min_iou=0.4) == (1.0, 1.0)
    followed = [len(result.expected) for result in results]
    assert followed == ([0, 1, 1, 1] if name in ("fovea", "lzu") else [0] * 4)


def test_the_loop_zooms_where_the_square_was() -> None:
    network = CalledNetwork(detect, "detection", ["square"])
    results = list(run("fovea", network, map(frame, XS), SIZE, STRONG))
    place = true_box(XS[1])[:, :2].reshape(1, 1, 2) + 0.06
    at = [float(result.warp.jacobian(result.warp.to_zoomed(place)).det()) for result in results]
    assert at[2] < 0.5 * at[0]


def test_threshold_and_label() -> None:
    network = CalledNetwork(detect, "detection", ["square"])
    frames = [frame(40), frame(40)]
    (_, last) = run("fovea", network, frames, SIZE, threshold=0.95)
    assert len(last.detections.scores) == 0
    (_, last) = run("fovea", network, frames, SIZE, label=3)
    assert len(last.expected) == 0
    (_, last) = run("fovea", network, frames, SIZE, label=None)
    assert len(last.expected) == 1
    with pytest.raises(ValueError, match="system must be one of"):
        next(run("crop", network, frames, SIZE))  # type: ignore[arg-type]


def test_tiles_have_at_most_as_many_pixels_in_all() -> None:
    for size, inputs in (((192, 256), 5), ((288, 384), 5), ((256, 512), 4)):
        rows, columns = tile_size(size, inputs)
        assert (rows % 32, columns % 32) == (0, 0)
        assert 0.8 < inputs * rows * columns / (size[0] * size[1]) <= 1
    assert tile_size((32, 32), 100) == (32, 32)


def test_precision_and_recall_count_each_detection_for_one_box() -> None:
    boxes = torch.tensor([[-0.5, -0.5, 0.0, 0.0], [0.2, 0.2, 0.6, 0.6]])
    none = torch.zeros(0, 4)

    def result(found: Tensor) -> FrameResult:
        detections = Detections(found, torch.zeros(len(found)).long(), torch.ones(len(found)))
        return FrameResult(detections, Warp.identity((1, 1)), none)

    # Two equal detections of one of four boxes.
    repeated = [result(boxes[:1].repeat(2, 1)), result(none)]
    assert precision_and_recall(repeated, [boxes, boxes]) == (0.5, 0.25)
    assert precision_and_recall([result(boxes)], [boxes]) == (1.0, 1.0)
    precision, recall = precision_and_recall([result(boxes)], [none])
    assert precision == 0
    assert math.isnan(recall)
    assert math.isnan(precision_and_recall([result(none)], [boxes])[0])


def test_the_gentle_loop_zooms_less_than_the_strong_one() -> None:
    box = torch.tensor([[0.1, 0.1, 0.2, 0.3]])
    largest = [float(loop.warp(box).magnification((60, 60)).amax()) for loop in (GENTLE, STRONG)]
    assert 1.2 < largest[0] < largest[1]
    assert Loop() == GENTLE


@pytest.mark.slow
def test_watch_writes_a_film_and_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film, boxes = tmp_path / "out.webm", tmp_path / "boxes.json"
    watch.main(
        [str(COURTYARD), "--frames", "4", "--every", "8", "--size", "192", "256",
         "--out", str(film), "--json", str(boxes)]
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert "4 frames" in printed
    written = frames(film)
    assert len(written) == 4
    assert written.rate == pytest.approx(10 / 8, rel=0.01)
    assert av.open(str(film)).streams.video[0].codec_context.name == "vp9"
    records = json.loads(boxes.read_text())
    assert {record["image_id"] for record in records} <= {0, 8, 16, 24}
    assert len(records) > 4
    for record in records:
        left, top, width, height = record["bbox"]
        assert -1 <= left <= left + width <= 769
        assert -1 <= top <= top + height <= 577
        assert set(record) == {"image_id", "category_id", "bbox", "score"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["film.webm"], "no file or folder film.webm"),
        (
            [str(COURTYARD), "--network", "segmenter"],
            "must be a detector, but the task of the network 'segmenter'",
        ),
        ([str(COURTYARD), "--network", "no_such:function"], "MODULE:FUNCTION"),
        ([str(COURTYARD), "--follow", "unicorn"], "no class 'unicorn'"),
    ],
)
def test_watch_names_wrong_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        watch.main(arguments)
    assert message in " ".join(capsys.readouterr().err.split())
