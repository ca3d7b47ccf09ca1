"""Registries: named entries that controls, tables, costs and plots are made from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, Literal, Protocol, TypeVar

from torch import Tensor

T = TypeVar("T")

Task = Literal["detection", "segmentation"]


class Registry(Mapping[str, T], Generic[T]):
    """Entries by name, in the order in which they were registered.

    Args:
        kind: what an entry is, for error messages.

    Example:
        >>> sizes = Registry[int]("size")
        >>> sizes.register("small", 8)
        8
        >>> sizes["large"]
        Traceback (most recent call last):
        ValueError: there is no size 'large', only ['small']
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Add an entry, and return it.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._entries:
            raise ValueError(f"there is a {self._kind} {name!r} already; choose another name")
        self._entries[name] = entry
        return entry

    def unregister(self, name: str) -> None:
        """Remove an entry."""
        self[name]
        del self._entries[name]

    def __getitem__(self, name: str) -> T:
        """Return an entry.

        Raises:
            ValueError: there is none of this name.
        """
        if name not in self._entries:
            raise ValueError(f"there is no {self._kind} {name!r}, only {list(self._entries)}")
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
    """A network in two parts, so that what lies between them can be unzoomed."""

    @property
    def features(self) -> Callable[[Tensor], Any]:
        """From an image `b 3 h w` in 0..1 to one feature map `b c h w`, or a list, one a stride."""
        ...

    @property
    def head(self) -> Callable[[Any], Any]:
        """From features in any frame and on any grid to outputs, one map or a list."""
        ...

    @property
    def decode(self) -> Callable[..., Any]:
        """From outputs to predictions in their frame: ``decode(outputs, warp=None, *, size)``.

        `outputs` is a list of maps, `warp` the one by which they were unzoomed, if any, and `size`
        (rows, columns) of the network's input. A detector returns one
        :class:`lzu_viz.geometry.boxes.Detections` for each image, a segmenter probabilities
        `b 1 h w`.
        """
        ...


class Network(TwoPartNetwork, Protocol):
    """A pretrained network that can be registered. A detector's `decode` takes a `threshold`."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the feature maps, in pixels of the network's input."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes that it predicts."""
        ...


@dataclass(frozen=True, eq=False)
class NetworkEntry:
    """A pretrained network, as controls, costs and evaluations know it.

    Attributes:
        build: returns the network, in eval mode.
        task: what it predicts.
        description: in a few words.
        strides: of its feature maps, in pixels of its input.
        unzoom: options of :class:`lzu_viz.LZU` that suit the frozen network.
    """

    build: Callable[[], Network]
    task: Task
    description: str
    strides: tuple[int, ...]
    unzoom: Mapping[str, Any] = field(default_factory=dict)


NETWORKS: Registry[NetworkEntry] = Registry("network")
"""Pretrained networks by name."""


@lru_cache(maxsize=8)
def _built(entry: NetworkEntry) -> Network:
    return entry.build()


def network(name: str) -> Network:
    """Return a registered network, built once.

    Raises:
        ValueError: there is none of this name.
    """
    return _built(NETWORKS[name])
