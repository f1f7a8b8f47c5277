"""Scores of listed answers (mentions, relations): strict and lenient counts of each label.

Both are sets: an answer that lists the same mention or relation twice is counted once, and the
duplicates are reported. *Strict* compares the keys; *lenient* takes the largest one-to-one
pairing of gold and predicted keys that overlap, so a second prediction on a gold mention that
is already taken is a false positive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from clinprompt.examples import Answer, Entity, EntityAnswer, Relation, RelationAnswer
from clinprompt.metrics.concepts import concept_counts
from clinprompt.metrics.items import Item
from clinprompt.metrics.matching import Fragments, matching_size, overlaps
from clinprompt.metrics.tally import Array, CountBlock, Tally, f1
from clinprompt.tasks.card import Card

_Mention = tuple[str, Fragments]  # type, sorted spans
_Pair = tuple[_Mention, _Mention]  # head, tail
_Key = TypeVar("_Key", Fragments, _Pair)
_Listed = list[tuple[str, _Key]]  # (label, key) as the answer lists them
_Edges = Callable[[Sequence[_Key], Sequence[_Key]], list[set[int]]]


def tally_entities(card: Card, documents: Sequence[Sequence[Item]]) -> Tally:
    """Counts of form ``mentions``; a key is a mention's spans, its label is its type."""
    return _tally("entity", "mentions", card, documents, _entities, overlaps)


def tally_relations(card: Card, documents: Sequence[Sequence[Item]]) -> Tally:
    """Counts of form ``list``; a key is both mentions with their types.

    Pairs of concepts are counted too if the card asks for `concept_relation_f1`: they need a
    concept on every mention of a gold relation.

    Raises:
        ClinpromptError: CP-EVAL-007 if such a concept is missing.
    """
    tally = _tally("relation", "relations", card, documents, _relations, _pair_overlaps)
    if "concept_relation_f1" not in (card.metric, *card.metrics):
        return tally
    block = CountBlock(tally.labels, start=tally.rows.shape[1])
    rows = np.hstack([tally.rows, np.zeros((len(documents), 3 * len(tally.labels)))])
    for row, items in zip(rows, documents, strict=True):
        for label, (tp, fp, fn) in concept_counts(items).items():
            block.add(row, label, tp=tp, fp=fp, fn=fn)
    return replace(
        tally,
        rows=rows,
        measures={**tally.measures, **block.measures("concept_relation")},
        tables={**tally.tables, "concept": block},
    )


def _tally(
    name: str,
    noun: str,
    card: Card,
    documents: Sequence[Sequence[Item]],
    read: Callable[[Answer | None], _Listed[_Key]],
    edges: _Edges[_Key],
) -> Tally:
    """Strict and lenient counts over the keys that `read` finds in gold and predicted answers."""
    labels = tuple(card.labels)
    strict = CountBlock(labels)
    lenient = CountBlock(labels, start=strict.stop)
    unaligned = lenient.stop  # one more column
    rows: Array = np.zeros((len(documents), unaligned + 1))
    listed = np.zeros(2, dtype=int)  # gold, predicted: as listed, duplicates included
    for row, items in zip(rows, documents, strict=True):
        for item in items:
            gold, predicted = read(item.gold), read(item.predicted)
            listed += (len(gold), len(predicted))
            wanted_of, found_of = _sets(gold), _sets(predicted)
            for label in wanted_of.keys() | found_of.keys():
                wanted, found = wanted_of.get(label, set()), found_of.get(label, set())
                same = len(wanted & found)
                strict.add(row, label, tp=same, fp=len(found) - same, fn=len(wanted) - same)
                met = matching_size(edges(sorted(wanted), sorted(found)))
                lenient.add(row, label, tp=met, fp=len(found) - met, fn=len(wanted) - met)
            row[unaligned] += item.unaligned

    def with_unaligned(totals: Array) -> Array:
        counts = strict(totals).summed()
        return f1(counts._replace(fp=counts.fp + totals[:, unaligned]))

    counts = strict(rows.sum(0, keepdims=True)).summed()
    distinct = np.array([counts.tp + counts.fn, counts.tp + counts.fp]).ravel().astype(int)
    return Tally(
        rows=rows,
        measures={
            **strict.measures(name),
            **lenient.measures(name, "_lenient"),
            f"{name}_f1_with_unaligned": with_unaligned,
        },
        tables={"strict": strict, "lenient": lenient},
        labels=labels,
        counts={
            f"gold_{noun}": int(distinct[0]),
            f"predicted_{noun}": int(distinct[1]),
            "duplicate_gold": int(listed[0] - distinct[0]),
            "duplicate_predicted": int(listed[1] - distinct[1]),
        },
    )


def _sets(listed: _Listed[_Key]) -> dict[str, set[_Key]]:
    """Label -> its distinct keys."""
    found: dict[str, set[_Key]] = {}
    for label, key in listed:
        found.setdefault(label, set()).add(key)
    return found


def _entities(answer: Answer | None) -> _Listed[Fragments]:
    entities = answer.entities if isinstance(answer, EntityAnswer) else ()
    return [(entity.label, tuple(sorted(entity.spans))) for entity in entities]


def _relations(answer: Answer | None) -> _Listed[_Pair]:
    relations = answer.relations if isinstance(answer, RelationAnswer) else ()
    return [(relation.label, _pair(relation)) for relation in relations]


def _pair(relation: Relation) -> _Pair:
    return _mention(relation.head), _mention(relation.tail)


def _mention(entity: Entity) -> _Mention:
    return entity.label, tuple(sorted(entity.spans))


def _pair_overlaps(left: Sequence[_Pair], right: Sequence[_Pair]) -> list[set[int]]:
    """Pairs whose heads overlap and are of one type, and whose tails do and are too."""
    ends = [
        overlaps([pair[end][1] for pair in left], [pair[end][1] for pair in right])
        for end in (0, 1)
    ]
    return [
        {j for j in heads & tails if all(left[i][end][0] == right[j][end][0] for end in (0, 1))}
        for i, (heads, tails) in enumerate(zip(*ends, strict=True))
    ]
