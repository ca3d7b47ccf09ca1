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
    """Describe the commands. Each benchmark has a module of its name with `run` and `text`."""
    out = argparse.ArgumentParser(prog="python -m lzu_viz.bench", description=__doc__)
    commands = out.add_subparsers(dest="bench", required=True)
    explorer = commands.add_parser(
        "explorer", help="how fast the explorer follows a drag, in a real JupyterLab"
    )
    explorer.add_argument("--drags", type=_some, default=5, help="of each design (default 5)")
    explorer.add_argument("--moves", type=_some, default=90, help="in each drag (default 90)")
    explorer.add_argument(
        "--updates", type=int, default=2000, help="to see whether memory grows; 0 skips (2000)"
    )
    for name, what in (
        ("inverse", "what the inverse of a warp costs, beside what others offer"),
        ("zoom", "what making a warp, zooming and unzooming cost"),
        ("stages", "what each stage of a system costs, with both networks"),
        ("busy", "how much slower inverse and zoom get on a busy machine"),
        ("all", "inverse, zoom and stages"),
    ):
        each = commands.add_parser(name, help=what)
        each.add_argument("--rounds", type=_some, default=7, help="for each median (default 7)")
        if name not in ("stages", "busy"):
            each.add_argument(
                "--official", type=Path, metavar="FOLDER",
                help="a checkout of the official code, to be measured beside",
            )  # fmt: skip
        if name in ("inverse", "all"):
            each.add_argument(
                "--picture", type=Path, metavar="FILE", help="draw the inverse's, .png or .svg"
            )
    imports = commands.add_parser(
        "imports", help="how long `import lzu_viz` takes, beside `import kornia` alone"
    )
    imports.add_argument("--rounds", type=_some, default=9, help="for each median (default 9)")
    for each in commands.choices.values():
        each.add_argument("--json", type=Path, help="store the figures in this file")
    return out


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; give the exit status."""
    options = vars(parser().parse_args(arguments))
    name, path, picture = (options.pop(key, None) for key in ("bench", "json", "picture"))
    try:
        with needs("test"):
            bench = import_module(f".{name}", __package__)
            result = bench.run(**options)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("lzu_viz"):
            raise
        print(f"this benchmark cannot run: {error}", file=sys.stderr)
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
    # Told to end, we still end the server and the browser that we started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.exit(main())
