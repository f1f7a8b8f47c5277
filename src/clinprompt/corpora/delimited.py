"""Rows of CSV and TSV files, with quoted cells that may hold line breaks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from clinprompt.errors import ClinpromptError
from clinprompt.files import read_text

# A note can be longer than the csv module's limit of 131 072 characters a cell.
csv.field_size_limit(2**31 - 1)


def read_rows(
    path: Path, *, delimiter: str = ",", quoting: bool = True, encoding: str = "utf-8"
) -> Iterator[tuple[int, list[str]]]:
    """First line (from 1) and cells of each row; blank lines are passed over.

    Args:
        delimiter: one character between cells.
        quoting: whether ``"`` opens a cell that may hold delimiters and line breaks. If not, a
            quotation mark is a character like any other and a row is a line.

    Raises:
        ClinpromptError: CP-DATA-055 quotes out of place or never closed (file and line of the
            row's start); what `read_text` raises.
    """
    text = read_text(path, encoding)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ClinpromptError(
                "CP-DATA-055",
                f"the row that starts here is malformed ({error})",
                file=path,
                line=line,
                hint='write "" for a quotation mark in a quoted cell, or set '
                "data.options.quoting to false if the file doesn't quote",
            ) from error
        if row:
            yield line, row
