"""`python -m lzu_viz.bench inverse`: run time of the inverse of a warp, compared with others.

Each implementation computes the inverse at every pixel of an image, on the same control grid. The
reference is `grid_sample` of a map of 256 channels of that size, which unzooming needs anyway.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from ..geometry import saliency
from ..geometry.inverse.invert import invert_pixels
from ..geometry.threads import threads
from ..geometry.warp import Warp
from ..plots.timings import show_inverses
from .official import Official
from .report import CannotRun, Progress, report, table
from .timing import loaded, medians, peak_mb

SIZES = ((32, 64), (64, 128), (128, 256), (256, 512), (900, 1600))
BATCHES = (1, 4)
PIECES, FWHM = (26, 47), (10 / 27, 10 / 48)
"""Settings of the official code."""

STRIDES = (8, 16, 32, 64, 128)
CHANNELS = 256
LARGEST_MAP = 2 << 30
"""Largest feature map that is sampled, in bytes."""

DETAIL_SIZE = (256, 512)
"""(rows, columns) at which gradients and errors are measured."""

POINTS = 20
"""Number of points for which the reference of the tests is timed; it inverts one at a time."""

SLOWEST_AT = {"scikit-image": (128, 256), "scipy": (256, 512)}
"""Largest size at which these libraries are timed; they need minutes for larger ones."""

ORACLES = Path(__file__).parents[2] / "tests" / "oracles.py"


def run(official: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        official: a checkout of the official code.
        rounds: number of timed rounds.

    Returns:
        A report; times in seconds, memory in MiB.
    """
    official_code = Official(official) if official else None
    saliency_maps = _saliency_maps(official_code)
    counts = sorted({1, os.cpu_count() or 1})
    progress = Progress(len(counts) * (2 * len(saliency_maps) * len(SIZES) * len(BATCHES) * 5))
    rows = [
        row
        for count in counts
        for name, saliency_map in saliency_maps.items()
        for separable in (True, False)
        for row in _rows(name, saliency_map, separable, count, official_code, rounds, progress)
    ]
    name, saliency_map = next(iter(saliency_maps.items()))
    warp = Warp.from_saliency(saliency_map, PIECES, FWHM, separable=False)
    with threads(1):
        more = {
            "pyramid": _pyramid(warp, official_code, rounds, progress),
            "gradient": _gradient(warp, rounds, progress),
            "memory": _memory(warp, official_code, progress),
            "error": {
                label: _error(_warp(values, False)) for label, values in saliency_maps.items()
            },
        }
    progress.close()
    return report("inverse", rows, {}, look=name, **more)


def _saliency_maps(official_code: Official | None) -> dict[str, Tensor]:
    """Return saliency maps by name: one like a driving data set's, and one with a strong zoom."""
    if official_code:
        driving = {"nuScenes": official_code.saliency()}
    else:
        road = saliency.gaussian(torch.tensor([[[0.0, 0.05]]]), (0.08, 0.3), size=(27, 48))
        driving = {"road": saliency.mix(saliency.uniform((27, 48)), road)}
    spot = saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), 0.05, size=(27, 48))
    strong = saliency.mix(saliency.uniform((27, 48)), spot, weights=(1, 300))
    return {**driving, "strong": strong}


def _warp(saliency_map: Tensor, separable: bool) -> Warp:
    return Warp.from_saliency(saliency_map, PIECES, FWHM, separable)


def _rows(
    name: str,
    saliency_map: Tensor,
    separable: bool,
    count: int,
    official_code: Official | None,
    rounds: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Return the times of all implementations for one saliency map, per size and batch size."""
    rows = []
    for batch in BATCHES:
        warp = _warp(saliency_map.expand(batch, -1, -1, -1), separable)
        for size in SIZES:
            contenders: dict[str, Callable[[], object]] = {"ours": partial(_ours, warp, size)}
            # Its memory grows with the number of cells times the largest cell: too much at the
            # largest size.
            if official_code and (name != "strong" or size <= DETAIL_SIZE):
                contenders["official"] = partial(official_code.invert, warp.grid, size, separable)
            if batch == 1 and count == 1 and not separable:
                contenders |= _general(warp, size)
            # Maps that are too large for the memory are sampled with fewer channels.
            parts = -(-batch * size[0] * size[1] * CHANNELS * 4 // LARGEST_MAP)
            features = torch.rand(batch, CHANNELS // parts, *size)
            points = warp.zoomed_map(size)
            contenders["sample"] = partial(F.grid_sample, features, points, align_corners=False)
            what = f"{name} {'separable' if separable else 'full'} {size[0]}x{size[1]} x{batch}"
            with threads(count):
                seconds = medians(contenders, rounds, progress, what)
            seconds["sample"] *= CHANNELS / features.shape[1]
            if batch == 1 and count == 1 and not separable and ORACLES.is_file():
                seconds["obvious"] = _reference_seconds(warp, size)
            rows.append(
                {"look": name, "separable": separable, "threads": count, "batch": batch,
                 "size": list(size), "seconds": seconds}
            )  # fmt: skip
    return rows


def _ours(warp: Warp, size: tuple[int, int]) -> Tensor:
    """Return the inverse, computed with an empty cache."""
    warp._memory.clear()
    return warp.zoomed_map(size)


def _ours_levels(warp: Warp, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Return the inverse at several sizes, computed in one call with an empty cache."""
    warp._memory.clear()
    return warp.zoomed_maps(sizes)


def _general(warp: Warp, size: tuple[int, int]) -> dict[str, Callable[[], object]]:
    """Return inverses by general libraries, which interpolate linearly on triangles of nodes."""
    try:
        from scipy.interpolate import LinearNDInterpolator
        from skimage.transform import PiecewiseAffineTransform
    except ModuleNotFoundError as error:
        raise CannotRun(
            f"{error}; the inverse is compared with scipy and scikit-image: "
            "pip install 'lzu_viz[test]'"
        ) from error
    nodes = warp.grid[0].flatten(0, 1).numpy()
    positions = Warp.identity(warp.pieces).grid[0].flatten(0, 1).numpy()
    centres = Warp.identity((1, 1)).source_map(size)[0].flatten(0, 1).numpy()

    def scipy() -> object:
        return LinearNDInterpolator(nodes, positions)(centres)

    def skimage() -> object:
        transform: Any = PiecewiseAffineTransform.from_estimate(nodes, positions)  # type: ignore[no-untyped-call]
        return transform(centres)

    inverses = {"scipy": scipy, "scikit-image": skimage}
    return {name: inverse for name, inverse in inverses.items() if size <= SLOWEST_AT[name]}


def _reference_seconds(warp: Warp, size: tuple[int, int]) -> float:
    """Return the seconds of the tests' reference for all pixels, extrapolated from a few points."""
    oracles = loaded(ORACLES)
    points = np.random.default_rng(0).uniform(-1, 1, (POINTS, 2))
    grid = warp.grid[0].double().numpy()
    started = time.perf_counter()
    for point in points:
        oracles.invert_point(grid, point)
    return (time.perf_counter() - started) / POINTS * size[0] * size[1]


def _pyramid(
    warp: Warp, official_code: Official | None, rounds: int, progress: Progress
) -> dict[str, float]:
    """Return the times of the inverse for all levels of a pyramid over 900 x 1600."""
    sizes = [(-(-SIZES[-1][0] // stride), -(-SIZES[-1][1] // stride)) for stride in STRIDES]
    contenders: dict[str, Callable[[], object]] = {
        "ours, one query": lambda: _ours_levels(warp, sizes),
        "ours, a call a level": lambda: [_ours(warp, size) for size in sizes],
    }
    if official_code:
        contenders["official"] = lambda: [
            official_code.invert(warp.grid, size, False) for size in sizes
        ]
    return medians(contenders, rounds, progress, "pyramid")


def _gradient(warp: Warp, rounds: int, progress: Progress) -> dict[str, float]:
    """Return the times of forward and backward passes, and the error of float32 gradients."""
    nodes = warp.grid.clone().requires_grad_()
    features = torch.rand(1, CHANNELS, *DETAIL_SIZE, requires_grad=True)
    points = warp.zoomed_map(DETAIL_SIZE).clone().requires_grad_()

    def ours() -> None:
        (zoomed,) = invert_pixels(nodes, [DETAIL_SIZE])
        zoomed.backward(torch.ones_like(zoomed))

    def sampled() -> None:
        sampled_map = F.grid_sample(features, points, align_corners=False)
        sampled_map.backward(torch.ones_like(sampled_map))

    seconds = medians({"ours": ours, "sample": sampled}, rounds, progress, "gradient")
    gradients = []
    for dtype in (torch.float32, torch.float64):
        grid = warp.grid.to(dtype, copy=True).requires_grad_()
        (zoomed,) = invert_pixels(grid, [DETAIL_SIZE])
        weight = torch.linspace(-1, 1, zoomed.numel(), dtype=dtype).view_as(zoomed)
        (zoomed * weight).sum().backward()
        gradients.append(torch.zeros(()) if grid.grad is None else grid.grad.double())
    return {
        **seconds,
        "relative error": float((gradients[0] - gradients[1]).norm() / gradients[1].norm()),
    }


def _memory(
    warp: Warp, official_code: Official | None, progress: Progress
) -> dict[str, float | None]:
    """Return the increase in peak memory of each at the largest size, in MiB."""
    size = SIZES[-1]
    progress.step("memory")
    peaks = {"ours": peak_mb(lambda: _ours(warp, size))}
    if official_code:
        peaks["official"] = peak_mb(lambda: official_code.invert(warp.grid, size, False))
    return peaks


def _error(warp: Warp) -> dict[str, float]:
    """Return the number of NaN in the inverse, and its largest error in px, checked in float64."""
    zoomed = warp.zoomed_map(DETAIL_SIZE).double().flatten(1, 2)
    centres = Warp.identity((1, 1), dtype=torch.float64).source_map(DETAIL_SIZE).flatten(1, 2)
    half = torch.tensor([DETAIL_SIZE[1] / 2, DETAIL_SIZE[0] / 2], dtype=torch.float64)
    residual = (warp.to(dtype=torch.float64).to_source(zoomed) - centres) * half
    return {
        "holes": int(zoomed.isnan().any(dim=-1).sum()),
        "worst, px": float(residual.abs().nan_to_num(0).max()),
    }


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw the figure of a report to a file."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    show_inverses(figure, result["rows"])
    figure.savefig(path, dpi=110)


def text(result: Mapping[str, Any]) -> str:
    """Format a report as tables of ratios and milliseconds."""
    parts = []
    for label, separable in dict.fromkeys((r["look"], r["separable"]) for r in result["rows"]):
        rows = [r for r in result["rows"] if (r["look"], r["separable"]) == (label, separable)]
        kind = "separable" if separable else "non-separable"
        parts.append(f"\n{label}, {kind}\n" + _table(rows))
    pyramid, gradient = result["pyramid"], result["gradient"]
    single_query = pyramid["ours, one query"]
    lines = [f"\nbelow: {result['look']}, non-separable, one thread"]
    lines += [
        f"levels at strides {STRIDES} of 900x1600: {name} {seconds * 1e3:.2f} ms, "
        f"{seconds / single_query:.1f} x one query"
        for name, seconds in pyramid.items()
    ]
    lines.append(
        f"forward and backward at 256x512: {gradient['ours'] * 1e3:.1f} ms, "
        f"{gradient['ours'] / gradient['sample']:.1%} of grid_sample; relative error of float32 "
        f"against float64 {gradient['relative error']:.1e}"
    )
    lines += [
        f"memory at 900x1600: {name} " + ("unknown" if mb is None else f"{mb:.0f} MiB")
        for name, mb in result["memory"].items()
    ]
    lines += [
        f"{name} at 256x512: {error['holes']} holes, largest error {error['worst, px']:.1e} px"
        for name, error in result["error"].items()
    ]
    return "\n".join([*parts, *lines])


OTHERS = ("official", "scipy", "scikit-image", "obvious")


def _table(rows: list[dict[str, Any]]) -> str:
    others = [name for name in OTHERS if any(name in row["seconds"] for row in rows)]
    header = [
        "size, batch, threads",
        *(f"{name}/ours" for name in others),
        "ours/sample",
        "ours, ms",
    ]
    lines = []
    for row in rows:
        seconds = row["seconds"]
        ours = seconds["ours"]
        name = f"{row['size'][0]}x{row['size'][1]}, {row['batch']}, {row['threads']}"
        ratios = [f"{seconds[name] / ours:.3g}" if name in seconds else "-" for name in others]
        lines.append([name, *ratios, f"{ours / seconds['sample']:.2%}", f"{ours * 1e3:.2f}"])
    return table(header, lines)
