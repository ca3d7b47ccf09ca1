"""Comparison of systems on annotated images, at equal input pixels.

The zooms have a fixed saliency: that of the objects' places in the dataset, as the paper's fixed
saliency. So that no image is zoomed by its own annotations, the images are split into two folds,
and the saliency of each fold is that of the other.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from .. import __version__
from ..adapters.records import to_coco
from ..datasets.coco import AnnotatedImage, AnnotatedImages
from ..geometry import check, saliency
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.merging import Merge
from ..geometry.warp import Warp
from ..metrics import coco
from ..metrics.bootstrap import percentile_interval
from ..models.registry import Network
from ..systems import LZU, Fovea, Sliced, System, Uniform
from ..systems.sliced import tiles_of
from .films import tile_size

ComparedSystem = Literal["uniform", "fovea", "lzu", "sliced", "sliced_native", "crop"]
COMPARED_SYSTEMS: tuple[ComparedSystem, ...] = get_args(ComparedSystem)

TILES: Size = (2, 2)
"""Tiles of "sliced"; the whole image is one more input."""

MERGE: Merge = "nms"
"""How tiles are merged. Merging by "nmm" lets the many boxes of low score, which average precision
needs, widen the others."""

CROP_SHARE = 0.95
"""Share of the objects' edges within the window of "crop", along each side."""

HEIGHTS = (0.0, 0.05, 0.1, 0.2, math.inf)
"""Ends of the ranges of an object's height, as a fraction of the image's height."""

CLEAR_GAIN = 0.02
"""Difference in recall within a range of heights that the advice names."""

FEW = 20
"""Ranges with fewer objects than this are not named in the advice."""


@dataclass(frozen=True)
class Settings:
    """Settings of a comparison.

    Attributes:
        network: name of the network.
        score: minimum score of detections; average precision needs a low one.
        amplitude: weight of each box in the saliency of an image.
        relative_sigma: standard deviation of a box's saliency, in units of the box's sides.
        tile: (rows, columns) of the tiles of "sliced_native" in pixels of the image, which are
            those of the network's input, too.
    """

    network: str
    score: float = 0.05
    amplitude: float = 1.0
    relative_sigma: float = 1.0
    tile: Size = (512, 512)

    def key(self, annotations: Path) -> str:
        """Return a hash of all on which stored results depend: settings, annotations, version."""
        fixed = [asdict(self), TILES, MERGE, CROP_SHARE, __version__]
        digest = hashlib.sha256(json.dumps(fixed).encode() + annotations.read_bytes())
        return digest.hexdigest()[:12]


class Job(NamedTuple):
    """One system at one size on one image, by its place in the dataset."""

    system: ComparedSystem
    size: Size
    place: int


class Comparison:
    """Systems of one network on annotated images.

    Args:
        network: a detector.
        dataset: images with annotations.
        settings: of the systems.
        unzoom: options of :class:`lzu_viz.LZU`, for example those of the network's entry.
        device: of the network, and of the images that the systems get.

    Raises:
        ValueError: there are fewer than two images, so that one would be zoomed by its own
            annotations.
    """

    def __init__(
        self,
        network: Network,
        dataset: AnnotatedImages,
        settings: Settings,
        unzoom: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(dataset) < 2:
            raise ValueError(
                f"a comparison needs at least two images, got {len(dataset)}: the saliency of each "
                "comes from the annotations of others"
            )
        self.network, self.dataset, self.settings = network, dataset, settings
        self.device = torch.device(device)
        self._unzoom = dict(unzoom or {})
        self._systems: dict[tuple[ComparedSystem, Size, int, Size], System] = {}
        self._decode = partial(network.decode, threshold=settings.score)
        self._saliency = [self._fold_saliency(fold) for fold in (0, 1)]
        self._window = [self._fold_window(fold) for fold in (0, 1)]

    def _others(self, fold: int) -> list[AnnotatedImage]:
        """Return the images of the other fold."""
        return list(self.dataset.images[1 - fold :: 2])

    def _fold_saliency(self, fold: int) -> Tensor:
        maps = [
            saliency.from_boxes_scale_free(
                image.boxes, self.settings.amplitude, self.settings.relative_sigma
            )
            for image in self._others(fold)
        ]
        return saliency.normalise(torch.stack(maps).mean(dim=0))

    def _fold_window(self, fold: int) -> Warp:
        boxes = torch.cat([image.boxes for image in self._others(fold)])
        if not len(boxes):
            return Warp.identity((1, 1))
        outside = (1 - CROP_SHARE) / 2
        low = torch.quantile(boxes[:, :2], outside, dim=0).clamp(-1, 0.8)
        high = torch.quantile(boxes[:, 2:], 1 - outside, dim=0).clamp(max=1)
        high = torch.maximum(high, low + 0.2)
        x, y = torch.stack([low, high], dim=-1)
        return Warp.from_axes(x[None], y[None])

    def system(
        self, name: ComparedSystem, size: Sequence[int], fold: int, source: Sequence[int]
    ) -> System:
        """Return a system.

        Args:
            name: one of `COMPARED_SYSTEMS`.
            size: (rows, columns) of the network's input; of "sliced" of all inputs together, and
                without meaning for "sliced_native".
            fold: of the image, 0 or 1.
            source: (rows, columns) of the image.
        """
        check.one_of(name, COMPARED_SYSTEMS, "system")
        # A system keeps what it computed for its warp.
        key = name, check.size(size), fold, check.size(source, "source")
        if key not in self._systems:
            self._systems[key] = self._new_system(*key).to(self.device)
        return self._systems[key]

    def _new_system(self, name: ComparedSystem, size: Size, fold: int, source: Size) -> System:
        network = self.network
        if name == "uniform":
            return Uniform.from_network(network, size=size)
        if name == "fovea":
            warp = Warp.from_saliency(self._saliency[fold])
            return Fovea.from_network(network, warp, size=size)
        if name == "lzu":
            warp = Warp.from_saliency(self._saliency[fold])
            return LZU.from_network(network, warp, size=size, **self._unzoom)
        if name == "crop":
            return Fovea.from_network(network, self._window[fold], size=size)
        if name == "sliced":
            own = tile_size(size, math.prod(TILES) + 1)
            return Sliced.from_network(network, size=own, tiles=TILES, merge=MERGE)
        tiles = tiles_of(source, self.settings.tile)
        return Sliced.from_network(
            network,
            size=self.settings.tile,
            tiles=tiles,
            with_whole=tiles != (1, 1),
            merge=MERGE,
        )

    def detect(
        self, name: ComparedSystem, size: Sequence[int], fold: int, image: Tensor
    ) -> Detections:
        """Return the detections of a system in an image `1 3 h w`; see :meth:`system`."""
        system = self.system(name, size, fold, image.shape[-2:])
        (found,) = system.detect(image, self._decode)
        return found

    def input_pixels(self, name: ComparedSystem, size: Sequence[int]) -> int:
        """Return the number of pixels of the network's inputs for the first image."""
        system = self.system(name, size, 0, self.dataset.images[0].size)
        return system.input_pixels if isinstance(system, Sliced) else math.prod(system.size)

    @torch.no_grad()
    def run(self, jobs: Iterable[Job]) -> Iterator[dict[str, Any]]:
        """Yield the record of each job: the job, and COCO's records of its results.

        Args:
            jobs: those of one image one after another, as each image is loaded once for them.
        """
        loaded: tuple[int, Tensor] | None = None
        categories = self.dataset.categories
        for job in jobs:
            image = self.dataset.images[job.place]
            if loaded is None or loaded[0] != job.place:
                loaded = job.place, image.load().to(self.device)
            found = self.detect(job.system, job.size, job.place % 2, loaded[1])
            known = torch.tensor([int(label) in categories for label in found.labels]).bool()
            found = Detections(*(field.cpu()[known] for field in found))
            ids = [categories.get(label, 0) for label in range(len(self.network.classes))]
            yield {
                "system": job.system,
                "size": [*job.size],
                "place": job.place,
                "results": _rounded(to_coco(found, image.size, image.image_id, ids)),
            }


def summarise_systems(
    dataset: AnnotatedImages, records: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the metrics of each system at each size, with its gain over "uniform" if there is one.

    Args:
        dataset: images with annotations.
        records: of :meth:`Comparison.run`, of all images.
    """
    results: dict[tuple[str, Size], list[Mapping[str, Any]]] = {}
    for record in records:
        key = record["system"], check.size(record["size"])
        results.setdefault(key, []).extend(record["results"])
    matched = {key: coco.match(dataset.dataset, found) for key, found in results.items()}
    resampled = {key: coco.resampled_ap(each) for key, each in matched.items()}
    heights = relative_heights(dataset)
    rows = []
    for (system, size), each in matched.items():
        row: dict[str, Any] = {"system": system, "size": [*size], **coco.summary(each)._asdict()}
        row["recall by height"] = coco.recall_by_height(each, heights, HEIGHTS)
        baseline = matched.get(("uniform", size))
        if baseline is not None and system != "uniform":
            row["gain"] = row["ap"] - coco.summary(baseline).ap
            low, high = percentile_interval(resampled[system, size] - resampled["uniform", size])
            row["gain interval"] = [float(low), float(high)]
        rows.append(row)
    return rows


def relative_heights(dataset: AnnotatedImages) -> dict[int, float]:
    """Return the height of each object as a fraction of its image's height, by annotation."""
    rows = {image.image_id: image.size[0] for image in dataset}
    return {
        each["id"]: each["bbox"][3] / rows[each["image_id"]]
        for each in dataset.dataset["annotations"]
        if not each["iscrowd"]
    }


def advice(dataset: AnnotatedImages, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return sentences that say at which sizes, and for which objects, zooming helps.

    Args:
        dataset: images with annotations.
        rows: of :func:`summarise_systems`.
    """
    heights = sorted(relative_heights(dataset).values())
    if not heights:
        return ["There are no objects of the network's classes."]
    lines = [
        f"Half of the {len(heights)} objects are shorter than {heights[len(heights) // 2]:.1%} "
        "of their image's height."
    ]
    uniform = {tuple(row["size"]): row for row in rows if row["system"] == "uniform"}
    for size, baseline in uniform.items():
        zooms = [
            row for row in rows
            if tuple(row["size"]) == size and row["system"] in ("fovea", "lzu")
            and not math.isnan(row["ap"])
        ]  # fmt: skip
        if not zooms:
            continue
        best = max(zooms, key=lambda row: float(row["ap"]))
        low, high = best["gain interval"]
        verdict = "zooming helps" if low > 0 else "zooming harms" if high < 0 else (
            "there is no clear difference"
        )  # fmt: skip
        line = (
            f"At {size[0]} x {size[1]} pixels {verdict}: the AP of {best['system']} is "
            f"{best['ap']:.3f}, that of uniform {baseline['ap']:.3f} (95 % interval of the "
            f"difference {low:+.3f} to {high:+.3f})."
        )
        lines.append(line + _by_height(best, baseline))
    return lines


def _by_height(best: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """Return the ranges of heights in which the recall of two systems differs clearly."""
    gains: dict[str, list[str]] = {"gains": [], "loses": []}
    pairs = zip(best["recall by height"], baseline["recall by height"], strict=True)
    for (low, high), ((count, recall), (_, other)) in zip(pairwise(HEIGHTS), pairs, strict=True):
        if count >= FEW and abs(recall - other) >= CLEAR_GAIN:
            kind = "gains" if recall > other else "loses"
            gains[kind].append(f"{height_range(low, high)} ({recall - other:+.2f})")
    parts = [f"{kind} recall for objects of {', '.join(of)}" for kind, of in gains.items() if of]
    return f" It {' and '.join(parts)} of the height." if parts else ""


def height_range(low: float, high: float) -> str:
    """Return a range of relative heights in words.

    Example:
        >>> height_range(0.05, 0.1), height_range(0.2, math.inf)
        ('5 to 10 %', 'over 20 %')
    """
    if math.isinf(high):
        return f"over {low * 100:.0f} %"
    if not low:
        return f"under {high * 100:.0f} %"
    return f"{low * 100:.0f} to {high * 100:.0f} %"


def _rounded(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **each,
            "bbox": [round(value, 2) for value in each["bbox"]],
            "score": round(each["score"], 4),
        }
        for each in results
    ]
