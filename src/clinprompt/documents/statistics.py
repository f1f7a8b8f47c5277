"""What a collection holds: documents, characters, annotations by kind and label, lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from clinprompt.documents.columns import mention_of
from clinprompt.documents.model import (
    Attribute,
    Comment,
    Document,
    Equivalence,
    Mention,
    Normalization,
)


@dataclass(frozen=True)
class Lengths:
    """Of a number of things, in characters."""

    minimum: int
    median: float
    mean: float
    maximum: int

    @classmethod
    def of(cls, values: Sequence[int]) -> Lengths | None:
        """None if there are no values."""
        return cls(min(values), median(values), fmean(values), max(values)) if values else None

    def as_json(self) -> dict[str, float]:
        """The four numbers by name; the mean with two decimals."""
        values = {"minimum": self.minimum, "median": self.median}
        return {**values, "mean": round(self.mean, 2), "maximum": self.maximum}


@dataclass
class LabelCounts:
    """Of the mentions of one label.

    Attributes:
        mentions: how many.
        documents: how many documents have any.
        lengths: of each mention, without gaps.
        discontinuous: mentions of more than one fragment.
        nested: mentions that lie inside a longer one: all their characters are also its own.
        overlapping: mentions that share characters with another, and neither lies in the other.
        coinciding: mentions that cover the same characters as another.
    """

    mentions: int = 0
    documents: int = 0
    lengths: list[int] = field(default_factory=list)
    discontinuous: int = 0
    nested: int = 0
    overlapping: int = 0
    coinciding: int = 0

    def as_json(self) -> dict[str, Any]:
        """All counts by name."""
        lengths = Lengths.of(self.lengths)
        return {
            "mentions": self.mentions,
            "documents": self.documents,
            "discontinuous": self.discontinuous,
            "nested": self.nested,
            "overlapping": self.overlapping,
            "coinciding": self.coinciding,
            "characters": None if lengths is None else lengths.as_json(),
        }


@dataclass
class Statistics:
    """Counts of a collection; see `statistics`.

    Attributes:
        sizes: characters of each document.
        annotated: documents with any annotation.
        labels: of mentions.
        relations: by label.
        events: by the label of their trigger, "" where there is no such mention.
        attributes: by name, with the value where there is one.
        concepts: by vocabulary.
        passages: by name.
        comments: of annotators.
        equivalences: sets of mentions that stand for one thing.
    """

    sizes: list[int] = field(default_factory=list)
    annotated: int = 0
    labels: dict[str, LabelCounts] = field(default_factory=dict)
    relations: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    concepts: Counter[str] = field(default_factory=Counter)
    passages: Counter[str] = field(default_factory=Counter)
    comments: int = 0
    equivalences: int = 0

    @property
    def mentions(self) -> LabelCounts:
        """Of all labels together; its documents are those with any mention."""
        total = LabelCounts(documents=self._with_mentions)
        for one in self.labels.values():
            total.mentions += one.mentions
            total.lengths += one.lengths
            total.discontinuous += one.discontinuous
            total.nested += one.nested
            total.overlapping += one.overlapping
            total.coinciding += one.coinciding
        return total

    _with_mentions: int = 0

    def add(self, document: Document) -> None:
        """Count a document in."""
        self.sizes.append(len(document.text))
        self.annotated += bool(document.annotations)
        self._with_mentions += bool(document.mentions)
        self._add_mentions(document.mentions)
        self.relations.update(link.label for link in document.links)
        for event in document.events:
            trigger = mention_of(document, event.trigger)
            self.events[trigger.label if trigger else ""] += 1
        for attribute in document.of(Attribute):
            value = "" if attribute.value is None else f"={attribute.value}"
            self.attributes[attribute.name + value] += 1
        self.concepts.update(one.resource for one in document.of(Normalization))
        self.passages.update(passage.name for passage in document.passages)
        self.comments += sum(1 for _ in document.of(Comment))
        self.equivalences += sum(1 for _ in document.of(Equivalence))

    def _add_mentions(self, mentions: Sequence[Mention]) -> None:
        for mention in mentions:
            counts = self.labels.setdefault(mention.label, LabelCounts())
            counts.mentions += 1
            counts.lengths.append(_size(mention))
            counts.discontinuous += len(mention.spans) > 1
        for label in {mention.label for mention in mentions}:
            self.labels[label].documents += 1
        nested, overlapping, coinciding = _relations(mentions)
        for number in nested:
            self.labels[mentions[number].label].nested += 1
        for number in overlapping:
            self.labels[mentions[number].label].overlapping += 1
        for number in coinciding:
            self.labels[mentions[number].label].coinciding += 1

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values; counts by name are sorted, the largest first."""
        sizes = Lengths.of(self.sizes)
        labels = sorted(self.labels.items(), key=lambda pair: (-pair[1].mentions, pair[0]))
        return {
            "documents": len(self.sizes),
            "annotated_documents": self.annotated,
            "characters": sum(self.sizes),
            "document_characters": None if sizes is None else sizes.as_json(),
            "mentions": self.mentions.as_json(),
            "labels": {label: counts.as_json() for label, counts in labels},
            "relations": by_count(self.relations),
            "events": by_count(self.events),
            "attributes": by_count(self.attributes),
            "concepts": by_count(self.concepts),
            "passages": by_count(self.passages),
            "comments": self.comments,
            "equivalences": self.equivalences,
        }


def by_count(counts: Counter[str]) -> dict[str, int]:
    """The counts in order: the largest first, then by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def statistics(documents: Iterable[Document]) -> Statistics:
    """Counts of all the documents."""
    found = Statistics()
    for document in documents:
        found.add(document)
    return found


def _size(mention: Mention) -> int:
    return sum(end - start for start, end in mention.spans)


def _shared(first: Mention, second: Mention) -> int:
    """How many characters two mentions have in common."""
    return sum(max(0, min(b, d) - max(a, c)) for a, b in first.spans for c, d in second.spans)


def _relations(mentions: Sequence[Mention]) -> tuple[set[int], set[int], set[int]]:
    """Numbers of the mentions that are nested, that overlap, and that coincide with another."""
    nested: set[int] = set()
    overlapping: set[int] = set()
    coinciding: set[int] = set()
    active: list[int] = []
    for number in sorted(range(len(mentions)), key=lambda n: mentions[n].start):
        one, size = mentions[number], _size(mentions[number])
        active = [other for other in active if mentions[other].end > one.start]
        for other in active:
            shared, its_size = _shared(one, mentions[other]), _size(mentions[other])
            if not shared:
                continue
            if shared == size == its_size:
                coinciding |= {number, other}
            elif shared == size:
                nested.add(number)
            elif shared == its_size:
                nested.add(other)
            else:
                overlapping |= {number, other}
        active.append(number)
    return nested, overlapping, coinciding
