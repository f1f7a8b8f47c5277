"""Natural language inference: how a hypothesis stands to a premise, as a label of the card."""

from __future__ import annotations

from clinprompt.examples import Answer, Input, PremiseInput
from clinprompt.tasks.card import Card
from clinprompt.verbalize import labels
from clinprompt.verbalize.parsed import Parsed, expect_input

format_line = labels.format_line


def input_text(card: Card, value: Input) -> str:
    """Premise and hypothesis, each on lines of its own."""
    pair = expect_input(card, value, PremiseInput)
    return f"Premise: {pair.premise.strip()}\nHypothesis: {pair.hypothesis.strip()}"


def answer_text(card: Card, value: Input, answer: Answer) -> str:
    """The words of the label; see `labels.answer_text` for what is raised."""
    expect_input(card, value, PremiseInput)
    return labels.answer_text(card, answer)


def options(card: Card, value: Input) -> list[tuple[Answer, str]]:
    """Every label of the card with its words."""
    expect_input(card, value, PremiseInput)
    return labels.options(card)


def parse(card: Card, value: Input, text: str) -> Parsed:
    """The label that `text` is, or begins with."""
    expect_input(card, value, PremiseInput)
    return labels.parse(card, text)
