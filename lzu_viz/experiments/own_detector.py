"""The detector of a command line: a registered one, or one that a function of the user returns."""

import importlib
import sys
from pathlib import Path
from typing import Any

from ..models.registry import NETWORKS, Network, network


def load_detector(source: str | Network) -> tuple[Network, dict[str, Any]]:
    """Return a detector, and the options of :class:`lzu_viz.LZU` that suit it.

    Args:
        source: name of a registered network; or `MODULE:FUNCTION`, whose function takes no
            arguments and returns a network (modules of the current folder are found); or a
            network, for example one of :mod:`lzu_viz.adapters`.

    Raises:
        ValueError: there is no such network or function, or the network is not a detector.
    """
    if not isinstance(source, str):
        own = source
    elif ":" in source:
        own = _built_by(source)
    else:
        entry = NETWORKS[source]
        _check_task(entry.task, f"the network {source!r}")
        return network(source), dict(entry.unzoom)
    _check_task(getattr(own, "task", "detection"), type(own).__name__)
    # A network without feature maps has its predictions unzoomed.
    return own, {} if own.strides else {"unzoom": "predictions"}


def _check_task(task: object, name: str) -> None:
    if task != "detection":
        detectors = [each for each, entry in NETWORKS.items() if entry.task == "detection"]
        raise ValueError(
            f"the network must be a detector, but the task of {name} is {task!r}; registered "
            f"detectors are {detectors}, and the adapters make one of yours"
        )


def _built_by(name: str) -> Network:
    """Return what the function `MODULE:FUNCTION` returns."""
    module, _, function = name.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        build = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"cannot import the network {name!r}: {error}; expected MODULE:FUNCTION of a module of "
            "the current folder or of an installed package"
        ) from error
    built: Network = build()
    return built
