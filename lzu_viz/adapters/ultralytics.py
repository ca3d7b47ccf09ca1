"""ultralytics: YOLO detectors."""

from typing import Any

from torch import Tensor

from ..geometry import check
from ..geometry.boxes import Detections
from .called_network import CalledNetwork
from .records import from_dict


def detector(model: Any, threshold: float = 0.05) -> CalledNetwork:
    """Return a YOLO detector of ultralytics as a network.

    Only the interface of `ultralytics.YOLO` is used: ``predict(image, conf=, verbose=False)``,
    which returns results with ``boxes.xyxy``, ``boxes.cls`` and ``boxes.conf``, and ``names``.
    Choose a zoomed size that is a multiple of 32, so that the image is not resized again.

    Args:
        model: an `ultralytics.YOLO`.
        threshold: minimum score of detections.
    """

    def call(image: Tensor) -> list[Detections]:
        size = check.size(image.shape[-2:])
        results = model.predict(image, conf=threshold, imgsz=list(size), verbose=False)
        return [
            from_dict(
                {
                    "boxes": result.boxes.xyxy,
                    "labels": result.boxes.cls.long(),
                    "scores": result.boxes.conf,
                },
                size,
            )
            for result in results
        ]

    names = model.names
    classes = [names[index] for index in sorted(names)] if isinstance(names, dict) else list(names)
    return CalledNetwork(call, "detection", classes)
