"""Free answers and summaries: the text itself, without white space at its ends."""

from __future__ import annotations

from clinprompt.examples import Answer, TextAnswer
from clinprompt.tasks.card import Card
from clinprompt.verbalize.parsed import Parsed, expect_answer


def answer_text(card: Card, answer: Answer) -> str:
    """The text; CP-TEXT-002 for another kind of answer."""
    return expect_answer(card, answer, TextAnswer).text.strip()


def parse(text: str) -> Parsed:
    """The text; one that says nothing is kept, and counted as unparsable."""
    text = text.strip()
    return Parsed(TextAnswer(text), unparsable=0 if text else 1)
