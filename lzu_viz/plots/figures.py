"""Basic plots of images, boxes, saliency and warps on matplotlib axes."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from torch import Tensor

from ..experiments.profiling import CostPoint, pareto_front
from ..geometry.warp import Warp
from .palette import GRID, GROUND_TRUTH, INK, PREDICTION


def show_image(ax: Axes, image: Tensor, title: str = "") -> AxesImage:
    """Show an image `1 c h w` in 0..1 over [-1, 1] x [-1, 1], in its aspect ratio, no ticks."""
    rows, columns = image.shape[-2:]
    drawn = ax.imshow(
        image[0].detach().clamp(0, 1).movedim(0, -1).cpu().numpy(),
        extent=(-1, 1, 1, -1),
        aspect=rows / columns,
        cmap="gray",
        vmin=0,
        vmax=1,
    )
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, color=INK)
    return drawn


def draw_box(ax: Axes, box: Tensor, colour: str = GROUND_TRUTH) -> Rectangle:
    """Draw one box `4`, xyxy in [-1, 1]."""
    left, top, right, bottom = box.tolist()
    edge = Rectangle((left, top), right - left, bottom - top, fill=False, color=colour, linewidth=2)
    ax.add_patch(edge)
    return edge


def draw_boxes(
    ax: Axes, boxes: Tensor, colour: str = GROUND_TRUTH, width: float = 2
) -> list[Rectangle]:
    """Draw boxes `n 4`, xyxy in [-1, 1]."""
    drawn = [draw_box(ax, box, colour) for box in boxes]
    for edge in drawn:
        edge.set_linewidth(width)
    return drawn


def log_axis(ax: Axes, ticks: Sequence[float]) -> None:
    """Make the x axis logarithmic, with ticks at the given numbers only."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(list(ticks), [f"{tick:g}" for tick in ticks])


def close_up(ax: Axes, box: Tensor, times: float = 3.0) -> None:
    """Limit the axes to a square centred on a box `4`, ``times`` as large as its longer side."""
    left, top, right, bottom = box.tolist()
    shape = float(ax.get_aspect())
    half = times / 2 * max(right - left, (bottom - top) * shape)
    x, y = (left + right) / 2, (top + bottom) / 2
    ax.set(xlim=(x - half, x + half), ylim=(y + half / shape, y - half / shape))


def show_saliency(ax: Axes, saliency: Tensor, title: str = "") -> AxesImage:
    """Show a saliency map `1 1 h w` over the frame, from 0 (dark) to its maximum (bright)."""
    drawn = ax.imshow(saliency[0, 0].detach().cpu().numpy(), extent=(-1, 1, 1, -1), cmap="cividis")
    ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="auto", xlabel="x", ylabel="y")
    ax.set_title(title, color=INK)
    return drawn


def show_pareto_front(ax: Axes, points: Sequence[CostPoint], label: str | None = None) -> Line2D:
    """Draw the Pareto front of points (cost, accuracy) as a thick grey line behind the others."""
    (line,) = ax.step(
        *zip(*pareto_front(points), strict=True),
        where="post",
        color="0.85",
        linewidth=8,
        zorder=0,
        label=label,
    )
    return line


def show_axis(ax: Axes, warp: Warp, title: str = "") -> Line2D:
    """Plot how a separable warp, the first of a batch, maps x from the zoomed frame to the source.

    Raises:
        ValueError: the warp is not separable, so that its x also depends on y.
    """
    if warp.axes is None:
        raise ValueError(
            "expected a separable warp, got a non-separable one: its x also depends on y"
        )
    positions = torch.linspace(-1, 1, warp.pieces[1] + 1)
    (curve,) = ax.plot(positions, warp.axes[0][0].detach().cpu(), ".-", color=PREDICTION, label="T")
    ax.plot((-1, 1), (-1, 1), "--", color=INK, linewidth=0.8, label="uniform")
    ax.set(xlabel="x in the zoomed picture", ylabel="x in the source")
    ax.set_title(title, color=INK)
    ax.legend()
    return curve


def draw_grid(ax: Axes, warp: Warp, every: int = 1) -> None:
    """Draw the pieces of a warp, the first of a batch, over its source: every nth line of nodes."""
    grid = warp.grid[0].detach().cpu().numpy()
    for line in (*grid[::every], *grid.swapaxes(0, 1)[::every]):
        ax.plot(line[:, 0], line[:, 1], color=GRID, linewidth=0.8)
