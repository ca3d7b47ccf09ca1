"""Small-scale versions of the paper's experiments: three tasks, trained in each system.

`policies` (saliency), `trained_systems` (the systems that are compared), `warped_dataset`,
`trainer`, `evaluation`, `upsampling` (inputs without fine detail) and `video_eval`. The networks
are in `lzu_viz.models.small`, the scenes in `lzu_viz.datasets.streets`.
"""

from .evaluation import evaluate_boxes, evaluate_network, predict_boxes, predict_boxes_3d
from .trained_systems import SYSTEMS, TASKS
from .trainer import Recipe, Training
from .warped_dataset import WarpedDataset

__all__ = [
    "SYSTEMS",
    "TASKS",
    "Recipe",
    "Training",
    "WarpedDataset",
    "evaluate_boxes",
    "evaluate_network",
    "predict_boxes",
    "predict_boxes_3d",
]
