"""Typed examples: what a task asks (`Input`) and what it answers (`Answer`).

All offsets are half-open ``[start, end)`` and count Unicode code points of the input's ``text``.
Everything here is immutable and compares by value, so that a round trip can be checked with ``==``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

TaskType = Literal["ner", "re", "qa", "nli", "sum"]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A mention of a type.

    Attributes:
        spans: its fragments, sorted, each ``[start, end)``; more than one if discontinuous.
        label: its type.
        concept: identifier in a vocabulary (MeSH, ...) where annotated; not part of equality.
    """

    spans: tuple[Span, ...]
    label: str
    concept: str | None = field(default=None, compare=False)

    @property
    def start(self) -> int:
        """First character of the first fragment."""
        return self.spans[0][0]

    @property
    def end(self) -> int:
        """One past the last character of the last fragment."""
        return self.spans[-1][1]

    def surface(self, text: str) -> str:
        """The covered text, fragments joined by one space."""
        return " ".join(text[start:end] for start, end in self.spans)


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A directed, labelled pair of mentions."""

    head: Entity
    tail: Entity
    label: str


# ---- inputs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text to annotate or to summarise (NER, relation listing, summarization).

    Attributes:
        text: the note.
        question: what a summary shall answer, where a task has one.
        mentions: annotated mentions with concepts, for scoring at concept level only. They are
            never shown to the model.
    """

    text: str
    question: str | None = None
    mentions: tuple[Entity, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class PairInput:
    """A text with two marked mentions whose relation is asked (relation classification)."""

    text: str
    head: Entity
    tail: Entity


@dataclass(frozen=True, slots=True)
class QuestionInput:
    """A question, with a context and answer options where the task has them.

    Attributes:
        choices: answer texts of a multiple-choice question in order A, B, C, ...; empty for other
            forms (yes/no/maybe and other fixed answers stand in the card's labels).
    """

    question: str
    context: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PremiseInput:
    """Two texts whose logical relation is asked (NLI)."""

    premise: str
    hypothesis: str


Input = TextInput | PairInput | QuestionInput | PremiseInput


# ---- answers -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EntityAnswer:
    """Mentions in the order of the text (NER); may be empty."""

    entities: tuple[Entity, ...]


@dataclass(frozen=True, slots=True)
class RelationAnswer:
    """Relations in the order of the text (relation listing); may be empty."""

    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """A closed answer: a label of the card, or the letter A, B, ... of a choice."""

    label: str


@dataclass(frozen=True, slots=True)
class SpanAnswer:
    """An extractive answer: ``context[start:end]``; ``()`` where the context has no answer."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """A free answer or a summary.

    Attributes:
        text: the answer to learn from.
        references: further accepted answers, for scoring.
    """

    text: str
    references: tuple[str, ...] = field(default=(), compare=False)


Answer = EntityAnswer | RelationAnswer | LabelAnswer | SpanAnswer | TextAnswer


@dataclass(frozen=True, slots=True)
class Example:
    """One input with its gold answer (None where it is not known).

    Attributes:
        id: unique inside its task.
        document: the document it comes from: the unit of splits, leakage checks and bootstrap.
    """

    id: str
    document: str
    input: Input
    answer: Answer | None = None


def source_text(value: Input) -> str:
    """The text that an answer's offsets point into ("" for an input without one)."""
    match value:
        case TextInput(text=text) | PairInput(text=text):
            return text
        case QuestionInput(context=context):
            return context or ""
        case PremiseInput():
            return ""
