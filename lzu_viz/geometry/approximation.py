"""Approximation error of a warp relative to the continuous map."""

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
    """Return the distance between a warp and its continuous map, in source pixels.

    Args:
        warp: made by :meth:`Warp.from_saliency` from ``saliency``, ``fwhm`` and ``anti_crop``.
        saliency: `b 1 h w`, positive.
        fwhm: as in :func:`lzu_viz.attract`.
        anti_crop: as in :func:`lzu_viz.attract`.
        size: (rows, columns) of the source image, whose pixels are the unit.
        samples: (rows, columns) of the points of the zoomed frame at which to evaluate both.

    Returns:
        `b *samples`, the distances.

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), sigma=0.1)
        >>> coarse, fine = (Warp.from_saliency(fovea, (k, k)) for k in (8, 32))
        >>> errors = [approximation_error(w, fovea, size=(512, 512)).mean() for w in (coarse, fine)]
        >>> bool(errors[0] > 10 * errors[1])
        True
    """
    rows, columns = check.size(size)
    centres = pixel_centres(samples, device=warp.grid.device, dtype=warp.grid.dtype)
    x, y = centres[0, 0, :, 0], centres[0, :, 0, 1]
    if warp.separable:
        source_x, source_y = attract_axes(x, y, saliency, fwhm, anti_crop)
        exact = torch.stack(
            torch.broadcast_tensors(source_x[:, None, :], source_y[:, :, None]), dim=-1
        )
    else:
        exact = attract_grid(x, y, saliency, fwhm, anti_crop)
    pixels = exact.new_tensor([columns / 2, rows / 2])
    residual = (warp.source_map(samples) - exact) * pixels
    return residual.square().sum(dim=-1).sqrt()
