"""From documents to BioC objects, so that `bioc_decode` gives them back (see `bioc_infons`)."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from clinprompt.documents.bioc_decode import Metadata
from clinprompt.documents.bioc_infons import (
    INFONS,
    KIND,
    METADATA,
    ORDER,
    OURS,
    OUTSIDE,
    PASSAGES,
    TEXT,
    dumped,
    probability,
    written,
)
from clinprompt.documents.model import (
    Annotation,
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
from clinprompt.documents.references import targets
from clinprompt.examples import Span

if TYPE_CHECKING:
    from bioc import BioCDocument, BioCPassage, BioCRelation

COLLECTION = "collection."
_PART = re.compile(r"passage\[(0|[1-9][0-9]{0,8})\]\.(.*)", re.DOTALL)
# What XML 1.0 has no way to write.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Hosted = dict[str, tuple[str, list[str] | None]]  # key -> value and entry


def encode(document: Document, *, shared: bool, xml: bool) -> BioCDocument:
    """The document as a BioC document.

    Args:
        shared: whether its ``collection.`` metadata are written for the whole collection.
        xml: whether its text must do without what XML can't hold.
    """
    from bioc import BioCDocument

    result = BioCDocument()
    result.id = document.id
    infons: dict[str, str] = {}
    plain, parts, patches = _layout(document, xml)
    if patches:
        infons[TEXT] = dumped(patches)
    result.passages = _bioc_passages(plain, parts)
    if not _in_order(document.passages):
        infons[PASSAGES] = dumped([[*one.span, one.name] for one in document.passages])
    pairs = zip(result.passages, parts, strict=True)
    named = [one for one, (_, name) in pairs if name is not None]
    _write_metadata(document, shared, named, infons)
    order = _write_annotations(document, plain, result)
    if order != list(range(len(order))):
        infons[ORDER] = dumped(order)
    result.infons = infons
    return result


# ---- text --------------------------------------------------------------------------------------


def _in_order(passages: tuple[Passage, ...]) -> bool:
    ends = [at for one in passages for at in one.span]
    return ends == sorted(ends)


_Parts = list[tuple[Span, str | None]]  # name None: text outside all passages


def _layout(document: Document, xml: bool) -> tuple[str, _Parts, list[tuple[int, str]]]:
    """The text with fillers, its parts in order, and what they stand for.

    White space before and between passages is left out, as in most corpora: a reader fills it with
    line ends. Other text outside of them becomes a part without a name.
    """
    text = document.text
    parts: _Parts = []
    plain: list[str] = []
    at = 0
    passages = document.passages if _in_order(document.passages) else ()
    for one in passages:
        start, end = one.span
        gap = text[at:start]
        if gap.strip():
            parts.append(((at, start), None))
        plain += [gap if gap.strip() else "\n" * len(gap), text[start:end]]
        parts.append((one.span, one.name))
        at = end
    if at < len(text):
        parts.append(((at, len(text)), None))
        plain.append(text[at:])
    filled = "".join(plain)
    if xml:
        filled = _NOT_XML.sub(" ", filled)
    return filled, parts, _patches(text, filled)


def _patches(text: str, filled: str) -> list[tuple[int, str]]:
    """Runs where `text` is not `filled`."""
    patches: list[tuple[int, str]] = []
    for at, (wanted, given) in enumerate(zip(text, filled, strict=True)):
        if wanted == given:
            continue
        if patches and patches[-1][0] + len(patches[-1][1]) == at:
            patches[-1] = (patches[-1][0], patches[-1][1] + wanted)
        else:
            patches.append((at, wanted))
    return patches


def _bioc_passages(plain: str, parts: _Parts) -> list[BioCPassage]:
    from bioc import BioCPassage

    found = []
    for (start, end), name in parts:
        one = BioCPassage()
        one.offset, one.text = start, plain[start:end]
        if name is None:
            one.infons[OUTSIDE] = "none"
        elif name:
            one.infons["type"] = name
        found.append(one)
    return found


# ---- metadata ----------------------------------------------------------------------------------


def collection_metadata(document: Document) -> Metadata:
    """What a document says of its collection."""
    return tuple(pair for pair in document.metadata if pair[0].startswith(COLLECTION))


def _write_metadata(
    document: Document, shared: bool, passages: list[BioCPassage], infons: dict[str, str]
) -> None:
    """Metadata as infons of document and passages; as one JSON infon if that reads differently."""
    common = collection_metadata(document) if shared else ()
    of_document: dict[str, str] = {}
    of_parts: dict[int, dict[str, str]] = defaultdict(dict)
    for key, value in document.metadata[len(common) :]:
        match = _PART.fullmatch(key)
        if match is not None and int(match[1]) < len(passages):
            of_parts[int(match[1])][match[2]] = value
        else:
            of_document[key] = value
    read = [*common, *of_document.items()]
    read += [
        (f"passage[{i}].{key}", value)
        for i in sorted(of_parts)
        for key, value in of_parts[i].items()
    ]
    reserved = any(key.startswith(OURS) for key in of_document) or any(
        key == "type" or key.startswith(OURS) for one in of_parts.values() for key in one
    )
    if tuple(read) != document.metadata or reserved:
        infons[METADATA] = dumped(document.metadata)
        return
    infons |= of_document
    for i, one in of_parts.items():
        passages[i].infons |= one


# ---- annotations -------------------------------------------------------------------------------


def _write_annotations(document: Document, plain: str, result: BioCDocument) -> list[int]:
    """Put annotations and relations into `result`.

    Returns:
        for each annotation of the document, its place among those that a reader meets.
    """
    from bioc import BioCAnnotation, BioCLocation

    hosted, inside = _hosted(document)
    met: list[int] = []  # places in document.annotations, in the order of reading
    mentions: dict[int, list[int]] = defaultdict(list)  # passage -> places
    for at, one in enumerate(document.annotations):
        if isinstance(one, Mention):
            mentions[_passage_of(one, result.passages)].append(at)
    for number, host in enumerate((*result.passages, result)):
        for at in mentions[number]:
            mention = document.annotations[at]
            assert isinstance(mention, Mention)
            written = BioCAnnotation()
            written.id = mention.id
            written.text = mention.surface(plain)
            written.infons = _infons(mention.label, mention.confidence, hosted[mention.id])
            for start, end in mention.spans:
                written.add_location(BioCLocation(start, end - start))
            host.add_annotation(written)
            met += [at, *inside[mention.id]]
    labels = {one.id: one.label for one in document.mentions}
    number = 0
    taken = {at for places in inside.values() for at in places}
    for at, one in enumerate(document.annotations):
        if isinstance(one, Mention) or at in taken:
            continue
        relation = _relation(one, labels)
        if isinstance(one, Equivalence):
            number += 1
            while f"*{number}" in document.by_id:
                number += 1
            relation.id = f"*{number}"
            met.append(at)
        else:
            relation.infons |= _infons(None, None, hosted[one.id])
            met += [at, *inside[one.id]]
        result.add_relation(relation)
    place = {at: position for position, at in enumerate(met)}
    return [place[at] for at in range(len(met))]


def _passage_of(one: Mention, passages: list[BioCPassage]) -> int:
    """The first passage that holds all of a mention; one past the last if none does."""
    for number, passage in enumerate(passages):
        if passage.offset <= one.start and one.end <= passage.offset + len(passage.text):
            return number
    return len(passages)


def _hosted(document: Document) -> tuple[dict[str, _Hosted], dict[str, list[int]]]:
    """Which attributes and concepts stand in the infons of the annotation they belong to.

    Returns:
        by host: its infons, and the places of those annotations.
    """
    # Nodes of relations can refer to annotations and relations, not to infons.
    referred = {target for one in document.annotations for target in targets(one)}
    infons: dict[str, _Hosted] = defaultdict(dict)
    places: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(document.annotations):
        if not isinstance(one, Attribute | Normalization) or one.id in referred:
            continue
        host = document.by_id.get(one.target)
        if not isinstance(host, Mention | Link | Event):
            continue
        key, value, entry = written(one)
        if _free(key, value, host) and key not in infons[host.id]:
            infons[host.id][key] = (value, entry)
            places[host.id].append(at)
    return infons, places


def _free(key: str, value: str, host: Annotation) -> bool:
    """Whether an infon with that key would be read as an attribute or concept of its host."""
    if not key or key == "type" or key.startswith(OURS):
        return False
    if key == "relation" and isinstance(host, Link) and not host.label:
        return False
    return not (key == "confidence" and (probability(value) is not None or _sure(host)))


def _sure(host: Annotation) -> bool:
    return isinstance(host, Mention | Link) and host.confidence is not None


def _infons(label: str | None, confidence: float | None, hosted: _Hosted) -> dict[str, str]:
    infons = {"type": label} if label else {}
    if confidence is not None:
        infons["confidence"] = repr(float(confidence))
    infons |= {key: value for key, (value, _) in hosted.items()}
    entries = {key: entry for key, (_, entry) in hosted.items() if entry is not None}
    if entries:
        infons[INFONS] = dumped(entries)
    return infons


def _relation(one: Annotation, labels: dict[str, str]) -> BioCRelation:
    """A relation for all that is not a mention, without id for an equivalence."""
    from bioc import BioCNode, BioCRelation

    relation = BioCRelation()
    nodes: list[tuple[str, str]] = []
    match one:
        case Link():
            relation.infons = _infons(one.label, one.confidence, {})
            nodes = [(argument.target, argument.role) for argument in one.arguments]
        case Event():
            relation.infons = {KIND: "event", "type": labels.get(one.trigger, "")}
            nodes = [(one.trigger, "trigger")]
            nodes += [(argument.target, argument.role) for argument in one.arguments]
        case Attribute():
            relation.infons = {KIND: "attribute", "type": one.name}
            if one.value is not None:
                relation.infons["value"] = one.value
        case Normalization():
            relation.infons = {KIND: "concept", "type": one.label, "resource": one.resource}
            relation.infons |= {"accession": one.accession, "name": one.name}
        case Comment():
            relation.infons = {KIND: "comment", "type": one.label, "text": one.text}
        case Equivalence():
            relation.infons = {KIND: "equivalence", "type": one.label}
            nodes = [(member, "member") for member in one.members]
    if isinstance(one, Attribute | Normalization | Comment):
        nodes = [(one.target, "target")]
    if not isinstance(one, Equivalence):
        relation.id = one.id
    for target, role in nodes:
        relation.add_node(BioCNode(target, role))
    return relation
