"""`python -m lzu_viz.bench zoom`: run time of making a warp, of zooming and of unzooming.

The reference for zooming is uniform downsampling, `F.interpolate` with antialiasing. Zooms by area
means (of a separable warp) and by a mipmap (of any warp) are timed with a new warp in each call,
and with a warp whose maps for this image size are cached. The error is measured against means of
16 x 16 samples per pixel, on a zone plate: rings whose period falls outwards to two pixels.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from kornia.geometry.transform import build_pyramid
from torch import Tensor
from torch.nn import functional as F

from ..geometry import saliency
from ..geometry.resampling import sample
from ..geometry.warp import Warp
from .official import Official
from .report import Progress, report, table
from .timing import medians

PIECES, FWHM = (26, 47), 10
"""Settings of the official code; its fwhm is in nodes."""

ZOOMS = (
    ((256, 512), (128, 256)), ((1024, 1024), (256, 256)), ((900, 1600), (225, 400)),
    ((900, 1600), (450, 800)), ((854, 1280), (256, 384)), ((854, 1280), (160, 224)),
)  # fmt: skip
"""(rows, columns) of source and zoomed image."""

UNZOOMS = (((64, 128), (64, 128)), ((64, 128), (128, 256)), ((64, 128), (256, 512)))
"""(rows, columns) of feature maps before and after unzooming."""

CHANNELS = 256
FINEST = 4
"""Samples along each side of a pixel, for means by supersampling."""

PLATE, SEEN, REFERENCE = 1024, 256, 16
"""Side of the zone plate and of its zoomed image, and samples along each side of a pixel of the
reference."""


def run(official: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        official: a checkout of the official code.
        rounds: number of timed rounds.

    Returns:
        A report; times in seconds.
    """
    official_code = Official(official) if official else None
    progress = Progress(5 + 8 * len(ZOOMS) + 3 * len(UNZOOMS))
    rows = [
        *_grids(official_code, rounds, progress),
        *_zooms(rounds, progress),
        *_unzooms(rounds, progress),
    ]
    progress.step("zone plate")
    errors = _errors()
    progress.close()
    return report("zoom", rows, {}, threads=torch.get_num_threads(), errors=errors)


def _saliency_map() -> Tensor:
    """Return a saliency map with one Gaussian, `1 1 27 48`."""
    spot = saliency.gaussian(torch.tensor([[[0.3, 0.1]]]), 0.1, size=(27, 48))
    return saliency.mix(saliency.uniform((27, 48)), spot)


def _grids(official_code: Official | None, rounds: int, progress: Progress) -> list[dict[str, Any]]:
    """Return the times of making a grid from saliency."""
    saliency_map, rows = _saliency_map(), []
    fwhm = (FWHM / saliency_map.shape[-2], FWHM / saliency_map.shape[-1])
    for separable in (True, False):
        contenders: dict[str, Callable[[], object]] = {
            "ours": partial(Warp.from_saliency, saliency_map, PIECES, fwhm, separable)
        }
        if official_code:
            contenders["official"] = official_code.grid_maker(saliency_map, FWHM, separable)
        what = f"grid from saliency, {'separable' if separable else 'non-separable'}"
        rows.append(
            {"what": what, "unit": "ours", "seconds": medians(contenders, rounds, progress, what)}
        )
    return rows


def _zooms(rounds: int, progress: Progress) -> list[dict[str, Any]]:
    """Return the times of zooming an image."""
    rows = []
    for source, size in ZOOMS:
        warp = Warp.from_saliency(_saliency_map())
        general = Warp.from_grid(warp.grid)
        image, points = torch.rand(1, 3, *source), warp.source_map(size)
        fine_map = warp.source_map((size[0] * FINEST, size[1] * FINEST))
        contenders: dict[str, Callable[[], object]] = {
            "uniform": partial(F.interpolate, image, size, mode="bilinear", antialias=True),
            "means": partial(warp.zoom, image, size),
            "means, new warp": partial(_zoom_uncached, warp, image, size),
            "mipmap": partial(general.zoom, image, size),
            "mipmap, new warp": partial(_zoom_uncached, general, image, size),
            "one sample": partial(F.grid_sample, image, points, align_corners=False),
            f"{FINEST}x{FINEST} samples": partial(_supersampled, image, fine_map, FINEST),
            "kornia's pyramid": partial(build_pyramid, image, 4),
        }
        what = f"zoom {source[0]}x{source[1]} to {size[0]}x{size[1]}"
        seconds = medians(contenders, rounds, progress, what)
        rows.append({"what": what, "unit": "uniform", "seconds": seconds})
    return rows


def _zoom_uncached(warp: Warp, image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the zoomed image, computed with an empty cache."""
    return Warp(warp.grid, warp.axes).zoom(image, size)


def _supersampled(image: Tensor, points: Tensor, samples: int) -> Tensor:
    sampled = F.grid_sample(image, points, padding_mode="border", align_corners=False)
    return F.avg_pool2d(sampled, samples)


def zone_plate(side: int) -> Tensor:
    """Return rings of period side / r pixels at r pixels from the centre: `1 1 side side`."""
    along = torch.arange(side) + 0.5 - side / 2
    rings = torch.cos(torch.pi / side * (along**2 + along[:, None] ** 2))
    return (rings[None, None] + 1) / 2


def _errors() -> dict[str, float]:
    """Return the root mean square errors of the zooms of a zone plate, by name."""
    plate, size = zone_plate(PLATE), (SEEN, SEEN)
    warp = Warp.from_saliency(_saliency_map())
    points = warp.source_map((SEEN * REFERENCE, SEEN * REFERENCE))
    expected = _supersampled(plate, points, REFERENCE)
    zoomed = {
        "means": warp.zoom(plate, size),
        "mipmap": Warp.from_grid(warp.grid).zoom(plate, size),
        "one sample": warp.zoom(plate, size, antialias=False),
    }
    return {
        name: float((image - expected).square().mean().sqrt()) for name, image in zoomed.items()
    }


def _unzooms(rounds: int, progress: Progress) -> list[dict[str, Any]]:
    """Return the times of unzooming features, in both memory layouts, with a cached inverse."""
    rows = []
    for size, unzoomed_size in UNZOOMS:
        warp = Warp.from_saliency(_saliency_map())
        points, features = warp.zoomed_map(unzoomed_size), torch.rand(1, CHANNELS, *size)
        channels_last = features.contiguous(memory_format=torch.channels_last)
        contenders: dict[str, Callable[[], object]] = {
            "grid_sample": partial(F.grid_sample, features, points, align_corners=False),
            "ours": partial(sample, features, points),
            "ours, channels last": partial(sample, channels_last, points),
        }
        what = f"unzoom {size[0]}x{size[1]} to {unzoomed_size[0]}x{unzoomed_size[1]}"
        seconds = medians(contenders, rounds, progress, what)
        rows.append({"what": what, "unit": "grid_sample", "seconds": seconds})
    return rows


def text(result: Mapping[str, Any]) -> str:
    """Format a report as tables of ratios and milliseconds."""
    parts = []
    for row in result["rows"]:
        unit = row["seconds"][row["unit"]]
        lines = [
            [name, f"{seconds / unit:.2f}", f"{seconds * 1e3:.2f}"]
            for name, seconds in row["seconds"].items()
        ]
        parts.append("\n" + table([row["what"], f"/ {row['unit']}", "ms"], lines))
    errors = [[name, f"{error:.4f}"] for name, error in result["errors"].items()]
    parts.append("\n" + table([f"zone plate {PLATE} to {SEEN}", "rms error"], errors))
    return "\n".join([f"{result['threads']} threads", *parts])
