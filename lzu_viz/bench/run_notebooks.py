"""`make notebooks`: run notebooks, store their outputs, and print time and memory of each."""

import argparse
import base64
import io
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from PIL import Image

LARGEST_MB = 1024
"""Largest permitted peak memory of a notebook, in MiB: half of Binder's limit."""

SILENT_SECONDS = 2.0
"""A cell that takes longer should show a progress bar. The first cell, of imports, cannot."""

IMAGE_IN_HTML = re.compile(r'src="data:image/\w+;base64,([^"]+)"')

THUMBNAIL_WIDTH = 360
"""Width of a thumbnail in the notebooks' overview, in pixels."""

# On Linux, VmHWM is the peak of this process alone; `getrusage` there includes the process that
# started it. Elsewhere, on macOS, `getrusage` counts bytes.
_PEAK = """
import pathlib, re, resource
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) >> 10)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20)
"""


class ExecutedNotebook(NamedTuple):
    """Time and memory of a run.

    Attributes:
        seconds: from the start of the kernel to the last output.
        peak_mb: resident memory of the kernel at its peak, in MiB.
        silent: seconds of the cells, by number, that took long without showing any progress.
    """

    seconds: float
    peak_mb: int
    silent: dict[int, float]


def execute(notebook: Any, folder: Path, before: str = "") -> ExecutedNotebook:
    """Run a notebook from top to bottom, in place.

    Args:
        notebook: its outputs are replaced.
        folder: working directory of the kernel.
        before: code that is run first; it is not stored in the notebook.
    """
    cells = notebook.cells
    hidden = [new_code_cell(code) for code in (before or "pass", _PEAK)]
    notebook.cells = [hidden[0], *cells, hidden[1]]
    started: dict[int, float] = {}
    taken: dict[int, float] = {}

    def on_start(cell_index: int, **_: Any) -> None:
        started[cell_index] = time.perf_counter()

    def on_end(cell_index: int, **_: Any) -> None:
        taken[cell_index] = time.perf_counter() - started[cell_index]

    client = NotebookClient(
        notebook,
        on_cell_execute=on_start,
        on_cell_executed=on_end,
        timeout=600,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],  # no warning of each kernel about its transport
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    # On few cores, synchronising threads takes longer than they save.
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    start = time.perf_counter()
    try:
        client.execute(env=environment)
        peak = int(notebook.cells[-1]["outputs"][0]["text"])
    finally:
        notebook.cells = cells
    seconds = time.perf_counter() - start
    silent = {}
    code = [(at, cell) for at, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    for number, (at, cell) in enumerate(code, start=1):
        cell["execution_count"] = number
        if number > 1 and taken[at] > SILENT_SECONDS and not _shows_progress(cell):
            silent[number] = taken[at]
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = number
    return ExecutedNotebook(seconds, peak, silent)


def _shows_progress(cell: Any) -> bool:
    """Return whether a cell has shown a monitor or a progress bar, which leaves no text."""
    return (
        any(output.get("data", {}).get("text/plain") == "" for output in cell["outputs"])
        or "train_side_by_side(" in cell["source"]
    )


def run(paths: Sequence[Path]) -> dict[Path, ExecutedNotebook]:
    """Run notebooks, store them, and print and return the time and memory of each."""
    width = max(len(str(path)) for path in paths)
    print(f"{'notebook':<{width}}  seconds  peak MiB", flush=True)
    runs = {}
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        runs[path] = execute(notebook, path.parent)
        notebook.metadata.pop("widgets", None)
        nbformat.write(notebook, path)
        draw(notebook, path.parent / "pictures" / f"{path.stem}.jpg")
        print(f"{path!s:<{width}}  {runs[path].seconds:7.1f}  {runs[path].peak_mb:7d}", flush=True)
        for number, seconds in runs[path].silent.items():
            print(f"  cell [{number}]: {seconds:.1f} s without a progress bar", flush=True)
    return runs


def draw(notebook: Any, path: Path) -> None:
    """Store a notebook's first image as a thumbnail, if there is a folder for it."""
    encoded = next(_images(notebook), None)
    if encoded is None or not path.parent.is_dir():
        return
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        height = round(THUMBNAIL_WIDTH * picture.height / picture.width)
        small = picture.convert("RGB").resize((THUMBNAIL_WIDTH, height), Image.Resampling.LANCZOS)
    small.save(path, quality=85)


def _images(notebook: Any) -> Iterator[str]:
    """Yield the images in the outputs, in base64: those of HTML, and those by themselves."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if match := IMAGE_IN_HTML.search(data.get("text/html", "")):
                yield match[1]
            elif jpeg := data.get("image/jpeg"):
                yield jpeg


def main() -> int:
    """Run the notebooks of the command line; return 1 if one takes too much memory."""
    parser = argparse.ArgumentParser(
        prog="python -m lzu_viz.bench.run_notebooks", description=__doc__
    )
    parser.add_argument("notebooks", nargs="+", type=Path, help="notebooks to run, in place")
    runs = run(parser.parse_args().notebooks)
    total = sum(measured.seconds for measured in runs.values())
    largest = max(measured.peak_mb for measured in runs.values())
    print(f"total: {total:.0f} s; largest peak memory: {largest} MiB")
    for path, measured in runs.items():
        if measured.peak_mb > LARGEST_MB:
            print(
                f"{path}: peak memory {measured.peak_mb} MiB exceeds the limit of {LARGEST_MB} MiB",
                file=sys.stderr,
            )
    return int(largest > LARGEST_MB)


if __name__ == "__main__":
    sys.exit(main())
