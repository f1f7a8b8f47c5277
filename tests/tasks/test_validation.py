from __future__ import annotations

from typing import Any

import pytest

from clinprompt.examples import (
    Entity,
    EntityAnswer,
    Example,
    LabelAnswer,
    PairInput,
    PremiseInput,
    QuestionInput,
    Relation,
    RelationAnswer,
    SpanAnswer,
    TextAnswer,
    TextInput,
)
from clinprompt.tasks.card import Card
from clinprompt.tasks.validation import complaints

TEXT = "aspirin causes asthma"
DRUG, EFFECT = Entity(((0, 7),), "Drug"), Entity(((15, 21),), "Effect")


def card(kind: str, form: str, **changes: Any) -> Card:
    base: dict[str, Any] = {
        "name": "toy",
        "type": kind,
        "form": form,
        "title": "A toy",
        "instruction": "Do.",
        "metric": "accuracy",
        "data": {"reader": "rows"},
        "license": "none",
        "citation": "none",
        "labels": {"Drug": "drug", "Effect": "effect"},
    }
    return Card.model_validate({**base, **changes})


NER = card("ner", "mentions")
LIST = card("re", "list", labels={"ADE": "causes"}, arguments={"ADE": ("Drug", "Effect")})
PAIR = card("re", "pair", labels={"yes": "yes"})
CHOICE = card("qa", "choice", labels={})
SPAN = card("qa", "span", labels={})
FREE = card("qa", "text", labels={})
NLI = card("nli", "label", labels={"yes": "yes"})
SUM = card("sum", "text", labels={})


def codes(task: Card, value: Any, answer: Any) -> list[str]:
    found = complaints(task, {"train": [Example("e1", "d1", value, answer)]})
    errors = list(found)
    assert not any(TEXT in str(error) or "aspirin" in str(error) for error in errors)
    return [error.code.removeprefix("CP-TASK-") for error in errors]


def entities(*spans: tuple[tuple[int, int], ...], label: str = "Drug") -> EntityAnswer:
    return EntityAnswer(tuple(Entity(span, label) for span in spans))


@pytest.mark.parametrize(
    ("task", "value", "answer"),
    [
        (NER, TextInput(TEXT), EntityAnswer((DRUG, EFFECT))),
        (NER, TextInput(TEXT), EntityAnswer(())),
        (NER, TextInput(TEXT), entities(((0, 7),), ((0, 3), (8, 14)), ((1, 2),))),
        (LIST, TextInput(TEXT), RelationAnswer((Relation(DRUG, EFFECT, "ADE"),))),
        (PAIR, PairInput(TEXT, DRUG, EFFECT), LabelAnswer("yes")),
        (CHOICE, QuestionInput("Which?", None, ("a", "b")), LabelAnswer("B")),
        (SPAN, QuestionInput("Which?", TEXT), SpanAnswer(((0, 7),))),
        (SPAN, QuestionInput("Which?", TEXT), SpanAnswer(())),
        (FREE, QuestionInput("Which?"), TextAnswer("aspirin")),
        (NLI, PremiseInput(TEXT, "a drug"), LabelAnswer("yes")),
        (SUM, TextInput(TEXT, "Which?"), TextAnswer("aspirin")),
    ],
)
def test_fine_examples(task: Card, value: Any, answer: Any) -> None:
    assert codes(task, value, answer) == []


@pytest.mark.parametrize(
    ("task", "value", "answer", "code"),
    [
        (NER, QuestionInput(TEXT), EntityAnswer(()), "042"),
        (NER, TextInput(TEXT), None, "043"),
        (NER, TextInput(TEXT), LabelAnswer("Drug"), "044"),
        (NER, TextInput(" \n"), EntityAnswer(()), "045"),
        (SUM, TextInput(TEXT, ""), TextAnswer("aspirin"), "045"),
        (NLI, PremiseInput(TEXT, " "), LabelAnswer("yes"), "045"),
        (CHOICE, QuestionInput("Which?", None, ("a", "")), LabelAnswer("A"), "045"),
        (LIST, TextInput(TEXT), RelationAnswer((Relation(EFFECT, DRUG, "ADE"),)), "046"),
        (LIST, TextInput(TEXT), RelationAnswer((Relation(DRUG, EFFECT, "ADE"),) * 2), "047"),
        (SUM, TextInput(TEXT), TextAnswer(" "), "048"),
        (NLI, PremiseInput(TEXT, "a drug"), LabelAnswer("no"), "049"),
        (NER, TextInput(TEXT), entities(((0, 7),), label="drug"), "049"),
        (CHOICE, QuestionInput("Which?", None, ("a", "b")), LabelAnswer("C"), "050"),
        (NER, TextInput(TEXT), entities(()), "051"),
        (NER, TextInput(TEXT), entities(((15, 99),)), "052"),
        (NER, TextInput(TEXT), entities(((7, 0),)), "052"),
        (NER, TextInput(TEXT), entities(((3, 3),)), "052"),
        (NER, TextInput(TEXT), entities(((-2, 3),)), "052"),
        (PAIR, PairInput(TEXT, Entity(((0, 50),), "Drug"), EFFECT), LabelAnswer("yes"), "052"),
        (SPAN, QuestionInput("Which?", TEXT), SpanAnswer(((0, 50),)), "052"),
        (NER, TextInput(TEXT, mentions=(Entity(((0, 50),), "Drug"),)), EntityAnswer(()), "052"),
        (NER, TextInput(TEXT), entities(((8, 14), (0, 7))), "053"),
        (NER, TextInput(TEXT), entities(((0, 7), (5, 9))), "053"),
        (NER, TextInput(TEXT), entities(((15, 21),), ((0, 7),)), "054"),
        (NER, TextInput(TEXT), entities(((0, 7),), ((0, 7),)), "055"),
    ],
)
def test_what_is_refused(task: Card, value: Any, answer: Any, code: str) -> None:
    assert codes(task, value, answer) == [code]


def test_an_inverted_span_is_told_as_such() -> None:
    example = Example("e1", "d1", TextInput(TEXT), entities(((7, 0),)))
    (error,) = complaints(NER, {"train": [example]})
    assert "toy, train, example 'e1': mention of type 'Drug': characters 7-0" in error.message
    assert "the end lies before the start" in error.message


def test_a_label_gets_the_nearest_and_a_long_one_is_not_quoted() -> None:
    def message(label: str) -> str:
        example = Example("e1", "d1", PremiseInput("a", "b"), LabelAnswer(label))
        (error,) = complaints(NLI, {"train": [example]})
        return str(error)

    assert "label 'Yes' is not on the card; did you mean 'yes'?" in message("Yes")
    assert "patient" not in message("the patient was seen by the doctor on Monday morning")


def test_ids_that_stand_twice_and_empty_splits() -> None:
    example = Example("e1", "d1", TextInput(TEXT), EntityAnswer(()))
    found = list(complaints(NER, {"train": [example, example], "dev": [], "test": [example]}))
    assert [error.code for error in found] == ["CP-TASK-041", "CP-TASK-040", "CP-TASK-041"]
    assert "again in 'train'" in found[0].message
    assert "in 'train' and 'test'" in found[2].message
