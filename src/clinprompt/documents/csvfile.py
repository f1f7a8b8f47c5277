"""``csv``: one row an annotation, for spreadsheets and data frames. Write-only: no note text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from clinprompt.documents.attached import Attached
from clinprompt.documents.columns import mention_of, spans_cell, table
from clinprompt.documents.formats import Format, WriteOptions, register
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
)
from clinprompt.documents.output import write_bytes
from clinprompt.documents.record import KIND_OF, checked
from clinprompt.report import Report

COLUMNS = (
    "document", "id", "kind", "label", "start", "end", "text", "spans", "arguments", "attributes",
    "concept", "confidence",
)  # fmt: skip

# What Excel, LibreOffice and Google Sheets take for the beginning of a formula, full-width forms
# included, and the white space that some of them drop first. Apostrophes in front are counted in,
# so that taking one away again is exact.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def rows(document: Document) -> Iterator[dict[str, object]]:
    """One row an annotation, by column; columns that say nothing of it are left out."""
    held = Attached.of(document)
    for one in document.annotations:
        row: dict[str, object] = {"document": document.id, "kind": KIND_OF[type(one)]}
        row |= _row(document, one)
        if not isinstance(one, Equivalence):
            row["id"] = one.id
            row["attributes"] = "; ".join(map(_attribute, held.attributes.get(one.id, [])))
            row.setdefault("concept", "; ".join(map(_concept, held.concepts.get(one.id, []))))
        yield row


def _row(document: Document, one: Annotation) -> dict[str, object]:
    match one:
        case Mention(label=label, confidence=confidence):
            return {"label": label, "confidence": confidence, **_place(document, one)}
        case Link(label=label, arguments=arguments, confidence=confidence):
            cell = _arguments(arguments)
            return {"label": label, "arguments": cell, "confidence": confidence}
        case Event(trigger=trigger, arguments=arguments):
            cell = _arguments((Argument("trigger", trigger), *arguments))
            found = mention_of(document, trigger)
            place = {} if found is None else {"label": found.label, **_place(document, found)}
            return {"arguments": cell, **place}
        case Attribute(name=name, target=target, value=value):
            return {"label": name, "text": value, "arguments": f"target:{target}"}
        case Normalization(label=label, target=target, name=name):
            cell = f"target:{target}"
            return {"label": label, "text": name, "arguments": cell, "concept": _concept(one)}
        case Comment(label=label, target=target, text=text):
            return {"label": label, "text": text, "arguments": f"target:{target}"}
        case Equivalence(label=label, members=members):
            cell = _arguments(Argument("member", member) for member in members)
            return {"label": label, "arguments": cell}


def _place(document: Document, mention: Mention) -> dict[str, object]:
    return {
        "start": mention.start,
        "end": mention.end,
        "text": mention.surface(document.text),
        "spans": spans_cell(mention.spans),
    }


def _arguments(arguments: Iterable[Argument]) -> str:
    return " ".join(f"{one.role}:{one.target}" for one in arguments)


def _attribute(one: Attribute) -> str:
    return one.name if one.value is None else f"{one.name}={one.value}"


def _concept(one: Normalization) -> str:
    return f"{one.resource}:{one.accession}"


def write(path: Path, documents: Iterable[Document], options: WriteOptions, report: Report) -> int:
    """Write one table; returns how many documents went into it.

    Cells that a spreadsheet would run as a formula get an apostrophe in front and are counted,
    unless `WriteOptions.formulas` is ``keep``.

    Raises:
        ClinpromptError: CP-DOC-300, CP-DOC-310, CP-DOC-004.
    """
    found: list[list[object]] = []
    count = 0
    for document in map(checked, documents):
        count += 1
        marked: Counter[str] = Counter()
        for row in rows(document):
            cells: list[object] = []
            for column in COLUMNS:
                cell = row.get(column)
                if options.formulas == "mark" and isinstance(cell, str) and _FORMULA.match(cell):
                    marked[column] += 1
                    cell = "'" + cell
                cells.append(cell)
            found.append(cells)
        lost = {
            "documents without annotations, which have no row": int(not document.annotations),
            "passages that CSV can't hold": len(document.passages),
            "facts on documents that CSV can't hold": len(document.metadata),
            "cells like a spreadsheet's formula, marked with an apostrophe": marked.total(),
        }
        for reason, number in lost.items():
            report.skip(reason, path, detail=f"document '{document.id}'", count=number)
    write_bytes(path, table(COLUMNS, found))
    return count


register(
    Format("csv", "one row an annotation, for spreadsheets; holds no note text", False, None, write)
)
