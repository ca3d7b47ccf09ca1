"""Masks on a picture, and what they gain by size: what notebook 08 draws."""

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
from .palette import ANSWER, FOVEA, GRID, INK, MARK, TRUTH

STYLES: Mapping[str, tuple[str, str]] = {
    "uniform": (INK, "o"),
    "box": (ANSWER, "s"),
    "fixed": (FOVEA, "v"),
    "true edges": (MARK, "^"),
    "image edges": (GRID, "D"),
    "segmenter": (ANSWER, "s"),
    "detector": (FOVEA, "o"),
}
"""Colour and mark of each saliency, and of each network."""

TINT = 0.6
"""How much a tinted pixel takes of the tint."""


def show_mask(
    ax: Axes, image: Tensor, mask: Tensor, title: str = "", colour: str = ANSWER
) -> AxesImage:
    """Show an image with the pixels of a mask tinted.

    Args:
        ax: where to draw.
        image: `1 3 h w` in 0..1.
        mask: `1 1 h w`, boolean, over the same frame, of any size.
        title: above it.
        colour: of the tint.

    Returns:
        The tint.
    """
    show_image(ax, image, title)
    where = mask[0, 0].cpu().numpy()
    tint = np.empty((*where.shape, 4), dtype=np.float32)
    tint[..., :3] = to_rgb(colour)
    tint[..., 3] = TINT * where
    return ax.imshow(
        tint,
        extent=(-1, 1, 1, -1),
        aspect=image.shape[-2] / image.shape[-1],
        interpolation="nearest",
    )


def draw_outline(ax: Axes, mask: Tensor, colour: str = TRUTH) -> QuadContourSet:
    """Draw a line around a mask `1 1 h w`, halfway between the pixels in it and the others."""
    x, y = (axis.cpu().numpy() for axis in pixel_centres(mask.shape[-2:])[0].unbind(-1))
    inside = mask[0, 0].float().cpu().numpy()
    # A contour widens the axes to what it spans.
    limits = ax.get_xlim(), ax.get_ylim()
    drawn = ax.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=1.5)
    ax.set(xlim=limits[0], ylim=limits[1])
    return drawn


def show_intervals(
    ax: Axes,
    groups: Sequence[str],
    intervals: Mapping[str, Sequence[Interval]],
    label: str = "",
    title: str = "",
) -> list[ErrorbarContainer]:
    """Show means with their intervals, group by group, the systems side by side.

    Args:
        ax: where to draw.
        groups: names below.
        intervals: by a name of ``STYLES``, one a group.
        label: of the vertical axis.
        title: above it.
    """
    drawn = []
    for number, (name, each) in enumerate(intervals.items()):
        colour, mark = STYLES[name]
        places = dodge(len(groups), number, len(intervals), 0.12)
        drawn.append(
            draw_intervals(ax, places, each, colour=colour, mark=mark, line="", label=name)
        )
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set(ylabel=label)
    ax.set_title(title, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small")
    return drawn
