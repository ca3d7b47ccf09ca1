"""Tests of the mipmap zoom, which the recorded runs used."""

import pytest
import torch

from lzu_viz.experiments.training.mipmap_zoom import resize_by_mipmap, zoom_by_mipmap
from lzu_viz.geometry import saliency
from lzu_viz.geometry.resampling import resize
from lzu_viz.geometry.warp import Warp

SIZE = (24, 32)


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(0))


def test_separable_warps_are_antialiased_by_a_mipmap(image: torch.Tensor) -> None:
    warp = Warp.from_saliency(saliency.gaussian(torch.tensor([[[0.2, -0.3]]]), 0.3), separable=True)
    zoomed = zoom_by_mipmap(image, warp, SIZE)
    # Equal to the zoom of a warp with the same nodes that is not marked as separable.
    torch.testing.assert_close(zoomed, Warp.from_grid(warp.grid).zoom(image, SIZE))
    assert (zoomed - warp.zoom(image, SIZE)).abs().mean() > 0.01


def test_resize_by_mipmap_averages_noise(image: torch.Tensor) -> None:
    resized = resize_by_mipmap(image, SIZE)
    assert resized.shape == (1, 3, *SIZE)
    assert (resized.mean() - image.mean()).abs() < 0.01
    # Noise of a pixel is averaged away, though not by the same filter.
    assert resized.std() < 1.5 * resize(image, SIZE).std()
