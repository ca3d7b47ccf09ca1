"""Datasets of driving scenes for training and evaluation, rendered once and cached on disk."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._extras import needs
from . import driving as scenes
from .driving import SIZE, driving

FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""First seed of each of three disjoint splits: for training, validation and testing."""

FRAME_SECONDS = 0.2
"""Seconds between a scene and its previous frame, for saliency based on earlier detections."""

FORMAT = 1
"""Version of the file format, to be incremented when it changes."""

_AT_ONCE = 8


class GroundTruth(NamedTuple):
    """Ground truth of one scene, as in `Street`.

    Attributes:
        boxes: `n 4`, xyxy in [-1, 1].
        labels: `n`, class indices.
        boxes_3d: `n 7`, in the camera's frame.
        previous_boxes: `m 4`, boxes in the previous frame, `FRAME_SECONDS` earlier; empty if not
            requested.
        camera: (focal length, x, y of the principal point), in pixels.
    """

    boxes: Tensor
    labels: Tensor
    boxes_3d: Tensor
    previous_boxes: Tensor
    camera: Tensor


@dataclass(frozen=True, eq=False)
class Streets:
    """Dataset of driving scenes on disk.

    Attributes:
        images: `n h w 3`, uint8, memory-mapped.
        semantic_mask: `n h w`, uint8, memory-mapped.
        ground_truth: ground truth of each scene.
    """

    images: NDArray[np.uint8]
    semantic_mask: NDArray[np.uint8]
    ground_truth: Sequence[GroundTruth]

    def __len__(self) -> int:
        """Return the number of scenes."""
        return len(self.ground_truth)

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of the images."""
        return self.images.shape[1], self.images.shape[2]

    def image(self, scenes: Sequence[int] | NDArray[np.intp]) -> Tensor:
        """Return the images of some scenes, `b 3 h w` in 0..1."""
        array = np.ascontiguousarray(self.images[np.asarray(scenes)])
        return torch.from_numpy(array).permute(0, 3, 1, 2).float().div_(255)

    def area(self, scenes: Sequence[int] | NDArray[np.intp]) -> Tensor:
        """Return the semantic masks of some scenes, `b h w`, uint8."""
        return torch.from_numpy(np.ascontiguousarray(self.semantic_mask[np.asarray(scenes)]))

    def part(self, scenes: Sequence[int]) -> "Streets":
        """Return a subset of the scenes."""
        chosen = list(scenes)
        ground_truth = [self.ground_truth[scene] for scene in chosen]
        return Streets(self.images[chosen], self.semantic_mask[chosen], ground_truth)


def folder() -> Path:
    """Return the cache folder: ``LZU_VIZ_CACHE`` if set, else a folder in the user's cache."""
    chosen = os.environ.get("LZU_VIZ_CACHE")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(cache) / "lzu_viz"


def streets(
    split: str,
    count: int,
    preset: str = "far",
    *,
    size: tuple[int, int] = SIZE,
    seconds: float = 0.0,
    previous_boxes: bool = True,
    quiet: bool = False,
) -> Streets:
    """Return scenes of a split from the cache; if missing, they are first rendered on all cores.

    Args:
        split: one of `FIRST_SEED`.
        count: number of scenes; each takes half a megabyte on disk at the default size.
        preset: name of a preset, one of `driving.PRESETS`.
        size: (rows, columns) of the images.
        seconds: time of the scenes, see `driving`; previous frames are ``FRAME_SECONDS`` earlier.
        previous_boxes: whether to compute the boxes of the previous frames, a quarter of the time.
        quiet: whether to hide the progress bar.

    Raises:
        ValueError: there is no such split, or ``count`` is below 1.
    """
    if split not in FIRST_SEED or count < 1:
        raise ValueError(
            f"expected a split of {sorted(FIRST_SEED)} and a count of at least 1, "
            f"got {split!r} and {count}"
        )
    options = {"split": split, "count": count, "preset": preset, "size": size, "seconds": seconds,
            "before": previous_boxes}  # fmt: skip
    version = [FORMAT, FIRST_SEED[split], FRAME_SECONDS, _source()]
    name = hashlib.sha256(json.dumps([options, version]).encode()).hexdigest()[:16]
    path = folder() / f"streets-{split}-{preset}-{count}-{name}"
    if not path.is_dir():
        _draw(path, options, quiet)
    return _read(path)


def _source() -> str:
    """Return the hash of the rendering code, so that a change of it invalidates the cache."""
    package = Path(scenes.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _draw(path: Path, options: dict[str, Any], quiet: bool) -> None:
    """Render the scenes into a temporary folder, which is renamed once it is complete."""
    with needs("notebooks"):
        from tqdm.auto import tqdm
    path.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{path.name}.", dir=path.parent))
    count, size = options["count"], tuple(options["size"])
    try:
        for name, shape in (("images", (count, *size, 3)), ("areas", (count, *size))):
            np.lib.format.open_memmap(part / f"{name}.npy", "w+", np.uint8, shape)
        with (
            _workers(count) as pool,
            tqdm(total=count, desc=f"streets ({options['split']})", unit="scene",
                 disable=quiet, leave=False) as bar,
        ):  # fmt: skip
            parts, map_chunks = [], (map if pool is None else pool.map)
            for chunk in map_chunks(partial(_draw_some, part, options), range(0, count, _AT_ONCE)):
                parts.append(chunk)
                bar.update(len(chunk["counts"]))
        np.savez(part / "truth.npz", **_joined(parts))
        part.rename(path)
    except OSError:
        if not path.is_dir():  # another process may have rendered the same scenes
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _workers(count: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Return a pool of one process per core, or None for few scenes, to save the start-up time."""
    if count <= 4 * _AT_ONCE:
        return nullcontext()
    # Processes are spawned, as forking a process with torch threads may hang. Each has one thread,
    # as more would compete for the same cores.
    return ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,))


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, Any]:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _draw_some(part: Path, options: dict[str, Any], start: int) -> dict[str, NDArray[Any]]:
    """Render a few scenes into the files, and return their ground truth."""
    images = np.lib.format.open_memmap(part / "images.npy", "r+")
    semantic_mask = np.lib.format.open_memmap(part / "areas.npy", "r+")
    ground_truth = []
    for index in range(start, min(start + _AT_ONCE, options["count"])):
        seed = FIRST_SEED[options["split"]] + index
        street = driving(seed, options["preset"], size=options["size"], seconds=options["seconds"])
        previous_boxes = street.boxes[:0]
        if options["before"]:
            previous_boxes = previous_boxes_of(
                seed, options["preset"], options["size"], options["seconds"] - FRAME_SECONDS
            )
        images[index] = (street.image[0].permute(1, 2, 0) * 255).round().byte().numpy()
        semantic_mask[index] = street.semantic_mask[0].numpy()
        focal, x, y = street.camera.intrinsics[0, [0, 0, 1], [0, 2, 2]].tolist()
        ground_truth.append(
            {
                "counts": np.array([len(street.boxes)]),
                "boxes": street.boxes.numpy(),
                "labels": street.labels.numpy(),
                "boxes_3d": street.boxes_3d.numpy(),
                "counts_before": np.array([len(previous_boxes)]),
                "before": previous_boxes.numpy(),
                "camera": np.array([[focal, x, y]], np.float32),
            }
        )
    return _joined(ground_truth)


def previous_boxes_of(seed: int, preset: str, size: tuple[int, int], seconds: float) -> Tensor:
    """Return the true boxes of a scene at another time, rendered at a reduced size for speed."""
    rows, columns = size
    # The aspect ratio must be preserved, as the field of view depends on it.
    factor = next(
        factor
        for factor in (4, 3, 2, 1)
        if not (rows % factor or columns % factor) and rows >= 16 * factor
    )
    return driving(seed, preset, size=(rows // factor, columns // factor), seconds=seconds).boxes


def _read(path: Path) -> Streets:
    images, semantic_mask = (
        np.load(path / f"{name}.npy", mmap_mode="r") for name in ("images", "areas")
    )
    with np.load(path / "truth.npz") as file:
        flat = {key: torch.from_numpy(file[key]) for key in file.files}
    return Streets(images, semantic_mask, list(_truth(flat)))


def _truth(flat: dict[str, Tensor]) -> Iterator[GroundTruth]:
    counts, previous_counts = flat["counts"].tolist(), flat["counts_before"].tolist()
    parts = [flat[key].split(counts) for key in ("boxes", "labels", "boxes_3d")]
    for row in zip(*parts, flat["before"].split(previous_counts), flat["camera"], strict=True):
        yield GroundTruth(*row)
