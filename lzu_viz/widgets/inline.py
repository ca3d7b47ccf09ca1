"""Figures of the running notebook, with descriptions.

JupyterLab shows a picture that is an output by itself without a description, so that figures are
shown as HTML.
"""

from typing import Any

import matplotlib.pyplot as plt
from IPython.core.getipython import get_ipython
from matplotlib.figure import Figure

from ..plots.html_figures import figure_to_html


def use_html_figures() -> None:
    """Show figures in the running notebook as HTML from now on, in constrained layout.

    Raises:
        RuntimeError: no IPython is running.
    """
    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        raise RuntimeError("use_html_figures() needs a running IPython; call it in a notebook")
    # Otherwise the inline backend is loaded with the first figure, and sets its own formats then.
    plt.switch_backend(plt.get_backend())
    configurable: Any
    for configurable in shell.configurables:
        if type(configurable).__name__ == "InlineBackend":
            configurable.figure_formats = set()  # otherwise each figure would be stored twice
    # The backend, once loaded, does not read its own settings again.
    plt.rcParams["figure.constrained_layout.use"] = True
    formatters = shell.display_formatter.formatters
    for kind in ("image/png", "image/jpeg", "image/svg+xml"):
        formatters[kind].pop(Figure, None)
    formatters["text/html"].for_type(Figure, figure_to_html)
