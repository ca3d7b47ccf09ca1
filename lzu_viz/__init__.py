"""Learning to Zoom and Unzoom: saliency, a warp that zooms, its inverse that unzooms."""

from . import boxes, saliency, sampling
from .attraction import attract
from .lzu import LZ, LZU, Fovea, Uniform
from .warp import Warp

__all__ = ["LZ", "LZU", "Fovea", "Uniform", "Warp", "attract", "boxes", "saliency", "sampling"]
