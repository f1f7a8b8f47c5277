"""``omop``: rows of the table NOTE_NLP of the OMOP Common Data Model v5.4, as CSV. Write-only.

Columns, types and the rule for ``term_exists`` are those of the CDM's field list
(https://ohdsi.github.io/CommonDataModel/cdm54.html#note_nlp). One row a mention.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from clinprompt import __version__
from clinprompt.documents.assertion import assertion
from clinprompt.documents.attached import Attached
from clinprompt.documents.columns import spans_cell, table
from clinprompt.documents.formats import Format, WriteOptions, register
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
from clinprompt.documents.output import write_bytes
from clinprompt.documents.record import checked
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

COLUMNS = (
    "note_nlp_id", "note_id", "section_concept_id", "snippet", "offset", "lexical_variant",
    "note_nlp_concept_id", "note_nlp_source_concept_id", "nlp_system", "nlp_date", "nlp_datetime",
    "term_exists", "term_temporal", "term_modifiers",
)  # fmt: skip
LIMITS = {
    "snippet": 250, "offset": 50, "lexical_variant": 250, "nlp_system": 250, "term_exists": 1,
    "term_temporal": 50, "term_modifiers": 2000,
}  # fmt: skip
_LARGEST = 2**31 - 1  # the CDM's integer
_AROUND = 80  # characters shown on each side of a mention


def note_id(document: Document) -> int | None:
    """The number of a document's row in NOTE: its metadata ``note_id``, else its id; or None."""
    value = dict(document.metadata).get("note_id", document.id)
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > _LARGEST:
        return None
    return int(value)


def rows(
    document: Document, number: int, options: WriteOptions, lost: Counter[str]
) -> list[dict[str, object]]:
    """The document's rows without their ``note_nlp_id``, by column.

    Args:
        document: whose mentions are written.
        number: its ``note_id``.
        options: when and by what the annotations were made.
        lost: what is cut or left out is added here, by reason.
    """
    held = Attached.of(document)
    moment = options.moment
    system = f"clinprompt {__version__}" + (f" {options.artefact}" if options.artefact else "")
    found: list[dict[str, object]] = []
    for mention in document.mentions:
        attributes = held.attributes.get(mention.id, [])
        state = assertion(attributes)
        lost["attributes on assertion with a value of no known meaning"] += len(state.unknown)
        concept, others = _concept(held.concepts.get(mention.id, []))
        surface = mention.surface(document.text)
        row: dict[str, object] = {
            "note_id": number,
            "section_concept_id": 0,
            "snippet": snippet(document.text, mention),
            "offset": str(mention.start),
            "lexical_variant": surface,
            "note_nlp_concept_id": concept,
            "note_nlp_source_concept_id": 0,
            "nlp_system": system,
            "nlp_date": moment.date().isoformat(),
            "nlp_datetime": moment.strftime("%Y-%m-%d %H:%M:%S"),
            "term_exists": "Y" if state.exists else "N",
            "term_temporal": state.time,
            "term_modifiers": _modifiers(document, mention, attributes, others, lost),
        }
        if mention.end - mention.start > LIMITS["snippet"]:
            lost["snippets that show only the beginning of their mention"] += 1
        for column, limit in LIMITS.items():
            if len(str(row[column])) > limit:
                row[column] = str(row[column])[:limit]
                lost[f"{column} cut to {limit} characters"] += 1
        found.append(row)
    return found


def _concept(concepts: list[Normalization]) -> tuple[int, list[Normalization]]:
    """The first standard concept id (0 if there is none), and the other concepts."""
    for at, one in enumerate(concepts):
        right = one.resource.strip().lower() == "omop" and one.accession.isascii()
        if right and one.accession.isdigit() and int(one.accession[:11]) <= _LARGEST:
            return int(one.accession), concepts[:at] + concepts[at + 1 :]
    return 0, concepts


def snippet(text: str, mention: Mention) -> str:
    """The mention with some words around it on one line, at most as long as the column allows.

    The window is cut between words; a mention that is longer than the column is cut at its end.
    """
    room = LIMITS["snippet"] - (mention.end - mention.start)
    side = max(0, min(_AROUND, room // 2))
    start, end = max(0, mention.start - side), min(len(text), mention.end + side)
    if start > 0 and not text[start - 1].isspace():
        words = re.search(r"\s", text[start : mention.start])
        start = mention.start if words is None else start + words.end()
    if end < len(text) and not text[end].isspace():
        words = re.search(r"\s\S*\Z", text[mention.end : end])
        end = mention.end if words is None else mention.end + words.start()
    return " ".join(text[start:end].split())[: LIMITS["snippet"]]


def _modifiers(
    document: Document,
    mention: Mention,
    attributes: list[Attribute],
    concepts: list[Normalization],
    lost: Counter[str],
) -> str:
    """All that is known of a mention and has no column, as ``name=value,name=value``."""
    pairs = [("label", mention.label)]
    pairs += [("concept", f"{one.resource}:{one.accession}") for one in concepts]
    pairs += [(one.name, "true" if one.value is None else one.value) for one in attributes]
    for passage in document.passages:
        if passage.span[0] <= mention.start < passage.span[1]:
            pairs.append(("section", passage.name))
    if mention.confidence is not None:
        pairs.append(("confidence", f"{mention.confidence:.4g}"))
    if len(mention.spans) > 1:
        pairs.append(("spans", spans_cell(mention.spans)))
    plain = [[part.replace(",", ";").replace("=", ":") for part in pair] for pair in pairs]
    lost["modifiers with a comma or an equals sign, written as ; or :"] += sum(
        [*pair] != marked for pair, marked in zip(pairs, plain, strict=True)
    )
    return ",".join("=".join(pair) for pair in plain)


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write one table; returns how many documents went into it.

    Where ids of documents aren't numbers of notes and `WriteOptions.note_ids` is ``number``, all
    documents are numbered from 1, and ``<name>.notes.csv`` beside the table says which is which.

    Raises:
        ClinpromptError: CP-DOC-311 a document that is no number of a note, CP-DOC-312 two
            documents of one number, CP-DOC-300, CP-DOC-310, CP-DOC-004.
    """
    found: list[dict[str, object]] = []
    notes: dict[int, str] = {}
    options = replace(options, made=options.moment)  # one moment for all rows
    for count, document in enumerate(map(checked, documents), 1):
        number = count if options.note_ids == "number" else note_id(document)
        if number is None:
            raise ClinpromptError(
                "CP-DOC-311",
                f"document '{document.id}' is not named by its note_id, which NOTE_NLP needs",
                hint="name files by note_id, or have them numbered (--note-ids number)",
            )
        if number in notes:
            raise ClinpromptError(
                "CP-DOC-312", f"documents '{notes[number]}' and '{document.id}' have one note_id"
            )
        notes[number] = document.id
        lost: Counter[str] = Counter()
        found += rows(document, number, options, lost)
        _count_rest(document, lost)
        for reason, times in lost.items():
            report.skip(reason, path, detail=f"document '{document.id}'", count=times)
    for identity, row in enumerate(found, 1):
        row["note_nlp_id"] = identity
    if options.note_ids == "number":
        for number, name in notes.items():
            report.skip("documents numbered for note_id", path, detail=f"'{name}' is {number}")
        listed = table(("note_id", "note_source_value"), notes.items())
        write_bytes(path.with_name(f"{path.stem}.notes.csv"), listed)
    write_bytes(path, table(COLUMNS, ([row[column] for column in COLUMNS] for row in found)))
    return len(notes)


def _count_rest(document: Document, lost: Counter[str]) -> None:
    """Count what no column of the table holds."""
    mentions = {mention.id for mention in document.mentions}
    for one in document.annotations:
        match one:
            case Link():
                lost["relations that NOTE_NLP can't hold"] += 1
            case Event():
                lost["events that NOTE_NLP can't hold"] += 1
            case Comment():
                lost["comments that NOTE_NLP can't hold"] += 1
            case Equivalence():
                lost["equivalences that NOTE_NLP can't hold"] += 1
            case Attribute() if one.target not in mentions:
                lost["attributes of other things than mentions, which NOTE_NLP can't hold"] += 1
            case Normalization() if one.target not in mentions:
                lost["concepts of other things than mentions, which NOTE_NLP can't hold"] += 1
    if not mentions:
        lost["documents without mentions, which have no row"] += 1
    facts = sum(name != "note_id" for name, _ in document.metadata)
    lost["facts on documents that NOTE_NLP can't hold"] += facts


register(
    Format("omop", "rows of OMOP CDM v5.4 NOTE_NLP, as CSV, one a mention", False, None, write)
)
