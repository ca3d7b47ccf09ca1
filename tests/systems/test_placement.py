"""Placement of feature maps of networks that pad their input."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lzu_viz import LZU, Uniform, Warp, saliency
from lzu_viz.geometry.resampling import pixel_centres
from lzu_viz.systems.placement import extent_of, relative_extents

SIZE = (100, 180)


class Padding(nn.Module):
    """Means of 32 x 32 pixels; the input is padded at the bottom and on the right."""

    def forward(self, image: Tensor) -> Tensor:
        rows, columns = (-side % 32 for side in image.shape[-2:])
        return F.avg_pool2d(F.pad(image, (0, columns, 0, rows), mode="replicate"), 32)


def fovea() -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[0.3, 0.2]]]), 0.3)
    return Warp.from_saliency(saliency.mix(saliency.uniform(), map_of_fovea))


def coordinates(size: tuple[int, int] = (400, 720)) -> Tensor:
    """Return an image whose two channels are x and y."""
    return pixel_centres(size).movedim(-1, 1)


@pytest.mark.parametrize("name", ["lzu", "uniform"])
def test_features_of_a_padded_input_are_placed_by_strides(name: str) -> None:
    options = {"size": SIZE, "upsample_factor": 4, "strides": 32}
    if name == "lzu":
        system: LZU = LZU(Padding(), nn.Identity(), fovea(), **options)
    else:
        system = Uniform(Padding(), nn.Identity(), **options)
    found = system(coordinates())
    assert found.shape == (1, 2, 16, 24)
    expected = coordinates((16, 24))
    # Inside, where neither the border nor the padding is read.
    inner = (expected.abs() < 0.6).all(dim=1)
    error = (found - expected).abs().amax(dim=1)[inner]
    assert error.max() < 0.06
    # The padding is 28 rows and 12 columns: as if there were none, places would be a fifth off.
    as_if_unpadded = F.interpolate(Padding()(fovea().zoom(coordinates(), SIZE)), (16, 24))
    assert (as_if_unpadded - expected).abs().amax(dim=1)[inner].max() > 0.15


@pytest.mark.parametrize("size", [(100, 200), (100, 180)])
def test_a_map_that_does_not_fit_is_rejected_with_a_remedy(size: tuple[int, int]) -> None:
    """Also 4 x 6 cells, which divide 100 x 180 pixels, but with two strides."""
    with pytest.raises(ValueError, match=r"the 4 x . cells of the map of level 0 do not divide"):
        LZU(Padding(), nn.Identity(), fovea(), size=size)(coordinates())


def test_strides_may_differ_between_levels_and_axes() -> None:
    cells = [(13, 23), (4, 6)]
    extents = relative_extents(cells, SIZE, [8, (32, 30)])
    assert extents[0] == pytest.approx((104 / 100, 184 / 180))
    assert extents[1] == pytest.approx((128 / 100, 180 / 180))
    with pytest.raises(ValueError, match="one for each of the 2 maps"):
        relative_extents(cells, SIZE, [8])
    with pytest.raises(ValueError, match="strides must be positive"):
        extent_of((4, 6), SIZE, 0)


def test_maps_finer_than_the_input_span_it() -> None:
    assert extent_of((200, 360), SIZE) == SIZE
    with pytest.raises(ValueError, match="do not divide"):
        extent_of((150, 270), SIZE)
