"""Saliency maps, `b 1 h w`: positive, with a sum of 1 over the frame.

A map covers the frame [-1, 1] x [-1, 1] with h x w equal cells, independent of the size of any
image. Lengths are fractions of the frame's side: one number, or (rows, columns).
"""

import math
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
"""Default (rows, columns) of a map."""

FLOOR = 1e-5
"""Minimum value of a cell, as a fraction of its value in the uniform map."""


def normalise(saliency: Tensor, floor: float = FLOOR) -> Tensor:
    """Return the map normalised to a sum of 1, with a floor added to every cell.

    Args:
        saliency: `b 1 h w`, finite, non-negative, not all zero.
        floor: minimum value of a cell, as a fraction of its value in the uniform map. The default
            only keeps the map positive. Where one cell may outweigh all others, as in the output of
            a saliency network, 0.01 or more keeps its warp invertible in float32; another way is
            ``max_magnification`` of :meth:`lzu_viz.Warp.from_saliency`.

    Returns:
        `b 1 h w`, every cell at least about ``floor / (h * w)``, in float32 or better.

    Raises:
        ValueError: if the shape is wrong, a cell is negative or not finite, all cells are zero, or
            the floor is not positive.
    """
    check.is_tensor(saliency, "saliency")
    if not 0 < floor < math.inf:
        raise ValueError(f"floor must be positive and finite, got {floor}")
    if saliency.ndim != 4 or saliency.shape[1] != 1 or 0 in saliency.shape[1:]:
        raise ValueError(f"saliency must have shape (b, 1, h, w), got {check.shape(saliency)}")
    # In half precision the floor would round to zero.
    saliency = saliency.to(torch.promote_types(saliency.dtype, torch.float32))
    total = saliency.sum(dim=(-2, -1), keepdim=True)
    # One test: it is also False for NaN.
    valid = ((total > 0) & (total < torch.inf)).all() & (saliency >= 0).all()
    if check.value_of(valid) is False:
        raise ValueError(
            "saliency must be finite and non-negative, with a positive sum, got cells from "
            f"{saliency.min():g} to {saliency.max():g}"
        )
    fraction = saliency / total
    return (fraction + floor / saliency.shape[-2:].numel()) / (1 + floor)


def uniform(size: Sequence[int] = SIZE, *, device: torch.device | str | None = None) -> Tensor:
    """Return the uniform map.

    Its warp is the identity, provided that the kernel is at least two cells wide.

    Args:
        size: (rows, columns) of the map.
        device: of the map.

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
    """Return a sum of Gaussians.

    The variance of a uniform distribution over one cell is added to that of each Gaussian, so that
    a Gaussian narrower than a cell cannot fall between cell centres.

    Args:
        centres: `b n 2`, (x, y) in [-1, 1].
        sigma: standard deviation, as a fraction of the frame's side: one number, (rows, columns),
            or a tensor `b n`, one for each centre.
        weight: `b n`, the mass of each Gaussian before normalisation, non-negative; 1 if None.
        size: (rows, columns) of the map.

    Returns:
        `b 1 h w`.

    Raises:
        ValueError: if a shape is wrong, a centre is not finite, or ``sigma`` is outside [1e-6, 10]
            (as a tensor: not in ]0, 10]).
    """
    check.points(centres, "centres")
    # The frame [-1, 1] has side 2.
    if isinstance(sigma, Tensor):
        if sigma.shape != centres.shape[:2]:
            raise ValueError(
                "a tensor sigma must have shape (b, n), one value for each of centres "
                f"{check.shape(centres)}, got shape {check.shape(sigma)}"
            )
        if not bool(((sigma > 0) & (sigma <= 10)).all()):
            raise ValueError(
                "sigma must be a fraction of the frame's side in ]0, 10], got values from "
                f"{sigma.min():g} to {sigma.max():g}"
            )
        deviation = 2 * sigma[..., None]
    else:
        rows, columns = check.per_axis(sigma, "sigma", minimum=1e-6, maximum=10)
        deviation = centres.new_tensor([2 * columns, 2 * rows])
    if weight is None:
        weight = torch.ones_like(centres[..., 0])
    if weight.shape != centres.shape[:2]:
        raise ValueError(
            "weight must have shape (b, n), one value for each of centres "
            f"{check.shape(centres)}, got shape {check.shape(weight)}"
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
    """Return FOVEA's saliency of boxes: a kernel density estimate with a bandwidth in pixels.

    Each box adds a Gaussian at its centre, of variance ``bandwidth * (box width, box height)`` in
    pixels of ``frame`` and mass ``amplitude``, to a uniform floor of mass 1 (Thavamani et al.,
    FOVEA, ICCV 2021). The variance is proportional to the box side, not to its square: the same
    boxes in a larger frame give a sharper map. :func:`from_boxes_scale_free` does not depend on the
    frame.

    Args:
        boxes: `b n 4` or `n 4`, xyxy in [-1, 1] of the source frame; n may be 0.
        amplitude: mass of each box relative to the uniform floor.
        bandwidth: in pixels.
        frame: (height, width) of the image in pixels.
        size: (rows, columns) of the map.

    Returns:
        `b 1 h w`.
    """
    height, width = check.size(frame, "frame")
    if bandwidth <= 0:
        raise ValueError(f"bandwidth must be positive, in pixels, got {bandwidth}")
    centres, sides = _centres_and_sides(boxes)
    pixel = sides.new_tensor([2 / width, 2 / height])
    return _boxes_on_floor(centres, bandwidth * sides * pixel, amplitude, size)


@renamed_arguments(spread="relative_sigma")
def from_boxes_scale_free(
    boxes: Tensor, amplitude: float = 1.0, relative_sigma: float = 0.5, size: Sequence[int] = SIZE
) -> Tensor:
    """Return the saliency of boxes, independent of the image's size.

    Unlike in :func:`from_boxes`, the standard deviation of each Gaussian is ``relative_sigma``
    times the side of its box.

    Args:
        boxes: `b n 4` or `n 4`, xyxy in [-1, 1] of the source frame; n may be 0.
        amplitude: mass of each box relative to the uniform floor.
        relative_sigma: standard deviation as a fraction of the box's side.
        size: (rows, columns) of the map.

    Returns:
        `b 1 h w`.
    """
    if relative_sigma <= 0:
        raise ValueError(f"relative_sigma must be positive, got {relative_sigma}")
    centres, sides = _centres_and_sides(boxes)
    return _boxes_on_floor(centres, (relative_sigma * sides) ** 2, amplitude, size)


@check.full_precision
def from_edges(image: Tensor, size: Sequence[int] = SIZE) -> Tensor:
    """Return the saliency of edges: the mean gradient magnitude (Sobel) in each cell.

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
    gradient = spatial_gradient(grey.to(torch.promote_types(image.dtype, torch.float32)))
    # The constant keeps the square root differentiable. Nearly all that it adds is subtracted
    # again: summed over a large flat region it would outweigh the outline of a small object.
    magnitude = (gradient.square().sum(dim=2) + 1e-6).sqrt() - (1e-3 - 1e-6)
    return normalise(F.adaptive_avg_pool2d(magnitude, check.size(size)))


def mix(*maps: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    """Return the weighted mean of maps, each normalised to a sum of 1.

    Args:
        maps: each `b 1 h w`, all of one size; a batch of 1 is broadcast.
        weights: one for each map, non-negative; equal if None.

    Returns:
        `b 1 h w`.

    Example:
        >>> fovea = gaussian(torch.tensor([[[0.5, 0.0]]]), sigma=0.1)
        >>> bool((mix(uniform(), fovea, weights=(1, 3)) > 0).all())
        True
    """
    weights = [1.0] * len(maps) if weights is None else list(weights)
    if not maps or len(weights) != len(maps):
        raise ValueError(
            f"mix requires at least one map and one weight per map, got {len(maps)} maps and "
            f"{len(weights)} weights"
        )
    if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise ValueError(f"weights must be finite, non-negative and not all 0, got {weights}")
    for saliency in maps:
        check.saliency(saliency, "each map")
        if saliency.shape[-2:] != maps[0].shape[-2:]:
            raise ValueError(
                "maps must have the same size, got "
                f"{[check.shape(single_map) for single_map in maps]}"
            )
    total = sum(
        weight * single_map / single_map.sum(dim=(-2, -1), keepdim=True)
        for weight, single_map in zip(weights, maps, strict=True)
    )
    return normalise(torch.as_tensor(total))


def cell_centres(cells: int, like: Tensor) -> Tensor:
    """Return the centres of equal cells of [-1, 1], in the dtype and on the device of ``like``."""
    return (2 * torch.arange(cells, dtype=like.dtype, device=like.device) + 1) / cells - 1


@check.full_precision
def _gaussians(centres: Tensor, variance: Tensor, weight: Tensor, size: Sequence[int]) -> Tensor:
    """Return the sum of Gaussians, `b 1 h w`: centres and variances `b n 2`, masses `b n`."""
    dtype = torch.promote_types(centres.dtype, torch.float32)
    centres, variance, weight = centres.to(dtype), variance.to(dtype), weight.to(dtype)
    if check.value_of(torch.isfinite(centres).all() & torch.isfinite(variance).all()) is False:
        raise ValueError("centres and standard deviations must be finite, got NaN or infinity")
    profiles = []
    for axis, cells in ((1, check.size(size)[0]), (0, check.size(size)[1])):
        blurred = variance[..., axis, None] + (2 / cells) ** 2 / 12
        distance = cell_centres(cells, centres) - centres[..., axis, None]
        # The softmax is a Gaussian of mass 1 in the frame, even if its centre lies outside.
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
