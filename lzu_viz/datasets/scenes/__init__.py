"""Controlled scenes: what there is to look at, with its truth."""

from .clips import moving
from .controlled import controlled
from .far_person import SCENES, Person, Scene, far_person, load_cutout, make_cutout, people

__all__ = [
    "SCENES",
    "Person",
    "Scene",
    "controlled",
    "far_person",
    "load_cutout",
    "make_cutout",
    "moving",
    "people",
]
