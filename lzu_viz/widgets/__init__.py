"""Widgets: what a reader drags. A frozen state, a pure function from state to result, and views."""

from .._extras import needs

with needs("notebooks"):
    import anywidget  # noqa: F401
    import ipywidgets  # noqa: F401
    import matplotlib  # noqa: F401

from .explorer import Explorer
from .interactive_figure import Plate
from .result import Result, explore
from .state import Box, Fovea, Node, State
from .static_page import to_html
from .views import VIEWS

__all__ = [
    "VIEWS",
    "Box",
    "Explorer",
    "Fovea",
    "Node",
    "Plate",
    "Result",
    "State",
    "explore",
    "to_html",
]
