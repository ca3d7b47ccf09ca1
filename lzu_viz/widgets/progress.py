"""Watch what takes long: networks that are trained side by side, and costs that are measured."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import ipywidgets
from IPython.display import display

from ..experiments.training.trainer import Training
from ..plots.reproduction import show_losses
from .interactive_figure import Picture

T = TypeVar("T")

EVERY = 1.0
"""Seconds between two pictures: drawing one takes a twentieth of that."""


class Race(Picture):
    """Trains several networks in turns, a step each, and shows how far they are.

    Args:
        trainings: by the names that the legend shows; all of equally many steps.

    Attributes:
        trainings: likewise.
    """

    def __init__(self, trainings: Mapping[str, Training]) -> None:
        self.trainings = dict(trainings)
        steps = {len(training) for training in self.trainings.values()}
        if len(steps) != 1:
            raise ValueError(
                f"a race needs trainings of equally many steps, got {sorted(steps) or 'none'}"
            )
        (self._steps,) = steps
        self._bar = ipywidgets.IntProgress(
            0, 0, self._steps, description="training", layout={"width": "60%"}
        )
        self._said = ipywidgets.Label("")
        super().__init__((8, 3), ipywidgets.HBox((self._bar, self._said)))
        self._show(0, 0.0)

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
        self.figure.clear()
        losses = {name: training.losses for name, training in self.trainings.items()}
        show_losses(self.figure.subplots(), losses, self._steps)
        self.show(self.drawn())

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


def watch(steps: Iterable[T], total: int) -> Iterator[T]:
    """Go through steps with a progress bar, which leaves one line of text in the page.

    Args:
        steps: what is gone through.
        total: how many there are.

    Yields:
        The steps, one after another.
    """
    bar = ipywidgets.IntProgress(0, 0, total, description="measuring", layout={"width": "60%"})
    handle = display(bar, display_id=True)  # type: ignore[no-untyped-call]
    for step in steps:
        yield step
        bar.value += 1
    if handle is not None:
        left = {"text/plain": f"measured {bar.value} of {total}"}
        handle.update(left, raw=True)
