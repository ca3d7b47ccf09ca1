"""Procedural driving scenes with full ground truth, as single images or clips."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from kornia.geometry.camera import PinholeCamera
from torch import Tensor

from ...geometry import check
from .objects import SceneObject
from .rendering import CameraView, RenderedFrame, render, view_at
from .solids import in_camera
from .world import PRESETS, Preset, World, build

SIZE = (192, 640)
"""Default (rows, columns) of an image."""

MIN_HEIGHT = 4 / 640
"""Minimum height of an object with ground truth, as a fraction of the frame's width."""

MIN_VISIBLE = 0.4
"""Minimum visible fraction of such an object, neither occluded nor outside the frame."""

MAX_SIZE = (768, 2560)
"""Maximum (rows, columns), as an image is rendered as a whole in memory."""


@dataclass(frozen=True, eq=False)
class Street:
    """Image of a street with its ground truth.

    Attributes:
        image: `1 3 h w`, RGB, 0..1.
        boxes: `n 4`, xyxy in [-1, 1] of the frame; each is the box of a whole object, including
            occluded parts, clipped to the frame. The box of a sign excludes its pole.
        labels: `n`, index into `CLASSES`.
        identities: `n`, identity of each object, constant over the frames of a clip.
        boxes_3d: `n 7`, in the camera's frame, in metres and radians: x (right), y (down) and z
            (ahead) of the centre, width, height, length, yaw. At yaw 0 the object faces ahead, as
            the camera does, at pi / 2 to the right. The box of a sign excludes its pole.
        semantic_mask: `1 h w`, uint8, the class of each pixel, see `SemanticClass`.
        instances: `1 h w`, int16, index into `boxes` of the visible object, -1 where there is none.
        depth: `1 1 h w`, z of the visible surface in metres, infinite in the sky.
        camera: intrinsics in pixels, with the centre of the first pixel at (0.5, 0.5); the
            extrinsics are the identity, as the ground truth is in the camera's frame.
        flow: `1 2 h w`, optical flow to the next frame of a clip, (x, y) in units of [-1, 1]; NaN
            where a point passes behind the camera. None for a single image.
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor
    identities: Tensor
    boxes_3d: Tensor
    semantic_mask: Tensor
    instances: Tensor
    depth: Tensor
    camera: PinholeCamera
    flow: Tensor | None = None


def driving(
    seed: int,
    preset: str | Preset = "far",
    *,
    size: tuple[int, int] = SIZE,
    seconds: float = 0.0,
) -> Street:
    """Return a random street, determined by the seed, with its ground truth.

    The street is the same at every size, except that objects close to the minimum height or
    visibility may have ground truth at some sizes only.

    Args:
        seed: seed of the random generator.
        preset: a name in `PRESETS`, or a custom `Preset`.
        size: (rows, columns) of the image, from 16 x 16 up to 768 x 2560.
        seconds: time of the image; objects and camera move.

    Returns:
        The image and its ground truth, without flow.

    Raises:
        ValueError: there is no such preset, or the size is too small or too large.

    Example:
        >>> street = driving(3, size=(48, 160))
        >>> street.image.shape, len(street.boxes) == len(street.boxes_3d)
        (torch.Size([1, 3, 48, 160]), True)
    """
    world = build(seed, _preset(preset))
    view = view_at(world, _size(size), seconds)
    return _street(world, view, render(world, view, seconds), seconds)


def driving_clip(
    seed: int,
    preset: str | Preset = "far",
    *,
    frames: int = 16,
    rate: float = 10.0,
    size: tuple[int, int] = SIZE,
) -> Iterator[Street]:
    """Generate a clip in which camera, cars and pedestrians move, with optical flow.

    Args:
        seed: seed of the random generator; the first frame equals that of :func:`driving`.
        preset: a name in `PRESETS`, or a custom `Preset`.
        frames: number of frames.
        rate: frames per second.
        size: (rows, columns) of a frame, from 16 x 16 up to 768 x 2560.

    Yields:
        The scene of each frame, with the flow to the next.

    Raises:
        ValueError: as :func:`driving`, or frames or rate are not positive.
    """
    if frames < 1 or not rate > 0:
        raise ValueError(f"frames and rate must be positive, got {frames} and {rate:g}")
    world, size = build(seed, _preset(preset)), _size(size)
    for index in range(frames):
        seconds, next_seconds = index / rate, (index + 1) / rate
        view, next_view = (view_at(world, size, moment) for moment in (seconds, next_seconds))
        frame = render(world, view, seconds)
        flow = _flow(world, frame, view, next_view, next_seconds - seconds)
        yield _street(world, view, frame, seconds, flow)


def _preset(preset: str | Preset) -> Preset:
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}, expected one of {sorted(PRESETS)}")
    return PRESETS[preset]


def _size(size: tuple[int, int]) -> check.Size:
    rows, columns = check.size(size, minimum=16)
    if rows > MAX_SIZE[0] or columns > MAX_SIZE[1]:
        raise ValueError(
            f"size must be at most {MAX_SIZE}, as images are rendered in memory, "
            f"got {(rows, columns)}"
        )
    return rows, columns


def _street(
    world: World, view: CameraView, frame: RenderedFrame, seconds: float, flow: Tensor | None = None
) -> Street:
    """Return a frame with its ground truth, restricted to objects large and visible enough."""
    now = [obj.at(seconds) for obj in world.objects]
    visible = [index for index, obj in enumerate(now) if _has_ground_truth(obj, frame, index, view)]
    row_of = np.full(len(now) + 1, -1, np.int16)
    row_of[visible] = np.arange(len(visible))
    boxes = [_clipped(outline(now[index], view)) for index in visible]
    return Street(
        image=torch.from_numpy(frame.image).permute(2, 0, 1)[None].contiguous(),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([now[index].label for index in visible], dtype=torch.long),
        identities=torch.tensor(visible, dtype=torch.long),
        boxes_3d=torch.tensor([_box_3d(now[index], view) for index in visible]).reshape(-1, 7),
        semantic_mask=torch.from_numpy(frame.semantic_mask)[None],
        instances=torch.from_numpy(row_of[frame.object_index])[None],
        depth=torch.from_numpy(frame.depth)[None, None],
        camera=_camera(view),
        flow=flow,
    )


def _camera(view: CameraView) -> PinholeCamera:
    rows, columns = view.size
    intrinsics = torch.eye(4)[None]
    intrinsics[0, 0, 0] = intrinsics[0, 1, 1] = view.focal
    intrinsics[0, 0, 2], intrinsics[0, 1, 2] = view.centre
    return PinholeCamera(
        intrinsics, torch.eye(4)[None], torch.tensor([rows]), torch.tensor([columns])
    )


Sides = tuple[float, float, float, float]
"""(left, top, right, bottom), with the frame's edges at -1 and 1."""


def _has_ground_truth(obj: SceneObject, frame: RenderedFrame, index: int, view: CameraView) -> bool:
    """Return whether an object has ground truth: has a class, is large and visible enough."""
    if obj.label < 0 or frame.visible[index] < MIN_VISIBLE:
        return False
    unclipped = outline(obj, view)
    if not all(math.isfinite(side) for side in unclipped):
        return False
    left, top, right, bottom = _clipped(unclipped)
    area = (unclipped[2] - unclipped[0]) * (unclipped[3] - unclipped[1])
    inside = max(right - left, 0) * max(bottom - top, 0) / area
    high = (bottom - top) / 2 * view.size[0] / view.size[1]
    return inside * float(frame.visible[index]) >= MIN_VISIBLE and high >= MIN_HEIGHT


def outline(obj: SceneObject, view: CameraView) -> Sides:
    """Return the box of an object's projection, not clipped to the frame.

    Its sides are infinite if all parts are behind the camera, or one extends behind it.
    """
    pose = view.pose(obj)
    bounds = [part.solid.bounds(pose) for part in obj.parts if part.counts]
    projected = np.array([bound for bound in bounds if bound is not None]).reshape(-1, 4)
    if not len(projected):
        return (math.inf, math.inf, math.inf, math.inf)
    rows, columns = view.size
    low, high = projected[:, :2].min(axis=0), projected[:, 2:].max(axis=0)
    scale = 2 * view.focal / np.array([columns, rows])
    start = 2 * np.array(view.centre) / np.array([columns, rows]) - 1
    left, top, right, bottom = np.concatenate([low * scale + start, high * scale + start]).tolist()
    return left, top, right, bottom


def _clipped(unclipped: Sides) -> Sides:
    left, top, right, bottom = (min(max(side, -1.0), 1.0) for side in unclipped)
    return left, top, right, bottom


def _box_3d(obj: SceneObject, view: CameraView) -> list[float]:
    pose = view.pose(obj)
    extent = np.array(obj.extent)
    x, y, z = in_camera(extent.mean(axis=1)[None], pose)[0].tolist()
    width, height, length = (extent[:, 1] - extent[:, 0]).tolist()
    yaw = (obj.yaw + math.pi) % (2 * math.pi) - math.pi
    return [x, y, z, width, height, length, yaw]


def _flow(
    world: World, frame: RenderedFrame, view: CameraView, next_view: CameraView, duration: float
) -> Tensor:
    """Return the optical flow `1 2 h w` to the next frame, from depth and velocities."""
    rows, columns = view.size
    x = ((np.arange(columns) + 0.5 - view.centre[0]) / view.focal)[None, :]
    y = ((np.arange(rows) + 0.5 - view.centre[1]) / view.focal)[:, None]
    velocity = np.array([*(obj.velocity for obj in world.objects), (0.0, 0.0)])
    moved = velocity[frame.object_index] * duration
    # The sky is far away, so that only the camera's rotation moves it.
    depth = np.where(np.isfinite(frame.depth), frame.depth, 1e9)
    new_z = depth + moved[..., 1] - (next_view.place[2] - view.place[2])
    new_x = x * depth + moved[..., 0] - (next_view.place[0] - view.place[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        dx = (new_x / new_z - x) * view.focal + next_view.centre[0] - view.centre[0]
        dy = (y * depth / new_z - y) * view.focal + next_view.centre[1] - view.centre[1]
    flow = np.stack([dx * 2 / columns, dy * 2 / rows])
    flow[:, new_z <= 0] = np.nan
    return torch.from_numpy(flow.astype(np.float32))[None]
