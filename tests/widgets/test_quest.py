"""Tests of questions with a choice of answers."""

from typing import Any

import numpy as np
import pytest
import traitlets

from lzu_viz.widgets import Explorer, Quest, State

OPTIONS = {"a < b": "It folds.", "b": "So it is."}


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer(np.zeros((96, 128, 3), np.uint8), State(network="none"))


def test_a_choice_leads_the_explorer_to_its_state(explorer: Explorer) -> None:
    first, other = State(strength=10), State(strength=20)
    quest = Quest("Which?", OPTIONS, "b", explorer, {"a < b": first, "b": other})
    for text, state in (("b", other), ("a < b", first)):
        quest.chosen = text
        assert explorer._goal["state"] == state.to_page()
    before = explorer._goal["serial"]
    both = Quest("Which?", OPTIONS, "b", explorer, other)
    both.chosen = "a < b"
    assert explorer._goal == {"serial": before + 1, "state": other.to_page()}
    alone = Quest("Which?", OPTIONS, "b")
    alone.chosen = "b"
    assert explorer._goal["serial"] == before + 1


def test_without_a_kernel_question_and_folded_answer_are_left() -> None:
    page = Quest("Which < that?", OPTIONS, "b").still_html()
    assert "Which &lt; that?" in page
    assert "<li>a &lt; b</li><li>b</li>" in page
    assert "<details><summary>Answer</summary><p>b. So it is.</p></details>" in page
    assert 'class="lzu-still"' in page


def test_it_is_displayed_as_text_and_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[set[str]] = []
    monkeypatch.setattr(
        "lzu_viz.widgets.still_picture.display",
        lambda bundle, **_: outputs.append(set(bundle)),
    )
    Quest("Which?", OPTIONS, "b")._ipython_display_()
    assert outputs == [
        {"text/html", "text/plain"},
        {"application/vnd.jupyter.widget-view+json", "text/plain"},
    ]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"options": {"a": "x"}, "answer": "a"}, "at least two answers"),
        ({"options": OPTIONS, "answer": "c"}, "answer must be one of"),
        ({"options": OPTIONS, "answer": "b", "reveal": State()}, "pass explorer="),
    ],
)
def test_bad_arguments_raise(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Quest("Which?", **arguments)


def test_unknown_answers_raise(explorer: Explorer) -> None:
    with pytest.raises(ValueError, match=r"got \['c'\]"):
        Quest("Which?", OPTIONS, "b", explorer, {"c": State()})
    quest = Quest("Which?", OPTIONS, "b")
    with pytest.raises(traitlets.TraitError, match="one of the answers"):
        quest.chosen = "c"
