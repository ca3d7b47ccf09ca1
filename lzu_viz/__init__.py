"""Learning to Zoom and Unzoom: saliency maps, zooming by a warp, and unzooming by its inverse."""

from .datasets import images
from .geometry import boxes, resampling, saliency
from .geometry.attraction import attract
from .geometry.deprecation import renamed_names
from .geometry.warp import Warp
from .systems import LZ, LZU, Fovea, Uniform
from .systems.attach import attach, unzoom_tokens

__all__ = [
    "LZ",
    "LZU",
    "Fovea",
    "Uniform",
    "Warp",
    "__version__",
    "attach",
    "attract",
    "boxes",
    "images",
    "resampling",
    "saliency",
    "unzoom_tokens",
]

__version__ = "0.2.0"

__getattr__ = renamed_names(__name__, globals(), sampling="resampling")
