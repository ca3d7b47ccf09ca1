"""Two small pretrained networks that travel with the package: a detector and a segmenter.

Each is cut in two, `features` and `head`, so that what lies between can be unzoomed.
The files beside this one hold the weights; `NOTICE` says where they come from.
"""

from .coco import COCO_CLASSES
from .nanodet import NanoDet
from .selfie import SelfieSegmenter

__all__ = ["COCO_CLASSES", "NanoDet", "SelfieSegmenter"]
