"""Mentions whose fragments a free answer names in another order than the text's.

A line may name the pieces of a discontinuous mention in any order, or one piece twice. A mention's
fragments are sorted and apart (`examples.Entity`), and everything behind an answer relies on it:
records, formats of documents, scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from clinprompt.examples import Entity, EntityAnswer, Relation, RelationAnswer, Span, SpanAnswer
from clinprompt.verbalize import Parsed
from clinprompt.verbalize.parsed import canonical

Item = TypeVar("Item", Entity, Relation)


def in_order(parsed: Parsed) -> Parsed:
    """The same with each mention's fragments in the order of the text.

    A mention that has a character twice is none: it is left out and counted as unaligned, as is one
    that stands in the answer already.
    """
    answer = parsed.answer
    if isinstance(answer, SpanAnswer):
        spans = _sorted(answer.spans)
        if spans is None:
            return replace(parsed, answer=None, unaligned=parsed.unaligned + 1)
        return replace(parsed, answer=SpanAnswer(spans))
    if isinstance(answer, EntityAnswer):
        mentions = _kept([_entity(one) for one in answer.entities], parsed.lines)
        found = canonical(EntityAnswer(tuple(mentions)))
        return _counted(parsed, found, [mentions[one] for one in found.entities])
    if isinstance(answer, RelationAnswer):
        relations = _kept([_relation(one) for one in answer.relations], parsed.lines)
        listed = canonical(RelationAnswer(tuple(relations)))
        return _counted(parsed, listed, [relations[one] for one in listed.relations])
    return parsed


def apart(spans: Sequence[Span]) -> bool:
    """Whether they stand in the order of the text and have no character in common."""
    return all(before[1] <= after[0] for before, after in pairwise(spans))


def _kept(items: Sequence[Item | None], lines: Sequence[int]) -> dict[Item, int]:
    """What is left of the items, with the first line of each."""
    found: dict[Item, int] = {}
    for item, line in zip(items, lines, strict=True):
        if item is not None:
            found.setdefault(item, line)
    return found


def _counted(parsed: Parsed, answer: EntityAnswer | RelationAnswer, lines: list[int]) -> Parsed:
    lost = len(parsed.lines) - len(lines)
    return replace(parsed, answer=answer, unaligned=parsed.unaligned + lost, lines=tuple(lines))


def _entity(entity: Entity) -> Entity | None:
    spans = _sorted(entity.spans)
    return None if spans is None else replace(entity, spans=spans)


def _relation(relation: Relation) -> Relation | None:
    head, tail = _entity(relation.head), _entity(relation.tail)
    return None if head is None or tail is None else replace(relation, head=head, tail=tail)


def _sorted(spans: tuple[Span, ...]) -> tuple[Span, ...] | None:
    """In the order of the text; None if two have characters in common."""
    found = tuple(sorted(spans))
    return found if apart(found) else None
