"""Comparison of systems on annotated images, and its command."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lzu_viz import compare
from lzu_viz.adapters.called_network import CalledNetwork
from lzu_viz.datasets import coco
from lzu_viz.experiments.comparison import (
    COMPARED_SYSTEMS,
    Comparison,
    Job,
    Settings,
    advice,
    height_range,
    summarise_systems,
)

# A network that finds one bright box, if it is at least six pixels high in what it is given.
NETWORK = """
import torch
from lzu_viz.adapters.called_network import CalledNetwork
from lzu_viz.geometry.boxes import Detections


def detect(images):
    found = []
    for image in images:
        rows, columns = (image[0] > 0.6).nonzero().T
        if not len(rows) or rows.max() - rows.min() < 5:
            found.append(Detections(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0)))
            continue
        height, width = image.shape[-2:]
        box = torch.stack([columns.min() / width, rows.min() / height,
                           (columns.max() + 1) / width, (rows.max() + 1) / height])
        found.append(Detections(box[None] * 2 - 1, torch.tensor([1]), torch.tensor([0.9])))
    return found


def build():
    return CalledNetwork(detect, "detection", ["square", "bar"])
"""
COUNT = 8
SIZE = (32, 64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with images of 200 x 400 pixels, each with a bright bar."""
    (tmp_path / "own_network.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    images, annotations = [], []
    for index in range(COUNT):
        left, top, width, height = 200 + 10 * index, 60 + 3 * index, 40, 30
        picture = Image.new("RGB", (400, 200), (60, 60, 60))
        picture.paste((250, 250, 250), (left, top, left + width, top + height))
        picture.save(tmp_path / f"{index}.png")
        images.append({"id": index + 50, "file_name": f"{index}.png", "height": 200, "width": 400})
        annotations.append(
            {"id": index + 1, "image_id": index + 50, "category_id": 7,
             "bbox": [left, top, width, height]}
        )  # fmt: skip
    data = {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "bar"}]}
    (tmp_path / "coco.json").write_text(json.dumps(data))
    return tmp_path


def own_network() -> CalledNetwork:
    import own_network  # type: ignore[import-not-found]

    built: CalledNetwork = own_network.build()
    return built


def comparison(folder: Path) -> Comparison:
    network = own_network()
    dataset = coco.read(folder, folder / "coco.json", network.classes)
    return Comparison(network, dataset, Settings("own"), {"unzoom": "predictions"})


@pytest.mark.slow
def test_zooming_finds_what_is_too_small_for_uniform_downsampling(folder: Path) -> None:
    compared = comparison(folder)
    jobs = [Job(name, SIZE, place) for place in range(COUNT) for name in COMPARED_SYSTEMS]
    records = list(compared.run(jobs))
    rows = {row["system"]: row for row in summarise_systems(compared.dataset, records)}
    # 30 of 200 rows are 4.8 of 32.
    assert rows["uniform"]["recall"] == 0
    assert rows["fovea"]["recall"] == rows["lzu"]["recall"] == rows["crop"]["recall"] == 1
    assert rows["sliced_native"]["recall"] == 1
    assert rows["fovea"]["gain interval"][0] > 0.2
    assert rows["fovea"]["recall by height"][2] == (COUNT, 1.0)
    lines = advice(compared.dataset, list(rows.values()))
    assert "15.0%" in lines[0]
    assert "zooming helps" in lines[1]


def test_saliency_of_an_image_does_not_depend_on_its_own_annotations(folder: Path) -> None:
    before = comparison(folder)
    data = json.loads((folder / "coco.json").read_text())
    data["annotations"][0]["bbox"] = [0, 0, 20, 20]
    (folder / "coco.json").write_text(json.dumps(data))
    after = comparison(folder)
    image = before.dataset.images[0].load()
    for name in COMPARED_SYSTEMS:
        boxes = [each.detect(name, SIZE, 0, image).boxes for each in (before, after)]
        assert torch.equal(*boxes)
    # Those of the other fold use it.
    assert not torch.equal(before._saliency[1], after._saliency[1])


def test_input_pixels(folder: Path) -> None:
    compared = comparison(folder)
    for name in ("uniform", "fovea", "lzu", "crop"):
        assert compared.input_pixels(name, (192, 256)) == 192 * 256  # type: ignore[arg-type]
    assert 0.8 * 192 * 256 < compared.input_pixels("sliced", (192, 256)) <= 192 * 256
    # The image is smaller than a tile.
    assert compared.input_pixels("sliced_native", (192, 256)) == 512 * 512


def test_one_image_raises(folder: Path) -> None:
    data = json.loads((folder / "coco.json").read_text())
    data["images"] = data["images"][:1]
    (folder / "coco.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="at least two images, got 1"):
        comparison(folder)


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [((0.01, 0.2), "zooming helps"), ((-0.2, -0.01), "zooming harms"),
     ((-0.01, 0.2), "there is no clear difference")],
)  # fmt: skip
def test_advice_follows_the_interval_and_names_clear_gains(
    folder: Path, interval: tuple[float, float], verdict: str
) -> None:
    dataset = coco.read(folder, folder / "coco.json", own_network().classes)
    shared = {"size": [32, 64], "ap": 0.5}
    rows = [
        {"system": "uniform", **shared,
         "recall by height": [(30, 0.5), (30, 0.5), (30, 0.5), (10, 0.5)]},
        {"system": "lzu", **shared, "gain interval": interval,
         "recall by height": [(30, 0.7), (30, 0.51), (30, 0.4), (10, 0.9)]},
    ]  # fmt: skip
    _, line = advice(dataset, rows)
    assert line.startswith(f"At 32 x 64 pixels {verdict}: the AP of lzu is 0.500")
    # Neither the range of a small difference nor that of few objects.
    assert line.endswith(
        "It gains recall for objects of under 5 % (+0.20) and loses recall for objects of "
        "10 to 20 % (-0.10) of the height."
    )


def test_advice_without_objects(folder: Path) -> None:
    data = json.loads((folder / "coco.json").read_text())
    (folder / "coco.json").write_text(json.dumps({**data, "annotations": []}))
    dataset = coco.read(folder, folder / "coco.json", own_network().classes)
    assert advice(dataset, []) == ["There are no objects of the network's classes."]


def test_height_ranges() -> None:
    assert [height_range(0, 0.05), height_range(0.1, 0.2), height_range(0.2, math.inf)] == [
        "under 5 %",
        "10 to 20 %",
        "over 20 %",
    ]


ARGUMENTS = [
    "--images", ".", "--annotations", "coco.json", "--network", "own_network:build",
    "--systems", "uniform", "fovea", "--sizes", "32x64", "64x128", "--out", "out",
]  # fmt: skip


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out/results.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_command_writes_a_table_a_picture_and_resumes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare.main(ARGUMENTS)
    printed = capsys.readouterr().out
    assert "gain in AP" in printed
    assert "At 32 x 64 pixels zooming helps" in printed
    assert len(lines_of(folder)) == 4 * COUNT
    report = json.loads((folder / "out/comparison.json").read_text())
    row = next(row for row in report["rows"] if row["system"] == "uniform" and row["size"][0] == 32)
    assert (row["recall"], row["input pixels"]) == (0, 32 * 64)
    assert row["small"] is None or 0 <= row["small"] <= 1
    with Image.open(folder / "out/comparison.png") as picture:
        assert picture.width > 1000

    # An interrupted run: some lines are lost, and the last is incomplete.
    file = folder / "out/results.jsonl"
    kept = file.read_text().splitlines(keepends=True)[:9]
    file.write_text("".join(kept) + '{"key": "' + "\n")
    compare.main(ARGUMENTS)
    assert capsys.readouterr().out.split("ms")[0] == printed.split("ms")[0]
    assert len(file.read_text().splitlines()) == 4 * COUNT + 1

    # Other settings are not mixed with the stored results.
    compare.main([*ARGUMENTS, "--amplitude", "0.1"])
    assert len(file.read_text().splitlines()) == 8 * COUNT + 1


@pytest.mark.slow
def test_processes_share_the_images(folder: Path) -> None:
    root = Path(compare.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         "-m", "lzu_viz.compare", *ARGUMENTS],
        check=True, cwd=folder, capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines = lines_of(folder)
    jobs = {(line["system"], line["size"][0], line["place"]) for line in lines}
    assert len(lines) == len(jobs) == 4 * COUNT
    assert (folder / "out/comparison.json").is_file()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--sizes", "192"], "expected ROWSxCOLUMNS"),
        (["--sizes", "16x64"], "at least 32"),
        (["--annotations", "none.json"], "no file of annotations"),
        (["--network", "own_network:other"], "cannot import the network"),
        (["--network", "detector"], "none of the categories"),
    ],
)
def test_command_names_wrong_arguments(
    folder: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        compare.main([*ARGUMENTS, *more])
    assert message in " ".join(capsys.readouterr().err.split())
