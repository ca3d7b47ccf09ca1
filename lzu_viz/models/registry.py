"""Registries of named entries, from which controls, tables, costs and plots are generated."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

from torch import Tensor

T = TypeVar("T")

Task = Literal["detection", "segmentation"]


class Registry(Mapping[str, T], Generic[T]):
    """Mapping of names to entries, in order of registration.

    Args:
        kind: noun for an entry, used in error messages.

    Example:
        >>> sizes = Registry[int]("size")
        >>> sizes.register("small", 8)
        8
        >>> sizes["large"]
        Traceback (most recent call last):
        ValueError: unknown size 'large', expected one of ['small']
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Add an entry, and return it.

        Raises:
            ValueError: the name is already registered.
        """
        if name in self._entries:
            raise ValueError(
                f"the {self._kind} {name!r} is already registered; use another name, or "
                "unregister it first"
            )
        self._entries[name] = entry
        return entry

    def unregister(self, name: str) -> None:
        """Remove an entry.

        Raises:
            ValueError: there is no entry of this name.
        """
        self[name]
        del self._entries[name]

    def __getitem__(self, name: str) -> T:
        """Return an entry.

        Raises:
            ValueError: there is no entry of this name.
        """
        if name not in self._entries:
            raise ValueError(
                f"unknown {self._kind} {name!r}, expected one of {list(self._entries)}"
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is an entry of this name."""
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)


class TwoPartNetwork(Protocol):
    """Network split into `features` and `head`, so that the features can be unzoomed."""

    @property
    def features(self) -> Callable[[Tensor], Any]:
        """Map an image `b 3 h w` in 0..1 to a feature map `b c h w`, or a list, one per stride."""
        ...

    @property
    def head(self) -> Callable[[Any], Any]:
        """Map features, in any frame and on any grid, to outputs: one map or a list of maps."""
        ...

    @property
    def decode(self) -> Callable[..., Any]:
        """Map outputs to predictions in the same frame: ``decode(outputs, warp=None, *, size)``.

        `outputs` is a list of maps, `warp` the warp by which they were unzoomed, if any, and `size`
        (rows, columns) of the network's input. A detector returns one
        :class:`lzu_viz.geometry.boxes.Detections` per image, a segmenter probabilities `b 1 h w`.
        """
        ...


class Network(TwoPartNetwork, Protocol):
    """Pretrained network that can be registered; a detector's `decode` takes a `threshold`."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the feature maps, in pixels of the network's input."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Names of the predicted classes."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkEntry:
    """Registry entry of a pretrained network.

    Attributes:
        build: function that returns the network in eval mode.
        task: kind of prediction.
        description: short description of the predictions.
        strides: strides of the feature maps, in pixels of the network's input.
        unzoom: options of :class:`lzu_viz.LZU` that suit the frozen network.
    """

    build: Callable[[], Network]
    task: Task
    description: str
    strides: tuple[int, ...]
    unzoom: Mapping[str, Any] = field(default_factory=dict)


NETWORKS: Registry[NetworkEntry] = Registry("network")
"""Registry of pretrained networks."""


@lru_cache(maxsize=8)
def _built(entry: NetworkEntry) -> Network:
    return entry.build()


def network(name: str) -> Network:
    """Return a registered network; it is built on the first call and cached.

    Raises:
        ValueError: there is no network of this name.
    """
    return _built(NETWORKS[name])


def register_network(own: Network, name: str = "your network") -> str:
    """Register a network of one's own, unless it is registered, and return its name.

    Args:
        own: in the form of :class:`Network`, with an attribute `task`, for example a network of
            :mod:`lzu_viz.adapters`. Without feature maps, its predictions are unzoomed.
        name: to register it by; a number is added to a name that is taken.

    Raises:
        ValueError: the network has no `task`, or an unknown one.
    """
    for known, entry in NETWORKS.items():
        if getattr(entry.build, "network", None) is own:
            return known
    task: Any = getattr(own, "task", None)
    if task not in get_args(Task):
        raise ValueError(
            f"{type(own).__name__} needs an attribute `task`, one of {get_args(Task)}, got {task!r}"
        )
    names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    free = next(candidate for candidate in names if candidate not in NETWORKS)
    unzoom = {} if own.strides else {"unzoom": "predictions"}
    description = f"{task} by {type(own).__name__}"
    NETWORKS.register(free, NetworkEntry(_Build(own), task, description, own.strides, unzoom))
    return free


@dataclass(frozen=True)
class _Build:
    """A function that returns a network that exists."""

    network: Network

    def __call__(self) -> Network:
        return self.network
