"""Batches of warps: concatenation, slices, copies and serialization."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from grids import random_warp
from lzu_viz import Warp, saliency


def foveas(count: int, separable: bool = True) -> Warp:
    """Return a batch of warps with a fovea at different places."""
    centres = torch.linspace(-0.5, 0.5, count)[:, None, None].expand(-1, 1, 2)
    return Warp.from_saliency(
        saliency.mix(saliency.uniform(), saliency.gaussian(centres, 0.1)), separable=separable
    )


@pytest.mark.parametrize("separable", [True, False])
def test_cat_and_slices_are_inverse(separable: bool) -> None:
    warp = foveas(5, separable)
    joined = Warp.cat([warp[:2], warp[2], warp[3:]])
    assert joined.separable == separable
    assert torch.equal(joined.grid, warp.grid)
    assert len(warp[1:4]) == 3
    assert torch.equal(warp[1:4][0].grid, warp[1].grid)
    assert torch.equal(warp[-1].grid, warp[4].grid)
    assert len(warp[5:]) == 0
    with pytest.raises(IndexError, match="out of range"):
        warp[5]


def test_cat_of_separable_and_non_separable_is_non_separable() -> None:
    joined = Warp.cat([foveas(1, True), foveas(1, False)])
    assert not joined.separable
    assert len(joined) == 2


def test_cat_rejects_different_pieces_and_nothing() -> None:
    with pytest.raises(ValueError, match="same number of pieces"):
        Warp.cat([Warp.identity((8, 8)), Warp.identity((8, 9))])
    with pytest.raises(ValueError, match="at least one"):
        Warp.cat([])


@pytest.mark.parametrize("separable", [True, False])
def test_expand_and_repeat_interleave_match_torch(separable: bool) -> None:
    warp, image = foveas(2, separable), torch.rand(2, 3, 40, 60)
    repeated = warp.repeat_interleave(3)
    expected = warp.zoom(image, (20, 30)).repeat_interleave(3, dim=0)
    torch.testing.assert_close(
        repeated.zoom(image.repeat_interleave(3, dim=0), (20, 30)), expected, atol=1e-6, rtol=0
    )
    single = warp[0].expand(4)
    assert len(single) == 4
    features = torch.rand(4, 2, 5, 8)
    torch.testing.assert_close(
        single.unzoom(features, (10, 16)), warp[0].unzoom(features, (10, 16))
    )
    with pytest.raises(ValueError, match="batch 1"):
        warp.expand(4)


@pytest.mark.parametrize("separable", [True, False])
def test_empty_batch_gives_empty_results(separable: bool) -> None:
    empty = foveas(2, separable)[:0]
    assert len(empty) == 0
    for warp in (empty, empty[:], foveas(1, separable)):
        assert warp.zoom(torch.rand(0, 3, 40, 60), (20, 30)).shape == (0, 3, 20, 30)
        assert warp.unzoom(torch.rand(0, 4, 5, 8), (10, 16)).shape == (0, 4, 10, 16)
        assert warp.to_source(torch.rand(0, 7, 2)).shape == (0, 7, 2)
        assert warp.boxes_to_source(torch.rand(0, 0, 4)).shape == (0, 0, 4)
    assert empty.zoom(torch.rand(1, 3, 40, 60), (20, 30)).shape == (0, 3, 20, 30)
    single = foveas(1, separable)
    for function in (single.boxes_to_source, single.boxes_to_zoomed):
        assert function(torch.rand(0, 4)).shape == (0, 4)


@pytest.mark.parametrize("warp", [foveas(2), random_warp("boxes", 0)], ids=["separable", "grid"])
def test_saved_warp_is_loaded_by_default_options(warp: Warp) -> None:
    warp.zoom(torch.rand(1, 3, 40, 60), (20, 30))
    file = io.BytesIO()
    torch.save({"warp": warp}, file)
    file.seek(0)
    loaded = torch.load(file)["warp"]
    unpickled = pickle.loads(pickle.dumps(warp))
    for other in (loaded, unpickled):
        assert torch.equal(other.grid, warp.grid)
        assert other.separable == warp.separable
        assert other.unzoom(torch.rand(1, 2, 5, 8), (10, 16)).shape == (len(warp), 2, 10, 16)


def test_deepcopy_copies_learnt_warps() -> None:
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    learnt = Warp.from_saliency(saliency.normalise(logits.softmax(-1)))
    copied = copy.deepcopy(learnt)
    assert torch.equal(copied.grid, learnt.grid)
    assert not copied.grid.requires_grad
    grid = torch.nn.Parameter(Warp.identity((4, 4)).grid)
    owned = copy.deepcopy(Warp.from_grid(grid)).grid
    assert owned.requires_grad
    assert owned.data_ptr() != grid.data_ptr()


def test_same_device_and_dtype_is_the_same_warp() -> None:
    warp = foveas(1)
    warp.zoom(torch.rand(1, 3, 40, 60), (20, 30))
    assert warp.to("cpu") is warp
    assert warp.to(dtype=torch.float32) is warp
    double = warp.to(dtype=torch.float64)
    assert double.grid.dtype == torch.float64
    assert set(double._memory) == set(warp._memory)


@pytest.mark.parametrize("separable", [True, False])
def test_points_keep_the_better_precision(separable: bool) -> None:
    warp, points = foveas(1, separable), torch.rand(1, 9, 2, dtype=torch.float64) * 1.8 - 0.9
    source = warp.to_source(points)
    assert source.dtype == torch.float64
    back = warp.to_zoomed(source)
    assert back.dtype == torch.float64
    assert (back - points).abs().max() < 1e-9
    assert warp.to_source(points.half()).dtype == torch.float32
    assert warp.to(dtype=torch.float64).to_source(points.float()).dtype == torch.float64


def test_arrays_are_rejected_with_a_remedy() -> None:
    array = np.ones((1, 1, 8, 8), dtype=np.float32)
    with pytest.raises(TypeError, match=r"saliency must be a torch.Tensor, got numpy.ndarray; use"):
        Warp.from_saliency(array)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"saliency must be a torch\.Tensor"):
        saliency.normalise(array)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"grid must be a torch\.Tensor"):
        Warp.from_grid(array)  # type: ignore[arg-type]
    warp = foveas(1)
    for call in (
        lambda: warp.zoom(array, (4, 4)),  # type: ignore[arg-type]
        lambda: warp.unzoom(array, (4, 4)),  # type: ignore[arg-type]
        lambda: warp.to_source(array),  # type: ignore[arg-type]
        lambda: warp.boxes_to_source(array),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError, match=r"must be a torch\.Tensor"):
            call()
