"""The inverse of a piecewise bilinear map: for one axis, for any points, for all pixels."""

from .invert import invert_axis, invert_pieces, invert_pixels

__all__ = ["invert_axis", "invert_pieces", "invert_pixels"]
