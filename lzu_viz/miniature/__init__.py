"""The paper in miniature: small networks for its three tasks, and the systems that feed them.

In the order of the story: `streets` (scenes to train on), `pyramid` (the body of all networks),
`detector`, `segmenter` and `detector3d` (one a task), `systems` (what is compared), `looks` (where
they look), `feeding`, `training` and `judging`.
"""

from .feeding import Feed
from .judging import boxes_judged, found, found_3d, judge
from .systems import SYSTEMS, TASKS
from .training import Recipe, Training

__all__ = [
    "SYSTEMS",
    "TASKS",
    "Feed",
    "Recipe",
    "Training",
    "boxes_judged",
    "found",
    "found_3d",
    "judge",
]
