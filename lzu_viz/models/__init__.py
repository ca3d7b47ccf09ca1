"""Networks in two parts, `features` and `head`, so that what lies between can be unzoomed.

Two small pretrained ones come with the package, a detector and a segmenter; the files beside this
one hold their weights, `NOTICE` says where they come from. Those in `small` are trained from
scratch. `NETWORKS` holds the pretrained ones by name.
"""

from .coco import COCO_CLASSES
from .nanodet import NanoDet
from .registry import NETWORKS, Network, NetworkEntry, network
from .selfie import SelfieSegmenter

__all__ = [
    "COCO_CLASSES",
    "NETWORKS",
    "NanoDet",
    "Network",
    "NetworkEntry",
    "SelfieSegmenter",
    "network",
]
