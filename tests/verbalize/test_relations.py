from __future__ import annotations

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Entity,
    LabelAnswer,
    PairInput,
    Relation,
    RelationAnswer,
    Span,
    TextInput,
)
from clinprompt.tasks.card import Card
from clinprompt.verbalize import answer_text, canonical, input_text, instruction, options, parse

NOTE = "Aspirin caused rash. Codeine, like aspirin, caused nausea and rash."


def causes(head: Span, tail: Span) -> Relation:
    return Relation(Entity((head,), "Drug"), Entity((tail,), "Effect"), "CID")


def test_what_the_model_reads(cards: dict[str, Card]) -> None:
    assert instruction(cards["list"]) == (
        "Do it.\nWrite lines like 'causes: Drug -> Effect', 'acts with: Drug -> Drug', or 'none'."
    )
    assert input_text(cards["list"], TextInput(NOTE)) == f"Text: {NOTE}"
    assert instruction(cards["pair"]) == "Do it.\nAnswer with one of: yes, no, no relation."


@pytest.mark.parametrize(
    ("relations", "lines"),
    [
        ([], "none"),
        ([causes((0, 7), (15, 19))], "causes: Aspirin -> rash"),
        # A mention keeps its meaning from line to line.
        ([causes((21, 28), (51, 57)), causes((21, 28), (62, 66))],
         "causes: Codeine -> nausea\ncauses: Codeine -> rash [2]"),
        ([causes((21, 28), (62, 66)), causes((35, 42), (62, 66))],
         "causes: Codeine -> rash [2]\ncauses: aspirin -> rash"),
        ([causes((0, 7), (62, 66)), causes((21, 28), (15, 19))],
         "causes: Aspirin -> rash [2]\ncauses: Codeine -> rash [1]"),
    ],
)  # fmt: skip
def test_readable_lines(cards: dict[str, Card], relations: list[Relation], lines: str) -> None:
    answer = RelationAnswer(tuple(relations))
    assert answer_text(cards["list"], TextInput(NOTE), answer) == lines
    assert parse(cards["list"], TextInput(NOTE), lines).answer == canonical(answer)


@pytest.mark.parametrize(
    ("written", "count", "unaligned", "unparsable"),
    [
        ("CAUSES: ASPIRIN -> RASH", 1, 0, 0),
        ("causes: aspirin->rash", 1, 0, 0),
        ("causes: Aspirin -> rash\ncauses: Aspirin -> rash", 1, 1, 0),
        ("causes: Aspirin -> fever", 0, 1, 0),
        ("cures: Aspirin -> rash", 0, 0, 1),
        ("causes: Aspirin", 0, 0, 1),
        ("causes: Aspirin ->", 0, 0, 1),
        ("causes: Aspirin -> rash\ncau", 1, 0, 1),
        ("none", 0, 0, 0),
        ("", 0, 0, 1),
    ],
)
def test_what_a_model_may_write(
    cards: dict[str, Card], written: str, count: int, unaligned: int, unparsable: int
) -> None:
    parsed = parse(cards["list"], TextInput(NOTE), written)
    assert isinstance(parsed.answer, RelationAnswer)
    assert len(parsed.answer.relations) == count
    assert (parsed.unaligned, parsed.unparsable) == (unaligned, unparsable)


def test_a_mention_of_another_type_than_the_card_says_is_refused(cards: dict[str, Card]) -> None:
    drug = Entity(((0, 7),), "Drug")
    answer = RelationAnswer((Relation(drug, drug, "CID"),))
    with pytest.raises(ClinpromptError, match=r"CP-TEXT-006.*takes a 'Effect' here, not a 'Drug'"):
        answer_text(cards["list"], TextInput(NOTE), answer)
    unknown = RelationAnswer((Relation(drug, drug, "CIDs"),))
    with pytest.raises(ClinpromptError, match=r"CP-TEXT-003.*did you mean 'CID'"):
        answer_text(cards["list"], TextInput(NOTE), unknown)


def test_a_pair_is_marked_and_named_again(cards: dict[str, Card]) -> None:
    value = PairInput(NOTE, Entity(((35, 42),), "Drug"), Entity(((51, 57),), "Effect"))
    assert input_text(cards["pair"], value) == (
        "Text: Aspirin caused rash. Codeine, like <<aspirin>>, caused [[nausea]] and rash.\n"
        "Relation between <<aspirin>> and [[nausea]]?"
    )
    assert [text for _, text in options(cards["pair"], value)] == ["yes", "no", "no relation"]
    assert answer_text(cards["pair"], value, LabelAnswer("x")) == "no relation"
    assert parse(cards["pair"], value, "No.").answer == LabelAnswer("0")
    assert parse(cards["pair"], value, "no relation at all").answer == LabelAnswer("x")


def test_a_discontinuous_mention_is_named_on_one_line(cards: dict[str, Card]) -> None:
    value = PairInput("left\narm, leg", Entity(((0, 4), (10, 13)), "x"), Entity(((0, 8),), "x"))
    assert input_text(cards["pair"], value).splitlines()[-1] == (
        "Relation between <<left ... leg>> and [[left arm]]?"
    )


def test_a_pair_outside_its_text_is_refused(cards: dict[str, Card]) -> None:
    value = PairInput("ab", Entity(((0, 1),), "x"), Entity(((1, 9),), "x"))
    with pytest.raises(ClinpromptError, match="CP-TEXT-004"):
        input_text(cards["pair"], value)
