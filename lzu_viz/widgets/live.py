"""Watch networks being trained: a progress bar, and losses that grow side by side."""

import base64
import io
import time
from collections.abc import Mapping
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..miniature.training import Training
from ..plots.reproduction import show_losses

EVERY = 1.0
"""Seconds between two pictures: drawing one takes a twentieth of that."""


class Race(ipywidgets.VBox):
    """Trains several networks in turns, a step each, and shows how far they are.

    Args:
        trainings: by the names that the legend shows; all of equally many steps.

    Attributes:
        trainings: likewise.
        picture: the JPEG of the curves.
    """

    def __init__(self, trainings: Mapping[str, Training]) -> None:
        self.trainings = dict(trainings)
        steps = {len(training) for training in self.trainings.values()}
        if len(steps) != 1:
            raise ValueError(
                f"a race needs trainings of equally many steps, got {sorted(steps) or 'none'}"
            )
        (self._steps,) = steps
        self._figure = Figure(figsize=(8, 3), layout="constrained", dpi=100)
        self._canvas = FigureCanvasAgg(self._figure)
        self._bar = ipywidgets.IntProgress(
            0, 0, self._steps, description="training", layout={"width": "60%"}
        )
        self._said = ipywidgets.Label("")
        self._image = ipywidgets.Image(format="jpeg", layout={"max_width": "100%"})
        super().__init__((ipywidgets.HBox((self._bar, self._said)), self._image))
        self._show(0, 0.0)

    @property
    def picture(self) -> bytes:
        """The JPEG of the curves."""
        picture: bytes = self._image.value
        return picture

    def run(self) -> "Race":
        """Train to the end. Interrupting the kernel stops it; the curves so far stay."""
        started = shown = time.monotonic()
        for step, _ in enumerate(zip(*self.trainings.values(), strict=True), 1):
            now = time.monotonic()
            if now - shown >= EVERY or step == self._steps:
                self._show(step, now - started)
                shown = now
        return self

    def _show(self, step: int, seconds: float) -> None:
        self._bar.value = step
        left = seconds / step * (self._steps - step) if step else 0.0
        self._said.value = f"step {step} of {self._steps}, about {left:.0f} s left"
        self._figure.clear()
        axes = self._figure.subplots()
        losses = {name: training.losses for name, training in self.trainings.items()}
        show_losses(axes, losses, self._steps)
        self._canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(self._canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        file = io.BytesIO()
        Image.fromarray(pixels[..., :3]).save(file, "JPEG", quality=88)
        self._image.value = file.getvalue()

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Leave a picture beside the widget, for where no kernel runs."""
        shown = super()._repr_mimebundle_(**options)
        bundle, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        left = base64.b64encode(self.picture).decode()
        return {**bundle, "text/plain": repr(self), "image/jpeg": left}, metadata

    def __repr__(self) -> str:
        """Name the race, without an address."""
        return f"Race({', '.join(self.trainings)}: {self._bar.value} of {self._steps} steps)"


def race(trainings: Mapping[str, Training]) -> None:
    """Show a race and run it; the picture that stays in the page is the last one."""
    shown = Race(trainings)
    handle = display(shown, display_id=True)  # type: ignore[no-untyped-call]
    try:
        shown.run()
    finally:
        if handle is not None:
            handle.update(shown)
