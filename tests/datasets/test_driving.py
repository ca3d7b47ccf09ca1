"""Tests of driving scenes: images, ground truth, solids, flow, presets."""

import ast
import math
import sys
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch

from lzu_viz.datasets import driving as package
from lzu_viz.datasets.driving import (
    CLASSES,
    PRESETS,
    SEMANTIC_CLASSES,
    SemanticClass,
    driving,
    driving_clip,
)
from lzu_viz.datasets.driving.objects import Part, SceneObject
from lzu_viz.datasets.driving.rendering import render, view_at
from lzu_viz.datasets.driving.solids import (
    NEAR,
    Ellipsoid,
    Pose,
    Rays,
    box,
    frustum,
    in_camera,
    local,
    prism,
)
from lzu_viz.datasets.driving.world import build
from lzu_viz.geometry.resampling import pixel_centres, sample
from oracles import first_inside

SMALL, MIDDLE, LARGE = (48, 160), (96, 320), (192, 640)
SEEDS = range(8)
CLIPS = [(preset, seed) for preset in PRESETS for seed in (1, 4)]

street = cache(partial(driving, size=MIDDLE))


@cache
def clip(preset, seed, rate=10.0):
    return list(driving_clip(seed, preset, frames=3, rate=rate, size=MIDDLE))


# --- seeds, times and sizes -------------------------------------------------------------------


def test_shapes_and_ranges():
    scene = driving(0, size=SMALL)
    count = len(scene.boxes)
    assert count > 0
    assert scene.image.shape == (1, 3, *SMALL)
    assert scene.image.dtype == torch.float32
    assert scene.image.min() >= 0
    assert scene.image.max() <= 1
    assert scene.boxes.shape == (count, 4)
    assert scene.boxes.abs().max() <= 1
    assert (scene.boxes[:, :2] < scene.boxes[:, 2:]).all()
    assert scene.boxes_3d.shape == (count, 7)
    assert scene.labels.shape == scene.identities.shape == (count,)
    assert scene.labels.dtype == scene.identities.dtype == torch.long
    assert scene.semantic_mask.shape == scene.instances.shape == (1, *SMALL)
    assert scene.semantic_mask.dtype == torch.uint8
    assert scene.instances.dtype == torch.int16
    assert scene.depth.shape == (1, 1, *SMALL)
    assert scene.flow is None


def test_all_classes_occur():
    scenes = [street(seed) for seed in SEEDS]
    assert set(torch.cat([scene.labels for scene in scenes]).tolist()) == set(range(len(CLASSES)))
    areas = set(torch.cat([scene.semantic_mask.unique() for scene in scenes]).tolist())
    assert areas == set(range(len(SEMANTIC_CLASSES))) == set(SemanticClass)


@pytest.mark.parametrize("preset", PRESETS)
def test_seed_and_time_determine_the_street(preset):
    first, again, other = (driving(seed, preset, size=SMALL) for seed in (5, 5, 6))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.boxes_3d, again.boxes_3d)
    assert not torch.equal(first.image, other.image)
    later = driving(5, preset, size=SMALL, seconds=0.4)
    assert (first.image - later.image).abs().mean() > 0.005


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_frames_of_a_clip_match_single_scenes(preset):
    for index, frame in enumerate(clip(preset, 1)):
        still = driving(1, preset, size=MIDDLE, seconds=index / 10)
        for name in (
            "image",
            "boxes",
            "boxes_3d",
            "identities",
            "instances",
            "semantic_mask",
            "depth",
        ):
            assert torch.equal(getattr(frame, name), getattr(still, name)), name
        assert torch.equal(frame.camera.intrinsics, still.camera.intrinsics)


def by_identity(scene):
    return dict(zip(scene.identities.tolist(), scene.boxes, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_content_does_not_depend_on_the_size(preset):
    for seed in SEEDS:
        small, large = (driving(seed, preset, size=size) for size in (SMALL, MIDDLE))
        mean = torch.nn.functional.avg_pool2d(large.image, 2)
        assert (mean - small.image).abs().mean() < 0.012
        few, many = by_identity(small), by_identity(large)
        for identity in few.keys() & many.keys():
            torch.testing.assert_close(few[identity], many[identity], atol=1e-6, rtol=0)


@pytest.mark.slow
def test_few_objects_are_listed_at_one_size_only():
    common, alone = 0, 0
    for seed, preset in product(SEEDS, PRESETS):
        few, many = (by_identity(driving(seed, preset, size=size)) for size in (SMALL, MIDDLE))
        common += len(few.keys() & many.keys())
        alone += len(few.keys() ^ many.keys())
    assert alone <= 0.05 * common


# --- solids -----------------------------------------------------------------------------------

TRIANGLE = [(0.0, -1.0), (0.95, 0.7), (-0.95, 0.7)]


def in_box(x, y, z):
    return (abs(x - 0.3) < 0.9) & (y < -0.2) & (y > -1.7) & (abs(z + 0.1) < 2.1)


def in_frustum(x, y, z):
    up = -y / 1.5
    middle = 0.4 * up
    wide, long = (1 - up) * 1.0 + up * 0.6, (1 - up) * 2.0 + up * 1.1
    return (up > 0) & (up < 1) & (abs(x) < wide) & (abs(z - middle) < long)


def in_prism(x, y, z):
    inside = abs(z) < 0.15
    for (x1, y1), (x2, y2) in zip(TRIANGLE, TRIANGLE[1:] + TRIANGLE[:1], strict=True):
        inside = inside & ((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1) > 0)
    return inside


def in_ellipsoid(x, y, z):
    return ((x - 0.2) / 0.4) ** 2 + ((y + 1) / 0.9) ** 2 + ((z + 0.1) / 1.3) ** 2 < 1


SOLIDS = {
    "box": (box(1.8, 1.5, 4.2, (0.3, -0.2, -0.1)), in_box),
    "frustum": (frustum((2.0, 4.0), (1.2, 2.2), 1.5, shift=0.4), in_frustum),
    "prism": (prism(TRIANGLE, 0.3), in_prism),
    "ellipsoid": (Ellipsoid((0.2, -1.0, -0.1), (0.4, 0.9, 1.3)), in_ellipsoid),
}
POSES = [
    Pose((0.0, 1.6, 8.0), 0.0),
    Pose((-2.5, 1.6, 7.0), 0.6),
    Pose((3.0, 0.4, 9.0), -2.0),
    Pose((1.0, -1.0, 6.0), math.pi / 2),
]


def lattice(pose, count=40):
    """Return rays through a solid and past it on every side."""
    x, y, z = pose.place
    return Rays(
        np.linspace(x / z - 0.45, x / z + 0.45, count, dtype=np.float32),
        np.linspace((y - 1) / z - 0.35, (y - 1) / z + 0.35, count, dtype=np.float32),
    )


@cache
def reference_depths(name, index):
    pose = POSES[index]
    rays = lattice(pose)
    depths = (pose.place[2] - 3.5, pose.place[2] + 3.5)
    return np.array(
        [
            [first_inside(SOLIDS[name][1], (x, y), *pose, depths) for x in rays.x.tolist()]
            for y in rays.y.tolist()
        ]
    )


solids = pytest.mark.parametrize("name", SOLIDS)
poses = pytest.mark.parametrize("index", range(len(POSES)))


@pytest.mark.slow
@solids
@poses
def test_hit_matches_ray_marching(name, index):
    expected = reference_depths(name, index)
    rays = lattice(POSES[index])
    depth, face = SOLIDS[name][0].hit(local(rays, POSES[index]))
    both = np.isfinite(expected) & np.isfinite(depth)
    assert both.sum() > 20
    assert abs(depth[both] - expected[both]).max() < 2e-3
    # Rays that only graze the solid may differ.
    assert (np.isfinite(expected) != np.isfinite(depth)).sum() <= 1 + 0.01 * both.sum()
    assert (face is None) == (name == "ellipsoid")


@solids
@poses
def test_bounds_tightly_enclose_the_projection(name, index):
    rays, pose = lattice(POSES[index]), POSES[index]
    left, top, right, bottom = SOLIDS[name][0].bounds(pose)
    rows, columns = np.isfinite(reference_depths(name, index)).nonzero()
    slack = 1e-5
    for sides, row, low, high in ((rays.x, columns, left, right), (rays.y, rows, top, bottom)):
        step = float(sides[1] - sides[0])
        # The tip of a corner may pass between two rays.
        assert low - slack <= sides[row.min()] <= low + 2 * step
        assert high - 2 * step <= sides[row.max()] <= high + slack


@solids
@poses
def test_normals_point_outwards(name, index):
    (solid, inside), pose = SOLIDS[name], POSES[index]
    rays = lattice(pose)
    local_rays = local(rays, pose)
    depth, face = solid.hit(local_rays)
    rows, columns = np.isfinite(depth).nonzero()
    ways = np.stack([local_rays.x[columns], local_rays.y[rows], local_rays.z[columns]], axis=-1)
    points = (np.array(local_rays.origin) + depth[rows, columns][:, None] * ways).astype(np.float32)
    normals = solid.normals(points)
    assert abs(np.linalg.norm(normals, axis=-1) - 1).max() < 1e-5
    normals = normals if face is None else normals[face[rows, columns]]
    assert ((normals * ways).sum(axis=-1) < 1e-3).all()
    assert not inside(*(points + 1e-2 * normals).T).any()
    assert inside(*(points - 1e-2 * normals).T).mean() > 0.9  # not where two faces meet


@solids
def test_extent_matches_the_interior(name):
    solid, inside = SOLIDS[name]
    axes = [np.linspace(-3, 3, 121) for _ in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    held = points[inside(*np.moveaxis(points, -1, 0))]
    extents = np.stack([held.min(axis=0), held.max(axis=0)], axis=-1)
    assert abs(np.array(solid.extent()) - extents).max() < 0.07


@solids
def test_solids_behind_the_camera_are_not_hit(name):
    solid, _ = SOLIDS[name]
    behind, around = Pose((0.0, 1.6, -8.0), 0.3), Pose((0.0, 1.0, NEAR), 0.0)
    assert solid.bounds(behind) is None
    assert np.isinf(solid.hit(local(lattice(POSES[0]), behind)).depth).all()
    assert np.isinf(solid.bounds(around)).all()


def test_in_camera_inverts_local():
    pose = Pose((1.0, 2.0, 9.0), 0.7)
    local_rays = local(Rays(np.zeros(1, np.float32), np.zeros(1, np.float32)), pose)
    assert in_camera(np.array([local_rays.origin]), pose) == pytest.approx(np.zeros((1, 3)))
    ahead = in_camera(np.array([[0.0, 0.0, 1.0]]), pose) - pose.place
    assert ahead[0] == pytest.approx((math.sin(0.7), 0, math.cos(0.7)))


# --- images and ground truth ------------------------------------------------------------------


def pixels(boxes, size):
    rows, columns = size
    return (boxes + 1) / 2 * torch.tensor([columns, rows, columns, rows])


def around(mask):
    """Return the box around a mask's pixels, edges included."""
    rows, columns = mask.nonzero(as_tuple=True)
    return torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])


def alone(seed, preset, identity, size):
    """Return the mask of an object that is rendered alone."""
    world = build(seed, PRESETS[preset])
    frame = render(replace(world, objects=(world.objects[identity],)), view_at(world, size))
    return torch.from_numpy(frame.object_index == 0)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_boxes_tightly_enclose_unoccluded_masks(preset):
    bare = 0
    for seed in SEEDS:
        scene = street(seed, preset)
        for index, sides in enumerate(pixels(scene.boxes, MIDDLE)):
            mask = scene.instances[0] == index
            whole = alone(seed, preset, int(scene.identities[index]), MIDDLE)
            assert mask.sum() > 0.3 * whole.sum()
            assert (mask <= whole).all()
            outside = around(mask) - sides
            assert outside[:2].min() > -0.51  # pixel centres are inside
            assert outside[2:].max() < 0.51
            cut, minimum = scene.boxes[index].abs().max() == 1, (sides[2:] - sides[:2]).min()
            if torch.equal(mask, whole) and not cut and minimum > 3:
                bare += 1
                # A tip, as of a triangle or a foot, may lie between two pixel centres.
                assert outside.abs().max() < (1.0 if scene.labels[index] == 0 else 1.5)
    assert bare > 10


def corners(boxes_3d):
    """Return the eight corners `n 8 3` of boxes."""
    x, y, z, width, height, length, yaw = (part[:, None] for part in boxes_3d.T)
    sides = torch.tensor([(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]) / 2
    across, up, ahead = width * sides[:, 0], height * sides[:, 1], length * sides[:, 2]
    return torch.stack(
        [
            x + yaw.cos() * across + yaw.sin() * ahead,
            y + up,
            z - yaw.sin() * across + yaw.cos() * ahead,
        ],
        dim=-1,
    )


def projected(camera, points):
    """Return the projections `n 2`, in [-1, 1], of points `n 3`."""
    size = torch.stack([camera.width, camera.height], dim=-1)
    return 2 * camera.project(points[None])[0] / size - 1


@pytest.mark.parametrize("preset", PRESETS)
def test_projected_3d_boxes_enclose_2d_boxes(preset):
    for seed in SEEDS:
        scene = street(seed, preset)
        assert scene.boxes_3d[:, 6].abs().max() <= math.pi + 1e-6
        places = projected(scene.camera, corners(scene.boxes_3d).reshape(-1, 3)).view(-1, 8, 2)
        hull = torch.cat([places.amin(dim=1), places.amax(dim=1)], dim=-1)
        hull = hull.clamp(-1, 1)
        assert (hull[:, :2] <= scene.boxes[:, :2] + 1e-4).all()
        assert (hull[:, 2:] >= scene.boxes[:, 2:] - 1e-4).all()
        inner, outer = (boxes[:, 2:] - boxes[:, :2] for boxes in (scene.boxes, hull))
        assert (inner.prod(dim=-1) > 0.4 * outer.prod(dim=-1)).all()
        middles = projected(scene.camera, scene.boxes_3d[:, :3]).clamp(-1, 1)
        assert (scene.boxes[:, :2] <= middles).all()
        assert (middles <= scene.boxes[:, 2:]).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_depth_and_class_of_instances_match_their_3d_boxes(preset):
    for seed in SEEDS:
        scene = street(seed, preset)
        depths = corners(scene.boxes_3d)[..., 2]
        for index, label in enumerate(scene.labels.tolist()):
            mask = scene.instances == index
            expected = SemanticClass[CLASSES[label].upper()]
            assert (scene.semantic_mask[mask] == expected).all()
            depth = scene.depth[0][mask]
            assert depth.min() > depths[index].min() - 0.02
            assert depth.max() < depths[index].max() + 0.02


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_3d_boxes_have_realistic_sizes(label):
    minimum, maximum = [((1.6, 1.3, 3.8), (2.1, 2.1, 4.8)), ((0.4, 1.5, 0.2), (0.8, 2, 0.8)),
                   ((0.6, 0.6, 0.05), (1.2, 1.2, 0.15))][label]  # fmt: skip
    sizes = torch.cat([street(seed).boxes_3d[street(seed).labels == label, 3:6] for seed in SEEDS])
    assert len(sizes) > 3
    assert (sizes >= torch.tensor(minimum)).all()
    assert (sizes <= torch.tensor(maximum)).all()


def test_occlusion_reduces_the_visible_fraction():
    world = build(0, PRESETS["far"])
    car = next(obj for obj in world.objects if obj.label == 0)
    shape = box(6, 3, 0.2)
    wall = Part(shape, lambda surface: np.zeros_like(surface.points), SemanticClass.OTHER)
    car = replace(car, x=2, z=20.0)
    bare = replace(world, objects=(car,))
    view = view_at(world, MIDDLE)
    assert render(bare, view).visible.tolist() == [1]
    for x, low, high in ((2.0, 0, 0), (5.2, 0.2, 0.8)):
        walled = replace(world, objects=(car, SceneObject((wall,), x=x, z=12.0)))
        assert low <= render(walled, view).visible[0] <= high


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", [SMALL, (100, 200)])
def test_ground_lies_at_the_height_of_the_camera(preset, size):
    for seed in SEEDS[:3]:
        scene = driving(seed, preset, size=size)
        focal, middle = (float(scene.camera.intrinsics[0, 1, column]) for column in (1, 2))
        rows = torch.arange(size[0])[:, None] + 0.5
        below = scene.depth[0, 0] * (rows - middle) / focal
        ground = (scene.semantic_mask[0] == SemanticClass.ROAD) | (
            scene.semantic_mask[0] == SemanticClass.PAVEMENT
        )
        assert ground.float().mean() > 0.02
        assert (below[ground] - PRESETS[preset].height).abs().max() < 1e-3


def test_depth_is_infinite_only_for_the_sky():
    for seed in SEEDS:
        scene = street(seed)
        assert torch.equal(scene.depth[0].isinf(), scene.semantic_mask == SemanticClass.SKY)
        assert scene.depth.min() > NEAR


# --- motion -----------------------------------------------------------------------------------


def moved(scene):
    """Return the position of each pixel in the next frame, and whether it is in view."""
    places = pixel_centres(MIDDLE) + scene.flow.permute(0, 2, 3, 1)
    return places, (places.abs() < 1).all(dim=-1)


@pytest.mark.parametrize(("preset", "seed"), CLIPS)
def test_next_frame_warped_by_flow_matches_the_frame(preset, seed):
    for now, then in pairwise(clip(preset, seed)):
        places, inside = moved(now)
        assert inside.float().mean() > 0.6
        led = (sample(then.image, places) - now.image).abs().mean(dim=1)[inside].mean()
        still = (then.image - now.image).abs().mean(dim=1)[inside].mean()
        assert led < 0.5 * still


def unprojected(scene):
    """Return the points `h w 3` of all pixels, in camera coordinates."""
    middles = (pixel_centres(MIDDLE) + 1) / 2 * torch.tensor([MIDDLE[1], MIDDLE[0]])
    depth = scene.depth[0, 0].reshape(1, -1, 1)
    return scene.camera.unproject(middles.reshape(1, -1, 2), depth).view(*MIDDLE, 3)


@pytest.mark.parametrize(("preset", "seed"), CLIPS)
def test_flow_of_static_points_follows_the_camera_motion(preset, seed):
    now, then, _ = clip(preset, seed)
    speed = build(seed, PRESETS[preset]).speed
    still = (now.semantic_mask[0] <= SemanticClass.BUILDING) & (now.depth[0, 0] > 1.2 * speed / 10)
    points = unprojected(now)[still] - torch.tensor([0, 0, speed / 10])
    expected = projected(then.camera, points)
    places, _ = moved(now)
    # Far outside of the frame, float32 is less precise.
    near = expected.abs().amax(dim=-1) < 3
    torch.testing.assert_close(places[0][still][near], expected[near], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("preset", "seed"), CLIPS)
def test_flow_of_objects_follows_their_3d_boxes(preset, seed):
    now, then, _ = clip(preset, seed)
    places, _ = moved(now)
    after = dict(zip(then.identities.tolist(), then.boxes_3d, strict=True))
    points, checked = unprojected(now), 0
    for index, identity in enumerate(now.identities.tolist()):
        if identity in after:
            mask = now.instances[0] == index
            shift = (after[identity] - now.boxes_3d[index])[:3]
            expected = projected(then.camera, points[mask] + shift)
            torch.testing.assert_close(places[0][mask], expected, atol=1e-4, rtol=0)
            checked += 1
    assert checked > 0


def test_flow_of_the_sky_follows_the_camera_rotation():
    now, then, _ = clip("far", 1)
    turn = (then.camera.intrinsics - now.camera.intrinsics)[0, :2, 2]
    flow = now.flow[0][:, now.semantic_mask[0] == SemanticClass.SKY]
    expected = (2 * turn / torch.tensor([MIDDLE[1], MIDDLE[0]]))[:, None].expand_as(flow)
    assert turn.abs().max() > 0
    torch.testing.assert_close(flow, expected, atol=1e-5, rtol=0)


def test_flow_is_nan_for_points_that_pass_the_camera():
    scene = next(driving_clip(3, "near", rate=0.5, size=MIDDLE))
    speed = build(3, PRESETS["near"]).speed
    lost = scene.flow.isnan().all(dim=1)[0]
    ground = scene.semantic_mask[0] == SemanticClass.ROAD
    assert lost.any()
    assert torch.equal(lost[ground], (scene.depth[0, 0] <= speed / 0.5)[ground])


@pytest.mark.parametrize(("preset", "seed"), CLIPS)
def test_identities_persist_between_frames(preset, seed):
    for now, then in pairwise(clip(preset, seed)):
        assert len(now.identities.unique()) == len(now.identities)
        rows = {indices: row for row, indices in enumerate(then.identities.tolist())}
        common = [(a, rows[i]) for a, i in enumerate(now.identities.tolist()) if i in rows]
        assert len(common) >= 0.6 * len(now.identities)
        a, b = (torch.tensor(indices) for indices in zip(*common, strict=True))
        assert torch.equal(now.labels[a], then.labels[b])
        torch.testing.assert_close(now.boxes_3d[a, 3:], then.boxes_3d[b, 3:])
        steps = (now.boxes_3d[a, :3] - then.boxes_3d[b, :3]).norm(dim=-1)
        assert steps.max() <= (14 + 13) / 10 + 0.01  # two objects at top speed


# --- presets and errors -----------------------------------------------------------------------


def all_boxes(preset):
    return torch.cat([street(seed, preset).boxes for seed in SEEDS])


def test_presets_differ_in_size_and_position_of_objects():
    heights = {name: (all_boxes(name)[:, 3] - all_boxes(name)[:, 1]).median() for name in PRESETS}
    assert heights["near"] > 2 * heights["far"]
    middles = {name: (all_boxes(name)[:, :2] + all_boxes(name)[:, 2:]).mean(0) / 2
               for name in PRESETS}  # fmt: skip
    assert middles["shifted"][0] < middles["far"][0] - 0.2
    assert middles["shifted"][1] > middles["far"][1] + 0.2


@pytest.mark.parametrize("preset", PRESETS)
def test_vanishing_point_matches_the_preset(preset):
    ends = torch.stack([street(seed, preset).camera.intrinsics[0, :2, 2] for seed in SEEDS])
    x, y = (2 * ends / torch.tensor([MIDDLE[1], MIDDLE[0]]) - 1).mean(dim=0).tolist()
    assert (x, y) == pytest.approx(PRESETS[preset].horizon, abs=0.1)


def test_custom_preset_without_objects():
    preset = replace(PRESETS["near"], objects=(0, 0), others=(0, 0))
    scene = driving(0, preset, size=SMALL)
    assert scene.boxes.shape == (0, 4)
    assert scene.boxes_3d.shape == (0, 7)
    assert (scene.instances == -1).all()


def test_invalid_preset_or_size_raises():
    for make in (driving, lambda *args, **more: next(driving_clip(*args, **more))):
        with pytest.raises(
            ValueError, match=r"unknown preset 'nearby', expected one of \['far', 'near', 'shif"
        ):
            make(0, "nearby")
        with pytest.raises(ValueError, match=r"at most \(768, 2560\).* got \(96, 2561\)"):
            make(0, size=(96, 2561))
        with pytest.raises(ValueError, match=r"at most \(768, 2560\).* got \(769, 640\)"):
            make(0, size=(769, 640))
        with pytest.raises(ValueError, match=r"at least 16, got \(15, 640\)"):
            make(0, size=(15, 640))


@pytest.mark.parametrize(
    ("frames", "rate", "got"), [(0, 10, "0 and 10"), (4, 0, "4 and 0"), (4, -2.5, "4 and -2.5"),
                                (1, math.nan, "1 and nan")],
)  # fmt: skip
def test_invalid_frames_or_rate_raise(frames, rate, got):
    with pytest.raises(ValueError, match=f"frames and rate must be positive, got {got}"):
        next(driving_clip(0, frames=frames, rate=rate))


# --- imports ----------------------------------------------------------------------------------

FILES = sorted(Path(package.__file__).parent.glob("*.py"))
ALLOWED = {"numpy", "torch", "kornia", *sys.stdlib_module_names}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_package_imports_only_allowed_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= ALLOWED
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module.split(".")[0] in ALLOWED
        elif isinstance(node, ast.ImportFrom) and node.level > 1:
            assert (node.level, [name.name for name in node.names]) == (3, ["check"])
