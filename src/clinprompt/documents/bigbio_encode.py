"""From documents to rows of BigBIO's KB schema; what it can't hold is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import Any

from clinprompt.documents.bigbio_rows import DOCUMENT, EQUIVALENCE, MARK, ROLES, ROW
from clinprompt.documents.model import (
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
)
from clinprompt.examples import Span
from clinprompt.report import Report

Row = dict[str, Any]


def encode(document: Document, report: Report, place: str) -> Row:
    """The row of a document. Ids get the document's in front, to be unique in the data set."""
    lost: Counter[str] = Counter()
    prefix = f"{document.id}_"
    kept = _kept(document, lost)
    concepts = _concepts(document, kept, lost)
    metadata = _metadata(document, lost)
    row: Row = {
        "id": metadata.get(ROW, document.id),
        "document_id": metadata.get(DOCUMENT, document.id),
        "passages": _passages(document, prefix, lost),
        "entities": [],
        "events": [],
        "coreferences": [],
        "relations": [],
    }
    alone = _trigger_only(document, kept)
    places = Counter((one.label, one.spans) for one in document.mentions)
    labels = {one.id: one for one in document.mentions}
    for one in document.annotations:
        match one:
            case Mention() if one.id not in alone:
                named = {"id": prefix + one.id, "type": one.label}
                covered = _covered(document.text, one.spans)
                row["entities"].append({**named, **covered, "normalized": concepts[one.id]})
            case Event() if one.id in kept:
                trigger = labels[one.trigger]
                lost["triggers apart from entities of the same type and place"] += (
                    places[trigger.label, trigger.spans] > 1
                )
                event = {"id": prefix + one.id, "type": trigger.label}
                covered = _covered(document.text, trigger.spans)
                roles = [
                    {"role": argument.role, "ref_id": prefix + argument.target}
                    for argument in one.arguments
                    if argument.target in kept
                ]
                lost["arguments of events"] += len(one.arguments) - len(roles)
                row["events"].append({**event, "trigger": covered, "arguments": roles})
            case Link() if one.id in kept:
                ends = [prefix + argument.target for argument in one.arguments]
                lost["roles of relations"] += tuple(a.role for a in one.arguments) != ROLES
                relation = {"id": prefix + one.id, "type": one.label}
                relation |= {"arg1_id": ends[0], "arg2_id": ends[1]}
                row["relations"].append({**relation, "normalized": concepts[one.id]})
            case Equivalence():
                _coreference(one, labels, prefix, row, lost)
        lost["confidences"] += isinstance(one, Mention | Link) and one.confidence is not None
    for kind in (Attribute, Comment):
        lost[f"{kind.__name__.lower()}s"] = sum(1 for _ in document.of(kind))
    for reason, count in lost.items():
        reason = f"{reason} (BigBIO's schema KB can't hold them)"
        report.skip(reason, place, None, document.id, count)
    return row


def _covered(text: str, spans: tuple[Span, ...]) -> Row:
    return {
        "text": [text[start:end] for start, end in spans],
        "offsets": [[start, end] for start, end in spans],
    }


def _passages(document: Document, prefix: str, lost: Counter[str]) -> list[Row]:
    """Passages in order, and the text outside of them as passages with an empty type.

    Blanks before and between passages are left out: a reader fills them.
    """
    ends = [at for one in document.passages for at in one.span]
    passages = document.passages if ends == sorted(ends) else ()
    lost["passages that overlap or are out of order"] = len(document.passages) - len(passages)
    parts: list[tuple[Span, str | None]] = []
    at = 0
    for one in passages:
        start, end = one.span
        if document.text[at:start].strip(" "):
            parts.append(((at, start), ""))
        parts.append((one.span, one.name or None))
        at = end
    if at < len(document.text):
        parts.append(((at, len(document.text)), ""))
    return [
        {"id": f"{prefix}passage{i}", "type": name, **_covered(document.text, (span,))}
        for i, (span, name) in enumerate(parts, 1)
    ]


def _metadata(document: Document, lost: Counter[str]) -> dict[str, str]:
    """The row's own ids, where they are not the document's."""
    found: dict[str, str] = {}
    for key, value in document.metadata:
        if key in (ROW, DOCUMENT) and key not in found and value:
            found[key] = value
        else:
            lost["metadata"] += key != MARK
    return found


def _kept(document: Document, lost: Counter[str]) -> set[str]:
    """Ids of the mentions, events and relations that are written."""
    mentions = {one.id for one in document.mentions}
    kept = mentions | {one.id for one in document.links}
    kept |= {one.id for one in document.events if one.trigger in mentions}
    lost["events without a trigger"] = sum(1 for one in document.events if one.id not in kept)
    while True:
        left = {
            one.id
            for one in document.links
            if len(one.arguments) != 2 or any(a.target not in kept for a in one.arguments)
        } & kept
        if not left:
            return kept
        lost["relations that are not between two mentions, events or relations"] += len(left)
        kept -= left


def _concepts(
    document: Document, kept: set[str], lost: Counter[str]
) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for one in document.of(Normalization):
        if one.target not in kept or isinstance(document.by_id[one.target], Event):
            lost["concepts of what is not a mention or relation"] += 1
            continue
        lost["names and labels of concepts"] += (one.name, one.label) != ("", "Reference")
        found[one.target].append({"db_name": one.resource, "db_id": one.accession})
    return found


def _trigger_only(document: Document, kept: set[str]) -> set[str]:
    """Mentions that are nothing but triggers: BigBIO has them inside their events."""
    triggers = {one.trigger for one in document.events if one.id in kept}
    links = (one.arguments for one in document.links if one.id in kept)
    events = (one.arguments for one in document.events)
    others = {argument.target for argument in chain.from_iterable(chain(links, events))}
    others |= {one.target for one in document.of(Normalization)}
    others |= {member for one in document.of(Equivalence) for member in one.members}
    return triggers - others


def _coreference(
    one: Equivalence, mentions: dict[str, Mention], prefix: str, row: Row, lost: Counter[str]
) -> None:
    if not all(member in mentions for member in one.members):
        lost["equivalences of what is not a mention"] += 1
        return
    lost["labels of equivalences"] += one.label != EQUIVALENCE
    number = len(row["coreferences"]) + 1
    members = [prefix + member for member in one.members]
    row["coreferences"].append({"id": f"{prefix}coreference{number}", "entity_ids": members})
