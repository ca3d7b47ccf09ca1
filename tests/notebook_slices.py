"""The code cells of a notebook that its widgets depend on."""

import ast
import re
from collections.abc import Iterator, Sequence

WIDGET = re.compile(r"\b(Explorer|InteractiveFigure|Player|Quest|train_side_by_side)\(")
HARMLESS = {"print", "display"}
"""Functions that change none of their arguments."""


def cells_of_widgets(sources: Sequence[str]) -> list[int]:
    """Return the indices of the cells that show widgets, and of those that they depend on.

    A cell is needed if it binds or may change a name that a later needed cell uses. Functions of
    imported modules are taken to change nothing, except for settings of torch.

    Args:
        sources: code of all cells.
    """
    trees = [ast.parse(source) for source in sources]
    constant = {name for tree in trees for name in _imported(tree)} - {"torch"}
    needed: set[str] = set()
    chosen = []
    for index, tree in reversed([*enumerate(trees)]):
        changed = {*_imported(tree), *_bound(tree), *(set(_changed(tree)) - constant)}
        if WIDGET.search(sources[index]) or needed & changed:
            chosen.append(index)
            needed = (needed - set(_bound(tree))) | set(_used(tree))
    return chosen[::-1]


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names that code imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)


def _used(tree: ast.Module) -> Iterator[str]:
    """Yield the names that code uses as they were before it."""
    bound: set[str] = set()
    for statement in tree.body:
        names = {
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name)
            and (isinstance(node.ctx, ast.Load) or isinstance(statement, ast.AugAssign))
        }
        stored = set(_bound(statement))
        is_assignment = isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign)
        loops = [node for node in ast.walk(statement) if isinstance(node, ast.comprehension)]
        local = {name for loop in loops for name in _bound(loop.target)}
        yield from names - bound - (local if is_assignment else stored)
        bound |= stored


def _bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that code binds otherwise."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id


def _changed(tree: ast.Module) -> Iterator[str]:
    """Yield the names of objects that code may change."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield _base(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _changed_by(node.value)


def _changed_by(call: ast.Call) -> Iterator[str]:
    """Yield the names that a call, as a statement, may change."""
    if isinstance(call.func, ast.Name):
        if call.func.id not in HARMLESS:
            yield call.func.id  # such as a setting of the whole notebook
            yield from (_base(argument) for argument in call.args)
    else:
        yield _base(call.func)


def _base(node: ast.AST) -> str:
    """Return the name at the start of `name.attribute[index](argument)`; empty if there is none."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
