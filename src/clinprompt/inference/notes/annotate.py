"""Answers about a note become its annotations.

=====================  ==========================================================================
answer                 annotation
=====================  ==========================================================================
mentions               mentions; with a concept, a normalization each
relations (list, pair) relations with the arguments ``Arg1`` and ``Arg2``, and their mentions
extracted answer       a mention that has the task's name as its label
label, text, summary   metadata under the task's name
=====================  ==========================================================================

A mention that stands there already with the same label and fragments (the note's own, or found by
another task) is not added again, nor is an equal relation. Metadata under the name of a task that
is asked are replaced, also where its answer could not be used. Metadata ``clinprompt.truncated``,
``clinprompt.unfinished``, ``clinprompt.unusable`` and ``clinprompt.unanswered`` name the tasks of
which a note's end was not read, whose answer broke off, whose answer could not be used, and that
could not be asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Link,
    Mention,
    Normalization,
)
from clinprompt.examples import (
    Entity,
    EntityAnswer,
    LabelAnswer,
    PairInput,
    Relation,
    RelationAnswer,
    Span,
    SpanAnswer,
    TextAnswer,
)
from clinprompt.inference.notes.found import Found
from clinprompt.inference.notes.pairs import unrelated
from clinprompt.inference.notes.plan import Existing, Plan

_FLAG = "clinprompt."
_HEAD, _TAIL = "Arg1", "Arg2"
NAMELESS = "concept"  # resource of a concept that does not name its vocabulary


def annotated(
    document: Document, found: Sequence[Found], plan: Plan, unanswered: Iterable[str] = ()
) -> Document:
    """The document with what was found in it.

    Args:
        document: as it was read.
        found: answers about it.
        plan: what was asked, and what becomes of the document's own annotations.
        unanswered: tasks that it could not be asked.
    """
    page = _Page(document, kept_annotations(document, plan.existing))
    facts: dict[str, str] = {}
    for one in found:
        facts |= _put(page, one, plan)
    facts |= {
        f"{_FLAG}{flag}": ", ".join(dict.fromkeys(names))
        for flag, names in {
            "truncated": [one.task for one in found if one.truncated],
            "unfinished": [one.task for one in found if one.unfinished],
            "unusable": [one.task for one in found if one.answer is None],
            "unanswered": list(unanswered),
        }.items()
        if names
    }
    # What stands under a task's name already is an answer of another time: never this one's.
    asked = [*(one.task for one in found), *unanswered]
    gone = facts.keys() | {name for task in asked for name in (task, f"{task}.confidence")}
    own = tuple(pair for pair in document.metadata if pair[0] not in gone)
    return replace(
        document, annotations=tuple(page.annotations), metadata=own + tuple(facts.items())
    )


def kept_annotations(document: Document, existing: Existing | None) -> tuple[Annotation, ...]:
    """The annotations of its own that a document keeps, in their order."""
    if existing == "keep":
        return document.annotations
    if existing != "mentions":
        return ()
    kept = {mention.id for mention in document.mentions}
    attached = (Normalization, Attribute, Comment)
    while more := {
        one.id
        for one in document.annotations
        if isinstance(one, attached) and one.target in kept and one.id not in kept
    }:
        kept |= more  # a comment may stand on an attribute
    return tuple(
        one
        for one in document.annotations
        if (kept.issuperset(one.members) if isinstance(one, Equivalence) else one.id in kept)
    )


class _Page:
    """Annotations of one document, to which more are added."""

    def __init__(self, document: Document, kept: Sequence[Annotation]) -> None:
        self.text = document.text
        self.annotations: list[Annotation] = list(kept)
        self._ids = {one.id for one in kept if not isinstance(one, Equivalence)}
        self._last = {"T": 0, "R": 0, "N": 0}
        self._mentions: dict[tuple[str, tuple[Span, ...]], str] = {}
        self._links: set[tuple[str, str, str]] = set()
        self._concepts: set[tuple[str, str]] = set()
        for one in kept:
            if isinstance(one, Mention):
                self._mentions.setdefault((one.label, one.spans), one.id)
            elif isinstance(one, Link) and len(one.arguments) == 2:
                head, tail = (argument.target for argument in one.arguments)
                self._links.add((one.label, head, tail))
            elif isinstance(one, Normalization):
                self._concepts.add((one.target, f"{one.resource}:{one.accession}"))

    def mention(self, entity: Entity, confidence: float | None = None) -> str:
        """The id of a mention, added where there is none like it."""
        key = (entity.label, entity.spans)
        if key not in self._mentions:
            self._mentions[key] = self._new("T")
            self.annotations.append(
                Mention(self._mentions[key], entity.label, entity.spans, confidence)
            )
        name = self._mentions[key]
        for concept in (entity.concept or "").split("|"):  # a composite mention has several
            if concept.strip():
                self._concept(name, concept.strip())
        return name

    def link(self, relation: Relation, confidence: float | None = None) -> None:
        """A relation with its mentions, added where there is none like it."""
        head, tail = self.mention(relation.head), self.mention(relation.tail)
        if (relation.label, head, tail) not in self._links:
            self._links.add((relation.label, head, tail))
            arguments = (Argument(_HEAD, head), Argument(_TAIL, tail))
            self.annotations.append(Link(self._new("R"), relation.label, arguments, confidence))

    def _concept(self, mention: str, concept: str) -> None:
        resource, colon, accession = concept.partition(":")
        if not colon:
            resource, accession = NAMELESS, concept
        if (mention, f"{resource}:{accession}") not in self._concepts:
            self._concepts.add((mention, f"{resource}:{accession}"))
            self.annotations.append(Normalization(self._new("N"), mention, resource, accession))

    def _new(self, letter: str) -> str:
        """The next id that is free."""
        while True:
            self._last[letter] += 1
            name = f"{letter}{self._last[letter]}"
            if name not in self._ids:
                self._ids.add(name)
                return name


def _put(page: _Page, found: Found, plan: Plan) -> dict[str, str]:
    """Add an answer; what it says about the whole note is returned as metadata."""
    task = found.task
    confidence = found.confidence[0] if found.confidence else None
    match found.answer:
        case EntityAnswer(entities=entities):
            for entity, share in _with(entities, found):
                page.mention(entity, share)
        case RelationAnswer(relations=relations):
            for relation, share in _with(relations, found):
                page.link(relation, share)
        case LabelAnswer(label=label) if isinstance(found.input, PairInput):
            if not unrelated(plan.cards[task], label):
                page.link(Relation(found.input.head, found.input.tail, label), confidence)
        case LabelAnswer(label=label):
            share = {} if confidence is None else {f"{task}.confidence": f"{confidence:.6g}"}
            return {task: label, **share}
        case SpanAnswer(spans=spans):
            if spans:
                page.mention(Entity(spans, task), confidence)
            return {task: " ".join(page.text[start:end] for start, end in spans)}
        case TextAnswer(text=text):
            return {task: text}
    return {}


def _with(items: Sequence[Entity] | Sequence[Relation], found: Found) -> list[tuple]:  # type: ignore[type-arg]
    return list(zip_longest(items, found.confidence[: len(items)]))
