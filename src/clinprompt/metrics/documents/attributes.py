"""Clean counts of attributes (negation, assertion, status): end to end, and on what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from clinprompt.documents.model import Attribute, Document, Event, Link, Mention
from clinprompt.documents.pubtator_concepts import CHOSEN
from clinprompt.metrics.documents.assignment import best_pairs
from clinprompt.metrics.documents.cells import Cells
from clinprompt.metrics.documents.settings import Settings, SpanMatch
from clinprompt.metrics.documents.things import (
    Thing,
    event_thing,
    mention_thing,
    overlapping,
    relation_thing,
    resolve,
    same,
)

Property = tuple[str, str]  # name, value

TRUE = "true"  # the value of an attribute without one
EMPTY = "(empty)"
HANGING = "attributes of attributes, comments, or relations of relations"


class Holder(NamedTuple):
    """A thing and its properties (sorted; one that is repeated counts once)."""

    thing: Thing
    properties: tuple[Property, ...]


class Holders(NamedTuple):
    """Everything in a document that can have properties, and what has none of a known kind."""

    listed: list[Holder]
    left_out: Counter[str]


class AttributeCounts(NamedTuple):
    """Counts of one document, and how many of the paired things agree in all properties."""

    end_to_end: Cells
    on_matched: Cells
    matched: int
    agreeing: int


def holders(document: Document, settings: Settings) -> Holders:
    """Mentions, relations and events with their attributes, in a canonical order.

    Raises:
        ClinpromptError: CP-EVAL-105 to 107 for broken references and spans.
    """
    properties: dict[str, set[Property]] = {}
    left_out: Counter[str] = Counter()
    things: dict[str, Thing | None] = {}
    for one in document.annotations:
        if isinstance(one, Mention | Link | Event):
            things[one.id] = _thing(document, one, settings)
    for attribute in document.of(Attribute):
        target = resolve(document, attribute.target, attribute.id)
        if attribute.name in CHOSEN:  # says which concept a relation means: see `concepts`
            continue
        if things.get(attribute.target) is not None:
            value = TRUE if attribute.value is None else attribute.value or EMPTY
            properties.setdefault(attribute.target, set()).add((attribute.name, value))
        elif not isinstance(target, Mention | Event) and _wanted(target, settings):
            left_out[HANGING] += 1
    listed = sorted(
        Holder(thing, tuple(sorted(properties.get(name, ()))))
        for name, thing in things.items()
        if thing is not None
    )
    return Holders(listed, left_out)


def count_attributes(gold: Holders, predicted: Holders, match: SpanMatch) -> AttributeCounts:
    """Attributes of one document, by name and value.

    Things are paired one to one (equal ones, or overlapping ones of one type) so that as many
    properties agree as possible, and then so that as many things are paired as possible.
    """
    left, right = gold.listed, predicted.listed
    things = [holder.thing for holder in left], [holder.thing for holder in right]
    edges = same(*things) if match == "exact" else overlapping(*things)
    scale = 1 + min(len(left), len(right))
    weights = {
        (i, j): 1 + scale * len(set(left[i].properties) & set(right[j].properties))
        for i, j in edges
    }
    pairs = best_pairs(weights)
    whole, part = Cells(), Cells()
    _expect(whole, left)
    _predict(whole, right)
    _expect(part, [left[i] for i, _ in pairs])
    _predict(part, [right[j] for _, j in pairs])
    agreeing = 0
    for i, j in pairs:
        agreeing += left[i].properties == right[j].properties
        for pair in set(left[i].properties) & set(right[j].properties):
            whole.hit(pair)
            part.hit(pair)
    return AttributeCounts(whole, part, len(pairs), agreeing)


def _thing(document: Document, one: Mention | Link | Event, settings: Settings) -> Thing | None:
    """A thing of a type that is scored, else None."""
    if isinstance(one, Link):
        if not _wanted(one, settings):
            return None
        return relation_thing(document, one, directed=settings.directed)
    thing = mention_thing(document, one) if isinstance(one, Mention) else event_thing(document, one)
    return None if settings.labels and thing.label not in settings.labels else thing


def _wanted(target: object, settings: Settings) -> bool:
    chosen = settings.relation_labels
    return not (isinstance(target, Link) and chosen and target.label not in chosen)


def _expect(cells: Cells, side: Sequence[Holder]) -> None:
    for holder in side:
        for pair in holder.properties:
            cells.expect(pair)


def _predict(cells: Cells, side: Sequence[Holder]) -> None:
    for holder in side:
        for pair in holder.properties:
            cells.predict(pair)
