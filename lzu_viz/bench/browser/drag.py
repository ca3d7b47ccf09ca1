"""Figures of a drag, such as latency, computed from the events that the page recorded.

All times are in milliseconds of the page's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Self


@dataclass(frozen=True)
class Picture:
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
    """

    moves: tuple[tuple[float, float], ...]
    pictures: tuple[Picture, ...]
    up: float
    answered: float | None = None

    @classmethod
    def from_page(cls, message: Mapping[str, Any]) -> Self:
        """Return the notes of a message of `recorder.js`.

        Raises:
            RuntimeError: if the page recorded no movement, or not exactly one release.
        """
        if not message["moves"] or len(message["up"]) != 1:
            raise RuntimeError(
                f"the page saw {len(message['moves'])} movements of the pointer and "
                f"{len(message['up'])} releases; a drag has many and one"
            )
        fresh = [time for time, is_fresh in message["fresh"] if is_fresh]
        return cls(
            moves=tuple((time, x) for time, x in message["moves"]),
            pictures=tuple(Picture(*each) for each in message["pictures"]),
            up=message["up"][0],
            answered=fresh[-1] if fresh else None,
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
        moves_per_s: pointer movements per second.
        known: fraction of the images whose position is known.
        whole: fraction of the images with which all panels changed.
    """

    latencies: tuple[float, ...]
    pictures_per_s: float
    settled: float
    answer: float | None
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
    place_of = {key: place for place, keys in enumerate(learned) for key in keys}
    seen = [(each.time, place_of[each.key]) for each in notes.pictures if each.key in place_of]
    moves = [(time, min(range(len(xs)), key=lambda k: abs(xs[k] - x))) for time, x in notes.moves]
    moves = [(time, place) for time, place in moves if place > 0]
    if not moves:
        raise RuntimeError("the pointer did not move from its first place")
    start, end = moves[0][0], notes.up
    last = max(end, _first(seen, len(xs) - 1))
    during = {each.key for each in notes.pictures if start <= each.time <= last}
    return Figures(
        latencies=tuple(
            max(0.0, _first(seen, place) - time)
            for time, place in moves
            # A position with the same image as the one before has no latency.
            if set(learned[place]) - set(learned[place - 1])
        ),
        pictures_per_s=1000 * len(during) / (last - start),
        settled=last - end,
        answer=None if notes.answered is None else max(0.0, notes.answered - end),
        moves_per_s=1000 * len(moves) / (end - start),
        known=len(seen) / len(notes.pictures),
        whole=sum(each.whole for each in notes.pictures) / len(notes.pictures),
    )


def _first(seen: Sequence[tuple[float, int]], place: int) -> float:
    """Return the time when an image of a position, or of a later one, was first displayed."""
    times = [time for time, shown in seen if shown >= place]
    if not times:
        raise RuntimeError(f"no picture of place {place} was ever seen")
    return min(times)


def row(design: str, drags: Sequence[Figures]) -> dict[str, Any]:
    """Return a row of the report: medians over drags; of the fractions the minimum."""
    answers = [each.answer for each in drags if each.answer is not None]
    return {
        "design": design,
        "latency_ms": round(median(median(each.latencies) for each in drags), 1),
        "latency_p90_ms": round(median(_p90(each.latencies) for each in drags), 1),
        "pictures_per_s": round(median(each.pictures_per_s for each in drags), 1),
        "settled_ms": round(median(each.settled for each in drags), 1),
        "answer_ms": round(median(answers), 1) if answers else None,
        "moves_per_s": round(median(each.moves_per_s for each in drags), 1),
        "pictures_known": round(min(each.known for each in drags), 3),
        "pictures_whole": round(min(each.whole for each in drags), 3),
        "drags": len(drags),
        "movements": sum(len(each.latencies) for each in drags),
    }


def _p90(values: Sequence[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
