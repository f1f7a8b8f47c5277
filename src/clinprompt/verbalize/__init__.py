"""Examples to text, and generated text back to typed answers.

Whatever a reader can produce survives the way there and back:
``parse(card, x.input, answer_text(card, x.input, x.answer)).answer == canonical(x.answer)``.
And whatever a model can produce is read: `parse` raises on no text, it counts what it can't use.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from clinprompt.errors import ClinpromptError
from clinprompt.examples import (
    Answer,
    Input,
    PairInput,
    PremiseInput,
    QuestionInput,
    TaskType,
    TextInput,
)
from clinprompt.tasks.card import Card
from clinprompt.verbalize import ner, nli, qa, relations, summarization
from clinprompt.verbalize.parsed import Parsed, canonical

__all__ = [
    "Parsed",
    "answer_text",
    "canonical",
    "input_parts",
    "input_text",
    "instruction",
    "options",
    "parse",
]


class _TaskType(Protocol):
    """What the module of a task type offers."""

    def format_line(self, card: Card) -> str: ...
    def input_text(self, card: Card, value: Input) -> str: ...
    def answer_text(self, card: Card, value: Input, answer: Answer) -> str: ...
    def parse(self, card: Card, value: Input, text: str) -> Parsed: ...


_TYPES: dict[TaskType, _TaskType] = {
    "ner": ner,
    "re": relations,
    "qa": qa,
    "nli": nli,
    "sum": summarization,
}
_OPTIONS = {"re": relations.options, "qa": qa.options, "nli": nli.options}


def instruction(card: Card) -> str:
    """What every row of the task begins with: the card's instruction and the answer's form."""
    lines = (card.instruction.strip(), _TYPES[card.type].format_line(card))
    return "\n".join(line for line in lines if line)


def input_text(card: Card, value: Input) -> str:
    """The input as the model reads it, without the instruction.

    Raises:
        ClinpromptError: CP-TEXT-001 an input that does not fit the card's form; see the task
            type's module for the rest.
    """
    return _TYPES[card.type].input_text(card, value)


def input_parts(card: Card, value: Input) -> tuple[str, str]:
    """The input in two parts, for a prompt that stands between them.

    The first part is the note alone, written alike for all tasks, so that what the backbone makes
    of it serves all of them; "" for an input without a note. The second is what else is asked:
    question, choices, hypothesis, marked mentions. A pair's note holds its marks, so it is its own.

    Raises:
        ClinpromptError: as `input_text`.
    """
    whole = input_text(card, value)
    match value:
        case PairInput():
            note, _, rest = whole.rpartition("\n")
            return note, rest
        case TextInput(text=text, question=question):
            return _note(text), "" if question is None else f"Question: {question.strip()}"
        case QuestionInput(context=context):
            rest = input_text(card, replace(value, context=None))
            return "" if context is None else _note(context), rest
        case PremiseInput(premise=premise, hypothesis=hypothesis):
            return _note(premise), f"Hypothesis: {hypothesis.strip()}"


def _note(text: str) -> str:
    return f"Text: {text.strip()}"


def answer_text(card: Card, value: Input, answer: Answer) -> str:
    """The answer as the model shall write it: never empty but for an empty text.

    Raises:
        ClinpromptError: CP-TEXT-002 an answer that does not fit the card's form, CP-TEXT-003 a
            label the card lacks; see the task type's module for the rest.
    """
    return _TYPES[card.type].answer_text(card, value, answer)


def options(card: Card, value: Input) -> list[tuple[Answer, str]]:
    """Every answer that is possible, with how it is written, in a fixed order (closed forms).

    Raises:
        ClinpromptError: CP-TEXT-009 the card's form is an open one.
    """
    if not card.closed:
        raise ClinpromptError(
            "CP-TEXT-009", f"task '{card.name}' (form {card.form}) has no fixed set of answers"
        )
    return _OPTIONS[card.type](card, value)


def parse(card: Card, value: Input, text: str) -> Parsed:
    """The answer that `text`, written by a model, gives; raises on no text.

    Args:
        card: the task.
        value: the input that was answered: mentions are looked for in it.
        text: what the model wrote.
    """
    return _TYPES[card.type].parse(card, value, text)
