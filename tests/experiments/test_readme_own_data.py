"""The README's sections on one's own film and one's own data."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import av
import pytest

from lzu_viz.datasets import coco, frames
from lzu_viz.datasets.scenes import controlled
from lzu_viz.datasets.video_files import COURTYARD
from lzu_viz.datasets.video_writer import VideoWriter
from lzu_viz.experiments import frozen
from lzu_viz.experiments.frozen import film
from lzu_viz.plots import panels

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS = [
    README.partition(f"\n## Your own {name}\n")[2].partition("\n## ")[0]
    for name in ("film", "data")
]
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", "".join(SECTIONS), re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with what a user has: a film, and images with annotations."""
    with VideoWriter(tmp_path / "my_film.mp4", rate=10) as writer:
        for frame in frames(COURTYARD)[:4]:
            writer.add(panels.picture(frame))
    scenes = [controlled(seed, size=(240, 320)) for seed in range(4)]
    coco.write(tmp_path / "my_images", [(scene.image, scene.boxes) for scene in scenes])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sections_have_commands_and_code() -> None:
    assert [language for language, _ in BLOCKS] == ["sh", "python", "sh", "python"]


@pytest.mark.slow
@pytest.mark.parametrize(("language", "block"), BLOCKS)
def test_blocks_run(
    language: str, block: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if language == "python":
        exec(block, {})
        printed = capsys.readouterr().out
        if "film" in block:
            assert "300 (576, 768) 10.0" in printed
            assert len(re.findall(r"[1-9]\d* boxes expected, [1-9]\d* found", printed)) == 2
        else:
            assert "4 (640, 960) torch.Size([1, 4])" in printed
        return
    (line,) = block.strip().splitlines()
    program, *arguments = shlex.split(line)
    assert program == ".venv/bin/python"
    run = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=folder, check=False
    )
    assert run.returncode == 0, run.stderr
    if "watch" in line:
        assert "uniform: " in run.stdout
        assert len(frames(folder / "zoomed.webm")) == 4
        assert av.open(str(folder / "zoomed.webm")).streams.video
        assert '"image_id": 3' in (folder / "boxes.json").read_text()
    else:
        assert "gain in AP" in run.stdout
        assert (folder / "comparison/comparison.png").is_file()


def test_table_has_the_stored_figures() -> None:
    stored = frozen.select(frozen.load("film").records, half="second")
    recall = {(each["system"], each["size"][0]): each["recall"] for each in stored}
    rows = re.findall(r"^\| (.*) \|$", SECTIONS[0], re.MULTILINE)
    _, *systems = rows[0].split(" | ")
    sizes = [row.split(" | ") for row in rows[1:]]
    assert len(sizes) == 3
    for size, *values in sizes:
        height = int(size.split(" x ")[0])
        for system, value in zip(systems, values, strict=True):
            assert float(value) == pytest.approx(recall[system, height], abs=0.0051)


def test_cost_of_slicing_is_the_stored_one() -> None:
    stored = frozen.select(frozen.load("film").records, half="second")
    seconds = {(each["system"], each["size"][0]): each["seconds"] for each in stored}
    heights = sorted({height for _, height in seconds})
    usual = "sliced, usual tiles"
    times = [seconds[usual, height] / seconds["uniform", height] for height in heights]
    pixels = [5 * 320 * 416 / (height * width) for height, width in film.SIZES]
    found = frozen.select(stored, system=usual)[0]["recall"]
    text = " ".join(SECTIONS[0].split())
    assert (
        f"finds {found:.2f}, with {min(pixels):.0f} to {max(pixels):.0f} times the input pixels "
        f"and {min(times):.0f} to {max(times):.0f} times the processor time"
    ) in text
