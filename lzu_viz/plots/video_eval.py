"""Plots of the video evaluation on streets: detections in each frame, and the zoomed image."""

from matplotlib.figure import Figure

from ..experiments.training.video_eval import CONFIDENT_SCORE, Followed
from .figures import draw_boxes, show_image
from .palette import FOVEA, GROUND_TRUTH
from .streets import class_legend, draw_labelled


def show_followed(
    figure: Figure, clip: int, frame: int, system: str, *, followed: Followed
) -> None:
    """Show a frame of a clip, and below it the zoomed image.

    Ground truth is yellow; detections above `CONFIDENT_SCORE` have the colours of their classes.
    Boxes of the previous frame, for a system whose saliency uses them, are dashed orange in the
    zoomed image.

    Args:
        figure: empty.
        clip: index of the clip.
        frame: index of the frame.
        system: a name in ``followed.networks``.
        followed: results on the clips.
    """
    result, streets = followed.seen(system, clip)[frame], followed.clips[frame]
    above, below = figure.subplots(2, 1)
    above_score = result.detections.scores >= CONFIDENT_SCORE
    show_image(above, streets.image([clip]), f"{system}, frame {frame}: found")
    draw_boxes(above, streets.ground_truth[clip].boxes, GROUND_TRUTH, 1)
    draw_labelled(
        above, result.detections.boxes[above_score], result.detections.labels[above_score]
    )
    class_legend(above, ground_truth=True)
    rows, columns = followed.size
    title = f"what the network saw, {columns} × {rows} pixels"
    show_image(below, result.warp.zoom(streets.image([clip]), followed.size), title)
    if followed.networks[system][1].policy.boxes and len(result.expected):
        expected = result.warp.to_zoomed(result.expected.reshape(1, -1, 2)).reshape(-1, 4)
        for patch in draw_boxes(below, expected, FOVEA, 1.5):
            patch.set_linestyle("--")
