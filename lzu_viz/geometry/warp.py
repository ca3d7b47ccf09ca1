"""Warp: the piecewise bilinear map T from the zoomed to the source frame, and its inverse.

The source frame is that of the image, the zoomed frame that of the network's input. Zooming samples
the source image at T of each zoomed pixel; unzooming samples zoomed features at the inverse of T of
each source pixel (Thavamani et al., "Learning to Zoom and Unzoom", CVPR 2023).
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeVar, get_args

import torch
from torch import Tensor

from . import bilinear, check
from .area_resampling import MeanPlan, area_means, dense_means, plan_means
from .attraction import FWHM, attract_axes, attract_grid
from .check import Size
from .deprecation import renamed_arguments
from .inverse.invert import invert_axis, invert_pieces, invert_pixels
from .magnification import limit_axis, limit_grid
from .outlines import (
    bounds_in_source,
    bounds_in_zoomed,
    bounds_in_zoomed_by_axes,
    nodes,
    subdivide_in_source,
    subdivide_in_zoomed,
)
from .precision import in_float64
from .resampling import (
    MipmapPlan,
    are_all_finite,
    axis_centres,
    axis_edges,
    footprints,
    pixel_centres,
    plan_mipmap,
    sample,
    sample_mipmap,
    sample_nearest,
)
from .threads import threads

PIECES: Size = (32, 64)
"""Default (rows, columns) of pieces."""

FLAT = 1e-7
"""Largest Jacobian determinant at which a piece counts as folded, or as too flat to have an inverse
in float32."""

CACHE_SIZE = 16
"""Maximum number of maps and resampling plans that a warp caches."""

Frame = Literal["source", "zoomed"]
Mode = Literal["bilinear", "nearest"]
MODES: tuple[Mode, ...] = get_args(Mode)
Value = TypeVar("Value")


class _Properties(NamedTuple):
    """Properties of a warp that are read from the device.

    Attributes:
        unfolded: whether no piece is folded or flat, by a sufficient condition; None if unknown.
        folded: whether a piece is certainly folded, not only flat.
        covers: whether it is known that every point of the source frame has an inverse.
    """

    unfolded: bool | None
    folded: bool
    covers: bool


@dataclass(frozen=True, eq=False, repr=False)
class Warp:
    """A map from the zoomed to the source frame, bilinear on each of rows x columns equal pieces.

    A warp is immutable (do not modify its tensors in place: results computed from them are cached),
    batched, differentiable in its grid, and independent of image size. A warp of batch 1 is
    broadcast to any batch of images or points. Create one with :meth:`from_saliency`,
    :meth:`from_grid`, :meth:`from_axes` or :meth:`identity`.

    Attributes:
        grid: `b rows+1 columns+1 2`, T at the nodes: (x, y) of the source frame, float32 or
            float64.
        axes: for a separable warp, x and y of the nodes as (`b columns+1`, `b rows+1`); otherwise
            None.

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), sigma=0.1)
        >>> warp = Warp.from_saliency(saliency.mix(saliency.uniform(), fovea))
        >>> warp
        Warp(batch=1, pieces=(32, 64), separable)
        >>> warp.zoom(torch.rand(1, 3, 90, 160), size=(45, 80)).shape
        torch.Size([1, 3, 45, 80])
    """

    grid: Tensor
    axes: tuple[Tensor, Tensor] | None = None
    _memory: dict[tuple[Any, ...], Any] = field(default_factory=dict, init=False)
    _known: list["_Properties"] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        grid = self.grid
        check.is_tensor(grid, "grid")
        if grid.ndim != 4 or grid.shape[-1] != 2 or min(grid.shape[1:3]) < 2:
            raise ValueError(
                "grid must have shape (b, rows + 1, columns + 1, 2), with at least one row and one "
                f"column of pieces, got {check.shape(grid)}"
            )
        if grid.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"grid must be float32 or float64, got {grid.dtype}; half precision is too coarse, "
                "with errors of 0.3 pixels at 900x1600"
            )
        # One test of all nodes: it is also False for NaN.
        if check.value_of((grid.detach().abs() <= check.FAR).all()) is False:
            if not bool(torch.isfinite(grid).all()):
                raise ValueError("grid has NaN or infinite nodes; check how it was computed")
            check.in_reach(grid, "grid")

    @classmethod
    def identity(
        cls,
        pieces: Sequence[int] = PIECES,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Return the identity warp; zooming by it resizes the image uniformly."""
        rows, columns = check.size(pieces, "pieces")
        return cls.from_axes(*(nodes(count, device, dtype)[None] for count in (columns, rows)))

    @classmethod
    def from_saliency(
        cls,
        saliency: Tensor,
        pieces: Sequence[int] = PIECES,
        fwhm: float | Sequence[float] = FWHM,
        separable: bool = True,
        anti_crop: bool = True,
        max_magnification: float | None = None,
    ) -> Self:
        """Return the piecewise bilinear approximation of :func:`lzu_viz.attract`.

        Args:
            saliency: `b 1 h w`, positive.
            pieces: (rows, columns), independent of the size of the saliency map and of any image.
            fwhm: full width at half maximum of the kernel, as a fraction of the frame's side: one
                number or (rows, columns). The official 10 nodes on 27x48 are (0.37, 0.21).
            separable: whether each axis is warped independently.
            anti_crop: whether the zoomed frame covers the whole source frame.
            max_magnification: limit on the linear magnification, more than 1 (of a separable warp:
                along each axis). Where it is exceeded, the warp is blended with the identity. It
                keeps warps invertible in float32 for any saliency, for example that of a softmax.

        Returns:
            A warp with the batch size of the saliency, differentiable in the saliency.

        Raises:
            ValueError: the saliency is not a finite, positive `b 1 h w`, or a number is out of its
                range.
        """
        rows, columns = check.size(pieces, "pieces")
        check.saliency(saliency)
        dtype = torch.promote_types(saliency.dtype, torch.float32)
        x, y = (nodes(count, saliency.device, dtype) for count in (columns, rows))
        limit = math.inf if max_magnification is None else max_magnification
        if not limit > 1:
            raise ValueError(f"max_magnification must be more than 1, got {max_magnification}")
        if separable:
            axes = attract_axes(x, y, saliency, fwhm, anti_crop)
            if math.isinf(limit):
                return cls.from_axes(*axes)
            return cls.from_axes(*(limit_axis(axis, limit) for axis in axes))
        grid = attract_grid(x, y, saliency, fwhm, anti_crop)
        return cls(grid if math.isinf(limit) else limit_grid(grid, limit))

    @classmethod
    def from_grid(cls, grid: Tensor) -> Self:
        """Return the non-separable warp with these nodes.

        Args:
            grid: `b rows+1 columns+1 2`, (x, y) of the source frame at equally spaced nodes of the
                zoomed frame.

        Raises:
            ValueError: if the grid has another shape, half precision, or NaN. Folded grids are
                accepted: see :meth:`folds`.
        """
        return cls(grid)

    @classmethod
    def from_axes(cls, x: Tensor, y: Tensor) -> Self:
        """Return the separable warp with these node coordinates on each axis.

        Args:
            x: `b columns+1`, x of the source frame at equally spaced columns of the zoomed frame.
            y: `b rows+1`, y of the source frame at equally spaced rows.
        """
        check.is_tensor(x, "x")
        check.is_tensor(y, "y")
        if x.ndim != 2 or y.ndim != 2:
            raise ValueError(
                "x and y must have shapes (b, columns + 1) and (b, rows + 1), "
                f"got {check.shape(x)} and {check.shape(y)}"
            )
        batch = check.same_batch(x.shape[0], y.shape[0], "x and y")
        # A parameter remains the same object, so that a module can register it.
        x, y = (axis if axis.shape[0] == batch else axis.expand(batch, -1) for axis in (x, y))
        across, down = torch.broadcast_tensors(x[:, None, :], y[:, :, None])
        return cls(torch.stack([across, down], dim=-1), (x, y))

    @property
    def pieces(self) -> Size:
        """(rows, columns) of pieces."""
        return self.grid.shape[1] - 1, self.grid.shape[2] - 1

    @property
    def separable(self) -> bool:
        """Whether each axis is mapped independently."""
        return self.axes is not None

    def __len__(self) -> int:
        """Return the batch size."""
        # Inside the library `grid.shape[0]` is read, which may be symbolic in an exported program.
        return len(self.grid)

    def __getitem__(self, index: int | slice) -> "Warp":
        """Return the warp at ``index`` as a batch of 1, or those of a slice.

        Raises:
            IndexError: ``index`` is out of range.
        """
        if isinstance(index, slice):
            return self._of_tensors(lambda tensor: tensor[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for a warp of batch {len(self)}")
        first = index % len(self)
        return self._of_tensors(lambda tensor: tensor[first : first + 1])

    @staticmethod
    def cat(warps: Sequence["Warp"]) -> "Warp":
        """Return warps concatenated along the batch; separable if all are.

        Args:
            warps: at least one, with equal numbers of pieces.

        Raises:
            ValueError: there is no warp, or their pieces differ.

        Example:
            >>> Warp.cat([Warp.identity((8, 8)), Warp.identity((8, 8))])
            Warp(batch=2, pieces=(8, 8), separable)
        """
        pieces = {warp.pieces for warp in warps}
        if len(pieces) != 1:
            raise ValueError(
                "warps to concatenate must have the same number of pieces, and there must be at "
                f"least one, got {len(warps)} warps with pieces {sorted(pieces)}"
            )
        axes = [warp.axes for warp in warps if warp.axes is not None]
        if len(axes) == len(warps):
            x, y = (torch.cat(nodes) for nodes in zip(*axes, strict=True))
            return Warp.from_axes(x, y)
        return Warp(torch.cat([warp.grid for warp in warps]))

    def expand(self, batch: int) -> "Warp":
        """Return a warp of batch 1 repeated to a batch, without a copy.

        Raises:
            ValueError: the batch size of this warp is neither 1 nor ``batch``.
        """
        if len(self) == batch:
            return self
        if len(self) != 1:
            raise ValueError(f"only a warp of batch 1 can be expanded, got batch {len(self)}")
        return self._of_tensors(lambda tensor: tensor.expand(batch, *tensor.shape[1:]))

    def repeat_interleave(self, repeats: int) -> "Warp":
        """Return each warp of the batch repeated, as :func:`torch.repeat_interleave` does.

        For example, for crops or views of each image that are stacked along the batch.
        """
        return self._of_tensors(lambda tensor: tensor.repeat_interleave(repeats, dim=0))

    def _of_tensors(self, change: Callable[[Tensor], Tensor]) -> "Warp":
        """Return the warp of which each tensor is changed by a function."""
        axes = self.axes
        return Warp(change(self.grid), axes and (change(axes[0]), change(axes[1])))

    def __repr__(self) -> str:
        """Return batch size, pieces and separability as text."""
        kind = "separable" if self.separable else "non-separable"
        return f"Warp(batch={len(self)}, pieces={self.pieces}, {kind})"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle: without the cache."""
        return {"grid": self.grid, "axes": self.axes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled warp."""
        self.__dict__.update(state, _memory={}, _known=[])

    def __deepcopy__(self, memo: dict[int, Any]) -> "Warp":
        """Return a copy with its own tensors, and with the cached maps, which are not modified.

        A grid that is the result of a computation, such as that of a learnt saliency, is detached:
        its graph cannot be copied.
        """
        leaf = self.grid.is_leaf
        copied = self._of_tensors(
            lambda tensor: copy.deepcopy(
                tensor if leaf and tensor.is_leaf else tensor.detach(), memo
            )
        )
        if not copied.grid.requires_grad:
            copied._memory.update(self._memory)
            copied._known.extend(self._known)
        return copied

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Warp":
        """Return this warp on another device or in another dtype (float32 or float64).

        The warp itself is returned if it has this device and dtype.
        """
        moved = self._of_tensors(lambda tensor: tensor.to(device, dtype))
        if moved.grid is self.grid:
            return self
        if not moved.grid.requires_grad:
            # The same maps are cached again: a compiled program cannot compute them.
            for kind, *sizes in self._memory:
                moved._MAPS[kind](moved, *sizes)
        return moved

    def detach(self) -> "Warp":
        """Return this warp, detached from the autograd graph."""
        return self._of_tensors(Tensor.detach)

    def morph(self, amount: float) -> "Warp":
        """Return the linear interpolation between the identity (0) and this warp (1).

        A warp made from saliency does not fold in between: its Jacobian has positive eigenvalues,
        and so has every convex combination of it with the identity.
        """
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be between 0 and 1, got {amount}")
        identity = Warp.identity(self.pieces, device=self.grid.device, dtype=self.grid.dtype)
        if self.axes is None or identity.axes is None:
            return Warp(torch.lerp(identity.grid, self.grid, amount))
        (x0, y0), (x1, y1) = identity.axes, self.axes
        return Warp.from_axes(torch.lerp(x0, x1, amount), torch.lerp(y0, y1, amount))

    # Images and features.

    def zoom(
        self,
        image: Tensor,
        size: Sequence[int],
        antialias: bool = True,
        *,
        mode: Mode = "bilinear",
        allow_folds: bool = False,
    ) -> Tensor:
        """Return the zoomed image, in which salient regions take up more pixels.

        Args:
            image: `b 3 h w` (any number of channels), floating, at least 2x2 pixels; with
                ``mode="nearest"`` of any dtype and size, for example a mask or a map of labels.
            size: (rows, columns) of the zoomed image.
            antialias: whether a zoomed pixel that covers more than one source pixel is the mean
                over its area: the exact mean if the warp is separable (`area_resampling`), an
                approximation by a mipmap otherwise. If False, each pixel is one bilinear sample.
            mode: "bilinear", or "nearest": each pixel takes the value of the source pixel that
                contains its centre, and ``antialias`` has no effect.
            allow_folds: whether to accept a folded warp, which shows parts of the image twice.

        Returns:
            `b 3 *size` in the image's dtype.

        Raises:
            ValueError: the image has a wrong shape or dtype or is not finite, or the warp is
                folded.
        """
        check.one_of(mode, MODES, "mode")
        check.not_jit_traced()
        if mode == "bilinear":
            check.image_shape(image)
        else:
            check.dense(image, "image")
        check.same_batch(self.grid.shape[0], image.shape[0], "warp and image")
        if not allow_folds:
            self._check_not_folded(accept_flat=True)
        if mode == "nearest":
            return sample_nearest(image, self.source_map(size))
        if antialias:
            sizes = check.size(image.shape[-2:]), check.size(size)
            if self.axes is not None and self._is_traced(("means", *sizes)):
                return dense_means(image, *self._edges(sizes[1]))
            if self.axes is not None:
                return area_means(image, self._mean_plan(*sizes), finite=True)
            return sample_mipmap(image, self._mipmap_plan(*sizes), finite=True)
        check.finite(image, image)
        return sample(image, self.source_map(size), all_finite=True)

    @renamed_arguments(fill="fill_value")
    def unzoom(
        self,
        features: Tensor,
        size: Sequence[int],
        fill_value: float = 0.0,
        *,
        mode: Mode = "bilinear",
        extent: Sequence[float] = (1.0, 1.0),
    ) -> Tensor:
        """Return features resampled to the source frame: sampled at the inverse of T.

        Args:
            features: `b c h w` over the zoomed frame, at any stride; with ``mode="nearest"`` of any
                dtype, for example a map of labels.
            size: (rows, columns) of the result over the source frame.
            fill_value: value where :meth:`coverage` is False.
            mode: "bilinear" or "nearest", as in :meth:`zoom`.
            extent: (rows, columns) that the features span, relative to the zoomed frame: more than
                1 for a network that pads its input at the bottom and on the right. A map of
                8 x 15 cells at stride 32 of an input of 225 x 450 pixels has the extent
                (8 * 32 / 225, 15 * 32 / 450).

        Returns:
            `b c *size` in the features' dtype.

        Raises:
            ValueError: if the warp is folded; the message names the first folded piece.
        """
        return self.unzoom_levels([features], [size], fill_value, mode=mode, extents=[extent])[0]

    @renamed_arguments(fill="fill_value")
    def unzoom_levels(
        self,
        levels: Sequence[Tensor],
        sizes: Sequence[Sequence[int]],
        fill_value: float = 0.0,
        *,
        mode: Mode = "bilinear",
        extents: Sequence[Sequence[float]] | None = None,
    ) -> list[Tensor]:
        """Return :meth:`unzoom` of each level of a pyramid; the inverse maps are computed together.

        Args:
            levels: each `b c h w` over the zoomed frame.
            sizes: (rows, columns) of each result over the source frame.
            fill_value: value where :meth:`coverage` is False.
            mode: as in :meth:`unzoom`.
            extents: as in :meth:`unzoom`, for each level.

        Returns:
            `b c *size` for each level.
        """
        check.one_of(mode, MODES, "mode")
        check.not_jit_traced()
        for features in levels:
            if mode == "bilinear":
                check.features(features)
            else:
                check.dense(features, "features")
            check.same_batch(self.grid.shape[0], features.shape[0], "warp and features")
        maps = self.zoomed_maps(sizes)
        if mode == "nearest":
            return [
                sample_nearest(level, _in_extent(points, extent), fill_value)
                for level, points, extent in zip(levels, maps, _each(extents, levels), strict=True)
            ]
        all_finite = self._all_finite(tuple(check.size(size) for size in sizes), maps)
        return [
            sample(level, _in_extent(points, extent), fill_value, all_finite=is_finite)
            for level, points, is_finite, extent in zip(
                levels, maps, all_finite, _each(extents, levels), strict=True
            )
        ]

    def unzoom_flow(
        self,
        flow: Tensor,
        size: Sequence[int],
        fill_value: float = 0.0,
        *,
        next_warp: "Warp | None" = None,
    ) -> Tensor:
        """Return optical flow resampled to the source frame, with both ends of each vector mapped.

        Unzooming the components like features would leave the vectors in units of the zoomed frame.

        Args:
            flow: `b 2 h w`, displacements (x, y) in pixels of this map, over the zoomed frame.
            size: (rows, columns) of the result over the source frame.
            fill_value: value of both components where a vector begins or ends outside the zoomed
                frame.
            next_warp: the warp by which the second image was zoomed; by default this warp.

        Returns:
            `b 2 *size`, displacements (x, y) in pixels of the result.

        Raises:
            ValueError: the flow has another shape, or the warp is folded.
        """
        check.features(flow, "flow")
        if flow.shape[1] != 2:
            raise ValueError(f"flow must have shape (b, 2, h, w), got {check.shape(flow)}")
        rows, columns = check.size(size)
        start = self.zoomed_map((rows, columns))
        dtype = torch.promote_types(flow.dtype, start.dtype)
        half_pixels = flow.new_tensor([2 / flow.shape[-1], 2 / flow.shape[-2]], dtype=dtype)
        moved = sample(flow.to(dtype), start, torch.nan).movedim(1, -1) * half_pixels
        end = (
            (self if next_warp is None else next_warp)
            .to_source((start + moved).flatten(1, 2))
            .unflatten(1, size)
        )
        source = pixel_centres((rows, columns), device=end.device, dtype=end.dtype)
        displacement = (end - source) * end.new_tensor([columns / 2, rows / 2])
        known = displacement.isfinite().all(dim=-1, keepdim=True)
        return torch.where(known, displacement, fill_value).movedim(-1, 1).to(flow.dtype)

    def source_map(self, size: Sequence[int]) -> Tensor:
        """Return T at every pixel of the zoomed image: `b *size 2`, (x, y) of the source frame."""
        return self._forward(check.size(size))[0]

    def zoomed_map(self, size: Sequence[int]) -> Tensor:
        """Return the inverse of T at every source pixel: `b *size 2`, NaN where it has none."""
        return self.zoomed_maps([size])[0]

    def zoomed_maps(self, sizes: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return :meth:`zoomed_map` for several sizes; faster than one call for each."""
        checked_sizes = tuple(check.size(size) for size in sizes)
        if self.grid.shape[0] == 0:
            return [self.grid.new_empty(0, *size, 2) for size in checked_sizes]
        return list(self._cached(("zoomed", checked_sizes), lambda: self._invert(checked_sizes)))

    def _all_finite(
        self, sizes: tuple[Size, ...], maps: Sequence[Tensor] | None = None
    ) -> list[bool]:
        """Return whether every source pixel has an inverse, for several sizes.

        Args:
            sizes: (rows, columns) of each map.
            maps: the maps, if they were computed before.
        """
        if self._properties().covers:
            return [True] * len(sizes)
        return self._cached(
            ("all_finite", sizes),
            lambda: are_all_finite(self.zoomed_maps(sizes) if maps is None else maps),
        )

    # Points and boxes.

    def to_source(self, points: Tensor) -> Tensor:
        """Map points from the zoomed to the source frame.

        Args:
            points: `b n 2`, (x, y) in [-1, 1].

        Returns:
            `b n 2`, in float64 if the points or the grid are; NaN for a point that is NaN or
            outside the zoomed frame.
        """
        check.points(points)
        inside, clipped = _in_frame(points)
        return torch.where(inside, self._map("source", clipped), torch.nan)

    def to_zoomed(self, points: Tensor) -> Tensor:
        """Map points from the source to the zoomed frame, by the inverse of T.

        Args:
            points: `b n 2`, (x, y) of the source frame.

        Returns:
            `b n 2` in [-1, 1], in float64 if the points or the grid are; NaN where there is no
            inverse.

        Raises:
            ValueError: if the warp is folded; the message names the first folded piece.
        """
        check.points(points)
        finite = points.isfinite().all(dim=-1, keepdim=True)
        zoomed = self._map("zoomed", torch.where(finite, points, 0.0))
        return _nan_unless_finite(torch.where(finite, zoomed, torch.nan))

    def jacobian(self, points: Tensor) -> Tensor:
        """Return the derivative of T at points of the zoomed frame.

        Args:
            points: `b n 2`, (x, y) in [-1, 1] of the zoomed frame.

        Returns:
            `b n 2 2`; ``[..., i, j]`` is the derivative of coordinate i (0 is x) by coordinate j.
            NaN for a point that is NaN or outside the zoomed frame.
        """
        check.points(points)
        inside, clipped = _in_frame(points)
        derivatives = bilinear.differentiate(self.grid, clipped.to(self.grid.dtype))
        return torch.where(inside[..., None], derivatives, torch.nan)

    def boxes_to_source(self, boxes: Tensor) -> Tensor:
        """Return the bounding boxes, in the source frame, of boxes of the zoomed frame.

        The bounds are exact, those of the mapped edges: see :mod:`lzu_viz.geometry.outlines`. Boxes
        are first clipped to the frame.

        Args:
            boxes: `n 4` for a warp of batch 1, or `b n 4`; xyxy in [-1, 1] of the zoomed frame.

        Returns:
            The same shape, xyxy of the source frame.

        Raises:
            ValueError: the boxes have another shape, are not ordered or are in pixels, or the warp
                is folded.
        """
        self._check_not_folded(accept_flat=True)
        return self._map_boxes(
            boxes, lambda batched: bounds_in_source(batched, self.pieces, self.to_source)
        )

    def boxes_to_zoomed(self, boxes: Tensor) -> Tensor:
        """Return the bounding boxes, in the zoomed frame, of boxes of the source frame.

        The bounds are exact, those of the mapped edges, of the part of each box that the warp
        covers. Targets for training in the zoomed frame are made in this way.

        Args:
            boxes: `n 4` for a warp of batch 1, or `b n 4`; xyxy in [-1, 1] of the source frame.

        Returns:
            The same shape, xyxy in [-1, 1] of the zoomed frame; NaN for a box of which the warp
            covers nothing.

        Raises:
            ValueError: as for :meth:`boxes_to_source`.
        """
        self._check_not_folded()

        def mapped(batched: Tensor) -> Tensor:
            if self.axes is not None:
                return bounds_in_zoomed_by_axes(batched, self.axes)
            return bounds_in_zoomed(batched, self.grid, self.to_zoomed)

        return self._map_boxes(boxes, mapped)

    def polygon_to_source(self, polygon: Tensor) -> Tensor:
        """Return a polygon of the zoomed frame, mapped to the source frame.

        Vertices are added where an edge crosses the boundary between two pieces, and between them,
        as mapped edges are curved.

        Args:
            polygon: `n 2`, (x, y) in [-1, 1]; the last vertex is joined to the first.

        Returns:
            `m 2`, (x, y) of the source frame, with m >= n.

        Raises:
            ValueError: the polygon has another shape, or the warp is folded or has a batch.
        """
        polygon = self._checked_polygon(polygon)
        return self.to_source(subdivide_in_zoomed(polygon, self.pieces)[None])[0]

    def polygon_to_zoomed(self, polygon: Tensor) -> Tensor:
        """Return a polygon of the source frame, mapped to the zoomed frame.

        Args:
            polygon: `n 2`, (x, y) of the source frame; the last vertex is joined to the first.

        Returns:
            `m 2`, (x, y) in [-1, 1] of the zoomed frame, with m >= n; NaN for vertices that have no
            inverse.

        Raises:
            ValueError: as for :meth:`polygon_to_source`.
        """
        polygon = self._checked_polygon(polygon)
        return self.to_zoomed(subdivide_in_source(polygon, self.grid.to(polygon.dtype))[None])[0]

    def _checked_polygon(self, polygon: Tensor) -> Tensor:
        check.is_tensor(polygon, "polygon")
        check.points(polygon[None], "polygon")
        if len(self) != 1:
            raise ValueError(
                f"a polygon is mapped by one warp, got a batch of {len(self)}; index the warp"
            )
        self._check_not_folded()
        return polygon.to(torch.promote_types(polygon.dtype, self.grid.dtype))

    def _map_boxes(self, boxes: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return boxes `n 4` or `b n 4` mapped by a function of `b n 4`."""
        check.boxes(boxes)
        if boxes.ndim == 2 and self.grid.shape[0] > 1:
            raise ValueError(
                f"boxes must have shape (b, n, 4) for a warp of batch {len(self)}, "
                f"got {check.shape(boxes)}"
            )
        batched = boxes if boxes.ndim == 3 else boxes[None]
        batch = check.same_batch(self.grid.shape[0], batched.shape[0], "warp and boxes")
        mapped = function(batched.to(self.grid.dtype).expand(batch, -1, -1)).to(boxes.dtype)
        return mapped if boxes.ndim == 3 else mapped[0]

    _MAPS: ClassVar[dict[str, Callable[..., object]]] = {}
    """The method that computes each kind of cached value."""

    # Properties of the map.

    def magnification(self, size: Sequence[int]) -> Tensor:
        """Return the linear magnification: the square root of zoomed area over source area.

        Args:
            size: (rows, columns) of the map over the source frame.

        Returns:
            `b *size`, relative to a uniform resize (2: twice as wide and twice as high); NaN where
            there is no inverse.
        """
        rows, columns = check.size(size)
        area = bilinear.determinant(self.jacobian(self.zoomed_map((rows, columns)).flatten(1, 2)))
        return area.rsqrt().reshape(-1, rows, columns)

    def coverage(self, size: Sequence[int]) -> Tensor:
        """Return where source pixels have an inverse: `b *size`, boolean; all, with anti-crop."""
        return self.zoomed_map(size).isfinite().all(dim=-1)

    def folds(self) -> Tensor:
        """Return the folded pieces, whose Jacobian determinant is not positive everywhere.

        Mirrored pieces count as folded. A grid given to :meth:`from_grid` may also overlap itself
        without a folded piece; this is not detected, and the inverse of a point is then any one of
        its preimages.

        Returns:
            `k 3`, (batch, row, column) of each folded piece; empty if there is none.
        """
        folded = bilinear.min_determinant(self.grid.detach()) <= FLAT
        if self.axes is not None:
            # Two mirrored axes have a positive determinant, but bisection needs increasing nodes.
            x, y = (axis.detach().diff(dim=-1) <= 0 for axis in self.axes)
            folded = folded | x[:, None, :] | y[:, :, None]
        return folded.nonzero()

    def _check_not_folded(self, accept_flat: bool = False) -> None:
        """Raise ``ValueError`` for a folded warp, and unless ``accept_flat`` for a flat one."""
        known = self._properties()
        suspected = known.folded if accept_flat else known.unfolded is False
        if suspected and len(folded := self.folds()):
            batch, row, column = folded[0].tolist()
            rows, columns = self.pieces
            raise ValueError(
                f"this warp is folded or flat in {len(folded)} of {len(self) * rows * columns} "
                f"pieces, first at batch {batch}, row {row}, column {column}, so that it has no "
                "inverse there. `folds()` lists all such pieces. For a grid, keep the nodes in "
                "order. For a saliency map: widen fwhm to at least two cells of the map; or, if a "
                "few cells outweigh all others (a confident saliency network), mix the map with "
                "`saliency.uniform()` or limit the magnification by "
                "`Warp.from_saliency(..., max_magnification=8)`"
            )

    def _properties(self) -> "_Properties":
        """Return properties of the warp, computed once, as they are read from the device."""
        if self._known:
            return self._known[0]
        grid = self.grid.detach()
        if self.axes is not None:
            # The product of the smallest steps is a lower bound of every determinant.
            axes = [axis.detach() for axis in self.axes]
            x, y = (axis.diff(dim=-1).amin(dim=-1) for axis in axes)
            rows, columns = self.pieces
            unfolded = ((x > 0) & (y > 0) & (x * y * (rows * columns / 4) > FLAT)).all()
            folded = ((x < -FLAT) | (y < -FLAT)).any()
            covers = torch.stack(
                [((axis[:, 0] <= -1) & (axis[:, -1] >= 1)).all() for axis in axes]
            ).all()
        else:
            determinant = bilinear.min_determinant(grid)
            unfolded, folded = (determinant > FLAT).all(), (determinant < -FLAT).any()
            covers = torch.zeros_like(unfolded)
        if check.value_of(unfolded) is None:
            return _Properties(None, False, False)
        properties = _Properties(*torch.stack([unfolded, folded, covers]).cpu().tolist())
        self._known.append(properties)
        return properties

    def _map(self, frame: Frame, points: Tensor) -> Tensor:
        """Return finite points `b n 2` mapped to a frame."""
        batch = check.same_batch(self.grid.shape[0], points.shape[0], "warp and points")
        by_axis, by_pieces = _MAP_TO[frame]
        if frame == "zoomed":
            self._check_not_folded()
        dtype = torch.promote_types(points.dtype, self.grid.dtype)
        points = points.to(dtype)
        if batch == 0:
            return points.expand(0, -1, -1) if len(points) else points
        if self.axes is None:
            grid = self.grid.to(dtype)
            return by_pieces(grid.expand(batch, -1, -1, -1), points.expand(batch, -1, -1))
        return torch.stack(
            [by_axis(nodes.to(dtype), points[..., axis]) for axis, nodes in enumerate(self.axes)],
            dim=-1,
        )

    def _forward(self, size: Size) -> tuple[Tensor, Tensor]:
        """Return T and its Jacobian determinant at the pixel centres of a zoomed image."""

        def make() -> tuple[Tensor, Tensor]:
            y, x = (axis_centres(count, self.grid.device, self.grid.dtype) for count in size)
            if self.axes is None:
                return bilinear.evaluate_on_grid(self.grid, x, y)
            pairs = [
                (nodes, coordinates) for nodes, coordinates in zip(self.axes, (x, y), strict=True)
            ]
            mapped = [
                bilinear.evaluate_axis(nodes, coordinates[None]) for nodes, coordinates in pairs
            ]
            derivative_x, derivative_y = (
                bilinear.differentiate_axis(nodes, coordinates) for nodes, coordinates in pairs
            )
            return _outer(*mapped), derivative_x[:, None, :] * derivative_y[:, :, None]

        return self._cached(("source", size), make)

    def _invert(self, sizes: Sequence[Size]) -> list[Tensor]:
        """Return the inverse of T at the pixel centres of source images of several sizes."""
        self._check_not_folded()
        if torch.compiler.is_compiling():
            return self._inverse_maps(sizes)
        # The operations are small: more threads are no faster, and on a busy machine each operation
        # waits for all of them.
        with threads(1):
            return self._inverse_maps(sizes)

    def _inverse_maps(self, sizes: Sequence[Size]) -> list[Tensor]:
        if self.axes is None:
            return invert_pixels(self.grid, sizes)
        covers = self._properties().covers
        maps = []
        for size in sizes:
            x, y = (
                invert_axis(
                    nodes,
                    axis_centres(count, nodes.device, nodes.dtype)[None],
                    all_attained=covers,
                )
                for nodes, count in zip(self.axes, (size[1], size[0]), strict=True)
            )
            dense = _outer(x, y)
            maps.append(dense if covers else _nan_unless_finite(dense))
        return maps

    def _mipmap_plan(self, source: Size, size: Size) -> MipmapPlan:
        """Return the mipmap plan for zooming a source image to a size."""

        def make() -> MipmapPlan:
            points, area = self._forward(size)
            return plan_mipmap(source, points, footprints(source, points, area))

        return self._cached(("mipmap", source, size), make)

    def _mean_plan(self, source: Size, size: Size) -> MeanPlan:
        """Return the plan of exact means for a separable warp, whose pixels cover rectangles."""
        assert self.axes is not None, "only separable warps map pixels to rectangles"
        x = self.axes[0]

        def make() -> MeanPlan:
            # On the CPU, where the weights are computed.
            rows, columns = self._edges(size, device="cpu")
            return plan_means(source, rows, columns, x.dtype, x.device)

        return self._cached(("means", source, size), make)

    def _edges(self, size: Size, device: str | None = None) -> tuple[Tensor, Tensor]:
        """Return the edges of the zoomed pixels of a separable warp in the source frame.

        Returns:
            Those of rows `b h+1` and of columns `b w+1`, in float64 where the device has it.
        """
        assert self.axes is not None
        x, y = (in_float64(axis if device is None else axis.to(device)) for axis in self.axes)
        rows, columns = (
            bilinear.evaluate_axis(values, axis_edges(count)[None].to(values.device))
            for values, count in zip((y, x), size, strict=True)
        )
        return rows, columns

    def _is_traced(self, key: tuple[Any, ...]) -> bool:
        """Return whether a map or plan has to be computed by operations that can be traced."""
        if torch.compiler.is_compiling():
            return key not in self._memory
        return check.is_transformed(self.grid) or (
            check.is_differentiated(self.grid) and not self.grid.requires_grad
        )

    def _cached(self, key: tuple[Any, ...], make: Callable[[], Value]) -> Value:
        """Return ``make()``, cached under ``key`` unless the grid requires a gradient."""
        if check.is_differentiated(self.grid):
            return make()
        if torch.compiler.is_compiling():
            if key in self._memory:
                known: Value = self._memory[key]
                return known
            if self.separable:
                return make()
            raise RuntimeError(
                "the maps of the warp for these sizes are not cached, and cannot be computed in a "
                "compiled program; call the model once on an image of the same size before it is "
                "compiled or exported"
            )
        # Each step is safe if several threads use the warp.
        value: Value | None = self._memory.pop(key, None)
        if value is None:
            # Tensors created in inference mode cannot be used in autograd later.
            with torch.inference_mode(False):
                value = make()
        # A dictionary is ordered: the least recently used key is the first.
        self._memory[key] = value
        if len(self._memory) > CACHE_SIZE:
            oldest, *_ = self._memory
            self._memory.pop(oldest, None)
        return value


def _outer(x: Tensor, y: Tensor) -> Tensor:
    """Return the grid of points with these coordinates: `b w` and `b h` to `b h w 2`."""
    # Storing all x before all y is faster to write than interleaving them, and as fast to read.
    return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=1).movedim(1, -1)


def _in_extent(points: Tensor, extent: Sequence[float]) -> Tensor:
    """Return points of the zoomed frame in the frame of a map that spans an extent of it."""
    rows, columns = extent
    if rows == columns == 1:
        return points
    # The first row and column of the map and of the frame coincide.
    return (points + 1) / points.new_tensor([columns, rows]) - 1


def _each(
    extents: Sequence[Sequence[float]] | None, levels: Sequence[Tensor]
) -> Sequence[Sequence[float]]:
    """Return the extent of each level; by default that of the zoomed frame."""
    return [(1.0, 1.0)] * len(levels) if extents is None else extents


_MAP_TO: dict[
    Frame, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]
] = {
    "source": (bilinear.evaluate_axis, bilinear.evaluate),
    "zoomed": (invert_axis, invert_pieces),
}
"""The map to each frame: on one axis, and on both together."""


def _nan_unless_finite(points: Tensor) -> Tensor:
    """Return points `... 2` with both coordinates NaN where either is not finite."""
    return torch.where(points.isfinite().all(dim=-1, keepdim=True), points, torch.nan)


def _in_frame(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return which points `b n 2` lie in the frame, `b n 1`, and these clipped to it, others 0."""
    slack = 16 * torch.finfo(points.dtype).eps
    inside = (points.abs() <= 1 + slack).all(dim=-1, keepdim=True)
    return inside, torch.where(inside, points, 0.0).clamp(-1, 1)


Warp._MAPS.update(
    source=Warp._forward,
    zoomed=Warp.zoomed_maps,
    all_finite=Warp._all_finite,
    mipmap=Warp._mipmap_plan,
    means=Warp._mean_plan,
)
# So that `torch.load` reads a saved warp with its default, `weights_only=True`.
torch.serialization.add_safe_globals([Warp])
