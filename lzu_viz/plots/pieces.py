"""Plots of the number of pieces: a warp and its chords, and errors and metrics against the number.

Functions draw on the given matplotlib axes, and return the artists.
"""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.container import ErrorbarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from torch import Tensor

from .figures import log_axis
from .palette import INK, MARKERS, PREDICTION, SERIES


def show_cut(ax: Axes, places: Tensor, smooth: Tensor, nodes: Tensor, title: str = "") -> Line2D:
    """Plot a function in one dimension, and its piecewise linear approximation by chords.

    Args:
        ax: axes to draw on.
        places: `n`, increasing positions in [-1, 1] of the zoomed frame.
        smooth: `n`, values of the function at ``places``.
        nodes: `k+1`, values of the function at equally spaced nodes of [-1, 1].
        title: of the axes.

    Returns:
        The chords.
    """
    count = len(nodes) - 1
    ax.plot(places.tolist(), smooth.tolist(), color=INK, linewidth=1, label="T")
    ends = torch.linspace(-1, 1, count + 1).tolist()
    (chords,) = ax.plot(ends, nodes.tolist(), ".-", color=PREDICTION, label=f"{count} pieces")
    ax.set(xlabel="zoomed x", ylabel="source x")
    ax.set_title(title, color=INK)
    ax.legend()
    return chords


def show_errors(
    ax: Axes, counts: Sequence[int], errors: Mapping[str, Sequence[float]], title: str = ""
) -> list[Line2D]:
    """Plot errors against the number of pieces, both on logarithmic scales.

    A power law is a straight line on these scales, with the exponent as its slope.

    Args:
        ax: axes to draw on.
        counts: numbers of pieces per axis, ascending.
        errors: one for each count, in source pixels, by name; at most five.
        title: of the axes.
    """
    lines = [
        ax.plot(counts, list(values), marker=marker, color=colour, label=name)[0]
        for (name, values), colour, marker in zip(errors.items(), SERIES, MARKERS, strict=False)
    ]
    ax.set_yscale("log")
    ax.set(xlabel="pieces per axis", ylabel="error, source px (rms)")
    log_axis(ax, counts)
    ax.set_title(title, color=INK)
    ax.legend(fontsize=9)
    return lines


def draw_slope(ax: Axes, counts: Sequence[float], slope: float, start: float) -> Line2D:
    """Draw the line of a power law as a guide, labelled with its slope at the end.

    Args:
        ax: axes of :func:`show_errors`.
        counts: at which the line starts and ends.
        slope: the exponent.
        start: value at the first count.
    """
    first, last = counts
    end = start * (last / first) ** slope
    (line,) = ax.plot((first, last), (start, end), "--", color=INK, linewidth=1)
    ax.annotate(f"{slope:g}", (last, end), (4, 0), textcoords="offset points", va="center")
    return line


def show_against(
    ax: Axes,
    counts: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    spread: Sequence[float] | None = None,
    uniform: float | None = None,
    title: str = "",
) -> list[ErrorbarContainer]:
    """Plot metrics against the number of pieces, on a logarithmic axis.

    Args:
        ax: axes to draw on.
        counts: numbers of pieces per axis, ascending.
        curves: one value for each count, by name; at most five. A single curve is not in the
            legend.
        spread: half the length of the error bar at each count, the same for all curves.
        uniform: the value without zoom, drawn dashed.
        title: of the axes.

    Returns:
        One container for each curve.
    """
    drawn = [
        ax.errorbar(
            counts,
            list(values),
            None if spread is None else list(spread),
            marker=marker,
            color=colour,
            capsize=3,
            label=name if len(curves) > 1 else None,
        )
        for (name, values), colour, marker in zip(curves.items(), SERIES, MARKERS, strict=False)
    ]
    if uniform is not None:
        ax.axhline(uniform, color=INK, linestyle="--", linewidth=1, label="uniform")
    if len(curves) > 1 or uniform is not None:
        ax.legend(fontsize=9, loc="lower right")
    ax.set_xlabel("pieces per axis")
    log_axis(ax, counts)
    ax.set_title(title, color=INK)
    return drawn


def show_error_table(
    ax: Axes, values: Tensor, rows: Sequence[int], columns: Sequence[int], title: str = ""
) -> AxesImage:
    """Show errors for pairs of counts as an annotated heat map on a logarithmic scale.

    Args:
        ax: axes to draw on.
        values: `len(rows) len(columns)`, positive.
        rows: numbers of cells of the saliency map.
        columns: numbers of pieces.
        title: of the axes.

    Raises:
        ValueError: the shape of ``values`` does not match the counts.
    """
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f"values must be rows x columns = {len(rows)} x {len(columns)}, "
            f"got {tuple(values.shape)}"
        )
    low, high = float(values.min()), float(values.max())
    drawn = ax.imshow(values.tolist(), norm=LogNorm(low, high), cmap="cividis", aspect="auto")
    for row, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            # Dark text on the bright half of the scale, bright text on the dark half.
            colour = INK if value**2 > low * high else "white"
            label = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
            label = label if value >= 0.95 else f"{value:.2f}"
            ax.text(column, row, label, ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks(range(len(columns)), [str(count) for count in columns])
    ax.set_yticks(range(len(rows)), [str(count) for count in rows])
    ax.set(xlabel="pieces per axis", ylabel="cells of the map, per axis")
    ax.set_title(title, color=INK)
    return drawn
