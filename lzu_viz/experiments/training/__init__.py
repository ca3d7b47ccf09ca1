"""The paper in miniature: small networks for its three tasks, and the systems that feed them.

In the order of the story: `streets` (scenes to train on), `pyramid` (the body of all networks),
`detector`, `segmenter` and `detector3d` (one a task), `systems` (what is compared), `looks` (where
they look), `feeding`, `training` and `judging`.
"""

from .evaluate import boxes_judged, judge, predict_boxes, predict_boxes_3d
from .trained_systems import SYSTEMS, TASKS
from .trainer import Recipe, Training
from .warped_dataset import Feed

__all__ = [
    "SYSTEMS",
    "TASKS",
    "Feed",
    "Recipe",
    "Training",
    "boxes_judged",
    "judge",
    "predict_boxes",
    "predict_boxes_3d",
]
