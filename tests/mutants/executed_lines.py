"""Lines of the library that a command executes, in all of its processes, and lines of a fault.

A fault in lines that a notebook does not execute cannot change its outputs, so that the notebook
need not be run with it.
"""

import ast
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import coverage

SETTINGS = """\
[run]
source_pkgs = lzu_viz
parallel = True
sigterm = True
data_file = {folder}/data
"""

Lines = dict[str, list[int]]
"""Executed lines of each file, by its path in the package."""


def run_with_coverage(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> tuple[subprocess.CompletedProcess[str], Lines]:
    """Run a command; return its result, and the lines of the library that it executed.

    Every Python process that the command starts is measured, kernels of notebooks among them.

    Args:
        command: the command.
        cwd: folder to run in.
        env: its environment, where the first folder of `PYTHONPATH` holds the package.
        timeout: in seconds.

    Raises:
        subprocess.TimeoutExpired: the command takes longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings, hook = Path(folder, "settings"), Path(folder, "hook")
        settings.write_text(SETTINGS.format(folder=folder), encoding="utf-8")
        hook.mkdir()
        # Python imports this module at its start.
        (hook / "sitecustomize.py").write_text("import coverage\ncoverage.process_startup()\n")
        path = os.pathsep.join(filter(None, [env.get("PYTHONPATH"), str(hook)]))
        environment = {**env, "PYTHONPATH": path, "COVERAGE_PROCESS_START": str(settings)}
        result = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        measured = coverage.Coverage(config_file=str(settings))
        measured.combine()
        data = measured.get_data()
        package = cwd / "lzu_viz"
        lines = {
            Path(name).relative_to(package).as_posix(): sorted(data.lines(name) or ())
            for name in data.measured_files()
            if Path(name).is_relative_to(package)
        }
    return result, lines


def lines_of(source: str, part: str) -> set[int]:
    r"""Return the lines of the statements that a part of the source belongs to.

    Of a compound statement only the lines of its header are meant, unless the part reaches into
    its body.

    Args:
        source: of a module.
        part: occurs in the source.

    Example:
        >>> sorted(lines_of("a = 1\nif a:\n    b = (\n        2\n    )\n", "2"))
        [3, 4, 5]
        >>> sorted(lines_of("a = 1\nif a:\n    b = 2\n", "if a"))
        [2]
    """
    start = source[: source.index(part)].count("\n") + 1
    touched = range(start, start + part.count("\n") + 1)
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.stmt):
            continue
        body = getattr(node, "body", None)
        end = body[0].lineno - 1 if body else node.end_lineno
        # A body on the line of its header is a part of it.
        header = range(node.lineno, max(node.lineno, end or 0) + 1)
        if any(line in header for line in touched):
            lines.update(header)
    return lines


def executes(executed: Lines, file: str, source: str, part: str) -> bool:
    """Return whether a part of a file of the package is among the executed lines."""
    return not lines_of(source, part).isdisjoint(executed.get(file, ()))
