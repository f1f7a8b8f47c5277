"""From rows of BigBIO's KB schema to documents (see `bigbio`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from clinprompt.documents.align import placed
from clinprompt.documents.bigbio_rows import DOCUMENT, EQUIVALENCE, ROLES, ROW
from clinprompt.documents.bioc_infons import Place
from clinprompt.documents.bioc_text import Piece, rebuild, shown
from clinprompt.documents.counting import Scale, located
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Annotation,
    Argument,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.documents.references import resolved
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span

Row = dict[str, Any]


@dataclass
class _Reading:
    """One row while it is read.

    Attributes:
        line: its line or number in the file.
        prefix: what all its ids begin with.
        taken: all of its ids, without that.
        known: ids given so far.
        triggers: the mention of each type and place.
    """

    place: Place
    line: int
    options: ReadOptions
    scale: Scale
    prefix: str
    taken: frozenset[str]
    known: set[str] = field(default_factory=set)
    found: list[Annotation] = field(default_factory=list)
    triggers: dict[tuple[str, tuple[Span, ...]], str] = field(default_factory=dict)
    concepts: int = 0

    def own(self, raw: object) -> str:
        """An id without the document's."""
        return str(raw or "").removeprefix(self.prefix)

    def named(self, raw: object) -> str:
        """The id of an annotation.

        Raises:
            ClinpromptError: CP-DOC-251 if it is missing or was there before.
        """
        name = self.own(raw)
        if not name or name in self.known:
            what = f"id '{shown(name)}' comes twice" if name else "an annotation has no id"
            raise ClinpromptError(
                "CP-DOC-251",
                f"document '{shown(self.place.document)}': {what}",
                file=self.place.file,
                line=self.line,
            )
        self.known.add(name)
        return name

    def fresh(self, base: str) -> str:
        """An id that begins with `base` and is not taken."""
        name, number = base, 1
        while name in self.known or name in self.taken:
            number += 1
            name = f"{base}~{number}"
        self.known.add(name)
        return name


def decode(row: Row, name: str, options: ReadOptions, place: Place, line: int) -> Document:
    """The document `name` that a row of shape ``SCHEMAS["KB"]`` holds.

    Raises:
        ClinpromptError: CP-DOC-203 and CP-DOC-252 for passages, CP-DOC-251 for ids, CP-DOC-100 to
            CP-DOC-104 for offsets.
    """
    text, passages = _text(row, options, place, line)
    prefix = f"{name}_"
    ids = [str(one.get("id") or "") for kind in _NAMED for one in _items(row, kind)]
    if not all(one.startswith(prefix) and len(one) > len(prefix) for one in ids):
        prefix = ""
    taken = frozenset(one.removeprefix(prefix) for one in ids)
    reading = _Reading(place, line, options, Scale(text, options.offsets), prefix, taken)
    for one in _items(row, "entities"):
        _entity(one, reading)
    events = [(reading.named(one.get("id")), one) for one in _items(row, "events")]
    links = [(reading.named(one.get("id")), one) for one in _items(row, "relations")]
    for event, one in events:
        _event(event, one, reading)
    for link, one in links:
        ends = (reading.own(one.get("arg1_id")), reading.own(one.get("arg2_id")))
        arguments = tuple(map(Argument, ROLES, ends))
        reading.found.append(Link(link, one.get("type") or "", arguments))
        _concepts(link, one, reading)
    for one in _items(row, "coreferences"):
        members = tuple(reading.own(member) for member in one.get("entity_ids") or ())
        reading.found.append(Equivalence(EQUIVALENCE, members))
    metadata = [
        (key, value)
        for key, value in ((ROW, row.get("id")), (DOCUMENT, row.get("document_id")))
        if value and value != name
    ]
    annotations = tuple(resolved(reading.found, place))
    return Document(name, text, annotations, passages, tuple(metadata))


_NAMED = ("entities", "events", "relations")


def _items(row: Row, kind: str) -> Iterator[Row]:
    return (one for one in row.get(kind) or () if one is not None)


def _fragments(one: Row, what: str, place: Place, line: int) -> list[tuple[int, int, str | None]]:
    """Start, end and text of each fragment, in order; text None where the row has none.

    Raises:
        ClinpromptError: CP-DOC-252 if offsets and texts don't match.
    """
    offsets = one.get("offsets") or []
    texts = one.get("text") or [None] * len(offsets)
    pairs = [pair for pair in offsets if pair is not None and len(pair) == 2 and None not in pair]
    if len(pairs) != len(offsets) or len(texts) != len(offsets):
        raise ClinpromptError(
            "CP-DOC-252",
            f"document '{shown(place.document)}': {what} has {len(offsets)} offsets and "
            f"{len(texts)} texts; each offset is [start, end]",
            file=place.file,
            line=line,
        )
    found = zip(pairs, texts, strict=True)
    return sorted(((start, end, text) for (start, end), text in found), key=lambda one: one[:2])


def _text(
    row: Row, options: ReadOptions, place: Place, line: int
) -> tuple[str, tuple[Passage, ...]]:
    """The text that the passages make up, blanks between them, and the passages."""
    pieces: list[tuple[Piece, int]] = []
    names: list[str | None] = []
    for number, passage in enumerate(_items(row, "passages")):
        names.append(passage.get("type"))
        fragments = _fragments(passage, f"passages[{number}]", place, line)
        place.skip("fragments of passages, read as one", count=max(len(fragments) - 1, 0))
        place.skip("passages without offsets", count=not fragments)
        for start, end, text in fragments:
            text = text or ""
            size = len(text.encode("utf-8")) if options.offsets == "bytes" else len(text)
            if end - start != size:
                raise ClinpromptError(
                    "CP-DOC-253",
                    f"document '{shown(place.document)}': passages[{number}] has {size} "
                    f"{options.offsets} of text at {start}-{end}",
                    file=place.file,
                    line=line,
                )
            pieces.append((Piece(start, text, " "), number))
    pieces.sort(key=lambda pair: pair[0].offset)
    ordered = [piece for piece, _ in pieces]
    text, spans = rebuild(ordered, place.file, place.document, options.offsets)
    ends: dict[int, list[int]] = {}
    for span, (_, number) in zip(spans, pieces, strict=True):
        ends.setdefault(number, []).extend(span)
    # An empty type is text outside all passages, as `bigbio_encode` writes it.
    passages = tuple(
        Passage((min(found), max(found)), names[number] or "")
        for number, found in ends.items()
        if names[number] != ""
    )
    return text, passages


def _spans(one: Row, what: str, reading: _Reading) -> tuple[Span, ...]:
    """The fragments of an entity or trigger, checked against its texts; none if it has none."""
    texts = one.get("text") or []
    offsets = one.get("offsets") or []
    place, line = reading.place, reading.line
    # Some rows have the whole text of a discontinuous entity in one piece.
    whole = texts[0] if len(texts) == 1 and len(offsets) > 1 else None
    given = one if whole is None else {**one, "text": None}
    fragments = _fragments(given, what, place, line)
    if not fragments:
        return ()
    pairs = [(start, end) for start, end, _ in fragments]
    quoted = [text or "" for _, _, text in fragments]
    where = f"document '{shown(place.document)}', {what}"
    if not any(quoted) and whole is None:
        return located(pairs, reading.scale, file=place.file, line=line, name=where)
    return placed(
        pairs,
        reading.scale,
        quoted if whole is None else whole,
        reading.options,
        place.report,
        file=place.file,
        line=line,
        name=where,
    )


def _entity(one: Row, reading: _Reading) -> None:
    name = reading.named(one.get("id"))
    spans = _spans(one, f"entity '{shown(name)}'", reading)
    if not spans:
        reading.place.skip("entities without offsets", name)
        return
    label = one.get("type") or ""
    reading.found.append(Mention(name, label, spans))
    reading.triggers.setdefault((label, spans), name)
    _concepts(name, one, reading)


def _concepts(target: str, one: Row, reading: _Reading) -> None:
    for concept in _items(one, "normalized"):
        reading.concepts += 1
        name = reading.fresh(f"N{reading.concepts}")
        resource, accession = concept.get("db_name") or "", concept.get("db_id") or ""
        reading.found.append(Normalization(name, target, resource, accession))


def _event(name: str, one: Row, reading: _Reading) -> None:
    """An event; its trigger is the mention of the same type and place, or a new one."""
    label = one.get("type") or ""
    spans = _spans(one.get("trigger") or {}, f"trigger of '{shown(name)}'", reading)
    if not spans:
        reading.place.skip("events without a trigger", name)
        return
    trigger = reading.triggers.get((label, spans))
    if trigger is None:
        trigger = reading.fresh(f"{name}.trigger")
        reading.triggers[label, spans] = trigger
        reading.found.append(Mention(trigger, label, spans))
    arguments = tuple(
        Argument(argument.get("role") or "", reading.own(argument.get("ref_id")))
        for argument in _items(one, "arguments")
    )
    reading.found.append(Event(name, trigger, arguments))
