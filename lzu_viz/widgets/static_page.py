"""Self-contained HTML pages with an explorer that is interactive without a kernel."""

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .explorer import Explorer
from .front import STYLE, static_source
from .state import State

NEED_A_NETWORK = ("network", "probability", "score", "stride")
"""Controls without effect where no network runs."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 1100px; margin: 16px auto; padding: 0 16px; font-family: sans-serif; }}
[data-jp-theme-light="false"] {{ color-scheme: dark; }}
[data-jp-theme-light="false"] body {{ background: #131416; color: #cfd0d0;
  --jp-ui-font-color1: #cfd0d0; --jp-border-color1: #5a5d61; --jp-layout-color1: #1a1c1e;
  --jp-layout-color2: #2a2d30; }}
#lzu-prepared {{ display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0 14px; }}
#lzu-prepared [aria-pressed="true"] {{ font-weight: bold; outline: 2px solid #0072B2; }}
[data-jp-theme-light="false"] [aria-pressed="true"] {{ outline-color: #56b4e9; }}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
<p>Drag the orange marks on the source image, or move the controls. The network sees only the small,
zoomed image.</p>
<div>Prepared states, with predictions of networks:</div>
<div id="lzu-prepared"></div>
<div id="lzu-explorer"></div>
<noscript>This page needs JavaScript, which is disabled.</noscript>
<script type="application/json" id="lzu-data">{data}</script>
<script type="module">
{module}
</script>
</body>
</html>
"""


def to_html(
    explorer: Explorer,
    path: str | Path,
    states: Mapping[str, State] | None = None,
    title: str = "Zoom and unzoom",
) -> Path:
    """Write an explorer to one self-contained HTML file that is interactive without a kernel.

    The page draws the warp itself. Results of networks are computed in advance for the given
    states, each of which gets a button; in all other states the page shows no prediction.

    Args:
        explorer: its photo, views and controls are used.
        path: of the file to write.
        states: by the title of their button; by default the explorer's current state.
        title: of the page.

    Returns:
        The path.

    Raises:
        ValueError: if the warp of a state is folded.
    """
    initial = explorer.state
    chosen = dict(states or {"start": initial})
    prepared = []
    try:
        for name, state in chosen.items():
            explorer.state = state
            result = {
                key: value
                for key, value in explorer._result.items()
                if key not in ("serial", "took_ms")
            }
            if "error" in result:
                raise ValueError(f"the state {name!r} cannot be shown: {result['error']}")
            prepared.append({"title": name, "state": state.to_page(), "result": result})
    finally:
        explorer.state = initial
    names = ("_photo", "_ground_truth", "_views", "_lists", "_colours")
    values = {name: getattr(explorer, name) for name in names}
    # There is no network on the page that another choice could run.
    values["_controls"] = [
        {**control, "shown": control["shown"] and control["name"] not in NEED_A_NETWORK}
        for control in explorer._controls
    ]
    values |= {"_presets": [], "_is_uploaded": False, "_goal": {"serial": 0}}
    values["_state"] = prepared[0]["state"]
    data = json.dumps({"values": values, "prepared": prepared}, default=_bytes_to_json)
    path = Path(path)
    path.write_text(
        _PAGE.format(
            title=html.escape(title),
            style=STYLE.read_text(encoding="utf-8"),
            # In HTML, a closing tag ends a script even within a string.
            data=data.replace("</", "<\\/"),
            module=static_source(),
        ),
        encoding="utf-8",
    )
    return path


def _bytes_to_json(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    raise TypeError(f"cannot write an object of type {type(value).__name__} to the page")
