"""The distance between a warp and the continuous map that it approximates."""

from collections.abc import Sequence

import torch
from torch import Tensor

from . import check
from .attraction import FWHM, attract_axes, attract_grid
from .resampling import pixel_centres
from .warp import Warp


def approximation_error(
    warp: Warp,
    saliency: Tensor,
    fwhm: float | Sequence[float] = FWHM,
    anti_crop: bool = True,
    *,
    size: Sequence[int],
    samples: Sequence[int] = (128, 128),
) -> Tensor:
    """Return how far a warp lands from the continuous map that it stands for, in source pixels.

    Args:
        warp: made by :meth:`Warp.from_saliency` from the next three.
        saliency: `b 1 h w`.
        fwhm: as in :func:`lzu_viz.attract`.
        anti_crop: as in :func:`lzu_viz.attract`.
        size: (rows, columns) of the source image, which gives the unit.
        samples: (rows, columns) of places in the zoomed frame to look at.

    Returns:
        `b *samples`, the distance between the two.

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), width=0.1)
        >>> coarse, fine = (Warp.from_saliency(fovea, (k, k)) for k in (8, 32))
        >>> errors = [approximation_error(w, fovea, size=(512, 512)).mean() for w in (coarse, fine)]
        >>> bool(errors[0] > 10 * errors[1])
        True
    """
    rows, columns = check.size(size)
    centres = pixel_centres(samples, device=warp.grid.device, dtype=warp.grid.dtype)
    x, y = centres[0, 0, :, 0], centres[0, :, 0, 1]
    if warp.separable:
        across, down = attract_axes(x, y, saliency, fwhm, anti_crop)
        exact = torch.stack(torch.broadcast_tensors(across[:, None, :], down[:, :, None]), dim=-1)
    else:
        exact = attract_grid(x, y, saliency, fwhm, anti_crop)
    pixels = exact.new_tensor([columns / 2, rows / 2])
    residual = (warp.source_map(samples) - exact) * pixels
    return residual.square().sum(dim=-1).sqrt()
