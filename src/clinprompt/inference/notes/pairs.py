"""Which pairs of a note's mentions a relation is asked of."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest

from clinprompt.examples import Entity
from clinprompt.tasks.card import Card
from clinprompt.verbalize.parsed import says_none

Kinds = frozenset[tuple[str, str]]  # labels of head and tail


def kinds_of(card: Card) -> Kinds | None:
    """The labels that head and tail have in a task's examples, as far as its card names them.

    They stand under `arguments`, or among the options of the reader: ``relations`` for all
    relations, or ``head.type`` and ``tail.type``.
    """
    if card.arguments:
        return frozenset(card.arguments.values())
    options = card.data.options
    relations = options.get("relations")
    if isinstance(relations, dict):
        return frozenset(pair for kinds in relations.values() for pair in _pair(kinds)) or None
    sides = [options.get(side) for side in ("head", "tail")]
    types = [side.get("type") for side in sides if isinstance(side, dict)]
    return frozenset(_pair(types)) or None


def candidates(
    mentions: Iterable[Entity], kinds: Kinds, most: int
) -> tuple[list[tuple[Entity, Entity]], int]:
    """Pairs of mentions with these labels, in the order of the text, and how many were left out.

    Args:
        mentions: of one note; equal ones count once.
        kinds: labels of head and tail.
        most: no more pairs than that; those that lie nearest to each other are taken.
    """
    by_label: dict[str, list[Entity]] = {}
    for mention in sorted(set(mentions)):
        by_label.setdefault(mention.label, []).append(mention)
    sides = [(by_label.get(head, []), by_label.get(tail, [])) for head, tail in sorted(kinds)]
    there = sum(len(heads) * len(tails) - len({*heads} & {*tails}) for heads, tails in sides)
    pairs = ((h, t) for heads, tails in sides for h in heads for t in tails if h != t)
    nearest = nsmallest(most, pairs, key=lambda pair: (_gap(*pair), pair))
    return sorted(nearest), there - len(nearest)


def unrelated(card: Card, label: str) -> bool:
    """Whether a label says that there is no relation: a negative one, or one written "none"."""
    return label in card.negative_labels or says_none(card.labels[label])


def _pair(value: object) -> list[tuple[str, str]]:
    """Two labels as one pair; nothing else gives any."""
    match value:
        case [str(head), str(tail)]:
            return [(head, tail)]
    return []


def _gap(one: Entity, other: Entity) -> int:
    """Characters between two mentions; 0 if they overlap."""
    return max(0, one.start - other.end, other.start - one.end)
