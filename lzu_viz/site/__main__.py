"""`python -m lzu_viz.site`: build the executed notebooks and the API as a website."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import source


def main() -> int:
    """Execute, write and build; the pages lie in the folder that is named."""
    parser = argparse.ArgumentParser(prog="python -m lzu_viz.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/site"), help="where the pages go")
    parser.add_argument(
        "--repository",
        default=repository(),
        help="OWNER/NAME on GitHub, for the buttons that launch Binder; git's own origin if that "
        "is there",
    )
    parser.add_argument("--only", default="", help="notebooks whose name holds this")
    parser.add_argument("--as-stored", action="store_true", help="do not execute the notebooks")
    options = parser.parse_args()
    return build(options.out, options.repository, options.only, not options.as_stored)


def build(out: Path, repository: str, only: str = "", run: bool = True) -> int:
    """Build the site into a folder, which is emptied before; 0 if all went well."""
    work = out.with_name(f"{out.name}-source")
    for folder in (out, work):
        shutil.rmtree(folder, ignore_errors=True)
    chosen = [
        path
        for path in sorted(source.NOTEBOOKS.rglob("*.ipynb"))
        if only in path.name and ".ipynb_checkpoints" not in path.parts
    ]
    source.write(work, chosen, run)
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-W", "--keep-going"]
    environment = {**os.environ, "LZU_REPOSITORY": repository}
    failed = subprocess.run(
        [*command, str(work), str(out)], env=environment, check=False
    ).returncode
    if not failed:
        shutil.rmtree(work)
        print(f"The site is in {out}; open {out / 'index.html'}")
        if not repository:
            print("No launch buttons: say --repository OWNER/NAME to have them.")
    return failed


def repository() -> str:
    """Return OWNER/NAME of git's origin, or nothing if that is not on GitHub."""
    command = ["git", "remote", "get-url", "origin"]
    try:
        run = subprocess.run(command, cwd=source.HERE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    match = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", run.stdout.strip())
    return match[1] if match else ""


if __name__ == "__main__":
    sys.exit(main())
