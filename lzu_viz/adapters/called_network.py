"""Networks that are only called, in the protocol of :class:`lzu_viz.models.registry.Network`."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ..geometry import check
from ..geometry.boxes import Detections
from ..geometry.check import Size
from ..geometry.warp import Warp
from ..models.registry import Task


class CalledNetwork(nn.Module):
    """A network that maps an image to predictions in one call.

    Its features are the image itself, its outputs are those of the call: detections, or maps. The
    detections can be mapped to the source frame (:class:`lzu_viz.Fovea`, or `LZU` with
    ``unzoom="predictions"``), maps also unzoomed (`LZU` with ``unzoom="outputs"``).

    Args:
        call: from an image `b 3 h w` in 0..1 to one `Detections` per image, or to a map `b c h w`.
        task: "detection" or "segmentation".
        classes: names of the predicted classes.
        module: the module that is called, if any, so that its parameters are moved and trained.
    """

    strides: tuple[int, ...] = ()
    """There are no feature maps."""

    def __init__(
        self,
        call: Callable[[Tensor], list[Detections] | Tensor],
        task: Task,
        classes: Sequence[str] = (),
        module: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.call = call
        self.task: Task = task
        self.classes = tuple(classes)
        self.module = module

    def features(self, image: Tensor) -> Tensor:
        """Return the image."""
        return image

    def head(self, image: Tensor) -> Any:
        """Return the outputs of the network for an image `b 3 h w` in 0..1."""
        return self.call(image)

    def forward(self, image: Tensor) -> Any:
        """Return the outputs of the network for an image `b 3 h w` in 0..1."""
        return self.call(image)

    def decode(
        self,
        outputs: Sequence[Any] | Tensor,
        warp: Warp | None = None,
        *,
        size: Size | None = None,
        threshold: float = 0.0,
    ) -> list[Detections] | Tensor:
        """Return predictions from the outputs.

        Args:
            outputs: one `Detections` per image, or a map, alone or in a list.
            warp: the warp by which maps were unzoomed; detections cannot be.
            size: (rows, columns) of the network's input; not needed.
            threshold: score that detections must reach.

        Raises:
            ValueError: detections were to be unzoomed.
        """
        if isinstance(outputs, Tensor):
            return outputs
        if len(outputs) and isinstance(outputs[0], Tensor):
            probabilities: Tensor = outputs[0]
            return probabilities
        if warp is not None:
            raise ValueError(
                "this network returns detections and no maps, which cannot be unzoomed; use Fovea, "
                "or unzoom='predictions'"
            )
        return [
            Detections(*(field[found.scores >= threshold] for field in found)) for found in outputs
        ]


def map_of_class(logits: Tensor, label: int | None) -> Tensor:
    """Return the probability of a class, `b 1 h w`, from logits `b c h w`.

    Args:
        logits: of all classes; of a single one, which is then a sigmoid.
        label: index of the class; all classes if None.
    """
    check.features(logits, "logits")
    if logits.shape[1] == 1:
        return logits.sigmoid()
    probabilities = logits.softmax(dim=1)
    return probabilities if label is None else probabilities[:, label : label + 1]
