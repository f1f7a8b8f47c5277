"""A document's mentions and relations under the labels that a card gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clinprompt.corpora.document_options import DocumentOptions
from clinprompt.corpora.registry import Report
from clinprompt.documents.model import Attribute, Document, Event, Mention
from clinprompt.examples import Entity

_NUMBER = re.compile(r"(?<=[^0-9])[0-9]+$")


@dataclass(frozen=True, slots=True)
class Related:
    """A relation between two mentions, by their ids, under the card's label."""

    head: str
    tail: str
    label: str


class Labelled:
    """What a document says in the card's words.

    Attributes:
        entities: mentions whose label the card knows, by id, in the order of the document.
        values: attribute name and id of a mention -> value (the name itself where it has none).
    """

    def __init__(
        self, document: Document, place: str, options: DocumentOptions, report: Report
    ) -> None:
        self.document, self.place, self.options, self.report = document, place, options, report
        self.values: dict[tuple[str, str], str] = {}
        for one in document.of(Attribute):
            target = self._mention(one.target)
            if target is None:  # of a relation
                continue
            self.values.setdefault((one.name, target), one.value or one.name)
        self.entities: dict[str, Entity] = {}
        for mention in document.mentions:
            label = self._label(mention)
            if label is None:
                self.skip("mention of a type that was not asked for")
            else:
                self.entities[mention.id] = Entity(mention.spans, label)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count something of this document as left out."""
        self.report.skip(reason, self.place, detail=self.document.id, count=count)

    def _label(self, mention: Mention) -> str | None:
        found = [self.values.get((name, mention.id)) for name in self.options.attributes]
        full = ".".join([mention.label, *(value for value in found if value)])
        if self.options.form == "attribute":
            full = mention.label
        labels = self.options.labels
        return labels.get(full, labels.get(mention.label)) if labels else full

    def _mention(self, name: str) -> str | None:
        """The mention that an id stands for: itself, or the trigger of an event."""
        target = self.document.by_id.get(name)
        if isinstance(target, Event):
            target = self.document.by_id.get(target.trigger)
        return target.id if isinstance(target, Mention) else None

    def relations(self) -> list[Related]:
        """Relations of the labels and end types that the card knows, each once, in order."""
        found: dict[Related, None] = {}
        for head, tail, name in self._raw():
            label = self.options.names.get(name, name)
            if label not in self.options.relations:
                self.skip("relation of a type that was not asked for")
                continue
            ends = (self.entities.get(head or ""), self.entities.get(tail or ""))
            labels = tuple(None if end is None else end.label for end in ends)
            if head is None or tail is None or labels != self.options.relations[label]:
                self.skip("relation between other types than were asked for")
                continue
            related = Related(head, tail, label)
            if related in found:
                self.skip("relation that stands twice")
            found[related] = None
        return list(found)

    def _raw(self) -> Iterator[tuple[str | None, str | None, str]]:
        """Head, tail and name of all links, and of events' arguments if they are asked for."""
        for link in self.document.links:
            if len(link.arguments) != 2:
                self.skip("relation of more or fewer than two mentions")
                continue
            ends = [self._mention(argument.target) for argument in link.arguments]
            if link.label in self.options.swap:
                ends.reverse()
            yield ends[0], ends[1], link.label
        if self.options.events == "ignore":
            return
        for event in self.document.events:
            trigger = self.document.by_id.get(event.trigger)
            if not isinstance(trigger, Mention):
                self.skip("event without a trigger")
                continue
            for argument in event.arguments:
                role = _NUMBER.sub("", argument.role)
                yield trigger.id, self._mention(argument.target), f"{trigger.label}.{role}"
