"""Saliency policies: objects that say where a system looks, from what it knows of a frame.

A policy maps :class:`SaliencyInputs` to a saliency map. `SALIENCY_POLICIES` holds those that can be
chosen by name, in the explorer and where costs are measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..geometry import saliency
from ..geometry.check import Size
from ..geometry.resampling import resize
from ..models.registry import NETWORKS, Registry, network

SEGMENTER_FLOOR = 0.05
"""Added to a segmenter's probabilities: where it sees nothing, the saliency is nearly uniform."""


class SaliencyInputs(NamedTuple):
    """What a policy may use.

    Attributes:
        image: `1 3 h w` in 0..1, the frame.
        boxes: `n 4`, xyxy in [-1, 1], detections in the frame before, or chosen boxes.
        size: (rows, columns) wanted of the map.
    """

    image: Tensor
    boxes: Tensor
    size: Size = saliency.SIZE


class SaliencyPolicy(Protocol):
    """A function from what is known of a frame to a saliency map.

    It is hashable, for example a frozen dataclass, so that maps can be cached.
    """

    def __hash__(self) -> int:
        """Return the hash of its parameters."""
        ...

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`."""
        ...


@dataclass(frozen=True)
class UniformSaliency:
    """The uniform map: plain downsampling."""

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`."""
        return saliency.uniform(inputs.size, device=inputs.image.device)


@dataclass(frozen=True)
class GaussianSaliency:
    """Gaussians at given places.

    Attributes:
        centers: (x, y) of each, in [-1, 1].
        sigmas: standard deviation of each, a fraction of the frame's side.
    """

    centers: tuple[tuple[float, float], ...]
    sigmas: tuple[float, ...]

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`."""
        # A page says 0 where Python says 0.0, so the numbers may all be integers.
        centers = torch.tensor([self.centers], dtype=torch.float32)
        sigmas = torch.tensor([self.sigmas], dtype=torch.float32)
        return saliency.gaussian(centers, sigmas, size=inputs.size)


@dataclass(frozen=True)
class BoxSaliency:
    """A Gaussian for each box, as wide as the box.

    Attributes:
        amplitude: weight of a box relative to the uniform floor.
        relative_sigma: standard deviation in units of the box's sides.
    """

    amplitude: float = 1.0
    relative_sigma: float = 0.5

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`."""
        return saliency.from_boxes_scale_free(
            inputs.boxes, self.amplitude, self.relative_sigma, inputs.size
        )


@dataclass(frozen=True)
class PixelBoxSaliency:
    """A Gaussian for each box, with FOVEA's bandwidth in source pixels.

    Attributes:
        amplitude: weight of a box relative to the uniform floor.
        bandwidth: in pixels, see :func:`lzu_viz.saliency.from_boxes`.
    """

    amplitude: float = 1.0
    bandwidth: float = 64.0

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`."""
        frame = inputs.image.shape[-2:]
        return saliency.from_boxes(
            inputs.boxes, self.amplitude, self.bandwidth, frame=frame, size=inputs.size
        )


@dataclass(frozen=True)
class EdgeSaliency:
    """The edges of the image.

    Attributes:
        reduced: (rows, columns) to which the image is reduced first; None keeps it.
    """

    reduced: Size | None = None

    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`."""
        image = resize(inputs.image, self.reduced) if self.reduced else inputs.image
        return saliency.from_edges(image, inputs.size)


@dataclass(frozen=True)
class NetworkSaliency:
    """What a pretrained network finds in the uniformly downsampled image.

    Attributes:
        network: its name in :data:`lzu_viz.models.NETWORKS`.
        input_size: (rows, columns) of its input.
        antialias: whether the downsampling is antialiased.
        threshold: smallest score of a box.
        relative_sigma: as in :class:`BoxSaliency`.
    """

    network: str
    input_size: Size = (256, 256)
    antialias: bool = True
    threshold: float = 0.35
    relative_sigma: float = 0.5

    @torch.no_grad()
    def __call__(self, inputs: SaliencyInputs) -> Tensor:
        """Return the map `1 1 *size`; uniform where nothing is found."""
        module = network(self.network)
        small = resize(inputs.image, self.input_size, self.antialias)
        outputs = module.head(module.features(small))
        if NETWORKS[self.network].task == "segmentation":
            mask = module.decode(outputs, size=self.input_size)
            return saliency.normalise(adaptive_avg_pool2d(mask, inputs.size) + SEGMENTER_FLOOR)
        (detections,) = module.decode(outputs, size=self.input_size, threshold=self.threshold)
        if not len(detections.boxes):
            return saliency.uniform(inputs.size)
        # Nearly no floor: the explorer's strength adds one.
        return saliency.from_boxes_scale_free(
            detections.boxes, 1e3, self.relative_sigma, inputs.size
        )


@dataclass(frozen=True, eq=False)
class PolicyEntry:
    """A saliency policy, as controls and costs know it.

    Attributes:
        build: returns the policy with its default parameters.
        description: in a few words.
        is_static: whether the map is the same for all frames, so that map, warp and inverse are
            computed once.
    """

    build: Callable[[], SaliencyPolicy]
    description: str
    is_static: bool = False


SALIENCY_POLICIES: Registry[PolicyEntry] = Registry("saliency policy")
"""Saliency policies by name."""

SALIENCY_POLICIES.register(
    "uniform", PolicyEntry(UniformSaliency, "plain downsampling", is_static=True)
)
SALIENCY_POLICIES.register(
    "fixed", PolicyEntry(BoxSaliency, "one map for all frames", is_static=True)
)
SALIENCY_POLICIES.register("boxes", PolicyEntry(BoxSaliency, "boxes of the last frame"))
SALIENCY_POLICIES.register(
    "edges", PolicyEntry(lambda: EdgeSaliency((128, 256)), "edges of the reduced image")
)
