"""Random states of the explorer."""

import random

from lzu_viz.widgets import Box, Gaussian, Node, State
from lzu_viz.widgets.state import saliency_kinds


def random_state(draw: random.Random) -> State:
    """Return a state of any kind, often with moved nodes, which may fold its grid."""
    kind = draw.choice(saliency_kinds())
    pieces = draw.choice([2, 5, 16, 33, 64])
    separable = draw.random() < 0.5
    indices = [draw.randint(0, pieces) for _ in range(8)]
    return State(
        saliency_kind=kind,
        foveas=tuple(
            Gaussian(draw.uniform(-1, 1), draw.uniform(-1, 1), draw.randint(2, 30))
            for _ in range(draw.randint(1, 4))
        ),
        boxes=tuple(
            Box(*(draw.uniform(-1, 1) for _ in "xy"), *(draw.uniform(1, 100) for _ in "wh"))
            for _ in range(draw.randint(1, 4))
        ),
        relative_sigma=draw.randrange(10, 201, 5),
        bandwidth=draw.randrange(4, 257, 4),
        strength=draw.choice([0, 98, draw.randint(0, 98)]),
        columns=draw.randrange(8, 129, 8),
        morph=draw.choice([0, 1.0, draw.random()]),
        fwhm=draw.randint(10, 100),
        pieces=pieces,
        separable=separable,
        anti_crop=draw.random() < 0.6,
        nodes=()
        if separable
        else tuple(
            Node(row, column, draw.gauss(0, 0.05), draw.gauss(0, 0.05))
            for row, column in {(indices[0], indices[1]), (indices[2], indices[3])}
        ),
        network=draw.choice(["segmenter", "detector"]),
    )
