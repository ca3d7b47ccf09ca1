"""Explorers of a notebook as separate pages in frames, interactive without a kernel."""

import html
from dataclasses import replace
from itertools import count
from pathlib import Path

from .._extras import needs

with needs("notebooks"):
    from IPython.core.getipython import get_ipython
    from IPython.display import display

    from .explorer import Explorer
    from .state import State
    from .static_page import to_html

HEIGHT = 900
"""Initial height of the frame in pixels, until its page is loaded."""


def explorers_as_pages(folder: str | Path, prefix: str, networks: str = "") -> None:
    """Write every explorer that is displayed from now on to a page, and show it in a frame.

    Args:
        folder: for the pages; created if missing.
        prefix: of their file names; a number follows.
        networks: address, relative to the pages, of a folder with networks that run in them; see
            :func:`to_html`. If empty, the pages have prepared predictions only.

    Raises:
        ValueError: if IPython is not running.
    """
    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        raise ValueError("explorers_as_pages needs a running IPython; call it in a notebook")
    numbers = count(1)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def show(explorer: Explorer) -> None:
        path = folder / f"{prefix}-{next(numbers)}.html"
        states = states_of(explorer.state)
        to_html(explorer, path, states, title="Explorer", networks=networks or False)
        bundle = {"text/html": frame(f"{folder.name}/{path.name}"), "text/plain": repr(explorer)}
        display(bundle, raw=True)  # type: ignore[no-untyped-call]

    shell.display_formatter.ipython_display_formatter.for_type(Explorer, show)


def states_of(state: State) -> dict[str, State]:
    """Return the states whose predictions are computed in advance, by their buttons' titles."""
    return {
        "as in the notebook": state,
        "strength 0 %: uniform": replace(state, strength=0),
        "half the strength": replace(state, strength=state.strength // 2),
    }


def frame(address: str, title: str = "Explorer: drag the picture", allow: str = "") -> str:
    """Return the HTML of a frame that adapts its height to the page at an address.

    Args:
        address: of the page, relative to the one around it.
        title: what a screen reader calls the frame.
        allow: features of the browser that the page may ask for, for example "camera".
    """
    escaped = html.escape(address)
    return (
        f'<iframe class="lzu-explorer" src="{escaped}" title="{html.escape(title)}" '
        f'allow="{html.escape(allow)}" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0" '
        'onload="const f = this; const fit = () => { '
        "f.style.height = f.contentDocument.documentElement.scrollHeight + 'px' }; "
        'try { new ResizeObserver(fit).observe(f.contentDocument.body) } catch { /* file:// */ }">'
        "</iframe>"
    )
