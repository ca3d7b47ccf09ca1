"""The inverse of a piecewise bilinear map: on one axis, at any points, or at all pixels."""

from .invert import invert_axis, invert_pieces, invert_pixels

__all__ = ["invert_axis", "invert_pieces", "invert_pixels"]
