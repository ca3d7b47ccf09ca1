"""Tests of the training of small networks: datasets, losses, metrics of perfect predictions."""

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
TASKS_AND_SYSTEMS = [(task, system.name) for task in TASKS for system in systems_of(task)]
MIRRORED = np.array([False, True, True, False])
SCENES = np.array([3, 0, 5, 3])


class SerialExecutor:
    """An executor that runs in this process."""

    def __init__(self, *args):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    map = staticmethod(map)


@pytest.fixture(scope="module", autouse=True)
def cache_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LZU_VIZ_CACHE", str(folder))
        yield folder
    samples.cache_clear()
    dataset.cache_clear()


@cache
def samples():
    return streets("train", 10, size=LARGE, quiet=True)


def mean_saliency():
    return policies.fixed_saliency(samples().ground_truth)


def previous_boxes():
    return [ground_truth.previous_boxes for ground_truth in samples().ground_truth]


@cache
def dataset(task, name):
    """Return a shared dataset, for tests that do not change it."""
    boxes = previous_boxes() if SYSTEMS[name].policy.boxes else None
    data = WarpedDataset(task, SYSTEMS[name], samples(), SMALL, mean_saliency(), boxes)
    data.eval()
    return data


# --- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_networks_are_small(task):
    assert count_parameters(network_for(task)) < 300_000


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [SMALL, (64, 96), (16, 48)])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_output_shapes_of_heads_on_upsampled_grids(task, size, factor):
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
def test_outputs_do_not_depend_on_the_rest_of_the_batch(task):
    network = network_for(task).eval()
    images = torch.rand(2, 3, *SMALL)
    both, alone = network(images), network(images[1:])
    for a, b in zip(both, alone, strict=True) if isinstance(both, list) else [(both, alone)]:
        torch.testing.assert_close(a[1:], b, atol=1e-4, rtol=0)


def test_input_sizes_are_multiples_of_16():
    assert input_size((192, 640), 0.25) == SMALL
    assert input_size((192, 640), 0.75) == (144, 480)
    assert input_size(LARGE, 0.01) == (16, 16)


# --- targets and losses of detectors ------------------------------------------------------------


def random_boxes(count, size=SMALL, minimum=5.0, maximum=44.0):
    """Return boxes within the frame, with longer sides of minimum to maximum pixels."""
    longer = torch.exp(torch.empty(count, 1).uniform_(math.log(minimum), math.log(maximum)))
    sides = longer * torch.empty(count, 2).uniform_(0.8, 1) * 2
    sides = sides / torch.tensor([size[1], size[0]])
    low = torch.rand(count, 2) * (2 - sides) - 1
    return torch.cat([low, low + sides], dim=1)


def make_targets(boxes, labels=None):
    labels = torch.arange(len(boxes)) % 3 if labels is None else labels
    return Targets(boxes, labels, (boxes[:, :2] + boxes[:, 2:]) / 2, torch.zeros(len(boxes), 6))


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("shape", [(12, 40), (7, 31)])
def test_decode_boxes_inverts_encode_boxes(level, shape):
    boxes = random_boxes(9)
    places, step = pixel_centres(shape), stride(level, SMALL)
    numbers = encode_boxes(boxes[:, None, None], places, step)
    again = decode_boxes(numbers, places, step)
    expected = boxes[:, None, None].expand_as(again)
    torch.testing.assert_close(again, expected, atol=1e-5, rtol=0)


def test_encoded_boxes_are_in_strides_of_the_level():
    step = 2 * Pyramid.strides[1]
    assert stride(1, SMALL).tolist() == pytest.approx([step / 160, step / 48])
    box, place = torch.tensor([0.2, -0.5, 0.4, 0.1]), torch.tensor([0.275, -0.2])
    x, y, width, height = encode_boxes(box, place, torch.tensor([0.05, 0.1])).tolist()
    assert (x, y) == pytest.approx((0.5, 0), abs=1e-5)
    assert (width, height) == pytest.approx(
        (math.log(4 / REFERENCE_SIDE), math.log(6 / REFERENCE_SIDE)), abs=1e-5
    )


EDGE_BOXES = torch.tensor(
    [[0.913, 0.837, 1.0, 1.0], [-1.0, -1.0, -0.99, -0.9], [1.0, 1.0, 1.0, 1.0], [-1, -1, -1, -1]]
)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize("size", [SMALL, (80, 48)])
def test_gaussian_targets_peak_at_the_centres(factor, size):
    boxes = torch.cat([random_boxes(60, size), EDGE_BOXES])
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


def test_gaussian_targets_are_as_wide_as_their_boxes():
    wide = torch.tensor([[-0.8, -0.2, 0.8, 0.2]])
    _, heatmap = gaussian_targets(wide, 2, (24, 80), SMALL)
    row, column = divmod(int(heatmap.argmax()), 80)
    assert heatmap[0, row, column + 5] > 10 * heatmap[0, row + 5, column]


def test_focal_loss_matches_reference():
    logits, target = 3 * torch.randn(2, 3, 4, 5), 0.98 * torch.rand(2, 3, 4, 5)
    target[torch.rand(target.shape) < 0.1] = 1
    assert (target == 1).any()
    total = 0.0
    for logit, value in zip(logits.flatten().tolist(), target.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        if value == 1:
            total -= (1 - p) ** 2 * math.log(p)
        else:
            total -= (1 - value) ** 4 * p**2 * math.log(1 - p)
    assert focal(logits, target).item() == pytest.approx(total, rel=1e-4)


def target_outputs(targets, network, size, upsample_factor=1):
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


def disjoint(boxes):
    """Return the boxes that no earlier box overlaps."""
    return boxes[iou(boxes, boxes).triu(1).sum(dim=0) == 0]


@pytest.mark.parametrize("factor", [1, 2])
def test_decoded_target_outputs_match_the_ground_truth(factor):
    network = Detector()
    targets = [make_targets(disjoint(random_boxes(count))) for count in (12, 30, 0)]
    decoded = network.decode(target_outputs(targets, network, SMALL, factor), size=SMALL)
    assert len(decoded) == 3
    for got, expected in zip(decoded, targets, strict=True):
        assert len(got.boxes) == len(expected.boxes)
        assert (got.scores > 0.99).all()
        if len(expected.boxes):
            overlap, which = iou(got.boxes, expected.boxes).max(dim=1)
            assert overlap.min() > 0.999
            assert sorted(which.tolist()) == list(range(len(expected.boxes)))
            assert torch.equal(got.labels, expected.labels[which])


def test_duplicate_detections_are_suppressed_within_a_class():
    network = Detector()
    box = torch.tensor([[-0.1, -0.3, 0.15, 0.2]])
    both = make_targets(box.repeat(2, 1), torch.tensor([0, 1]))
    outputs = target_outputs([both], network, SMALL)
    level = next(index for index, output in enumerate(outputs) if output[0, 0].max() > 0)
    row, column = divmod(int(outputs[level][0, 0].argmax()), outputs[level].shape[-1])
    place = pixel_centres(outputs[level].shape[-2:])[0, row, column + 3]
    again = encode_boxes(box[0], place, stride(level, SMALL))
    outputs[level][0, 0, row, column + 3] = 5  # a lower peak of the same box
    outputs[level][0, 3:7, row, column + 3] = again
    (got,) = network.decode(outputs, size=SMALL)
    assert sorted(got.labels.tolist()) == [0, 1]
    assert got.scores.min() > 0.999


def test_only_local_maxima_are_decoded():
    network = Detector()
    outputs = target_outputs(
        [make_targets(torch.tensor([[-0.1, -0.3, 0.15, 0.2]]))], network, SMALL
    )
    level = next(index for index, output in enumerate(outputs) if output[0, 0].max() > 0)
    row, column = divmod(int(outputs[level][0, 0].argmax()), outputs[level].shape[-1])
    outputs[level][0, 0, row, column + 1] = 5
    outputs[level][0, 3, row, column + 1] = 9  # as of another object, far to the right
    (got,) = network.decode(outputs, size=SMALL)
    assert len(got.boxes) == 1
    assert got.scores.item() > 0.999


@pytest.mark.parametrize("network", [Detector(), Detector3D()], ids=["2d", "3d"])
def test_loss_is_minimal_at_the_target_outputs(network):
    targets = [make_targets(disjoint(random_boxes(8))) for _ in range(2)]
    outputs = target_outputs(targets, network, SMALL)
    # Outputs are changed at the centres only, as those of other cells are arbitrary.
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
def test_loss_matches_reference(network, factor):
    targets = [make_targets(random_boxes(count)) for count in (7, 0, 12)]
    targets = [
        image_targets._replace(
            projected_centres=image_targets.projected_centres
            + 0.1 * torch.randn(len(image_targets.boxes), 2),
            encoded_3d=torch.randn(len(image_targets.boxes), 6),
        )
        for image_targets in targets
    ]
    outputs = [
        0.5 * torch.randn_like(output) for output in target_outputs(targets, network, SMALL, factor)
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
def test_loss_without_objects_is_finite(network):
    nothing = make_targets(torch.zeros(0, 4))
    loss = network.loss(network(torch.rand(2, 3, *SMALL)), [nothing] * 2, SMALL)
    loss.backward()
    assert loss.isfinite()
    assert loss > 0
    assert network.predict.weight.grad.isfinite().all()


# --- 3D -----------------------------------------------------------------------------------------


def random_boxes_3d(count):
    depth = torch.empty(count).uniform_(2, 150)
    labels = torch.arange(count) % 3
    sizes = torch.tensor(SIZES)[labels] * torch.empty(count, 3).uniform_(0.5, 2)
    x, y = depth * torch.empty(count).uniform_(-0.7, 0.7), torch.empty(count).uniform_(-2, 2)
    yaw = torch.linspace(-2 * math.pi, 2 * math.pi, count)
    return torch.cat([torch.stack([x, y, depth], 1), sizes, yaw[:, None]], dim=1), labels


CAMERA = torch.tensor([210.0, 152.0, 51.0])


def test_lift_inverts_projection_and_encoding():
    boxes, labels = random_boxes_3d(40)
    centres = project_centres(boxes, CAMERA, LARGE)
    nothing = Detections(torch.zeros(40, 4), labels, torch.rand(40))
    got = lift(RawDetections3D(nothing, centres, encode_boxes_3d(boxes, labels)), CAMERA, LARGE)
    torch.testing.assert_close(got.boxes[:, :6], boxes[:, :6], atol=1e-3, rtol=1e-4)
    turn = (got.boxes[:, 6] - boxes[:, 6]) / (2 * math.pi)
    torch.testing.assert_close(turn, turn.round(), atol=1e-5, rtol=0)
    assert got.boxes[:, 6].abs().max() <= math.pi + 1e-6
    assert torch.equal(got.labels, labels)
    assert torch.equal(got.scores, nothing.scores)


def test_3d_encoding_is_relative_to_the_viewing_ray():
    """Check that a car whose yaw follows its viewing ray has the same encoding everywhere."""
    typical = torch.tensor(SIZES[0])
    places = torch.tensor([[0.0, 1.0, DEPTH], [15.0, 1.0, DEPTH], [-20.0, 1.0, DEPTH]])
    yaw = torch.atan2(places[:, 0], places[:, 2])
    boxes = torch.cat([places, typical.expand(3, 3), yaw[:, None]], dim=1)
    numbers = encode_boxes_3d(boxes, torch.zeros(3).long())
    expected = torch.tensor([0.0, 0, 0, 0, 0, 1]).expand(3, 6)
    torch.testing.assert_close(numbers, expected, atol=1e-6, rtol=0)


def test_project_centres_of_a_known_camera():
    centre, right = torch.tensor([[0.0, 0.0, 9.0], [3.0, 0.0, 9.0]])
    boxes = F.pad(torch.stack([centre, right]), (0, 4))
    x, y = project_centres(boxes, torch.tensor([90.0, 40.0, 30.0]), (60, 160)).T
    assert x.tolist() == pytest.approx([40 / 80 - 1, 70 / 80 - 1])
    assert y.tolist() == pytest.approx([0, 0], abs=1e-6)


def test_to_source_maps_raw_detections_by_the_warp():
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


# --- mirroring ----------------------------------------------------------------------------------


def test_mirroring_twice_is_the_identity():
    for ground_truth in samples().ground_truth:
        for got, expected in zip(mirror(mirror(ground_truth, 320), 320), ground_truth, strict=True):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_mirrored_box_matches_the_mirrored_image():
    image = torch.zeros(40, 100)
    image[10:14, 70:95] = 1
    box = torch.tensor([[0.4, -0.5, 0.9, -0.3]])
    left, top, right, bottom = ((mirror_boxes(box)[0] + 1) / 2).tolist()
    assert (left, right) == pytest.approx((0.05, 0.3))
    assert image.flip(-1)[round(top * 40) : round(bottom * 40), 5:30].eq(1).all()
    assert image.sum() == 4 * 25


def test_mirrored_3d_boxes_match_the_mirrored_image():
    for ground_truth in samples().ground_truth:
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


@pytest.mark.parametrize(
    ("task", "name"), [pair for pair in TASKS_AND_SYSTEMS if pair[1] in STATIC]
)
def test_static_warps_are_symmetric(task, name):
    warp = dataset(task, name).warp
    other = warp.grid.flip(2) * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(warp.grid, other, atol=1e-5, rtol=0)
    assert warp.separable == SYSTEMS[name].separable
    image = samples().image([0, 4])
    zoomed = warp.zoom(image, SMALL).flip(-1)
    torch.testing.assert_close(warp.zoom(image.flip(-1), SMALL), zoomed, atol=1e-3, rtol=0)


# --- batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "name"), TASKS_AND_SYSTEMS)
def test_shapes_and_ranges_of_batches(task, name):
    batch = dataset(task, name).batch(SCENES, MIRRORED)
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
    for targets, scene in zip(batch.targets, SCENES, strict=True):
        assert all(tensor.isfinite().all() for tensor in targets)
        assert torch.equal(targets.labels, samples().ground_truth[scene].labels)
        assert targets.boxes.abs().max() <= 1 + 1e-6
        assert (targets.boxes[:, 2:] > targets.boxes[:, :2]).all()
    assert torch.equal(batch.zoomed[0], batch.zoomed[3])  # the same scene twice


@pytest.mark.parametrize(("task", "name"), TASKS_AND_SYSTEMS)
def test_targets_are_in_the_frame_of_the_head(task, name):
    batch = dataset(task, name).batch(SCENES, MIRRORED)
    for row, (scene, turn) in enumerate(zip(SCENES, MIRRORED, strict=True)):
        ground_truth = samples().ground_truth[scene]
        ground_truth = mirror(ground_truth, LARGE[1]) if turn else ground_truth
        boxes, centres = batch.targets[row].boxes, batch.targets[row].projected_centres
        if not SYSTEMS[name].in_source:
            # The saliency of an untrained edge predictor is almost uniform.
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
def test_masks_are_in_the_frame_of_the_head(name):
    batch = dataset("segmentation", name).batch(SCENES, MIRRORED)
    rows, columns = SMALL
    for row in (0, 1):
        full = samples().semantic_mask[SCENES[row]]
        full = full[:, ::-1] if MIRRORED[row] else full
        got, agree = batch.semantic_mask[row].numpy(), 0
        warp = batch.warp[0 if SYSTEMS[name].policy.is_static else row].grid[0].double().numpy()
        for y, x in itertools.product(range(rows), range(columns)):
            if SYSTEMS[name].in_source:
                # No other class has more of the 2x2 pixels.
                four = Counter(full[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].flatten().tolist())
                agree += four[got[y, x]] == max(four.values())
            else:
                u, v = evaluate_point(warp, (2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1)
                agree += got[y, x] == full[int((v + 1) / 2 * LARGE[0]), int((u + 1) / 2 * LARGE[1])]
        assert agree >= (1 if SYSTEMS[name].in_source else 0.96) * rows * columns


@pytest.mark.parametrize("name", [*STATIC, "edge"])
def test_cached_batches_match_recomputed_ones(name):
    data = dataset("segmentation" if name != "fovea" else "detection", name)
    batch, turned = data.batch(SCENES, MIRRORED), torch.from_numpy(MIRRORED)
    fresh = zoom_by_mipmap(data.image(SCENES, turned), batch.warp, SMALL)
    torch.testing.assert_close(batch.zoomed, fresh, atol=0.51 / 255 + 1e-3, rtol=0)
    assert (batch.zoomed - fresh).abs().mean() < 0.3 / 255
    if name != "fovea":
        full = samples().area(SCENES)
        full = torch.where(turned[:, None, None], full.flip(-1), full)
        # Ties between classes may be broken in another way.
        assert (data._in_frame(full, batch.warp) != batch.semantic_mask).float().mean() < 0.006
    # Nothing was mirrored in place.
    assert torch.equal(data.batch(SCENES, MIRRORED).zoomed, batch.zoomed)


def test_edge_saliency_is_mirrored_with_the_image():
    data = dataset("segmentation", "edge")
    turned = torch.from_numpy(MIRRORED)
    full = samples().area(SCENES)
    expected = policies.warp_of(policies.edge_saliency(full)).grid
    # Left and right change places, and the sign of x.
    mirrored = expected.flip(2) * torch.tensor([-1.0, 1.0])
    expected = torch.where(turned[:, None, None, None], mirrored, expected)
    torch.testing.assert_close(data.batch(SCENES, MIRRORED).warp.grid, expected, atol=1e-5, rtol=0)


def checkerboard():
    """Return grey scenes with a checkerboard that is too fine for the small size."""
    rows, columns = np.indices(LARGE)
    pattern = (100 + 50 * ((rows + columns) % 2)).astype(np.uint8)
    images = np.broadcast_to(pattern[..., None], (2, *LARGE, 3))
    return Streets(images, samples().semantic_mask[:2], samples().ground_truth[:2])


@pytest.mark.parametrize("name", ["uniform", "lzu"])
def test_predownsampled_source_has_no_detail(name):
    for system in (SYSTEMS[name], SYSTEMS[f"{name}-destroyed"]):
        data = WarpedDataset("detection", system, checkerboard(), SMALL, mean_saliency())
        contrast = data.batch(np.arange(2), np.zeros(2, bool)).zoomed.flatten(1).std(dim=1)
        if system.predownsampled or name == "uniform":
            assert contrast.max() < 1e-3
        else:
            assert contrast.min() > 0.02


@pytest.mark.parametrize("name", ["uniform", "lzu"])
def test_predownsampled_source_matches_explicit_resizing(name):
    small = resize_by_mipmap(samples().image(SCENES), SMALL)
    data = dataset("detection", f"{name}-destroyed")
    expected = zoom_by_mipmap(resize_by_mipmap(small, LARGE), data.warp, SMALL)
    got = data.batch(SCENES, np.zeros(4, bool)).zoomed
    torch.testing.assert_close(got, expected, atol=0.6 / 255, rtol=0)


def magnification_at(warp, points):
    places = warp.to_zoomed(points[None])
    return torch.linalg.det(warp.jacobian(places))[0].abs().rsqrt()


@pytest.mark.parametrize("name", ["lzu-adaptive", "lzu-cascaded"])
@pytest.mark.parametrize("jitter", [None, 0])
def test_adaptive_warps_magnify_previous_boxes(name, jitter):
    left = torch.tensor([[-0.75, 0.3, -0.65, 0.5]])
    data = WarpedDataset(
        "detection", SYSTEMS[name], samples(), SMALL, mean_saliency(), [left] * len(samples())
    )
    draw = None if jitter is None else torch.Generator().manual_seed(jitter)
    warp = data.batch(SCENES, MIRRORED, draw).warp
    places = torch.tensor([[-0.7, 0.4], [0.7, 0.4]])
    for row, turn in enumerate(MIRRORED):
        at_box, elsewhere = magnification_at(warp[row], places.flip(0) if turn else places)
        assert at_box > 1.15 * elsewhere
    same = torch.equal(warp.grid[0], warp.grid[3])  # one scene twice
    assert same == (jitter is None)


def test_lzu_adaptive_without_boxes_uses_fixed_saliency():
    nothing = [torch.zeros(0, 4)] * len(samples())
    data = WarpedDataset(
        "detection", SYSTEMS["lzu-adaptive"], samples(), SMALL, mean_saliency(), nothing
    )
    warp = data.batch(SCENES, MIRRORED, torch.Generator().manual_seed(0)).warp
    centres = (
        torch.cat([ground_truth.boxes for ground_truth in samples().ground_truth])
        .unflatten(1, (2, 2))
        .mean(1)
    )
    assert magnification_at(warp[0], centres).mean() > 1.1


@pytest.mark.parametrize("name", ["lzu-adaptive", "lzu-cascaded"])
def test_adaptive_systems_raise_without_previous_boxes(name):
    data = WarpedDataset("detection", SYSTEMS[name], samples(), SMALL, mean_saliency())
    with pytest.raises(ValueError, match=f"system '{name}' computes its saliency from boxes"):
        data.batch(SCENES, MIRRORED)


def test_class_weights_fall_with_the_root_of_the_frequency():
    weights = dataset("segmentation", "uniform").weights()
    often = np.bincount(samples().semantic_mask.ravel(), minlength=len(SEMANTIC_CLASSES))
    assert weights.argsort().tolist() == (-often).argsort(kind="stable").tolist()
    assert weights.mean().item() == pytest.approx(1)
    maximum, minimum = often.max(), often.min()
    assert (weights.max() / weights.min()).item() == pytest.approx(
        math.sqrt(maximum / minimum), 1e-3
    )


# --- saliency policies --------------------------------------------------------------------------


def test_fixed_saliency_is_high_at_objects():
    saliency_map = policies.fixed_saliency(samples().ground_truth)
    assert saliency_map.shape == (1, 1, *policies.NODES)
    assert torch.equal(saliency_map, saliency_map.flip(-1))
    assert saliency_map.sum().item() == pytest.approx(1, abs=1e-4)
    centres = (
        torch.cat([ground_truth.boxes for ground_truth in samples().ground_truth])
        .unflatten(1, (2, 2))
        .mean(1)
    )
    x, y = ((centres + 1) * 16).long().clamp(0, 31).T
    assert saliency_map[0, 0, y, x].mean() > 4 * saliency_map.mean()


@pytest.mark.parametrize("task", TASKS)
def test_mix_uniform_adds_a_uniform_fraction(task):
    share = policies.UNIFORM_WEIGHT[task]
    expected = share / mean_saliency().numel() + (1 - share) * mean_saliency()
    torch.testing.assert_close(
        policies.mix_uniform(mean_saliency(), task), expected, atol=1e-6, rtol=1e-3
    )


def test_fixed_saliency_of_a_box_is_inverse_to_its_size():
    boxes = torch.tensor([[0.70, -0.55, 0.80, -0.45], [0.3, 0.3, 0.7, 0.7]])
    ground_truth = samples().ground_truth[0]._replace(boxes=boxes)
    saliency_map = policies.fixed_saliency([ground_truth])[0, 0]
    top, bottom = saliency_map[:16, 16:].sum(), saliency_map[16:, 16:].sum()
    assert (top / bottom).item() == pytest.approx(0.4 / 0.1, rel=0.01)
    assert divmod(int(saliency_map[:, 16:].argmax()), 16) in [(7, 11), (7, 12), (8, 11), (8, 12)]


@pytest.mark.parametrize("task", TASKS)
def test_wrong_warp_shrinks_objects(task):
    centres = (
        torch.cat([ground_truth.boxes for ground_truth in samples().ground_truth])
        .unflatten(1, (2, 2))
        .mean(1)
    )
    right, wrong = (dataset(task, name).warp for name in ("lzu", "lzu-wrong"))
    assert magnification_at(right, centres).mean() > 1.2
    assert magnification_at(wrong, centres).mean() < 0.9


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


def test_edge_saliency_magnifies_outlines():
    semantic_mask = torch.zeros(1, *LARGE, dtype=torch.uint8)
    semantic_mask[:, 30:34, 200:210] = 1
    warp = policies.warp_of(policies.edge_saliency(semantic_mask))
    at_outline, elsewhere = magnification_at(warp, torch.tensor([[0.28, -0.33], [-0.5, 0.6]]))
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


def test_training_lowers_the_loss_of_the_edge_predictor():
    image, semantic_mask = samples().image(range(4)), samples().area(range(4))
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


def test_stored_streets_match_rendered_ones():
    for index in (0, 9):
        street = driving(FIRST_SEED["train"] + index, size=LARGE)
        ground_truth = samples().ground_truth[index]
        image = samples().image([index])
        torch.testing.assert_close(image, street.image, atol=0.51 / 255, rtol=0)
        assert torch.equal(samples().area([index]), street.semantic_mask)
        assert torch.equal(ground_truth.boxes, street.boxes)
        assert torch.equal(ground_truth.labels, street.labels)
        assert torch.equal(ground_truth.boxes_3d, street.boxes_3d)
        focal_length, x, y = ground_truth.camera
        intrinsics = street.camera.intrinsics[0]
        assert torch.equal(intrinsics[[0, 0, 1], [0, 2, 2]], torch.stack([focal_length, x, y]))
        before = driving(index, size=(24, 80), seconds=-0.2).boxes
        assert torch.equal(ground_truth.previous_boxes, before)
    assert len(samples()) == 10
    assert samples().size == LARGE
    assert any(
        len(ground_truth.previous_boxes) != len(ground_truth.boxes)
        for ground_truth in samples().ground_truth
    )


def test_streets_are_cached_by_settings_and_source(monkeypatch):
    first = samples()

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
    """Return an empty cache folder, with rendering in this process."""
    monkeypatch.setenv("LZU_VIZ_CACHE", str(tmp_path))
    monkeypatch.setattr(disk, "ProcessPoolExecutor", SerialExecutor)
    return tmp_path


TINY = (64, 128)


def test_incomplete_streets_are_not_used(fresh, monkeypatch):
    class InterruptedExecutor(SerialExecutor):
        @staticmethod
        def map(draw, starts):
            yield draw(next(iter(starts)))
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(disk, "ProcessPoolExecutor", InterruptedExecutor)
        patch.setattr(disk, "_AT_ONCE", 2)  # otherwise nine are too few for processes
        with pytest.raises(KeyboardInterrupt):
            streets("val", 9, size=TINY, quiet=True)
        assert list(fresh.iterdir()) == []
        # A killed process leaves its temporary folder.
        patch.setattr(disk.shutil, "rmtree", lambda *args, **more: None)
        with pytest.raises(KeyboardInterrupt):
            streets("val", 9, size=TINY, quiet=True)
    (left,) = fresh.iterdir()
    whole = streets("val", 9, size=TINY, quiet=True)
    assert len(whole) == 9
    assert (whole.images.reshape(9, -1).max(axis=1) > 0).all()
    assert len([path for path in fresh.iterdir() if path != left]) == 1


def test_previous_frames_are_rendered_only_on_request(fresh, monkeypatch):
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


def test_second_process_reuses_the_cache(fresh):
    first = streets("val", 1, size=TINY, quiet=True)
    (folder,) = fresh.iterdir()
    what = {"split": "val", "count": 1, "preset": "far", "size": TINY, "seconds": 0.0,
            "before": True}  # fmt: skip
    disk._draw(folder, what, True)  # as if another process had finished first
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
def test_invalid_split_or_count_raises(split, count):
    message = (
        rf"a split of \['test', 'train', 'val'\] and a count of at least 1, "
        rf"got '{split}' and {count}"
    )
    with pytest.raises(ValueError, match=message):
        streets(split, count)


def test_cache_folder_follows_environment_variables(monkeypatch, tmp_path):
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
    boxes = previous_boxes() if SYSTEMS[name].policy.boxes else None
    return Training(
        task, SYSTEMS[name], 0.5, seed, samples(), Recipe(steps, batch, learning_rate), boxes
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name"),
    [("detection", "lzu-adaptive"), ("detection3d", "fovea"), ("segmentation", "edge-expected")],
)
def test_training_is_deterministic_for_a_seed(task, name):
    def losses(seed):
        run = training(task, name, seed)
        return [loss for loss in run if torch.rand(1) >= 0]  # other code draws numbers, too

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


def test_edge_predictor_is_trained_with_the_network():
    run = training("segmentation", "edge-expected", steps=2)
    before = [parameter.clone() for parameter in run.dataset.policy.parameters()]
    list(run)
    after = list(run.dataset.policy.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("task", "name"), [("segmentation", "fovea"), ("segmentation", "lzu-adaptive"),
                       ("detection", "edge"), ("detection3d", "edge-expected")],
)  # fmt: skip
def test_system_without_support_for_the_task_raises(task, name):
    with pytest.raises(ValueError, match=rf"'{name}' does not support task '{task}', only \["):
        training(task, name)


def test_systems_are_named_and_listed():
    assert all(name == system.name for name, system in SYSTEMS.items())
    for task in TASKS:
        short = systems_of(task, short=True)
        assert {"uniform", "lzu"} < {system.name for system in short}
        assert all(system in systems_of(task) for system in short)


# --- evaluation ---------------------------------------------------------------------------------


def perfect():
    return [
        Detections(ground_truth.boxes, ground_truth.labels, torch.ones(len(ground_truth.labels)))
        for ground_truth in samples().ground_truth
    ]


def test_perfect_boxes_score_one():
    metrics = evaluate_boxes(perfect(), samples())
    assert [metrics[f"ap_{name}"] for name in CLASSES] == pytest.approx([1] * 3)
    assert [metrics["ap"], metrics["ap50"], metrics["small"]] == pytest.approx([1] * 3)
    assert math.isnan(metrics["large"])  # images of this size contain no large objects
    nothing = [Detections(*(values[:0] for values in detections)) for detections in perfect()]
    assert evaluate_boxes(nothing, samples())["ap"] == 0
    others = [detections._replace(labels=(detections.labels + 1) % 3) for detections in perfect()]
    assert evaluate_boxes(others, samples())["ap"] < 0.1


def test_perfect_3d_boxes_score_one():
    predicted = [
        Detections3D(
            ground_truth.boxes_3d, ground_truth.labels, torch.ones(len(ground_truth.labels))
        )
        for ground_truth in samples().ground_truth
    ]
    metrics = evaluate_boxes_3d(predicted, samples().ground_truth)
    assert [metrics["ap"], metrics["score"]] == pytest.approx([1, 1])
    assert [metrics[f"ap_{name}"] for name in CLASSES] == pytest.approx([1] * 3)
    assert metrics["translation"] == pytest.approx(0, abs=1e-6)
    turned = torch.tensor([0.0, 0, 0, 0, 0, 0, 0.3])
    signs = [
        detections._replace(boxes=detections.boxes + turned * (detections.labels == 2)[:, None])
        for detections in predicted
    ]
    assert evaluate_boxes_3d(signs, samples().ground_truth)["orientation"] == pytest.approx(
        0, abs=1e-3
    )
    cars = [detections._replace(boxes=detections.boxes + turned) for detections in predicted]
    assert evaluate_boxes_3d(cars, samples().ground_truth)["orientation"] == pytest.approx(
        0.3, abs=1e-3
    )


def changed_ground_truth(*changes):
    """Return the ground truth of the first scene with changes (row, column, value), as detections.

    Scores rise from 0.5 to 0.9.
    """
    ground_truth = samples().ground_truth[0]
    boxes = ground_truth.boxes_3d.clone()
    for row, column, value in changes:
        boxes[row, column] = value
    return Detections3D(boxes, ground_truth.labels, torch.linspace(0.5, 0.9, len(boxes)))


@pytest.fixture
def first():
    """Return the first scene alone."""
    return Streets(samples().images[:1], samples().semantic_mask[:1], samples().ground_truth[:1])


def test_predicted_depths_of_ground_truth_boxes_are_exact():
    predicted = [
        Detections3D(
            ground_truth.boxes_3d, ground_truth.labels, torch.ones(len(ground_truth.labels))
        )
        for ground_truth in samples().ground_truth
    ]
    depths = torch.cat([ground_truth.boxes_3d[:, 2] for ground_truth in samples().ground_truth])
    # The centre of a box that the frame cuts may lie outside the frame.
    found = ~predicted_depths(predicted, samples()).isnan()
    assert found.float().mean() > 0.95
    assert torch.equal(predicted_depths(predicted, samples())[found], depths[found])


def test_predicted_depths_require_matching_position_and_class(first):
    ground_truth = first.ground_truth[0]
    row = int(ground_truth.boxes_3d[:, 0].abs().argmax())
    stretched = changed_ground_truth()
    stretched.boxes[:, :3] *= 3  # along the rays
    torch.testing.assert_close(
        predicted_depths([stretched], first), ground_truth.boxes_3d[:, 2] * 3
    )
    aside = changed_ground_truth((row, 0, -ground_truth.boxes_3d[row, 0]))
    assert predicted_depths([aside], first).isnan().nonzero().flatten().tolist() == [row]
    other = changed_ground_truth()._replace(labels=(ground_truth.labels + 1) % 3)
    assert predicted_depths([other], first).isnan().sum() >= len(ground_truth.labels) - 1


def test_predicted_depth_is_that_of_the_highest_score(first):
    ground_truth = first.ground_truth[0]
    true, doubled = changed_ground_truth(), changed_ground_truth()
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


def perfect_detector(kind, dataset):
    """Return a detector whose outputs are the targets of the dataset."""

    class PerfectDetector(kind):
        n_seen = 0

        def features(self, image):
            return [image.new_zeros(len(image), 1, *(side // step for side in image.shape[-2:]))
                    for step in Pyramid.strides]  # fmt: skip

        def head(self, levels):
            scenes = np.arange(self.n_seen, self.n_seen + len(levels[0]))
            self.n_seen += len(scenes)
            factor = levels[0].shape[-1] * Pyramid.strides[0] // dataset.size[1]
            targets = dataset.batch(scenes, np.zeros(len(scenes), bool)).targets
            return target_outputs(targets, self, dataset.size, factor)

    return PerfectDetector()


MIN_PERFECT_AP = 0.9
"""Minimum AP of perfect outputs: of several objects in one cell, the head detects only one."""

EVALUATED_SYSTEMS = ["uniform", "fovea", "lzu", "lzu-fine", "lzu-adaptive"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVALUATED_SYSTEMS)
def test_boxes_are_evaluated_in_the_source_frame(name, monkeypatch):
    monkeypatch.setattr("lzu_viz.experiments.training.evaluation._AT_ONCE", 4)
    data = dataset("detection", name)
    every = predict_boxes(perfect_detector(Detector, data), data)
    assert len(every) == len(samples())
    metrics = evaluate_boxes(every, samples())
    assert metrics["ap"] > MIN_PERFECT_AP
    assert evaluate_network(perfect_detector(Detector, data), data) == pytest.approx(
        metrics, nan_ok=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", EVALUATED_SYSTEMS)
def test_3d_boxes_are_evaluated_in_the_source_frame(name, monkeypatch):
    monkeypatch.setattr("lzu_viz.experiments.training.evaluation._AT_ONCE", 4)
    data = dataset("detection3d", name)
    metrics = evaluate_network(perfect_detector(Detector3D, data), data)
    assert metrics["ap"] > MIN_PERFECT_AP
    assert metrics["translation"] < 0.05
    assert metrics["orientation"] < 0.05


@pytest.mark.slow
def test_boxes_of_lz_are_not_in_the_source_frame():
    data = dataset("detection", "lz")
    assert (
        evaluate_boxes(predict_boxes(perfect_detector(Detector, data), data), samples())["ap"] < 0.5
    )
    data = dataset("detection3d", "lz")
    every = predict_boxes_3d(perfect_detector(Detector3D, data), data)
    assert evaluate_boxes_3d(every, samples().ground_truth)["ap"] < 0.7


class FixedSegmenter(Segmenter):
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


def test_perfect_masks_score_one(monkeypatch):
    monkeypatch.setattr("lzu_viz.experiments.training.evaluation._AT_ONCE", 4)
    data = dataset("segmentation", "uniform")
    metrics = evaluate_network(FixedSegmenter(samples().area(range(10))), data)
    assert {round(value, 6) for value in metrics.values()} == {1}
    assert metrics.keys() == {
        "miou",
        "miou_fine",
        "boundary_f",
        *(f"iou_{name}" for name in SEMANTIC_CLASSES),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lz", "lzu", "edge"])
def test_masks_are_evaluated_in_the_source_frame(name):
    data = dataset("segmentation", name)

    def warps(scenes):
        return data.batch(scenes, np.zeros(len(scenes), bool)).warp

    metrics = evaluate_masks(FixedSegmenter(samples().area(range(10)), warps), data)
    if name == "lz":
        assert metrics["miou"] < 0.7
    else:
        assert metrics["miou"] > 0.75
        assert metrics["iou_road"] > 0.95


def test_iou_matches_a_count_of_pixels():
    size = (16, 32)
    # Unequal frequencies, so that each class occurs and metrics differ.
    ground_truth, predicted = torch.distributions.Categorical(torch.arange(1.0, 10)).sample(
        (2, 3, *size)
    )
    scenes = Streets(
        np.zeros((3, *size, 3), np.uint8), ground_truth.byte().numpy(), samples().ground_truth[:3]
    )
    data = WarpedDataset("segmentation", SYSTEMS["uniform"], scenes, size, mean_saliency())
    metrics = evaluate_masks(FixedSegmenter(predicted), data)
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
