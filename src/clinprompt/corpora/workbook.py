"""Rows of XLSX files, "Strict Open XML" ones included.

openpyxl knows only the transitional namespaces: it opens a strict workbook without complaint and
finds no sheet in it. So a strict one's namespaces are rewritten in memory first (ISO/IEC 29500-1
gives the strict names, 29500-4 the transitional ones).
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinprompt.errors import ClinpromptError, did_you_mean
from clinprompt.files import read_bytes

STRICT = b"http://purl.oclc.org/ooxml/"
_TAG = re.compile(rb"<[^<>]+>")
_NAME = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/([\w/.-]+)")
_RENAMED = {
    b"extendedProperties": b"extended-properties",
    b"customProperties": b"custom-properties",
}


def _transitional(match: re.Match[bytes]) -> bytes:
    area, rest = match.groups()
    parts = [_RENAMED.get(part, part) for part in rest.split(b"/")]
    return b"http://schemas.openxmlformats.org/" + area + b"/2006/" + b"/".join(parts)


def to_transitional(raw: bytes) -> bytes:
    """The workbook with transitional namespaces; the same bytes if it isn't a strict one.

    Only tags are touched: a cell's text may well speak of these namespaces.

    Raises:
        zipfile.BadZipFile, zlib.error: not a zip archive, or a broken one.
    """
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    if not any(STRICT in parts.get(name, b"") for name in ("xl/workbook.xml", "_rels/.rels")):
        return raw
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            if name.endswith((".xml", ".rels")):
                content = _TAG.sub(lambda tag: _NAME.sub(_transitional, tag[0]), content)
            archive.writestr(name, content)
    return out.getvalue()


def read_sheet(path: Path, sheet: str | None = None) -> Iterator[tuple[int, list[Any]]]:
    """Row number (from 1) and cell values of a sheet; blank rows are passed over.

    Trailing empty cells are cut off. Formulas give the value that was stored with them.

    Args:
        sheet: its name; the first one if None.

    Raises:
        ClinpromptError: CP-DATA-062 not a workbook or a broken one, CP-DATA-063 no such sheet,
            and what `read_bytes` raises.
    """
    import openpyxl  # takes a moment to import, and few tasks need it

    raw = read_bytes(path)
    try:
        with warnings.catch_warnings():
            # It warns of features it can't write back, which doesn't matter here.
            warnings.simplefilter("ignore", UserWarning)
            book = openpyxl.load_workbook(
                io.BytesIO(to_transitional(raw)), read_only=True, data_only=True
            )
        names = list(book.sheetnames)
        if names and (sheet is None or sheet in names):
            page = book[names[0] if sheet is None else sheet]
            page.reset_dimensions()  # the stored size of a sheet is often wrong
            rows = [list(row) for row in page.iter_rows(values_only=True)]
        else:
            rows = None
        book.close()
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, SyntaxError, OSError) as error:
        # SyntaxError is the base of the XML parser's ParseError.
        raise ClinpromptError(
            "CP-DATA-062",
            f"not a readable XLSX workbook ({type(error).__name__})",
            file=path,
            hint="save it as .xlsx or .csv; the older .xls format is not read",
        ) from error
    if rows is None:
        raise ClinpromptError(
            "CP-DATA-063",
            f"no sheet '{sheet}'" if names else "the workbook has no sheet",
            file=path,
            hint=did_you_mean(sheet, names) if sheet and names else None,
        )
    for number, row in enumerate(rows, 1):
        while row and (row[-1] is None or str(row[-1]).strip() == ""):
            row.pop()
        if row:
            yield number, row
