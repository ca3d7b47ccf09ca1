"""Maps of labels, optical flow, boxes and polygons, mapped exactly in both directions."""

import pytest
import torch
from torch import Tensor

from grids import random_warp
from lzu_viz import Warp, boxes, saliency
from lzu_viz.geometry.resampling import pixel_centres


def fovea(separable: bool = True, anti_crop: bool = True) -> Warp:
    map_of_fovea = saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), 0.1)
    return Warp.from_saliency(
        saliency.mix(saliency.uniform(), map_of_fovea),
        (8, 12),
        separable=separable,
        anti_crop=anti_crop,
    )


WARPS = {
    "separable": fovea(),
    "non-separable": fovea(separable=False),
    "jittered": random_warp("jittered", 3, (8, 12)),
    "cropped separable": fovea(anti_crop=False),
    "cropped": fovea(separable=False, anti_crop=False),
}
each_warp = pytest.mark.parametrize("warp", WARPS.values(), ids=WARPS)


# --- labels --------------------------------------------------------------------------------------


@each_warp
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.float32])
def test_nearest_takes_the_pixel_that_contains_the_centre(warp: Warp, dtype: torch.dtype) -> None:
    labels = torch.randint(0, 5, (2, 1, 30, 40)).to(dtype)
    zoomed = warp.zoom(labels, (17, 23), mode="nearest")
    assert zoomed.dtype == dtype
    source = warp.source_map((17, 23))[0]
    column = ((source[..., 0] + 1) * 20).long().clamp(0, 39)
    row = ((source[..., 1] + 1) * 15).long().clamp(0, 29)
    assert torch.equal(zoomed, labels[:, :, row, column])
    back = warp.unzoom(labels, (17, 23), fill_value=1, mode="nearest")
    assert back.dtype == dtype
    covered = warp.coverage((17, 23))[0]
    assert (back[:, 0, ~covered] == 1).all()
    assert set(back.unique().tolist()) <= {*labels.unique().tolist(), 1}


def test_labels_of_large_values_are_exact() -> None:
    labels = torch.full((1, 1, 8, 8), 2**24 + 1)
    assert (WARPS["separable"].zoom(labels, (4, 4), mode="nearest") == 2**24 + 1).all()


def test_labels_without_a_mode_name_it() -> None:
    labels = torch.zeros(1, 1, 8, 8, dtype=torch.int64)
    for function in (WARPS["separable"].zoom, WARPS["separable"].unzoom):
        with pytest.raises(ValueError, match="mode='nearest'"):
            function(labels, (4, 4))
        with pytest.raises(ValueError, match="mode must be one of"):
            function(labels, (4, 4), mode="bicubic")  # type: ignore[arg-type]


# --- maps of a padded input ----------------------------------------------------------------------


@pytest.mark.parametrize("separable", [True, False])
def test_extent_places_a_map_of_a_padded_input(separable: bool) -> None:
    """Cells of stride 32 over an input of 225 x 450 pixels, which a network pads to 256 x 480."""
    warp = fovea(separable)
    x, y = pixel_centres((8, 15))[0].unbind(-1)
    # Coordinates of the cells' centres in the zoomed frame, linear, so that sampling is exact.
    cells = torch.stack([(x + 1) * 480 / 450 - 1, (y + 1) * 256 / 225 - 1])[None]
    unzoomed = warp.unzoom(cells, (45, 90), extent=(256 / 225, 480 / 450))
    inverse = warp.zoomed_map((45, 90)).movedim(-1, 1)
    inner = ((inverse > -0.85) & (inverse < 0.85)).all(dim=1)[0]
    assert inner.float().mean() > 0.5
    torch.testing.assert_close(unzoomed[..., inner], inverse[..., inner], atol=1e-5, rtol=0)
    shifted = warp.unzoom(cells, (45, 90))
    assert (shifted - inverse)[..., inner].abs().max() > 0.05


# --- optical flow ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["separable", "non-separable"])
def test_flow_is_exact_where_features_would_not_be(name: str) -> None:
    """A rotation about the centre with a shift, seen in the zoomed frame, and mapped back."""
    warp, size = WARPS[name].to(dtype=torch.float64), (120, 180)
    turn = torch.tensor([[0.98, -0.08], [0.08, 0.98]], dtype=torch.float64)

    def moved(points: Tensor) -> Tensor:
        return points * 0.8 @ turn.T + 0.03

    zoomed = pixel_centres((240, 360), dtype=torch.float64)
    end = warp.to_zoomed(moved(warp.to_source(zoomed.flatten(1, 2))))
    flow = (end.view_as(zoomed) - zoomed) * torch.tensor([180.0, 120.0])
    unzoomed = warp.unzoom_flow(flow.movedim(-1, 1), size)
    source = pixel_centres(size, dtype=torch.float64)
    expected = ((moved(source) - source) * torch.tensor([90.0, 60.0])).movedim(-1, 1)
    error = (unzoomed - expected).norm(dim=1)
    length = expected.norm(dim=1).mean()
    assert error.mean() < 0.002 * length
    as_features = warp.unzoom(flow.movedim(-1, 1), size) / 2
    assert (as_features - expected).norm(dim=1).mean() > 0.1 * length


def test_flow_may_end_in_another_zoomed_frame() -> None:
    """The same scene zoomed by two warps does not move in the source frame."""
    first, second = WARPS["separable"], WARPS["non-separable"]
    zoomed = pixel_centres((120, 180))
    end = second.to_zoomed(first.to_source(zoomed.flatten(1, 2))).view_as(zoomed)
    flow = ((end - zoomed) * torch.tensor([90.0, 60.0])).movedim(-1, 1)
    still = first.unzoom_flow(flow, (120, 180), next_warp=second)
    assert still.abs().max() < 0.5
    assert still.abs().mean() < 0.02


def test_flow_that_leaves_the_frame_gets_the_fill_value() -> None:
    flow = torch.zeros(1, 2, 10, 10)
    flow[:, 0] = 3.0
    unzoomed = Warp.identity().unzoom_flow(flow, (10, 10), fill_value=-9)
    assert (unzoomed[0, 0, :, :7] - 3).abs().max() < 1e-5
    assert (unzoomed[..., 7:] == -9).all()
    with pytest.raises(ValueError, match=r"\(b, 2, h, w\)"):
        Warp.identity().unzoom_flow(torch.zeros(1, 3, 4, 4), (4, 4))


# --- boxes ----------------------------------------------------------------------------------------


def random_boxes(count: int) -> Tensor:
    corners = torch.rand(1, count, 2, 2) * 2.2 - 1.1
    return torch.cat([corners.amin(dim=2), corners.amax(dim=2)], dim=-1)


@each_warp
def test_boxes_to_zoomed_are_the_bounds_of_densely_sampled_boxes(warp: Warp) -> None:
    source = random_boxes(30)
    hulls = warp.boxes_to_zoomed(source)[0]
    fractions = torch.linspace(0, 1, 129)
    for box, hull in zip(source[0], hulls, strict=True):
        x, y = box[0] + (box[2] - box[0]) * fractions, box[1] + (box[3] - box[1]) * fractions
        points = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1).flatten(0, 1)
        zoomed = warp.to_zoomed(points[None])[0]
        zoomed = zoomed[zoomed.isfinite().all(dim=-1)]
        if not len(zoomed):
            continue
        dense = torch.cat([zoomed.amin(dim=0), zoomed.amax(dim=0)])
        # The exact hull contains all samples, and is at most a step of them larger.
        slack = 2e-5
        assert (hull[:2] <= dense[:2] + slack).all()
        assert (hull[2:] >= dense[2:] - slack).all()
        assert (hull - dense).abs().max() < 0.12


@pytest.mark.slow
@each_warp
def test_boxes_to_zoomed_is_exact_at_kinks(warp: Warp) -> None:
    """The sides of the hull are attained: each is reached by the box's edge, within rounding."""
    source = random_boxes(40).clamp(-0.95, 0.95)
    hulls = warp.to(dtype=torch.float64).boxes_to_zoomed(source.double())[0]
    fractions = torch.linspace(0, 1, 20001, dtype=torch.float64)
    for box, hull in zip(source[0].double(), hulls, strict=True):
        x, y = box[0] + (box[2] - box[0]) * fractions, box[1] + (box[3] - box[1]) * fractions
        sides = [torch.stack(torch.broadcast_tensors(a, b), dim=-1) for a, b in (
            (x, box[1]), (x, box[3]), (box[0], y), (box[2], y))]  # fmt: skip
        edge = warp.to_zoomed(torch.cat(sides)[None])[0]
        if edge.isnan().any():
            continue
        dense = torch.cat([edge.amin(dim=0), edge.amax(dim=0)])
        assert (hull - dense).abs().max() < 1e-3


def test_boxes_outside_of_a_cropping_warp_are_nan() -> None:
    grid = Warp.identity((4, 4)).grid * 0.5
    for warp in (Warp.from_grid(grid), Warp.from_axes(grid[:, 0, :, 0], grid[:, :, 0, 1])):
        source = torch.tensor([[-0.9, -0.9, -0.7, 0.9], [-1.0, -0.25, 0.25, 1.0]])
        zoomed = warp.boxes_to_zoomed(source)
        assert zoomed[0].isnan().all()
        torch.testing.assert_close(zoomed[1], torch.tensor([-1.0, -0.5, 0.5, 1.0]))


@pytest.mark.parametrize("name", ["separable", "non-separable", "jittered"])
def test_boxes_there_and_back_contain_the_box(name: str) -> None:
    warp, source = WARPS[name], random_boxes(50).clamp(-1, 1)
    back = warp.boxes_to_source(warp.boxes_to_zoomed(source))
    assert (back[..., :2] <= source[..., :2] + 1e-5).all()
    assert (back[..., 2:] >= source[..., 2:] - 1e-5).all()
    if warp.separable:
        torch.testing.assert_close(back, source, atol=1e-5, rtol=0)


def test_boxes_to_zoomed_is_differentiable_and_batched() -> None:
    grids = torch.cat([WARPS["non-separable"].grid, WARPS["jittered"].grid]).double()
    source = random_boxes(6).double().clamp(-0.9, 0.9).expand(2, -1, -1).clone()
    source.requires_grad_()
    assert torch.autograd.gradcheck(Warp.from_grid(grids).boxes_to_zoomed, source)
    both = Warp.from_grid(grids).boxes_to_zoomed(source.detach())
    for index in range(2):
        single = Warp.from_grid(grids[index : index + 1]).boxes_to_zoomed(source.detach()[index])
        torch.testing.assert_close(both[index], single)


# --- polygons -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["separable", "non-separable", "jittered"])
def test_polygons_there_and_back_stay_on_their_outline(name: str) -> None:
    warp = WARPS[name].to(dtype=torch.float64)
    angle = torch.arange(5, dtype=torch.float64) * 1.2
    polygon = torch.stack([angle.cos(), angle.sin()], dim=-1) * 0.8
    for there, back in (
        (warp.polygon_to_zoomed, warp.to_source),
        (warp.polygon_to_source, warp.to_zoomed),
    ):
        mapped = there(polygon)
        assert len(mapped) > 5 * len(polygon)
        returned = back(mapped[None])[0]
        assert distance_to_outline(returned, polygon).max() < 1e-6
        # Between the vertices, straight edges of the mapped polygon stay near the curve.
        halves = torch.lerp(mapped, mapped.roll(-1, dims=0), 0.5)
        assert distance_to_outline(back(halves[None])[0], polygon).max() < 2e-3


def distance_to_outline(points: Tensor, polygon: Tensor) -> Tensor:
    """Return the distance of points `n 2` to the edges of a polygon."""
    start, step = polygon, polygon.roll(-1, dims=0) - polygon
    offset = points[:, None] - start
    along = ((offset * step).sum(-1) / (step * step).sum(-1)).clamp(0, 1)
    return (offset - along[..., None] * step).norm(dim=-1).amin(dim=1)


def test_polygon_of_a_batch_names_the_remedy() -> None:
    batch = Warp.cat([Warp.identity(), Warp.identity()])
    with pytest.raises(ValueError, match="index the warp"):
        batch.polygon_to_source(torch.rand(4, 2))


# --- what is refused ------------------------------------------------------------------------------


def test_pixels_are_rejected_with_a_remedy() -> None:
    warp = WARPS["separable"]
    pixels = torch.tensor([[400.0, 100.0, 480.0, 160.0]])
    for call in (
        lambda: warp.boxes_to_source(pixels),
        lambda: warp.boxes_to_zoomed(pixels),
        lambda: warp.to_source(pixels.view(1, 2, 2)),
        lambda: warp.to_zoomed(pixels.view(1, 2, 2)),
        lambda: saliency.gaussian(pixels.view(1, 2, 2), 0.1),
        lambda: saliency.from_boxes(pixels, frame=(300, 600)),
        lambda: Warp.from_grid(warp.grid * 100),
    ):
        with pytest.raises(ValueError, match=r"boxes\.from_pixels"):
            call()
    converted = boxes.from_pixels(pixels, (300, 600))
    torch.testing.assert_close(boxes.to_pixels(converted, (300, 600)), pixels)
    points = boxes.from_pixels(torch.tensor([[300.0, 0.0]]), (300, 600))
    torch.testing.assert_close(points, torch.tensor([[0.0, -1.0]]))


def test_folded_grids_are_rejected_in_both_directions() -> None:
    grid = Warp.identity((4, 4)).grid.clone()
    grid[:, 2, 2, 0] = -0.9
    folded = Warp.from_grid(grid)
    image = torch.rand(1, 3, 8, 8)
    for call in (
        lambda: folded.zoom(image, (4, 4)),
        lambda: folded.unzoom(image, (4, 4)),
        lambda: folded.boxes_to_source(torch.rand(0, 4)),
        lambda: folded.boxes_to_zoomed(torch.rand(0, 4)),
        lambda: folded.polygon_to_source(torch.rand(3, 2)),
    ):
        with pytest.raises(ValueError, match="folded or flat in"):
            call()
    assert folded.zoom(image, (4, 4), allow_folds=True).shape == (1, 3, 4, 4)


# --- confident saliency ---------------------------------------------------------------------------


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("gain", [1.0, 10.0, 40.0, 1000.0])
@pytest.mark.parametrize("limit", [1.5, 8.0, 50.0])
def test_max_magnification_holds_for_any_softmax(
    separable: bool, gain: float, limit: float
) -> None:
    logits = torch.randn(8, 1, 16, 32, generator=torch.Generator().manual_seed(0))
    confident = saliency.normalise((gain * logits).flatten(1).softmax(-1).view_as(logits))
    warp = Warp.from_saliency(confident, separable=separable, max_magnification=limit)
    peak = warp.magnification((120, 240)).amax()
    assert torch.isfinite(peak)
    assert peak <= limit
    unzoomed = warp.unzoom(torch.rand(1, 4, 16, 32), (32, 64))
    assert unzoomed.isfinite().all()


@pytest.mark.parametrize("separable", [True, False])
def test_max_magnification_changes_nothing_below_it(separable: bool) -> None:
    map_of_fovea = saliency.mix(
        saliency.uniform(), saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), 0.1)
    )
    free = Warp.from_saliency(map_of_fovea, separable=separable)
    limited = Warp.from_saliency(map_of_fovea, separable=separable, max_magnification=20.0)
    torch.testing.assert_close(limited.grid, free.grid, atol=1e-6, rtol=0)
    for wrong in (1.0, -1, 0.5, float("nan")):
        with pytest.raises(ValueError, match="more than 1"):
            Warp.from_saliency(map_of_fovea, max_magnification=wrong)


@pytest.mark.parametrize("separable", [True, False])
def test_max_magnification_is_differentiable(separable: bool) -> None:
    logits = torch.randn(2, 1, 4, 5, dtype=torch.float64, requires_grad=True)

    def grid(values: Tensor) -> Tensor:
        peaked = (4 * values).flatten(1).softmax(-1).view_as(values)
        return Warp.from_saliency(peaked, (4, 6), separable=separable, max_magnification=1.3).grid

    assert torch.autograd.gradcheck(grid, logits)


def test_flat_warp_of_a_confident_network_names_the_cause() -> None:
    logits = torch.zeros(1, 1, 16, 32)
    logits[..., 5, 9] = 80.0
    confident = saliency.normalise(logits.flatten(1).softmax(-1).view_as(logits))
    warp = Warp.from_saliency(confident, fwhm=0.02)
    with pytest.raises(ValueError, match="confident saliency network"):
        warp.unzoom(torch.rand(1, 4, 8, 16), (8, 16))


def test_floor_is_chosen() -> None:
    one = torch.zeros(1, 1, 4, 4)
    one[..., 1, 1] = 1
    floored = saliency.normalise(one, floor=0.16)
    torch.testing.assert_close(floored.sum(), torch.tensor(1.0))
    torch.testing.assert_close(floored.amin(), torch.tensor(0.01 / 1.16))
    with pytest.raises(ValueError, match="floor"):
        saliency.normalise(one, floor=0.0)


def test_flat_warp_still_zooms() -> None:
    """A flat piece shows one point in many pixels; only its inverse does not exist."""
    flat = Warp.from_axes(torch.tensor([[-1.0, 0.0, 0.0, 1.0]]), torch.tensor([[-1.0, 1.0]]))
    for warp in (flat, Warp.from_grid(flat.grid)):
        assert warp.zoom(torch.rand(1, 3, 8, 8), (4, 4)).isfinite().all()
        with pytest.raises(ValueError, match="folded or flat in 1 of 3"):
            warp.unzoom(torch.rand(1, 3, 8, 8), (4, 4))
