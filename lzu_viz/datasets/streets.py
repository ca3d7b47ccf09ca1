"""Many driving scenes, drawn once and kept on disk: what the networks are trained and judged on."""

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

FIRST_SEED = {"train": 0, "choose": 1_000_000, "report": 2_000_000}
"""Three splits that share no scene: to train on, to choose settings on, to report figures on."""

BEFORE = 0.2
"""Seconds between a scene and the frame before it, for saliency that follows what was seen last."""

FORMAT = 1
"""Of the files; to be raised when they are written differently."""

_AT_ONCE = 8


class GroundTruth(NamedTuple):
    """What is true of one scene, as in `Street`.

    Attributes:
        boxes: `n 4`, xyxy in [-1, 1].
        labels: `n`.
        boxes_3d: `n 7`.
        previous_boxes: `m 4`, the boxes in the frame before, `BEFORE` seconds ago; none if not
            asked for.
        camera: (focal, x, y) in pixels.
    """

    boxes: Tensor
    labels: Tensor
    boxes_3d: Tensor
    previous_boxes: Tensor
    camera: Tensor


@dataclass(frozen=True, eq=False)
class Streets:
    """Scenes on disk.

    Attributes:
        images: `n h w 3`, uint8, mapped from the disk.
        semantic_mask: `n h w`, uint8, likewise.
        ground_truth: one a scene.
    """

    images: NDArray[np.uint8]
    semantic_mask: NDArray[np.uint8]
    ground_truth: Sequence[GroundTruth]

    def __len__(self) -> int:
        """Return how many scenes there are."""
        return len(self.ground_truth)

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of the pictures."""
        return self.images.shape[1], self.images.shape[2]

    def image(self, scenes: Sequence[int] | NDArray[np.intp]) -> Tensor:
        """Read pictures: `b 3 h w` in 0..1."""
        array = np.ascontiguousarray(self.images[np.asarray(scenes)])
        return torch.from_numpy(array).permute(0, 3, 1, 2).float().div_(255)

    def area(self, scenes: Sequence[int] | NDArray[np.intp]) -> Tensor:
        """Read semantic masks: `b h w`, uint8."""
        return torch.from_numpy(np.ascontiguousarray(self.semantic_mask[np.asarray(scenes)]))

    def part(self, scenes: Sequence[int]) -> "Streets":
        """Return some of the scenes."""
        chosen = list(scenes)
        ground_truth = [self.ground_truth[scene] for scene in chosen]
        return Streets(self.images[chosen], self.semantic_mask[chosen], ground_truth)


def folder() -> Path:
    """Return where scenes are kept: ``LZU_VIZ_CACHE``, or else the user's folder for caches."""
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
    """Return scenes of a split; those that are missing are drawn on all cores, with a progress bar.

    Args:
        split: one of `FIRST_SEED`.
        count: how many; half a megabyte each.
        preset: of `scenes.driving.PRESETS`.
        size: (rows, columns).
        seconds: when, see `driving`; the frames before are at ``-BEFORE``.
        previous_boxes: whether the boxes of the frame before are asked for, a quarter of the work.
        quiet: whether the progress bar is left out.

    Raises:
        ValueError: there is no such split, or no scene is wanted.
    """
    if split not in FIRST_SEED or count < 1:
        raise ValueError(
            f"wanted a split of {sorted(FIRST_SEED)} and at least one scene, "
            f"got {split!r} and {count}"
        )
    what = {"split": split, "count": count, "preset": preset, "size": size, "seconds": seconds,
            "before": previous_boxes}  # fmt: skip
    made_by = [FORMAT, FIRST_SEED[split], BEFORE, _source()]
    name = hashlib.sha256(json.dumps([what, made_by]).encode()).hexdigest()[:16]
    kept = folder() / f"streets-{split}-{preset}-{count}-{name}"
    if not kept.is_dir():
        _draw(kept, what, quiet)
    return _read(kept)


def _source() -> str:
    """Return the hash of the code that draws: other code, other scenes."""
    here = Path(scenes.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(here.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _draw(kept: Path, what: dict[str, Any], quiet: bool) -> None:
    """Draw into a folder beside, which gets its name only when it is whole."""
    with needs("notebooks"):
        from tqdm.auto import tqdm
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
    count, size = what["count"], tuple(what["size"])
    try:
        for name, shape in (("images", (count, *size, 3)), ("areas", (count, *size))):
            np.lib.format.open_memmap(part / f"{name}.npy", "w+", np.uint8, shape)
        with (
            _workers(count) as pool,
            tqdm(total=count, desc=f"streets ({what['split']})", unit="scene",
                 disable=quiet, leave=False) as bar,
        ):  # fmt: skip
            parts, each = [], (map if pool is None else pool.map)
            for some in each(partial(_draw_some, part, what), range(0, count, _AT_ONCE)):
                parts.append(some)
                bar.update(len(some["counts"]))
        np.savez(part / "truth.npz", **_joined(parts))
        part.rename(kept)
    except OSError:
        if not kept.is_dir():  # another process may have been quicker
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _workers(count: int) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Return one process a core; none for so few scenes that starting them would take longer."""
    if count <= 4 * _AT_ONCE:
        return nullcontext()
    # Spawned, not forked: a fork of a process in which torch has threads may hang. One thread each:
    # more would wait for one another.
    return ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), torch.set_num_threads, (1,))


def _joined(parts: Sequence[dict[str, NDArray[Any]]]) -> dict[str, Any]:
    return {key: np.concatenate([each[key] for each in parts]) for key in parts[0]}


def _draw_some(part: Path, what: dict[str, Any], start: int) -> dict[str, NDArray[Any]]:
    """Draw a few scenes into the files, and give what is true of them."""
    images = np.lib.format.open_memmap(part / "images.npy", "r+")
    semantic_mask = np.lib.format.open_memmap(part / "areas.npy", "r+")
    ground_truth = []
    for index in range(start, min(start + _AT_ONCE, what["count"])):
        seed = FIRST_SEED[what["split"]] + index
        street = driving(seed, what["preset"], size=what["size"], seconds=what["seconds"])
        previous_boxes = street.boxes[:0]
        if what["before"]:
            previous_boxes = previous_boxes_of(
                seed, what["preset"], what["size"], what["seconds"] - BEFORE
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
    """Return the true boxes of a scene at another time; drawn small, as boxes know no pixels."""
    rows, columns = size
    # The shape must stay, as it says how much is in view.
    by = next(by for by in (4, 3, 2, 1) if not (rows % by or columns % by) and rows >= 16 * by)
    return driving(seed, preset, size=(rows // by, columns // by), seconds=seconds).boxes


def _read(kept: Path) -> Streets:
    images, semantic_mask = (
        np.load(kept / f"{name}.npy", mmap_mode="r") for name in ("images", "areas")
    )
    with np.load(kept / "truth.npz") as file:
        flat = {key: torch.from_numpy(file[key]) for key in file.files}
    return Streets(images, semantic_mask, list(_truth(flat)))


def _truth(flat: dict[str, Tensor]) -> Iterator[GroundTruth]:
    counts, previous_counts = flat["counts"].tolist(), flat["counts_before"].tolist()
    parts = [flat[key].split(counts) for key in ("boxes", "labels", "boxes_3d")]
    for row in zip(*parts, flat["before"].split(previous_counts), flat["camera"], strict=True):
        yield GroundTruth(*row)
