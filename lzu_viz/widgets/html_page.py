"""The HTML around a widget in a page without a kernel."""

import base64
import html
import json
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
body {{ max-width: 1100px; margin: 16px auto; padding: 0 16px;
  font-family: system-ui, sans-serif; }}
[data-jp-theme-light="false"] {{ color-scheme: dark; }}
[data-jp-theme-light="false"] body {{ background: #131416; color: #cfd0d0;
  --jp-ui-font-color1: #cfd0d0; --jp-border-color1: #5a5d61; --jp-layout-color1: #1a1c1e;
  --jp-layout-color2: #2a2d30; }}
/* A page around this one has its own title, text and margins. */
[data-framed] :is(h1, .lzu-intro) {{ display: none; }}
[data-framed] body {{ margin: 0; padding: 0; max-width: none; }}
{style}
</style>
<script>if (parent !== window) document.documentElement.dataset.framed = "";</script>
</head>
<body>
<h1>{title}</h1>
{body}
<noscript>This page needs JavaScript, which is disabled.</noscript>
<script type="application/json" id="lzu-data">{data}</script>
<script type="module">
{module}
</script>
</body>
</html>
"""


def page_html(title: str, body: str, style: str, data: dict[str, Any], module: str) -> str:
    """Return a page that shows a widget of the front end.

    Args:
        title: of the page, as text.
        body: HTML under the title.
        style: style sheet.
        data: what the module reads from the element "lzu-data"; bytes are written in base64.
        module: JavaScript.
    """
    return _PAGE.format(
        title=html.escape(title),
        body=body,
        style=style,
        data=json_in_html(data),
        module=module,
    )


def json_in_html(data: dict[str, Any]) -> str:
    """Return data as JSON for a script element; bytes as {"bytes": base64}."""
    # In HTML, a closing tag ends a script even within a string.
    return json.dumps(data, default=_bytes_to_json).replace("</", "<\\/")


def _bytes_to_json(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    raise TypeError(f"cannot write an object of type {type(value).__name__} to the page")
