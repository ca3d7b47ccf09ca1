"""Pictures: what is drawn, and nothing that is computed.

`panels` draws on Pillow images, fast enough to follow a slider; `figures` draws on matplotlib axes.
"""

from .._extras import needs

with needs("notebooks"):
    import matplotlib  # noqa: F401

from . import figures, panels

__all__ = ["figures", "panels"]
