"""Learning to Zoom and Unzoom: saliency, a warp that zooms, its inverse that unzooms."""

from .geometry import boxes, resampling, saliency
from .geometry.attraction import attract
from .geometry.warp import Warp
from .systems.lzu import LZ, LZU, Fovea, Uniform

__all__ = [
    "LZ",
    "LZU",
    "Fovea",
    "Uniform",
    "Warp",
    "__version__",
    "attract",
    "boxes",
    "resampling",
    "saliency",
]

__version__ = "0.2.0"
