"""Tests of scenes with persons: boxes, masks, cut-out, controlled and moving scenes."""

import pytest
import torch

from lzu_viz import images, saliency
from lzu_viz.datasets.scenes import (
    SCENES,
    Person,
    controlled,
    far_person,
    load_cutout,
    make_cutout,
    moving,
    people,
)
from lzu_viz.geometry.resampling import resize
from lzu_viz.geometry.warp import Warp
from lzu_viz.metrics.masks import mask_iou
from lzu_viz.models import SelfieSegmenter

SIZE = (120, 180)
GREEN = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 50, 75)


@pytest.fixture(scope="module")
def segmenter():
    return SelfieSegmenter()


def test_shapes_and_ranges():
    scene = far_person(size=SIZE, height=0.3)
    assert scene.image.shape == (1, 3, *SIZE)
    assert scene.image.dtype == torch.float32
    assert scene.image.min() >= 0
    assert scene.image.max() <= 1
    assert scene.mask.shape == (1, 1, *SIZE)
    assert scene.mask.dtype == torch.bool
    assert scene.boxes.shape == (1, 4)


@pytest.mark.parametrize("place", [(0.0, 0.0), (-0.5, 0.4), (0.95, -0.9), (-1.0, 1.0)])
def test_box_is_tight_about_the_mask(place):
    scene = far_person(GREEN, place, 0.4, SIZE)
    rows, columns = SIZE
    hit = [(r, c) for r in range(rows) for c in range(columns) if scene.mask[0, 0, r, c]]
    expected = (
        2 * min(c for _, c in hit) / columns - 1,
        2 * min(r for r, _ in hit) / rows - 1,
        2 * (max(c for _, c in hit) + 1) / columns - 1,
        2 * (max(r for r, _ in hit) + 1) / rows - 1,
    )
    assert scene.boxes[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("height", [0.05, 0.15, 0.5, 1.0])
def test_box_has_the_given_place_and_height(height):
    place = (0.1, -0.05) if height < 1 else (0.1, 0.0)
    left, top, right, bottom = far_person(GREEN, place, height, (240, 360)).boxes[0].tolist()
    assert (bottom - top) / 2 == pytest.approx(height, abs=1.5 / 240)
    assert (left + right) / 2 == pytest.approx(place[0], abs=2 / 180)
    assert (top + bottom) / 2 == pytest.approx(place[1], abs=2 / 120)


def test_the_person_is_within_the_mask_and_the_background_outside():
    scene = far_person(GREEN, (0.2, 0.1), 0.5, SIZE)
    changed = (scene.image - GREEN[..., :1, :1]).abs().amax(dim=1, keepdim=True)
    near = torch.nn.functional.max_pool2d(scene.mask.float(), 9, stride=1, padding=4) > 0
    assert (changed[~near] < 0.01).all()
    # The person wears no pure green, so that pixels within the mask differ from the background.
    assert (changed[scene.mask] > 0.1).all()


@pytest.mark.parametrize("height", [0.05, 0.2])
def test_compositing_leaves_no_dark_or_bright_seam(height):
    white = torch.ones(1, 3, 60, 90)
    scene = far_person(white, (0.0, 0.0), height, (240, 360))
    assert scene.image.max() < 1 + 1e-5
    colour, alpha = load_cutout()[:, :3], load_cutout()[:, 3:]
    expected = (colour * alpha + 1 - alpha).mean(dim=(-2, -1))
    rows = slice(round(120 * (1 - height)), round(120 * (1 + height)))
    columns = slice(180 - round(120 * height), 180 + round(120 * height))
    means = scene.image[..., rows, columns].mean(dim=(-2, -1))
    torch.testing.assert_close(means, expected, atol=0.02, rtol=0)


def test_background_keeps_its_aspect_ratio():
    wide = torch.zeros(1, 3, 40, 120)
    wide[..., 40:80] = 1  # a white square in the middle
    scene = far_person(wide, (-0.9, -0.9), 0.1, (80, 80))
    assert (scene.image[..., 20:, 20:] > 0.9).all()


def test_person_partly_or_entirely_outside_the_frame():
    inside = far_person(GREEN, (0.0, 0.0), 0.4, SIZE).mask.sum()
    cut = far_person(GREEN, (1.0, 0.0), 0.4, SIZE)
    assert 0.3 < cut.mask.sum() / inside < 0.7
    assert cut.boxes[0, 2] == 1
    for place in ((1.4, 0.0), (0.0, -1.6), (5.0, 5.0), (-3.0, 0.0)):
        with pytest.raises(ValueError, match="is outside the frame or entirely occluded"):
            far_person(GREEN, place, 0.2, SIZE)


def test_too_small_height_raises():
    assert far_person(GREEN, height=4 / 120, size=SIZE).mask.any()
    for height in (3 / 120, 0.0, -1.0):
        with pytest.raises(ValueError, match="must be at least 4 rows high"):
            far_person(GREEN, height=height, size=SIZE)


def test_cutout_is_reproducible(segmenter):
    frozen, again = load_cutout(), make_cutout(images.load("astronaut"), segmenter)
    assert again.shape == frozen.shape
    # The frozen file is rounded to 8 bits, and rounding elsewhere may move a few edge pixels.
    assert mask_iou(again[:, 3:] > 0.5, frozen[:, 3:] > 0.5) > 0.999
    assert (again - frozen).abs().mean() < 0.003


def test_make_cutout_raises_without_a_person(segmenter):
    with pytest.raises(ValueError, match="detects no person"):
        make_cutout(torch.full((1, 3, 64, 64), 0.5), segmenter)


def iou_of(scene, segmenter, warp):
    probability = segmenter(warp.zoom(scene.image, (256, 256))).sigmoid()
    mask = warp.unzoom(probability, scene.image.shape[-2:]) > 0.5
    return float(mask_iou(mask, scene.mask))


@torch.no_grad()
def test_iou_of_uniform_and_zoomed_input_on_the_fixed_scenes(segmenter):
    assert list(SCENES) == ["temple", "launch", "cup"]
    results = {}
    for name, make in SCENES.items():
        scene = make()
        assert scene.image.shape == (1, 3, 854, 1280)
        saliency_map = saliency.from_boxes(scene.boxes, frame=scene.image.shape[-2:])
        results[name] = [
            iou_of(scene, segmenter, warp)
            for warp in (Warp.identity(), Warp.from_saliency(saliency_map, pieces=(63, 63)))
        ]
    uniform, zoomed = results["temple"]
    assert uniform < 0.2
    assert zoomed > 0.8
    uniform, zoomed = results["launch"]
    assert uniform > 0.8
    assert abs(zoomed - uniform) < 0.1
    assert max(results["cup"]) < 0.2


def test_segment_matches_uniform_downsampling(segmenter):
    scene = SCENES["launch"]()
    plain = segmenter.segment(scene.image)
    same = resize(segmenter.decode(segmenter(resize(scene.image, (256, 256)))), (854, 1280))
    torch.testing.assert_close(plain, same.detach())


def test_later_persons_occlude_earlier_ones():
    behind, before = Person((0.0, 0.0), 0.6), Person((0.25, 0.0), 0.6)
    scene = people(GREEN, [behind, before], SIZE)
    alone = [far_person(GREEN, person.place, person.height, SIZE) for person in (behind, before)]
    assert scene.boxes.shape == (2, 4)
    assert torch.equal(scene.boxes[1], alone[1].boxes[0])
    assert scene.boxes[0, 2] < alone[0].boxes[0, 2]  # the right side is occluded
    assert torch.equal(scene.mask, alone[0].mask | alone[1].mask)
    mirrored = people(GREEN, [behind._replace(mirrored=True)], SIZE)
    assert torch.equal(mirrored.mask.flip(-1), alone[0].mask)


def test_no_persons_or_occluded_persons_raise():
    with pytest.raises(ValueError, match="at least one"):
        people(GREEN, [], SIZE)
    with pytest.raises(ValueError, match="entirely occluded by later persons"):
        people(GREEN, [Person(height=0.1), Person(height=0.9)], SIZE)


def test_controlled_scenes_have_the_given_persons_and_heights():
    scenes = [controlled(seed, persons=2, size=SIZE, heights=(0.1, 0.4)) for seed in range(20)]
    again = controlled(7, persons=2, size=SIZE, heights=(0.1, 0.4))
    assert torch.equal(again.image, scenes[7].image)
    heights, places = [], []
    for scene in scenes:
        assert scene.boxes.shape == (2, 4)
        assert (scene.boxes.abs() <= 1).all()
        heights += ((scene.boxes[:, 3] - scene.boxes[:, 1]) / 2).tolist()
        places += scene.boxes[:, 0].tolist()
        (a, b), (c, d) = scene.boxes[0].view(2, 2), scene.boxes[1].view(2, 2)
        assert bool(((torch.maximum(a, c) - torch.minimum(b, d)) >= -0.02).any())  # apart
    assert min(heights) < 0.15 < 0.3 < max(heights) <= 0.41
    assert min(places) < -0.5 < 0.3 < max(places)


def test_impossible_controlled_scenes_raise():
    with pytest.raises(ValueError, match="heights must satisfy"):
        controlled(0, heights=(0.5, 0.2))
    with pytest.raises(ValueError, match="no free position"):
        controlled(0, persons=9, heights=(0.9, 0.95))


def test_controlled_scenes_respect_the_given_region():
    within = (0.0, 0.2, 0.7, 0.6)
    places = []
    for seed in range(20):
        left, top, right, bottom = controlled(seed, within=within, size=SIZE).boxes[0].tolist()
        x, y = (left + right) / 2, (top + bottom) / 2
        assert within[0] - 0.02 <= x <= within[2] + 0.02
        assert within[1] - 0.02 <= y <= within[3] + 0.02
        places.append(x)
    assert max(places) - min(places) > 0.4
    with pytest.raises(ValueError, match="left <= right and top <= bottom"):
        controlled(0, within=(0.5, 0.0, 0.2, 1.0))
    with pytest.raises(ValueError, match="no free position"):
        controlled(0, within=(0.95, 0.95, 1.0, 1.0), heights=(0.4, 0.5), size=SIZE)


@pytest.mark.slow
@pytest.mark.parametrize(("speed", "pan"), [(0.0, 0.0), (0.03, 0.0), (0.0, 0.04), (0.03, 0.04)])
def test_moving_scenes_have_the_given_speed_and_pan(speed, pan):
    size = (240, 360)
    for seed in range(4):
        frames = list(moving(seed, frames=40, speed=speed, pan=pan, size=size))
        boxes = torch.cat([scene.boxes for scene in frames])
        assert len(boxes) == 40  # one person per frame, entirely in view
        assert boxes.abs().max() < 1
        sides = (boxes[:, 2:] - boxes[:, :2]) / 2 * torch.tensor([360, 240])
        assert (sides.amax(dim=0) - sides.amin(dim=0)).max() <= 1
        middles = (boxes[:, :2] + boxes[:, 2:]) / 4 * torch.tensor([360.0, 240.0])
        steps = middles.diff(dim=0).norm(dim=-1)
        # Rounding to pixels moves each place by up to half a pixel along each side.
        assert steps.max() <= 360 * (speed + 1.2 * pan) + 2.5
        if speed and not pan:
            assert steps.median() == pytest.approx(360 * speed, abs=1.5)
        if pan:
            pictures = torch.cat([scene.image for scene in frames])
            assert (pictures[1:] - pictures[:-1]).abs().amax(dim=(1, 2, 3)).min() > 0.1
        if not speed and not pan:
            assert torch.equal(frames[0].image, frames[-1].image)


def test_background_and_person_shift_equally_in_a_pan():
    first, second = moving(1, frames=2, speed=0.0, pan=0.03, size=(240, 360))
    shift = (
        ((second.boxes - first.boxes)[0, :2] / 2 * torch.tensor([360, 240])).round().int().tolist()
    )
    rolled = first.image.roll((shift[1], shift[0]), (-2, -1))
    inner = (rolled - second.image)[..., 20:-20, 20:-20].abs()
    assert (inner.amax(dim=1) < 1e-3).float().mean() > 0.95


def test_invalid_moving_scenes_raise():
    with pytest.raises(ValueError, match="heights"):
        next(moving(0, heights=(0.2, 0.5)))
    with pytest.raises(ValueError, match="frames"):
        next(moving(0, frames=0))
    with pytest.raises(ValueError, match="speed"):
        next(moving(0, speed=-1))


def test_old_name_of_boxes_warns_and_works() -> None:
    scene = far_person(GREEN, size=(240, 360))
    with pytest.warns(DeprecationWarning, match="Scene.boxes"):
        assert scene.box is scene.boxes
