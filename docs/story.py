"""The story of the front page: five steps that move the same picture."""

import base64
import html
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image

from lzu_viz.datasets import images
from lzu_viz.datasets.scenes import SCENES, Scene
from lzu_viz.geometry.boxes import to_pixels
from lzu_viz.plots import panels
from lzu_viz.plots.palette import GRID
from lzu_viz.widgets import Explorer, Result, explore
from lzu_viz.widgets.front import STORY, STORY_STYLE, bundle
from lzu_viz.widgets.html_page import json_in_html

WIDTH = 960
"""Width of the pictures."""

HEAT = 0.55
"""Opacity of the saliency map over the photo."""


@dataclass(frozen=True)
class Step:
    """A step: a title, a text in HTML, and what is shown.

    Attributes:
        title: of the step.
        text: HTML.
        alt: description of the picture.
        picture: name of the picture.
        is_input: whether it has as few pixels as the input of the network.
        morph: how far it is zoomed, in 0..1.
        grid: how visible the pieces of the warp are, in 0..1.
    """

    title: str
    text: str
    alt: str
    picture: str
    is_input: bool = False
    morph: float = 0.0
    grid: float = 0.0

    def to_page(self) -> dict[str, Any]:
        """Return what the page reads."""
        return {
            "picture": self.picture,
            "isInput": self.is_input,
            "morph": self.morph,
            "grid": self.grid,
            "text": self.alt,
        }


def story_html() -> str:
    """Return the story as HTML, with all that it needs."""
    scene = SCENES["temple"]()
    explorer = Explorer(scene)
    state = explorer.state
    # The photo as the explorer of the page has it, so that both show the same numbers.
    scene = replace(scene, image=images.load(explorer._photo))
    result = explore(scene.image, state, scene)
    steps = steps_of(scene, result)
    axes = result.warp.axes
    assert axes is not None, "the story needs a separable warp"
    data = {
        "pictures": {name: _base64(drawn) for name, drawn in pictures_of(scene, result).items()},
        "axes": {name: axis[0].tolist() for name, axis in zip("xy", axes, strict=True)},
        "size": {"rows": state.input_size, "columns": state.input_size},
        "gridColour": GRID,
        "steps": [step.to_page() for step in steps],
    }
    sections = "\n".join(
        f'<section data-step-text="{number}">\n'
        f'<h3><span class="lzu-step-number">{number}</span> {html.escape(step.title)}</h3>\n'
        f"<p>{step.text}</p>\n</section>"
        for number, step in enumerate(steps, 1)
    )
    return f"""<style>
{STORY_STYLE.read_text(encoding="utf-8")}
</style>
<div id="lzu-story">
<figure class="lzu-stage">
<canvas role="img" aria-label="{html.escape(steps[0].alt)}"></canvas>
</figure>
<div>
{sections}
</div>
<script type="application/json">{json_in_html(data)}</script>
</div>
<script type="module">
{bundle(STORY)}
</script>"""


def pictures_of(scene: Scene, result: Result) -> dict[str, panels.Picture]:
    """Return the pictures of the steps, in the source frame, by name."""
    height, width = scene.image.shape[-2:]
    size = (round(WIDTH * height / width), WIDTH)
    photo = panels.picture(scene.image).resize((WIDTH, size[0]))
    saliency = result.saliency / result.saliency.amax()
    weights = torch.nn.functional.interpolate(saliency, size, mode="nearest")
    heat = panels.picture(torch.cat([weights, 0.6 * weights, 0 * weights], dim=1))
    masks = {}
    for name, prediction in (("uniform", result.uniform), ("zoom", result.zoom)):
        assert prediction.mask is not None, "the story needs a segmenter"
        masks[name] = panels.with_mask(photo, prediction.mask)
    return {
        "photo": photo,
        "saliency": Image.blend(photo, heat, HEAT),
        **masks,
    }


def steps_of(scene: Scene, result: Result) -> list[Step]:
    """Return the steps, with the numbers of the scene."""
    height, width = scene.image.shape[-2:]
    side = result.state.input_size
    share = 100 * side**2 / (height * width)
    box = scene.boxes[:1]
    zoomed = result.warp.boxes_to_zoomed(box)
    tall = [(to_pixels(each, (side, side))[0, 3] - to_pixels(each, (side, side))[0, 1]) for each in
            (box, zoomed)]  # fmt: skip
    before, after = (prediction.iou for prediction in (result.uniform, result.zoom))
    assert before is not None
    assert after is not None
    rows, columns = result.saliency.shape[-2:]
    return [
        Step(
            "A budget of pixels",
            f"The photo has {width} × {height} pixels, and a network that has to be fast sees "
            f"{side} × {side}: {share:.0f} % of them. Downsampled uniformly, the person at the "
            f"temple is {tall[0]:.0f} pixels tall, and a segmenter all but misses her: IoU "
            f"{before:.2f} of 1.",
            f"A temple with a person far away, in {side} × {side} pixels",
            "uniform",
            is_input=True,
        ),
        Step(
            "Saliency: where does detail matter?",
            f"A coarse map of {rows} × {columns} cells says it. In a film it comes from what was "
            "found in the frame before; behind a windscreen, from where things usually are; in "
            "the explorer above, from your hand. It is a guess, and a wrong one costs: try "
            "<em>aimed badly</em> there.",
            "The temple; a bright spot of saliency lies on the person",
            "saliency",
        ),
        Step(
            "Warp: as many pixels, placed elsewhere",
            "Salient places attract the points at which the photo is sampled. Of the "
            f"{side} rows the person now gets {tall[1]:.0f}, where she had {tall[0]:.0f}; all else "
            "gets fewer, and nothing is cut off.",
            "The temple, zoomed at the person; the grid of the warp is regular here",
            "photo",
            is_input=True,
            morph=1.0,
            grid=0.6,
        ),
        Step(
            "Network: unchanged",
            "A pretrained network computes on the zoomed picture. It sees as many pixels as "
            "before, and takes as long. It finds the person, but in a bent picture: her place and "
            "her size are not those in the photo.",
            "The zoomed temple, with the person's mask on it",
            "zoom",
            is_input=True,
            morph=1.0,
        ),
        Step(
            "Unzoom: back to its place",
            "The warp consists of pieces, on each of which it is bilinear: its inverse is exact "
            "and fast. What the network computed, here the scores of the mask, gets back to where "
            f"it belongs: IoU {after:.2f} in place of {before:.2f}. Model and loss stay as they "
            "are, in training too.",
            "The temple, with the person's mask at its place in the photo",
            "zoom",
        ),
    ]


def _base64(drawn: panels.Picture) -> str:
    return base64.b64encode(panels.jpeg(drawn)).decode()
