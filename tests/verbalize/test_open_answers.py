"""Extracted and free answers, and summaries."""

from __future__ import annotations

import pytest

from clinprompt.examples import QuestionInput, Span, SpanAnswer, TextAnswer, TextInput
from clinprompt.tasks.card import Card
from clinprompt.verbalize import Parsed, answer_text, input_text, instruction, parse

CONTEXT = "None of 12 died. None fell ill;\nfever was rare [3]. Fever was short."


def test_what_the_model_reads(cards: dict[str, Card]) -> None:
    assert instruction(cards["span"]) == "Do it.\nAnswer with words of the context, or 'none'."
    assert instruction(cards["free"]) == instruction(cards["sum"]) == "Do it."
    value = TextInput("A long note.\n", question="What now?")
    assert input_text(cards["sum"], value) == "Text: A long note.\nQuestion: What now?"


@pytest.mark.parametrize(
    ("spans", "written"),
    [
        ((), "none"),
        (((0, 4),), "None [1]"),  # the words, not the lack of an answer
        (((17, 21),), "None [2]"),
        (((22, 37),), "fell ill; fever"),
        (((32, 50),), r"fever was rare \[3]"),
        (((52, 57), (62, 67)), "Fever ... short"),
        (((32, 37), (62, 67)), "fever ... short"),
    ],
)
def test_extracted_words(cards: dict[str, Card], spans: tuple[Span, ...], written: str) -> None:
    value = QuestionInput("What?", CONTEXT)
    assert answer_text(cards["span"], value, SpanAnswer(spans)) == written
    assert parse(cards["span"], value, written) == Parsed(SpanAnswer(spans))


@pytest.mark.parametrize(
    ("written", "parsed"),
    [
        ("FELL   ILL", Parsed(SpanAnswer(((22, 30),)))),
        ("fell ill\nQuestion: more?", Parsed(SpanAnswer(((22, 30),)))),
        ("None.\nQuestion: more?", Parsed(SpanAnswer(()))),
        ("they recovered", Parsed(None, unaligned=1)),
        (" \n", Parsed(None, unparsable=1)),
    ],
)
def test_what_a_model_may_write(cards: dict[str, Card], written: str, parsed: Parsed) -> None:
    assert parse(cards["span"], QuestionInput("What?", CONTEXT), written) == parsed


def test_texts_keep_their_lines_but_not_the_space_around_them(cards: dict[str, Card]) -> None:
    value, answer = TextInput("A note."), TextAnswer("\n One.\n\nTwo. \n", ("Uno.",))
    assert answer_text(cards["sum"], value, answer) == "One.\n\nTwo."
    assert parse(cards["sum"], value, " One.\n\nTwo.\n") == Parsed(TextAnswer("One.\n\nTwo."))


@pytest.mark.parametrize("written", ["", " \n"])
def test_an_empty_text_is_kept_and_counted(cards: dict[str, Card], written: str) -> None:
    assert parse(cards["sum"], TextInput("a"), written) == Parsed(TextAnswer(""), unparsable=1)
    assert parse(cards["free"], QuestionInput("a"), written) == Parsed(TextAnswer(""), 0, 1)
