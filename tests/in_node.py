"""Run the JavaScript of the front end in Node, without a page."""

import shutil
import subprocess
from pathlib import Path

from requirements import require_program

FRONT = Path(__file__).parents[1] / "lzu_viz" / "widgets" / "front"
DRIVERS = Path(__file__).parent / "front"


def find_node() -> str:
    """Return the path of Node; skip the test if it is missing, but fail in CI."""
    return require_program(
        shutil.which("node"), "no node on PATH: the page's JavaScript cannot be tested"
    )


def copy_front(folder: Path) -> None:
    """Copy the modules of the front end to a folder."""
    for path in FRONT.glob("*.js"):
        shutil.copy(path, folder)
    # Makes every version of Node treat the files as modules.
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")


def run_driver(driver: str, folder: Path, given: str = "") -> str:
    """Run a driver on the modules in `folder`; return its standard output."""
    command = [find_node(), str(DRIVERS / driver), str(folder)]
    run = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def run_node(driver: str, folder: Path, given: str = "") -> str:
    """Run a driver on a copy of the front end in `folder`; return its standard output."""
    copy_front(folder)
    return run_driver(driver, folder, given)
