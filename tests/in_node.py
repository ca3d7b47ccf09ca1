"""The page's JavaScript without a page: in Node, where its files stay files."""

import shutil
import subprocess
from pathlib import Path

from requirements import needed

FRONT = Path(__file__).parents[1] / "lzu_viz" / "widgets" / "front"
DRIVERS = Path(__file__).parent / "front"


def find_node() -> str:
    """Node; in CI it must be there."""
    return needed(shutil.which("node"), "no node on PATH: the page's JavaScript cannot be tested")


def copy_front(folder: Path) -> None:
    """Copy the modules of the front end."""
    for path in FRONT.glob("*.js"):
        shutil.copy(path, folder)
    # By this, every version of Node takes the files for modules.
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")


def run_driver(driver: str, folder: Path, given: str = "") -> str:
    """Run a driver on the modules in `folder`; return what it prints."""
    command = [find_node(), str(DRIVERS / driver), str(folder)]
    run = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def run_node(driver: str, folder: Path, given: str = "") -> str:
    """Run a driver on a copy of the front end in `folder`; return what it prints."""
    copy_front(folder)
    return run_driver(driver, folder, given)
