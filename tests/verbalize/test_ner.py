from __future__ import annotations

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, EntityAnswer, PremiseInput, Span, TextAnswer, TextInput
from clinprompt.tasks.card import Card
from clinprompt.verbalize import answer_text, canonical, input_text, instruction, parse


def disease(*spans: Span) -> Entity:
    return Entity(spans, "D")


NOTE = "Familial breast cancer runs in the family; breast cancer, breast\nor lung cancer."


def test_what_the_model_reads(cards: dict[str, Card]) -> None:
    card = cards["ner"]
    assert instruction(card) == (
        "Do it.\nWrite lines like 'label: mention', or 'none'. Labels: Disease, Chemical compound."
    )
    assert input_text(card, TextInput(" No pain.\n")) == "Text: No pain."
    single = card.model_copy(update={"labels": {"D": "Disease"}})
    assert instruction(single) == "Do it.\nWrite lines like 'Disease: mention', or 'none'."


@pytest.mark.parametrize(
    ("entities", "lines"),
    [
        ([], "none"),
        ([disease((0, 22)), disease((43, 56))], "Disease: Familial breast cancer\n"
            "Disease: breast cancer"),
        ([disease((43, 56))], "Disease: breast cancer [2]"),  # the first one is not annotated
        ([disease((0, 22)), disease((9, 22))], "Disease: Familial breast cancer\n"
            "Disease: breast cancer [1]"),  # nested, and the words come again
        ([disease((9, 22)), disease((43, 56))], "Disease: breast cancer\nDisease: breast cancer"),
        ([disease((58, 64), (73, 79)), disease((68, 79))], "Disease: breast [3] ... cancer\n"
            "Disease: lung cancer"),
        ([Entity(((0, 8),), "C"), disease((0, 8))], "Chemical compound: Familial\n"
            "Disease: Familial"),
        ([disease((58, 67))], "Disease: breast or"),
        ([disease((64, 65))], r"Disease: \n"),
    ],
)  # fmt: skip
def test_readable_lines(cards: dict[str, Card], entities: list[Entity], lines: str) -> None:
    answer = EntityAnswer(tuple(entities))
    assert answer_text(cards["ner"], TextInput(NOTE), answer) == lines
    parsed = parse(cards["ner"], TextInput(NOTE), lines)
    assert parsed.answer == canonical(answer)
    assert (parsed.unaligned, parsed.unparsable) == (0, 0)


@pytest.mark.parametrize(
    ("written", "spans", "unaligned", "unparsable"),
    [
        ("disease: FAMILIAL  BREAST CANCER", [(0, 22)], 0, 0),  # case and white space
        ("D: familial", [(0, 8)], 0, 0),  # the label itself
        (" - Disease : Familial \r\n\n", [(0, 8)], 0, 0),
        ("Disease: measles\nDisease: Familial", [(0, 8)], 1, 0),  # not in the text
        ("Illness: Familial", [], 0, 1),  # unknown label
        ("Disease: lung\nDisease: lung", [(68, 72)], 1, 0),  # more often than in the text
        ("Disease: lung [1]\nDisease: lung [1]", [(68, 72)], 1, 0),
        ("Disease: lung cancer\nDisease: Familial", [(0, 8), (68, 79)], 0, 0),  # out of order
        ("Disease: Familial\nDisease: lung ca\nDis", [(0, 8), (68, 75)], 0, 1),  # cut off
        ("Disease: Familial\nDisease:", [(0, 8)], 0, 1),
        ("Disease: Familial\nnone", [(0, 8)], 0, 1),
        ("None.", [], 0, 0),
        ("", [], 0, 1),
        (" \n ", [], 0, 1),
        ("I see no disease here.", [], 0, 1),
        ("Disease: breast [9]", [], 1, 0),
        ("Disease: Familial ... ", [(0, 8)], 0, 0),
    ],
)
def test_what_a_model_may_write(
    cards: dict[str, Card], written: str, spans: list[Span], unaligned: int, unparsable: int
) -> None:
    parsed = parse(cards["ner"], TextInput(NOTE), written)
    assert parsed.answer == EntityAnswer(tuple(disease(span) for span in spans))
    assert (parsed.unaligned, parsed.unparsable) == (unaligned, unparsable)


@pytest.mark.parametrize(
    ("text", "entities", "lines"),
    [
        ("breast cancer; familial breast cancer", [disease((15, 37)), disease((24, 37))],
         "Disease: familial breast cancer\nDisease: breast cancer"),
        ("pain in arm and leg", [disease((0, 4)), disease((0, 4), (16, 19))],
         "Disease: pain\nDisease: pain ... leg"),
    ],
)  # fmt: skip
def test_nested_and_shared_words_need_no_number(
    cards: dict[str, Card], text: str, entities: list[Entity], lines: str
) -> None:
    answer = EntityAnswer(tuple(entities))
    assert answer_text(cards["ner"], TextInput(text), answer) == lines
    assert parse(cards["ner"], TextInput(text), lines).answer == answer


def test_a_forgotten_line_does_not_shift_the_ones_behind_it(cards: dict[str, Card]) -> None:
    text = "Fever on day 1. Cough, fever on day 2. Rash, fever on day 3."
    lines = "Disease: Cough\nDisease: fever\nDisease: Rash\nDisease: fever"
    answer = parse(cards["ner"], TextInput(text), lines).answer
    assert isinstance(answer, EntityAnswer)
    assert [entity.start for entity in answer.entities] == [16, 23, 39, 45]


@pytest.mark.parametrize(
    ("entity", "code"),
    [
        (Entity(((0, 3),), "Diseas"), "CP-TEXT-003"),
        (disease((0, 9)), "CP-TEXT-004"),
        (disease((2, 2)), "CP-TEXT-004"),
        (disease((-1, 2)), "CP-TEXT-004"),
        (disease(), "CP-TEXT-005"),
    ],
)
def test_impossible_entities_are_refused(cards: dict[str, Card], entity: Entity, code: str) -> None:
    with pytest.raises(ClinpromptError) as error:
        answer_text(cards["ner"], TextInput("ache"), EntityAnswer((entity,)))
    assert error.value.code == code
    assert "ache" not in str(error.value)


def test_other_inputs_and_answers_are_refused(cards: dict[str, Card]) -> None:
    with pytest.raises(ClinpromptError, match=r"CP-TEXT-001.*TextInput, not a PremiseInput"):
        parse(cards["ner"], PremiseInput("a", "b"), "none")
    with pytest.raises(ClinpromptError, match=r"CP-TEXT-002.*EntityAnswer, not a TextAnswer"):
        answer_text(cards["ner"], TextInput("a"), TextAnswer("a"))
