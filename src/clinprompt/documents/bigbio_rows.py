"""Rows of BigBIO's example schemas (QA, TE, T2T, TEXT, PAIRS) as documents, and back.

The text that is read (context, premise, ``text_1``, ``text``) is the document's text; every other
field is metadata under its own name, one entry for each item of a list (``answer``, ``choices``,
``labels``). ``bigbio.schema`` says which schema it was. A field that is missing has no entry, and
a missing text is empty; ``document_id`` has one only where it is not the row's id.
"""

from __future__ import annotations

from typing import Any

from clinprompt.documents.bigbio_schema import SCHEMAS, Schema
from clinprompt.documents.bioc_text import shown
from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

# Metadata: the schema of a row, and its own ids where the document has another one.
MARK, ROW, DOCUMENT = "bigbio.schema", "bigbio.id", "bigbio.document_id"
# What a relation's ends and a coreference are called, since the schema has no names for them.
ROLES, EQUIVALENCE = ("Arg1", "Arg2"), "Equiv"
_TEXTS = {"QA": "context", "TE": "premise", "T2T": "text_1", "TEXT": "text", "PAIRS": "text_1"}
# Without this field a row says nothing.
_NEEDED = {"QA": "question", "TE": "hypothesis", "T2T": "text_2", "PAIRS": "text_2"}


def document_of(row: dict[str, Any], schema: Schema, report: Report, place: str) -> Document:
    """The document that a row of shape ``SCHEMAS[schema]`` holds; its id is not checked."""
    metadata = [(MARK, str(schema))]
    for name, shape in SCHEMAS[schema].items():
        value = row.get(name)
        if name in ("id", _TEXTS[schema]) or value is None:
            continue
        if name == "document_id" and value == row.get("id"):
            continue
        values = value if isinstance(shape, list) else [value]
        found = [one for one in values if one is not None]
        report.skip("missing values in lists", place, detail=name, count=len(values) - len(found))
        metadata += [(name, one) for one in found]
    text = row.get(_TEXTS[schema])
    return Document(row.get("id") or "", text or "", metadata=tuple(metadata))


def row_of(document: Document, schema: Schema, report: Report, place: str) -> dict[str, Any]:
    """The row of a document; what the schema can't hold is counted.

    Raises:
        ClinpromptError: CP-DOC-250 if the document has not what the schema is about.
    """
    shapes = SCHEMAS[schema]
    row: dict[str, Any] = {
        name: [] if isinstance(shape, list) else None for name, shape in shapes.items()
    }
    row |= {"id": document.id, _TEXTS[schema]: document.text}
    lost = {"annotations": len(document.annotations), "passages": len(document.passages)}
    lost["metadata"] = 0
    for name, value in document.metadata:
        if name not in shapes or name in ("id", _TEXTS[schema]):
            lost["metadata"] += name != MARK
        elif isinstance(shapes[name], list):
            row[name].append(value)
        elif row[name] is None:
            row[name] = value
        else:
            lost["metadata"] += 1
    needed = _NEEDED.get(schema)
    if needed is not None and row[needed] is None and (MARK, schema) not in document.metadata:
        raise ClinpromptError(
            "CP-DOC-250",
            f"document '{shown(document.id)}' has no '{needed}' in its metadata, so it is no row "
            f"of schema {schema}",
            file=place,
            hint="annotated documents are schema KB",
        )
    if "document_id" in shapes and row["document_id"] is None:
        row["document_id"] = document.id
    for what, count in lost.items():
        reason = f"{what} (BigBIO's schema {schema} can't hold them)"
        report.skip(reason, place, None, document.id, count)
    return row
