"""Figures: functions that draw on matplotlib axes they are given, and return what they drew."""

from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from torch import Tensor

from ..warp import Warp
from .palette import GRID, INK, TRUTH


def show_image(ax: Axes, image: Tensor, title: str = "") -> AxesImage:
    """Show an image `1 c h w` in 0..1 over [-1, 1] x [-1, 1], in its own shape, without ticks."""
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


def draw_box(ax: Axes, box: Tensor, colour: str = TRUTH) -> Rectangle:
    """Draw one box `4`, xyxy in [-1, 1]."""
    left, top, right, bottom = box.tolist()
    edge = Rectangle((left, top), right - left, bottom - top, fill=False, color=colour, linewidth=2)
    ax.add_patch(edge)
    return edge


def draw_grid(ax: Axes, warp: Warp, every: int = 1) -> None:
    """Draw the pieces of a warp over its source, of a batch the first: every nth line of nodes."""
    grid = warp.grid[0].detach().cpu().numpy()
    for line in (*grid[::every], *grid.swapaxes(0, 1)[::every]):
        ax.plot(line[:, 0], line[:, 1], color=GRID, linewidth=0.8)
