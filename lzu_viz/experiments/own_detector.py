"""The detector of a command line: a registered one, or one that a function of the user returns."""

import importlib
import sys
from pathlib import Path
from typing import Any

from ..models.registry import NETWORKS, Network, network


def load_detector(name: str) -> tuple[Network, dict[str, Any]]:
    """Return a detector, and the options of :class:`lzu_viz.LZU` that suit it.

    Args:
        name: of a registered network, or `MODULE:FUNCTION`, whose function takes no arguments and
            returns a network, for example one of :mod:`lzu_viz.adapters`. Modules of the current
            folder are found.

    Raises:
        ValueError: there is no such network or function, or the network is not a detector.
    """
    if ":" not in name:
        entry = NETWORKS[name]
        if entry.task != "detection":
            detectors = [each for each, entry in NETWORKS.items() if entry.task == "detection"]
            raise ValueError(
                f"the network must be a detector, got {name!r}; registered detectors are "
                f"{detectors}, and MODULE:FUNCTION names one of your own"
            )
        return network(name), dict(entry.unzoom)
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
    # A network without feature maps has its predictions unzoomed.
    return built, {} if built.strides else {"unzoom": "predictions"}
