"""Driving scenes: streets by seed, with all that is true of them, as single pictures or films."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from kornia.geometry.camera import PinholeCamera
from torch import Tensor

from ...geometry import check
from .objects import Thing
from .rendering import Frame, View, render, view_at
from .solids import in_camera
from .world import PRESETS, Preset, World, build

SIZE = (192, 640)
"""(rows, columns) of a picture, where nothing else is asked for."""

LEAST = 4 / 640
"""A thing counts where it is at least so high, as a part of the frame's width."""

VISIBLE = 0.4
"""And where at least this part of it is in view, neither hidden nor outside the frame."""

MAX_SIZE = (768, 2560)
"""The largest (rows, columns): a picture is drawn as a whole, in memory."""


@dataclass(frozen=True, eq=False)
class Street:
    """A picture of a street and what is true of it.

    Attributes:
        image: `1 3 h w`, RGB, 0..1.
        boxes: `n 4`, xyxy in [-1, 1] of the frame, one a thing that is to be found; around the
            whole thing as far as it lies in the frame, also where another hides a part of it. That
            of a sign leaves out its pole.
        labels: `n`, index into `CLASSES`.
        identities: `n`, the same for the same thing in every frame of a film.
        boxes_3d: `n 7`, in the camera's frame, in metres and radians: x (right), y (down) and z
            (ahead) of the middle, width, height, length, yaw. With yaw 0 it faces straight ahead,
            as the camera does, with pi / 2 to the right. It holds the thing, a sign's its plate.
        semantic_mask: `1 h w`, uint8, the class of each pixel, see `Area`.
        instances: `1 h w`, int16, the row of `boxes` whose thing is seen there, -1 where none.
        depth: `1 1 h w`, z of what is seen in metres, infinite in the sky.
        camera: intrinsics in pixels; the middle of the first pixel is at (0.5, 0.5). Its extrinsics
            are the identity, as the truth is in its own frame.
        flow: `1 2 h w`, where each pixel is in the next frame of a film, minus where it is: (x, y)
            in [-1, 1]; NaN where it passes behind the camera. None for a single picture.
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
    """Draw a street: the same seed gives the same street, at every size.

    Only what is just large and visible enough to be found may be so at one size and not at another.

    Args:
        seed: of the drawing.
        preset: a name of `PRESETS`, or a kind of street of your own.
        size: (rows, columns) of the picture, from 16 x 16 up to 768 x 2560.
        seconds: when; the things and the camera move.

    Returns:
        The picture and its truth, without flow.

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
    """Draw a film: the camera drives and sways, cars and pedestrians move, and flow is known.

    Args:
        seed: of the drawing; the first frame is that of :func:`driving`.
        preset: likewise.
        frames: how many.
        rate: frames a second.
        size: likewise.

    Yields:
        One scene a frame, with its flow to the next.

    Raises:
        ValueError: as :func:`driving`, or frames or rate are not positive.
    """
    if frames < 1 or not rate > 0:
        raise ValueError(f"frames and rate must be positive, got {frames} and {rate:g}")
    world, size = build(seed, _preset(preset)), _size(size)
    for index in range(frames):
        seconds, after = index / rate, (index + 1) / rate
        view, then = (view_at(world, size, moment) for moment in (seconds, after))
        frame = render(world, view, seconds)
        flow = _flow(world, frame, view, then, after - seconds)
        yield _street(world, view, frame, seconds, flow)


def _preset(preset: str | Preset) -> Preset:
    if isinstance(preset, Preset):
        return preset
    if preset not in PRESETS:
        raise ValueError(f"there is no preset {preset!r}, only {sorted(PRESETS)}")
    return PRESETS[preset]


def _size(size: tuple[int, int]) -> check.Size:
    rows, columns = check.size(size, minimum=16)
    if rows > MAX_SIZE[0] or columns > MAX_SIZE[1]:
        raise ValueError(
            f"size must be up to {MAX_SIZE}, got {(rows, columns)}: a picture is drawn in memory"
        )
    return rows, columns


def _street(
    world: World, view: View, frame: Frame, seconds: float, flow: Tensor | None = None
) -> Street:
    """Put together what is true of a frame, of the things in it that are to be found."""
    now = [thing.at(seconds) for thing in world.things]
    visible = [index for index, thing in enumerate(now) if _counts(thing, frame, index, view)]
    row_of = np.full(len(now) + 1, -1, np.int16)
    row_of[visible] = np.arange(len(visible))
    boxes = [_clipped(outline(now[index], view)) for index in visible]
    return Street(
        image=torch.from_numpy(frame.image).permute(2, 0, 1)[None].contiguous(),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor([now[index].label for index in visible], dtype=torch.long),
        identities=torch.tensor(visible, dtype=torch.long),
        boxes_3d=torch.tensor([_box_3d(now[index], view) for index in visible]).reshape(-1, 7),
        semantic_mask=torch.from_numpy(frame.area)[None],
        instances=torch.from_numpy(row_of[frame.thing])[None],
        depth=torch.from_numpy(frame.depth)[None, None],
        camera=_camera(view),
        flow=flow,
    )


def _camera(view: View) -> PinholeCamera:
    rows, columns = view.size
    intrinsics = torch.eye(4)[None]
    intrinsics[0, 0, 0] = intrinsics[0, 1, 1] = view.focal
    intrinsics[0, 0, 2], intrinsics[0, 1, 2] = view.centre
    return PinholeCamera(
        intrinsics, torch.eye(4)[None], torch.tensor([rows]), torch.tensor([columns])
    )


Box = tuple[float, float, float, float]
"""(left, top, right, bottom), -1 and 1 the edges of the frame."""


def _counts(thing: Thing, frame: Frame, index: int, view: View) -> bool:
    """Return whether a thing is to be found: it is of a class, large enough and well in view."""
    if thing.label < 0 or frame.visible[index] < VISIBLE:
        return False
    unclipped = outline(thing, view)
    if not all(math.isfinite(side) for side in unclipped):
        return False
    left, top, right, bottom = _clipped(unclipped)
    area = (unclipped[2] - unclipped[0]) * (unclipped[3] - unclipped[1])
    inside = max(right - left, 0) * max(bottom - top, 0) / area
    high = (bottom - top) / 2 * view.size[0] / view.size[1]
    return inside * float(frame.visible[index]) >= VISIBLE and high >= LEAST


def outline(thing: Thing, view: View) -> Box:
    """Return the box around a thing's picture, also beyond the frame.

    It is infinite if the thing is behind the camera or reaches there.
    """
    pose = view.pose(thing)
    bounds = [part.solid.bounds(pose) for part in thing.parts if part.counts]
    known = np.array([each for each in bounds if each is not None]).reshape(-1, 4)
    if not len(known):
        return (math.inf, math.inf, math.inf, math.inf)
    rows, columns = view.size
    low, high = known[:, :2].min(axis=0), known[:, 2:].max(axis=0)
    scale = 2 * view.focal / np.array([columns, rows])
    start = 2 * np.array(view.centre) / np.array([columns, rows]) - 1
    left, top, right, bottom = np.concatenate([low * scale + start, high * scale + start]).tolist()
    return left, top, right, bottom


def _clipped(unclipped: Box) -> Box:
    left, top, right, bottom = (min(max(side, -1.0), 1.0) for side in unclipped)
    return left, top, right, bottom


def _box_3d(thing: Thing, view: View) -> list[float]:
    pose = view.pose(thing)
    extent = np.array(thing.extent)
    x, y, z = in_camera(extent.mean(axis=1)[None], pose)[0].tolist()
    width, height, length = (extent[:, 1] - extent[:, 0]).tolist()
    yaw = (thing.yaw + math.pi) % (2 * math.pi) - math.pi
    return [x, y, z, width, height, length, yaw]


def _flow(world: World, frame: Frame, view: View, then: View, duration: float) -> Tensor:
    """Follow each pixel's point in space to the next frame."""
    rows, columns = view.size
    x = ((np.arange(columns) + 0.5 - view.centre[0]) / view.focal)[None, :]
    y = ((np.arange(rows) + 0.5 - view.centre[1]) / view.focal)[:, None]
    velocity = np.array([*(thing.velocity for thing in world.things), (0.0, 0.0)])
    moved = velocity[frame.thing] * duration
    # The sky is so far away that only the camera's turning moves it.
    depth = np.where(np.isfinite(frame.depth), frame.depth, 1e9)
    ahead = depth + moved[..., 1] - (then.place[2] - view.place[2])
    across = x * depth + moved[..., 0] - (then.place[0] - view.place[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        dx = (across / ahead - x) * view.focal + then.centre[0] - view.centre[0]
        dy = (y * depth / ahead - y) * view.focal + then.centre[1] - view.centre[1]
    flow = np.stack([dx * 2 / columns, dy * 2 / rows])
    flow[:, ahead <= 0] = np.nan
    return torch.from_numpy(flow.astype(np.float32))[None]
