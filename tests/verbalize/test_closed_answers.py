"""Labels and letters: closed answers of questions and of NLI."""

from __future__ import annotations

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import LabelAnswer, PremiseInput, QuestionInput
from clinprompt.tasks.card import Card
from clinprompt.verbalize import answer_text, input_text, instruction, options, parse

CHOICES = QuestionInput("Which?", "A study.", ("Yes", "A\nfever", "Yes"))


def test_what_the_model_reads(cards: dict[str, Card]) -> None:
    assert instruction(cards["choice"]) == "Do it.\nAnswer with the letter."
    assert input_text(cards["choice"], CHOICES) == (
        "Context: A study.\nQuestion: Which?\nA) Yes\nB) A fever\nC) Yes"
    )
    assert input_text(cards["label"], QuestionInput(" Is it? ")) == "Question: Is it?"
    assert instruction(cards["nli"]) == "Do it.\nAnswer with one of: entailment, neutral, conflict."
    pair = PremiseInput("All is well.\n", "Nothing hurts.")
    assert input_text(cards["nli"], pair) == "Premise: All is well.\nHypothesis: Nothing hurts."


@pytest.mark.parametrize(
    ("written", "letter"),
    [
        ("B", "B"),
        (" b\n", "B"),
        ("(C)", "C"),
        ("c) Yes", "C"),
        ("B. A fever", "B"),
        ("B: because", "B"),
        ("A\nbecause", "A"),
        ("a fever", "B"),  # the text of a choice
        ("Yes", None),  # the text of two
        ("A dog", None),
        ("D", None),
        ("", None),
        ("?", None),
    ],
)
def test_letters(cards: dict[str, Card], written: str, letter: str | None) -> None:
    parsed = parse(cards["choice"], CHOICES, written)
    assert parsed.answer == (LabelAnswer(letter) if letter else None)
    assert (parsed.unaligned, parsed.unparsable) == (0, 0 if letter else 1)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("entailment", "e"),
        ("Entailment.", "e"),
        ("E", "e"),  # the label as the data have it
        ("neutral\nPremise: more", "n"),
        ("conflict, since they differ", "c"),
        ("neutrality", None),
        ("E is unclear", None),
        ("it is neutral", None),
        ("", None),
    ],
)
def test_labels(cards: dict[str, Card], written: str, label: str | None) -> None:
    parsed = parse(cards["nli"], PremiseInput("a", "b"), written)
    assert parsed.answer == (LabelAnswer(label) if label else None)
    assert (parsed.unaligned, parsed.unparsable) == (0, 0 if label else 1)


def test_white_space_in_a_labels_words_does_not_count(cards: dict[str, Card]) -> None:
    assert parse(cards["label"], QuestionInput("Is it?"), "maybe so").answer == LabelAnswer("m")


def test_options(cards: dict[str, Card]) -> None:
    assert options(cards["choice"], CHOICES) == [(LabelAnswer(c), c) for c in "ABC"]
    assert [text for _, text in options(cards["nli"], PremiseInput("a", "b"))] == [
        "entailment",
        "neutral",
        "conflict",
    ]
    with pytest.raises(ClinpromptError, match=r"CP-TEXT-009.*form span"):
        options(cards["span"], QuestionInput("Where?", "Here."))


@pytest.mark.parametrize("choices", [(), ("x",) * 27])
def test_choices_must_have_letters(cards: dict[str, Card], choices: tuple[str, ...]) -> None:
    with pytest.raises(ClinpromptError, match=f"CP-TEXT-007.*{len(choices)} choices"):
        input_text(cards["choice"], QuestionInput("Which?", None, choices))


@pytest.mark.parametrize("letter", ["D", "a", "AB", ""])
def test_a_letter_without_a_choice_is_refused(cards: dict[str, Card], letter: str) -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TEXT-008.*letters A-C"):
        answer_text(cards["choice"], CHOICES, LabelAnswer(letter))


def test_a_label_that_the_card_lacks_is_refused(cards: dict[str, Card]) -> None:
    with pytest.raises(ClinpromptError, match="CP-TEXT-003"):
        answer_text(cards["nli"], PremiseInput("a", "b"), LabelAnswer("entailment"))
