"""A page on film without a kernel: a detector in the page looks at a film or through the camera."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..datasets.video_files import COURTYARD
from ..experiments.films import GENTLE, STRONG, Loop
from ..geometry.check import Size
from ..plots.films import film_colours
from .front import LIVE, LIVE_STYLE, LIVE_WORKER, STYLE, bundle
from .html_page import page_html
from .page_networks import networks_for_page

SIZES: tuple[Size, ...] = ((128, 160), (192, 256), (288, 384))
"""(rows, columns) of the network's input that the page offers."""

SCORE = 0.35
"""Minimum score of detections."""

CREDIT = (
    "Film: people walk over a courtyard; the first part of vtest.avi of OpenCV's samples, encoded "
    "anew. OpenCV is distributed under the Apache License 2.0, copyright by its contributors."
)

_BODY = """<p class="lzu-intro">A detector looks at each frame twice, with the same number of
pixels: uniformly downsampled, and zoomed at what it found in the frame before.</p>
<p>It runs in this page, on your device: neither films nor what the camera sees are uploaded or
recorded.</p>
<div id="lzu-live"></div>"""


@dataclass(frozen=True)
class LivePreset:
    """Settings of the page with a title and a sentence on what to watch."""

    title: str
    text: str
    loop: Loop = GENTLE
    size: Size = (192, 256)

    def to_page(self) -> dict[str, Any]:
        """Return what the page reads."""
        rows, columns = self.size
        settings = {
            "amplitude": self.loop.amplitude,
            "relativeSigma": self.loop.relative_sigma,
            "patience": self.loop.patience,
            "size": {"rows": rows, "columns": columns},
            "score": SCORE,
            "followed": "person",
        }
        return {"title": self.title, "text": self.text, "settings": settings}


PRESETS = (
    LivePreset(
        "Gentle zoom",
        "Boxes attract a little, and far around them: others are still seen beside them.",
    ),
    LivePreset(
        "Strong zoom",
        "Boxes attract strongly and closely. Does it still notice those outside of the boxes?",
        STRONG,
    ),
    LivePreset(
        "Strong, and patient",
        "After a miss it keeps looking where the last box was. Does that help, or does it stare at "
        "an empty place?",
        Loop(amplitude=3.0, relative_sigma=0.5, patience=20),
    ),
    LivePreset(
        "Small input",
        "With so few pixels, little is found to zoom at.",
        size=(128, 160),
    ),
    LivePreset(
        "Large input",
        "With so many pixels nearly all are found without a zoom. What is left to gain?",
        size=(288, 384),
    ),
)


def live_to_html(
    path: str | Path,
    title: str = "Zoom on film, at what was found before",
    *,
    networks: bool | str = True,
) -> Path:
    """Write the page on film, and the film that it shows first beside it.

    The page loads files, so that it needs a server of static files; the camera needs https or
    localhost.

    Args:
        path: of the HTML file to write.
        title: of the page.
        networks: True to write the networks to a folder "networks" beside the page, or the address
            of such a folder, relative to the page; see :func:`to_html`.

    Returns:
        The path.

    Raises:
        RuntimeMissingError: npm cannot fetch the runtime of the networks.
    """
    path = Path(path)
    data = {
        **networks_for_page(path.parent, networks),
        "worker": bundle(LIVE_WORKER),
        "film": COURTYARD.name,
        "credit": CREDIT,
        "sizes": [{"rows": rows, "columns": columns} for rows, columns in SIZES],
        "presets": [preset.to_page() for preset in PRESETS],
        "colours": film_colours("fovea"),
    }
    shutil.copyfile(COURTYARD, path.parent / COURTYARD.name)
    style = "".join(style.read_text(encoding="utf-8") for style in (STYLE, LIVE_STYLE))
    path.write_text(page_html(title, _BODY, style, data, bundle(LIVE)), encoding="utf-8")
    return path
