"""Interactive widgets: explorer, state and results, player of films, questions, figures."""

from .._extras import needs
from ..geometry.deprecation import renamed_names

with needs("notebooks"):
    import anywidget  # noqa: F401
    import ipywidgets  # noqa: F401
    import matplotlib  # noqa: F401

from .explorer import Explorer
from .film_worker import PlayerResult
from .inline import use_html_figures
from .interactive_figure import InteractiveFigure
from .live_page import live_to_html
from .player import Player
from .progress import progress_bar
from .quest import Quest
from .result import Result, explore
from .state import Box, Gaussian, Node, State
from .static_page import to_html
from .views import VIEWS

__all__ = [
    "VIEWS",
    "Box",
    "Explorer",
    "Gaussian",
    "InteractiveFigure",
    "Node",
    "Player",
    "PlayerResult",
    "Quest",
    "Result",
    "State",
    "explore",
    "live_to_html",
    "progress_bar",
    "to_html",
    "use_html_figures",
]

__getattr__ = renamed_names(__name__, globals(), Fovea="Gaussian", Plate="InteractiveFigure")
