"""Plots of computed results, without computation of their own.

`panels` draws on Pillow images, fast enough to follow a slider; all others draw with matplotlib.
"""

from .._extras import needs

with needs("notebooks"):
    import matplotlib  # noqa: F401

from . import figures, panels

__all__ = ["figures", "panels"]
