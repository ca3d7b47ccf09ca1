"""Questions with a choice of answers, beside an explorer that shows why."""

import html
from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from .explorer import Explorer
from .front import QUEST, QUEST_STYLE, bundle
from .state import State
from .still_picture import STYLE, StillOutput


class Quest(StillOutput, anywidget.AnyWidget):
    """Widget that asks a question, and explains the answer that the reader chooses.

    With an explorer, the choice also leads the explorer to the state that shows it, as one step of
    undo, and a button leads there. Without a kernel the question and a folded answer are left.

    Args:
        question: the question, a sentence.
        options: explanations by the text of each answer, at least two.
        answer: text of the right answer.
        explorer: an explorer that shows why.
        reveal: the state to which the explorer goes, or one for each answer, by its text.

    Attributes:
        chosen: text of the chosen answer; empty before.

    Raises:
        ValueError: there are fewer than two answers, the right one is none of them, or a state is
            given without an explorer or for an unknown answer.

    Example:
        >>> quest = Quest(
        ...     "Which warp has an inverse?",
        ...     {
        ...         "one that folds": "Two source points have the same zoomed point.",
        ...         "one without folds": "It is a bijection of the frame.",
        ...     },
        ...     answer="one without folds",
        ... )
        >>> quest
        Quest('Which warp has an inverse?')
    """

    _esm = bundle(QUEST)
    _css = QUEST_STYLE.read_text(encoding="utf-8")

    chosen = traitlets.Unicode().tag(sync=True)
    _question = traitlets.Unicode().tag(sync=True)
    _options: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)

    def __init__(
        self,
        question: str,
        options: Mapping[str, str],
        answer: str,
        explorer: Explorer | None = None,
        reveal: State | Mapping[str, State] | None = None,
    ) -> None:
        if isinstance(options, str) or len(options) < 2:
            raise ValueError(f"options must be at least two answers, got {options!r}")
        if answer not in options:
            raise ValueError(f"answer must be one of {list(options)}, got {answer!r}")
        if reveal is not None and explorer is None:
            raise ValueError("reveal is a state of an explorer; pass explorer=, too")
        states = reveal if isinstance(reveal, Mapping) else dict.fromkeys(options, reveal)
        if unknown := set(states) - set(options):
            raise ValueError(
                f"reveal must be for answers in {list(options)}, got {sorted(unknown)}"
            )
        self._explorer, self._states = explorer, dict(states)
        super().__init__(
            _question=question,
            _options=[
                {
                    "text": text,
                    "why": why,
                    "is_right": text == answer,
                    "is_shown": states.get(text) is not None,
                }
                for text, why in options.items()
            ],
        )

    @traitlets.validate("chosen")
    def _check_chosen(self, proposal: dict[str, Any]) -> str:
        chosen: str = proposal["value"]
        if chosen and chosen not in {option["text"] for option in self._options}:
            raise traitlets.TraitError(f"chosen must be one of the answers, got {chosen!r}")
        return chosen

    @traitlets.observe("chosen")
    def _on_chosen(self, change: dict[str, Any]) -> None:
        state = self._states.get(change["new"])
        if self._explorer is not None and state is not None:
            self._explorer.go_to(state)

    def still_html(self) -> str:
        """Return the question, the answers and the folded solution as HTML."""
        answers = "".join(f"<li>{html.escape(option['text'])}</li>" for option in self._options)
        (right,) = (option for option in self._options if option["is_right"])
        solution = f"{html.escape(right['text'])}. {html.escape(right['why'])}"
        return (
            f'<div class="lzu-still"><p>{html.escape(self._question)}</p><ul>{answers}</ul>'
            f"<details><summary>Answer</summary><p>{solution}</p></details></div>"
            f"<style>{STYLE}</style>"
        )

    def __repr__(self) -> str:
        """Return a representation without a memory address."""
        return f"Quest({self._question!r})"
