"""Warp: the piecewise bilinear map T from zoomed to source frame, forwards and backwards.

The zoomed frame is what the network sees, the source frame is the image. Zooming reads the source
image at T of each zoomed pixel; unzooming reads zoomed features at the inverse of T of each source
pixel (Thavamani et al., "Learning to Zoom and Unzoom", CVPR 2023).
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
"""(rows, columns) of pieces where none is asked for."""

FLAT = 1e-7
"""A piece whose Jacobian determinant falls to this is folded, or so flat that it has no inverse in
float32."""

CACHE_SIZE = 16
"""How many maps and plans for images of some size a warp remembers."""

Frame = Literal["source", "zoomed"]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False, repr=False)
class Warp:
    """A map from zoomed to source frame, bilinear on each of rows x columns equal pieces.

    It is immutable (do not change its tensors in place either: what follows from them is
    remembered), batched, differentiable in its grid, and knows no image size. A warp of batch 1
    serves any batch of images or points. Make one with :meth:`from_saliency`, :meth:`from_grid`,
    :meth:`from_axes` or :meth:`identity`.

    Attributes:
        grid: `b rows+1 columns+1 2`, T at the nodes: (x, y) of the source frame, float32 or
            float64.
        axes: for a separable warp the same as (`b columns+1`, `b rows+1`), x and y; otherwise None.

    Example:
        >>> from lzu_viz import saliency
        >>> fovea = saliency.gaussian(torch.tensor([[[0.5, 0.0]]]), width=0.1)
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
                "grid must be `b rows+1 columns+1 2`, at least one row and one column of pieces, "
                f"got {check.shape(grid)}"
            )
        if grid.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"grid must be float32 or float64, got {grid.dtype}: half precision misplaces "
                "pixels, by 0.3 px at 900x1600"
            )
        if not bool(torch.isfinite(grid).all()):
            raise ValueError("grid has NaN or infinite nodes; look at what made it")

    @classmethod
    def identity(
        cls,
        pieces: Sequence[int] = PIECES,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Return the warp that changes nothing; zooming by it is plain downsampling."""
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
        """Return the warp that :func:`lzu_viz.attract` asks for, cut into pieces.

        Args:
            saliency: `b 1 h w`, positive.
            pieces: (rows, columns), independent of the saliency's cells and of any image size.
            fwhm: full width at half maximum of the attraction, a fraction of the frame's side, one
                number or (rows, columns). The official 10 nodes on 27x48 are (0.37, 0.21).
            separable: whether each axis is warped by itself.
            anti_crop: whether the whole source stays in view.

        Returns:
            A warp of the saliency's batch, differentiable in the saliency.
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
            ValueError: for another shape, half precision, NaN. A fold is not refused: see
                :meth:`folds`.
        """
        return cls(grid)

    @classmethod
    def from_axes(cls, x: Tensor, y: Tensor) -> Self:
        """Return the separable warp of two functions.

        Args:
            x: `b columns+1`, x of the source frame at equally spaced columns of the zoomed frame.
            y: `b rows+1`, y of the source frame at equally spaced rows.
        """
        if x.ndim != 2 or y.ndim != 2:
            raise ValueError(
                "x and y must be `b columns+1` and `b rows+1`, "
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
        """Whether each axis is mapped by itself."""
        return self.axes is not None

    def __len__(self) -> int:
        """Return the batch size."""
        return len(self.grid)

    def __getitem__(self, index: int) -> "Warp":
        """Return one warp of the batch, as a batch of 1."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"this warp has a batch of {len(self)}, got index {index}")
        one = [index % len(self)]
        return Warp(self.grid[one], self.axes and (self.axes[0][one], self.axes[1][one]))

    def __repr__(self) -> str:
        """Name the warp, without an address."""
        kind = "separable" if self.separable else "non-separable"
        return f"Warp(batch={len(self)}, pieces={self.pieces}, {kind})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave what is remembered behind when the warp is copied or saved."""
        return {**self.__dict__, "_memory": OrderedDict()}

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Warp":
        """Return the same warp on another device or in another dtype (float32 or float64)."""
        axes = self.axes and (self.axes[0].to(device, dtype), self.axes[1].to(device, dtype))
        return Warp(self.grid.to(device, dtype), axes)

    def detach(self) -> "Warp":
        """Return the same warp without its gradient."""
        return Warp(
            self.grid.detach(), self.axes and (self.axes[0].detach(), self.axes[1].detach())
        )

    def morph(self, amount: float) -> "Warp":
        """Return the warp part of the way from the identity (0) to this one (1).

        Nodes go there along straight lines. A warp made from saliency does not fold on the way: its
        Jacobian is symmetric and positive, and so is every mean of that and the identity's.
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
        """Zoom an image: salient places get more of the pixels.

        Args:
            image: `b 3 h w` (any number of channels), floating, at least 2x2 pixels.
            size: (rows, columns) of the zoomed image.
            antialias: whether pixels that stand for more than one source pixel take the mean over
                their area: the exact mean if the warp is separable (`area_resampling`), that of a
                mipmap otherwise. If False, each pixel is one bilinear sample.

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
        """Unzoom features: read them where each source pixel went.

        Args:
            features: `b c h w` over the zoomed frame, at any stride.
            size: (rows, columns) wanted over the source frame.
            fill_value: value where :meth:`coverage` is False.

        Returns:
            `b c *size` in the features' dtype.

        Raises:
            ValueError: if the warp is folded; it says where.
        """
        return self.unzoom_levels([features], [size], fill_value)[0]

    @renamed_arguments(fill="fill_value")
    def unzoom_levels(
        self, levels: Sequence[Tensor], sizes: Sequence[Sequence[int]], fill_value: float = 0.0
    ) -> list[Tensor]:
        """Unzoom all levels of a pyramid; their inverse maps are found together.

        Args:
            levels: each `b c h w`, as for :meth:`unzoom`.
            sizes: for each level (rows, columns) wanted over the source frame.
            fill_value: as in :meth:`unzoom`.

        Returns:
            For each level `b c *size`.
        """
        for features in levels:
            check.features(features)
            check.same_batch(len(self), len(features), "warp and features")
        maps = self.zoomed_maps(sizes)
        key = tuple(check.size(size) for size in sizes)
        all_finite = self._once(
            ("all_finite", key), lambda: [is_all_finite(points) for points in maps]
        )
        return [
            sample(level, points, fill_value, all_finite=each)
            for level, points, each in zip(levels, maps, all_finite, strict=True)
        ]

    def source_map(self, size: Sequence[int]) -> Tensor:
        """Return T at every pixel of the zoomed image: `b *size 2`, (x, y) of the source frame."""
        return self._forward(check.size(size))[0]

    def zoomed_map(self, size: Sequence[int]) -> Tensor:
        """Return the inverse of T at every pixel of the source: `b *size 2`, NaN where none."""
        return self.zoomed_maps([size])[0]

    def zoomed_maps(self, sizes: Sequence[Sequence[int]]) -> list[Tensor]:
        """Return :meth:`zoomed_map` for several sizes; sooner than one after the other."""
        wanted = tuple(check.size(size) for size in sizes)
        return list(self._once(("zoomed", wanted), lambda: self._invert(wanted)))

    # Points and boxes.

    def to_source(self, points: Tensor) -> Tensor:
        """Map points of the zoomed frame to the source frame.

        Args:
            points: `b n 2`, (x, y) in [-1, 1].

        Returns:
            `b n 2`; NaN for a point outside the zoomed frame, or NaN.
        """
        check.points(points)
        known, places = _in_frame(points)
        return torch.where(known, self._map("source", places.to(self.grid.dtype)), torch.nan)

    def to_zoomed(self, points: Tensor) -> Tensor:
        """Map points of the source frame to the zoomed frame: the inverse of T.

        Args:
            points: `b n 2`, (x, y) of the source frame.

        Returns:
            `b n 2` in [-1, 1]; NaN where there is no inverse.

        Raises:
            ValueError: if the warp is folded; it says where.
        """
        check.points(points)
        known = points.isfinite().all(dim=-1, keepdim=True)
        zoomed = self._map("zoomed", torch.where(known, points, 0.0).to(self.grid.dtype))
        return _whole(torch.where(known, zoomed, torch.nan))

    def jacobian(self, points: Tensor) -> Tensor:
        """Return the derivative of T at points of the zoomed frame.

        Args:
            points: `b n 2`, (x, y) in [-1, 1] of the zoomed frame.

        Returns:
            `b n 2 2`; ``[..., i, j]`` is the derivative of coordinate i (0 is x) along coordinate
            j. NaN for a point outside the zoomed frame, or NaN.
        """
        check.points(points)
        known, places = _in_frame(points)
        derivatives = bilinear.differentiate(self.grid, places.to(self.grid.dtype))
        return torch.where(known[..., None], derivatives, torch.nan)

    def boxes_to_source(self, boxes: Tensor) -> Tensor:
        """Map boxes of the zoomed frame: the box around each one's mapped edges.

        An edge is mapped to a polyline with its corners where it crosses from piece to piece, so
        that these and the box's corners give the exact bounds. A box is first clipped to the frame.

        Args:
            boxes: `n 4` for a warp of batch 1, or `b n 4`; xyxy in [-1, 1] of the zoomed frame.

        Returns:
            The same shape, xyxy of the source frame.
        """
        check.boxes(boxes)
        if boxes.ndim == 2 and len(self) > 1:
            raise ValueError(
                f"boxes must be `b n 4` for a warp of batch {len(self)}, got {check.shape(boxes)}"
            )
        many = boxes if boxes.ndim == 3 else boxes[None]
        sides = many.to(self.grid.dtype).clamp(-1, 1)[..., None]
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

    # What the warp does to the source.

    def magnification(self, size: Sequence[int]) -> Tensor:
        """Return how much larger each place is drawn: the root of zoomed area over source area.

        Args:
            size: (rows, columns) of the map over the source frame.

        Returns:
            `b *size`, linear (2 means twice as long and twice as high); NaN where there is no
            inverse.
        """
        rows, columns = check.size(size)
        area = bilinear.determinant(self.jacobian(self.zoomed_map((rows, columns)).flatten(1, 2)))
        return area.rsqrt().reshape(-1, rows, columns)

    def coverage(self, size: Sequence[int]) -> Tensor:
        """Return which source pixels have an inverse: `b *size`, boolean; all with anti-crop."""
        return self.zoomed_map(size).isfinite().all(dim=-1)

    def folds(self) -> Tensor:
        """Find folded pieces: those where the Jacobian determinant is not positive everywhere.

        Mirrored pieces count as folded. A grid from outside may also overlap itself as a whole,
        with no piece folded; this is not found, and a point then has the inverse of one of the
        sheets that cover it.

        Returns:
            `k 3`, (batch, row, column) of each; empty if none.
        """
        folded = bilinear.least_determinant(self.grid.detach()) <= FLAT
        if self.axes is not None:
            # Two mirrored axes have a positive determinant, but no rising axis to search.
            x, y = (axis.detach().diff(dim=-1) <= 0 for axis in self.axes)
            folded = folded | x[:, None, :] | y[:, :, None]
        return folded.nonzero()

    def _refuse_folds(self) -> None:
        if self.axes is not None:
            # No piece is smaller than the least steps make one.
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
        """Map finite points `b n 2` to a frame."""
        batch = check.same_batch(len(self), len(points), "warp and points")
        by_axis, by_pieces = _TO[frame]
        if frame == "zoomed":
            self._refuse_folds()
        if self.axes is None:
            return by_pieces(self.grid.expand(batch, -1, -1, -1), points.expand(batch, -1, -1))
        return torch.stack(
            [by_axis(nodes, points[..., axis]) for axis, nodes in enumerate(self.axes)], dim=-1
        )

    def _forward(self, size: Size) -> tuple[Tensor, Tensor]:
        """Map every pixel's centre of the zoomed image, and give the determinants there."""

        def make() -> tuple[Tensor, Tensor]:
            y, x = (axis_centres(count, self.grid.device, self.grid.dtype) for count in size)
            if self.axes is None:
                return bilinear.evaluate_on_grid(self.grid, x, y)
            pairs = [(nodes, at) for nodes, at in zip(self.axes, (x, y), strict=True)]
            places = [bilinear.evaluate_axis(nodes, at[None]) for nodes, at in pairs]
            across, down = (bilinear.slopes_of_axis(nodes, at) for nodes, at in pairs)
            return _outer(*places), across[:, None, :] * down[:, :, None]

        return self._once(("source", size), make)

    def _invert(self, sizes: Sequence[Size]) -> list[Tensor]:
        """Map every pixel's centre of source images of some sizes to the zoomed frame."""
        self._refuse_folds()
        # Made of small operations: more threads do not make it faster, but wait for one another
        # where the machine is busy.
        with threads(1):
            return self._inverse_maps(sizes)

    def _inverse_maps(self, sizes: Sequence[Size]) -> list[Tensor]:
        if self.axes is None:
            return invert_pixels(self.grid, sizes)
        every = []
        for size in sizes:
            x, y = (
                invert_axis(nodes, axis_centres(count, nodes.device, nodes.dtype)[None])
                for nodes, count in zip(self.axes, (size[1], size[0]), strict=True)
            )
            dense = _outer(x, y)
            known = math.isfinite(float(x.detach().sum()) + float(y.detach().sum()))
            every.append(dense if known else _whole(dense))
        return every

    def _mipmap_plan(self, source: Size, size: Size) -> MipmapPlan:
        """Plan how each pixel of a zoomed image reads the area of a source image it stands for."""

        def make() -> MipmapPlan:
            points, area = self._forward(size)
            return plan_mipmap(source, points, footprints(source, points, area))

        return self._once(("mipmap", source, size), make)

    def _mean_plan(self, source: Size, size: Size) -> MeanPlan:
        """Plan the same for a separable warp, whose areas are rectangles."""
        assert self.axes is not None, "only separable warps map pixels to rectangles"
        x, y = self.axes

        def make() -> MeanPlan:
            # In float64, and where whatever the weights are worked out from is at hand.
            rows, columns = (
                bilinear.evaluate_axis(nodes.to("cpu", torch.float64), axis_edges(count)[None])
                for nodes, count in zip((y, x), size, strict=True)
            )
            return plan_means(source, rows, columns, x.dtype, x.device)

        return self._once(("means", source, size), make)

    def _once(self, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
        """Return what is made from this warp and a key; cached, unless a gradient has to flow."""
        if self.grid.requires_grad:
            return make()
        if key not in self._memory:
            if torch.compiler.is_compiling():
                raise RuntimeError(
                    "a compiled program takes a warp's maps as they are, and they have not been "
                    "made for these sizes yet: call it once on an image of the same size, before "
                    "it is compiled or exported"
                )
            # A tensor that is made in inference mode may not be used outside it.
            with torch.inference_mode(False):
                self._memory[key] = make()
        made: Made = self._memory[key]
        if not torch.compiler.is_compiling():
            self._memory.move_to_end(key)
            if len(self._memory) > CACHE_SIZE:
                self._memory.popitem(last=False)
        return made


def _outer(x: Tensor, y: Tensor) -> Tensor:
    """Return all pairs of `b w` and `b h`: `b h w 2`."""
    # All x and then all y is quicker to write than pair by pair, and as quick to read.
    return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=1).movedim(1, -1)


_TO: dict[Frame, tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "source": (bilinear.evaluate_axis, bilinear.evaluate),
    "zoomed": (invert_axis, invert_pieces),
}
"""For each frame the map that leads to it: of one axis, and of both together."""


def _nodes(pieces: int, device: torch.device | str | None, dtype: torch.dtype) -> Tensor:
    """Return the `pieces + 1` nodes of one axis, from edge to edge of the frame."""
    return torch.linspace(-1, 1, pieces + 1, device=device, dtype=dtype)


def _whole(points: Tensor) -> Tensor:
    """Make points `... 2` unknown in both coordinates where they are in one."""
    return torch.where(points.isfinite().all(dim=-1, keepdim=True), points, torch.nan)


def _in_frame(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return which points `b n 2` lie in the frame, `b n 1`; and give them clipped to it, or 0."""
    slack = 16 * torch.finfo(points.dtype).eps
    known = (points.abs() <= 1 + slack).all(dim=-1, keepdim=True)
    return known, torch.where(known, points, 0.0).clamp(-1, 1)
