"""The zoom as a transform of torchvision's v2 and of kornia."""

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from lzu_viz import Warp, saliency
from lzu_viz.adapters import kornia, torchvision_transforms
from lzu_viz.geometry.boxes import from_pixels, to_pixels

FRAME, SIZE = (90, 160), (48, 72)


def fovea(separable: bool = True) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[0.4, -0.2]]]), 0.15)
    return Warp.from_saliency(
        saliency.mix(saliency.uniform(), map_of_fovea), (8, 16), separable=separable
    )


POINTS = torch.tensor([[20.0, 30.0], [112.0, 36.0], [150.5, 80.25]])
BOXES = torch.tensor([[10.0, 20.0, 50.0, 60.0], [100.0, 25.0, 130.0, 50.0]])


def zoomed_points(warp: Warp, points: Tensor = POINTS) -> Tensor:
    """Return points in pixels of the zoomed image, by the warp."""
    return to_pixels(warp.to_zoomed(from_pixels(points, FRAME)[None])[0], SIZE)


def outline(box: Tensor) -> Tensor:
    """Return many points on the boundary of a box `4`, xyxy."""
    left, top, right, bottom = box
    along = torch.linspace(0, 1, 400)
    x, y = torch.lerp(left, right, along), torch.lerp(top, bottom, along)
    sides = [(x, top), (x, bottom), (left, y), (right, y)]
    return torch.cat([torch.stack(torch.broadcast_tensors(*side), dim=-1) for side in sides])


def zoomed_boxes(warp: Warp) -> Tensor:
    """Return the bounds of the mapped outlines, in pixels of the zoomed image."""
    mapped = [zoomed_points(warp, outline(box)) for box in BOXES]
    return torch.stack([torch.cat([each.amin(dim=0), each.amax(dim=0)]) for each in mapped])


both = pytest.mark.parametrize("separable", [True, False])


@both
def test_every_part_of_a_sample_is_zoomed(separable: bool) -> None:
    warp = fovea(separable)
    zoom = torchvision_transforms.Zoom(warp, SIZE)
    image = torch.rand(3, *FRAME)
    mask = (torch.rand(2, *FRAME) > 0.5).to(torch.uint8)
    sample = {
        "image": tv_tensors.Image(image),
        "target": {
            "masks": tv_tensors.Mask(mask),
            "boxes": tv_tensors.BoundingBoxes(BOXES, format="XYXY", canvas_size=FRAME),
            "keypoints": tv_tensors.KeyPoints(POINTS, canvas_size=FRAME),
            "labels": torch.tensor([3, 5]),
        },
        "name": "street",
    }
    result = zoom(sample)
    target = result["target"]
    torch.testing.assert_close(result["image"].as_subclass(Tensor), warp.zoom(image[None], SIZE)[0])
    assert target["masks"].equal(warp.zoom(mask[None], SIZE, mode="nearest")[0])
    torch.testing.assert_close(target["keypoints"].as_subclass(Tensor), zoomed_points(warp))
    torch.testing.assert_close(
        target["boxes"].as_subclass(Tensor), zoomed_boxes(warp), atol=2e-2, rtol=0
    )
    assert target["labels"].tolist() == [3, 5]
    assert result["name"] == "street"
    assert [type(target[key]).__name__ for key in target] == [
        "Mask", "BoundingBoxes", "KeyPoints", "Tensor",
    ]  # fmt: skip
    assert target["boxes"].canvas_size == target["keypoints"].canvas_size == SIZE

    back = zoom.inverse(result)
    torch.testing.assert_close(
        back["target"]["keypoints"].as_subclass(Tensor), POINTS, atol=1e-3, rtol=0
    )
    assert back["image"].shape == (3, *FRAME)
    assert back["target"]["masks"].shape == (2, *FRAME)
    # The box of a mapped box contains the box.
    box = back["target"]["boxes"].as_subclass(Tensor)
    assert (box[:, :2] <= BOXES[:, :2] + 1e-3).all()
    assert (box[:, 2:] >= BOXES[:, 2:] - 1e-3).all()


@pytest.mark.parametrize("name", ["XYWH", "CXCYWH"])
def test_boxes_keep_their_format(name: str) -> None:
    warp = fovea()
    boxes = tv_tensors.BoundingBoxes(BOXES, format="XYXY", canvas_size=FRAME)
    own = v2.functional.convert_bounding_box_format(boxes, new_format=name)
    result = torchvision_transforms.Zoom(warp, SIZE)(own)
    assert result.format.name == name
    corners = v2.functional.convert_bounding_box_format(result, new_format="XYXY")
    torch.testing.assert_close(corners.as_subclass(Tensor), zoomed_boxes(warp), atol=2e-2, rtol=0)


def test_the_transform_is_part_of_a_pipeline() -> None:
    warp, image = fovea(), torch.randint(0, 256, (3, *FRAME), dtype=torch.uint8)
    pipeline = v2.Compose(
        [torchvision_transforms.Zoom(warp, SIZE), v2.ToDtype(torch.float32, scale=True)]
    )
    result = pipeline(tv_tensors.Image(image))
    assert result.dtype == torch.float32
    expected = warp.zoom(image[None] / 255, SIZE)[0]
    torch.testing.assert_close(result.as_subclass(Tensor), expected, atol=0.51 / 255, rtol=0)


def test_warp_computed_from_the_image() -> None:
    shapes = []

    def from_image(image: Tensor) -> Warp:
        shapes.append((tuple(image.shape), float(image.max()) <= 1))
        return fovea()

    zoom = torchvision_transforms.Zoom(from_image, SIZE)
    image = torch.randint(0, 256, (3, *FRAME), dtype=torch.uint8)
    points = tv_tensors.KeyPoints(POINTS, canvas_size=FRAME)
    _, result = zoom(tv_tensors.Image(image), points)
    assert shapes == [((1, 3, *FRAME), True)]
    torch.testing.assert_close(result.as_subclass(Tensor), zoomed_points(fovea()))
    with pytest.raises(ValueError, match="needs an image"):
        zoom(points)
    with pytest.raises(ValueError, match="there was none"):
        torchvision_transforms.Zoom(fovea(), SIZE).inverse(image)


@both
def test_data_keys_of_kornia(separable: bool) -> None:
    warp = fovea(separable)
    image, mask = torch.rand(2, 3, *FRAME), torch.randint(0, 9, (2, 1, *FRAME))
    points, boxes = POINTS.expand(2, -1, -1), BOXES.expand(2, -1, -1)
    wh = torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], dim=-1)
    corners = boxes[..., [0, 1, 2, 1, 2, 3, 0, 3]].unflatten(-1, (4, 2))
    keys = ["input", "mask", "keypoints", "bbox_xyxy", "bbox_xywh", "bbox"]
    zoom = kornia.Zoom(warp, SIZE, keys)
    results = zoom(image, mask, points, boxes, wh, corners)
    torch.testing.assert_close(results[0], warp.zoom(image, SIZE))
    assert results[1].equal(warp.zoom(mask, SIZE, mode="nearest"))
    torch.testing.assert_close(results[2], zoomed_points(warp).expand(2, -1, -1))
    expected = zoomed_boxes(warp).expand(2, -1, -1)
    torch.testing.assert_close(results[3], expected, atol=2e-2, rtol=0)
    torch.testing.assert_close(results[4][..., :2], expected[..., :2], atol=2e-2, rtol=0)
    torch.testing.assert_close(
        results[4][..., :2] + results[4][..., 2:], expected[..., 2:], atol=2e-2, rtol=0
    )
    torch.testing.assert_close(results[5][..., 0, :], expected[..., :2], atol=2e-2, rtol=0)
    torch.testing.assert_close(results[5][..., 2, :], expected[..., 2:], atol=2e-2, rtol=0)
    back = zoom.inverse(*results)
    torch.testing.assert_close(back[2], points, atol=1e-3, rtol=0)
    assert [tuple(tensor.shape) for tensor in back] == [
        tuple(tensor.shape) for tensor in (image, mask, points, boxes, wh, corners)
    ]


def test_errors_of_data_keys() -> None:
    zoom = kornia.Zoom(fovea(), SIZE, ["input", "keypoints"])
    with pytest.raises(ValueError, match="expected 2 tensors"):
        zoom(torch.rand(1, 3, *FRAME))
    with pytest.raises(ValueError, match="there was none"):
        zoom.inverse(torch.rand(1, 3, *FRAME), POINTS[None])
    with pytest.raises(ValueError, match="must be one of"):
        kornia.Zoom(fovea(), SIZE, ["picture"])
    with pytest.raises(ValueError, match="an image or a mask"):
        kornia.Zoom(fovea(), SIZE, ["keypoints"])(POINTS[None])


def test_kornia_itself_leaves_boxes_of_nonlinear_transforms() -> None:
    """The reason for the transform: an elastic one moves the image and not its keypoints."""
    from kornia import augmentation

    sequence = augmentation.AugmentationSequential(
        augmentation.RandomThinPlateSpline(p=1.0), data_keys=["input", "keypoints"]
    )
    torch.manual_seed(0)
    image, points = sequence(torch.rand(1, 3, *FRAME), POINTS[None])
    assert image.shape == (1, 3, *FRAME)
    assert torch.equal(torch.as_tensor(points), POINTS[None])
