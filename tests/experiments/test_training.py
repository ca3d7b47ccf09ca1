"""Training of small networks: their datasets, losses, and metrics of perfect predictions."""

import itertools
import math
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lzu_viz.datasets import streets as disk
from lzu_viz.datasets.driving import CLASSES, SEMANTIC_CLASSES, driving
from lzu_viz.datasets.streets import FIRST_SEED, Streets, streets
from lzu_viz.experiments.training import policies
from lzu_viz.experiments.training.evaluation import (
    evaluate_boxes,
    evaluate_boxes_3d,
    evaluate_masks,
    evaluate_network,
    predict_boxes,
    predict_boxes_3d,
    predicted_depths,
)
from lzu_viz.experiments.training.mipmap_zoom import resize_by_mipmap, zoom_by_mipmap
from lzu_viz.experiments.training.trained_systems import SYSTEMS, TASKS, systems_of
from lzu_viz.experiments.training.trainer import Recipe, Training, input_size, network_for
from lzu_viz.experiments.training.warped_dataset import WarpedDataset, mirror, mirror_boxes
from lzu_viz.geometry.boxes import Detections, iou
from lzu_viz.geometry.resampling import pixel_centres
from lzu_viz.metrics.detection3d import Detections3D
from lzu_viz.models.small.detector import (
    MAX_SIDES,
    MIN_TARGET,
    REFERENCE_SIDE,
    Detector,
    Targets,
    decode_boxes,
    encode_boxes,
    focal,
    gaussian_targets,
    stride,
)
from lzu_viz.models.small.detector3d import (
    DEPTH,
    SIZES,
    Detector3D,
    RawDetections3D,
    encode_boxes_3d,
    lift,
    project_centres,
    to_source,
)
from lzu_viz.models.small.pyramid import Pyramid, count_parameters
from lzu_viz.models.small.segmenter import Segmenter
from oracles import evaluate_point

LARGE, SMALL = (96, 320), (48, 160)
STATIC = [name for name, system in SYSTEMS.items() if system.policy.is_static]
EVERY = [(task, system.name) for task in TASKS for system in systems_of(task)]
TURNED = np.array([False, True, True, False])
FOUR = np.array([3, 0, 5, 3])


class Here:
    """Draw in this process."""

    def __init__(self, *args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    map = staticmethod(map)


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LZU_VIZ_CACHE", str(folder))
        yield folder
    some.cache_clear()
    dataset.cache_clear()


@cache
def some():
    return streets("train", 10, size=LARGE, quiet=True)


def mean_saliency():
    return policies.fixed_saliency(some().ground_truth)


def last_boxes():
    return [ground_truth.previous_boxes for ground_truth in some().ground_truth]


@cache
def dataset(task, name):
    """Return a shared dataset, for tests that do not change it."""
    boxes = last_boxes() if SYSTEMS[name].policy.boxes else None
    data = WarpedDataset(task, SYSTEMS[name], some(), SMALL, mean_saliency(), boxes)
    data.eval()
    return data


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_networks_are_small(task):
    assert count_parameters(network_for(task)) < 300_000


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [SMALL, (64, 96), (16, 48)])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_heads_answer_on_every_grid(task, size, factor):
    network = network_for(task).eval()
    levels = network.features(torch.rand(2, 3, *size))
    alone = isinstance(levels, torch.Tensor)
    levels = [levels] if alone else levels
    assert len(levels) == (1 if task == "segmentation" else len(Pyramid.strides))
    grids = [tuple(side // step * factor for side in size) for step in Pyramid.strides]
    finest = [F.interpolate(level, grid) for level, grid in zip(levels, grids, strict=False)]
    outputs = network.head(finest[0] if alone else finest)
    numbers = {"segmentation": len(SEMANTIC_CLASSES), "detection": 3 + 4, "detection3d": 3 + 4 + 8}[
        task
    ]
    for output, grid in zip([outputs] if alone else outputs, grids, strict=False):
        assert output.shape == (2, numbers, *grid)
        assert output.isfinite().all()


@pytest.mark.parametrize("task", TASKS)
def test_an_image_is_answered_by_itself(task):
    network = network_for(task).eval()
    images = torch.rand(2, 3, *SMALL)
    both, alone = network(images), network(images[1:])
    for a, b in zip(both, alone, strict=True) if isinstance(both, list) else [(both, alone)]:
        torch.testing.assert_close(a[1:], b, atol=1e-4, rtol=0)


def test_input_sizes_are_multiples_of_16():
    assert input_size((192, 640), 0.25) == SMALL
    assert input_size((192, 640), 0.75) == (144, 480)
    assert input_size(LARGE, 0.01) == (16, 16)


# --- what detectors are taught ------------------------------------------------------------------


def random_boxes(count, size=SMALL, minimum=5.0, maximum=44.0):
    """Return boxes within the frame, with longer sides of minimum to maximum pixels."""
    longer = torch.exp(torch.empty(count, 1).uniform_(math.log(minimum), math.log(maximum)))
    sides = longer * torch.empty(count, 2).uniform_(0.8, 1) * 2
    sides = sides / torch.tensor([size[1], size[0]])
    low = torch.rand(count, 2) * (2 - sides) - 1
    return torch.cat([low, low + sides], dim=1)


def things_of(boxes, labels=None):
    labels = torch.arange(len(boxes)) % 3 if labels is None else labels
    return Targets(boxes, labels, (boxes[:, :2] + boxes[:, 2:]) / 2, torch.zeros(len(boxes), 6))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("shape", [(12, 40), (7, 31)])
def test_numbers_give_the_box_from_every_cell(level, shape):
    boxes = random_boxes(9)
    places, step = pixel_centres(shape), stride(level, SMALL)
    numbers = encode_boxes(boxes[:, None, None], places, step)
    again = decode_boxes(numbers, places, step)
    expected = boxes[:, None, None].expand_as(again)
    torch.testing.assert_close(again, expected, atol=1e-5, rtol=0)


def test_numbers_are_in_strides_of_the_level():
    step = 2 * Pyramid.strides[1]
    assert stride(1, SMALL).tolist() == pytest.approx([step / 160, step / 48])
    box, place = torch.tensor([0.2, -0.5, 0.4, 0.1]), torch.tensor([0.275, -0.2])
    x, y, width, height = encode_boxes(box, place, torch.tensor([0.05, 0.1])).tolist()
    assert (x, y) == pytest.approx((0.5, 0), abs=1e-5)
    assert (width, height) == pytest.approx(
        (math.log(4 / REFERENCE_SIDE), math.log(6 / REFERENCE_SIDE)), abs=1e-5
    )


AT_THE_EDGE = torch.tensor(
    [[0.913, 0.837, 1.0, 1.0], [-1.0, -1.0, -0.99, -0.9], [1.0, 1.0, 1.0, 1.0], [-1, -1, -1, -1]]
)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("size", [SMALL, (80, 48)])
def test_gaussian_targets_stand_on_the_centres(factor, size):
    boxes = torch.cat([random_boxes(60, size), AT_THE_EDGE])
    pixels = (boxes[:, 2:] - boxes[:, :2]) / 2 * torch.tensor([size[1], size[0]])
    levels = [sum(side > longest for longest in MAX_SIDES) for side in pixels.amax(1).tolist()]
    assert set(levels) == {0, 1, 2}
    owners = Counter()
    for level, step in enumerate(Pyramid.strides):
        rows, columns = size[0] // step * factor, size[1] // step * factor
        indices, heatmap = gaussian_targets(boxes, level, (rows, columns), size)
        assert heatmap.shape == (len(indices), rows, columns)
        for index, heat in zip(indices.tolist(), heatmap, strict=True):
            x, y = ((boxes[index, :2] + boxes[index, 2:]) / 4 + 0.5).tolist()
            cell = min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)
            assert (heat == 1).nonzero().tolist() == [list(cell)]
            assert heat.min() >= 0
            assert levels[index] == level
            owners[index] += 1
    assert owners == Counter(range(len(boxes)))


def test_a_bump_is_as_wide_as_its_thing():
    wide = torch.tensor([[-0.8, -0.2, 0.8, 0.2]])
    _, heatmap = gaussian_targets(wide, 2, (24, 80), SMALL)
    row, column = divmod(int(heatmap.argmax()), 80)
    assert heatmap[0, row, column + 5] > 10 * heatmap[0, row + 5, column]


def test_focal_loss_is_that_of_a_loop():
    logits, target = 3 * torch.randn(2, 3, 4, 5), 0.98 * torch.rand(2, 3, 4, 5)
    target[torch.rand(target.shape) < 0.1] = 1
    assert (target == 1).any()
    total = 0.0
    for logit, truth in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        if truth == 1:
            total -= (1 - p) ** 2 * math.log(p)
        else:
            total -= (1 - truth) ** 4 * p**2 * math.log(1 - p)
    assert focal(logits, target).item() == pytest.approx(total, rel=1e-4)


def answers(targets, network, size, upsample_factor=1):
    """Return outputs that equal the targets, each object only in the cell of its centre."""
    outputs = []
    for level, step in enumerate(Pyramid.strides):
        shape = (size[0] // step * upsample_factor, size[1] // step * upsample_factor)
        output = torch.zeros(len(targets), network.predict.out_channels, *shape)
        output[:, : network.classes] = -12
        for image, image_targets in enumerate(targets):
            indices, heatmap = gaussian_targets(image_targets.boxes, level, shape, size)
            for index, heat in zip(indices.tolist(), heatmap, strict=True):
                row, column = divmod(int(heat.argmax()), shape[1])
                label = image_targets.labels[index]
                output[image, label, row, column] = 12
                place, step = pixel_centres(shape)[0, row, column], stride(level, size)
                values = [encode_boxes(image_targets.boxes[index], place, step)]
                if isinstance(network, Detector3D):
                    values += [(image_targets.projected_centres[index] - place) / step]
                    values += [image_targets.encoded_3d[index]]
                output[image, network.classes :, row, column] = torch.cat(values)
        outputs.append(output)
    return outputs


def apart(boxes):
    """Those that no earlier one overlaps."""
    return boxes[iou(boxes, boxes).triu(1).sum(dim=0) == 0]


@pytest.mark.parametrize("factor", [1, 2])
def test_what_says_the_truth_is_decoded_to_it(factor):
    network = Detector()
    targets = [things_of(apart(random_boxes(count))) for count in (12, 30, 0)]
    decoded = network.decode(answers(targets, network, SMALL, factor), size=SMALL)
    assert len(decoded) == 3
    for got, expected in zip(decoded, targets, strict=True):
        assert len(got.boxes) == len(expected.boxes)
        assert (got.scores > 0.99).all()
        if len(expected.boxes):
            overlap, which = iou(got.boxes, expected.boxes).max(dim=1)
            assert overlap.min() > 0.999
            assert sorted(which.tolist()) == list(range(len(expected.boxes)))
            assert torch.equal(got.labels, expected.labels[which])


def test_what_finds_a_thing_again_is_suppressed_but_not_other_classes():
    network = Detector()
    box = torch.tensor([[-0.1, -0.3, 0.15, 0.2]])
    both = things_of(box.repeat(2, 1), torch.tensor([0, 1]))
    outputs = answers([both], network, SMALL)
    level = next(index for index, output in enumerate(outputs) if output[0, 0].max() > 0)
    row, column = divmod(int(outputs[level][0, 0].argmax()), outputs[level].shape[-1])
    place = pixel_centres(outputs[level].shape[-2:])[0, row, column + 3]
    again = encode_boxes(box[0], place, stride(level, SMALL))
    outputs[level][0, 0, row, column + 3] = 5  # a less sure peak of the same box
    outputs[level][0, 3:7, row, column + 3] = again
    (got,) = network.decode(outputs, size=SMALL)
    assert sorted(got.labels.tolist()) == [0, 1]
    assert got.scores.min() > 0.999


def test_the_rim_of_a_peak_is_not_found():
    network = Detector()
    outputs = answers([things_of(torch.tensor([[-0.1, -0.3, 0.15, 0.2]]))], network, SMALL)
    level = next(index for index, output in enumerate(outputs) if output[0, 0].max() > 0)
    row, column = divmod(int(outputs[level][0, 0].argmax()), outputs[level].shape[-1])
    outputs[level][0, 0, row, column + 1] = 5
    outputs[level][0, 3, row, column + 1] = 9  # as if of another thing, far to the right
    (got,) = network.decode(outputs, size=SMALL)
    assert len(got.boxes) == 1
    assert got.scores.item() > 0.999


@pytest.mark.parametrize("network", [Detector(), Detector3D()], ids=["2d", "3d"])
def test_loss_is_least_at_the_truth(network):
    targets = [things_of(apart(random_boxes(8))) for _ in range(2)]
    outputs = answers(targets, network, SMALL)
    # Only centres count here, so that outputs of other cells may be anything.
    best = network.loss(outputs, targets, SMALL)
    for channel in range(network.predict.out_channels):
        worse = [output.clone() for output in outputs]
        for output, now in zip(worse, outputs, strict=True):
            is_centre = now[:, :3].amax(dim=1) > 0
            output[:, channel][is_centre] += -20 if channel < 3 else 0.5
        assert network.loss(worse, targets, SMALL) > best + 0.01
    swapped = network.loss(outputs, targets[::-1], SMALL)
    assert swapped > best + 1


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("network", [Detector(), Detector3D()], ids=["2d", "3d"])
def test_loss_is_that_of_a_loop_over_things_and_cells(network, factor):
    targets = [things_of(random_boxes(count)) for count in (7, 0, 12)]
    targets = [
        image_targets._replace(
            projected_centres=image_targets.projected_centres
            + 0.1 * torch.randn(len(image_targets.boxes), 2),
            encoded_3d=torch.randn(len(image_targets.boxes), 6),
        )
        for image_targets in targets
    ]
    outputs = [
        0.5 * torch.randn_like(output) for output in answers(targets, network, SMALL, factor)
    ]
    total = 0.0
    for level, output in enumerate(outputs):
        shape, step = output.shape[-2:], stride(level, SMALL)
        heat = torch.zeros(len(targets), 3, *shape)
        for image, image_targets in enumerate(targets):
            for index, heatmap in zip(
                *gaussian_targets(image_targets.boxes, level, shape, SMALL), strict=True
            ):
                map_of_class = heat[image, image_targets.labels[index]]
                torch.maximum(map_of_class, heatmap, out=map_of_class)
                regression = weights = 0.0
                for row, column in (heatmap > MIN_TARGET).nonzero().tolist():
                    place = pixel_centres(shape)[0, row, column]
                    expected = [encode_boxes(image_targets.boxes[index], place, step)]
                    if isinstance(network, Detector3D):
                        expected += [
                            (image_targets.projected_centres[index] - place) / step,
                            image_targets.encoded_3d[index],
                        ]
                    predicted, weight = output[image, 3:, row, column], heatmap[row, column]
                    regression += weight * F.smooth_l1_loss(
                        predicted, torch.cat(expected), reduction="sum", beta=0.1
                    )
                    weights += weight
                assert weights >= 1
                total += regression / weights
        total += focal(output[:, :3], heat)
    loss = network.loss(outputs, targets, SMALL)
    torch.testing.assert_close(loss, total / 19, rtol=1e-5, atol=0)


@pytest.mark.parametrize("network", [Detector(), Detector3D()], ids=["2d", "3d"])
def test_loss_without_any_thing(network):
    nothing = things_of(torch.zeros(0, 4))
    loss = network.loss(network(torch.rand(2, 3, *SMALL)), [nothing] * 2, SMALL)
    loss.backward()
    assert loss.isfinite()
    assert loss > 0
    assert network.predict.weight.grad.isfinite().all()


# --- 3D -----------------------------------------------------------------------------------------


def boxes_in_space(count):
    depth = torch.empty(count).uniform_(2, 150)
    labels = torch.arange(count) % 3
    sizes = torch.tensor(SIZES)[labels] * torch.empty(count, 3).uniform_(0.5, 2)
    x, y = depth * torch.empty(count).uniform_(-0.7, 0.7), torch.empty(count).uniform_(-2, 2)
    yaw = torch.linspace(-2 * math.pi, 2 * math.pi, count)
    return torch.cat([torch.stack([x, y, depth], 1), sizes, yaw[:, None]], dim=1), labels


CAMERA = torch.tensor([210.0, 152.0, 51.0])


def test_boxes_in_space_are_lifted_back():
    boxes, labels = boxes_in_space(40)
    centres = project_centres(boxes, CAMERA, LARGE)
    nothing = Detections(torch.zeros(40, 4), labels, torch.rand(40))
    got = lift(RawDetections3D(nothing, centres, encode_boxes_3d(boxes, labels)), CAMERA, LARGE)
    torch.testing.assert_close(got.boxes[:, :6], boxes[:, :6], atol=1e-3, rtol=1e-4)
    turn = (got.boxes[:, 6] - boxes[:, 6]) / (2 * math.pi)
    torch.testing.assert_close(turn, turn.round(), atol=1e-5, rtol=0)
    assert got.boxes[:, 6].abs().max() <= math.pi + 1e-6
    assert torch.equal(got.labels, labels)
    assert torch.equal(got.scores, nothing.scores)


def test_numbers_are_those_of_the_view():
    """A car that drives along its own ray looks the same, wherever it is."""
    typical = torch.tensor(SIZES[0])
    places = torch.tensor([[0.0, 1.0, DEPTH], [15.0, 1.0, DEPTH], [-20.0, 1.0, DEPTH]])
    yaw = torch.atan2(places[:, 0], places[:, 2])
    boxes = torch.cat([places, typical.expand(3, 3), yaw[:, None]], dim=1)
    numbers = encode_boxes_3d(boxes, torch.zeros(3).long())
    expected = torch.tensor([0.0, 0, 0, 0, 0, 1]).expand(3, 6)
    torch.testing.assert_close(numbers, expected, atol=1e-6, rtol=0)


def test_projected_centres_are_where_the_camera_shows_them():
    centre, right = torch.tensor([[0.0, 0.0, 9.0], [3.0, 0.0, 9.0]])
    boxes = F.pad(torch.stack([centre, right]), (0, 4))
    x, y = project_centres(boxes, torch.tensor([90.0, 40.0, 30.0]), (60, 160)).T
    assert x.tolist() == pytest.approx([40 / 80 - 1, 70 / 80 - 1])
    assert y.tolist() == pytest.approx([0, 0], abs=1e-6)


def test_what_was_seen_zoomed_goes_back_to_the_source():
    warp = dataset("detection", "fovea").warp
    boxes = random_boxes(30)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    zoomed = warp.to_zoomed(boxes.reshape(1, -1, 2)).reshape(-1, 4)
    assert (zoomed - boxes).abs().max() > 0.1
    raw = RawDetections3D(
        Detections(zoomed, torch.zeros(30).long(), torch.ones(30)),
        warp.to_zoomed(centres[None])[0],
        torch.rand(30, 6),
    )
    back = to_source(raw, warp)
    torch.testing.assert_close(back.detections.boxes, boxes, atol=1e-4, rtol=0)
    torch.testing.assert_close(back.projected_centres, centres, atol=1e-4, rtol=0)
    assert back.encoded_3d is raw.encoded_3d


# --- mirrored -----------------------------------------------------------------------------------


def test_mirrored_twice_is_the_same():
    for ground_truth in some().ground_truth:
        for got, expected in zip(mirror(mirror(ground_truth, 320), 320), ground_truth, strict=True):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_a_mirrored_box_is_that_of_the_mirrored_picture():
    image = torch.zeros(40, 100)
    image[10:14, 70:95] = 1
    box = torch.tensor([[0.4, -0.5, 0.9, -0.3]])
    left, top, right, bottom = ((mirror_boxes(box)[0] + 1) / 2).tolist()
    assert (left, right) == pytest.approx((0.05, 0.3))
    assert image.flip(-1)[round(top * 40) : round(bottom * 40), 5:30].eq(1).all()
    assert image.sum() == 4 * 25


def test_mirrored_space_agrees_with_the_mirrored_picture():
    for ground_truth in some().ground_truth:
        turned = mirror(ground_truth, 320)
        expected = project_centres(
            ground_truth.boxes_3d, ground_truth.camera, LARGE
        ) * torch.tensor([-1.0, 1.0])
        got = project_centres(turned.boxes_3d, turned.camera, LARGE)
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
        numbers = encode_boxes_3d(ground_truth.boxes_3d, ground_truth.labels)
        flipped = numbers * torch.tensor([1.0, 1, 1, 1, -1, 1])
        got = encode_boxes_3d(turned.boxes_3d, ground_truth.labels)
        torch.testing.assert_close(got, flipped, atol=1e-5, rtol=0)
        assert torch.equal(turned.previous_boxes, mirror_boxes(ground_truth.previous_boxes))


@pytest.mark.parametrize(("task", "name"), [pair for pair in EVERY if pair[1] in STATIC])
def test_a_still_warp_is_its_own_mirror_image(task, name):
    warp = dataset(task, name).warp
    other = warp.grid.flip(2) * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(warp.grid, other, atol=1e-5, rtol=0)
    assert warp.separable == SYSTEMS[name].separable
    image = some().image([0, 4])
    zoomed = warp.zoom(image, SMALL).flip(-1)
    torch.testing.assert_close(warp.zoom(image.flip(-1), SMALL), zoomed, atol=1e-3, rtol=0)


# --- feeding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_batches_have_their_shapes(task, name):
    batch = dataset(task, name).batch(FOUR, TURNED)
    assert batch.zoomed.shape == (4, 3, *SMALL)
    assert batch.zoomed.dtype == torch.float32
    assert 0 <= batch.zoomed.min() < batch.zoomed.max() <= 1 + 1e-6
    assert len(batch.warp) == (1 if SYSTEMS[name].policy.is_static else 4)
    assert len(batch.warp.folds()) == 0
    assert batch.extra.isfinite()
    assert (batch.extra > 0) == (name == "edge-expected")
    if task == "segmentation":
        assert batch.semantic_mask.shape == (4, *SMALL)
        assert batch.semantic_mask.dtype == torch.uint8
        assert batch.semantic_mask.max() < len(SEMANTIC_CLASSES)
    else:
        assert len(batch.semantic_mask) == 0
    assert len(batch.targets) == 4
    for targets, scene in zip(batch.targets, FOUR, strict=True):
        assert all(tensor.isfinite().all() for tensor in targets)
        assert torch.equal(targets.labels, some().ground_truth[scene].labels)
        assert targets.boxes.abs().max() <= 1 + 1e-6
        assert (targets.boxes[:, 2:] > targets.boxes[:, :2]).all()
    assert torch.equal(batch.zoomed[0], batch.zoomed[3])  # the same scene twice


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_the_truth_is_in_the_frame_of_the_head(task, name):
    batch = dataset(task, name).batch(FOUR, TURNED)
    for row, (scene, turn) in enumerate(zip(FOUR, TURNED, strict=True)):
        ground_truth = some().ground_truth[scene]
        ground_truth = mirror(ground_truth, LARGE[1]) if turn else ground_truth
        boxes, centres = batch.targets[row].boxes, batch.targets[row].projected_centres
        if not SYSTEMS[name].in_source:
            # What expects outlines, untrained, looks nearly everywhere alike.
            assert (boxes - ground_truth.boxes).abs().max() > (
                0.02 if name != "edge-expected" else 1e-4
            )
            warp = batch.warp[0 if SYSTEMS[name].policy.is_static else row]
            boxes = warp.boxes_to_source(boxes)
            centres = warp.to_source(centres.clamp(-1, 1)[None])[0]
        torch.testing.assert_close(boxes, ground_truth.boxes, atol=1e-4, rtol=0)
        expected = project_centres(ground_truth.boxes_3d, ground_truth.camera, LARGE)
        inside = (expected.abs() < 1).all(dim=1)
        torch.testing.assert_close(centres[inside], expected[inside], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", [system.name for system in systems_of("segmentation")])
def test_the_masks_are_in_the_frame_of_the_head(name):
    batch = dataset("segmentation", name).batch(FOUR, TURNED)
    rows, columns = SMALL
    for row in (0, 1):
        full = some().semantic_mask[FOUR[row]]
        full = full[:, ::-1] if TURNED[row] else full
        got, agree = batch.semantic_mask[row].numpy(), 0
        warp = batch.warp[0 if SYSTEMS[name].policy.is_static else row].grid[0].double().numpy()
        for y, x in itertools.product(range(rows), range(columns)):
            if SYSTEMS[name].in_source:
                # Of 2x2 pixels as many as of any other class.
                four = Counter(full[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].flatten().tolist())
                agree += four[got[y, x]] == max(four.values())
            else:
                u, v = evaluate_point(warp, (2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1)
                agree += got[y, x] == full[int((v + 1) / 2 * LARGE[0]), int((u + 1) / 2 * LARGE[1])]
        assert agree >= (1 if SYSTEMS[name].in_source else 0.96) * rows * columns


@pytest.mark.parametrize("name", [*STATIC, "edge"])
def test_what_is_stored_is_what_would_be_made(name):
    data = dataset("segmentation" if name != "fovea" else "detection", name)
    batch, turned = data.batch(FOUR, TURNED), torch.from_numpy(TURNED)
    fresh = zoom_by_mipmap(data.image(FOUR, turned), batch.warp, SMALL)
    torch.testing.assert_close(batch.zoomed, fresh, atol=0.51 / 255 + 1e-3, rtol=0)
    assert (batch.zoomed - fresh).abs().mean() < 0.3 / 255
    if name != "fovea":
        full = some().area(FOUR)
        full = torch.where(turned[:, None, None], full.flip(-1), full)
        # Ties between classes may be broken in another way.
        assert (data._in_frame(full, batch.warp) != batch.semantic_mask).float().mean() < 0.006
    assert torch.equal(data.batch(FOUR, TURNED).zoomed, batch.zoomed)  # nothing was turned in place


def test_true_outlines_are_looked_at_and_turn_with_the_picture():
    data = dataset("segmentation", "edge")
    turned = torch.from_numpy(TURNED)
    full = some().area(FOUR)
    expected = policies.warp_of(policies.edge_saliency(full)).grid
    # Left and right change places, and the sign of x.
    mirrored = expected.flip(2) * torch.tensor([-1.0, 1.0])
    expected = torch.where(turned[:, None, None, None], mirrored, expected)
    torch.testing.assert_close(data.batch(FOUR, TURNED).warp.grid, expected, atol=1e-5, rtol=0)


def checkerboard():
    """Return grey scenes with a checkerboard that is too fine for the small size."""
    rows, columns = np.indices(LARGE)
    pattern = (100 + 50 * ((rows + columns) % 2)).astype(np.uint8)
    images = np.broadcast_to(pattern[..., None], (2, *LARGE, 3))
    return Streets(images, some().semantic_mask[:2], some().ground_truth[:2])


@pytest.mark.parametrize("name", ["uniform", "lzu"])
def test_a_destroyed_source_has_no_detail_to_zoom_at(name):
    for system in (SYSTEMS[name], SYSTEMS[f"{name}-destroyed"]):
        data = WarpedDataset("detection", system, checkerboard(), SMALL, mean_saliency())
        contrast = data.batch(np.arange(2), np.zeros(2, bool)).zoomed.flatten(1).std(dim=1)
        if system.predownsampled or name == "uniform":
            assert contrast.max() < 1e-3
        else:
            assert contrast.min() > 0.02


@pytest.mark.parametrize("name", ["uniform", "lzu"])
def test_a_destroyed_source_is_a_small_one(name):
    small = resize_by_mipmap(some().image(FOUR), SMALL)
    data = dataset("detection", f"{name}-destroyed")
    expected = zoom_by_mipmap(resize_by_mipmap(small, LARGE), data.warp, SMALL)
    got = data.batch(FOUR, np.zeros(4, bool)).zoomed
    torch.testing.assert_close(got, expected, atol=0.6 / 255, rtol=0)


def magnified_at(warp, points):
    places = warp.to_zoomed(points[None])
    return torch.linalg.det(warp.jacobian(places))[0].abs().rsqrt()


@pytest.mark.parametrize("name", ["lzu-adaptive", "lzu-cascaded"])
@pytest.mark.parametrize("jitter", [None, 0])
def test_where_boxes_are_is_magnified(name, jitter):
    left = torch.tensor([[-0.75, 0.3, -0.65, 0.5]])
    data = WarpedDataset(
        "detection", SYSTEMS[name], some(), SMALL, mean_saliency(), [left] * len(some())
    )
    draw = None if jitter is None else torch.Generator().manual_seed(jitter)
    warp = data.batch(FOUR, TURNED, draw).warp
    places = torch.tensor([[-0.7, 0.4], [0.7, 0.4]])
    for row, turn in enumerate(TURNED):
        at_box, elsewhere = magnified_at(warp[row], places.flip(0) if turn else places)
        assert at_box > 1.15 * elsewhere
    same = torch.equal(warp.grid[0], warp.grid[3])  # one scene twice
    assert same == (jitter is None)


def test_without_a_box_to_look_at_it_looks_where_things_usually_are():
    nothing = [torch.zeros(0, 4)] * len(some())
    data = WarpedDataset(
        "detection", SYSTEMS["lzu-adaptive"], some(), SMALL, mean_saliency(), nothing
    )
    warp = data.batch(FOUR, TURNED, torch.Generator().manual_seed(0)).warp
    centres = (
        torch.cat([ground_truth.boxes for ground_truth in some().ground_truth])
        .unflatten(1, (2, 2))
        .mean(1)
    )
    assert magnified_at(warp[0], centres).mean() > 1.1


@pytest.mark.parametrize("name", ["lzu-adaptive", "lzu-cascaded"])
def test_boxes_to_look_at_have_to_be_given(name):
    data = WarpedDataset("detection", SYSTEMS[name], some(), SMALL, mean_saliency())
    with pytest.raises(ValueError, match=f"system '{name}' computes its saliency from boxes"):
        data.batch(FOUR, TURNED)


def test_rare_classes_weigh_more():
    weights = dataset("segmentation", "uniform").weights()
    often = np.bincount(some().semantic_mask.ravel(), minlength=len(SEMANTIC_CLASSES))
    assert weights.argsort().tolist() == (-often).argsort(kind="stable").tolist()
    assert weights.mean().item() == pytest.approx(1)
    maximum, minimum = often.max(), often.min()
    assert (weights.max() / weights.min()).item() == pytest.approx(
        math.sqrt(maximum / minimum), 1e-3
    )


# --- where systems look -------------------------------------------------------------------------


def test_the_fixed_saliency_is_high_where_things_are():
    saliency_map = policies.fixed_saliency(some().ground_truth)
    assert saliency_map.shape == (1, 1, *policies.NODES)
    assert torch.equal(saliency_map, saliency_map.flip(-1))
    assert saliency_map.sum().item() == pytest.approx(1, abs=1e-4)
    centres = (
        torch.cat([ground_truth.boxes for ground_truth in some().ground_truth])
        .unflatten(1, (2, 2))
        .mean(1)
    )
    x, y = ((centres + 1) * 16).long().clamp(0, 31).T
    assert saliency_map[0, 0, y, x].mean() > 4 * saliency_map.mean()


@pytest.mark.parametrize("task", TASKS)
def test_a_part_of_the_look_may_go_everywhere(task):
    share = policies.UNIFORM_WEIGHT[task]
    expected = share / mean_saliency().numel() + (1 - share) * mean_saliency()
    torch.testing.assert_close(
        policies.mix_uniform(mean_saliency(), task), expected, atol=1e-6, rtol=1e-3
    )


def test_a_small_thing_weighs_more_than_a_large_one():
    boxes = torch.tensor([[0.70, -0.55, 0.80, -0.45], [0.3, 0.3, 0.7, 0.7]])
    ground_truth = some().ground_truth[0]._replace(boxes=boxes)
    saliency_map = policies.fixed_saliency([ground_truth])[0, 0]
    top, bottom = saliency_map[:16, 16:].sum(), saliency_map[16:, 16:].sum()
    assert (top / bottom).item() == pytest.approx(0.4 / 0.1, rel=0.01)
    assert divmod(int(saliency_map[:, 16:].argmax()), 16) in [(7, 11), (7, 12), (8, 11), (8, 12)]


@pytest.mark.parametrize("task", TASKS)
def test_the_wrong_warp_shrinks_things(task):
    centres = (
        torch.cat([ground_truth.boxes for ground_truth in some().ground_truth])
        .unflatten(1, (2, 2))
        .mean(1)
    )
    right, wrong = (dataset(task, name).warp for name in ("lzu", "lzu-wrong"))
    assert magnified_at(right, centres).mean() > 1.2
    assert magnified_at(wrong, centres).mean() < 0.9


def test_outlines_of_simple_masks():
    masks = torch.zeros(4, *LARGE, dtype=torch.uint8)
    masks[1, :, 160:] = 3
    masks[2, 48:] = 5
    masks[3, 48:, 160:] = 1
    nothing, down, across, corner = policies.outlines(masks)[:, 0]
    expected = torch.zeros(32, 32)
    assert torch.equal(nothing, expected)
    expected[:, 16] = 1 / 10
    torch.testing.assert_close(down, expected)
    torch.testing.assert_close(across, torch.zeros(32, 32).index_fill(0, torch.tensor(16), 1 / 3))
    # The pixel in the corner counts once.
    assert corner[16, 16].item() == pytest.approx((3 + 10 - 1) / 30)
    assert corner[:16].sum() == corner[:, :16].sum() == 0


def test_true_outlines_are_magnified():
    semantic_mask = torch.zeros(1, *LARGE, dtype=torch.uint8)
    semantic_mask[:, 30:34, 200:210] = 1
    warp = policies.warp_of(policies.edge_saliency(semantic_mask))
    at_outline, elsewhere = magnified_at(warp, torch.tensor([[0.28, -0.33], [-0.5, 0.6]]))
    assert at_outline > 1.1 > elsewhere


def test_jitter_is_unbiased():
    boxes = torch.tensor([[-0.1, -0.2, 0.1, 0.2]]).expand(20_000, 4)
    moved = policies.jittered(boxes, torch.Generator().manual_seed(1)) - boxes
    torch.testing.assert_close(moved[:, :2], moved[:, 2:], atol=1e-6, rtol=0)
    assert moved.mean(dim=0).abs().max() < 4 * policies.JITTER / math.sqrt(20_000)
    assert moved.std(dim=0).tolist() == pytest.approx([policies.JITTER] * 4, rel=0.03)
    assert np.corrcoef(moved[:, 0], moved[:, 1])[0, 1] == pytest.approx(0, abs=0.03)
    edge = policies.jittered(torch.ones(100, 4), torch.Generator().manual_seed(1))
    assert edge.abs().max() <= 1


def test_expected_outlines_are_learnt():
    image, semantic_mask = some().image(range(4)), some().area(range(4))
    network = policies.EdgePredictor(SMALL)
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    losses = []
    for _ in range(12):
        loss = network.loss(network(image), semantic_mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    saliency_map = network.saliency(network(image))
    assert saliency_map.shape == (4, 1, *policies.NODES)
    assert saliency_map.sum(dim=(1, 2, 3)).tolist() == pytest.approx([1] * 4, abs=1e-4)


# --- scenes on disk -----------------------------------------------------------------------------


def test_what_is_kept_is_what_was_drawn():
    for index in (0, 9):
        street = driving(FIRST_SEED["train"] + index, size=LARGE)
        ground_truth = some().ground_truth[index]
        image = some().image([index])
        torch.testing.assert_close(image, street.image, atol=0.51 / 255, rtol=0)
        assert torch.equal(some().area([index]), street.semantic_mask)
        assert torch.equal(ground_truth.boxes, street.boxes)
        assert torch.equal(ground_truth.labels, street.labels)
        assert torch.equal(ground_truth.boxes_3d, street.boxes_3d)
        focal_length, x, y = ground_truth.camera
        intrinsics = street.camera.intrinsics[0]
        assert torch.equal(intrinsics[[0, 0, 1], [0, 2, 2]], torch.stack([focal_length, x, y]))
        before = driving(index, size=(24, 80), seconds=-0.2).boxes
        assert torch.equal(ground_truth.previous_boxes, before)
    assert len(some()) == 10
    assert some().size == LARGE
    assert any(
        len(ground_truth.previous_boxes) != len(ground_truth.boxes)
        for ground_truth in some().ground_truth
    )


def test_scenes_are_drawn_once(monkeypatch):
    first = some()

    def never(*args):
        raise AssertionError("drawn again")

    monkeypatch.setattr(disk, "_draw", never)
    again = streets("train", 10, size=LARGE, quiet=True)
    assert np.array_equal(again.images, first.images)
    assert torch.equal(again.ground_truth[3].boxes_3d, first.ground_truth[3].boxes_3d)
    for other in (
        {"preset": "near"},
        {"size": (96, 336)},
        {"seconds": 0.5},
        {"previous_boxes": False},
    ):
        with pytest.raises(AssertionError, match="drawn again"):
            streets("train", 10, **{"size": LARGE, **other})
    monkeypatch.setattr(disk, "_source", lambda: "other code")
    with pytest.raises(AssertionError, match="drawn again"):
        streets("train", 10, size=LARGE)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """An empty cache, and no processes."""
    monkeypatch.setenv("LZU_VIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(disk, "ProcessPoolExecutor", Here)
    return tmp_path


TINY = (64, 128)


def test_what_is_half_drawn_is_not_taken_for_whole(fresh, monkeypatch):
    class Ends(Here):
        @staticmethod
        def map(draw, starts):
            yield draw(next(iter(starts)))
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(disk, "ProcessPoolExecutor", Ends)
        patch.setattr(disk, "_AT_ONCE", 2)  # else nine are too few for processes
        with pytest.raises(KeyboardInterrupt):
            streets("val", 9, size=TINY, quiet=True)
        assert list(fresh.iterdir()) == []
        # A process that is killed cannot tidy up.
        patch.setattr(disk.shutil, "rmtree", lambda *args, **more: None)
        with pytest.raises(KeyboardInterrupt):
            streets("val", 9, size=TINY, quiet=True)
    (left,) = fresh.iterdir()
    whole = streets("val", 9, size=TINY, quiet=True)
    assert len(whole) == 9
    assert (whole.images.reshape(9, -1).max(axis=1) > 0).all()
    assert len([path for path in fresh.iterdir() if path != left]) == 1


def test_frames_before_are_only_drawn_where_asked_for(fresh, monkeypatch):
    complete = streets("val", 2, size=TINY, quiet=True)

    def never(*args):
        raise AssertionError("the frame before was drawn")

    monkeypatch.setattr(disk, "previous_boxes_of", never)
    without = streets("val", 2, size=TINY, previous_boxes=False, quiet=True)
    assert [len(ground_truth.previous_boxes) for ground_truth in without.ground_truth] == [0, 0]
    assert any(len(ground_truth.previous_boxes) for ground_truth in complete.ground_truth)
    assert np.array_equal(without.images, complete.images)
    for first, other in zip(without.ground_truth, complete.ground_truth, strict=True):
        assert torch.equal(first.boxes, other.boxes)


def test_who_comes_second_takes_what_is_there(fresh):
    first = streets("val", 1, size=TINY, quiet=True)
    (folder,) = fresh.iterdir()
    what = {"split": "val", "count": 1, "preset": "far", "size": TINY, "seconds": 0.0,
            "before": True}  # fmt: skip
    disk._draw(folder, what, True)  # as if another process had been quicker
    assert list(fresh.iterdir()) == [folder]
    assert np.array_equal(np.load(folder / "images.npy"), first.images)


def test_splits_share_no_scene(fresh, monkeypatch):
    seeds = {split: set() for split in FIRST_SEED}

    def drawn(seed, *args, **more):
        seeds[split].add(seed)
        return driving(0, *args, **more)

    monkeypatch.setattr(disk, "driving", drawn)
    for split in FIRST_SEED:
        streets(split, 2, size=TINY, quiet=True)
        assert len(seeds[split]) == 2
    assert len(set().union(*seeds.values())) == 6
    first = sorted(FIRST_SEED.values())
    assert np.diff(first).min() >= 1_000_000


@pytest.mark.parametrize(("split", "count"), [("report", 3), ("train", 0), ("val", -1)])
def test_errors_say_which_splits_there_are(split, count):
    message = (
        rf"a split of \['test', 'train', 'val'\] and a count of at least 1, "
        rf"got '{split}' and {count}"
    )
    with pytest.raises(ValueError, match=message):
        streets(split, count)


def test_the_cache_is_where_one_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LZU_VIZ_CACHE", str(tmp_path / "mine"))
    assert disk.folder() == tmp_path / "mine"
    monkeypatch.delenv("LZU_VIZ_CACHE")
    assert disk.folder() == tmp_path / "xdg" / "lzu_viz"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert disk.folder() == tmp_path / ".cache" / "lzu_viz"


# --- training -----------------------------------------------------------------------------------


def training(task, name, seed=0, steps=3, batch=2, learning_rate=8e-3):
    boxes = last_boxes() if SYSTEMS[name].policy.boxes else None
    return Training(
        task, SYSTEMS[name], 0.5, seed, some(), Recipe(steps, batch, learning_rate), boxes
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name"),
    [("detection", "lzu-adaptive"), ("detection3d", "fovea"), ("segmentation", "edge-expected")],
)
def test_a_seed_gives_its_network(task, name):
    def losses(seed):
        run = training(task, name, seed)
        return [loss for loss in run if torch.rand(1) >= 0]  # others draw numbers as well

    first = losses(0)
    assert losses(0) == first
    assert losses(1)[0] != first[0]
    assert np.isfinite(first).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name"), [("detection", "lzu-fine"), ("detection3d", "lzu"), ("segmentation", "lzu")]
)
def test_training_lowers_the_loss(task, name):
    run = training(task, name, steps=40, batch=4)
    assert len(run) == 40
    assert list(run) == run.losses
    assert len(run.losses) == 40
    assert np.mean(run.losses[-4:]) < 0.75 * np.mean(run.losses[:3])
    assert not run.network.training
    assert not run.dataset.training


def test_the_network_of_outlines_is_trained_too():
    run = training("segmentation", "edge-expected", steps=2)
    before = [parameter.clone() for parameter in run.dataset.policy.parameters()]
    list(run)
    after = list(run.dataset.policy.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("task", "name"), [("segmentation", "fovea"), ("segmentation", "lzu-adaptive"),
                       ("detection", "edge"), ("detection3d", "edge-expected")],
)  # fmt: skip
def test_a_system_may_not_be_made_for_a_task(task, name):
    with pytest.raises(ValueError, match=rf"'{name}' does not support task '{task}', only \["):
        training(task, name)


def test_systems_are_named_and_listed():
    assert all(name == system.name for name, system in SYSTEMS.items())
    for task in TASKS:
        short = systems_of(task, short=True)
        assert {"uniform", "lzu"} < {system.name for system in short}
        assert all(system in systems_of(task) for system in short)


# --- judging ------------------------------------------------------------------------------------


def perfect():
    return [
        Detections(ground_truth.boxes, ground_truth.labels, torch.ones(len(ground_truth.labels)))
        for ground_truth in some().ground_truth
    ]


def test_perfect_boxes_are_judged_perfect():
    metrics = evaluate_boxes(perfect(), some())
    assert [metrics[f"ap_{name}"] for name in CLASSES] == pytest.approx([1] * 3)
    assert [metrics["ap"], metrics["ap50"], metrics["small"]] == pytest.approx([1] * 3)
    assert math.isnan(metrics["large"])  # in so small a picture nothing is
    nothing = [Detections(*(values[:0] for values in detections)) for detections in perfect()]
    assert evaluate_boxes(nothing, some())["ap"] == 0
    others = [detections._replace(labels=(detections.labels + 1) % 3) for detections in perfect()]
    assert evaluate_boxes(others, some())["ap"] < 0.1


def test_perfect_boxes_in_space_are_judged_perfect():
    predicted = [
        Detections3D(
            ground_truth.boxes_3d, ground_truth.labels, torch.ones(len(ground_truth.labels))
        )
        for ground_truth in some().ground_truth
    ]
    metrics = evaluate_boxes_3d(predicted, some().ground_truth)
    assert [metrics["ap"], metrics["score"]] == pytest.approx([1, 1])
    assert [metrics[f"ap_{name}"] for name in CLASSES] == pytest.approx([1] * 3)
    assert metrics["translation"] == pytest.approx(0, abs=1e-6)
    turned = torch.tensor([0.0, 0, 0, 0, 0, 0, 0.3])
    signs = [
        detections._replace(boxes=detections.boxes + turned * (detections.labels == 2)[:, None])
        for detections in predicted
    ]
    assert evaluate_boxes_3d(signs, some().ground_truth)["orientation"] == pytest.approx(
        0, abs=1e-3
    )
    cars = [detections._replace(boxes=detections.boxes + turned) for detections in predicted]
    assert evaluate_boxes_3d(cars, some().ground_truth)["orientation"] == pytest.approx(
        0.3, abs=1e-3
    )


def changed_truth(*changes):
    """Return the ground truth of the first scene with changes (row, column, value), as detections.

    Scores rise from 0.5 to 0.9.
    """
    ground_truth = some().ground_truth[0]
    boxes = ground_truth.boxes_3d.clone()
    for row, column, value in changes:
        boxes[row, column] = value
    return Detections3D(boxes, ground_truth.labels, torch.linspace(0.5, 0.9, len(boxes)))


@pytest.fixture
def first():
    """The first scene alone."""
    return Streets(some().images[:1], some().semantic_mask[:1], some().ground_truth[:1])


def test_true_depths_are_found():
    predicted = [
        Detections3D(
            ground_truth.boxes_3d, ground_truth.labels, torch.ones(len(ground_truth.labels))
        )
        for ground_truth in some().ground_truth
    ]
    depths = torch.cat([ground_truth.boxes_3d[:, 2] for ground_truth in some().ground_truth])
    # The middle of a box that the frame cuts may be seen outside it.
    found = ~predicted_depths(predicted, some()).isnan()
    assert found.float().mean() > 0.95
    assert torch.equal(predicted_depths(predicted, some())[found], depths[found])


def test_a_depth_may_be_wrong_but_not_the_place_in_the_picture(first):
    ground_truth = first.ground_truth[0]
    row = int(ground_truth.boxes_3d[:, 0].abs().argmax())
    stretched = changed_truth()
    stretched.boxes[:, :3] *= 3  # along the rays
    torch.testing.assert_close(
        predicted_depths([stretched], first), ground_truth.boxes_3d[:, 2] * 3
    )
    aside = changed_truth((row, 0, -ground_truth.boxes_3d[row, 0]))
    assert predicted_depths([aside], first).isnan().nonzero().flatten().tolist() == [row]
    other = changed_truth()._replace(labels=(ground_truth.labels + 1) % 3)
    assert predicted_depths([other], first).isnan().sum() >= len(ground_truth.labels) - 1


def test_the_surest_depth_counts_once(first):
    ground_truth = first.ground_truth[0]
    true, doubled = changed_truth(), changed_truth()
    doubled.boxes[:, :3] *= 2
    both = Detections3D(
        torch.cat([true.boxes, doubled.boxes]),
        ground_truth.labels.repeat(2),
        torch.cat([true.scores, true.scores + 0.05]),
    )
    torch.testing.assert_close(predicted_depths([both], first), ground_truth.boxes_3d[:, 2] * 2)
    unsure = both._replace(scores=torch.cat([true.scores, true.scores - 0.3]))
    torch.testing.assert_close(predicted_depths([unsure], first), ground_truth.boxes_3d[:, 2])
    assert predicted_depths([unsure], first, score=0.95).isnan().all()


def knowing(kind, dataset):
    """Return a detector whose outputs are the targets of the dataset."""

    class Knows(kind):
        n_seen = 0

        def features(self, image):
            return [image.new_zeros(len(image), 1, *(side // step for side in image.shape[-2:]))
                    for step in Pyramid.strides]  # fmt: skip

        def head(self, levels):
            scenes = np.arange(self.n_seen, self.n_seen + len(levels[0]))
            self.n_seen += len(scenes)
            factor = levels[0].shape[-1] * Pyramid.strides[0] // dataset.size[1]
            targets = dataset.batch(scenes, np.zeros(len(scenes), bool)).targets
            return answers(targets, self, dataset.size, factor)

    return Knows()


AT_BEST = 0.9
"""Minimum AP of perfect outputs: of several objects in one cell, the head detects only one."""

FRAMES = ["uniform", "fovea", "lzu", "lzu-fine", "lzu-adaptive"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMES)
def test_boxes_are_judged_in_the_source_frame(name, monkeypatch):
    monkeypatch.setattr("lzu_viz.experiments.training.evaluation._AT_ONCE", 4)
    data = dataset("detection", name)
    every = predict_boxes(knowing(Detector, data), data)
    assert len(every) == len(some())
    metrics = evaluate_boxes(every, some())
    assert metrics["ap"] > AT_BEST
    assert evaluate_network(knowing(Detector, data), data) == pytest.approx(metrics, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMES)
def test_boxes_in_space_are_judged_in_the_source_frame(name, monkeypatch):
    monkeypatch.setattr("lzu_viz.experiments.training.evaluation._AT_ONCE", 4)
    data = dataset("detection3d", name)
    metrics = evaluate_network(knowing(Detector3D, data), data)
    assert metrics["ap"] > AT_BEST
    assert metrics["translation"] < 0.05
    assert metrics["orientation"] < 0.05


@pytest.mark.slow
def test_without_a_way_back_boxes_are_elsewhere():
    data = dataset("detection", "lz")
    assert evaluate_boxes(predict_boxes(knowing(Detector, data), data), some())["ap"] < 0.5
    data = dataset("detection3d", "lz")
    every = predict_boxes_3d(knowing(Detector3D, data), data)
    assert evaluate_boxes_3d(every, some().ground_truth)["ap"] < 0.7


class Says(Segmenter):
    """A segmenter that returns masks `n h w`, zoomed if there are warps."""

    def __init__(self, masks, warp_of=None):
        super().__init__()
        self.masks, self.warp_of, self.n_seen = masks, warp_of, 0

    def features(self, image):
        scenes = np.arange(self.n_seen, self.n_seen + len(image))
        self.n_seen += len(image)
        logits = (
            F.one_hot(self.masks[scenes].long(), len(SEMANTIC_CLASSES)).permute(0, 3, 1, 2).float()
        )
        return self.warp_of(scenes).zoom(logits, LARGE, antialias=False) if self.warp_of else logits

    def head(self, features):
        return features


def test_perfect_masks_are_judged_perfect(monkeypatch):
    monkeypatch.setattr("lzu_viz.experiments.training.evaluation._AT_ONCE", 4)
    data = dataset("segmentation", "uniform")
    metrics = evaluate_network(Says(some().area(range(10))), data)
    assert {round(value, 6) for value in metrics.values()} == {1}
    assert metrics.keys() == {
        "miou",
        "miou_fine",
        "boundary_f",
        *(f"iou_{name}" for name in SEMANTIC_CLASSES),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lz", "lzu", "edge"])
def test_masks_are_judged_in_the_source_frame(name):
    data = dataset("segmentation", name)

    def warps(scenes):
        return data.batch(scenes, np.zeros(len(scenes), bool)).warp

    metrics = evaluate_masks(Says(some().area(range(10)), warps), data)
    if name == "lz":
        assert metrics["miou"] < 0.7
    else:
        assert metrics["miou"] > 0.75
        assert metrics["iou_road"] > 0.95


def test_iou_is_that_of_a_slow_count():
    size = (16, 32)
    # Of few classes many pixels, so that each occurs and figures differ.
    ground_truth, predicted = torch.distributions.Categorical(torch.arange(1.0, 10)).sample(
        (2, 3, *size)
    )
    scenes = Streets(
        np.zeros((3, *size, 3), np.uint8), ground_truth.byte().numpy(), some().ground_truth[:3]
    )
    data = WarpedDataset("segmentation", SYSTEMS["uniform"], scenes, size, mean_saliency())
    metrics = evaluate_masks(Says(predicted), data)
    for label, name in enumerate(SEMANTIC_CLASSES):
        both = either = 0
        for a, b in zip(ground_truth.flatten().tolist(), predicted.flatten().tolist(), strict=True):
            both += a == label == b
            either += label in (a, b)
        assert metrics[f"iou_{name}"] == pytest.approx(both / either)
    mean = np.mean([metrics[f"iou_{name}"] for name in SEMANTIC_CLASSES])
    assert metrics["miou"] == pytest.approx(mean)
    fine = np.mean([metrics[f"iou_{name}"] for name in CLASSES])
    assert metrics["miou_fine"] == pytest.approx(fine)
