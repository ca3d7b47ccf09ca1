"""Tests of running notebooks: stored outputs, measurements, thumbnails, failures."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from lzu_viz.bench import run_notebooks

SHOW = (
    "from IPython.display import Image\nimport io\nimport PIL.Image\n"
    'file = io.BytesIO()\nPIL.Image.new("RGB", (720, 360), {colour!r}).save(file, "JPEG")\n'
    'Image(file.getvalue(), format="jpeg")'
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, run_notebooks.ExecutedNotebook]:
    folder = tmp_path_factory.mktemp("notebooks")
    (folder / "pictures").mkdir()
    cells = [
        new_markdown_cell("# A page"),
        new_code_cell(SHOW.format(colour="blue")),
        new_code_cell(SHOW.format(colour="red")),
        new_code_cell('ballast = b"x" * (200 * 2**20); print(before)'),
    ]
    path = folder / "page.ipynb"
    notebook = new_notebook(cells=cells)
    took = run_notebooks.execute(notebook, folder, before="before = 'hidden'")
    nbformat.write(notebook, path)
    run_notebooks.draw(notebook, folder / "pictures/page.jpg")
    return path, took


@pytest.mark.slow
def test_code_run_before_the_cells_is_not_stored(
    ran: tuple[Path, run_notebooks.ExecutedNotebook],
) -> None:
    notebook = nbformat.read(ran[0], as_version=4)
    assert len(notebook.cells) == 4
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert [output.execution_count for cell in code[:2] for output in cell.outputs] == [1, 2]
    assert code[2].outputs[0].text == "hidden\n"


def test_time_and_memory_are_measured(ran: tuple[Path, run_notebooks.ExecutedNotebook]) -> None:
    assert ran[1].seconds > 0
    assert 230 < ran[1].peak_mb < 1000


def test_thumbnail_is_the_first_picture(
    ran: tuple[Path, run_notebooks.ExecutedNotebook],
) -> None:
    with Image.open(ran[0].parent / "pictures/page.jpg") as picture:
        assert picture.size == (run_notebooks.THUMBNAIL_WIDTH, run_notebooks.THUMBNAIL_WIDTH // 2)
        red, _, blue = picture.getpixel((10, 10))
    assert blue > 200 > 100 > red


def test_no_thumbnail_is_drawn_without_a_folder_for_it(tmp_path: Path) -> None:
    run_notebooks.draw(new_notebook(), tmp_path / "pictures/page.jpg")
    assert not (tmp_path / "pictures").exists()


@pytest.mark.slow
def test_failing_notebook_raises_and_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "page.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        run_notebooks.run([path])
    assert path.read_bytes() == before


@pytest.mark.slow
def test_long_cells_without_a_progress_bar_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_notebooks, "SILENT_SECONDS", 0.3)
    wait = "import time\nfrom lzu_viz.widgets import progress_bar\n"
    cells = [
        new_code_cell(f"{wait}time.sleep(0.5)"),  # imports
        new_markdown_cell("Prose."),
        new_code_cell("time.sleep(0.5)"),
        new_code_cell("for _ in progress_bar(range(2)):\n    time.sleep(0.25)"),
        new_code_cell("1 + 1"),
    ]
    took = run_notebooks.execute(new_notebook(cells=cells), tmp_path)
    assert list(took.silent) == [2]
    assert took.silent[2] == pytest.approx(0.5, abs=0.4)
