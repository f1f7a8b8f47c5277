"""What is compared: mentions, relations and events as plain values, without their ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clinprompt.documents.model import Annotation, Document, Event, Link, Mention
from clinprompt.errors import ClinpromptError
from clinprompt.metrics.documents.settings import Settings
from clinprompt.metrics.matching import Fragments, overlaps


class Part(NamedTuple):
    """A mention inside a thing: its role there, its type, its fragments (sorted)."""

    role: str
    label: str
    spans: Fragments


class Thing(NamedTuple):
    """A mention, relation or event.

    Attributes:
        kind: mention, relation or event.
        label: its type.
        parts: of a mention itself; of a relation its ends by role; of an event its trigger.
        directed: False if two parts may change places.
    """

    kind: str
    label: str
    parts: tuple[Part, ...]
    directed: bool = True

    @property
    def signature(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """All but the spans: things of different signatures never meet."""
        return self.kind, self.label, tuple((part.role, part.label) for part in self.parts)

    def unlabelled(self) -> Thing:
        """The same without its type: a mention's spans alone, or a relation of any type."""
        if self.kind != "mention":
            return self._replace(label="")
        return self._replace(label="", parts=tuple(part._replace(label="") for part in self.parts))


class View(NamedTuple):
    """A document as what is scored, in the order of the file, and what can't be scored."""

    mentions: list[Thing]
    relations: list[Thing]
    left_out: Counter[str]


NESTED = "relations with an end that is neither a mention nor an event"


def view(document: Document, settings: Settings) -> View:
    """What is compared of a document: of the types that `settings` asks for.

    Raises:
        ClinpromptError: CP-EVAL-105 and CP-EVAL-106, see `anchor`.
    """
    left_out: Counter[str] = Counter()
    relations = []
    for link in document.links:
        if settings.relation_labels and link.label not in settings.relation_labels:
            continue
        thing = relation_thing(document, link, directed=settings.directed)
        if thing is None:
            left_out[NESTED] += 1
        else:
            relations.append(thing)
    mentions = [
        mention_thing(document, one)
        for one in document.mentions
        if not settings.labels or one.label in settings.labels
    ]
    return View(mentions, relations, left_out)


def mention_thing(document: Document, mention: Mention) -> Thing:
    """A mention as a thing."""
    return Thing("mention", mention.label, (Part("", mention.label, fragments(document, mention)),))


def relation_thing(document: Document, link: Link, *, directed: bool = True) -> Thing | None:
    """A relation as a thing, its ends by role; None if an end is neither mention nor event."""
    parts = []
    for argument in link.arguments:
        mention = anchor(document, argument.target, link.id)
        if mention is None:
            return None
        role = argument.role if directed else ""
        parts.append(Part(role, mention.label, fragments(document, mention)))
    # sorting is stable: ends with one role keep their order
    ordered = sorted(parts, key=lambda part: part.role) if directed else sorted(parts)
    return Thing("relation", link.label, tuple(ordered), directed)


def event_thing(document: Document, event: Event) -> Thing:
    """An event as its trigger."""
    trigger = trigger_of(document, event)
    part = Part("", trigger.label, fragments(document, trigger))
    return Thing("event", trigger.label, (part,))


def trigger_of(document: Document, event: Event) -> Mention:
    """The mention that is an event's trigger.

    Raises:
        ClinpromptError: CP-EVAL-107 if its trigger is no mention.
    """
    trigger = resolve(document, event.trigger, event.id)
    if not isinstance(trigger, Mention):
        raise ClinpromptError(
            "CP-EVAL-107",
            f"document '{document.id}': the trigger '{event.trigger}' of event '{event.id}' is "
            "not a mention",
        )
    return trigger


def anchor(document: Document, target: str, user: str) -> Mention | None:
    """The mention that stands for a target: itself, or an event's trigger; None for others."""
    found = resolve(document, target, user)
    if isinstance(found, Event):
        return trigger_of(document, found)
    return found if isinstance(found, Mention) else None


def resolve(document: Document, target: str, user: str) -> Annotation:
    """The annotation of that id.

    Raises:
        ClinpromptError: CP-EVAL-105 if there is none.
    """
    if target not in document.by_id:
        raise ClinpromptError(
            "CP-EVAL-105",
            f"document '{document.id}': '{user}' refers to '{target}', which isn't there",
        )
    return document.by_id[target]


def fragments(document: Document, mention: Mention) -> Fragments:
    """The fragments of a mention, sorted.

    Raises:
        ClinpromptError: CP-EVAL-106 for none, an empty one, or one outside the text.
    """
    spans = tuple(sorted(mention.spans))
    if not spans or any(not 0 <= start < end <= len(document.text) for start, end in spans):
        raise ClinpromptError(
            "CP-EVAL-106",
            f"document '{document.id}': mention '{mention.id}' has spans {list(spans)}, which "
            f"are empty or outside the text of {len(document.text)} characters",
        )
    return spans


def same(gold: Sequence[Thing], predicted: Sequence[Thing]) -> set[tuple[int, int]]:
    """Pairs of indices of equal things."""
    where: dict[Thing, list[int]] = {}
    for index, thing in enumerate(predicted):
        where.setdefault(thing, []).append(index)
    return {(i, j) for i, thing in enumerate(gold) for j in where.get(thing, ())}


def overlapping(gold: Sequence[Thing], predicted: Sequence[Thing]) -> set[tuple[int, int]]:
    """Pairs of indices of things of one signature whose parts share a character each.

    A character that lies in any fragment of one and any fragment of the other counts; the gaps
    of a discontinuous mention don't.
    """
    met: set[tuple[int, int]] = set()
    lefts, rights = _by_signature(gold), _by_signature(predicted)
    for signature in lefts.keys() & rights.keys():
        left, right = lefts[signature], rights[signature]
        parts = [_parts(gold[i]) for i in left], [_parts(predicted[j]) for j in right]
        found = _all_overlap(*parts)
        first = gold[left[0]]
        if not first.directed and len(first.parts) == 2:
            one, two = first.parts
            if (one.role, one.label) == (two.role, two.label):
                found |= _all_overlap([ends[::-1] for ends in parts[0]], parts[1])
        met |= {(left[i], right[j]) for i, j in found}
    return met


def _by_signature(things: Iterable[Thing]) -> dict[object, list[int]]:
    found: dict[object, list[int]] = {}
    for index, thing in enumerate(things):
        found.setdefault(thing.signature, []).append(index)
    return found


def _parts(thing: Thing) -> list[Fragments]:
    return [part.spans for part in thing.parts]


def _all_overlap(
    left: Sequence[Sequence[Fragments]], right: Sequence[Sequence[Fragments]]
) -> set[tuple[int, int]]:
    """Pairs whose first parts overlap, and whose second parts do, and so on."""
    met: set[tuple[int, int]] | None = None
    for position in range(len(left[0])):
        edges = overlaps([one[position] for one in left], [one[position] for one in right])
        found = {(i, j) for i, partners in enumerate(edges) for j in partners}
        met = found if met is None else met & found
    return met or set()
