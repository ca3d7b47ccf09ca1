"""Tests of the page's mathematics against the same computations in Python, in float64."""

import base64
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from grids import KINDS, random_warp
from in_node import FRONT, copy_front, run_driver, run_node
from lzu_viz import Warp, saliency
from lzu_viz.geometry import bilinear
from lzu_viz.geometry.resampling import pixel_centres

Array = NDArray[Any]
Numbers = dict[str, Any]
Quantities = dict[str, Array]

STATES = 400
FEW = 80
"""Number of the first states that are enough to detect every planted fault."""

TOLERANCE = {
    "saliency": 1e-12,
    "grid": 1e-12,
    "axes": 1e-12,
    "folds": 0,
    "to_source": 1e-12,
    "to_zoomed": 1e-6,
    "source_map": 1e-12,
    "zoomed_map": 1e-6,
    "magnification": 1e-6,
    # In grey levels of 255. Rounding to a byte takes 0.5; an error of 0.55 everywhere is 53 dB.
    "zoomed": 0.55,
    "unzoomed": 0.55,
}


# --- random states -------------------------------------------------------------------------------


@dataclass
class Case:
    """One state in the page's format, and the warp that Python computes from it."""

    state: Numbers
    warp: Warp
    saliency_map: Tensor | None
    picture: Tensor


def random_case(index: int) -> Case:
    draw = random.Random(index)
    kind = draw.choices(["saliency", "grid", "nearly folded", "folded"], [6, 2, 1, 1])[0]
    state: Numbers = {
        "points": random_points(draw),
        "size_of_maps": [draw.randint(2, 40), draw.randint(2, 70)],
        "zoomed_size": [draw.randint(1, 50), draw.randint(1, 60)],
        "antialias": draw.random() < 0.6,
        "fill": [draw.randint(0, 255) for _ in range(3)],
    }
    saliency_map = None
    if kind == "saliency":
        saliency_map, warp = from_saliency(draw, state)
    else:
        warp = from_grid(draw, index, kind, state)
    state["rows"], state["columns"] = warp.pieces
    height, width = draw.randint(2, 150), draw.randint(2, 200)
    pixels = np.random.default_rng(index).integers(0, 256, (height, width, 4), dtype=np.uint8)
    state["picture"] = {
        "height": height,
        "width": width,
        "data": base64.b64encode(pixels.tobytes()).decode(),
    }
    return Case(state, warp, saliency_map, image(pixels))


def from_saliency(draw: random.Random, state: Numbers) -> tuple[Tensor, Warp]:
    """Return a saliency map and its warp, sometimes morphed; the page computes both itself."""
    size = (draw.randint(2, 40), draw.randint(2, 64))
    pieces = (round(log_uniform(draw, 1.6, 64)), round(log_uniform(draw, 1.6, 64)))
    fwhm = (log_uniform(draw, 0.05, 1), log_uniform(draw, 0.05, 1))
    separable, anti_crop = draw.random() < 0.5, draw.random() < 0.6
    amount = draw.choice([0.0, 1.0, 1.0, 1.0, draw.random()])
    saliency_map, state["saliency"] = random_saliency(draw, size)
    state |= {"fwhm": fwhm, "separable": separable, "antiCrop": anti_crop, "morph": amount}
    state["size"] = {"rows": size[0], "columns": size[1]}
    return saliency_map, Warp.from_saliency(saliency_map, pieces, fwhm, separable, anti_crop).morph(
        amount
    )


def from_grid(draw: random.Random, index: int, kind: str, state: Numbers) -> Warp:
    """Return a warp with given nodes, which may be folded or nearly folded."""
    pieces = (draw.randint(2, 30), draw.randint(2, 30))
    grid = random_warp(draw.choice(KINDS), index, pieces).grid.double()
    generator = torch.Generator().manual_seed(index)
    step = torch.tensor([2 / pieces[1], 2 / pieces[0]])
    push = step * torch.randn(grid.shape, generator=generator)
    if kind == "folded":
        grid = grid + 0.8 * push
    elif kind == "nearly folded":
        grid = grid + max_push_without_fold(grid, push) * push
        state["points"] += points_of_flattest_piece(draw, Warp.from_grid(grid))
    state["grid"] = grid.flatten().tolist()
    return Warp.from_grid(grid)


def max_push_without_fold(grid: Tensor, push: Tensor) -> float:
    """Return the largest fraction of `push` that the nodes can move without folding a piece."""
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        invertible = float(bilinear.min_determinant(grid + middle * push).min()) > 1e-6
        low, high = (middle, high) if invertible else (low, middle)
    return low


def points_of_flattest_piece(draw: random.Random, warp: Warp) -> list[list[float]]:
    """Return source points close to the corners of the piece that is closest to a fold."""
    rows, columns = warp.pieces
    row, column = divmod(int(bilinear.min_determinant(warp.grid).argmin()), columns)
    places = []
    for _ in range(40):
        u, v = (abs(draw.randint(0, 1) - log_uniform(draw, 1e-6, 0.1)) for _ in range(2))
        places.append([(column + u) * 2 / columns - 1, (row + v) * 2 / rows - 1])
    points: list[list[float]] = warp.to_source(torch.tensor([places]))[0].tolist()
    return points


def random_points(draw: random.Random) -> list[list[Any]]:
    """Return points in and around the frame, on its edges and corners, and non-finite ones."""
    inside = [[draw.uniform(-1.05, 1.05), draw.uniform(-1.05, 1.05)] for _ in range(30)]
    edges = [[side, draw.uniform(-1, 1)] for side in (-1.0, 1.0) for _ in range(3)]
    corners = [[x, y] for x in (-1.0, 1.0) for y in (-1.0, 1.0)]
    non_finite = [["NaN", 0.5], [0.5, "NaN"], ["Infinity", 0], [0, "-Infinity"]]
    return [*inside, *edges, *([y, x] for x, y in edges), *corners, *non_finite]


def log_uniform(draw: random.Random, low: float, high: float) -> float:
    return math.exp(draw.uniform(math.log(low), math.log(high)))


def random_saliency(
    draw: random.Random,
    size: tuple[int, int],
    kinds: tuple[str, ...] = ("foveas", "boxes", "pixels", "mix"),
) -> tuple[Tensor, Numbers]:
    """Return a saliency map of Python, and the arguments from which the page computes it."""
    kind = draw.choice(kinds)
    if kind == "mix":
        maps = [random_saliency(draw, size, kinds[:-1]) for _ in range(draw.randint(1, 3))]
        weights = {"weights": [draw.random() + 0.01 for _ in maps]} if draw.random() < 0.7 else {}
        mixed = saliency.mix(*(saliency_map for saliency_map, _ in maps), **weights)
        return mixed, {"kind": kind, "maps": [recipe for _, recipe in maps]} | weights
    if kind == "foveas":
        return random_foveas(draw, size)
    corners = [[draw.uniform(-1, 0.9), draw.uniform(-1, 0.9)] for _ in range(draw.randint(0, 6))]
    boxes = [[x, y, draw.uniform(x, 1), draw.uniform(y, 1)] for x, y in corners]
    tensor = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    amplitude = draw.uniform(0, 3)
    recipe = {"kind": kind, "boxes": boxes, "amplitude": amplitude}
    if kind == "boxes":
        relative_sigma = log_uniform(draw, 0.1, 2)
        saliency_map = saliency.from_boxes_scale_free(tensor, amplitude, relative_sigma, size)
        return saliency_map, recipe | {"spread": relative_sigma}
    bandwidth, frame = log_uniform(draw, 1, 100), [draw.randint(100, 900), draw.randint(100, 1600)]
    saliency_map = saliency.from_boxes(tensor, amplitude, bandwidth, frame=frame, size=size)
    return saliency_map, recipe | {"bandwidth": bandwidth, "frame": frame}


def random_foveas(draw: random.Random, size: tuple[int, int]) -> tuple[Tensor, Numbers]:
    """Return a map of foveas: each with its own width, all with one (rows, columns), or none."""
    count = draw.randint(0, 4)
    if count == 0:
        return saliency.uniform(size), {"kind": "foveas", "foveas": [], "strength": draw.random()}
    centres = [[draw.uniform(-1.1, 1.1), draw.uniform(-1.1, 1.1)] for _ in range(count)]
    weights = [draw.uniform(0.1, 2) for _ in range(count)]
    pair = [log_uniform(draw, 0.01, 0.4), log_uniform(draw, 0.01, 0.4)]
    sigmas: list[Any] = [log_uniform(draw, 0.01, 0.4) for _ in range(count)]
    sigma: Any = torch.tensor([sigmas], dtype=torch.float64)
    if draw.random() < 0.5:
        sigma, sigmas = pair, [pair] * count
    strength = draw.choice([0.0, 0.99, draw.random(), draw.random()])
    fovea = saliency.gaussian(
        torch.tensor([centres], dtype=torch.float64),
        sigma,
        torch.tensor([weights], dtype=torch.float64),
        size,
    )
    saliency_map = saliency.mix(saliency.uniform(size), fovea, weights=(1 - strength, strength))
    foveas = [
        {"x": x, "y": y, "width": sigma, "weight": weight}
        for (x, y), sigma, weight in zip(centres, sigmas, weights, strict=True)
    ]
    return saliency_map, {"kind": "foveas", "foveas": foveas, "strength": strength}


# --- results of Python and of the page -----------------------------------------------------------


def image(pixels: Array) -> Tensor:
    """Return an RGBA picture as `1 3 h w` in 0..1."""
    return torch.from_numpy(pixels[..., :3].copy()).permute(2, 0, 1)[None].double() / 255


def bytes_of(picture: Tensor) -> Tensor:
    """Return `1 3 h w` in 0..1 as RGBA in 0..255, not rounded."""
    opaque = torch.ones_like(picture[:, :1])
    return 255 * torch.cat([picture, opaque], dim=1)[0].permute(1, 2, 0)


def python_results(case: Case) -> Quantities:
    """Return all quantities as Python computes them; for a folded warp without its inverse."""
    warp, state = case.warp, case.state
    points = torch.tensor([[float(x) for x in point] for point in state["points"]])[None]
    size = state["size_of_maps"]
    zoomed = warp.zoom(case.picture, state["zoomed_size"], state["antialias"], allow_folds=True)
    expected = {
        "grid": warp.grid[0],
        "axes": torch.cat(warp.axes, dim=1) if warp.axes else torch.zeros(0),
        "folds": warp.folds()[:, 1:],
        "to_source": warp.to_source(points)[0],
        "source_map": warp.source_map(size)[0],
        "zoomed": bytes_of(zoomed),
    }
    if case.saliency_map is not None:
        expected["saliency"] = case.saliency_map[0, 0]
    if not len(warp.folds()):
        fill = torch.tensor(state["fill"])[:, None, None] / 255
        unzoomed = torch.where(warp.coverage(size)[:, None], warp.unzoom(case.picture, size), fill)
        expected |= {
            "to_zoomed": warp.to_zoomed(points)[0],
            "zoomed_map": warp.zoomed_map(size)[0],
            "magnification": warp.magnification(size)[0],
            "unzoomed": bytes_of(unzoomed),
        }
    return {name: tensor.numpy() for name, tensor in expected.items()}


def page_results(cases: list[Case], fault: tuple[str, str] | None = None) -> list[Quantities]:
    """Return all quantities as the page computes them, as flat arrays, by one process of Node.

    Args:
        cases: the states.
        fault: a text of the front end, and its replacement.
    """
    states = json.dumps([case.state for case in cases])
    with TemporaryDirectory() as folder:
        copy_front(Path(folder))
        if fault is not None:
            path = Path(folder) / module_with(fault[0]).name
            path.write_text(path.read_text(encoding="utf-8").replace(*fault), encoding="utf-8")
        results = json.loads(run_driver("driver.mjs", Path(folder), states))
    return [
        {
            name: np.frombuffer(
                base64.b64decode(text), np.uint8 if name in ("zoomed", "unzoomed") else np.float64
            )
            for name, text in result.items()
        }
        for result in results
    ]


def module_with(text: str) -> Path:
    """Return the only module of the front end that contains this text, once."""
    counts = {path: path.read_text(encoding="utf-8").count(text) for path in FRONT.glob("*.js")}
    assert sum(counts.values()) == 1, counts
    return max(counts, key=lambda path: counts[path])


def error(actual: Array, expected: Array) -> float:
    """Return the largest error; infinite where only one of the two is NaN."""
    expected = expected.reshape(-1)
    if actual.shape != expected.shape or (np.isnan(actual) != np.isnan(expected)).any():
        return math.inf
    return float(np.nanmax(np.abs(actual - expected), initial=0))


def max_errors(expected: list[Quantities], actual: list[Quantities]) -> dict[str, float]:
    """Return the largest error of each quantity over all states."""
    errors = dict.fromkeys(TOLERANCE, 0.0)
    for expected_case, actual_case in zip(expected, actual, strict=True):
        for name, quantity in expected_case.items():
            errors[name] = max(errors[name], error(actual_case[name], quantity))
    return errors


@pytest.fixture(scope="module", autouse=True)
def _exact() -> Iterator[None]:
    """Use float64 as the default of torch, and one thread."""
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    yield
    torch.set_default_dtype(dtype)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [random_case(index) for index in range(STATES)]


@pytest.fixture(scope="module")
def expected(cases: list[Case]) -> list[Quantities]:
    return [python_results(case) for case in cases]


@pytest.fixture(scope="module")
def actual(cases: list[Case]) -> list[Quantities]:
    return page_results(cases)


@pytest.mark.slow
@pytest.mark.parametrize("quantity", TOLERANCE)
def test_page_matches_python(
    quantity: str, expected: list[Quantities], actual: list[Quantities]
) -> None:
    error = max_errors(expected, actual)[quantity]
    print(f"{quantity}: {error:.1e}")
    assert error <= TOLERANCE[quantity]


def test_random_states_include_all_kinds(cases: list[Case], expected: list[Quantities]) -> None:
    """Check that the states that detect planted faults include enough of each kind."""
    few = list(zip(cases[:FEW], expected, strict=False))
    kinds: dict[str, list[bool]] = {
        "separable": [case.warp.separable for case, _ in few],
        "not separable": [not case.warp.separable for case, _ in few],
        "from a grid": [case.saliency_map is None for case, _ in few],
        "folded": [len(quantities["folds"]) > 0 for _, quantities in few],
        "not all of the source in view": [
            bool(np.isnan(quantities.get("zoomed_map", [])).any()) for _, quantities in few
        ],
        "morphed": [0 < case.state.get("morph", 0) < 1 for case, _ in few],
        "antialiased": [case.state["antialias"] for case, _ in few],
    }
    assert {kind: sum(flags) for kind, flags in kinds.items() if sum(flags) < 3} == {}


def test_page_inverts_the_unfolded_pieces_of_folded_warps(
    cases: list[Case], actual: list[Quantities]
) -> None:
    """Check that points that the page inverts map back to themselves; Python rejects folds."""
    inverted, holes = 0, 0
    for case, result in zip(cases, actual, strict=True):
        if len(case.warp.folds()) == 0:
            continue
        rows, columns = case.state["size_of_maps"]
        zoomed = torch.tensor(result["zoomed_map"]).view(1, -1, 2)
        centres = pixel_centres((rows, columns)).flatten(1, 2)
        finite = zoomed.isfinite().all(dim=-1)
        torch.testing.assert_close(case.warp.to_source(zoomed)[finite], centres[finite])
        inverted, holes = inverted + int(finite.sum()), holes + int((~finite).sum())
    assert inverted > 1000
    assert holes > 100


FAULTS = {
    "no cell is added to a Gaussian": ("saliency", "(2 / count) ** 2 / 12", "0"),
    "saliency is repeated beyond the edge": ("grid", "2 * cells - 1 - along)", "along % cells)"),
    "x and y of a separable warp change places": (
        "grid",
        "index % 2 ? y",
        "index % 2 === 0 ? y",
    ),
    "x and y change places": (
        "to_source",
        "[evaluate(terms, k, u, v), evaluate(terms, k + 4, u, v)]",
        "[evaluate(terms, k + 4, u, v), evaluate(terms, k, u, v)]",
    ),
    "the wrong root": (
        "zoomed_map",
        "linear >= 0 ? (-2 * constant) / (linear + root)",
        "linear >= 0 ? (-2 * constant) / (linear - root)",
    ),
    "no fold is seen": ("folds", "<= MIN_DETERMINANT", "<= -1e9"),
    "area instead of length": ("magnification", "1 / Math.sqrt(", "1 / ("),
    "a mipmap that grows at odd sides": (
        "zoomed",
        "(extent[0] * width) / (2 * columns)",
        "extent[0]",
    ),
    "half the footprint": ("zoomed", "Math.log2(footprint) / 2", "Math.log2(footprint) / 4"),
    "short intervals are not widened to a pixel": (
        "zoomed",
        "Math.max(1 - (after - before), 0)",
        "Math.max(1e-9 - (after - before), 0)",
    ),
    "whole pixels at the ends of an interval": (
        "zoomed",
        "end - index[k]",
        "Math.round(end) - index[k]",
    ),
    "nothing beyond the edge": (
        "zoomed",
        "Float64Array.from(ends, (end, k) => end - index[k])",
        "Float64Array.from(ends, (end, k) => clamp(end - index[k], 0, 1))",
    ),
    "rows and columns of the source change places": (
        "zoomed",
        "meanIntervals(axes.y, rows, level.height)",
        "meanIntervals(axes.x, rows, level.height)",
    ),
    "sums of a row are taken for those of another": (
        "zoomed",
        "down.low[row] === computed",
        "computed >= 0",
    ),
    "corner pixels at the edge": (
        "unzoomed",
        "((coordinate + 1) * count - 1) / 2",
        "((coordinate + 1) * (count - 1)) / 2",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_fault_is_detected(
    fault: str, cases: list[Case], expected: list[Quantities]
) -> None:
    quantity, right, wrong = FAULTS[fault]
    errors = max_errors(expected[:FEW], page_results(cases[:FEW], (right, wrong)))
    assert errors[quantity] > TOLERANCE[quantity]


def test_states_go_to_the_kernel_one_at_a_time_and_none_is_lost(tmp_path: Path) -> None:
    run_node("store.mjs", tmp_path)


# --- the arrangement of the views --------------------------------------------------------------

CAPTION, STRIP, HEAD = 21, 84, 70


def space(width: int, height: int, aspect: float = 2 / 3, count: int = 4) -> dict[str, Any]:
    extras = [CAPTION + STRIP * (index >= 2) for index in range(count)]
    values = {"width": width, "height": height, "aspect": aspect, "count": count, "head": HEAD}
    return {**values, "buttons": 36, "controls": 5, "extras": extras}


def height_of(space: dict[str, Any], columns: int, panel: int) -> float:
    """Return the height of head and views."""
    extras = space["extras"]
    rows = [extras[start : start + columns] for start in range(0, len(extras), columns)]
    heights = [panel * space["aspect"] + max(row) for row in rows]
    return HEAD + sum(heights) + 10 * (len(rows) - 1)


def test_views_fit_the_visible_part_of_the_page(tmp_path: Path) -> None:
    spaces = [
        space(width, height, aspect)
        for width, height in (
            (1490, 960), (970, 780), (590, 580), (620, 480), (736, 800), (360, 800), (1100, 900),
        )
        for aspect in (2 / 3, 0.75, 1.0, 1.5, 0.3)
    ]  # fmt: skip
    arrangements = json.loads(run_node("layout.mjs", tmp_path, json.dumps(spaces)))
    for each, arrangement in zip(spaces, arrangements, strict=True):
        columns, panel = arrangement["columns"], arrangement["panel"]
        assert columns in (1, 2, 4), each
        if each["height"] < 600 and arrangement["controls"] == "above":
            continue  # a low window
        side = 264 + 16 if arrangement["controls"] == "beside" else 0
        assert side + panel * columns + 10 * (columns - 1) <= each["width"], each
        assert height_of(each, columns, panel) <= each["height"], each
        assert panel >= 130, each


@pytest.mark.parametrize(
    ("width", "height", "aspect", "columns", "controls"),
    [
        (1490, 960, 2 / 3, 2, "beside"),
        (1490, 960, 1.5, 4, "below"),  # a portrait: one row
        (1000, 800, 0.12, 1, "beside"),  # a panorama: one column
        (370, 480, 2 / 3, 2, "above"),  # only two views fit below the controls
    ],
)
def test_arrangement_follows_the_shape_of_photo_and_page(
    tmp_path: Path, width: int, height: int, aspect: float, columns: int, controls: str
) -> None:
    given = json.dumps([space(width, height, aspect)])
    (found,) = json.loads(run_node("layout.mjs", tmp_path, given))
    assert (found["columns"], found["controls"]) == (columns, controls)


def test_rows_of_views_are_full(tmp_path: Path) -> None:
    counts = (1, 2, 3, 4, 6, 8, 9)
    spaces = [space(1200, 900, count=count) for count in counts]
    found = json.loads(run_node("layout.mjs", tmp_path, json.dumps(spaces)))
    for count, arrangement in zip(counts, found, strict=True):
        assert count % arrangement["columns"] == 0


def test_curves_and_transitions(tmp_path: Path) -> None:
    run_node("curves.mjs", tmp_path)
