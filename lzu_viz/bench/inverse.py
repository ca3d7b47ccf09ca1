"""`python -m lzu_viz.bench inverse`: what the inverse of a warp costs, ours and others'.

Each is asked for the inverse at every pixel of an image, on the same control grid. The unit is what
unzooming costs anyway: `grid_sample` of a map of 256 channels of that size.
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
"""Of the official code."""

STRIDES = (8, 16, 32, 64, 128)
CHANNELS = 256
LARGEST_MAP = 2 << 30
"""Bytes."""

SAID = (256, 512)
"""The size at which most is said of a grid."""

POINTS = 20
"""For which the obvious way is timed; it takes each by itself."""

SLOWEST_AT = {"scikit-image": (128, 256), "scipy": (256, 512)}
"""The largest size at which these are asked; they need minutes for larger ones."""

ORACLES = Path(__file__).parents[2] / "tests" / "oracles.py"


def run(official: Path | None = None, rounds: int = 7) -> dict[str, Any]:
    """Measure.

    Args:
        official: a checkout of the official code.
        rounds: how often each is timed.

    Returns:
        A report; times in seconds, memory in MiB.
    """
    theirs = Official(official) if official else None
    saliency_maps = _looks(theirs)
    counts = sorted({1, os.cpu_count() or 1})
    progress = Progress(len(counts) * (2 * len(saliency_maps) * len(SIZES) * len(BATCHES) * 5))
    rows = [
        row
        for count in counts
        for name, saliency_map in saliency_maps.items()
        for separable in (True, False)
        for row in _rows(name, saliency_map, separable, count, theirs, rounds, progress)
    ]
    name, saliency_map = next(iter(saliency_maps.items()))
    warp = Warp.from_saliency(saliency_map, PIECES, FWHM, separable=False)
    with threads(1):
        more = {
            "pyramid": _pyramid(warp, theirs, rounds, progress),
            "gradient": _gradient(warp, rounds, progress),
            "memory": _memory(warp, theirs, progress),
            "error": {each: _error(_warp(every, False)) for each, every in saliency_maps.items()},
        }
    progress.close()
    return report("inverse", rows, {}, look=name, **more)


def _looks(theirs: Official | None) -> dict[str, Tensor]:
    """Return saliency maps by name: that of a data set, and one that zooms strongly."""
    if theirs:
        real = {"nuScenes": theirs.saliency()}
    else:
        road = saliency.gaussian(torch.tensor([[[0.0, 0.05]]]), (0.08, 0.3), size=(27, 48))
        real = {"road": saliency.mix(saliency.uniform((27, 48)), road)}
    spot = saliency.gaussian(torch.tensor([[[0.3, -0.2]]]), 0.05, size=(27, 48))
    strong = saliency.mix(saliency.uniform((27, 48)), spot, weights=(1, 300))
    return {**real, "strong": strong}


def _warp(saliency_map: Tensor, separable: bool) -> Warp:
    return Warp.from_saliency(saliency_map, PIECES, FWHM, separable)


def _rows(
    name: str,
    saliency_map: Tensor,
    separable: bool,
    count: int,
    theirs: Official | None,
    rounds: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Time all contenders on one grid, at all sizes and batches."""
    rows = []
    for batch in BATCHES:
        warp = _warp(saliency_map.expand(batch, -1, -1, -1), separable)
        for size in SIZES:
            contenders: dict[str, Callable[[], object]] = {"ours": partial(_ours, warp, size)}
            # Cells times the largest cell: at the largest size this would fill the memory.
            if theirs and (name != "strong" or size <= SAID):
                contenders["official"] = partial(theirs.invert, warp.grid, size, separable)
            if batch == 1 and count == 1 and not separable:
                contenders |= _general(warp, size)
            # Maps that are too large for the memory are read by a part of their channels.
            parts = -(-batch * size[0] * size[1] * CHANNELS * 4 // LARGEST_MAP)
            features = torch.rand(batch, CHANNELS // parts, *size)
            points = warp.zoomed_map(size)
            contenders["sample"] = partial(F.grid_sample, features, points, align_corners=False)
            what = f"{name} {'separable' if separable else 'full'} {size[0]}x{size[1]} x{batch}"
            with threads(count):
                seconds = medians(contenders, rounds, progress, what)
            seconds["sample"] *= CHANNELS / features.shape[1]
            if batch == 1 and count == 1 and not separable and ORACLES.is_file():
                seconds["obvious"] = _obvious(warp, size)
            rows.append(
                {"look": name, "separable": separable, "threads": count, "batch": batch,
                 "size": list(size), "seconds": seconds}
            )  # fmt: skip
    return rows


def _ours(warp: Warp, size: tuple[int, int]) -> Tensor:
    """Invert a warp that remembers nothing."""
    warp._memory.clear()
    return warp.zoomed_map(size)


def _all_of(warp: Warp, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    warp._memory.clear()
    return warp.zoomed_maps(sizes)


def _general(warp: Warp, size: tuple[int, int]) -> dict[str, Callable[[], object]]:
    """Return what general libraries offer: linear on triangles between the nodes."""
    try:
        from scipy.interpolate import LinearNDInterpolator
        from skimage.transform import PiecewiseAffineTransform
    except ModuleNotFoundError as error:
        raise CannotRun(
            f"{error}: what others offer is measured beside: pip install 'lzu_viz[test]'"
        ) from error
    nodes = warp.grid[0].flatten(0, 1).numpy()
    places = Warp.identity(warp.pieces).grid[0].flatten(0, 1).numpy()
    centres = Warp.identity((1, 1)).source_map(size)[0].flatten(0, 1).numpy()

    def scipy() -> object:
        return LinearNDInterpolator(nodes, places)(centres)

    def skimage() -> object:
        made: Any = PiecewiseAffineTransform.from_estimate(nodes, places)  # type: ignore[no-untyped-call]
        return made(centres)

    ways = {"scipy": scipy, "scikit-image": skimage}
    return {name: way for name, way in ways.items() if size <= SLOWEST_AT[name]}


def _obvious(warp: Warp, size: tuple[int, int]) -> float:
    """Time the obvious way of the tests, for a few points, and give what all would take."""
    oracles = loaded(ORACLES)
    points = np.random.default_rng(0).uniform(-1, 1, (POINTS, 2))
    grid = warp.grid[0].double().numpy()
    started = time.perf_counter()
    for point in points:
        oracles.invert_point(grid, point)
    return (time.perf_counter() - started) / POINTS * size[0] * size[1]


def _pyramid(
    warp: Warp, theirs: Official | None, rounds: int, progress: Progress
) -> dict[str, float]:
    """Time all levels of a pyramid over 900 x 1600."""
    sizes = [(-(-SIZES[-1][0] // stride), -(-SIZES[-1][1] // stride)) for stride in STRIDES]
    contenders: dict[str, Callable[[], object]] = {
        "ours, one query": lambda: _all_of(warp, sizes),
        "ours, a call a level": lambda: [_ours(warp, size) for size in sizes],
    }
    if theirs:
        contenders["official"] = lambda: [theirs.invert(warp.grid, size, False) for size in sizes]
    return medians(contenders, rounds, progress, "pyramid")


def _gradient(warp: Warp, rounds: int, progress: Progress) -> dict[str, float]:
    """Time forwards and backwards, and tell how far float32 is from float64."""
    nodes = warp.grid.clone().requires_grad_()
    features = torch.rand(1, CHANNELS, *SAID, requires_grad=True)
    points = warp.zoomed_map(SAID).clone().requires_grad_()

    def ours() -> None:
        (zoomed,) = invert_pixels(nodes, [SAID])
        zoomed.backward(torch.ones_like(zoomed))

    def sampled() -> None:
        read = F.grid_sample(features, points, align_corners=False)
        read.backward(torch.ones_like(read))

    seconds = medians({"ours": ours, "sample": sampled}, rounds, progress, "gradient")
    exact = []
    for dtype in (torch.float32, torch.float64):
        grid = warp.grid.to(dtype, copy=True).requires_grad_()
        (zoomed,) = invert_pixels(grid, [SAID])
        weight = torch.linspace(-1, 1, zoomed.numel(), dtype=dtype).view_as(zoomed)
        (zoomed * weight).sum().backward()
        exact.append(torch.zeros(()) if grid.grad is None else grid.grad.double())
    return {**seconds, "relative error": float((exact[0] - exact[1]).norm() / exact[1].norm())}


def _memory(warp: Warp, theirs: Official | None, progress: Progress) -> dict[str, float | None]:
    """Return by how much each lets the memory grow at the largest size, in MiB."""
    size = SIZES[-1]
    progress.step("memory")
    peaks = {"ours": peak_mb(lambda: _ours(warp, size))}
    if theirs:
        peaks["official"] = peak_mb(lambda: theirs.invert(warp.grid, size, False))
    return peaks


def _error(warp: Warp) -> dict[str, float]:
    """Map our answers forward in float64: how many are missing, and the worst miss in pixels."""
    zoomed = warp.zoomed_map(SAID).double().flatten(1, 2)
    centres = Warp.identity((1, 1), dtype=torch.float64).source_map(SAID).flatten(1, 2)
    half = torch.tensor([SAID[1] / 2, SAID[0] / 2], dtype=torch.float64)
    residual = (warp.to(dtype=torch.float64).to_source(zoomed) - centres) * half
    return {
        "holes": int(zoomed.isnan().any(dim=-1).sum()),
        "worst, px": float(residual.abs().nan_to_num(0).max()),
    }


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw a report into a file."""
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    show_inverses(figure, result["rows"])
    figure.savefig(path, dpi=110)


def text(result: Mapping[str, Any]) -> str:
    """Put a report into words: ratios first, milliseconds after them."""
    parts = []
    for which, separable in dict.fromkeys((r["look"], r["separable"]) for r in result["rows"]):
        own = [r for r in result["rows"] if (r["look"], r["separable"]) == (which, separable)]
        kind = "separable" if separable else "non-separable"
        parts.append(f"\n{which}, {kind}\n" + _table(own))
    pyramid, gradient = result["pyramid"], result["gradient"]
    one = pyramid["ours, one query"]
    lines = [f"\nfrom here on {result['look']}, non-separable, one thread"]
    lines += [
        f"levels at strides {STRIDES} of 900x1600: {name} {seconds * 1e3:.2f} ms, "
        f"{seconds / one:.1f} times one query"
        for name, seconds in pyramid.items()
    ]
    lines.append(
        f"forwards and backwards at 256x512: {gradient['ours'] * 1e3:.1f} ms, "
        f"{gradient['ours'] / gradient['sample']:.1%} of grid_sample's own; float32 is "
        f"{gradient['relative error']:.1e} of float64 off"
    )
    lines += [
        f"memory at 900x1600: {name} " + ("unknown" if mb is None else f"{mb:.0f} MiB")
        for name, mb in result["memory"].items()
    ]
    lines += [
        f"{name} at 256x512: {each['holes']} holes, worst {each['worst, px']:.1e} px"
        for name, each in result["error"].items()
    ]
    return "\n".join([*parts, *lines])


OTHERS = ("official", "scipy", "scikit-image", "obvious")


def _table(rows: list[dict[str, Any]]) -> str:
    others = [name for name in OTHERS if any(name in row["seconds"] for row in rows)]
    head = ["size, batch, threads", *(f"{name}/ours" for name in others), "of sample", "ours, ms"]
    lines = []
    for row in rows:
        seconds = row["seconds"]
        ours = seconds["ours"]
        name = f"{row['size'][0]}x{row['size'][1]}, {row['batch']}, {row['threads']}"
        ratios = [f"{seconds[each] / ours:.3g}" if each in seconds else "-" for each in others]
        lines.append([name, *ratios, f"{ours / seconds['sample']:.2%}", f"{ours * 1e3:.2f}"])
    return table(head, lines)
