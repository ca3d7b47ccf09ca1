"""Warp: the piecewise bilinear map T from the zoomed to the source frame, and its inverse.

The source frame is that of the image, the zoomed frame that of the network's input. Zooming samples
the source image at T of each zoomed pixel; unzooming samples zoomed features at the inverse of T of
each source pixel (Thavamani et al., "Learning to Zoom and Unzoom", CVPR 2023).
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

import torch
from torch import Tensor

from . import bilinear, check
from .area_resampling import MeanPlan, area_means, plan_means
from .attraction import FWHM, attract_axes, attract_grid
from .check import Size
from .deprecation import renamed_arguments
from .inverse.invert import invert_axis, invert_pieces, invert_pixels
from .resampling import (
    MipmapPlan,
    axis_centres,
    axis_edges,
    footprints,
    is_all_finite,
    plan_mipmap,
    sample,
    sample_mipmap,
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
Value = TypeVar("Value")


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
    _memory: OrderedDict[tuple[Any, ...], Any] = field(default_factory=OrderedDict, init=False)

    def __post_init__(self) -> None:
        grid = self.grid
        if grid.ndim != 4 or grid.shape[-1] != 2 or min(grid.shape[1:3]) < 2 or len(grid) < 1:
            raise ValueError(
                "grid must have shape (b, rows + 1, columns + 1, 2), with at least one row and one "
                f"column of pieces, got {check.shape(grid)}"
            )
        if grid.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"grid must be float32 or float64, got {grid.dtype}; half precision is too coarse, "
                "with errors of 0.3 pixels at 900x1600"
            )
        if not bool(torch.isfinite(grid).all()):
            raise ValueError("grid has NaN or infinite nodes; check how it was computed")

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
        return cls.from_axes(*(_nodes(count, device, dtype)[None] for count in (columns, rows)))

    @classmethod
    def from_saliency(
        cls,
        saliency: Tensor,
        pieces: Sequence[int] = PIECES,
        fwhm: float | Sequence[float] = FWHM,
        separable: bool = True,
        anti_crop: bool = True,
    ) -> Self:
        """Return the piecewise bilinear approximation of :func:`lzu_viz.attract`.

        Args:
            saliency: `b 1 h w`, positive.
            pieces: (rows, columns), independent of the size of the saliency map and of any image.
            fwhm: full width at half maximum of the kernel, as a fraction of the frame's side: one
                number or (rows, columns). The official 10 nodes on 27x48 are (0.37, 0.21).
            separable: whether each axis is warped independently.
            anti_crop: whether the zoomed frame covers the whole source frame.

        Returns:
            A warp with the batch size of the saliency, differentiable in the saliency.
        """
        rows, columns = check.size(pieces, "pieces")
        check.saliency(saliency)
        dtype = torch.promote_types(saliency.dtype, torch.float32)
        x, y = (_nodes(count, saliency.device, dtype) for count in (columns, rows))
        if separable:
            return cls.from_axes(*attract_axes(x, y, saliency, fwhm, anti_crop))
        return cls(attract_grid(x, y, saliency, fwhm, anti_crop))

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
        if x.ndim != 2 or y.ndim != 2:
            raise ValueError(
                "x and y must have shapes (b, columns + 1) and (b, rows + 1), "
                f"got {check.shape(x)} and {check.shape(y)}"
            )
        batch = check.same_batch(len(x), len(y), "x and y")
        x, y = x.expand(batch, -1), y.expand(batch, -1)
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
        return len(self.grid)

    def __getitem__(self, index: int) -> "Warp":
        """Return the warp at ``index`` as a batch of 1."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for a warp of batch {len(self)}")
        selected = [index % len(self)]
        return Warp(
            self.grid[selected], self.axes and (self.axes[0][selected], self.axes[1][selected])
        )

    def __repr__(self) -> str:
        """Return batch size, pieces and separability as text."""
        kind = "separable" if self.separable else "non-separable"
        return f"Warp(batch={len(self)}, pieces={self.pieces}, {kind})"

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to copy or pickle: without the cache."""
        return {**self.__dict__, "_memory": OrderedDict()}

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Warp":
        """Return this warp on another device or in another dtype (float32 or float64)."""
        axes = self.axes and (self.axes[0].to(device, dtype), self.axes[1].to(device, dtype))
        return Warp(self.grid.to(device, dtype), axes)

    def detach(self) -> "Warp":
        """Return this warp, detached from the autograd graph."""
        return Warp(
            self.grid.detach(), self.axes and (self.axes[0].detach(), self.axes[1].detach())
        )

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

    def zoom(self, image: Tensor, size: Sequence[int], antialias: bool = True) -> Tensor:
        """Return the zoomed image, in which salient regions take up more pixels.

        Args:
            image: `b 3 h w` (any number of channels), floating, at least 2x2 pixels.
            size: (rows, columns) of the zoomed image.
            antialias: whether a zoomed pixel that covers more than one source pixel is the mean
                over its area: the exact mean if the warp is separable (`area_resampling`), an
                approximation by a mipmap otherwise. If False, each pixel is one bilinear sample.

        Returns:
            `b 3 *size` in the image's dtype.
        """
        check.image_shape(image)
        check.same_batch(len(self), len(image), "warp and image")
        if antialias:
            sizes = check.size(image.shape[-2:]), check.size(size)
            if self.axes is not None:
                return area_means(image, self._mean_plan(*sizes), finite=True)
            return sample_mipmap(image, self._mipmap_plan(*sizes), finite=True)
        check.finite(image, image)
        return sample(image, self.source_map(size), all_finite=True)

    @renamed_arguments(fill="fill_value")
    def unzoom(self, features: Tensor, size: Sequence[int], fill_value: float = 0.0) -> Tensor:
        """Return features resampled to the source frame: sampled at the inverse of T.

        Args:
            features: `b c h w` over the zoomed frame, at any stride.
            size: (rows, columns) of the result over the source frame.
            fill_value: value where :meth:`coverage` is False.

        Returns:
            `b c *size` in the features' dtype.

        Raises:
            ValueError: if the warp is folded; the message names the first folded piece.
        """
        return self.unzoom_levels([features], [size], fill_value)[0]

    @renamed_arguments(fill="fill_value")
    def unzoom_levels(
        self, levels: Sequence[Tensor], sizes: Sequence[Sequence[int]], fill_value: float = 0.0
    ) -> list[Tensor]:
        """Return :meth:`unzoom` of each level of a pyramid; the inverse maps are computed together.

        Args:
            levels: each `b c h w` over the zoomed frame.
            sizes: (rows, columns) of each result over the source frame.
            fill_value: value where :meth:`coverage` is False.

        Returns:
            `b c *size` for each level.
        """
        for features in levels:
            check.features(features)
            check.same_batch(len(self), len(features), "warp and features")
        maps = self.zoomed_maps(sizes)
        key = tuple(check.size(size) for size in sizes)
        all_finite = self._cached(
            ("all_finite", key), lambda: [is_all_finite(points) for points in maps]
        )
        return [
            sample(level, points, fill_value, all_finite=is_finite)
            for level, points, is_finite in zip(levels, maps, all_finite, strict=True)
        ]

    def source_map(self, size: Sequence[int]) -> Tensor:
        """Return T at every pixel of the zoomed image: `b *size 2`, (x, y) of the source frame."""
        return self._forward(check.size(size))[0]

    def zoomed_map(self, size: Sequence[int]) -> Tensor:
        """Return the inverse of T at every source pixel: `b *size 2`, NaN where it has none."""
        return self.zoomed_maps([size])[0]

    def zoomed_maps(self, sizes: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return :meth:`zoomed_map` for several sizes; faster than one call for each."""
        checked_sizes = tuple(check.size(size) for size in sizes)
        return list(self._cached(("zoomed", checked_sizes), lambda: self._invert(checked_sizes)))

    # Points and boxes.

    def to_source(self, points: Tensor) -> Tensor:
        """Map points from the zoomed to the source frame.

        Args:
            points: `b n 2`, (x, y) in [-1, 1].

        Returns:
            `b n 2`; NaN for a point that is NaN or outside the zoomed frame.
        """
        check.points(points)
        inside, clipped = _in_frame(points)
        return torch.where(inside, self._map("source", clipped.to(self.grid.dtype)), torch.nan)

    def to_zoomed(self, points: Tensor) -> Tensor:
        """Map points from the source to the zoomed frame, by the inverse of T.

        Args:
            points: `b n 2`, (x, y) of the source frame.

        Returns:
            `b n 2` in [-1, 1]; NaN where there is no inverse.

        Raises:
            ValueError: if the warp is folded; the message names the first folded piece.
        """
        check.points(points)
        finite = points.isfinite().all(dim=-1, keepdim=True)
        zoomed = self._map("zoomed", torch.where(finite, points, 0.0).to(self.grid.dtype))
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

        T maps each edge of a box to a polyline whose vertices lie at the box's corners and at the
        boundaries between pieces, so that the bounds of these vertices are exact. Boxes are first
        clipped to the frame.

        Args:
            boxes: `n 4` for a warp of batch 1, or `b n 4`; xyxy in [-1, 1] of the zoomed frame.

        Returns:
            The same shape, xyxy of the source frame.
        """
        check.boxes(boxes)
        if boxes.ndim == 2 and len(self) > 1:
            raise ValueError(
                f"boxes must have shape (b, n, 4) for a warp of batch {len(self)}, "
                f"got {check.shape(boxes)}"
            )
        batched = boxes if boxes.ndim == 3 else boxes[None]
        sides = batched.to(self.grid.dtype).clamp(-1, 1)[..., None]
        left, top, right, bottom = sides.unbind(dim=-2)
        rows, columns = self.pieces
        x = _nodes(columns, boxes.device, self.grid.dtype).clamp(left, right)
        y = _nodes(rows, boxes.device, self.grid.dtype).clamp(top, bottom)
        along_x = [torch.stack([x, side.expand_as(x)], dim=-1) for side in (top, bottom)]
        along_y = [torch.stack([side.expand_as(y), y], dim=-1) for side in (left, right)]
        edges = torch.cat(along_x + along_y, dim=-2)
        mapped = self.to_source(edges.flatten(1, 2)).view(edges.shape)
        bounds = torch.cat([mapped.amin(dim=-2), mapped.amax(dim=-2)], dim=-1)
        return bounds.view_as(boxes).to(boxes.dtype)

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

    def _check_not_folded(self) -> None:
        if self.axes is not None:
            # The product of the smallest steps is a lower bound of every determinant.
            x, y = (float(axis.detach().diff(dim=-1).amin()) for axis in self.axes)
            if x > 0 and x * y * self.pieces[0] * self.pieces[1] / 4 > FLAT:
                return
        folded = self.folds()
        if len(folded):
            batch, row, column = folded[0].tolist()
            rows, columns = self.pieces
            raise ValueError(
                f"this warp is folded or flat in {len(folded)} of {len(self) * rows * columns} "
                f"pieces, first at batch {batch}, row {row}, column {column}, so that it has no "
                "inverse there. `folds()` lists all such pieces. Keep the nodes in order; for a "
                "warp from a saliency map, widen fwhm to at least two cells of the map"
            )

    def _map(self, frame: Frame, points: Tensor) -> Tensor:
        """Return finite points `b n 2` mapped to a frame."""
        batch = check.same_batch(len(self), len(points), "warp and points")
        by_axis, by_pieces = _MAP_TO[frame]
        if frame == "zoomed":
            self._check_not_folded()
        if self.axes is None:
            return by_pieces(self.grid.expand(batch, -1, -1, -1), points.expand(batch, -1, -1))
        return torch.stack(
            [by_axis(nodes, points[..., axis]) for axis, nodes in enumerate(self.axes)], dim=-1
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
        # The operations are small: more threads are no faster, and on a busy machine each operation
        # waits for all of them.
        with threads(1):
            return self._inverse_maps(sizes)

    def _inverse_maps(self, sizes: Sequence[Size]) -> list[Tensor]:
        if self.axes is None:
            return invert_pixels(self.grid, sizes)
        maps = []
        for size in sizes:
            x, y = (
                invert_axis(nodes, axis_centres(count, nodes.device, nodes.dtype)[None])
                for nodes, count in zip(self.axes, (size[1], size[0]), strict=True)
            )
            dense = _outer(x, y)
            all_finite = math.isfinite(float(x.detach().sum()) + float(y.detach().sum()))
            maps.append(dense if all_finite else _nan_unless_finite(dense))
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
        x, y = self.axes

        def make() -> MeanPlan:
            # In float64 and on the CPU, where the weights are computed.
            rows, columns = (
                bilinear.evaluate_axis(nodes.to("cpu", torch.float64), axis_edges(count)[None])
                for nodes, count in zip((y, x), size, strict=True)
            )
            return plan_means(source, rows, columns, x.dtype, x.device)

        return self._cached(("means", source, size), make)

    def _cached(self, key: tuple[Any, ...], make: Callable[[], Value]) -> Value:
        """Return ``make()``, cached under ``key`` unless the grid requires a gradient."""
        if self.grid.requires_grad:
            return make()
        if key not in self._memory:
            if torch.compiler.is_compiling():
                raise RuntimeError(
                    "the maps of the warp for these sizes are not cached, and cannot be computed "
                    "in a compiled program; call the model once on an image of the same size "
                    "before it is compiled or exported"
                )
            # Tensors created in inference mode cannot be used in autograd later.
            with torch.inference_mode(False):
                self._memory[key] = make()
        value: Value = self._memory[key]
        if not torch.compiler.is_compiling():
            self._memory.move_to_end(key)
            if len(self._memory) > CACHE_SIZE:
                self._memory.popitem(last=False)
        return value


def _outer(x: Tensor, y: Tensor) -> Tensor:
    """Return the grid of points with these coordinates: `b w` and `b h` to `b h w 2`."""
    # Storing all x before all y is faster to write than interleaving them, and as fast to read.
    return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=1).movedim(1, -1)


_MAP_TO: dict[
    Frame, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]
] = {
    "source": (bilinear.evaluate_axis, bilinear.evaluate),
    "zoomed": (invert_axis, invert_pieces),
}
"""The map to each frame: on one axis, and on both together."""


def _nodes(pieces: int, device: torch.device | str | None, dtype: torch.dtype) -> Tensor:
    """Return the `pieces + 1` nodes of one axis, from edge to edge of the frame."""
    return torch.linspace(-1, 1, pieces + 1, device=device, dtype=dtype)


def _nan_unless_finite(points: Tensor) -> Tensor:
    """Return points `... 2` with both coordinates NaN where either is not finite."""
    return torch.where(points.isfinite().all(dim=-1, keepdim=True), points, torch.nan)


def _in_frame(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return which points `b n 2` lie in the frame, `b n 1`, and these clipped to it, others 0."""
    slack = 16 * torch.finfo(points.dtype).eps
    inside = (points.abs() <= 1 + slack).all(dim=-1, keepdim=True)
    return inside, torch.where(inside, points, 0.0).clamp(-1, 1)
