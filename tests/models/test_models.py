"""Tests of the pretrained networks: outputs, weights files, decoding."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lzu_viz import saliency
from lzu_viz.geometry.resampling import resize
from lzu_viz.geometry.warp import Warp
from lzu_viz.models import COCO_CLASSES, NanoDet, SelfieSegmenter, nanodet, selfie
from lzu_viz.models.weights import load

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def detector():
    return NanoDet()


@pytest.fixture(scope="module")
def segmenter():
    return SelfieSegmenter()


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file}
    return arrays.pop("image")[None].float() / 255, arrays


def stretch_by(x, y):
    """Return the warp that shows only the middle of the source: T(p) = (x * p_x, y * p_y)."""
    ends = torch.tensor([[-1.0, 1.0]])
    return Warp.from_axes(x * ends, y * ends)


# --- against TensorFlow.js -------------------------------------------------------------------


@torch.no_grad()
def test_detector_matches_outputs_of_tensorflow_js(detector):
    image, expected = golden("nanodet_g")
    for level, output in enumerate(detector(image)):
        cells = output[0].flatten(1).T
        scores, distances = expected[f"scores_{level}"], expected[f"distances_{level}"]
        torch.testing.assert_close(cells[:, :80].sigmoid(), scores, atol=1e-6, rtol=0)
        torch.testing.assert_close(cells[:, 80:], distances, atol=2e-5, rtol=0)


@torch.no_grad()
def test_segmenter_matches_outputs_of_tensorflow_js(segmenter):
    image, expected = golden("selfie")
    mask = segmenter.decode(segmenter(image))[0, 0]
    # The graph of TensorFlow.js stores 1/6 as float16 in each hard-swish, hence the tolerance.
    torch.testing.assert_close(mask, expected["mask"], atol=0.02, rtol=0)
    assert (mask - expected["mask"]).abs().mean() < 2e-4


def test_detector_detects_the_astronaut(detector):
    image, _ = golden("nanodet_g")
    (detections,) = detector.detect(image)
    assert [COCO_CLASSES[label] for label in detections.labels] == ["person"]
    assert detections.scores[0] > 0.7


# --- shapes and types ------------------------------------------------------------------------


def test_classes():
    assert len(set(COCO_CLASSES)) == 80
    assert (COCO_CLASSES[0], COCO_CLASSES[79]) == ("person", "toothbrush")
    assert (COCO_CLASSES[9], COCO_CLASSES[43]) == ("traffic light", "knife")


@pytest.mark.parametrize("size", [(32, 32), (96, 160), (64, 416)])
@torch.no_grad()
def test_detector_shapes(detector, size):
    features = detector.features(torch.rand(2, 3, *size))
    for stride, feature, output in zip((8, 16, 32), features, detector.head(features), strict=True):
        cells = (size[0] // stride, size[1] // stride)
        assert feature.shape == (2, 128, *cells)
        assert output.shape == (2, 124, *cells)


@pytest.mark.parametrize("size", [(16, 16), (48, 80), (256, 256)])
@torch.no_grad()
def test_segmenter_shapes(segmenter, size):
    features = segmenter.features(torch.rand(2, 3, *size))
    assert features.shape == (2, 16, size[0] // 2, size[1] // 2)
    assert segmenter.head(features).shape == (2, 1, *size)


def test_forward_is_head_of_features(detector, segmenter):
    image = torch.rand(1, 3, 64, 96)
    for one, other in zip(detector(image), detector.head(detector.features(image)), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(segmenter(image), segmenter.head(segmenter.features(image)))


def test_detect_and_segment_accept_odd_sizes(detector, segmenter):
    image = torch.rand(2, 3, 37, 101)
    assert len(detector.detect(image)) == 2
    mask = segmenter.segment(image)
    assert mask.shape == (2, 1, 37, 101)
    assert mask.min() >= 0
    assert mask.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((427, 640), (288, 416)),  # 427 * 416 / 640 = 277.6
        ((512, 512), (416, 416)),
        ((100, 200), (96, 192)),  # smaller images are not enlarged
        ((5, 2000), (32, 416)),
    ],
)
def test_default_size_of_detection(detector, monkeypatch, size, expected):
    sizes = []
    monkeypatch.setattr(nanodet, "resize", lambda image, to: sizes.append(to) or resize(image, to))
    detector.detect(torch.rand(1, 3, *size))
    assert sizes == [expected]


@pytest.mark.parametrize("kind", [NanoDet, SelfieSegmenter])
def test_networks_are_built_in_eval_mode_and_float32(kind):
    network = kind()
    assert not network.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in network.parameters())


@pytest.mark.parametrize("kind", [NanoDet, SelfieSegmenter])
def test_random_weights_differ(kind):
    torch.manual_seed(0)
    image = torch.rand(1, 3, 32, 32)
    random, pretrained = kind(weights=None).features(image), kind().features(image)
    assert not torch.equal(random[0], pretrained[0])


@pytest.mark.parametrize(("kind", "multiple"), [(NanoDet, 32), (SelfieSegmenter, 16)])
def test_invalid_images_raise(kind, multiple):
    network = kind(weights=None)
    for size in ((multiple, multiple + 8), (multiple - 8, multiple), (0, multiple)):
        with pytest.raises(ValueError, match=f"multiples of {multiple}"):
            network.features(torch.rand(1, 3, *size))
    with pytest.raises(ValueError, match=r"\(b, 3, h, w\)"):
        network.features(torch.rand(3, 32, 32))
    with pytest.raises(ValueError, match=r"\(b, 3, h, w\)"):
        network.features(torch.rand(1, 32, 32, 3))
    with pytest.raises(ValueError, match="divide an image in 0"):
        network.features(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))


@pytest.mark.parametrize("kind", [NanoDet, SelfieSegmenter])
def test_gradient_reaches_the_image(kind):
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    out = kind()(image)
    sum(level.sum() for level in out).backward()
    assert image.grad.isfinite().all()
    # Every pixel has a gradient, up to the border.
    assert (image.grad.abs().sum(1) > 0).float().mean() > 0.99


# --- files -----------------------------------------------------------------------------------

SHIPPED = [
    (NanoDet, nanodet.SHIPPED, nanodet.SHA256),
    (SelfieSegmenter, selfie.SHIPPED, selfie.SHA256),
]


@pytest.mark.parametrize(("kind", "path", "checksum"), SHIPPED)
def test_shipped_files_match_checksum_and_notice(kind, path, checksum):
    assert load(path, checksum)
    notice = path.with_name("NOTICE").read_text()
    assert path.name in notice
    assert checksum in notice


@pytest.mark.parametrize(("kind", "path", "checksum"), SHIPPED)
def test_weights_are_loaded_from_a_given_file(kind, path, checksum, tmp_path):
    network = kind(weights=None)
    path_of_copy = tmp_path / "own.safetensors"
    save_file(network.state_dict(), path_of_copy)
    loaded = kind(weights=str(path_of_copy))
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(loaded.features(image)[0], network.eval().features(image)[0])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "path", "checksum"), SHIPPED)
def test_missing_or_damaged_files_raise(kind, path, checksum, tmp_path):
    bad = tmp_path / "bad.safetensors"
    with pytest.raises(FileNotFoundError, match=r"bad\.safetensors.*reinstall lzu_viz"):
        kind(weights=bad)
    with pytest.raises(FileNotFoundError):
        kind(weights=tmp_path)

    whole = path.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        kind(weights=bad)
    bad.write_bytes(b"")
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        kind(weights=bad)
    bad.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(
        ValueError, match=rf"bad\.safetensors \(\d+ bytes\) is damaged: expected SHA-256 {checksum}"
    ):
        load(bad, checksum)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "path", "checksum"), SHIPPED)
def test_files_of_another_network_raise(kind, path, checksum, tmp_path):
    bad = tmp_path / "bad.safetensors"
    tensors = load_file(path)

    save_file({name: t for name, t in tensors.items() if name != "stem.bias"}, bad)
    with pytest.raises(ValueError, match=r"^1 of .* missing in .*bad\.safetensors.*'stem\.bias'"):
        kind(weights=bad)
    save_file(tensors | {"extra": torch.zeros(1)}, bad)
    with pytest.raises(ValueError, match="first is 'extra'"):
        kind(weights=bad)
    save_file(tensors | {"stem.bias": torch.zeros(7)}, bad)
    with pytest.raises(ValueError, match=r"'stem\.bias' .* must have shape \(\d+,\) .* got \(7,\)"):
        kind(weights=bad)


def test_modified_shipped_file_raises(tmp_path, monkeypatch):
    copy = tmp_path / "selfie.safetensors"
    data = selfie.SHIPPED.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    monkeypatch.setattr(selfie, "SHIPPED", copy)
    with pytest.raises(ValueError, match="damaged"):
        SelfieSegmenter(copy)


# --- decoding --------------------------------------------------------------------------------


def reference_decode(outputs, size, threshold, iou, stretch=None):
    """Return (label, score, box) of one image, cell by cell, in descending order of scores."""
    detections = []
    for output, stride in zip(outputs, (8, 16, 32), strict=True):
        _, rows, columns = output.shape
        for row in range(rows):
            for column in range(columns):
                x, y = (column + 0.5) / columns * 2 - 1, (row + 0.5) / rows * 2 - 1
                sx = sy = 1.0
                if stretch:
                    sx, sy = stretch
                    if abs(x) > sx or abs(y) > sy:
                        continue
                values = [float(v) for v in output[:, row, column]]
                sides = []
                for side in range(4):
                    weights = [math.exp(v) for v in values[80 + 11 * side : 91 + 11 * side]]
                    mean = sum(k * w for k, w in enumerate(weights)) / sum(weights)
                    sides.append(stride * mean)
                left, top, right, bottom = sides
                box = (
                    max(-sx, x - sx * left / (size[1] / 2)),
                    max(-sy, y - sy * top / (size[0] / 2)),
                    min(sx, x + sx * right / (size[1] / 2)),
                    min(sy, y + sy * bottom / (size[0] / 2)),
                )
                for label in range(80):
                    score = 1 / (1 + math.exp(-values[label]))
                    if score > threshold:
                        detections.append((label, score, box))
    detections.sort(key=lambda item: -item[1])
    kept = []
    for label, score, box in detections:
        if all(label != other or overlap(box, b) <= iou for other, _, b in kept):
            kept.append((label, score, box))
    return kept


def overlap(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def random_outputs(batch, size, upsample_factor=1, seed=0):
    """Return random outputs in which about 3 % of the cells detect one of three classes."""
    generator = torch.Generator().manual_seed(seed)
    outputs = []
    for stride in (8, 16, 32):
        cells = (upsample_factor * size[0] // stride, upsample_factor * size[1] // stride)
        output = torch.randn(batch, 124, *cells, generator=generator)
        output[:, :80] -= 9
        output[:, :3] += 7
        output[:, 80:] -= torch.arange(11.0).repeat(4)[:, None, None]  # mostly small boxes
        outputs.append(output)
    return outputs


def assert_matches_reference(detections, expected):
    assert len(expected) > 5, "the oracle must have something to compare"
    assert detections.labels.dtype == torch.int64
    assert detections.labels.tolist() == [label for label, _, _ in expected]
    assert detections.scores.tolist() == pytest.approx(
        [score for _, score, _ in expected], abs=1e-6
    )
    torch.testing.assert_close(
        detections.boxes, torch.tensor([box for _, _, box in expected]), atol=1e-5, rtol=0
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 96), (160, 96)])
def test_decode_matches_reference(detector, size):
    outputs = random_outputs(2, size)
    suppressed = 0
    for index, detections in enumerate(
        detector.decode(outputs, threshold=0.25, iou=0.3, top=10_000)
    ):
        image = [output[index] for output in outputs]
        expected = reference_decode(image, size, 0.25, 0.3)
        assert_matches_reference(detections, expected)
        suppressed += len(reference_decode(image, size, 0.25, 1.0)) - len(expected)
    assert suppressed > 0, "the test must see suppression at work"


def test_decode_of_upsampled_outputs_matches_reference(detector):
    size, stretch = (64, 96), (0.6, 0.8)
    outputs = random_outputs(1, size, upsample_factor=2)
    (detections,) = detector.decode(
        outputs, stretch_by(*stretch), size=size, threshold=0.25, iou=0.3, top=10_000
    )
    image = [output[0] for output in outputs]
    assert_matches_reference(detections, reference_decode(image, size, 0.25, 0.3, stretch))


def one_cell(size, row, column, bins, label=0, batch=1):
    """Return outputs with one confident box, in a cell of the finest grid; `bins` in strides."""
    outputs = [torch.zeros(batch, 124, size[0] // s, size[1] // s) for s in (8, 16, 32)]
    for output in outputs:
        output[:, :80] = -20
    outputs[0][:, label, row, column] = 5
    for side, k in enumerate(bins):
        outputs[0][:, 80 + 11 * side + k, row, column] = 50
    return outputs


def test_decode_units_are_pixels_of_the_input(detector):
    (detections,) = detector.decode(one_cell((64, 96), 3, 5, (1, 2, 3, 4), label=7))
    # Centre of row 3, column 5: (44, 28) px of 96 x 64; distances 8, 16, 24, 32 px.
    pixels = (detections.boxes[0] + 1) * torch.tensor([48.0, 32.0, 48.0, 32.0])
    assert pixels.tolist() == pytest.approx([36, 12, 68, 60], abs=1e-4)
    assert detections.labels.tolist() == [7]


def test_decode_scales_distances_by_the_warp(detector):
    outputs = one_cell((64, 96), 3, 5, (1, 1, 1, 1))
    ((plain, _, _),) = detector.decode(outputs)
    ((warped, _, _),) = detector.decode(outputs, stretch_by(0.5, 0.25))
    centre = (plain[0, :2] + plain[0, 2:]) / 2
    assert torch.allclose((warped[0, :2] + warped[0, 2:]) / 2, centre, atol=1e-6)
    scale = (warped[0, 2:] - warped[0, :2]) / (plain[0, 2:] - plain[0, :2])
    assert scale.tolist() == pytest.approx([0.5, 0.25], abs=1e-5)


def test_decode_drops_cells_outside_the_coverage_of_the_warp(detector):
    outputs = one_cell((64, 96), 0, 5, (1, 1, 1, 1))
    assert len(detector.decode(outputs)[0].boxes) == 1
    assert len(detector.decode(outputs, stretch_by(0.5, 0.5))[0].boxes) == 0


def test_decode_with_identity_warp_matches_decode_without_warp(detector):
    outputs = random_outputs(2, (96, 64))
    for plain, warped in zip(
        detector.decode(outputs, threshold=0.25),
        detector.decode(outputs, Warp.identity(), threshold=0.25),
        strict=True,
    ):
        assert len(plain.labels) > 5
        assert torch.equal(plain.labels, warped.labels)
        torch.testing.assert_close(plain.scores, warped.scores)
        torch.testing.assert_close(plain.boxes, warped.boxes, atol=1e-5, rtol=0)


def test_decode_maps_large_boxes_exactly_and_not_to_first_order(detector):
    fovea = saliency.gaussian(torch.tensor([[[0.1, -0.1]]]), 0.05)
    warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea), fwhm=0.3)
    size, bins = (64, 96), (1, 2, 3, 2)
    ((box, _, _),) = detector.decode(one_cell(size, 3, 6, bins), warp)
    cell = torch.tensor([[[(6 + 0.5) / 12 * 2 - 1, (3 + 0.5) / 8 * 2 - 1]]])
    x, y = warp.to_zoomed(cell)[0, 0].tolist()
    left, top, right, bottom = (8 * distance for distance in bins)
    zoomed = torch.tensor([[x - left / 48, y - top / 32, x + right / 48, y + bottom / 32]])
    assert torch.allclose(box, warp.boxes_to_source(zoomed), atol=1e-5)
    slope = warp.jacobian(warp.to_zoomed(cell))[0, 0, 0, 0]
    assert box[0, 2] - cell[0, 0, 0] > 1.1 * slope * right / 48  # a first-order map is shorter


def test_decoded_boxes_are_not_rounded_to_half_precision(detector):
    outputs = one_cell((416, 736), 20, 71, (1, 2, 3, 2))
    half = [output.bfloat16() for output in outputs]
    for warp in (None, stretch_by(0.9, 0.9)):
        ((fine, _, _),), ((coarse, _, _),) = (
            detector.decode(outputs, warp),
            detector.decode(half, warp),
        )
        assert (fine - coarse).abs().max() < 1e-3


def test_decode_accepts_one_warp_or_one_per_image(detector):
    two = Warp.from_grid(stretch_by(0.9, 0.9).grid.expand(2, -1, -1, -1))
    outputs = one_cell((64, 96), 3, 5, (1, 1, 1, 1), batch=2)
    assert len(detector.decode(outputs, two)) == 2
    with pytest.raises(ValueError, match="must be 1 or that of the predictions, 1, got 2"):
        detector.decode(one_cell((64, 96), 3, 5, (1, 1, 1, 1)), two)


def test_decode_without_detections(detector):
    (detections,) = detector.decode(random_outputs(1, (64, 64)), threshold=0.999)
    assert detections.boxes.shape == (0, 4)
    assert detections.labels.shape == detections.scores.shape == (0,)


def test_decode_clips_boxes_and_limits_their_number(detector):
    outputs = random_outputs(1, (256, 256))
    outputs[0][:, :40] += 9
    (detections,) = detector.decode(outputs, top=17)
    assert detections.boxes.shape == (17, 4)
    assert detections.boxes.abs().max() <= 1
    assert (detections.scores.diff() <= 0).all()


def test_decode_of_invalid_outputs_raises(detector):
    with pytest.raises(ValueError, match="as returned by `head`"):
        detector.decode([torch.zeros(1, 124, 8, 8)])
    with pytest.raises(ValueError, match=r"\(b, 124, h, w\)"):
        detector.decode([torch.zeros(1, 128, 8, 8)] * 3)


def test_mask_is_zero_outside_the_coverage_of_the_warp(segmenter):
    logits = torch.full((2, 1, 8, 8), 3.0)
    mask = segmenter.decode(logits, stretch_by(0.5, 1.0))
    assert (mask[..., 2:6] == torch.tensor(3.0).sigmoid()).all()
    assert (mask[..., :2] == 0).all()
    assert (mask[..., 6:] == 0).all()
    assert torch.equal(segmenter.decode(logits, Warp.identity()), segmenter.decode(logits))


def test_segmenter_segments_the_astronaut(segmenter):
    image, _ = golden("selfie")
    mask = segmenter.segment(resize(image, (120, 200)))[0, 0] > 0.5
    assert mask[65:85, 50:120].float().mean() > 0.95, "her suit"
    assert not mask[:30, 150:].any(), "the shuttle behind her"
