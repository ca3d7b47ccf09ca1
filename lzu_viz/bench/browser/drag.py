"""Figures of a drag: pure functions from what the page noted to latency, pictures, time to settle.

All times are milliseconds of the page's own clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Self


@dataclass(frozen=True)
class Picture:
    """A new picture on the screen.

    Attributes:
        time: when it was seen.
        key: a hash of what it shows.
        whole: whether all panels had changed with it.
    """

    time: float
    key: str
    whole: bool = True


@dataclass(frozen=True)
class Notes:
    """What the page noted during one drag.

    Attributes:
        moves: time and place (x, in pixels of the page) of each movement of the pointer.
        pictures: in the order in which they were seen.
        up: when the pointer was released.
        answered: when the network's answer to the last state was seen; None without a network.
    """

    moves: tuple[tuple[float, float], ...]
    pictures: tuple[Picture, ...]
    up: float
    answered: float | None = None

    @classmethod
    def from_page(cls, message: Mapping[str, Any]) -> Self:
        """Read what `recorder.js` says.

        Raises:
            RuntimeError: the page saw no drag.
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
    """What one drag says.

    Attributes:
        latencies: of each movement, until its picture or a later one was seen.
        pictures_per_s: different pictures from the first movement until the last place was seen.
        settled: from the release until the picture of the last place was seen; 0 if it was before.
        answer: from the release until the network's answer was seen; None without a network.
        moves_per_s: how fast the pointer came.
        known: share of the pictures whose place is known.
        whole: share of the pictures with which all panels changed.
    """

    latencies: tuple[float, ...]
    pictures_per_s: float
    settled: float
    answer: float | None
    moves_per_s: float
    known: float
    whole: float


def figures(notes: Notes, xs: Sequence[float], learned: Sequence[Sequence[str]]) -> Figures:
    """Work out the figures of a drag along `xs`.

    Args:
        notes: of the drag.
        xs: where the pointer went, in pixels of the page; place 0 is where it started.
        learned: the pictures that belong to each place.

    Raises:
        RuntimeError: the picture of the last place was never seen, or the pointer never moved.
    """
    # Two places that look the same share a picture: seeing it is seeing the later one.
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
            # Where the picture is that of the place before, there is nothing to wait for.
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
    """Return the time when a picture of this place, or of a later one, was first seen."""
    times = [time for time, shown in seen if shown >= place]
    if not times:
        raise RuntimeError(f"no picture of place {place} was ever seen")
    return min(times)


def row(design: str, drags: Sequence[Figures]) -> dict[str, Any]:
    """Sum drags up: the median over drags of each drag's own figure."""
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
