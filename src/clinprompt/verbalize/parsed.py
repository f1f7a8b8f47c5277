"""What reading an answer gives, answers in canonical order, and what all task types check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar, overload

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.examples import (
    Answer,
    Entity,
    EntityAnswer,
    Input,
    Relation,
    RelationAnswer,
    Span,
    TextAnswer,
    TextInput,
)
from clinprompt.tasks.card import Card

T = TypeVar("T")
ItemT = TypeVar("ItemT", Entity, Relation)
NONE = "none"
Fault = Literal["unaligned", "unparsable"]  # why a line gives nothing


@dataclass(frozen=True, slots=True)
class Parsed:
    """A generated answer, read.

    Attributes:
        answer: the typed answer, in canonical order; None if nothing could be made of the text.
        unaligned: lines left out because a mention is not in the text, or not often enough.
        unparsable: lines (or whole answers) left out because their form or label is unknown.
        lines: for lists, the line of the text (from 0) that each item of the answer stands on.
    """

    answer: Answer | None
    unaligned: int = 0
    unparsable: int = 0
    lines: tuple[int, ...] = ()


@overload
def canonical(answer: EntityAnswer) -> EntityAnswer: ...
@overload
def canonical(answer: RelationAnswer) -> RelationAnswer: ...
@overload
def canonical(answer: Answer) -> Answer: ...
def canonical(answer: Answer) -> Answer:
    """The one of all equivalent answers that `parse` gives.

    Entities are sorted by spans, then label; relations by head, then tail, then label; exact
    duplicates stand once. Texts have no white space at the ends. Other answers stay as they are.
    """
    match answer:
        case EntityAnswer(entities):
            return EntityAnswer(tuple(sorted(dict.fromkeys(entities))))
        case RelationAnswer(relations):
            return RelationAnswer(tuple(sorted(dict.fromkeys(relations))))
        case TextAnswer(text, references):
            return TextAnswer(text.strip(), references)
    return answer


def expect_input(card: Card, value: Input, kind: type[T]) -> T:
    """`value`, which must be a `kind`; CP-TEXT-001 otherwise."""
    if not isinstance(value, kind):
        raise ClinpromptError(
            "CP-TEXT-001",
            f"task '{card.name}' (form {card.form}) takes a {kind.__name__}, "
            f"not a {type(value).__name__}",
        )
    return value


def expect_answer(card: Card, answer: Answer, kind: type[T]) -> T:
    """`answer`, which must be a `kind`; CP-TEXT-002 otherwise."""
    if not isinstance(answer, kind):
        raise ClinpromptError(
            "CP-TEXT-002",
            f"task '{card.name}' (form {card.form}) is answered by a {kind.__name__}, "
            f"not a {type(answer).__name__}",
        )
    return answer


def words_of(card: Card, label: str) -> str:
    """The words that the card gives for `label`; CP-TEXT-003 if it does not know it."""
    if label not in card.labels:
        raise ClinpromptError(
            "CP-TEXT-003",
            f"label '{label}' is not on card '{card.name}'",
            hint=did_you_mean(label, card.labels),
        )
    return card.labels[label].strip()


def check_spans(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """`spans`, each not empty and inside `text`, at least one; CP-TEXT-004 otherwise."""
    spans = tuple(spans)
    for start, end in spans:
        if not 0 <= start < end <= len(text):
            raise ClinpromptError(
                "CP-TEXT-004",
                f"a mention at {start}-{end} is empty or outside its text of {len(text)} "
                "characters",
            )
    if not spans:
        raise ClinpromptError("CP-TEXT-005", "a mention has no span at all")
    return spans


def text_block(value: TextInput) -> str:
    """A text, and behind it the question that is asked of it, if any."""
    question = "" if value.question is None else f"\nQuestion: {value.question.strip()}"
    return f"Text: {value.text.strip()}{question}"


def read_lines(
    read: Callable[[str], ItemT | Fault],
    text: str,
    answer: Callable[[list[ItemT]], EntityAnswer | RelationAnswer],
) -> Parsed:
    """An answer of one item a line.

    Args:
        read: the item of a line, or why it has none; it never gives the same item twice.
        text: the lines; blank ones are passed over.
        answer: the answer of these items.
    """
    found: dict[ItemT, int] = {}
    faults = {"unaligned": 0, "unparsable": 0}
    lines = [(number, line) for number, line in enumerate(text.split("\n")) if line.strip()]
    if not (len(lines) == 1 and says_none(lines[0][1])):
        for number, line in lines:
            item = read(line)
            if isinstance(item, str):
                faults[item] += 1
            else:
                found[item] = number
        faults["unparsable"] += not lines
    items = sorted(found)
    return Parsed(answer(items), **faults, lines=tuple(found[item] for item in items))


def says_none(text: str) -> bool:
    """Whether `text` says that there is nothing to list."""
    return text.strip().strip(".").casefold() == NONE
