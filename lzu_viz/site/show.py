"""How an explorer is shown on the site: a page of its own in a frame, dragged with no kernel."""

import html
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from .._extras import needs

with needs("notebooks"):
    from IPython.core.getipython import get_ipython

    from ..widgets import Explorer, State, to_html

HEIGHT = 900
"""Of the frame in pixels, before its page has said how high it is."""


def explorers_as_pages(folder: str | Path, prefix: str) -> None:
    """From here on, write each explorer that a cell shows to a page, and show that in a frame.

    Args:
        folder: where the pages go.
        prefix: of their names; a number follows.

    Raises:
        ValueError: no IPython is running here.
    """
    shell = get_ipython()
    if shell is None or shell.display_formatter is None:
        raise ValueError("explorers are shown by IPython; run this in a notebook")
    numbers = count(1)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def bundle(explorer: Explorer, *_: Any, **__: Any) -> dict[str, str]:
        path = folder / f"{prefix}-{next(numbers)}.html"
        to_html(explorer, path, states_of(explorer.state), title="Explorer")
        return {"text/html": frame(f"{folder.name}/{path.name}"), "text/plain": repr(explorer)}

    shell.display_formatter.mimebundle_formatter.for_type(Explorer, bundle)


def states_of(state: State) -> dict[str, State]:
    """Return the states whose answers are computed beforehand, by the titles of their buttons."""
    return {
        "as in the notebook": state,
        "strength 0 %: uniform": replace(state, strength=0),
        "half the strength": replace(state, strength=state.strength // 2),
    }


def frame(address: str) -> str:
    """Return the frame of a page, which grows as high as the page says."""
    escaped = html.escape(address)
    return (
        f'<iframe class="lzu-explorer" src="{escaped}" title="Explorer: drag the picture" '
        f'style="width: 100%; height: {HEIGHT}px; border: 0" '
        'onload="const f = this; const fit = () => { '
        "f.style.height = f.contentDocument.documentElement.scrollHeight + 'px' }; "
        'try { new ResizeObserver(fit).observe(f.contentDocument.body) } catch { /* file:// */ }">'
        "</iframe>"
    )
