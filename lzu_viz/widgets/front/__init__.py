"""The front end: plain JavaScript files and a style sheet, joined to one module without a build."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent

STYLE = FOLDER / "explorer.css"

FILES = ("warp.js", "paint.js", "shared.js", "views.js", "gestures.js", "explorer.js")
"""In order: each uses only those before it."""


def module_source() -> str:
    """Join the files to one module: in a widget, and from a disk, a page cannot import a file."""
    parts = [_scoped((FOLDER / name).read_text(encoding="utf-8")) for name in FILES[:-1]]
    last = (FOLDER / FILES[-1]).read_text(encoding="utf-8")
    return "\n".join([*parts, _without_imports(last)])


def static_source() -> str:
    """Give what a page without a kernel runs, after the module."""
    return (FOLDER / "static.js").read_text(encoding="utf-8")


def _scoped(source: str) -> str:
    """Put a file into a function of its own, so that only what it exports is seen by the others."""
    names = ", ".join(re.findall(r"^export (?:const|function|class) (\w+)", source, re.MULTILINE))
    inner = re.sub(r"^export ", "", _without_imports(source), flags=re.MULTILINE)
    return f"const {{ {names} }} = (() => {{\n{inner}\nreturn {{ {names} }};\n}})();"


def _without_imports(source: str) -> str:
    return re.sub(r"^import [^;]*;\n", "", source, flags=re.MULTILINE)
