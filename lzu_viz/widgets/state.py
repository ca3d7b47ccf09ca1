"""State: all that the explorer's controls say, as one frozen value.

The fields are the controls. Their range, unit and legend stand in the fields' metadata, once; the
page's controls and the checks are made from there.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, Self, get_args

Network = Literal["segmenter", "detector"]

MOST_FOVEAS = 8


class Control(NamedTuple):
    """How a field is controlled.

    Attributes:
        name: of the field.
        label: before the control.
        legend: what it does.
        low: least value.
        high: largest value.
        step: between values; 0 for a switch or a choice.
        unit: behind the value.
        options: of a choice.
    """

    name: str
    label: str
    legend: str
    low: float = 0
    high: float = 1
    step: float = 0
    unit: str = ""
    options: tuple[str, ...] = ()


def _control(default: Any, *control: Any) -> Any:
    return field(default=default, metadata={"control": Control("", *control)})


_NETWORK = Control(
    "", "network", "a mask of people, or boxes of 80 kinds of things", options=get_args(Network)
)


def controls(kind: type) -> list[Control]:
    """Give the control of every field of :class:`State` or :class:`Fovea` that has one."""
    return [
        each.metadata["control"]._replace(name=each.name)
        for each in fields(kind)
        if "control" in each.metadata
    ]


class _Checked:
    """A frozen dataclass whose fields keep to their controls."""

    def __post_init__(self) -> None:
        for control in controls(type(self)):
            value = getattr(self, control.name)
            if control.options:
                good = value in control.options
                wanted = f"one of {control.options}"
            elif control.step:
                good = _is_number(value) and control.low <= value <= control.high
                wanted = f"between {control.low:g} and {control.high:g}"
            else:
                good = isinstance(value, bool)
                wanted = "True or False"
            if not good:
                raise ValueError(f"{control.name} must be {wanted}, got {value!r}")
            whole = isinstance(control.step, int) and bool(control.step)
            if whole and (value - control.low) % control.step:
                raise ValueError(
                    f"{control.name} must be {control.low:g} plus a multiple of {control.step}, "
                    f"got {value!r}"
                )


@dataclass(frozen=True)
class Fovea(_Checked):
    """One place to look at: a Gaussian.

    Example:
        >>> Fovea(x=0.5, width=200)
        Traceback (most recent call last):
        ValueError: width must be between 2 and 30, got 200
    """

    x: float = _control(0.0, "fovea x", "place: left (-1) to right (1)", -1, 1, 0.01)
    y: float = _control(0.0, "fovea y", "place: top (-1) to bottom (1)", -1, 1, 0.01)
    width: int = _control(6, "fovea width", "standard deviation, in % of the sides", 2, 30, 1, " %")


@dataclass(frozen=True)
class State(_Checked):
    """Where the foveas are, how the warp is cut, and what looks through it.

    Raises:
        ValueError: a value is outside its control's range.

    Example:
        >>> State(strength=50).at(x=0.5).foveas
        (Fovea(x=0.5, y=0.0, width=6),)
    """

    foveas: tuple[Fovea, ...] = field(default_factory=lambda: (Fovea(),))
    strength: int = _control(75, "strength", "the foveas' share of the saliency", 0, 98, 1, " %")
    fwhm: int = _control(
        25, "attraction", "its width at half its height, in % of the sides", 5, 100, 1, " %"
    )
    pieces: int = _control(32, "pieces per axis", "bilinear pieces of the warp", 2, 64, 1)
    input_size: int = _control(
        256, "input side", "of the picture that the network gets to see", 96, 512, 32, " px"
    )
    morph: float = _control(1.0, "morph", "from uniform (0) to zoomed (1)", 0, 1, 0.01)
    separable: bool = _control(True, "separable", "each axis is warped by itself")
    anti_crop: bool = _control(True, "anti-crop", "the edges stay, nothing is cropped")
    network: Network = field(default="segmenter", metadata={"control": _NETWORK})

    def __post_init__(self) -> None:
        super().__post_init__()
        good = isinstance(self.foveas, tuple) and 1 <= len(self.foveas) <= MOST_FOVEAS
        if not good or not all(isinstance(each, Fovea) for each in self.foveas):
            raise ValueError(f"foveas must be a tuple of 1 to {MOST_FOVEAS}, got {self.foveas!r}")

    def at(self, **fovea: Any) -> Self:
        """Give the same state with the first fovea changed: its x, y or width."""
        return replace(self, foveas=(replace(self.foveas[0], **fovea), *self.foveas[1:]))

    def to_page(self) -> dict[str, Any]:
        """Give the state as the page holds it, plain numbers and lists."""
        return {**asdict(self), "foveas": [asdict(each) for each in self.foveas]}

    @classmethod
    def from_page(cls, said: Any) -> Self:
        """Read a state that came from the page.

        Raises:
            ValueError: it is no state; whatever it is, nothing else is raised.
        """
        names = {each.name for each in fields(cls)}
        if not isinstance(said, Mapping) or not names <= set(said):
            raise ValueError(f"a state has the fields {sorted(names)}, got {said!r:.200}")
        foveas = said["foveas"]
        if not isinstance(foveas, list | tuple) or not all(isinstance(f, Mapping) for f in foveas):
            raise ValueError(f"foveas must be a list of places, got {foveas!r:.200}")
        try:
            read = tuple(Fovea(**each) for each in foveas)
        except TypeError as error:
            raise ValueError(f"a fovea has x, y and width: {error}") from None
        return cls(**{name: said[name] for name in names - {"foveas"}}, foveas=read)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
