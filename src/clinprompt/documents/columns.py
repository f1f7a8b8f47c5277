"""Rows of a table as CSV bytes (RFC 4180), and cells that hold annotations in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from clinprompt.documents.model import Annotation, Document, Mention
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Span


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A header and rows: commas, CRLF, quotes where needed and doubled inside, UTF-8.

    Raises:
        ClinpromptError: CP-DOC-310 if a cell holds text that is not Unicode.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    try:
        return out.getvalue().encode("utf-8")
    except UnicodeEncodeError as error:
        line = out.getvalue()[: error.start].count("\r\n")
        raise ClinpromptError(
            "CP-DOC-310", f"row {line} of the table holds half of a surrogate pair"
        ) from error


def spans_cell(spans: Iterable[Span]) -> str:
    """Fragments as ``0-4 7-9``."""
    return " ".join(f"{start}-{end}" for start, end in spans)


def mention_of(document: Document, target: str) -> Mention | None:
    """The mention of that id, if there is one."""
    found: Annotation | None = document.by_id.get(target)
    return found if isinstance(found, Mention) else None
