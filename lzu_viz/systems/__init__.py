"""Systems: one network, four ways to feed it, so that only the resampling differs.

======= =========== ================================ ====================================
system  image       features or outputs              predictions
======= =========== ================================ ====================================
Uniform downsampled resampled by the identity warp   decoded in the source frame
LZ      zoomed      left in the zoomed frame         left in the zoomed frame
Fovea   zoomed      left in the zoomed frame         decoded, then mapped back through T
LZU     zoomed      unzoomed                         decoded in the source frame
======= =========== ================================ ====================================

`base` holds the stages that they share; `video` runs them on video.
"""

from .base import Decode, Levels, Predictions, System, Trace
from .fovea import Fovea
from .lz import LZ
from .lzu import LZU
from .uniform import Uniform

__all__ = ["LZ", "LZU", "Decode", "Fovea", "Levels", "Predictions", "System", "Trace", "Uniform"]
