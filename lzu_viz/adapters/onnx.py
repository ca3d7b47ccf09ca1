"""ONNX files, run by onnxruntime."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .._extras import needs
from ..geometry.boxes import Detections
from ..geometry.check import Size
from .called_network import CalledNetwork

DecodeOutputs = Callable[[list[Tensor], Size], list[Detections] | Tensor]
"""From the outputs of a session, and (rows, columns) of its input, to predictions."""


def detector(
    model: str | Path | Any,
    decode: DecodeOutputs,
    classes: Sequence[str] = (),
    **options: Any,
) -> CalledNetwork:
    """Return a detector in an ONNX file as a network.

    Args:
        model: path of the file, or an `onnxruntime.InferenceSession`. It has one input, an image `b
            3 h w` in 0..1 with float32 pixels.
        decode: from the outputs, as tensors, and the input's (rows, columns), to one `Detections`
            per image, boxes in [-1, 1].
        classes: names of the predicted classes.
        options: of `onnxruntime.InferenceSession`, if a path is given.

    Raises:
        ValueError: the model has more than one input.
    """
    return CalledNetwork(_run(model, decode, options), "detection", classes)


def segmenter(
    model: str | Path | Any,
    decode: DecodeOutputs | None = None,
    classes: Sequence[str] = (),
    **options: Any,
) -> CalledNetwork:
    """Return a segmenter in an ONNX file as a network.

    Args:
        model: as for :func:`detector`.
        decode: from the outputs, as tensors, and the input's (rows, columns), to a map `b c h w`;
            by default the first output.
        classes: names of the predicted classes.
        options: of `onnxruntime.InferenceSession`, if a path is given.

    Raises:
        ValueError: the model has more than one input.
    """
    return CalledNetwork(_run(model, decode, options), "segmentation", classes)


def _run(
    model: str | Path | Any, decode: DecodeOutputs | None, options: dict[str, Any]
) -> Callable[[Tensor], list[Detections] | Tensor]:
    """Return a function that runs a model on an image and decodes its outputs."""
    session: Any = model
    if isinstance(model, str | Path):
        with needs("adapters"):
            import onnxruntime
        session = onnxruntime.InferenceSession(model, **options)
    inputs = [node.name for node in session.get_inputs()]
    if len(inputs) != 1:
        raise ValueError(f"the model must have one input, an image, got {inputs}")

    def call(image: Tensor) -> list[Detections] | Tensor:
        arrays = session.run(None, {inputs[0]: image.detach().cpu().float().numpy()})
        outputs = [torch.from_numpy(array).to(image.device) for array in arrays]
        rows, columns = image.shape[-2:]
        return outputs[0] if decode is None else decode(outputs, (rows, columns))

    return call
