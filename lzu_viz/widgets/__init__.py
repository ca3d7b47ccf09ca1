"""Widgets: what a reader drags. A frozen state, a pure function from state to result, and views."""

from .explorer import Explorer
from .result import Result, explore
from .state import Fovea, State
from .static import to_html

__all__ = ["Explorer", "Fovea", "Result", "State", "explore", "to_html"]
