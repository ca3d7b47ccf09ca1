"""State: all that the explorer's controls say, as one frozen value.

The fields are the controls. Their range, unit and legend stand in the fields' metadata, once; the
sliders, the checks and the legend in a notebook are made from there.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

Network = Literal["segmenter", "detector"]

NETWORKS: tuple[Network, ...] = ("segmenter", "detector")


NETWORK_LEGEND = "what looks: a segmenter of people, or a detector of 80 kinds of things"


class Control(NamedTuple):
    """How a number is controlled.

    Attributes:
        label: before the slider, with the unit.
        low: least value.
        high: largest value.
        step: between values.
        legend: what it does.
    """

    label: str
    low: float
    high: float
    step: float
    legend: str


def _number(default: float, *control: Any) -> Any:
    return field(default=default, metadata={"control": Control(*control)})


@dataclass(frozen=True)
class State:
    """Where the fovea is, how the warp is cut, and what looks through it.

    Raises:
        ValueError: a value is outside its control's range.

    Example:
        >>> State(x=0.5).x
        0.5
        >>> State(pieces=0)
        Traceback (most recent call last):
        ValueError: pieces must be between 2 and 64, got 0
    """

    x: float = _number(0.0, "fovea x", -1, 1, 0.01, "place of the fovea, left (-1) to right (1)")
    y: float = _number(0.0, "fovea y", -1, 1, 0.01, "place of the fovea, top (-1) to bottom (1)")
    width: int = _number(6, "width (%)", 2, 30, 1, "standard deviation, in % of the sides")
    strength: int = _number(75, "strength (%)", 0, 98, 1, "the fovea's share of the saliency")
    pieces: int = _number(32, "pieces (per axis)", 2, 64, 1, "bilinear pieces of the warp")
    input_size: int = _number(256, "input side (px)", 96, 512, 32, "what the network gets to see")
    network: Network = "segmenter"

    def __post_init__(self) -> None:
        for name, control in controls().items():
            value = getattr(self, name)
            if not control.low <= value <= control.high:
                raise ValueError(
                    f"{name} must be between {control.low} and {control.high}, got {value!r}"
                )
        if self.network not in NETWORKS:
            raise ValueError(f"network must be one of {NETWORKS}, got {self.network!r}")
        if self.input_size % 32:
            raise ValueError(f"input_size must be a multiple of 32, got {self.input_size}")


def controls() -> dict[str, Control]:
    """Give the control of every numeric field of :class:`State`, in order."""
    return {
        each.name: each.metadata["control"] for each in fields(State) if "control" in each.metadata
    }
