"""Films of streets: what a detector finds in each frame, and where it looks for that."""

from matplotlib.figure import Figure

from ..experiments.training.video_eval import SURE, Followed
from .figures import draw_boxes, show_image
from .palette import FOVEA, TRUTH
from .streets import class_legend, draw_labelled


def show_followed(
    figure: Figure, clip: int, frame: int, system: str, *, followed: Followed, score: float = SURE
) -> None:
    """Fill a figure with a frame of a film, and below it with what the network saw.

    Yellow: what is true. In colours of classes: what was found. Dashed orange, below: boxes of the
    last frame, for a system that looks at them.

    Args:
        figure: empty.
        clip: which.
        frame: of that film, from 0.
        system: a name of ``followed.networks``.
        followed: gives what was done.
        score: from which on a box is shown.
    """
    seen, streets = followed.seen(system, clip)[frame], followed.clips[frame]
    above, below = figure.subplots(2, 1)
    sure = seen.detections.scores >= score
    show_image(above, streets.image([clip]), f"{system}, frame {frame}: found")
    draw_boxes(above, streets.ground_truth[clip].boxes, TRUTH, 1)
    draw_labelled(above, seen.detections.boxes[sure], seen.detections.labels[sure])
    class_legend(above, ground_truth=True)
    rows, columns = followed.size
    title = f"what the network saw, {columns} × {rows} pixels"
    show_image(below, seen.warp.zoom(streets.image([clip]), followed.size), title)
    if followed.networks[system][1].policy.boxes and len(seen.expected):
        expected = seen.warp.to_zoomed(seen.expected.reshape(1, -1, 2)).reshape(-1, 4)
        for patch in draw_boxes(below, expected, FOVEA, 1.5):
            patch.set_linestyle("--")
