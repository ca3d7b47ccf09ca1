"""Systems: Uniform, LZ, Fovea and LZU around one network, for images and for video."""

from .lzu import LZ, LZU, Fovea, Uniform

__all__ = ["LZ", "LZU", "Fovea", "Uniform"]
