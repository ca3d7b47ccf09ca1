"""The notebooks of the explorer's benchmark: the explorer, and a baseline of equal function."""

import json
from pathlib import Path
from typing import Any

PHOTO = """
from lzu_viz import images
from lzu_viz.geometry.resampling import resize

image = resize(images.load("coffee"), (1024, 2048)).clamp(0, 1)
"""

KERNEL = """
import os

print("kernel", os.getpid())
"""

EXPLORER = """
from lzu_viz.widgets import Explorer, State

state = State(network="{network}").at(x={x})
Explorer(image, state=state, views=("source", "zoomed", "unzoomed"))
"""

SCENE = """
from lzu_viz.datasets.scenes import SCENES
from lzu_viz.widgets import Explorer, State

state = State(network="{network}").at(x={x}, y=0.4)
Explorer(SCENES["temple"](), state=state)
"""

# The usual implementation with Matplotlib and ipywidgets. It runs no network, which favours the
# baseline.
BASELINE = """
import matplotlib.pyplot as plt
import torch
from ipywidgets import FloatSlider, Layout, VBox, interactive_output

from lzu_viz import Warp, saliency
from lzu_viz.widgets import State

state, width, height = State(), {width}, {height}
source = resize(image, (height, width))


@torch.no_grad()
def show(x, y):
    spot = saliency.gaussian(torch.tensor([[[x, y]]]), state.foveas[0].width / 100)
    weight = state.strength / 100
    saliency_map = saliency.mix(saliency.uniform(), spot, weights=(1 - weight, weight))
    warp = Warp.from_saliency(saliency_map, (state.pieces, state.pieces), state.fwhm / 100)
    zoomed = warp.zoom(image, (state.input_size, state.input_size))
    unzoomed = warp.unzoom(zoomed, (height, width))
    _, axes = plt.subplots(1, 3, figsize=(3 * width / 100, height / 100), dpi=100)
    for ax, picture in zip(axes, (source, zoomed, unzoomed)):
        ax.imshow(picture[0].permute(1, 2, 0).clamp(0, 1))
        ax.set_axis_off()
    plt.show()
"""

SLIDERS = """
wide = Layout(width="700px")
sliders = {{
    "x": FloatSlider({x}, min=-1, max=1, step=0.01, layout=wide),
    "y": FloatSlider(0, min=-1, max=1, step=0.01, layout=wide),
}}
VBox([*sliders.values(), interactive_output(show, sliders)])
"""


def write(path: Path, *sources: str) -> None:
    """Write a notebook with the given code cells."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source.strip(),
        }
        for number, source in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")
