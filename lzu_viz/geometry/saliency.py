"""Saliency: where to look. Every map is `b 1 h w`, positive, and sums to 1 over the frame.

A map covers the frame [-1, 1] x [-1, 1] with h x w equal cells and knows nothing of pixels. Lengths
are fractions of the frame's side: one number, or (rows, columns).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_grayscale
from kornia.filters import spatial_gradient
from torch import Tensor

from . import check
from .check import Size
from .deprecation import renamed_arguments

SIZE: Size = (32, 64)
"""(rows, columns) of a map where none is asked for."""

FLOOR = 1e-5
"""The least value of a cell, as a part of what it would hold in the uniform map."""


def normalise(saliency: Tensor) -> Tensor:
    """Put a floor under a map and make it sum to 1.

    Args:
        saliency: `b 1 h w`, finite, not negative, not all zero.

    Returns:
        `b 1 h w`, every cell at least about ``FLOOR / (h * w)``, in float32 or better.

    Raises:
        ValueError: for another shape, NaN, a negative cell, or a map of zeros.
    """
    if saliency.ndim != 4 or saliency.shape[1] != 1 or 0 in saliency.shape:
        raise ValueError(f"saliency must be `b 1 h w`, got {check.shape(saliency)}")
    # In half precision the floor would be nothing.
    saliency = saliency.to(torch.promote_types(saliency.dtype, torch.float32))
    total = saliency.sum(dim=(-2, -1), keepdim=True)
    if (
        not bool(torch.isfinite(total).all())
        or bool((saliency < 0).any())
        or bool((total <= 0).any())
    ):
        raise ValueError(
            f"saliency must be finite, nowhere negative and somewhere positive; its cells lie "
            f"between {saliency.min():g} and {saliency.max():g}"
        )
    share = saliency / total
    return (share + FLOOR / share[0, 0].numel()) / (1 + FLOOR)


def uniform(size: Sequence[int] = SIZE, *, device: torch.device | str | None = None) -> Tensor:
    """Look everywhere alike.

    The warp of this map is the identity, as long as the kernel is at least two cells wide.

    Args:
        size: (rows, columns) of the map.
        device: where the map lives.

    Returns:
        `1 1 h w`.

    Example:
        >>> uniform((2, 4))[0, 0]
        tensor([[0.1250, 0.1250, 0.1250, 0.1250],
                [0.1250, 0.1250, 0.1250, 0.1250]])
    """
    rows, columns = check.size(size)
    return torch.full((1, 1, rows, columns), 1 / (rows * columns), device=device)


@renamed_arguments(width="sigma")
def gaussian(
    centres: Tensor,
    sigma: float | Sequence[float] | Tensor,
    weight: Tensor | None = None,
    size: Sequence[int] = SIZE,
) -> Tensor:
    """Look at some places: a sum of Gaussians.

    A Gaussian narrower than a cell is widened by the cell (its variance grows by that of a box of
    one cell), so that it cannot fall between two cells' centres.

    Args:
        centres: `b n 2`, (x, y) in [-1, 1].
        sigma: the standard deviation: one number, (rows, columns), or a tensor `b n`, one number a
            centre.
        weight: `b n`, the share of each centre before normalisation, not negative; equal where
            None.
        size: (rows, columns) of the map.

    Returns:
        `b 1 h w`.

    Raises:
        ValueError: for another shape, a centre that is NaN, a width outside [1e-6, 10].
    """
    check.points(centres, "centres")
    # A fraction of the side is twice as long in coordinates that run from -1 to 1.
    if isinstance(sigma, Tensor):
        if sigma.shape != centres.shape[:2] or not bool(((sigma > 0) & (sigma <= 10)).all()):
            raise ValueError(
                f"sigma must be `b n`, one fraction of the side for each of centres "
                f"{check.shape(centres)}, got {check.shape(sigma)} from {sigma.min():g}"
            )
        deviation = 2 * sigma[..., None]
    else:
        rows, columns = check.per_axis(sigma, "sigma", minimum=1e-6, maximum=10)
        deviation = centres.new_tensor([2 * columns, 2 * rows])
    if weight is None:
        weight = torch.ones_like(centres[..., 0])
    if weight.shape != centres.shape[:2]:
        raise ValueError(
            f"weight must be `b n`, one for each of centres {check.shape(centres)}, "
            f"got {check.shape(weight)}"
        )
    return normalise(_gaussians(centres, (deviation**2).expand_as(centres), weight, size))


def from_boxes(
    boxes: Tensor,
    amplitude: float = 1.0,
    bandwidth: float = 64.0,
    *,
    frame: Sequence[int],
    size: Sequence[int] = SIZE,
) -> Tensor:
    """Look at boxes, as FOVEA does: a density estimate with its bandwidth in pixels.

    Each box gives a Gaussian at its centre, of variance ``bandwidth * (box width, box height)`` in
    pixels of ``frame``, that sums to ``amplitude``; all stand on a uniform floor that sums to 1
    (Thavamani et al., FOVEA, ICCV 2021). The variance grows with the first power of the box side:
    the same boxes in a larger frame give a sharper map. :func:`from_boxes_scale_free` does not
    depend on the frame.

    Args:
        boxes: `b n 4` or `n 4`, xyxy in [-1, 1] of the source frame; n may be 0.
        amplitude: what each box weighs against the floor.
        bandwidth: in pixels.
        frame: (height, width) of the image in pixels.
        size: (rows, columns) of the map.

    Returns:
        `b 1 h w`.
    """
    height, width = check.size(frame, "frame")
    if bandwidth <= 0:
        raise ValueError(f"bandwidth must be above 0 pixels, got {bandwidth}")
    pixel = torch.tensor([2 / width, 2 / height], dtype=boxes.dtype, device=boxes.device)
    centres, sides = _centres_and_sides(boxes)
    return _boxes_on_floor(centres, bandwidth * sides * pixel, amplitude, size)


@renamed_arguments(spread="relative_sigma")
def from_boxes_scale_free(
    boxes: Tensor, amplitude: float = 1.0, relative_sigma: float = 0.5, size: Sequence[int] = SIZE
) -> Tensor:
    """Look at boxes, each Gaussian as wide as its box asks: the same map at every resolution.

    As :func:`from_boxes`, but the standard deviation is ``relative_sigma`` times the side of the
    box.

    Args:
        boxes: `b n 4` or `n 4`, xyxy in [-1, 1] of the source frame; n may be 0.
        amplitude: what each box weighs against the floor.
        relative_sigma: standard deviation as a part of the box's side.
        size: (rows, columns) of the map.

    Returns:
        `b 1 h w`.
    """
    if relative_sigma <= 0:
        raise ValueError(f"relative_sigma must be above 0, got {relative_sigma}")
    centres, sides = _centres_and_sides(boxes)
    return _boxes_on_floor(centres, (relative_sigma * sides) ** 2, amplitude, size)


@check.full_precision
def from_edges(image: Tensor, size: Sequence[int] = SIZE) -> Tensor:
    """Look at edges: the mean length of the image's gradient (Sobel) in each cell.

    Args:
        image: `b 3 h w` or `b 1 h w` in 0..1.
        size: (rows, columns) of the map.

    Returns:
        `b 1 *size`; the uniform map for a constant image.
    """
    check.image(image)
    if image.shape[1] not in (1, 3):
        raise ValueError(f"image must have 1 or 3 channels, got {check.shape(image)}")
    grey = rgb_to_grayscale(image) if image.shape[1] == 3 else image
    slope = spatial_gradient(grey.to(torch.promote_types(image.dtype, torch.float32)))
    # The constant keeps the square root differentiable. Nearly all that it adds is taken off again:
    # summed over a large flat region it would outweigh the outline of a small thing.
    length = (slope.square().sum(dim=2) + 1e-6).sqrt() - (1e-3 - 1e-6)
    return normalise(F.adaptive_avg_pool2d(length, check.size(size)))


def mix(*maps: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    """Look at several things at once: the weighted mean of maps.

    Args:
        maps: each `b 1 h w`, all of one size; a batch of 1 serves any batch.
        weights: one a map, not negative; equal where None.

    Returns:
        `b 1 h w`.

    Example:
        >>> fovea = gaussian(torch.tensor([[[0.5, 0.0]]]), width=0.1)
        >>> bool((mix(uniform(), fovea, weights=(1, 3)) > 0).all())
        True
    """
    weights = [1.0] * len(maps) if weights is None else list(weights)
    if not maps or len(weights) != len(maps):
        raise ValueError(
            f"mix needs one weight a map, got {len(maps)} maps and {len(weights)} weights"
        )
    if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"weights must be finite, nowhere negative and not all 0, got {weights}")
    for saliency in maps:
        check.saliency(saliency, "each map")
        if saliency.shape[-2:] != maps[0].shape[-2:]:
            raise ValueError(f"maps must have one size, got {[check.shape(each) for each in maps]}")
    total = sum(
        weight * each / each.sum(dim=(-2, -1), keepdim=True)
        for weight, each in zip(weights, maps, strict=True)
    )
    return normalise(torch.as_tensor(total))


def cell_centres(cells: int, like: Tensor) -> Tensor:
    """Return the centres of equal cells of [-1, 1], in the dtype and on the device of ``like``."""
    return (2 * torch.arange(cells, dtype=like.dtype, device=like.device) + 1) / cells - 1


@check.full_precision
def _gaussians(centres: Tensor, variance: Tensor, weight: Tensor, size: Sequence[int]) -> Tensor:
    """Sum Gaussians of `b n 2` centres and variances, each of mass `b n`, to `b 1 h w`."""
    dtype = torch.promote_types(centres.dtype, torch.float32)
    centres, variance, weight = centres.to(dtype), variance.to(dtype), weight.to(dtype)
    if not bool(torch.isfinite(centres).all() & torch.isfinite(variance).all()):
        raise ValueError("centres and widths must be finite, some are NaN or infinite")
    profiles = []
    for axis, cells in ((1, check.size(size)[0]), (0, check.size(size)[1])):
        blurred = variance[..., axis, None] + (2 / cells) ** 2 / 12
        distance = cell_centres(cells, centres) - centres[..., axis, None]
        # The softmax is a Gaussian of mass 1, even where its centre lies outside the frame.
        profiles.append(torch.softmax(-(distance**2) / (2 * blurred), dim=-1))
    return torch.einsum("bnh,bnw,bn->bhw", *profiles, weight)[:, None]


def _centres_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    check.boxes(boxes)
    boxes = boxes if boxes.ndim == 3 else boxes[None]
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, high - low


def _boxes_on_floor(
    centres: Tensor, variance: Tensor, amplitude: float, size: Sequence[int]
) -> Tensor:
    if not amplitude >= 0:
        raise ValueError(f"amplitude must not be negative, got {amplitude}")
    weight = torch.full_like(centres[..., 0], amplitude)
    return normalise(
        _gaussians(centres, variance, weight, size) + uniform(size, device=centres.device)
    )
