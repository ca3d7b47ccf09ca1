"""`python -m lzu_viz.bench NAME`: run a benchmark, print its table, store its figures."""

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from .._extras import needs
from . import report


def parser() -> argparse.ArgumentParser:
    """Return the argument parser; each benchmark is a module with functions `run` and `text`."""
    out = argparse.ArgumentParser(prog="python -m lzu_viz.bench", description=__doc__)
    commands = out.add_subparsers(dest="bench", required=True)
    for name, moves, description in (
        ("explorer", 90, "latency of the explorer during a drag, in a real JupyterLab"),
        ("page", 60, "networks that run in a page, compared with a kernel in JupyterLab"),
    ):
        command = commands.add_parser(name, help=description)
        command.add_argument(
            "--drags", type=_positive, default=5, help="number of drags per design (default 5)"
        )
        command.add_argument(
            "--moves",
            type=_positive,
            default=moves,
            help=f"pointer movements per drag (default {moves})",
        )
        command.add_argument(
            "--updates",
            type=int,
            default=2000,
            help="number of updates of the memory measurement; 0 omits it (default 2000)",
        )
    for name, description in (
        ("inverse", "run time of the inverse of a warp, compared with other implementations"),
        ("zoom", "run time of making a warp, of zooming and of unzooming"),
        ("stages", "run time of each stage of a system, with both networks"),
        ("busy", "slowdown of inverse and zoom on a busy machine"),
        ("all", "inverse, zoom and stages"),
    ):
        command = commands.add_parser(name, help=description)
        command.add_argument(
            "--rounds", type=_positive, default=7, help="timed rounds per median (default 7)"
        )
        if name not in ("stages", "busy"):
            command.add_argument(
                "--official", type=Path, metavar="FOLDER",
                help="checkout of the official code, which is then measured too",
            )  # fmt: skip
        if name in ("inverse", "all"):
            command.add_argument(
                "--picture", type=Path, metavar="FILE",
                help="file for the figure of the inverse, .png or .svg",
            )  # fmt: skip
    imports = commands.add_parser(
        "imports", help="time of `import lzu_viz`, compared with `import kornia` alone"
    )
    imports.add_argument(
        "--rounds", type=_positive, default=9, help="timed rounds per median (default 9)"
    )
    for command in commands.choices.values():
        command.add_argument(
            "--json", type=Path, metavar="FILE", help="file for the report, as JSON"
        )
    return out


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, got {number}")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = vars(parser().parse_args(arguments))
    name, path, picture = (options.pop(key, None) for key in ("bench", "json", "picture"))
    try:
        with needs("test"):
            bench = import_module(f".{name}", __package__)
            result = bench.run(**options)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("lzu_viz"):
            raise
        print(f"benchmark {name!r} cannot run: {error}", file=sys.stderr)
        return 1
    except report.CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    print(bench.text(result))
    if path:
        report.write(result, path)
    if picture:
        bench.draw(result, picture)
    return 0


if __name__ == "__main__":
    # Exit by an exception on SIGTERM, so that the server and the browser are stopped.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main())
