"""Watch a network on a film: uniform downsampling and a zoom, side by side, frame by frame.

    python -m lzu_viz.watch FILM --out out.webm --json boxes.json

The zoom follows its own detections: the boxes of one frame are the saliency of the next.
"""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import tee
from pathlib import Path
from typing import Any

import torch

from ._extras import needs

with needs("films"):
    from tqdm import tqdm

from .adapters.records import COCO_IDS, to_coco
from .datasets.video_files import frames
from .datasets.video_writer import VideoWriter
from .experiments.films import FILM_SYSTEMS, GENTLE, FilmSystem, Loop, run
from .experiments.own_detector import load_detector
from .plots.films import frame_panels


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    command = parser()
    options = command.parse_args(arguments)
    try:
        film = frames(options.film)
        detector, unzoom = load_detector(options.network)
        label = label_of(options.follow, detector.classes)
    except (FileNotFoundError, ValueError) as error:
        command.error(str(error))
    if isinstance(detector, torch.nn.Module):
        detector.to(options.device)
    used = film[:: options.every][: options.frames]
    loop = Loop(options.amplitude, options.relative_sigma, options.patience)
    settings: dict[str, Any] = {"label": label, "threshold": options.score, "unzoom": unzoom}
    systems: list[FilmSystem] = ["uniform"]
    if options.system != "uniform":
        systems.append(options.system)
    # Each frame is read once, and goes to all systems before the next.
    shown, *copies = tee((frame.to(options.device) for frame in used), len(systems) + 1)
    results = [
        run(name, detector, copy, options.size, loop, **settings)
        for name, copy in zip(systems, copies, strict=True)
    ]
    ids = COCO_IDS if len(detector.classes) == len(COCO_IDS) else range(len(detector.classes))
    records: list[dict[str, Any]] = []
    counts, read = [0] * len(systems), 0
    start = time.perf_counter()
    with ExitStack() as stack:
        write = stack.enter_context(VideoWriter(options.out, used.rate)) if options.out else None
        bar = tqdm(zip(shown, *results, strict=True), total=len(used), unit="frame", desc="frames")
        for frame, *found in bar:
            last = found[-1].detections
            records += to_coco(last, frame.shape[-2:], read * options.every, ids)
            read += 1
            counts = [
                count + len(each.detections.scores)
                for count, each in zip(counts, found, strict=True)
            ]
            if write is not None:
                write.add(frame_panels(frame, systems, found, options.size, detector.classes))
    if options.json:
        options.json.write_text(json.dumps(records) + "\n", encoding="utf-8")
    seconds = time.perf_counter() - start
    print(f"{read} frames, {read / seconds:.1f} a second in all")
    for name, count in zip(systems, counts, strict=True):
        print(f"{name}: {count / max(read, 1):.2f} detections a frame")
    for path in (options.out, options.json):
        if path:
            print(f"written: {path}")


def label_of(name: str | None, classes: Sequence[str]) -> int | None:
    """Return the label of a class; 0 without a name, None for "all".

    Raises:
        ValueError: the network has no such class.
    """
    if name is None:
        return 0
    if name == "all":
        return None
    if name not in classes:
        raise ValueError(f"the network has no class {name!r}; its classes are {', '.join(classes)}")
    return list(classes).index(name)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="lzu_viz.watch", description=__doc__.split("\n\n")[0])
    parser.add_argument("film", help="a video file, or a folder of images")
    parser.add_argument("--network", default="detector",
                        help="a registered detector, or MODULE:FUNCTION, a function of yours that "
                        "returns one (default: %(default)s)")  # fmt: skip
    parser.add_argument("--system", choices=FILM_SYSTEMS, default="fovea")
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256),
                        metavar=("ROWS", "COLUMNS"),
                        help="of the network's input (default: 192 256)")  # fmt: skip
    parser.add_argument("--amplitude", type=float, default=GENTLE.amplitude,
                        help="weight of a box in the saliency (default: %(default)s)")  # fmt: skip
    parser.add_argument("--relative-sigma", type=float, default=GENTLE.relative_sigma,
                        help="width of a box's saliency in units of its sides")  # fmt: skip
    parser.add_argument("--patience", type=int, default=GENTLE.patience,
                        help="frames without detections for which boxes are kept")  # fmt: skip
    parser.add_argument("--score", type=float, default=0.35, help="minimum score of detections")
    parser.add_argument("--follow", metavar="CLASS",
                        help="class that the zoom follows, or all (default: the network's first "
                        "class, a person for the shipped detector)")  # fmt: skip
    parser.add_argument("--device", default="cpu", help="for example cpu or cuda")
    parser.add_argument("--every", type=int, default=1, help="use every n-th frame")
    parser.add_argument("--frames", type=int, help="use only so many frames")
    parser.add_argument("--out", type=Path, help="film to write, for example out.webm")
    parser.add_argument("--json", type=Path, help="COCO's records of results to write")
    return parser


if __name__ == "__main__":
    main()
