"""From BioC objects to documents (see `bioc_infons` for what infons stand for)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from clinprompt.documents.bioc_annotations import Reading, add_mention, add_relation
from clinprompt.documents.bioc_infons import (
    METADATA,
    ORDER,
    OUTSIDE,
    PASSAGES,
    TEXT,
    Place,
)
from clinprompt.documents.bioc_text import Piece, rebuild
from clinprompt.documents.counting import Scale
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Annotation,
    Document,
    Passage,
)
from clinprompt.documents.references import resolved
from clinprompt.examples import Span

if TYPE_CHECKING:
    from bioc import BioCDocument, BioCPassage

Metadata = tuple[tuple[str, str], ...]


def decode(
    document: BioCDocument, collection: Metadata, options: ReadOptions, place: Place
) -> Document:
    """The document that a BioC document holds.

    Args:
        collection: metadata of the whole collection, which goes in front of the document's own.
        options: `offsets` and `mismatch` count.

    Raises:
        ClinpromptError: CP-DOC-203 text overlaps, CP-DOC-210 a broken infon of ours, CP-DOC-211 an
            id that comes twice and is referred to; CP-DOC-100 to CP-DOC-104 wrong offsets.
    """
    infons = place.texts(document.infons)
    passages = sorted(document.passages, key=lambda one: one.offset)
    parts = [place.texts(one.infons) for one in passages]
    raw, spans = _text(passages, place, options)
    listed = [i for i, one in enumerate(parts) if one.get(OUTSIDE) != "none"]
    named = tuple(Passage(spans[i], parts[i].pop("type", "")) for i in listed)
    hosts = [*(part for one in passages for part in (one, *one.sentences)), document]
    mentions = [one for host in hosts for one in host.annotations]
    relations = [one for host in hosts for one in host.relations]
    ids = Counter(str(one.id) for one in (*mentions, *relations))
    reading = Reading(place, options, Scale(raw, options.offsets), ids)
    for mention in mentions:
        add_mention(mention, reading)
    for relation in relations:
        add_relation(relation, reading)
    annotations = _ordered(resolved(reading.found, place), infons, place)
    text = _patched(raw, infons, place)
    return Document(
        str(document.id),
        text,
        annotations,
        _passages(named, infons, len(text), place),
        _metadata(collection, infons, [parts[i] for i in listed], place),
    )


# ---- text --------------------------------------------------------------------------------------


def _text(
    passages: list[BioCPassage], place: Place, options: ReadOptions
) -> tuple[str, list[Span]]:
    """The text as the file gives it, and where each passage lies in it."""
    pieces: list[Piece] = []
    ends: list[tuple[int, int]] = []  # first piece and one past the last of each passage
    for passage in passages:
        first = len(pieces)
        if passage.text or not passage.sentences:
            pieces.append(Piece(passage.offset, passage.text or ""))
        else:
            sentences = sorted(passage.sentences, key=lambda one: one.offset)
            fill = "\n"
            for sentence in sentences:
                pieces.append(Piece(sentence.offset, sentence.text or "", fill))
                fill = " "
        ends.append((first, len(pieces)))
        place.skip("sentence boundaries", count=len(passage.sentences))
        infons = sum(len(sentence.infons or {}) for sentence in passage.sentences)
        place.skip("infons of sentences", count=infons)
    text, spans = rebuild(pieces, place.file, place.document, options.offsets)
    return text, [(spans[first][0], spans[last - 1][1]) for first, last in ends]


def _patched(raw: str, infons: dict[str, str], place: Place) -> str:
    """The text with what the file had to write as fillers or blanks."""

    def fits(value: Any) -> bool:
        if not isinstance(value, list):
            return False
        at = 0
        for one in value:
            if not (isinstance(one, list) and len(one) == 2 and type(one[0]) is int):
                return False
            if not (isinstance(one[1], str) and at <= one[0] <= len(raw) - len(one[1])):
                return False
            at = one[0] + len(one[1])
        return True

    patches = place.ours(infons, TEXT, fits)
    parts, at = [], 0
    for offset, text in patches or ():
        parts += [raw[at:offset], text]
        at = offset + len(text)
    return "".join((*parts, raw[at:]))


def _passages(
    named: tuple[Passage, ...], infons: dict[str, str], size: int, place: Place
) -> tuple[Passage, ...]:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and all(
            isinstance(one, list)
            and [type(part) for part in one] == [int, int, str]
            and 0 <= one[0] <= one[1] <= size
            for one in value
        )

    ours = place.ours(infons, PASSAGES, fits)
    if ours is None:
        return named
    return tuple(Passage((start, end), name) for start, end, name in ours)


def _metadata(
    collection: Metadata, infons: dict[str, str], parts: list[dict[str, str]], place: Place
) -> Metadata:
    def fits(value: Any) -> bool:
        return isinstance(value, list) and all(
            isinstance(one, list) and [type(part) for part in one] == [str, str] for one in value
        )

    ours = place.ours(infons, METADATA, fits)
    if ours is not None:
        _unknown(infons, place)
        return tuple((key, value) for key, value in ours)
    found = [*collection, *infons.items()]
    found += [(f"passage[{i}].{k}", v) for i, part in enumerate(parts) for k, v in part.items()]
    return tuple(found)


def _unknown(infons: dict[str, str], place: Place) -> None:
    """Count infons that someone else added beside ours, which already say all."""
    place.skip("infons beside clinprompt.metadata, which holds all", count=len(infons))


def _ordered(
    found: list[Annotation], infons: dict[str, str], place: Place
) -> tuple[Annotation, ...]:
    """Annotations in the order they had before they were written."""

    def fits(value: Any) -> bool:
        return isinstance(value, list) and all(type(at) is int for at in value)

    order = place.ours(infons, ORDER, fits)
    if order is None:
        return tuple(found)
    if sorted(order) != list(range(len(found))):
        place.skip("order of annotations that does not fit the annotations")
        return tuple(found)
    return tuple(found[at] for at in order)
