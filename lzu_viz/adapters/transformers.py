"""transformers: object detectors and semantic segmenters, with their processors."""

from typing import Any

import torch
from torch import Tensor, nn

from ..geometry import check
from ..geometry.boxes import Detections
from .called_network import CalledNetwork, map_of_class
from .records import from_dict


def detector(model: nn.Module, processor: Any, threshold: float = 0.05) -> CalledNetwork:
    """Return an object detector of transformers, such as DETR or RT-DETR, as a network.

    The processor's mean and standard deviation are applied, but not its resize and padding, whose
    place the zoom takes.

    Args:
        model: in the form of `AutoModelForObjectDetection`.
        processor: its image processor.
        threshold: minimum score of detections.
    """

    def call(image: Tensor) -> list[Detections]:
        outputs = model(pixel_values=normalised(image, processor))
        size = check.size(image.shape[-2:])
        records = processor.post_process_object_detection(
            outputs, threshold=threshold, target_sizes=[size] * len(image)
        )
        return [from_dict(record, size) for record in records]

    return CalledNetwork(call, "detection", _classes(model), model)


def segmenter(model: nn.Module, processor: Any, label: int | str | None = None) -> CalledNetwork:
    """Return a semantic segmenter of transformers, such as SegFormer or UperNet, as a network.

    Args:
        model: in the form of `AutoModelForSemanticSegmentation`.
        processor: its image processor, of which the mean and the standard deviation are used.
        label: index or name of the class whose probability is predicted, `b 1 h w`; by default
            the probabilities of all classes, `b c h w`.

    Raises:
        ValueError: there is no class of this name.
    """
    classes = _classes(model)
    if isinstance(label, str):
        check.one_of(label, classes, "label")
        label = classes.index(label)
    index = label

    def call(image: Tensor) -> Tensor:
        logits = model(pixel_values=normalised(image, processor)).logits
        return map_of_class(logits, index)

    return CalledNetwork(call, "segmentation", classes, model)


def normalised(image: Tensor, processor: Any) -> Tensor:
    """Return an image `b 3 h w` in 0..1 with the mean and the deviation of a processor."""
    if not getattr(processor, "do_normalize", True):
        return image
    mean, deviation = (
        torch.tensor(values, dtype=image.dtype, device=image.device).view(1, -1, 1, 1)
        for values in (processor.image_mean, processor.image_std)
    )
    return (image - mean) / deviation


def _classes(model: Any) -> list[str]:
    """Return the names of a model's classes, in the order of their indices."""
    names = model.config.id2label
    return [names[index] for index in sorted(names)]
