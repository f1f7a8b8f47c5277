"""From BioC objects to documents (see `bioc_infons` for what infons stand for)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from clinprompt.documents.align import agrees, placed
from clinprompt.documents.bioc_infons import (
    INFONS,
    KIND,
    METADATA,
    ORDER,
    OURS,
    OUTSIDE,
    PASSAGES,
    TEXT,
    Place,
    described,
    probability,
)
from clinprompt.documents.bioc_text import Piece, rebuild, shown
from clinprompt.documents.counting import Scale, located
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Annotation,
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span

if TYPE_CHECKING:
    from bioc import BioCAnnotation, BioCDocument, BioCPassage, BioCRelation

Metadata = tuple[tuple[str, str], ...]
_DANGLING = "annotations and relations that refer to what is not there"


@dataclass
class _Reading:
    """One document while it is read.

    Attributes:
        scale: how offsets count in the text as it stands in the file.
        ids: how often each id of an annotation or relation comes in the file.
        known: ids given so far.
        found: annotations in the order they are met.
    """

    place: Place
    options: ReadOptions
    scale: Scale
    ids: Counter[str]
    known: set[str] = field(default_factory=set)
    found: list[Annotation] = field(default_factory=list)
    _numbers: Counter[str] = field(default_factory=Counter)

    def fresh(self, base: str) -> str:
        """A new id that begins with `base`."""
        while True:
            self._numbers[base] += 1
            name = f"{base}{self._numbers[base]}"
            if name not in self.known and name not in self.ids:
                self.known.add(name)
                return name


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
    reading = _Reading(place, options, Scale(raw, options.offsets), ids)
    for mention in mentions:
        _mention(mention, reading)
    for relation in relations:
        _relation(relation, reading)
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


# ---- annotations -------------------------------------------------------------------------------


def _named(raw: object, reading: _Reading, letter: str) -> str:
    """The id, or a new one where it is missing or taken."""
    name = "" if raw is None else str(raw)
    if name and name not in reading.known:
        reading.known.add(name)
        return name
    what = "repeated annotation ids replaced" if name else "missing annotation ids filled in"
    reading.place.skip(what)
    return reading.fresh(f"{name}~" if name else letter)


def _mention(one: BioCAnnotation, reading: _Reading) -> None:
    place = reading.place
    infons = place.texts(one.infons)
    if not one.locations:
        place.skip("annotations without a location", str(one.id))
        return
    pairs = sorted((at.offset, at.offset + at.length) for at in one.locations)
    label = infons.pop("type", "")
    name = _named(one.id, reading, "T")
    spans = _spans(pairs, one.text, name, reading)
    found = Mention(name, label, spans, _confidence(infons))
    reading.found.append(found)
    _hosted(name, infons, reading)


def _spans(pairs: list[Span], quoted: str | None, name: str, reading: _Reading) -> tuple[Span, ...]:
    """Fragments in code points, checked against the text that the annotation quotes."""
    file = reading.place.file
    where = f"document '{shown(reading.place.document)}', annotation '{shown(name)}'"
    if not quoted:
        return located(pairs, reading.scale, file=file, name=where)
    if len(pairs) > 1 and pairs[0][0] <= pairs[-1][1]:
        # Some tools quote a discontinuous annotation with what lies between its fragments.
        start, end = reading.scale.index(pairs[0][0]), reading.scale.index(pairs[-1][1])
        whole = None if start is None or end is None else (start, end)
        if whole is not None and agrees(reading.scale.text, (whole,), quoted):
            return located(pairs, reading.scale, file=file, name=where)
    report = reading.place.report
    return placed(pairs, reading.scale, quoted, reading.options, report, file=file, name=where)


def _confidence(infons: dict[str, str]) -> float | None:
    value = probability(infons.get("confidence"))
    if value is not None:
        del infons["confidence"]
    return value


def _hosted(host: str, infons: dict[str, str], reading: _Reading) -> None:
    """Add the attributes and concepts that stand in the infons of an annotation."""

    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(
            isinstance(entry, list)
            and all(isinstance(part, str) for part in entry)
            and described("", "", "", entry) is not None
            for entry in value.values()
        )

    entries = reading.place.ours(infons, INFONS, fits) or {}
    for key, value in infons.items():
        if key.startswith(OURS):
            reading.place.skip("infons of a later version of this program", key)
            continue
        one = described(host, key, value, entries.get(key))
        assert one is not None  # `fits` has seen the entry
        if one.id in reading.known or one.id in reading.ids:
            reading.place.skip("repeated annotation ids replaced")
            one = replace(one, id=reading.fresh(f"{one.id}~"))
        reading.known.add(one.id)
        reading.found.append(one)
    missing = len(entries.keys() - infons.keys())
    reading.place.skip("infons that were removed from an annotation of ours", host, missing)


# ---- relations ---------------------------------------------------------------------------------


def _relation(one: BioCRelation, reading: _Reading) -> None:
    place = reading.place
    infons = place.texts(one.infons)
    kind = infons.pop(KIND, None)
    arguments = tuple(Argument(node.role or "", str(node.refid)) for node in one.nodes)
    for argument in arguments:
        if reading.ids[argument.target] > 1:
            raise ClinpromptError(
                "CP-DOC-211",
                f"document '{shown(place.document)}': id '{shown(argument.target)}' comes twice, "
                "and a relation refers to it",
                file=place.file,
            )
    if kind == "equivalence":
        members = tuple(argument.target for argument in arguments)
        reading.found.append(Equivalence(infons.pop("type", ""), members))
        place.skip("infons that an equivalence can't have", count=len(infons))
        return
    name = _named(one.id, reading, "R")
    if kind is None:
        label = infons.pop("type", None)
        label = infons.pop("relation", "") if label is None else label
        reading.found.append(Link(name, label, arguments, _confidence(infons)))
    elif not arguments or kind not in ("event", "attribute", "concept", "comment"):
        raise place.wrong(KIND)
    elif kind == "event":
        infons.pop("type", None)  # the trigger's label, for other tools
        reading.found.append(Event(name, arguments[0].target, arguments[1:]))
    else:
        reading.found.append(_single(kind, name, arguments[0].target, infons))
        place.skip(f"infons and nodes that a {kind} can't have", count=len(infons))
        place.skip(f"infons and nodes that a {kind} can't have", count=len(arguments) - 1)
        return
    _hosted(name, infons, reading)


def _single(kind: str, name: str, target: str, infons: dict[str, str]) -> Annotation:
    """An attribute, concept or comment that is written as a relation with one node."""
    label = infons.pop("type", "")
    if kind == "attribute":
        return Attribute(name, label, target, infons.pop("value", None))
    if kind == "concept":
        values = (infons.pop(key, "") for key in ("resource", "accession", "name"))
        resource, accession, full = values
        return Normalization(name, target, resource, accession, full, label)
    return Comment(name, label, target, infons.pop("text", ""))


# ---- references and order ----------------------------------------------------------------------


def targets(one: Annotation) -> tuple[str, ...]:
    """The ids that an annotation refers to."""
    match one:
        case Link():
            return tuple(argument.target for argument in one.arguments)
        case Event():
            return (one.trigger, *(argument.target for argument in one.arguments))
        case Equivalence():
            return one.members
        case Mention():
            return ()
    return (one.target,)


def resolved(found: list[Annotation], place: Place) -> list[Annotation]:
    """What refers to nothing left out, with what refers to that."""
    while True:
        known = {one.id for one in found if not isinstance(one, Equivalence)}
        mentions = {one.id for one in found if isinstance(one, Mention)}
        kept = [
            one
            for one in found
            if all(target in known for target in targets(one))
            and not (isinstance(one, Event) and one.trigger not in mentions)
        ]
        if len(kept) == len(found):
            return found
        place.skip(_DANGLING, count=len(found) - len(kept))
        found = kept


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
