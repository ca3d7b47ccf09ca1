"""Reading of images with annotations in COCO's format."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lzu_viz.datasets import coco

CLASSES = ("person", "bicycle", "car")
DATA: dict[str, Any] = {
    "images": [
        {"id": 8, "file_name": "first.png", "height": 40, "width": 60},
        {"id": 3, "file_name": "more/second.png"},
    ],
    "annotations": [
        {"id": 11, "image_id": 8, "category_id": 1, "bbox": [0, 10, 30, 20], "iscrowd": 0},
        {"id": 12, "image_id": 8, "category_id": 1, "bbox": [0, 0, 60, 40], "iscrowd": 1},
        {"id": 13, "image_id": 8, "category_id": 9, "bbox": [0, 0, 6, 4], "iscrowd": 0},
        {"id": 14, "image_id": 3, "category_id": 4, "bbox": [10, 10, 10, 10]},
        {"id": 15, "image_id": 99, "category_id": 4, "bbox": [10, 10, 10, 10]},
    ],
    "categories": [
        {"id": 1, "name": "Car"},
        {"id": 4, "name": "person"},
        {"id": 9, "name": "unicorn"},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    Image.new("RGB", (60, 40)).save(tmp_path / "first.png")
    Image.new("RGB", (50, 30)).save(tmp_path / "more/second.png")
    return tmp_path


def written(folder: Path, data: Any) -> Path:
    file = folder / "coco.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return file


def test_boxes_sizes_and_categories(folder: Path) -> None:
    dataset = coco.read(folder, written(folder, DATA), CLASSES)
    first, second = dataset
    assert (first.image_id, first.size, second.image_id, second.size) == (8, (40, 60), 3, (30, 50))
    # Without the crowd, and without the class that the network does not know.
    assert torch.equal(first.boxes, torch.tensor([[-1.0, -0.5, 0.0, 0.5]]))
    assert len(second.boxes) == 1
    assert dataset.categories == {2: 1, 0: 4}
    assert [each["id"] for each in dataset.dataset["annotations"]] == [11, 12, 14]
    assert dataset.dataset["annotations"][2]["area"] == 100
    assert first.load().shape == (1, 3, 40, 60)


def test_an_image_of_another_size_than_annotated_raises(folder: Path) -> None:
    dataset = coco.read(folder, written(folder, DATA), CLASSES)
    Image.new("RGB", (40, 60)).save(folder / "first.png")
    with pytest.raises(ValueError, match=r"first.png has 60 x 40 .* for 40 x 60"):
        dataset.images[0].load()


def changed(path: list[Any], value: Any) -> Any:
    data = copy.deepcopy(DATA)
    target: Any = data
    for key in path[:-1]:
        target = target[key]
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("no json", ValueError, "not a JSON file"),
        ([], ValueError, "no list 'images'"),
        (changed(["categories"], None), ValueError, "no list 'categories'"),
        (changed(["annotations", 0, "bbox"], None), ValueError, "annotations has no 'bbox'"),
        (changed(["images"], []), ValueError, "lists no images"),
        (changed(["categories"], [{"id": 9, "name": "unicorn"}]), ValueError,
         "its categories are unicorn, the classes are person, bicycle, car"),
        (changed(["images", 0, "file_name"], "third.png"), FileNotFoundError,
         "1 of the 2 images .* third.png; --images is the folder"),
    ],
)  # fmt: skip
def test_wrong_annotations_raise(
    folder: Path, data: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        coco.read(folder, written(folder, data), CLASSES)


def test_a_missing_file_raises(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file of annotations"):
        coco.read(folder, folder / "none.json", CLASSES)


def test_written_images_and_boxes_are_read_again(tmp_path: Path) -> None:
    image = torch.linspace(0, 1, 3 * 40 * 60).view(1, 3, 40, 60)
    boxes = torch.tensor([[-0.5, -0.25, 0.0, 0.5], [0.1, 0.1, 0.9, 0.2]])
    pairs = [(image, boxes), (image.flip(3), torch.zeros(0, 4))]
    file = coco.write(tmp_path / "new", pairs, "car")
    dataset = coco.read(file.parent, file, CLASSES)
    assert dataset.categories == {2: 1}
    first, second = dataset
    assert torch.allclose(first.boxes, boxes, atol=1e-6)
    assert len(second.boxes) == 0
    assert (first.load() - image).abs().max() <= 0.51 / 255
    assert (second.load() - image.flip(3)).abs().max() <= 0.51 / 255
