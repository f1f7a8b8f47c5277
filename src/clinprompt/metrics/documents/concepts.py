"""Clean counts of relations between concepts of a document, as BioCreative V scores them.

`clinprompt.metrics.concepts` does the same for answers. Here concepts are normalizations, and only
their accessions are compared: one side may call a vocabulary ``MeSH`` and the other one otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clinprompt.documents.model import Attribute, Document, Mention, Normalization
from clinprompt.documents.pubtator_concepts import CHOSEN, RELATION, resource_of
from clinprompt.metrics.documents.cells import Cells
from clinprompt.metrics.documents.pairing import Pair
from clinprompt.metrics.documents.settings import Settings
from clinprompt.metrics.documents.things import fragments, resolve

Concept = frozenset[str]  # a composite mention stands for any of its accessions
Ends = tuple[Concept, Concept]


def without_concept(pairs: Sequence[Pair], settings: Settings) -> tuple[int, int]:
    """How many gold relations have a concept at both ends, and how many don't."""
    known = unknown = 0
    for gold, _ in pairs:
        for _, ends in _relations(gold, settings, {}):
            whole = not any(part.startswith("\0") for end in ends for part in end)
            known += whole
            unknown += not whole
    return known, unknown


def count_concepts(gold: Document, predicted: Document, settings: Settings) -> Cells:
    """Distinct pairs of concepts of one document, by type.

    A predicted mention without a concept takes that of the gold mention of its type with its
    spans, else with its surface (case and white space apart), else it has none that agrees.
    """
    known = _by_place(gold)
    wanted: dict[str, set[Ends]] = {}
    found: dict[str, set[Ends]] = {}
    for label, ends in _relations(gold, settings, {}):
        wanted.setdefault(label, set()).add(ends)
    for label, ends in _relations(predicted, settings, known):
        found.setdefault(label, set()).add(ends)
    cells = Cells()
    for label in wanted.keys() | found.keys():
        left, right = wanted.get(label, set()), found.get(label, set())
        right_ones = sum(any(_agree(one, other, settings) for other in right) for one in left)
        wrong = sum(not any(_agree(other, one, settings) for other in left) for one in right)
        cells.expect((label,), len(left))
        cells.predict((label,), right_ones + wrong)
        cells.hit((label,), right_ones)
    return cells


def _agree(left: Ends, right: Ends, settings: Settings) -> bool:
    straight = bool(left[0] & right[0]) and bool(left[1] & right[1])
    turned = bool(left[0] & right[1]) and bool(left[1] & right[0])
    return straight or (not settings.directed and turned)


def _relations(
    document: Document, settings: Settings, known: dict[object, Concept]
) -> Iterator[tuple[str, Ends]]:
    """Type and ends of each relation between two mentions, and of those without mentions."""
    concepts = _concepts(document)
    chosen: dict[tuple[str, str], Concept] = {}
    for one in document.of(Attribute):
        if one.name in CHOSEN and one.value:
            key = (one.target, one.name)
            chosen[key] = chosen.get(key, frozenset()) | {resource_of(one.value)[1]}
    for link in document.links:
        ends = [resolve(document, argument.target, link.id) for argument in link.arguments]
        mentions = [end for end in ends if isinstance(end, Mention)]
        if len(ends) != 2 or len(mentions) != 2 or not _wanted(link.label, settings):
            continue
        head, tail = (
            chosen.get((link.id, name)) or _concept_of(document, mention, concepts, known)
            for name, mention in zip(CHOSEN, mentions, strict=True)
        )
        yield link.label, (head, tail)
    for name, row in document.metadata:
        label, *rest = row.split("\t")
        if name == RELATION and len(rest) == 2 and _wanted(label, settings):
            head, tail = (frozenset({resource_of(concept)[1]}) for concept in rest)
            yield label, (head, tail)


def _wanted(label: str, settings: Settings) -> bool:
    return not settings.relation_labels or label in settings.relation_labels


def _concepts(document: Document) -> dict[str, Concept]:
    """Concepts of each mention by its id."""
    found: dict[str, Concept] = {}
    for one in document.of(Normalization):
        found[one.target] = found.get(one.target, frozenset()) | {one.accession}
    return found


def _by_place(document: Document) -> dict[object, Concept]:
    """Concepts by type and spans, and by type and surface."""
    known: dict[object, Concept] = {}
    concepts = _concepts(document)
    for mention in document.mentions:
        if mention.id in concepts:
            for key in _keys(document, mention):
                known[key] = known.get(key, frozenset()) | concepts[mention.id]
    return known


def _concept_of(
    document: Document, mention: Mention, concepts: dict[str, Concept], known: dict[object, Concept]
) -> Concept:
    place, surface = _keys(document, mention)
    unknown = frozenset({f"\0{surface}"})  # equal surfaces stay one prediction; gold has none such
    return concepts.get(mention.id) or known.get(place) or known.get(surface) or unknown


def _keys(document: Document, mention: Mention) -> tuple[object, object]:
    surface = " ".join(mention.surface(document.text).casefold().split())
    return (mention.label, fragments(document, mention)), (mention.label, surface)
