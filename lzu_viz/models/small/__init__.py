"""Small networks that are trained from scratch: a detector, a 3D detector and a segmenter."""

from .detector import Detector
from .detector3d import Detector3D
from .segmenter import Segmenter

__all__ = ["Detector", "Detector3D", "Segmenter"]
