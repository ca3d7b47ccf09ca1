"""Learning to Zoom and Unzoom: saliency, a warp that zooms, its inverse that unzooms."""

from .geometry import boxes, resampling, saliency
from .geometry.attraction import attract
from .geometry.warp import Warp
from .systems.lzu import LZ, LZU, Fovea, Uniform

__all__ = ["LZ", "LZU", "Fovea", "Uniform", "Warp", "attract", "boxes", "resampling", "saliency"]
