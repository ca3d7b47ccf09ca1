"""Driving scenes: procedural streets with boxes, masks, depth and 3D boxes, by seed."""

from .objects import CLASSES, SEMANTIC_CLASSES, SemanticClass
from .scene import SIZE, Street, driving, driving_clip
from .world import PRESETS, Preset

__all__ = [
    "CLASSES",
    "PRESETS",
    "SEMANTIC_CLASSES",
    "SIZE",
    "Preset",
    "SemanticClass",
    "Street",
    "driving",
    "driving_clip",
]
