"""Progress of long computations: networks trained side by side, and measurements."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TypeVar

import ipywidgets
from IPython.display import display

from ..experiments.training.trainer import Training
from ..plots.reproduction import show_losses
from .interactive_figure import FigureWidget

T = TypeVar("T")

UPDATE_SECONDS = 1.0
"""Seconds between two updates of the figure; drawing it takes about a twentieth of that."""


class TrainingMonitor(FigureWidget):
    """Trains several networks in turn, one step each, and shows their loss curves.

    Args:
        trainings: by their names in the legend; all must have the same number of steps.

    Attributes:
        trainings: the trainings by name.

    Raises:
        ValueError: if there are no trainings, or their numbers of steps differ.
    """

    def __init__(self, trainings: Mapping[str, Training]) -> None:
        self.trainings = dict(trainings)
        steps = {len(training) for training in self.trainings.values()}
        if not steps:
            raise ValueError("expected at least one training, got none")
        if len(steps) > 1:
            raise ValueError(
                f"expected trainings with the same number of steps, got {sorted(steps)}"
            )
        (self._steps,) = steps
        self._bar = ipywidgets.IntProgress(
            0, 0, self._steps, description="training", layout={"width": "60%"}
        )
        self._status = ipywidgets.Label("")
        super().__init__((8, 3), (ipywidgets.HBox((self._bar, self._status)),))
        self._show(0, 0.0)

    def run(self) -> "TrainingMonitor":
        """Train to the end; interrupting the kernel stops it and keeps the curves so far."""
        started = updated = time.monotonic()
        for step, _ in enumerate(zip(*self.trainings.values(), strict=True), 1):
            now = time.monotonic()
            if now - updated >= UPDATE_SECONDS or step == self._steps:
                self._show(step, now - started)
                updated = now
        return self

    def _show(self, step: int, seconds: float) -> None:
        self._bar.value = step
        remaining = seconds / step * (self._steps - step) if step else 0.0
        self._status.value = f"step {step} of {self._steps}, about {remaining:.0f} s left"
        self.figure.clear()
        losses = {name: training.losses for name, training in self.trainings.items()}
        show_losses(self.figure.subplots(), losses, self._steps)
        self.show(self.drawn())

    def __repr__(self) -> str:
        """Return a representation without a memory address."""
        names = ", ".join(self.trainings)
        return f"TrainingMonitor({names}: {self._bar.value} of {self._steps} steps)"


def train_side_by_side(trainings: Mapping[str, Training]) -> None:
    """Train several networks in turn and show their losses; the last figure stays in the page."""
    monitor = TrainingMonitor(trainings)
    handle = display(monitor, display_id=True)  # type: ignore[no-untyped-call]
    try:
        monitor.run()
    finally:
        if handle is not None:
            handle.update(monitor)


def progress_bar(steps: Iterable[T], total: int | None = None) -> Iterator[T]:
    """Iterate over steps with a progress bar, which disappears at the end.

    If the iteration is interrupted, the number of steps taken stays in the output.

    Args:
        steps: the iterable.
        total: number of steps; by default the length of `steps`.

    Yields:
        The steps, one after another.

    Raises:
        TypeError: `steps` has no length, and `total` is None.
    """
    if total is None:
        if not isinstance(steps, Sized):
            raise TypeError(
                f"expected `total`, the number of steps, as {type(steps).__name__} has no length"
            )
        total = len(steps)
    return _with_bar(steps, total)


class _Bar(ipywidgets.HBox):
    """Widgets without a text of their own: nbval compares the texts of outputs at their start."""

    def __repr__(self) -> str:
        return ""


def _with_bar(steps: Iterable[T], total: int) -> Iterator[T]:
    bar = ipywidgets.IntProgress(0, 0, total, layout={"width": "60%"})
    status = ipywidgets.Label(f"step 0 of {total}")
    handle = display(_Bar((bar, status)), display_id=True)  # type: ignore[no-untyped-call]
    started, summary = time.monotonic(), ""
    try:
        for step in steps:
            yield step
            bar.value += 1
            remaining = (time.monotonic() - started) / bar.value * (total - bar.value)
            status.value = f"step {bar.value} of {total}, about {remaining:.0f} s left"
    except BaseException:
        summary = f"stopped after step {bar.value} of {total}"
        raise
    finally:
        if handle is not None:
            handle.update({"text/plain": summary}, raw=True)
