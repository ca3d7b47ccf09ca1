"""Metrics of images and masks; those of detections are in `detection` and `detection3d`."""

from .image_quality import psnr
from .masks import boundary_f, mask_iou

__all__ = ["boundary_f", "mask_iou", "psnr"]
