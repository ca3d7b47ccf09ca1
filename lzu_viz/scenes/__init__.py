"""Controlled scenes: what there is to look at, with its truth."""

from .far_person import SCENES, Scene, cut_out, cutout, far_person

__all__ = ["SCENES", "Scene", "cut_out", "cutout", "far_person"]
