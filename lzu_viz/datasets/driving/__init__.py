"""Driving scenes: procedural streets with boxes, masks, depth and 3D boxes, by seed."""

from .objects import AREAS, CLASSES, Area
from .scene import SIZE, Street, driving, driving_clip
from .world import PRESETS, Preset

__all__ = [
    "AREAS",
    "CLASSES",
    "PRESETS",
    "SIZE",
    "Area",
    "Preset",
    "Street",
    "driving",
    "driving_clip",
]
