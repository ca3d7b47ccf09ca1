"""Controlled scenes: what there is to look at, with its truth."""

from .controlled import controlled
from .far_person import SCENES, Person, Scene, cut_out, cutout, far_person, people
from .moving import moving

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
