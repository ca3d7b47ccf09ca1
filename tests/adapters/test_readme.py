"""The README's section on one's own network."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
SECTION = README.read_text(encoding="utf-8").partition("\n## Your own network\n")[2]
BLOCKS = re.findall(r"```python\n(.*?)```", SECTION.partition("\n## ")[0], re.DOTALL)
EXPECTED = (
    "{'fine': (2, 128, 32, 64), 'coarse': (2, 512, 8, 16)}",
    "[['boxes', 'labels', 'scores'], ['boxes', 'labels', 'scores']]",
    "torch.Size([1, 1, 512, 1024])",
    "",  # boxes, which are compared as numbers
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"
)


def test_section_has_a_block_for_each_way() -> None:
    assert len(BLOCKS) == len(EXPECTED)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_blocks_run(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(BLOCKS[number], {})
    printed = capsys.readouterr().out
    assert EXPECTED[number] in printed
    if "inverse" in BLOCKS[number]:
        zoomed, box = (
            [float(value) for value in numbers.split(",")]
            for numbers in re.findall(r"\[\[(.*?)\]\]", printed)
        )
        assert box == pytest.approx([300, 200, 340, 260], abs=1e-3)
        # Uniformly downsampled, it would be 20 pixels wide.
        assert zoomed[2] - zoomed[0] > 20
