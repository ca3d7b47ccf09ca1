"""Placement of feature maps: which part of the network's input the cells of a map span."""

from collections.abc import Sequence

from ..geometry.check import Size

Stride = float | Sequence[float]
"""Stride of a map in pixels of the network's input: one number, or (rows, columns)."""

Strides = float | Sequence[Stride]
"""Strides of several maps: one number for all, or one stride for each map."""

MAX_RATIO = 1.5
"""Largest ratio of the strides along rows and columns of a map that is taken for one."""


def extent_of(
    cells: Size, size: Size, stride: Stride | None = None, name: str = "map"
) -> tuple[float, float]:
    """Return the (rows, columns) of the network's input that a map spans, in pixels.

    Without a stride, the map has to span the input exactly: its cells have to divide the input, or
    the input them, with the same stride along rows and columns. A network that pads its input, or
    crops it, makes maps that span more or less of it.

    Args:
        cells: (rows, columns) of the map.
        size: (rows, columns) of the network's input.
        stride: of the map, if known.
        name: of the map in messages.

    Raises:
        ValueError: there is no stride and the cells do not divide the input evenly, or they have a
            grossly different aspect ratio, as if the map had another layout than `b c h w`.

    Example:
        >>> extent_of((8, 16), (256, 512))
        (256, 512)
        >>> extent_of((450, 900), (225, 450))
        (225, 450)
        >>> extent_of((8, 15), (225, 450), stride=32)
        (256, 480)
    """
    if stride is not None:
        rows, columns = (stride, stride) if isinstance(stride, int | float) else stride
        if not (0 < rows < float("inf") and 0 < columns < float("inf")):
            raise ValueError(f"strides must be positive, got {stride} for the {name}")
        return cells[0] * rows, cells[1] * columns
    row_stride, column_stride = (side / count for side, count in zip(size, cells, strict=True))
    if max(row_stride, column_stride) > MAX_RATIO * min(row_stride, column_stride):
        raise ValueError(
            f"the {name} of {cells[0]} x {cells[1]} cells does not fit an input of {size[0]} x "
            f"{size[1]} pixels: its strides would be {row_stride:.3g} along rows and "
            f"{column_stride:.3g} along columns. Maps are `b c h w`; for `b h w c` pass "
            "data_format='channels_last', for tokens `b n c` use lzu_viz.unzoom_tokens; pass "
            "strides= if the strides are right"
        )
    divides = all(
        side % count == 0 or count % side == 0 for side, count in zip(size, cells, strict=True)
    )
    # A network that pads may make cells that divide its input by chance, but hardly evenly.
    if not divides or row_stride != column_stride:
        raise ValueError(
            f"the {cells[0]} x {cells[1]} cells of the {name} do not divide the input of "
            f"{size[0]} x {size[1]} pixels evenly, so that the network pads or crops it, and it is "
            "not known which part of it the map spans. Choose a size that is a multiple of all "
            "strides, or pass strides=, for example 32, or (rows, columns)"
        )
    return size


def relative_extents(
    cells: Sequence[Size],
    size: Size,
    strides: Strides | None = None,
    names: Sequence[str] | None = None,
) -> list[tuple[float, float]]:
    """Return the (rows, columns) that maps span, relative to the network's input.

    Args:
        cells: (rows, columns) of each map.
        size: (rows, columns) of the network's input.
        strides: one for all maps, or one for each.
        names: of the maps in messages.

    Raises:
        ValueError: as for :func:`extent_of`, or the number of strides is wrong.
    """
    names = names or [f"map of level {level}" for level in range(len(cells))]
    each: Sequence[Stride | None]
    if strides is None or isinstance(strides, int | float):
        each = [strides] * len(cells)
    elif len(strides) != len(cells):
        raise ValueError(
            f"strides must be one number, or one for each of the {len(cells)} maps, got {strides}"
        )
    else:
        each = list(strides)
    extents = [
        extent_of(count, size, stride, name)
        for count, stride, name in zip(cells, each, names, strict=True)
    ]
    return [(rows / size[0], columns / size[1]) for rows, columns in extents]
