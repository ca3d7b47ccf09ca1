"""State: all that the explorer's controls say, as one frozen value.

The fields are the controls. Their range, unit and legend stand in the fields' metadata, once; the
page's controls and the checks are made from there.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, Self, get_args

from ..models.registry import NETWORKS, Task
from ..systems.saliency_policies import SALIENCY_POLICIES

DragTarget = Literal["saliency", "nodes"]

BOX_KINDS = ("boxes", "boxes in pixels")
"""Kinds of saliency that are made from the state's boxes."""

PAGE_KINDS = ("foveas", *BOX_KINDS)
"""Kinds of saliency that the page computes by itself."""

NO_NETWORK = "none"
"""The option of the network's control that runs none."""


def saliency_kinds() -> tuple[str, ...]:
    """Return the kinds of saliency that can be chosen: a registered policy is one."""
    own = (*PAGE_KINDS, "edges", "network")
    # These are baselines, or are made from boxes as the kind "boxes" is.
    return (*own, *(n for n in SALIENCY_POLICIES if n not in (*own, "uniform", "fixed")))


def network_options() -> tuple[str, ...]:
    """Return the names of the networks that can be chosen."""
    shown_first = sorted(NETWORKS, key=lambda name: NETWORKS[name].task, reverse=True)
    return (*shown_first, NO_NETWORK)


def networks_for(task: Task) -> tuple[str, ...]:
    """Return the names of the networks for a task."""
    return tuple(name for name in NETWORKS if NETWORKS[name].task == task)


def stride_options() -> tuple[str, ...]:
    """Return the strides of all feature maps of detectors, in pixels of a network's input."""
    strides = {int(s) for name in networks_for("detection") for s in NETWORKS[name].strides}
    return tuple(str(stride) for stride in sorted(strides))


LOOK, WARP, NETWORK = "Where to look", "Warp", "Network"
"""The groups in which the controls stand."""

MOST_NODES = 64
"""Nodes that may be moved by hand."""


class Control(NamedTuple):
    """How a field is controlled.

    Attributes:
        name: of the field; of a thing that there are several of, with the list: "foveas.x".
        label: before the control.
        legend: what it does.
        low: least value.
        high: largest value.
        step: between values; 0 for a switch or a choice.
        unit: behind the value.
        options: of a choice; a function where they depend on what is registered.
        group: where it stands.
        when: the control is shown only while the field of this name has one of these values.
    """

    name: str
    label: str
    legend: str
    low: float = 0
    high: float = 1
    step: float = 0
    unit: str = ""
    options: Any = ()
    group: str = ""
    when: tuple[str, Any] | None = None

    def resolved(self, name: str) -> "Control":
        """Return the control of a field, with the options that are registered by now."""
        options = self.options() if callable(self.options) else self.options
        when = self.when
        if when is not None and callable(when[1]):
            when = (when[0], when[1]())
        return self._replace(name=name, options=options, when=when)


def _control(group: str, *control: Any, **more: Any) -> dict[str, Control]:
    """Return a field's metadata."""
    return {"control": Control("", *control, **more)._replace(group=group)}


_FOVEAS = ("kind", ("foveas",))
_BOXES = ("kind", BOX_KINDS)
_NODES = ("hand", ("nodes",))
_SEGMENTER = ("network", lambda: networks_for("segmentation"))
_DETECTOR = ("network", lambda: networks_for("detection"))


def _own_controls(kind: type) -> list[Control]:
    return [
        each.metadata["control"].resolved(each.name)
        for each in fields(kind)
        if "control" in each.metadata
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class _Checked:
    """A frozen dataclass whose fields keep to their controls."""

    def __post_init__(self) -> None:
        for control in _own_controls(type(self)):
            value = getattr(self, control.name)
            if control.options:
                good = isinstance(value, str) and value in control.options
                wanted = f"one of {control.options}"
            elif control.step:
                good = _is_number(value) and control.low <= value <= control.high
                wanted = f"between {control.low:g} and {control.high:g}"
            else:
                good = isinstance(value, bool)
                wanted = "True or False"
            if not good:
                raise ValueError(f"{control.name} must be {wanted}, got {value!r}")
            is_integer = isinstance(control.step, int) and bool(control.step)
            if is_integer and (value - control.low) % control.step:
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

    x: float = field(
        default=0.0,
        metadata=_control(
            LOOK, "fovea x", "place: left (-1) to right (1)", -1, 1, 0.01, when=_FOVEAS
        ),
    )
    y: float = field(
        default=0.0,
        metadata=_control(
            LOOK, "fovea y", "place: top (-1) to bottom (1)", -1, 1, 0.01, when=_FOVEAS
        ),
    )
    width: int = field(
        default=6,
        metadata=_control(
            LOOK,
            "fovea width",
            "standard deviation, in % of the picture's sides",
            2,
            30,
            1,
            " %",
            when=_FOVEAS,
        ),
    )


@dataclass(frozen=True)
class Box(_Checked):
    """One thing to look at: a box, as a detector would give it. It may reach beyond the frame."""

    x: float = field(
        default=0.0,
        metadata=_control(
            LOOK, "box x", "of its middle: left (-1) to right (1)", -1, 1, 0.01, when=_BOXES
        ),
    )
    y: float = field(
        default=0.0,
        metadata=_control(
            LOOK, "box y", "of its middle: top (-1) to bottom (1)", -1, 1, 0.01, when=_BOXES
        ),
    )
    width: float = field(
        default=20.0,
        metadata=_control(
            LOOK, "box width", "in % of the picture's width", 1, 100, 0.5, " %", when=_BOXES
        ),
    )
    height: float = field(
        default=30.0,
        metadata=_control(
            LOOK, "box height", "in % of the picture's height", 1, 100, 0.5, " %", when=_BOXES
        ),
    )

    @classmethod
    def around(cls, left: float, top: float, right: float, bottom: float) -> Self:
        """Return the box with these sides, in [-1, 1].

        Example:
            >>> Box.around(-0.5, 0.0, 0.5, 1.0)
            Box(x=0.0, y=0.5, width=50.0, height=50.0)
        """
        middle = round((left + right) / 2, 2), round((top + bottom) / 2, 2)
        sides = (min(max(round(50 * side, 1), 1.0), 100.0) for side in (right - left, bottom - top))
        return cls(*middle, *sides)

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom in [-1, 1], beyond it where the box leaves the frame."""
        across, down = self.width / 100, self.height / 100
        return self.x - across, self.y - down, self.x + across, self.y + down


@dataclass(frozen=True)
class Node(_Checked):
    """One node of the warp's grid, moved by hand in the source frame."""

    row: int = field(
        default=0,
        metadata=_control(WARP, "node row", "which node: 0 is the top row", 0, 64, 1, when=_NODES),
    )
    column: int = field(
        default=0,
        metadata=_control(
            WARP, "node column", "which node: 0 is the left column", 0, 64, 1, when=_NODES
        ),
    )
    dx: float = field(
        default=0.0,
        metadata=_control(
            WARP, "node shift x", "2 is the picture's width", -2, 2, 0.01, when=_NODES
        ),
    )
    dy: float = field(
        default=0.0,
        metadata=_control(
            WARP, "node shift y", "2 is the picture's height", -2, 2, 0.01, when=_NODES
        ),
    )


@dataclass(frozen=True, repr=False)
class State(_Checked):
    """Where to look, how the warp is cut, and what looks through it.

    Raises:
        ValueError: a value is outside its control's range; a node is moved that the grid does not
            have, or while the warp is separable.

    Example:
        >>> State(strength=50).at(x=0.5).foveas
        (Fovea(x=0.5, y=0.0, width=6),)
        >>> State(strength=50, pieces=8)
        State(strength=50, pieces=8)
    """

    kind: str = field(
        default="foveas",
        metadata=_control(
            LOOK,
            "saliency from",
            "foveas or boxes, which one drags; the picture's edges; or what the network finds in "
            "the uniform picture",
            options=saliency_kinds,
        ),
    )
    foveas: tuple[Fovea, ...] = field(default=(Fovea(),), metadata={"list": (Fovea, 1, 8)})
    boxes: tuple[Box, ...] = field(default=(Box(),), metadata={"list": (Box, 1, 8)})
    spread: int = field(
        default=50,
        metadata=_control(
            LOOK,
            "spread",
            "standard deviation of each box's Gaussian, in % of the box's sides",
            10,
            200,
            5,
            " %",
            when=("kind", ("boxes", "network")),
        ),
    )
    bandwidth: int = field(
        default=64,
        metadata=_control(
            LOOK,
            "bandwidth",
            "the variance of a box's Gaussian is this times the box's side, all in source pixels",
            4,
            256,
            4,
            " px",
            when=("kind", ("boxes in pixels",)),
        ),
    )
    strength: int = field(
        default=75,
        metadata=_control(
            LOOK, "strength", "their share of the saliency; the rest is even", 0, 98, 1, " %"
        ),
    )
    columns: int = field(
        default=64,
        metadata=_control(
            LOOK,
            "map columns",
            "cells of the saliency map across; half as many down",
            8,
            128,
            8,
        ),
    )
    morph: float = field(
        default=1.0,
        metadata=_control(
            WARP, "morph", "bends the sampling grid from uniform (0) to zoomed (1)", 0, 1, 0.01
        ),
    )
    fwhm: int = field(
        default=25,
        metadata=_control(
            WARP,
            "attraction",
            "how far salient places draw: their Gaussian's width at half height, in % of the sides",
            5,
            100,
            1,
            " %",
        ),
    )
    pieces: int = field(
        default=32,
        metadata=_control(WARP, "pieces per axis", "of the warp; at most 16 are drawn", 2, 64, 1),
    )
    separable: bool = field(
        default=True, metadata=_control(WARP, "separable", "each axis is warped by itself")
    )
    anti_crop: bool = field(
        default=True, metadata=_control(WARP, "anti-crop", "the edges stay, nothing is cropped")
    )
    hand: DragTarget = field(
        default="saliency",
        metadata=_control(
            WARP,
            "hand moves",
            "what one drags on the source: foveas or boxes, or single nodes of the grid (the warp "
            "is then non-separable)",
            options=get_args(DragTarget),
        ),
    )
    nodes: tuple[Node, ...] = field(default=(), metadata={"list": (Node, 0, MOST_NODES)})
    network: str = field(
        default="segmenter",
        metadata=_control(
            NETWORK,
            "network",
            "a mask of people, or boxes around 80 kinds of things",
            options=network_options,
        ),
    )
    input_size: int = field(
        default=256,
        metadata=_control(
            NETWORK,
            "input side",
            "of the square picture that the network gets to see",
            96,
            512,
            32,
            " px",
        ),
    )
    antialias: bool = field(
        default=True,
        metadata=_control(
            NETWORK,
            "antialias",
            "each pixel of the small picture takes the mean of what it stands for",
        ),
    )
    probability: int = field(
        default=50,
        metadata=_control(
            NETWORK,
            "mask from",
            "the probability from which on a pixel counts as person",
            5,
            95,
            5,
            " %",
            when=_SEGMENTER,
        ),
    )
    score: int = field(
        default=35,
        metadata=_control(
            NETWORK,
            "boxes from",
            "the score from which on a box is shown",
            5,
            95,
            5,
            " %",
            when=_DETECTOR,
        ),
    )
    stride: str = field(
        default="8",
        metadata=_control(
            NETWORK,
            "feature stride",
            "which of the network's feature maps is shown, in pixels of its input a cell",
            options=stride_options,
            when=_DETECTOR,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (kind, minimum, maximum) in lists().items():
            value = getattr(self, name)
            good = isinstance(value, tuple) and minimum <= len(value) <= maximum
            if not good or not all(isinstance(each, kind) for each in value):
                raise ValueError(
                    f"{name} must be a tuple of {minimum} to {maximum}, got {value!r:.300}"
                )
        if self.nodes and self.separable:
            raise ValueError(
                "nodes can be moved by hand only where separable is False, got "
                f"{len(self.nodes)} moved nodes of a separable warp"
            )
        for node in self.nodes:
            if max(node.row, node.column) > self.pieces:
                raise ValueError(
                    f"nodes must lie on the grid of {self.pieces} pieces per axis, got {node}"
                )

    def __repr__(self) -> str:
        """Say only what is not as usual."""
        shown = [(each.name, getattr(self, each.name), each.default) for each in fields(self)]
        return f"State({', '.join(f'{n}={v!r}' for n, v, default in shown if v != default)})"

    def at(self, **fovea: Any) -> Self:
        """Return the same state with the first fovea changed: its x, y or width."""
        return replace(self, foveas=(replace(self.foveas[0], **fovea), *self.foveas[1:]))

    def to_page(self) -> dict[str, Any]:
        """Return the state as the page holds it, plain numbers and lists."""
        several = {name: [asdict(each) for each in getattr(self, name)] for name in lists()}
        return {**asdict(self), **several}

    @classmethod
    def from_page(cls, sent: Any) -> Self:
        """Read a state that came from the page.

        Raises:
            ValueError: it is no state; whatever it is, nothing else is raised.
        """
        names = {each.name for each in fields(cls)}
        if not isinstance(sent, Mapping) or not names <= set(sent):
            raise ValueError(f"a state has the fields {sorted(names)}, got {sent!r:.200}")
        values = {name: sent[name] for name in names}
        for name, (kind, _, maximum) in lists().items():
            given = sent[name]
            if not isinstance(given, list | tuple) or len(given) > maximum:
                raise ValueError(f"{name} must be a list of at most {maximum}, got {given!r:.200}")
            if not all(isinstance(each, Mapping) for each in given):
                raise ValueError(f"{name} must be a list of mappings, got {given!r:.200}")
            try:
                values[name] = tuple(kind(**each) for each in given)
            except TypeError as error:
                raise ValueError(f"{name} have other fields: {error}") from None
        return cls(**values)


def lists() -> dict[str, tuple[type, int, int]]:
    """Return the fields of the state that hold several things: their kind, least and most."""
    return {each.name: each.metadata["list"] for each in fields(State) if "list" in each.metadata}


def controls() -> list[Control]:
    """Return all controls in the order in which they stand: those of a list where the list is."""
    every = []
    for each in fields(State):
        if "control" in each.metadata:
            every.append(each.metadata["control"].resolved(each.name))
        else:
            kind, _, _ = each.metadata["list"]
            every += [own._replace(name=f"{each.name}.{own.name}") for own in _own_controls(kind)]
    return every
