"""Figures: functions that draw on matplotlib axes they are given, and return what they drew."""

from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from torch import Tensor

from ..warp import Warp
from .palette import GRID, INK


def show_image(ax: Axes, image: Tensor, title: str = "") -> AxesImage:
    """Show an image `1 c h w` in 0..1 over [-1, 1] x [-1, 1], in its own shape, without ticks."""
    rows, columns = image.shape[-2:]
    drawn = ax.imshow(
        image[0].detach().clamp(0, 1).movedim(0, -1).cpu().numpy(),
        extent=(-1, 1, 1, -1),
        aspect=rows / columns,
        cmap="cividis",
    )
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, color=INK)
    return drawn


def draw_grid(ax: Axes, warp: Warp, every: int = 1) -> None:
    """Draw the pieces of a warp over its source, of a batch the first: every nth line of nodes."""
    grid = warp.grid[0].detach().cpu().numpy()
    for line in (*grid[::every], *grid.swapaxes(0, 1)[::every]):
        ax.plot(line[:, 0], line[:, 1], color=GRID, linewidth=0.8)
