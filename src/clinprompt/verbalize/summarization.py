"""Summaries of a text, with a question to answer where the task has one."""

from __future__ import annotations

from clinprompt.examples import Answer, Input, TextInput
from clinprompt.tasks.card import Card
from clinprompt.verbalize import free
from clinprompt.verbalize.parsed import Parsed, expect_input, text_block


def format_line(card: Card) -> str:
    """Nothing: a summary has no form of its own."""
    return ""


def input_text(card: Card, value: Input) -> str:
    """The text, and behind it the question, if any; CP-TEXT-001 for another kind of input."""
    return text_block(expect_input(card, value, TextInput))


def answer_text(card: Card, value: Input, answer: Answer) -> str:
    """The summary; see `free.answer_text` for what is raised."""
    expect_input(card, value, TextInput)
    return free.answer_text(card, answer)


def parse(card: Card, value: Input, text: str) -> Parsed:
    """The summary, as generated."""
    expect_input(card, value, TextInput)
    return free.parse(text)
