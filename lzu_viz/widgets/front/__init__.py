"""The front end: JavaScript modules and a style sheet, inlined into one module without a build."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent

STYLE, PLAYER_STYLE = FOLDER / "explorer.css", FOLDER / "player.css"
"""The style of the explorer and the player, and what the player adds."""

QUEST_STYLE, LIVE_STYLE, STORY_STYLE = (
    FOLDER / name for name in ("quest.css", "live.css", "story.css")
)
"""What questions and the page on film add, and the style of the story."""

WIDGET, STATIC, PLAYER, QUEST = "widget.js", "static.js", "player.js", "quest.js"
FIGURE, WORKER = "figure.js", "network_worker.js"
LIVE, LIVE_WORKER, STORY = "live.js", "live_worker.js", "story.js"
"""The entries: the explorer, its page without a kernel, the player, questions, figures, the worker
that runs the networks of such a page, the page on film with its own worker, and the story of the
site's front page."""

_IMPORT = re.compile(r'^import (\{[^}]*\}|\w+) from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?:(?P<default>default )|(?=(?:const|(?:async )?function|class) (?P<name>\w+)))",
    re.MULTILINE,
)

_DOC_COMMENT = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n", re.MULTILINE | re.DOTALL)


def bundle(entry: str) -> str:
    """Return one module that holds an entry and the modules that it imports.

    Neither a widget nor a page that is opened from a disk can import files. Each imported module
    becomes a function that returns its exports; only the entry keeps its own. Documentation
    comments are left out.

    Args:
        entry: the file name of a module of the front end.

    Raises:
        ValueError: modules import each other in a circle.
    """
    *imported, _ = modules(entry)
    source = _linked(_read(entry))
    return "\n".join([*(_as_function(name) for name in imported), source])


def modules(entry: str) -> list[str]:
    """Return the file names of an entry and of what it imports, each after its own imports."""
    order: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValueError(f"modules import each other in a circle: {' -> '.join((*path, name))}")
        if name in order:
            return
        for _, imported in _IMPORT.findall(_read(name)):
            visit(imported, (*path, name))
        order.append(name)

    visit(entry, ())
    return order


def module_source() -> str:
    """Return the module of the widget."""
    return bundle(WIDGET)


def static_source() -> str:
    """Return the module of a page without a kernel, which renders the widget."""
    return bundle(STATIC)


def _read(name: str) -> str:
    return _DOC_COMMENT.sub("", (FOLDER / name).read_text(encoding="utf-8"))


def _variable(name: str) -> str:
    """The variable that holds the exports of a module."""
    return "module_" + name.removesuffix(".js")


def _linked(source: str) -> str:
    """Read the exports of other modules in place of importing them."""

    def read(match: re.Match[str]) -> str:
        names, module = match.groups()
        if not names.startswith("{"):
            names = f"{{ default: {names} }}"
        return f"const {names.replace(' as ', ': ')} = {_variable(module)};\n"

    return _IMPORT.sub(read, source)


def _as_function(name: str) -> str:
    source = _linked(_read(name))
    exports = [
        "default: _default" if match["default"] else match["name"]
        for match in _EXPORT.finditer(source)
    ]
    body = _EXPORT.sub(lambda match: "const _default = " if match["default"] else "", source)
    return (
        f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"
    )
