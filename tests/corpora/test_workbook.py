"""XLSX rows, strict workbooks included."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.corpora.workbook import read_sheet, to_transitional
from clinprompt.errors import ClinpromptError

# Namespaces of ISO/IEC 29500-4 (transitional) and -1 (strict).
STRICT_NAMES = {
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main": (
        "http://purl.oclc.org/ooxml/spreadsheetml/main"
    ),
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships/extended-properties": (
        "http://purl.oclc.org/ooxml/officeDocument/relationships/extendedProperties"
    ),
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": (
        "http://purl.oclc.org/ooxml/officeDocument/relationships"
    ),
    "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties": (
        "http://purl.oclc.org/ooxml/officeDocument/extendedProperties"
    ),
    "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes": (
        "http://purl.oclc.org/ooxml/officeDocument/docPropsVTypes"
    ),
    "http://schemas.openxmlformats.org/drawingml/2006/main": (
        "http://purl.oclc.org/ooxml/drawingml/main"
    ),
}


def workbook(rows: list[list[Any]], *, strict: bool = False, title: str = "Sheet") -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    page.title = title
    for row in rows:
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    if not strict:
        return out.getvalue()
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(out.getvalue())) as source,
        zipfile.ZipFile(result, "w") as target,
    ):
        for name in source.namelist():
            text = source.read(name).decode()
            # Cells of the tests speak of no namespace but the strict one, so this is safe.
            for transitional, name_in_strict in STRICT_NAMES.items():
                text = text.replace(transitional, name_in_strict)
            if name == "xl/workbook.xml":
                text = text.replace("<workbook ", '<workbook conformance="strict" ', 1)
            target.writestr(name, text)
    return result.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("books") / "book.xlsx"


pieces = st.sampled_from([*"ab<>&\"'=\n é漢/", "http://purl.oclc.org/ooxml/a/b", "<c>"])
texts = (
    st.lists(pieces, min_size=1, max_size=6)
    .map("".join)
    .filter(lambda text: text.strip() and not text.startswith("="))
)
CELLS = st.one_of(texts, st.integers(-999, 999), st.floats(-9, 9).map(lambda x: round(x, 3)))


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=4),
    strict=st.booleans(),
)
def test_cells_come_back_from_both_kinds(place: Path, rows: list[list[Any]], strict: bool) -> None:
    place.write_bytes(workbook(rows, strict=strict))
    assert list(read_sheet(place)) == list(enumerate(rows, 1))


@pytest.mark.filterwarnings("ignore:File contains an invalid specification")
def test_openpyxl_alone_finds_nothing_in_a_strict_workbook() -> None:
    raw = workbook([["a", "b"]], strict=True)
    assert openpyxl.load_workbook(io.BytesIO(raw)).sheetnames == []
    assert openpyxl.load_workbook(io.BytesIO(to_transitional(raw))).sheetnames == ["Sheet"]


def test_a_transitional_workbook_is_left_as_it_is() -> None:
    raw = workbook([["http://purl.oclc.org/ooxml/spreadsheetml/main"]])
    assert to_transitional(raw) == raw


def test_text_about_namespaces_survives(place: Path) -> None:
    note = 'xmlns="http://purl.oclc.org/ooxml/spreadsheetml/main" <x a="http://purl.oclc.org/ooxml/y/z">'
    place.write_bytes(workbook([[note]], strict=True))
    assert list(read_sheet(place)) == [(1, [note])]


def test_dates_of_a_strict_workbook_are_read(place: Path) -> None:
    place.write_bytes(workbook([["when", datetime(2021, 1, 29)]], strict=True))
    assert list(read_sheet(place)) == [(1, ["when", datetime(2021, 1, 29)])]


def test_blank_rows_and_empty_cells_at_the_end_go(place: Path) -> None:
    place.write_bytes(workbook([["a", None, None], [None, None], ["", " "], [None, "b"]]))
    assert list(read_sheet(place)) == [(1, ["a"]), (4, [None, "b"])]


def test_sheets_are_chosen_by_name(place: Path) -> None:
    place.write_bytes(workbook([["a"]], title="Answers"))
    assert list(read_sheet(place, "Answers")) == [(1, ["a"])]
    with pytest.raises(
        ClinpromptError, match="no sheet 'Answer'; did you mean 'Answers'"
    ) as caught:
        list(read_sheet(place, "Answer"))
    assert caught.value.code == "CP-DATA-063"


@pytest.mark.parametrize("cut", [0, 10, 400, -30])
def test_a_truncated_or_foreign_file_is_refused(place: Path, cut: int) -> None:
    place.write_bytes(workbook([["a"]])[:cut])
    with pytest.raises(ClinpromptError, match=r"book\.xlsx: not a readable XLSX") as caught:
        list(read_sheet(place))
    assert caught.value.code == "CP-DATA-062"


def test_a_damaged_part_is_refused(place: Path) -> None:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["a"]]))) as source,
        zipfile.ZipFile(out, "w") as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[:-40] if "sheet1" in name else content)
    place.write_bytes(out.getvalue())
    with pytest.raises(ClinpromptError, match="not a readable XLSX"):
        list(read_sheet(place))
