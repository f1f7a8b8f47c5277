"""Records of a file, whatever its format: named values and the place they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clinprompt.corpora.checks import shown
from clinprompt.corpora.delimited import read_rows
from clinprompt.corpora.jsonfile import json_lines, parse_json
from clinprompt.corpora.workbook import read_sheet
from clinprompt.errors import ClinpromptError
from clinprompt.files import read_text

Format = Literal["csv", "tsv", "json", "jsonl", "xlsx"]
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
}
MISSING = object()


@dataclass(frozen=True)
class Record:
    """One row, line or object.

    Attributes:
        values: cell or field by name.
        row: its number among the file's records, from 1.
        line: line (or sheet row) it starts in; None in a JSON document.
        key: its key, where the records of a JSON document stand in an object.
    """

    values: Mapping[str, Any]
    file: Path
    row: int
    line: int | None = None
    key: str = ""

    def error(self, code: str, message: str, hint: str | None = None) -> ClinpromptError:
        """An error that names this record's place."""
        if self.line is None:
            message = f"record {self.row}: {message}"
        return ClinpromptError(code, message, file=self.file, line=self.line, hint=hint)


@dataclass(frozen=True)
class Layout:
    """How records lie in a file.

    Attributes:
        format: by the file's ending if None.
        delimiter: between cells; comma (csv) or tab (tsv) if None.
        quoting: whether quotation marks enclose cells (csv, tsv).
        header: True if the first row names the columns, else their names; False for ``@1``,
            ``@2``, ... A column without a name is ``@`` and its number too.
        sheet: name of the sheet (xlsx); the first one if None.
        records: where the records stand in a JSON document: keys joined by dots, "" for the top.
    """

    format: Format | None = None
    delimiter: str | None = None
    quoting: bool = True
    header: bool | Sequence[str] = True
    sheet: str | None = None
    records: str = ""
    encoding: str = "utf-8"


def format_of(path: Path) -> Format:
    """The format that the file's name tells, ``.xz`` aside.

    Raises:
        ClinpromptError: CP-DATA-066 if it tells none.
    """
    name = path.name.lower().removesuffix(".xz")
    for ending, found in _ENDINGS.items():
        if name.endswith(ending):
            return found
    raise ClinpromptError(
        "CP-DATA-066",
        "the file's ending doesn't tell its format",
        file=path,
        hint=f"set data.options.format to one of {', '.join(sorted(set(_ENDINGS.values())))}",
    )


def read_records(path: Path, layout: Layout) -> Iterator[Record]:
    """The records of a file, in order.

    Raises:
        ClinpromptError: CP-DATA-055 to 063 for malformed files, 066 unknown format, 075 a record
            that is no object, 082 no records where `layout` says; 001 to 004 from reading.
    """
    chosen = layout.format or format_of(path)
    if chosen == "xlsx":
        yield from _named(read_sheet(path, layout.sheet), layout.header, path, padded=True)
    elif chosen == "jsonl":
        for row, (line, value) in enumerate(json_lines(path, layout.encoding), 1):
            yield _checked(Record(value, path, row, line))
    elif chosen == "json":
        yield from _from_document(path, layout)
    else:
        rows = read_rows(
            path,
            delimiter=layout.delimiter or ("\t" if chosen == "tsv" else ","),
            quoting=layout.quoting,
            encoding=layout.encoding,
        )
        yield from _named(rows, layout.header, path, padded=False)


def follow(value: Any, dotted: str) -> Any:
    """What stands at keys and list places joined by dots; `MISSING` if nothing does."""
    for part in dotted.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return MISSING
    return value


def _named(
    rows: Iterable[tuple[int, list[Any]]], header: bool | Sequence[str], path: Path, *, padded: bool
) -> Iterator[Record]:
    """Rows with named cells.  `padded`: short rows lost their empty cells at the end."""
    names = None if isinstance(header, bool) else _column_names(header, path)
    number = 0
    for line, row in rows:
        if names is None and header is True:
            names = _column_names(["" if cell is None else str(cell) for cell in row], path, line)
            continue
        if names is None:
            names = _column_names([""] * len(row), path)
        if padded and len(row) < len(names):
            row = row + [None] * (len(names) - len(row))
        if len(row) != len(names):
            raise ClinpromptError(
                "CP-DATA-056",
                f"the row has {len(row)} cells, but there are {len(names)} columns",
                file=path,
                line=line,
                hint="a cell that holds the delimiter or a line break must be quoted",
            )
        number += 1
        yield Record(dict(zip(names, row, strict=True)), path, number, line)
    if not number:
        raise ClinpromptError("CP-DATA-057", "the file has no rows", file=path)


def _column_names(cells: Sequence[str], path: Path, line: int | None = None) -> list[str]:
    names = [cell.strip() or f"@{number}" for number, cell in enumerate(cells, 1)]
    for name, count in Counter(names).items():
        if count > 1:
            raise ClinpromptError(
                "CP-DATA-058", f"{count} columns are named {shown(name)}", file=path, line=line
            )
    return names


def _from_document(path: Path, layout: Layout) -> Iterator[Record]:
    place = parse_json(read_text(path, layout.encoding), path)
    if layout.records:
        place = follow(place, layout.records)
    if isinstance(place, dict):
        for row, (key, value) in enumerate(place.items(), 1):
            yield _checked(Record(value, path, row, key=key))
    elif isinstance(place, list):
        for row, value in enumerate(place, 1):
            yield _checked(Record(value, path, row))
    else:
        where = f"at '{layout.records}'" if layout.records else "at the top"
        raise ClinpromptError(
            "CP-DATA-082",
            f"no list or object of records {where} of the document",
            file=path,
            hint="say where they stand with data.options.records, such as data.items",
        )


def _checked(record: Record) -> Record:
    if isinstance(record.values, dict):
        return record
    raise record.error("CP-DATA-075", f"not an object but {type(record.values).__name__}")
