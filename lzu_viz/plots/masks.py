"""Plots of masks and of their accuracy by size (notebook 08)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.contour import QuadContourSet
from matplotlib.image import AxesImage
from torch import Tensor

from ..geometry.resampling import pixel_centres
from .figures import show_image
from .intervals import Interval, dodge, draw_intervals
from .palette import FOVEA, GRID, GROUND_TRUTH, INK, MARK, PREDICTION

STYLES: Mapping[str, tuple[str, str]] = {
    "uniform": (INK, "o"),
    "box": (PREDICTION, "s"),
    "fixed": (FOVEA, "v"),
    "true edges": (MARK, "^"),
    "image edges": (GRID, "D"),
    "segmenter": (PREDICTION, "s"),
    "detector": (FOVEA, "o"),
}
"""Colour and marker of each saliency, and of each network."""

TINT = 0.6
"""Opacity of the tint."""


def show_mask(ax: Axes, image: Tensor, mask: Tensor, title: str = "") -> AxesImage:
    """Show an image with the pixels of a mask tinted.

    Args:
        ax: axes to draw on.
        image: `1 3 h w` in 0..1.
        mask: `1 1 h w`, boolean, over the same frame, of any size.
        title: of the axes.

    Returns:
        The tint.
    """
    show_image(ax, image, title)
    inside = mask[0, 0].cpu().numpy()
    tint = np.empty((*inside.shape, 4), dtype=np.float32)
    tint[..., :3] = to_rgb(PREDICTION)
    tint[..., 3] = TINT * inside
    return ax.imshow(
        tint,
        extent=(-1, 1, 1, -1),
        aspect=image.shape[-2] / image.shape[-1],
        interpolation="nearest",
    )


def draw_outline(ax: Axes, mask: Tensor) -> QuadContourSet:
    """Draw the contour of a mask `1 1 h w`, halfway between pixels inside and outside."""
    x, y = (axis.cpu().numpy() for axis in pixel_centres(mask.shape[-2:])[0].unbind(-1))
    inside = mask[0, 0].float().cpu().numpy()
    # A contour changes the limits of the axes.
    limits = ax.get_xlim(), ax.get_ylim()
    drawn = ax.contour(x, y, inside, levels=[0.5], colors=[GROUND_TRUTH], linewidths=1.5)
    ax.set(xlim=limits[0], ylim=limits[1])
    return drawn


def show_intervals(
    ax: Axes,
    groups: Sequence[str],
    intervals: Mapping[str, Sequence[Interval]],
    label: str = "",
    title: str = "",
) -> list[ErrorbarContainer]:
    """Plot means with their intervals in groups, with the systems side by side.

    Args:
        ax: axes to draw on.
        groups: names of the groups on the x axis.
        intervals: one for each group, by a name of ``STYLES``.
        label: of the y axis.
        title: of the axes.
    """
    drawn = []
    for number, (name, system_intervals) in enumerate(intervals.items()):
        colour, mark = STYLES[name]
        positions = dodge(len(groups), number, len(intervals), 0.12)
        drawn.append(
            draw_intervals(
                ax, positions, system_intervals, colour=colour, mark=mark, line="", label=name
            )
        )
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set(ylabel=label)
    ax.set_title(title, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return drawn
