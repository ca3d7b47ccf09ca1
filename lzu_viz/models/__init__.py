"""Networks split into `features` and `head`, so that the features between can be unzoomed.

Two small pretrained networks come with the package, a detector and a segmenter; their weights are
in this folder, with their origin in `NOTICE`. The networks in `small` are trained from scratch.
`NETWORKS` maps names to the pretrained networks.
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
