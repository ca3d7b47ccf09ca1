"""Figures of a drag, such as latency, computed from the events that the page recorded.

All times are in milliseconds of the page's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Self


@dataclass(frozen=True)
class DrawnPicture:
    """A new image on the screen.

    Attributes:
        time: when it was displayed.
        key: hash of its content.
        whole: whether all panels changed together with it.
    """

    time: float
    key: str
    whole: bool = True


@dataclass(frozen=True)
class Notes:
    """Events that the page recorded during one drag.

    Attributes:
        moves: time and position (x, in pixels of the page) of each movement of the pointer.
        pictures: in the order in which they were displayed.
        up: when the pointer was released.
        answered: when the network's prediction for the last state was displayed; None without a
            network.
        answers: for each prediction when it was displayed, and when the state was changed to its
            own.
    """

    moves: tuple[tuple[float, float], ...]
    pictures: tuple[DrawnPicture, ...]
    up: float
    answered: float | None = None
    answers: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_page(cls, message: Mapping[str, Any]) -> Self:
        """Return the notes of a message of `recorder.js`.

        Raises:
            RuntimeError: if the page recorded no movement, or not exactly one release.
        """
        if not message["moves"] or len(message["up"]) != 1:
            raise RuntimeError(
                f"expected movements of the pointer and one release, the page recorded "
                f"{len(message['moves'])} movements and {len(message['up'])} releases"
            )
        fresh = [time for time, is_fresh in message["fresh"] if is_fresh]
        return cls(
            moves=tuple((time, x) for time, x in message["moves"]),
            pictures=tuple(DrawnPicture(*picture) for picture in message["pictures"]),
            up=message["up"][0],
            answered=fresh[-1] if fresh else None,
            answers=tuple((time, changed) for time, changed in message["answers"]),
        )


@dataclass(frozen=True)
class Figures:
    """Figures of one drag.

    Attributes:
        latencies: of each movement, until its image or a later one was displayed.
        pictures_per_s: distinct images per second, from the first movement until the last position
            was displayed.
        settled: from the release until the image of the last position was displayed; 0 if that was
            earlier.
        answer: from the release until the network's prediction was displayed; None without a
            network.
        answer_lag: of each prediction displayed during the drag, from the change to its state.
        answers_per_s: predictions displayed per second of the drag.
        moves_per_s: pointer movements per second.
        known: fraction of the images whose position is known.
        whole: fraction of the images with which all panels changed.
    """

    latencies: tuple[float, ...]
    pictures_per_s: float
    settled: float
    answer: float | None
    answer_lag: tuple[float, ...]
    answers_per_s: float
    moves_per_s: float
    known: float
    whole: float


def figures(notes: Notes, xs: Sequence[float], learned: Sequence[Sequence[str]]) -> Figures:
    """Return the figures of a drag along `xs`.

    Args:
        notes: of the drag.
        xs: positions of the pointer, in pixels of the page; position 0 is the start.
        learned: keys of the images that belong to each position.

    Raises:
        RuntimeError: if the image of the last position was never displayed, or the pointer never
            moved.
    """
    # An image that two positions share counts as that of the later one.
    position_of = {key: position for position, keys in enumerate(learned) for key in keys}
    displayed = [
        (picture.time, position_of[picture.key])
        for picture in notes.pictures
        if picture.key in position_of
    ]
    moves = [(time, min(range(len(xs)), key=lambda k: abs(xs[k] - x))) for time, x in notes.moves]
    moves = [(time, position) for time, position in moves if position > 0]
    if not moves:
        raise RuntimeError("the pointer did not move from its first position")
    start, end = moves[0][0], notes.up
    last = max(end, _first(displayed, len(xs) - 1))
    lags = tuple(
        time - changed for time, changed in notes.answers if start <= time <= end and changed
    )
    during = {picture.key for picture in notes.pictures if start <= picture.time <= last}
    return Figures(
        latencies=tuple(
            max(0.0, _first(displayed, position) - time)
            for time, position in moves
            # A position with the same image as the one before has no latency.
            if set(learned[position]) - set(learned[position - 1])
        ),
        pictures_per_s=1000 * len(during) / (last - start),
        settled=last - end,
        answer=None if notes.answered is None else max(0.0, notes.answered - end),
        answer_lag=lags,
        answers_per_s=1000 * len(lags) / (end - start),
        moves_per_s=1000 * len(moves) / (end - start),
        known=len(displayed) / len(notes.pictures),
        whole=sum(picture.whole for picture in notes.pictures) / len(notes.pictures),
    )


def _first(displayed: Sequence[tuple[float, int]], position: int) -> float:
    """Return the time when an image of a position, or of a later one, was first displayed."""
    times = [time for time, shown_position in displayed if shown_position >= position]
    if not times:
        raise RuntimeError(f"no picture of position {position}, or of a later one, was displayed")
    return min(times)


def row(design: str, drags: Sequence[Figures]) -> dict[str, Any]:
    """Return a row of the report: medians over drags; of the fractions the minimum."""
    answers = [drag.answer for drag in drags if drag.answer is not None]
    return {
        "design": design,
        "latency_ms": round(median(median(drag.latencies) for drag in drags), 1),
        "latency_p90_ms": round(median(_p90(drag.latencies) for drag in drags), 1),
        "pictures_per_s": round(median(drag.pictures_per_s for drag in drags), 1),
        "settled_ms": round(median(drag.settled for drag in drags), 1),
        "answer_ms": round(median(answers), 1) if answers else None,
        "answer_lag_ms": _median_lag(drags),
        "answers_per_s": round(median(drag.answers_per_s for drag in drags), 1),
        "moves_per_s": round(median(drag.moves_per_s for drag in drags), 1),
        "pictures_known": round(min(drag.known for drag in drags), 3),
        "pictures_whole": round(min(drag.whole for drag in drags), 3),
        "drags": len(drags),
        "movements": sum(len(drag.latencies) for drag in drags),
    }


def _median_lag(drags: Sequence[Figures]) -> float | None:
    """Return the median over drags of the median lag; None without predictions."""
    lags = [median(drag.answer_lag) for drag in drags if drag.answer_lag]
    return round(median(lags), 1) if lags else None


def _p90(values: Sequence[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
