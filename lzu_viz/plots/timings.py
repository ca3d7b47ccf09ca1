"""What benchmarks measured: the time of each contender over the size of the image."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .palette import INK, MARKERS, SERIES

NAMES = {"sample": "grid_sample, 256 channels", "ours": "this library"}
"""Of contenders that are not called what they are."""


def show_times(ax: Axes, rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Draw milliseconds over the number of pixels, both as powers, a line a contender.

    Args:
        ax: to draw on.
        rows: of one grid, each of one size: ``size`` and ``seconds`` by contender.
        title: of the axes.
    """
    names = list(dict.fromkeys(name for row in rows for name in row["seconds"]))
    # The obvious way takes a million times as long: it would press all others together.
    names = [name for name in names if name not in ("sample", "obvious")]
    colours = dict(zip(names, SERIES, strict=False)) | {"sample": INK}
    markers = dict(zip(names, MARKERS, strict=False)) | {"sample": "x"}
    for name, colour in colours.items():
        own = [row for row in rows if name in row["seconds"]]
        ax.plot(
            [row["size"][0] * row["size"][1] for row in own],
            [row["seconds"][name] * 1e3 for row in own],
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
    """Fill a figure with the report of `python -m lzu_viz.bench inverse`, one image, one thread.

    Args:
        figure: empty.
        rows: of the report.
    """
    own = [row for row in rows if row["batch"] == 1 and row["threads"] == 1]
    grids = list(dict.fromkeys((row["look"], row["separable"]) for row in own))
    across = max(1, -(-len(grids) // 2))
    every = figure.subplots(2, across, sharex=True, sharey=True, squeeze=False)
    for ax, (which, separable) in zip(every.T.flat, grids, strict=False):
        kind = "separable" if separable else "non-separable"
        these = [row for row in own if (row["look"], row["separable"]) == (which, separable)]
        show_times(ax, these, f"{which}, {kind}")
        ax.label_outer()
        ax.margins(x=0.08)
    handles = {
        label: handle
        for ax in every.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
