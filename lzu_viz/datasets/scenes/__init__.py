"""Controlled scenes: what there is to look at, with its truth."""

from .clips import moving
from .controlled import controlled
from .far_person import SCENES, Person, Scene, cut_out, cutout, far_person, people

__all__ = [
    "SCENES",
    "Person",
    "Scene",
    "controlled",
    "cut_out",
    "cutout",
    "far_person",
    "moving",
    "people",
]
