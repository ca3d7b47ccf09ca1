"""Learning to Zoom and Unzoom: saliency, a warp that zooms, its inverse that unzooms."""

from .datasets import images
from .geometry import boxes, resampling, saliency
from .geometry.attraction import attract
from .geometry.deprecation import renamed_names
from .geometry.warp import Warp
from .systems import LZ, LZU, Fovea, Uniform

__all__ = [
    "LZ",
    "LZU",
    "Fovea",
    "Uniform",
    "Warp",
    "__version__",
    "attract",
    "boxes",
    "images",
    "resampling",
    "saliency",
]

__version__ = "0.2.0"

__getattr__ = renamed_names(__name__, globals(), sampling="resampling")
