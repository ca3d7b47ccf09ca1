"""Self-contained HTML pages with an explorer that is interactive without a kernel."""

import base64
import gzip
import html
import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from PIL import ImageColor

from ..datasets.scenes import Scene
from ..plots.palette import PREDICTION
from .explorer import Explorer
from .front import STYLE, WORKER, bundle, static_source
from .page_networks import MANIFEST, write_networks
from .result import true_mask
from .state import State

NETWORKS_FOLDER = "networks"
"""Folder beside a page with the files of its networks."""

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
<p id="lzu-networks" role="status"></p>
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
    *,
    networks: bool | str = False,
    single_file: bool = False,
) -> Path:
    """Write an explorer to an HTML file that is interactive without a kernel.

    The page draws the warp itself. Results of networks are computed in advance for the given
    states, each of which gets a button. With ``networks``, the pretrained networks run in the page,
    for every state and for photos of the reader; without, all other states have no prediction.

    Args:
        explorer: its photo, views and controls are used.
        path: of the file to write.
        states: by the title of their button; by default the explorer's current state.
        title: of the page.
        networks: whether the networks run in the page. Their files are written to a folder
            "networks" beside it, once for all pages there. A text is the address of such a folder,
            relative to the page, that :func:`write_networks` has written.
        single_file: whether the page holds these files itself (15.5 MB), so that it also works when
            it is opened from a disk, where browsers let a page load no other files.

    Returns:
        The path.

    Raises:
        ValueError: if the warp of a state is folded.
        RuntimeMissingError: if networks are to run, and npm cannot fetch their runtime.
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
    values |= {"_presets": [], "_is_uploaded": False, "_goal": {"serial": 0}, "_upload": {}}
    values |= {"_controls": explorer._controls, "_state": prepared[0]["state"]}
    path = Path(path)
    page = {
        "values": values,
        "prepared": prepared,
        "truth": _truth_to_page(explorer.ground_truth),
        "middle": State().to_page(),
        "networks": None,
    }
    if networks:
        page["networks"] = _networks_to_page(path.parent, networks, single_file)
    data = json.dumps(page, default=_bytes_to_json)
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


def _truth_to_page(ground_truth: Scene | None) -> dict[str, Any] | None:
    """Return the true box, and the true mask as a byte for each pixel."""
    if ground_truth is None:
        return None
    mask = true_mask(ground_truth)[0, 0].to(torch.uint8)
    return {"box": ground_truth.boxes[0].tolist(), "mask": mask.numpy().tobytes()}


def _networks_to_page(folder: Path, networks: bool | str, single_file: bool) -> dict[str, Any]:
    """Return what a page needs to run the networks, whose files are written if they are missing."""
    address = networks if isinstance(networks, str) else NETWORKS_FOLDER
    with ExitStack() as temporary:
        written = folder / address
        if (written / MANIFEST).exists():
            manifest = json.loads((written / MANIFEST).read_text(encoding="utf-8"))
        else:
            if single_file:
                written = Path(temporary.enter_context(tempfile.TemporaryDirectory()))
            manifest = write_networks(written)
        if single_file:
            for name, description in manifest["files"].items():
                packed = gzip.compress((written / name).read_bytes(), mtime=0)
                description["gzip"] = base64.b64encode(packed).decode()
    return {
        **manifest,
        "worker": bundle(WORKER),
        "base": f"{address}/",
        "colour": ImageColor.getrgb(PREDICTION),
    }


def _bytes_to_json(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    raise TypeError(f"cannot write an object of type {type(value).__name__} to the page")
