"""Learning to Zoom and Unzoom: saliency, a warp that zooms, its inverse that unzooms."""

from .datasets import images
from .geometry import boxes, resampling, saliency
from .geometry.attraction import attract
from .geometry.warp import Warp
from .systems import LZ, LZU, Fovea, Uniform

__all__ = [
    "LZ",
    "LZU",
    "Fovea",
    "Uniform",
    "Warp",
    "attract",
    "boxes",
    "images",
    "resampling",
    "saliency",
]
