"""Relations between concepts of a document, as in the BioCreative V chemical-disease task.

A concept is a set of identifiers: a composite mention such as ``D006470|D003556`` stands for any
of them, and two concepts agree if they share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Relation, RelationAnswer, TextInput
from clinprompt.metrics.items import Item

_Concept = frozenset[str]
_Pair = tuple[_Concept, _Concept]


def concept_counts(items: Sequence[Item]) -> dict[str, tuple[int, int, int]]:
    """Relation label -> (tp, fp, fn) over the distinct concept pairs of one document.

    tp: gold pairs met by at least one predicted pair; fn: the other gold pairs; fp: predicted
    pairs that meet no gold pair, among them those with a mention that has no concept.

    Raises:
        ClinpromptError: CP-EVAL-007 a mention of a gold relation has no concept.
    """
    gold: dict[str, set[_Pair]] = {}
    predicted: dict[str, set[_Pair]] = {}
    for item in items:
        for relation in _relations(item.gold):
            pair = _gold(item, relation.head), _gold(item, relation.tail)
            gold.setdefault(relation.label, set()).add(pair)
        concepts = _Mentions(item)
        for relation in _relations(item.predicted):
            pair = concepts.of(relation.head), concepts.of(relation.tail)
            predicted.setdefault(relation.label, set()).add(pair)
    counts = {}
    for label in gold.keys() | predicted.keys():
        wanted, found = gold.get(label, set()), predicted.get(label, set())
        tp = sum(any(_agree(pair, other) for other in found) for pair in wanted)
        fp = sum(not any(_agree(pair, other) for other in wanted) for pair in found)
        counts[label] = (tp, fp, len(wanted) - tp)
    return counts


class _Mentions:
    """Finds the concept of a predicted mention among the annotated ones of an input."""

    def __init__(self, item: Item) -> None:
        value = item.input
        self.text = value.text if isinstance(value, TextInput) else ""
        self.by_span: dict[tuple[object, ...], _Concept] = {}
        self.by_surface: dict[tuple[str, str], _Concept] = {}
        for mention in value.mentions if isinstance(value, TextInput) else ():
            if ids := identifiers(mention.concept):
                span, surface = self._keys(mention)
                self.by_span[span] = self.by_span.get(span, frozenset()) | ids
                self.by_surface[surface] = self.by_surface.get(surface, frozenset()) | ids

    def of(self, entity: Entity) -> _Concept:
        """By exact spans, else by surface, of the same type; else a set that agrees with none."""
        span, surface = self._keys(entity)
        unknown = frozenset({f"\0{surface[1]}"})  # equal surfaces stay one prediction
        return self.by_span.get(span) or self.by_surface.get(surface) or unknown

    def _keys(self, entity: Entity) -> tuple[tuple[object, ...], tuple[str, str]]:
        surface = " ".join(entity.surface(self.text).casefold().split())
        return (entity.label, *sorted(entity.spans)), (entity.label, surface)


def identifiers(concept: str | None) -> _Concept:
    """The identifiers in a concept field; composite ones are joined by ``|``."""
    return frozenset(part.strip() for part in (concept or "").split("|") if part.strip())


def _gold(item: Item, mention: Entity) -> _Concept:
    ids = identifiers(mention.concept)
    if not ids:
        raise ClinpromptError(
            "CP-EVAL-007",
            f"item '{item.id}': the gold mention at {mention.start}-{mention.end} has no concept",
            hint="concept_relation_f1 needs one on both mentions of every gold relation",
        )
    return ids


def _agree(left: _Pair, right: _Pair) -> bool:
    return bool(left[0] & right[0]) and bool(left[1] & right[1])


def _relations(answer: object) -> Iterable[Relation]:
    return answer.relations if isinstance(answer, RelationAnswer) else ()
