"""The values of all controls of the explorer, as one frozen dataclass.

Each field is a control. Its range, unit and legend are defined once, in the field's metadata, from
which the page's controls and the checks are made.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, Self, get_args

from ..geometry.deprecation import renamed_arguments, renamed_attribute
from ..models.registry import NETWORKS, Task
from ..systems.saliency_policies import SALIENCY_POLICIES

DragTarget = Literal["saliency", "nodes"]

BOX_KINDS = ("boxes", "boxes in pixels")
"""Kinds of saliency that are computed from the state's boxes."""

PAGE_KINDS = ("foveas", *BOX_KINDS)
"""Kinds of saliency that the page computes by itself."""

NO_NETWORK = "none"
"""Option of the network's control that runs no network."""


def saliency_kinds() -> tuple[str, ...]:
    """Return the kinds of saliency that can be selected, including registered policies."""
    built_in = (*PAGE_KINDS, "edges", "network")
    # "uniform" is the baseline, and "fixed" is made from boxes like the kind "boxes".
    excluded = (*built_in, "uniform", "fixed")
    return (*built_in, *(name for name in SALIENCY_POLICIES if name not in excluded))


def _saliency_legend() -> str:
    built_in = (
        "foveas or boxes, which can be dragged; edges in the image; or the network's "
        "prediction for the uniformly downsampled image"
    )
    registered = saliency_kinds()[len(PAGE_KINDS) + 2 :]
    return "; ".join(
        [built_in, *(f"{name}: {SALIENCY_POLICIES[name].description}" for name in registered)]
    )


def network_options() -> tuple[str, ...]:
    """Return the names of the networks that can be selected."""
    by_task = sorted(NETWORKS, key=lambda name: NETWORKS[name].task, reverse=True)
    return (*by_task, NO_NETWORK)


def _network_legend() -> str:
    return "; ".join(
        f"{name}: {NETWORKS[name].description}" for name in network_options() if name in NETWORKS
    )


def networks_for(task: Task) -> tuple[str, ...]:
    """Return the names of the networks for a task."""
    return tuple(name for name in NETWORKS if NETWORKS[name].task == task)


def stride_options() -> tuple[str, ...]:
    """Return the strides of all feature maps of detectors, in pixels of a network's input."""
    strides = {int(s) for name in networks_for("detection") for s in NETWORKS[name].strides}
    return tuple(str(stride) for stride in sorted(strides))


SALIENCY, WARP, NETWORK = "Saliency", "Warp", "Network"
"""Groups of controls."""

MAX_NODES = 64
"""Maximum number of manually moved nodes."""


class Control(NamedTuple):
    """Description of the control of a field.

    Attributes:
        name: of the field; for the items of a list with the list's name: "foveas.x".
        label: text before the control.
        legend: description of its effect, for tooltips and help; a function if it depends on what
            is registered.
        low: minimum.
        high: maximum.
        step: increment; 0 for a switch or a choice.
        unit: text after the value.
        options: of a choice; a function if they depend on what is registered.
        group: group of controls that it belongs to.
        when: (field, values); the control is shown only while this field has one of these values.
        main: whether it is one of those that matter most, which are in view with the pictures.
    """

    name: str
    label: str
    legend: Any
    low: float = 0
    high: float = 1
    step: float = 0
    unit: str = ""
    options: Any = ()
    group: str = ""
    when: tuple[str, Any] | None = None
    main: bool = False

    def resolved(self, name: str) -> "Control":
        """Return the control of a field, with the currently registered options."""
        options = self.options() if callable(self.options) else self.options
        when = self.when
        if when is not None and callable(when[1]):
            when = (when[0], when[1]())
        legend = self.legend() if callable(self.legend) else self.legend
        return self._replace(name=name, options=options, when=when, legend=legend)


def _control(group: str, *arguments: Any, **options: Any) -> dict[str, Control]:
    """Return the metadata of a field with a control."""
    return {"control": Control("", *arguments, **options)._replace(group=group)}


_FOVEAS = ("saliency_kind", ("foveas",))
_BOXES = ("saliency_kind", BOX_KINDS)
_NODES = ("drag_target", ("nodes",))
_SEGMENTER = ("network", lambda: networks_for("segmentation"))
_DETECTOR = ("network", lambda: networks_for("detection"))


def _controls_of(item_type: type) -> list[Control]:
    return [
        item.metadata["control"].resolved(item.name)
        for item in fields(item_type)
        if "control" in item.metadata
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class _Checked:
    """A frozen dataclass that checks its fields against the ranges of their controls."""

    def __post_init__(self) -> None:
        for control in _controls_of(type(self)):
            value = getattr(self, control.name)
            if control.options:
                is_valid = isinstance(value, str) and value in control.options
                expected = f"one of {control.options}"
            elif control.step:
                is_valid = _is_number(value) and control.low <= value <= control.high
                expected = f"between {control.low:g} and {control.high:g}"
            else:
                is_valid = isinstance(value, bool)
                expected = "True or False"
            if not is_valid:
                raise ValueError(f"{control.name} must be {expected}, got {value!r}")
            is_integer = isinstance(control.step, int) and bool(control.step)
            if is_integer and (value - control.low) % control.step:
                raise ValueError(
                    f"{control.name} must be {control.low:g} plus a multiple of {control.step}, "
                    f"got {value!r}"
                )


@dataclass(frozen=True)
class Gaussian(_Checked):
    """One salient region: a Gaussian.

    Example:
        >>> Gaussian(x=0.5, width=200)
        Traceback (most recent call last):
        ValueError: width must be between 2 and 30, got 200
    """

    x: float = field(
        default=0.0,
        metadata=_control(
            SALIENCY, "fovea x", "position: left (-1) to right (1)", -1, 1, 0.01, when=_FOVEAS
        ),
    )
    y: float = field(
        default=0.0,
        metadata=_control(
            SALIENCY, "fovea y", "position: top (-1) to bottom (1)", -1, 1, 0.01, when=_FOVEAS
        ),
    )
    width: int = field(
        default=6,
        metadata=_control(
            SALIENCY,
            "fovea width",
            "standard deviation, in % of the image's sides",
            2,
            30,
            1,
            " %",
            when=_FOVEAS,
        ),
    )


@dataclass(frozen=True)
class Box(_Checked):
    """One salient box, such as a detector returns. It may extend beyond the frame."""

    x: float = field(
        default=0.0,
        metadata=_control(
            SALIENCY,
            "box x",
            "position of its centre: left (-1) to right (1)",
            -1,
            1,
            0.01,
            when=_BOXES,
        ),
    )
    y: float = field(
        default=0.0,
        metadata=_control(
            SALIENCY,
            "box y",
            "position of its centre: top (-1) to bottom (1)",
            -1,
            1,
            0.01,
            when=_BOXES,
        ),
    )
    width: float = field(
        default=20.0,
        metadata=_control(
            SALIENCY, "box width", "in % of the image's width", 1, 100, 0.5, " %", when=_BOXES
        ),
    )
    height: float = field(
        default=30.0,
        metadata=_control(
            SALIENCY, "box height", "in % of the image's height", 1, 100, 0.5, " %", when=_BOXES
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
        """Left, top, right and bottom, in [-1, 1] or beyond where the box leaves the frame."""
        across, down = self.width / 100, self.height / 100
        return self.x - across, self.y - down, self.x + across, self.y + down


@dataclass(frozen=True)
class Node(_Checked):
    """One node of the warp's grid, moved manually in the source frame."""

    row: int = field(
        default=0,
        metadata=_control(
            WARP, "node row", "row of the selected node: 0 is the top row", 0, 64, 1, when=_NODES
        ),
    )
    column: int = field(
        default=0,
        metadata=_control(
            WARP,
            "node column",
            "column of the selected node: 0 is the left column",
            0,
            64,
            1,
            when=_NODES,
        ),
    )
    dx: float = field(
        default=0.0,
        metadata=_control(
            WARP, "node shift x", "2 is the width of the image", -2, 2, 0.01, when=_NODES
        ),
    )
    dy: float = field(
        default=0.0,
        metadata=_control(
            WARP, "node shift y", "2 is the height of the image", -2, 2, 0.01, when=_NODES
        ),
    )


@dataclass(frozen=True, repr=False)
class State(_Checked):
    """Parameters of the saliency, the warp and the network.

    Raises:
        ValueError: if a value is outside its control's range, a moved node is not on the grid, or
            nodes are moved while the warp is separable.

    Example:
        >>> State(strength=50).at(x=0.5).foveas
        (Gaussian(x=0.5, y=0.0, width=6),)
        >>> State(strength=50, pieces=8)
        State(strength=50, pieces=8)
    """

    saliency_kind: str = field(
        default="foveas",
        metadata=_control(
            SALIENCY,
            "saliency from",
            _saliency_legend,
            options=saliency_kinds,
        ),
    )
    foveas: tuple[Gaussian, ...] = field(default=(Gaussian(),), metadata={"list": (Gaussian, 1, 8)})
    boxes: tuple[Box, ...] = field(default=(Box(),), metadata={"list": (Box, 1, 8)})
    relative_sigma: int = field(
        default=50,
        metadata=_control(
            SALIENCY,
            "spread",
            "standard deviation of each box's Gaussian, in % of the box's sides",
            10,
            200,
            5,
            " %",
            when=("saliency_kind", ("boxes", "network")),
        ),
    )
    bandwidth: int = field(
        default=64,
        metadata=_control(
            SALIENCY,
            "bandwidth",
            "variance of each box's Gaussian, divided by the box's side, in source pixels",
            4,
            256,
            4,
            " px",
            when=("saliency_kind", ("boxes in pixels",)),
        ),
    )
    strength: int = field(
        default=75,
        metadata=_control(
            SALIENCY,
            "strength",
            "fraction of the saliency that is not uniform",
            0,
            98,
            1,
            " %",
            main=True,
        ),
    )
    columns: int = field(
        default=64,
        metadata=_control(
            SALIENCY,
            "map columns",
            "columns of the saliency map; it has half as many rows",
            8,
            128,
            8,
        ),
    )
    morph: float = field(
        default=1.0,
        metadata=_control(
            WARP, "morph", "interpolates the grid from uniform (0) to zoomed (1)", 0, 1, 0.01
        ),
    )
    fwhm: int = field(
        default=25,
        metadata=_control(
            WARP,
            "attraction",
            "reach of the attraction: full width at half maximum, in % of the sides",
            5,
            100,
            1,
            " %",
            main=True,
        ),
    )
    pieces: int = field(
        default=32,
        metadata=_control(
            WARP,
            "pieces per axis",
            "number of bilinear pieces along each axis; at most 16 are drawn",
            2,
            64,
            1,
            main=True,
        ),
    )
    separable: bool = field(
        default=True, metadata=_control(WARP, "separable", "x and y are warped independently")
    )
    anti_crop: bool = field(
        default=True,
        metadata=_control(WARP, "anti-crop", "the borders stay fixed, so that nothing is cropped"),
    )
    drag_target: DragTarget = field(
        default="saliency",
        metadata=_control(
            WARP,
            "drag moves",
            "what dragging on the source moves: foveas or boxes, or single nodes of the grid (the "
            "warp is then non-separable)",
            options=get_args(DragTarget),
        ),
    )
    nodes: tuple[Node, ...] = field(default=(), metadata={"list": (Node, 0, MAX_NODES)})
    network: str = field(
        default="segmenter",
        metadata=_control(
            NETWORK,
            "network",
            _network_legend,
            options=network_options,
            main=True,
        ),
    )
    input_size: int = field(
        default=256,
        metadata=_control(
            NETWORK,
            "input side",
            "side of the network's square input",
            96,
            512,
            32,
            " px",
            main=True,
        ),
    )
    antialias: bool = field(
        default=True,
        metadata=_control(
            NETWORK,
            "antialias",
            "each pixel of the network's input is the mean over the area that it covers",
        ),
    )
    probability: int = field(
        default=50,
        metadata=_control(
            NETWORK,
            "mask from",
            "minimum probability of a pixel of the mask",
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
            "minimum score of a box",
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
            "stride of the feature map that is shown, in pixels of the network's input",
            options=stride_options,
            when=_DETECTOR,
        ),
    )

    # Old names; see RENAMED.
    kind = renamed_attribute("kind", "saliency_kind")
    spread = renamed_attribute("spread", "relative_sigma")
    hand = renamed_attribute("hand", "drag_target")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, (item_type, minimum, maximum) in lists().items():
            value = getattr(self, name)
            is_valid = isinstance(value, tuple) and minimum <= len(value) <= maximum
            if not is_valid or not all(isinstance(item, item_type) for item in value):
                raise ValueError(
                    f"{name} must be a tuple of {minimum} to {maximum} {item_type.__name__} "
                    f"objects, got {value!r:.300}"
                )
        if self.nodes and self.separable:
            raise ValueError(
                "nodes can be moved only if separable is False, got "
                f"{len(self.nodes)} moved nodes and separable=True"
            )
        for node in self.nodes:
            if max(node.row, node.column) > self.pieces:
                raise ValueError(
                    f"nodes must lie on the grid of {self.pieces} pieces per axis, got {node}"
                )

    def __repr__(self) -> str:
        """Return a representation with the fields that differ from their defaults."""
        values = [(item.name, getattr(self, item.name), item.default) for item in fields(self)]
        changed = (f"{name}={value!r}" for name, value, default in values if value != default)
        return f"State({', '.join(changed)})"

    def at(self, **fovea: Any) -> Self:
        """Return the state with x, y or width of the first fovea changed."""
        return replace(self, foveas=(replace(self.foveas[0], **fovea), *self.foveas[1:]))

    def to_page(self) -> dict[str, Any]:
        """Return the state in the page's format: a dictionary of numbers, strings and lists."""
        items = {name: [asdict(item) for item in getattr(self, name)] for name in lists()}
        return {**asdict(self), **items}

    @classmethod
    def from_page(cls, message: Any) -> Self:
        """Return the state of a message from the page.

        Raises:
            ValueError: if it is not a valid state; no other exception is raised for any input.
        """
        names = {item.name for item in fields(cls)}
        if not isinstance(message, Mapping) or not names <= set(message):
            raise ValueError(
                f"expected a mapping with the keys {sorted(names)}, got {message!r:.200}"
            )
        values = {name: message[name] for name in names}
        for name, (item_type, _, maximum) in lists().items():
            items = message[name]
            if not isinstance(items, list | tuple) or len(items) > maximum:
                raise ValueError(
                    f"{name} must be a list of at most {maximum} items, got {items!r:.200}"
                )
            if not all(isinstance(item, Mapping) for item in items):
                raise ValueError(f"{name} must be a list of mappings, got {items!r:.200}")
            try:
                values[name] = tuple(item_type(**item) for item in items)
            except TypeError as error:
                raise ValueError(f"an item of {name} has unexpected keys: {error}") from None
        return cls(**values)


RENAMED = {"kind": "saliency_kind", "spread": "relative_sigma", "hand": "drag_target"}
"""Old names of fields, which go on working for one version."""

State.__init__ = renamed_arguments(**RENAMED)(State.__init__)  # type: ignore[method-assign]


def lists() -> dict[str, tuple[type, int, int]]:
    """Return the list fields of the state, by name: (item type, minimum, maximum length)."""
    return {item.name: item.metadata["list"] for item in fields(State) if "list" in item.metadata}


def controls() -> list[Control]:
    """Return all controls in the order of the fields; those of a list's items take its place."""
    all_controls = []
    for item in fields(State):
        if "control" in item.metadata:
            all_controls.append(item.metadata["control"].resolved(item.name))
        else:
            item_type, _, _ = item.metadata["list"]
            all_controls += [
                control._replace(name=f"{item.name}.{control.name}")
                for control in _controls_of(item_type)
            ]
    return all_controls
