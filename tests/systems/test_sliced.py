"""Slicing: tiles that cover the image, and the merging of their boxes."""

import pytest
import torch
from torch import Tensor, nn

from lzu_viz.geometry.boxes import Detections, from_pixels, iou
from lzu_viz.models import NanoDet
from lzu_viz.systems.sliced import Sliced, tile_warps, tiles_of


class BrightSpots(nn.Module):
    """A detector of bright columns and rows of pixels: one box around all that is bright."""

    strides = ()

    def features(self, image: Tensor) -> Tensor:
        return image

    def head(self, image: Tensor) -> list[Detections]:
        found = []
        for one in image:
            rows, columns = (one[0] > 0.5).nonzero().T
            if not len(rows):
                found.append(Detections(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0)))
                continue
            height, width = one.shape[-2:]
            box = torch.stack([columns.min() / width, rows.min() / height,
                               (columns.max() + 1) / width, (rows.max() + 1) / height])  # fmt: skip
            found.append(Detections(box[None] * 2 - 1, torch.tensor([0]), torch.tensor([0.9])))
        return found

    def decode(
        self, outputs: list[Detections], warp: object = None, **options: object
    ) -> list[Detections]:
        return outputs


@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("tiles", [(1, 1), (2, 3), (4, 1)])
def test_tiles_cover_the_image_and_overlap(tiles: tuple[int, int], overlap: float) -> None:
    warps = tile_warps(tiles, overlap)
    assert len(warps) == tiles[0] * tiles[1]
    assert warps.axes is not None
    for axis, count in zip(warps.axes, (tiles[1], tiles[0]), strict=True):
        ends = axis.unique(dim=0)
        assert len(ends) == count
        assert (float(ends[0, 0]), float(ends[-1, 1])) == pytest.approx((-1, 1))
        lengths = ends.diff(dim=1)
        shared = (ends[:-1, 1] - ends[1:, 0]) / lengths[0]
        torch.testing.assert_close(
            shared, torch.full_like(shared[..., :1].expand_as(shared), overlap)
        )


def test_tiles_are_parts_of_the_image_row_by_row() -> None:
    image = torch.rand(1, 3, 60, 90)
    tiles = tile_warps((2, 3), overlap=0).zoom(image, (30, 30))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, 3)
        expected = image[0, :, 30 * row : 30 * row + 30, 30 * column : 30 * column + 30]
        torch.testing.assert_close(tile, expected, atol=1e-5, rtol=0)


def test_number_of_tiles_is_that_of_tiles_of_usual_size() -> None:
    assert tiles_of((512, 512)) == (1, 1)
    assert tiles_of((513, 922)) == (2, 3)
    assert tiles_of((920, 921), overlap=0.2) == (2, 2)
    assert tiles_of((100, 100)) == (1, 1)


@pytest.mark.parametrize("merge", ["nms", "nmm"])
def test_a_box_in_one_tile_is_mapped_to_the_source(merge: str) -> None:
    image = torch.zeros(2, 3, 200, 300)
    image[0, :, 20:40, 250:280] = 1
    image[1, :, 150:190, 10:60] = 1
    system = Sliced.from_network(
        BrightSpots(), size=(60, 90), tiles=(2, 3), with_whole=False, merge=merge
    )
    first, second = system.detect(image)
    pixels = torch.tensor([[250.0, 20.0, 280.0, 40.0], [10.0, 150.0, 60.0, 190.0]])
    expected = from_pixels(pixels, (200, 300))
    for found, box in zip((first, second), expected, strict=True):
        assert iou(found.boxes, box[None]).amax() > 0.9


def test_an_object_in_two_tiles_is_one_box_when_merged() -> None:
    image = torch.zeros(1, 3, 200, 300)
    image[..., 80:120, 105:195] = 1
    expected = torch.tensor([[-0.3, -0.2, 0.3, 0.2]])
    options = {"size": (60, 90), "tiles": (1, 2), "overlap": 0.2, "with_whole": False}
    (merged,) = Sliced.from_network(BrightSpots(), merge="nmm", **options).detect(image)
    (separate,) = Sliced.from_network(BrightSpots(), merge="nms", **options).detect(image)
    assert len(merged.boxes) == 1
    assert iou(merged.boxes, expected).amax() > 0.9
    assert len(separate.boxes) == 2


def test_input_pixels_count_all_tiles() -> None:
    system = Sliced.from_network(BrightSpots(), size=(60, 90), tiles=(2, 2))
    assert system.input_pixels == 5 * 60 * 90
    with pytest.raises(ValueError, match="overlap must be a fraction"):
        Sliced.from_network(BrightSpots(), size=(60, 90), overlap=1.0)


@pytest.mark.slow
def test_one_tile_is_the_network_alone() -> None:
    network, image = NanoDet(), torch.rand(1, 3, 320, 416)
    system = Sliced.from_network(network, size=(320, 416), tiles=(1, 1), with_whole=False)
    with torch.no_grad():
        found = system.detect(image)[0]
        alone = network.decode(network(image))[0]
    torch.testing.assert_close(found.scores, alone.scores[: len(found.scores)])
