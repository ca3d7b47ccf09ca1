"""Follow: what was found in the last frame says where to look in this one.

Films are lists of streets: for each moment all of them. Where a detector is told where to look, it
is told true boxes of the frame before, moved on by a motion that may be wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ...datasets.driving import PRESETS
from ...datasets.driving.rendering import view_at
from ...datasets.driving.scene import outline
from ...datasets.driving.world import build
from ...datasets.streets import BEFORE, FIRST_SEED, Streets, Truth
from ...geometry.boxes import Detections
from ...geometry.check import Size
from ...models.small.detector import Detector
from ...systems.video import Seen
from .evaluate import boxes_judged, found, found_through
from .trained_systems import System
from .warped_dataset import Feed

SURE = 0.3
"""Score from which a box of the last frame is looked at."""

COMPARED = ("uniform", "lzu", "lzu-adaptive", "lzu-cascaded")
"""Systems that are compared on films: two that look at the same place always, two that follow."""

# --- films -------------------------------------------------------------------------------------


def follow(
    network: Detector,
    system: System,
    films: Sequence[Streets],
    size: Size,
    usual: Tensor,
) -> Iterator[list[Seen]]:
    """Run a detector in its system on films; in the first frame there is nothing to look at.

    Args:
        network: trained.
        system: one that looks at boxes follows them; any other looks where it always does.
        films: for each moment all films.
        size: (rows, columns) of the network's input.
        usual: `1 1 h w`, where things usually are.

    Yields:
        For each moment what was done in each film.
    """
    expected = [truth.boxes[:0] for truth in films[0].truth]
    for now in films:
        feed = Feed("detection", system, now, size, usual, expected)
        looked = zip(found_through(network, feed), expected, strict=True)
        seen = [Seen(each, warp, boxes) for (each, warp), boxes in looked]
        yield seen
        expected = [each.found.boxes[each.found.scores > SURE] for each in seen]


def precision_on(films: Sequence[Streets], seen: Sequence[Sequence[Seen]]) -> float:
    """Give average precision on films without their first moment, before which there was none."""
    every: list[Detections] = []
    truth: list[Truth] = []
    for now, there in zip(seen[1:], films[1:], strict=True):
        every += [each.found for each in now]
        truth += there.truth
    joined = replace(films[0], truth=truth)  # pictures are only asked for their size
    return boxes_judged(every, joined)["ap"]


class Followed:
    """Films followed by several systems, each when it is first asked for.

    Args:
        networks: by the name under which they are asked for, and the system of each.
        films: as in :func:`follow`.
        size: likewise.
        usual: likewise.
    """

    def __init__(
        self,
        networks: Mapping[str, tuple[Detector, System]],
        films: Sequence[Streets],
        size: Size,
        usual: Tensor,
    ) -> None:
        self.networks, self.films, self.size, self.usual = dict(networks), films, size, usual
        self._seen: dict[tuple[str, int], list[Seen]] = {}

    def seen(self, name: str, film: int) -> list[Seen]:
        """Give what was done in each frame of a film."""
        if (name, film) not in self._seen:
            network, system = self.networks[name]
            one = [each.part([film]) for each in self.films]
            whole = follow(network, system, one, self.size, self.usual)
            self._seen[name, film] = [now[0] for now in whole]
        return self._seen[name, film]


# --- being told, with a motion that may be wrong -----------------------------------------------


def boxes_at(seed: int, preset: str, size: Size, seconds: float) -> Tensor:
    """Give the boxes of all things of a street at a time, found or not; nothing is drawn.

    Returns:
        `n 4`, clipped to the frame; NaN where a thing reaches behind the camera.
    """
    world = build(seed, PRESETS[preset])
    view = view_at(world, size, seconds)
    boxes = torch.tensor([outline(thing.at(seconds), view) for thing in world.things])
    boxes = boxes.reshape(-1, 4)
    return boxes.where(boxes.isfinite(), torch.nan).clamp(-1, 1)


def moved(streets: Streets, split: str = "report", preset: str = "far") -> list[Tensor]:
    """Give where the things of the frame before are now: for each scene `m 4`, as ``before``.

    A thing that is behind the camera by now is left where it was.

    Raises:
        ValueError: the streets are not the first ones of this split.
    """
    every = []
    for index, truth in enumerate(streets.truth):
        seed = FIRST_SEED[split] + index
        then, now = (boxes_at(seed, preset, streets.size, s) for s in (-BEFORE, 0.0))
        off = (truth.before[:, None] - then).abs().amax(-1).nan_to_num(4.0)
        nearest, thing = off.min(dim=1)
        if bool((nearest > 1e-4).any()):
            raise ValueError(f"scene {index} is not the street of seed {seed}")
        every.append(now[thing].where(~now[thing].isnan(), truth.before))
    return every


def told(before: Tensor, now: Tensor, part_of: float) -> Tensor:
    """Move boxes `m 4` of the frame before by a part of their motion; their sizes stay.

    Args:
        before: xyxy in [-1, 1].
        now: the same things in this frame.
        part_of: of the motion; 1 is right, 0 leaves them, -1 goes the wrong way.

    Example:
        >>> told(torch.tensor([[0.0, 0, 0.2, 0.2]]), torch.tensor([[0.1, 0, 0.3, 0.2]]), 2.0)
        tensor([[0.2000, 0.0000, 0.4000, 0.2000]])
    """
    return (before + part_of * _middles(now - before).repeat(1, 2)).clamp(-1, 1)


def precision_of(
    network: Detector,
    system: System,
    streets: Streets,
    size: Size,
    usual: Tensor,
    boxes: Sequence[Tensor] | None = None,
) -> float:
    """Give average precision of a detector that is told where to look.

    Args:
        network: trained.
        system: how it is fed.
        streets: the scenes.
        size: (rows, columns) of the network's input.
        usual: `1 1 h w`, where things usually are.
        boxes: at which it looks, for each scene; None for a system that looks at none.
    """
    feed = Feed("detection", system, streets, size, usual, boxes)
    return boxes_judged(found(network, feed), streets)["ap"]


def widened(boxes: Tensor, times: float) -> Tensor:
    """Make boxes `n 4` larger about their middles, and with them the saliency that they make.

    Example:
        >>> widened(torch.tensor([[0.0, 0, 0.2, 0.4]]), 2.0)
        tensor([[-0.1000, -0.2000,  0.3000,  0.6000]])
    """
    middles = _middles(boxes).repeat(1, 2)
    return (middles + times * (boxes - middles)).clamp(-1, 1)


def paces(streets: Streets, now: Sequence[Tensor]) -> Tensor:
    """Give how far things moved since the frame before, along x, in their own widths: `n`."""
    before = torch.cat([truth.before for truth in streets.truth])
    shift = _middles(torch.cat(list(now)) - before)[:, 0].abs()
    return shift / (before[:, 2] - before[:, 0]).clamp(min=1e-6)


def _middles(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
