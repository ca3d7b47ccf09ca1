"""Self-contained HTML pages with an explorer that is interactive without a kernel."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..datasets import images
from .explorer import Explorer
from .front import STYLE, static_source
from .html_page import page_html
from .page_networks import networks_for_page, worker_to_page
from .protocol import result_to_page, truth_to_page
from .result import explore
from .state import State

_BODY = """<p class="lzu-intro">Drag the orange marks on the source image, or move the controls. The
network sees only the small, zoomed image.</p>
<div class="lzu-start">
<span>Go to:</span>
<span id="lzu-prepared"></span>
<span id="lzu-networks" role="status"></span>
</div>
<div id="lzu-explorer"></div>"""

_STYLE = """
.lzu-start { display: flex; flex-wrap: wrap; gap: 6px 10px; align-items: center;
  margin: 8px 0 10px; font-size: 14px; }
#lzu-prepared { display: flex; flex-wrap: wrap; gap: 6px; }
#lzu-prepared button { font: inherit; }
#lzu-prepared [aria-pressed="true"] { font-weight: bold; outline: 2px solid #0072B2; }
[data-jp-theme-light="false"] [aria-pressed="true"] { outline-color: #56b4e9; }
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
    chosen = dict(states or {"start": explorer.state})
    # Of the photo as the page has it, a JPEG: networks in the page find the same in it.
    image = images.load(explorer._photo)
    truth = explorer.ground_truth and replace(explorer.ground_truth, image=image)
    views = [view["name"] for view in explorer._views]
    prepared = []
    for name, state in chosen.items():
        try:
            result = result_to_page(explore(image, state, truth, views), image)
        except ValueError as error:
            raise ValueError(f"the state {name!r} cannot be shown: {error}") from error
        result["lines"] = [*explorer._photo_note, *result["lines"]]
        prepared.append({"title": name, "state": state.to_page(), "result": result})
    names = ("_photo", "_ground_truth", "_views", "_lists", "_colours")
    values = {name: getattr(explorer, name) for name in names}
    values |= {"_presets": [], "_is_uploaded": False, "_goal": {"serial": 0}, "_upload": {}}
    values |= {"_controls": explorer._controls, "_state": prepared[0]["state"]}
    path = Path(path)
    page = {
        "values": values,
        "prepared": prepared,
        "truth": truth_to_page(explorer.ground_truth),
        "middle": State().to_page(),
        "networks": None,
    }
    if networks:
        page["networks"] = {
            **networks_for_page(path.parent, networks, single_file),
            **worker_to_page(),
        }
    style = _STYLE + STYLE.read_text(encoding="utf-8")
    path.write_text(page_html(title, _BODY, style, page, static_source()), encoding="utf-8")
    return path
