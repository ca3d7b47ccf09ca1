"""Tests of the figures of a running notebook."""

import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lzu_viz.widgets.inline import use_html_figures


@pytest.mark.filterwarnings("ignore:InlineBackend:DeprecationWarning")
def test_figures_of_a_notebook_are_html_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = InteractiveShell()
    monkeypatch.setattr("lzu_viz.widgets.inline.get_ipython", lambda: shell)
    with plt.rc_context():
        use_html_figures()
        figure, axes = plt.subplots()
    assert isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)
    axes.set_title("A title")
    bundle, _ = shell.display_formatter.format(figure)
    plt.close(figure)
    assert set(bundle) == {"text/html", "text/plain"}
    assert 'alt="Figure. A title."' in bundle["text/html"]


def test_without_ipython_an_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lzu_viz.widgets.inline.get_ipython", lambda: None)
    with pytest.raises(RuntimeError, match="needs a running IPython"):
        use_html_figures()
