"""Lint rules for the notebooks: structure, stored outputs, exercises."""

import ast
import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(p for p in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
MAX_LINES = 12
MAX_CODE_CELLS_IN_A_ROW = 2
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
MIN_WORDS = 3
"""Minimum number of words of the description of a picture."""

Notebook = dict[str, Any]
Cell = dict[str, Any]
Rule = Callable[[Notebook], Iterator[str]]

# --- reading a notebook ------------------------------------------------------------------------


def text(cell: Cell) -> str:
    """Return a cell's source, which is stored as a string or as a list of lines."""
    return "".join(cell["source"])


def tags(cell: Cell) -> list[str]:
    """Return a cell's tags."""
    tags: list[str] = cell.get("metadata", {}).get("tags", [])
    return tags


def code_cells(notebook: Notebook) -> Iterator[tuple[int, Cell]]:
    """Yield the code cells with their index in the notebook."""
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            yield index, cell


def is_checked(cell: Cell) -> bool:
    """Return whether nbval compares the cell's output, by a comment or a tag."""
    comment = re.search(r"^\s*#\s*NBVAL_CHECK_OUTPUT", text(cell), re.MULTILINE)
    return bool(comment) or "nbval-check-output" in tags(cell)


def python_of(cell: Cell) -> str:
    """Return the cell's source without magics and shell commands."""
    lines = text(cell).splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


# --- the rules: each yields one sentence per violation -----------------------------------------


def has_python3_kernel(notebook: Notebook) -> Iterator[str]:
    """Check the kernelspec, without which JupyterLab asks the reader to choose a kernel."""
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        yield "metadata.kernelspec.name is not python3"


def has_no_widget_state(notebook: Notebook) -> Iterator[str]:
    """Check that no widget state is stored, which would hide the picture in offline HTML."""
    if "widgets" in notebook["metadata"]:
        yield "metadata.widgets is stored; run `make notebooks`"


def has_short_cells(notebook: Notebook) -> Iterator[str]:
    """Check the number of lines of each code cell."""
    for index, cell in code_cells(notebook):
        count = sum(bool(line.strip()) for line in text(cell).splitlines())
        if not 1 <= count <= MAX_LINES:
            yield f"cell {index} has {count} lines of code, expected 1 to {MAX_LINES}"


def has_no_definitions(notebook: Notebook) -> Iterator[str]:
    """Check that no functions or classes are defined, except in exercises."""
    for index, cell in code_cells(notebook):
        if "exercise" in tags(cell):
            continue
        try:
            tree = ast.parse(python_of(cell))
        except SyntaxError as error:
            yield f"cell {index} is not Python: {error}"
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"cell {index} defines {node.name}; move it to the package"


def has_text_before_code(notebook: Notebook) -> Iterator[str]:
    """Check that text comes before code, and that at most two code cells are in a row."""
    code_since_prose = MAX_CODE_CELLS_IN_A_ROW
    for index, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            if text(cell).strip():
                code_since_prose = 0
            continue
        code_since_prose += 1
        if code_since_prose > MAX_CODE_CELLS_IN_A_ROW:
            yield f"cell {index} has no prose before it"


def has_outputs_of_checked_cells(notebook: Notebook) -> Iterator[str]:
    """Check that checked cells store text and a count, without which nbval compares nothing."""
    for index, cell in code_cells(notebook):
        if not is_checked(cell):
            continue
        compared = [
            output
            for output in cell["outputs"]
            if output["output_type"] == "stream" or "text/plain" in output.get("data", {})
        ]
        if not compared:
            yield f"cell {index} checks its output but stores no text"
        if cell["execution_count"] is None:
            yield f"cell {index} checks its output but has no execution count"


def has_consecutive_execution_counts(notebook: Notebook) -> Iterator[str]:
    """Check that the stored outputs are those of one run, in order."""
    counts = [cell["execution_count"] for _, cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}; run `make notebooks`"


def has_no_errors_or_warnings(notebook: Notebook) -> Iterator[str]:
    """Check that no error or warning is stored."""
    for index, cell in code_cells(notebook):
        for output in cell["outputs"]:
            if output["output_type"] == "error" or output.get("name") == "stderr":
                yield f"cell {index} stores an error or a warning"


def has_pictures_beside_widgets(notebook: Notebook) -> Iterator[str]:
    """Check that a stored picture precedes each widget, which is shown where no kernel runs."""
    for index, cell in code_cells(notebook):
        before = ""
        for output in cell["outputs"]:
            data = output.get("data", {})
            if WIDGET_VIEW in data and 'class="lzu-still"' not in before:
                yield f"cell {index} shows a widget without a picture before it"
            before = "".join(data.get("text/html", ""))


def has_descriptions_of_pictures(notebook: Notebook) -> Iterator[str]:
    """Check that each stored picture has a description for screen readers."""
    for index, cell in code_cells(notebook):
        for output in cell["outputs"]:
            data = output.get("data", {})
            if any(mime.startswith("image/") for mime in data):
                yield f"cell {index} shows a picture without a description; use_html_figures()"
            for image in re.findall("<img[^>]*?>", "".join(data.get("text/html", ""))):
                match = re.search('alt="([^"]*)"', image)
                if match is None or len(match[1].split()) < MIN_WORDS:
                    yield f"cell {index} shows a picture with too short a description"


def has_pictures(notebook: Notebook) -> Iterator[str]:
    """Check that the notebook shows at least one picture."""
    outputs = (output for _, cell in code_cells(notebook) for output in cell["outputs"])
    if not any(
        "<img" in "".join(output.get("data", {}).get("text/html", "")) for output in outputs
    ):
        yield "expected at least one picture, got none"


def has_no_control_characters(notebook: Notebook) -> Iterator[str]:
    r"""Check for formulas whose `\t` or `\b` became a tab or a backspace."""
    for index, cell in enumerate(notebook["cells"]):
        if any(ord(letter) < ord(" ") and letter != "\n" for letter in text(cell)):
            yield f"cell {index} holds a control character; a backslash was lost"


def has_two_exercises(notebook: Notebook) -> Iterator[str]:
    """Check that a page has two exercises with folded hints, and a link to the solutions."""
    stubs = [index for index, cell in code_cells(notebook) if "exercise" in tags(cell)]
    if len(stubs) != 2:
        yield f"{len(stubs)} cells are tagged `exercise`, expected 2"
        return
    prose_of = [text(cell) if cell["cell_type"] == "markdown" else "" for cell in notebook["cells"]]
    for index in stubs:
        if "<details><summary>Hint</summary>" not in prose_of[index - 1]:
            yield f"the exercise in cell {index} has no folded hint before it"
    if not any("](solutions/" in prose_text for prose_text in prose_of):
        yield "no link leads to the solutions"


def has_link_to_glossary(notebook: Notebook) -> Iterator[str]:
    """Check that the introduction of a page links the glossary."""
    first = notebook["cells"][0]
    if first["cell_type"] != "markdown" or "](GLOSSARY.md)" not in text(first):
        yield "the first cell has no link to GLOSSARY.md"


def has_checked_solutions(notebook: Notebook) -> Iterator[str]:
    """Check that the solutions name both exercises, and check an output of each."""
    parts: dict[str, int] = {}
    exercise = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            match = re.findall(
                r"^(?:#+ Exercise |\*\*(?:Exercise )?)([12])\b", text(cell), re.MULTILINE
            )
            exercise = match[-1] if match else exercise
        elif is_checked(cell):
            parts[exercise] = parts.get(exercise, 0) + 1
    for number in ("1", "2"):
        if not parts.get(number):
            yield f"the solution of exercise {number} checks nothing"


RULES: list[Rule] = [
    has_python3_kernel,
    has_no_widget_state,
    has_short_cells,
    has_no_definitions,
    has_text_before_code,
    has_outputs_of_checked_cells,
    has_consecutive_execution_counts,
    has_no_errors_or_warnings,
    has_pictures_beside_widgets,
    has_descriptions_of_pictures,
    has_pictures,
    has_no_control_characters,
]

# --- the notebooks ------------------------------------------------------------------------------


def test_first_notebook_exists() -> None:
    assert FOLDER / "00_start_here.ipynb" in NOTEBOOKS


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_notebook(path: Path, rule: Rule) -> None:
    assert list(rule(json.loads(path.read_text(encoding="utf-8")))) == []


SERIES = [path for path in NOTEBOOKS if path.parent == FOLDER]


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_each_page_has_exercises_with_solutions(path: Path) -> None:
    page = json.loads(path.read_text(encoding="utf-8"))
    assert list(has_two_exercises(page)) == []
    assert f"](solutions/{path.name})" in "".join(text(cell) for cell in page["cells"])
    solution = path.parent / "solutions" / path.name
    assert list(has_checked_solutions(json.loads(solution.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_each_page_links_the_glossary(path: Path) -> None:
    assert list(has_link_to_glossary(json.loads(path.read_text(encoding="utf-8")))) == []
    assert (path.parent / "GLOSSARY.md").is_file()


def test_every_solution_has_its_page() -> None:
    solutions = {path.name for path in NOTEBOOKS if path.parent.name == "solutions"}
    assert solutions == {path.name for path in SERIES}


README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.name)
def test_readme_lists_each_page_with_its_picture(path: Path) -> None:
    (row,) = (line for line in README.splitlines() if f"]({path.name}) |" in line)
    assert re.search(r"\| \d+ min \|$", row)
    (picture,) = re.findall(r"!\[[^]]+\]\((pictures/[\w.]+)\)", row)
    assert picture == f"pictures/{path.stem}.jpg"
    assert (FOLDER / picture).is_file()


def test_readme_lists_all_twenty_questions() -> None:
    numbers = re.findall(r"^\| (\d+) \|.*\S.*\|.*\S.*\|$", README, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 21)]
    questions = README.split("## Twenty questions")[1]
    for stem in re.findall(r"\b(\d\d)\b(?=[^|]*\|$)", questions, re.MULTILINE):
        assert list(FOLDER.glob(f"{stem}_*.ipynb")), stem


# --- the rules themselves -----------------------------------------------------------------------


def prose(source: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, count: int | None, *outputs: dict[str, Any], tag: str = "") -> Cell:
    return {
        "cell_type": "code",
        "metadata": {"tags": [tag]} if tag else {},
        "source": source,
        "execution_count": count,
        "outputs": list(outputs),
    }


def stream(name: str, written: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": [written]}


def shown(*mimes: str, html: str = "") -> dict[str, Any]:
    data = {**dict.fromkeys(mimes, ""), **({"text/html": html} if html else {})}
    return {"output_type": "display_data", "data": data, "metadata": {}}


STILL = '<figure class="lzu-still"><img alt="An explorer of a photo" src="data:"></figure>'


VALID: Notebook = {
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
    "cells": [
        prose("# Why zoom?"),
        code("%config InlineBackend.figure_format = 'retina'\nx = 1", 1),
        code("# NBVAL_CHECK_OUTPUT\nprint(x)", 2, stream("stdout", "1\n")),
        prose("Drag the slider."),
        code("explorer()", 3, shown(html=STILL), shown(WIDGET_VIEW, "text/plain")),
        prose("Your turn."),
        code("def mine(x):\n    ...", 4, tag="exercise"),
    ],
}


def with_cells(*cells: Cell) -> Notebook:
    return {**copy.deepcopy(VALID), "cells": list(cells)}


HINT = "**Exercise 1.** Do.\n\n<details><summary>Hint</summary>\n\nSo.\n</details>"
EXERCISES = [
    prose("Solutions: [here](solutions/x.ipynb)."),
    prose(HINT),
    code("x", 1, tag="exercise"),
    prose(HINT),
    code("x", 2, tag="exercise"),
]
SOLVED = [
    prose("## Exercise 1"),
    code("# NBVAL_CHECK_OUTPUT\nx", 1),
    prose("**Exercise 2.** So."),
    code("# NBVAL_CHECK_OUTPUT\nx", 2),
]


def test_valid_exercises_and_solutions_pass() -> None:
    assert list(has_two_exercises(with_cells(*EXERCISES))) == []
    assert list(has_checked_solutions(with_cells(*SOLVED))) == []


@pytest.mark.parametrize("missing", range(len(EXERCISES)))
def test_missing_part_of_the_exercises_is_reported(missing: int) -> None:
    rest = [cell for index, cell in enumerate(EXERCISES) if index != missing]
    assert list(has_two_exercises(with_cells(*rest)))


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_missing_part_of_the_solutions_is_reported(missing: int) -> None:
    rest = [cell for index, cell in enumerate(SOLVED) if index != missing]
    assert list(has_checked_solutions(with_cells(*rest)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_valid_notebook_passes(rule: Rule) -> None:
    assert list(rule(VALID)) == []


WIDGET_STATE = {"metadata": {**VALID["metadata"], "widgets": {}}, "cells": []}
CHECK = "# NBVAL_CHECK_OUTPUT\nprint(1)"


@pytest.mark.parametrize(
    ("rule", "notebook"),
    [
        (has_python3_kernel, {"metadata": {}, "cells": []}),
        (has_python3_kernel, {"metadata": {"kernelspec": {"name": "ir"}}, "cells": []}),
        (has_no_widget_state, WIDGET_STATE),
        (has_short_cells, with_cells(code("x = 1\n" * (MAX_LINES + 1), 1))),
        (has_short_cells, with_cells(code("\n", 1))),
        (has_no_definitions, with_cells(code("if True:\n    def f(): ...", 1))),
        (has_no_definitions, with_cells(code("class A: ...", 1))),
        (has_no_definitions, with_cells(code("async def f(): ...", 1))),
        (has_no_definitions, with_cells(code("x = = 1", 1))),
        (has_text_before_code, with_cells(code("x", 1))),
        (has_text_before_code, with_cells(prose(" \n"), code("x", 1))),
        (has_text_before_code, with_cells(prose("a"), *(code("x", n) for n in (1, 2, 3)))),
        (has_outputs_of_checked_cells, with_cells(code(CHECK, 1))),
        (has_outputs_of_checked_cells, with_cells(code(CHECK, 1, shown("image/png")))),
        (has_outputs_of_checked_cells, with_cells(code(CHECK, None, stream("stdout", "1")))),
        (has_outputs_of_checked_cells, with_cells(code("print(1)", 1, tag="nbval-check-output"))),
        (has_pictures, with_cells(code("x", 1, stream("stdout", "1")))),
        (has_consecutive_execution_counts, with_cells(code("x", 2))),
        (has_consecutive_execution_counts, with_cells(code("x", 2), code("x", 1))),
        (has_consecutive_execution_counts, with_cells(code("x", 1), code("x", None))),
        (has_no_errors_or_warnings, with_cells(code("x", 1, stream("stderr", "Warning")))),
        (has_no_errors_or_warnings, with_cells(code("x", 1, {"output_type": "error"}))),
        (has_no_control_characters, with_cells(prose("$\theta$"))),
        (has_link_to_glossary, with_cells(prose("# Why zoom?"), prose("[Glossary](GLOSSARY.md)"))),
        (has_link_to_glossary, with_cells(code("'[Glossary](GLOSSARY.md)'", 1))),
        (has_pictures_beside_widgets, with_cells(code("w", 1, shown(WIDGET_VIEW, "text/plain")))),
        (
            has_pictures_beside_widgets,
            with_cells(code("w", 1, shown(WIDGET_VIEW), shown(html=STILL))),
        ),
        (has_descriptions_of_pictures, with_cells(code("f", 1, shown("image/png")))),
        (has_descriptions_of_pictures, with_cells(code("f", 1, shown(html='<img src="x">')))),
        (has_descriptions_of_pictures, with_cells(code("f", 1, shown(html='<img alt="Figure.">')))),
    ],
)
def test_invalid_notebook_is_reported(rule: Rule, notebook: Notebook) -> None:
    assert list(rule(notebook))
