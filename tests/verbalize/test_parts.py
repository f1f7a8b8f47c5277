"""Inputs in two parts: the note, written alike for all tasks, and what else is asked."""

from __future__ import annotations

import pytest
from tests.inference import world

from clinprompt import verbalize
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Input, PremiseInput, QuestionInput, TextInput

NOTE = "  Pt denies fever.\nQuestion: none\n"
SHARED = "Text: Pt denies fever.\nQuestion: none"


@pytest.mark.parametrize(
    ("name", "value", "rest"),
    [
        ("mentions", TextInput(NOTE), ""),
        ("list", TextInput(NOTE), ""),
        ("summary", TextInput(NOTE), ""),
        ("summary", TextInput(NOTE, question=" Why? "), "Question: Why?"),
        ("span", QuestionInput("What?", NOTE), "Question: What?"),
        ("label", QuestionInput("Is it?", NOTE), "Question: Is it?"),
        ("choice", QuestionInput("Which?", NOTE, ("a", "b\nc")), "Question: Which?\nA) a\nB) b c"),
        ("nli", PremiseInput(NOTE, "No\nfever. "), "Hypothesis: No\nfever."),
    ],
)
def test_every_task_has_the_same_note(name: str, value: Input, rest: str) -> None:
    assert verbalize.input_parts(world.card(name), value) == (SHARED, rest)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", [card.name for card in world.cards()])
def test_nothing_is_lost_between_the_parts(name: str, seed: int) -> None:
    """Both parts hold every word that the whole input has, but the name of its first part."""
    card = world.card(name)
    value = world.an_input(card, seed)
    note, rest = verbalize.input_parts(card, value)
    named = ("Text:", "Context:", "Premise:")
    whole = [w for w in verbalize.input_text(card, value).split() if w not in named]
    assert [w for w in f"{note}\n{rest}".split() if w not in named] == whole


def test_a_question_without_context_has_no_note() -> None:
    card = world.card("answer")
    assert verbalize.input_parts(card, QuestionInput("Why?")) == ("", "Question: Why?")


def test_marks_stay_in_the_note() -> None:
    card = world.card("pair")
    note, rest = verbalize.input_parts(card, world.an_input(card, 0))
    assert "<<aspirin>>" in note
    assert "[[pain]]" in note
    assert rest == "Relation between <<aspirin>> and [[pain]]?"


def test_an_input_of_another_kind_is_refused() -> None:
    with pytest.raises(ClinpromptError) as caught:
        verbalize.input_parts(world.card("nli"), TextInput(NOTE))
    assert caught.value.code == "CP-TEXT-001"
