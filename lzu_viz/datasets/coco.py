"""Images with annotations in COCO's format."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..geometry.boxes import from_pixels, to_pixels
from ..geometry.check import Size
from . import images
from .paths import local_path


@dataclass(frozen=True)
class AnnotatedImage:
    """An image with the boxes of its objects.

    Attributes:
        image_id: of the annotations.
        path: of the file.
        size: (rows, columns) that the annotations refer to.
        boxes: `n 4`, xyxy in [-1, 1]; without those marked as crowds.
    """

    image_id: int
    path: Path
    size: Size
    boxes: Tensor

    def load(self) -> Tensor:
        """Return the image, `1 3 h w` in 0..1, at its full size.

        Raises:
            ValueError: the file has another size than the annotations say.
        """
        if (size := images.size_of(self.path)) != self.size:
            raise ValueError(
                f"{self.path.name} has {size[0]} x {size[1]} pixels upright, but the annotations "
                f"are for {self.size[0]} x {self.size[1]}; was it resized or rotated since?"
            )
        return images.load(self.path, max_pixels=None)


@dataclass(frozen=True)
class AnnotatedImages:
    """Images with annotations of the classes that a network knows.

    Attributes:
        images: in the order of the file.
        dataset: COCO's dictionary, with these images, classes and their annotations only.
        categories: COCO's `category_id` by the network's label.
    """

    images: tuple[AnnotatedImage, ...]
    dataset: dict[str, Any]
    categories: dict[int, int]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __iter__(self) -> Iterator[AnnotatedImage]:
        """Iterate over the images."""
        return iter(self.images)


def read(folder: str | Path, annotations: str | Path, classes: Sequence[str]) -> AnnotatedImages:
    """Return the images of a folder with their annotations.

    Categories are matched with the network's classes by name, regardless of case. Annotations of
    other categories are left out.

    Args:
        folder: of the images; `file_name` of the annotations is relative to it.
        annotations: a JSON file in COCO's format, with `images`, `annotations` and `categories`.
        classes: names of the network's classes, by label.

    Raises:
        FileNotFoundError: the file, or one of its images, is missing.
        ValueError: the file is not in COCO's format, or no category is a class of the network.
    """
    file, root = local_path(annotations), local_path(folder)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file of annotations {file}")
    data = _parsed(file)
    labels = {name.lower(): label for label, name in enumerate(classes)}
    categories = {
        labels[str(category["name"]).lower()]: int(category["id"])
        for category in data["categories"]
        if str(category.get("name")).lower() in labels
    }
    if not categories:
        raise ValueError(
            f"none of the categories of {file.name} is a class of the network: its categories are "
            f"{_some([category.get('name') for category in data['categories']])}, the classes are "
            f"{_some(classes)}"
        )
    known = set(categories.values())
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    for index, annotation in enumerate(data["annotations"], start=1):
        if annotation["category_id"] in known and annotation["image_id"] in of_image:
            *_, width, height = annotation["bbox"]
            completed = {"id": index, "iscrowd": 0, "area": width * height, **annotation}
            of_image[annotation["image_id"]].append(completed)
    missing = [
        name for image in data["images"] if not (root / (name := image["file_name"])).exists()
    ]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(of_image)} images of {file.name} are not in {root}, for "
            f"example {missing[0]}; --images is the folder that their names are relative to"
        )
    listed = tuple(
        _image(root / image["file_name"], image, of_image[image["id"]]) for image in data["images"]
    )
    dataset = {
        "info": {},
        "images": data["images"],
        "annotations": [each for found in of_image.values() for each in found],
        "categories": [each for each in data["categories"] if each["id"] in known],
    }
    return AnnotatedImages(listed, dataset, categories)


def write(
    folder: str | Path, images_and_boxes: Iterable[tuple[Tensor, Tensor]], category: str = "person"
) -> Path:
    """Write images and the boxes of their objects, and return the file of the annotations.

    Args:
        folder: for the images, as PNG files, and the annotations, `coco.json`; made if missing.
        images_and_boxes: pairs of an image `1 3 h w` in 0..1 and its boxes `n 4`, xyxy in [-1, 1].
        category: name of the objects' class.
    """
    root = local_path(folder)
    root.mkdir(parents=True, exist_ok=True)
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, boxes in images_and_boxes:
        height, width = image.shape[-2:]
        number = len(listed)
        name = f"{number:06}.png"
        pixels = image[0].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()
        # Lossless at any level; the default takes three times as long to save a tenth of the size.
        Image.fromarray(pixels).save(root / name, compress_level=1)
        listed.append({"id": number, "file_name": name, "height": height, "width": width})
        for left, top, right, bottom in to_pixels(boxes, (height, width)).tolist():
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": 0,
                }
            )
    data = {
        "images": listed,
        "annotations": annotations,
        "categories": [{"id": 1, "name": category}],
    }
    file = root / "coco.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


def _parsed(file: Path) -> dict[str, Any]:
    """Return the contents of a file, after checking that it has the parts that are used."""
    wanted = {
        "images": ("id", "file_name"),
        "annotations": ("image_id", "category_id", "bbox"),
        "categories": ("id", "name"),
    }
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name} is not a JSON file: {error}") from error
    for part, keys in wanted.items():
        if not isinstance(data, dict) or not isinstance(data.get(part), list):
            raise ValueError(f"{file.name} is not in COCO's format: it has no list {part!r}")
        for row in data[part]:
            if lacking := [key for key in keys if key not in row]:
                raise ValueError(
                    f"{file.name} is not in COCO's format: one of its {part} has no {lacking[0]!r}"
                )
    if not data["images"]:
        raise ValueError(f"{file.name} lists no images")
    return dict(data)


def _image(path: Path, image: dict[str, Any], found: list[dict[str, Any]]) -> AnnotatedImage:
    if "height" in image and "width" in image:
        size = int(image["height"]), int(image["width"])
    else:
        size = images.size_of(path)
    boxes = torch.tensor([each["bbox"] for each in found if not each["iscrowd"]]).view(-1, 4)
    boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1)
    return AnnotatedImage(int(image["id"]), path, size, from_pixels(boxes, size))


def _some(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names[:8])) + (
        f" and {len(names) - 8} more" if len(names) > 8 else ""
    )
