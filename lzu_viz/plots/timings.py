"""Plots of benchmarks: the time of each implementation against the size of the image."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .palette import INK, MARKERS, SERIES

NAMES = {"sample": "grid_sample, 256 channels", "ours": "this library"}
"""Labels of implementations that differ from their names in the reports."""


def show_times(ax: Axes, rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Plot milliseconds against the number of pixels, both on logarithmic scales.

    Args:
        ax: axes to draw on.
        rows: of one grid, one for each size: ``size``, and ``seconds`` by implementation.
        title: of the axes.
    """
    names = list(dict.fromkeys(name for row in rows for name in row["seconds"]))
    # "obvious" is omitted: a million times slower, it would compress the scale of all others.
    names = [name for name in names if name not in ("sample", "obvious")]
    colours = dict(zip(names, SERIES, strict=False)) | {"sample": INK}
    markers = dict(zip(names, MARKERS, strict=False)) | {"sample": "x"}
    for name, colour in colours.items():
        timed = [row for row in rows if name in row["seconds"]]
        ax.plot(
            [row["size"][0] * row["size"][1] for row in timed],
            [row["seconds"][name] * 1e3 for row in timed],
            color=colour,
            linestyle="--" if name == "sample" else "-",
            linewidth=2.5 if name == "ours" else 1.5,
            marker=markers[name],
            label=NAMES.get(name, name),
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    sizes = dict.fromkeys(tuple(row["size"]) for row in rows)
    labels = [f"{rows}×{columns}" for rows, columns in sizes]
    ax.set_xticks([rows * columns for rows, columns in sizes], labels)
    ax.minorticks_off()
    ax.set_xlabel("source image, pixels")
    ax.set_ylabel("ms")
    ax.set_title(title, color=INK)
    ax.grid(visible=True, alpha=0.3)


def show_inverses(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> None:
    """Plot the report of `python -m lzu_viz.bench inverse`, for one image and one thread.

    Args:
        figure: empty.
        rows: of the report.
    """
    selected = [row for row in rows if row["batch"] == 1 and row["threads"] == 1]
    grids = list(dict.fromkeys((row["look"], row["separable"]) for row in selected))
    n_columns = max(1, -(-len(grids) // 2))
    axes = figure.subplots(2, n_columns, sharex=True, sharey=True, squeeze=False)
    for ax, (look, separable) in zip(axes.T.flat, grids, strict=False):
        kind = "separable" if separable else "non-separable"
        grid_rows = [
            row for row in selected if (row["look"], row["separable"]) == (look, separable)
        ]
        show_times(ax, grid_rows, f"{look}, {kind}")
        ax.label_outer()
        ax.margins(x=0.08)
    handles = {
        label: handle
        for ax in axes.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
