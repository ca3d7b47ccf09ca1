"""Systems: five ways to apply one network, which differ only in the resampling.

======= ============ =============================== ===================================
system  image        features or outputs             predictions
======= ============ =============================== ===================================
Uniform downsampled  resampled by the identity warp  decoded in the source frame
LZ      zoomed       left in the zoomed frame        left in the zoomed frame
Fovea   zoomed       left in the zoomed frame        decoded, then mapped back through T
LZU     zoomed       unzoomed                        decoded in the source frame
Sliced  cut to tiles left in the frames of the tiles decoded, mapped back, and merged
======= ============ =============================== ===================================

`base` defines the stages that all systems share; `video` runs systems on video.
"""

from .base import Decode, Levels, Predictions, System, Trace
from .fovea import Fovea
from .lz import LZ
from .lzu import LZU
from .sliced import Sliced
from .uniform import Uniform

__all__ = [
    "LZ",
    "LZU",
    "Decode",
    "Fovea",
    "Levels",
    "Predictions",
    "Sliced",
    "System",
    "Trace",
    "Uniform",
]
