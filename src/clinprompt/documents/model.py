"""A document with its annotations: what every format is read into and written from.

All offsets are half-open ``[start, end)`` and count Unicode code points of `Document.text`, which
is kept exactly as it was read (line ends included). Annotations keep the order and the ids of their
file, so that a round trip can be checked with ``==``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from clinprompt.examples import Span


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of text with a type: an entity, or the trigger of an event.

    Attributes:
        id: unique in its document, such as ``T1``.
        label: its type.
        spans: its fragments, sorted and not overlapping; more than one if discontinuous.
        confidence: probability in [0, 1] where a model gave one.
    """

    id: str
    label: str
    spans: tuple[Span, ...]
    confidence: float | None = None

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


@dataclass(frozen=True, slots=True)
class Argument:
    """What takes part in a relation or event: a role and the id of a mention or event."""

    role: str
    target: str


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between mentions or events, such as ``R1 Causes Arg1:T1 Arg2:T2``."""

    id: str
    label: str
    arguments: tuple[Argument, ...]
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger with arguments; its type is its trigger's label.

    Attributes:
        id: such as ``E1``.
        trigger: id of the mention that is its trigger.
        arguments: in the order of the file; a role may come up more than once.
    """

    id: str
    trigger: str
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of a mention, relation or event; `value` is None for one that is just true."""

    id: str
    name: str
    target: str
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Normalization:
    """A mention's entry in a vocabulary, ``resource:accession`` (``MeSH:D003000``)."""

    id: str
    target: str
    resource: str
    accession: str
    name: str = ""
    label: str = "Reference"


@dataclass(frozen=True, slots=True)
class Comment:
    """An annotator's note on an annotation."""

    id: str
    label: str
    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Mentions that stand for the same thing (BRAT's ``*`` lines, which have no id)."""

    label: str
    members: tuple[str, ...]


Annotation = Mention | Link | Event | Attribute | Normalization | Comment | Equivalence
A = TypeVar("A", bound=Annotation)


@dataclass(frozen=True, slots=True)
class Passage:
    """A named part of the text (title, abstract, a section), as formats with passages have it."""

    span: Span
    name: str


@dataclass(frozen=True)
class Document:
    """A text with annotations.

    Attributes:
        id: its name inside a collection: a file's path without its ending, with ``/``.
        text: exactly as it was read.
        annotations: in the order of the file.
        passages: named parts of the text, in order; may be empty.
        metadata: further facts by name (a date, a patient's pseudonym, a label of the whole
            document), which formats that can hold them keep.
    """

    id: str
    text: str
    annotations: tuple[Annotation, ...] = ()
    passages: tuple[Passage, ...] = ()
    metadata: tuple[tuple[str, str], ...] = field(default=())

    def of(self, kind: type[A]) -> Iterator[A]:
        """Its annotations of one kind, in order."""
        return (one for one in self.annotations if isinstance(one, kind))

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """Entities and triggers, in order."""
        return tuple(self.of(Mention))

    @property
    def links(self) -> tuple[Link, ...]:
        """Relations, in order."""
        return tuple(self.of(Link))

    @property
    def events(self) -> tuple[Event, ...]:
        """Events, in order."""
        return tuple(self.of(Event))

    @cached_property
    def by_id(self) -> dict[str, Annotation]:
        """Annotations that have an id, by it."""
        return {one.id: one for one in self.annotations if not isinstance(one, Equivalence)}
