"""`python -m docs`: build the executed notebooks and the API as a website."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from lzu_viz.bench.browser.file_server import file_server

from . import source


def main() -> int:
    """Run the command line: build the site, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs", description=__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/site"),
        help="output folder, which is deleted first (default: build/site)",
    )
    parser.add_argument(
        "--repository",
        default=repository(),
        help="OWNER/NAME on GitHub, for the buttons that launch Binder (default: git's origin)",
    )
    parser.add_argument(
        "--only", default="", help="build only notebooks with this text in their name"
    )
    parser.add_argument(
        "--as-stored",
        action="store_true",
        help="show the stored outputs instead of executing the notebooks",
    )
    parser.add_argument(
        "--serve", type=int, metavar="PORT", help="then serve the site on this port of localhost"
    )
    options = parser.parse_args()
    status = build(options.out, options.repository, options.only, not options.as_stored)
    if not status and options.serve is not None:
        serve(options.out, options.serve)
    return status


def build(out: Path, repository: str, only: str = "", run: bool = True) -> int:
    """Build the site in a folder, and return Sphinx's exit status, 0 if successful.

    Args:
        out: the folder, which is deleted first.
        repository: OWNER/NAME on GitHub for the launch buttons; no buttons if empty.
        only: part of the names of the notebooks to include; all if empty.
        run: whether the notebooks are executed.
    """
    sources = out.with_name(f"{out.name}-source")
    for folder in (out, sources):
        shutil.rmtree(folder, ignore_errors=True)
    notebooks = [
        path
        for path in sorted(source.NOTEBOOKS.rglob("*.ipynb"))
        if only in path.name and ".ipynb_checkpoints" not in path.parts
    ]
    source.write(sources, notebooks, run)
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-W", "--keep-going"]
    environment = {**os.environ, "LZU_REPOSITORY": repository}
    status = subprocess.run(
        [*command, str(sources), str(out)], env=environment, check=False
    ).returncode
    if not status:
        shutil.rmtree(sources)
        # Otherwise GitHub Pages leaves out folders whose names begin with "_".
        (out / ".nojekyll").touch()
        print(f"The site was built in {out}; open {out / 'index.html'}")
        if not repository:
            print("The pages have no launch buttons; add them with --repository OWNER/NAME.")
    return status


def serve(folder: Path, port: int) -> None:
    """Serve a folder on a port of localhost, until it is interrupted."""
    with file_server(folder, port) as server, suppress(KeyboardInterrupt):
        print(f"The site is at http://localhost:{server.server_port}; end with Ctrl+C.")
        server.serve_forever()


def repository() -> str:
    """Return OWNER/NAME of git's origin, or an empty string if that is not on GitHub."""
    command = ["git", "remote", "get-url", "origin"]
    try:
        run = subprocess.run(command, cwd=source.HERE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", run.stdout.strip())
    return match[1] if match else ""


if __name__ == "__main__":
    sys.exit(main())
