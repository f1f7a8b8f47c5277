"""Records of all formats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinprompt.corpora.tabular import Layout, Record, format_of, read_records
from clinprompt.errors import ClinpromptError

COLUMNS = ["id", "text", "label"]
cell = st.text(alphabet=st.sampled_from('ab,"\n\t é\u2028'), min_size=1, max_size=6).filter(
    lambda text: text.strip()
)
rows_of_cells = st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=4)


def write(path: Path, rows: list[tuple[str, ...]]) -> None:
    """The same table in the format of the path's ending."""
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    ending = path.suffix
    if ending == ".xlsx":
        book = openpyxl.Workbook()
        for row in [COLUMNS, *rows]:
            book.active.append(list(row))
        book.save(path)
    elif ending == ".json":
        path.write_text(json.dumps({"items": records}))
    elif ending == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        text = io.StringIO(newline="")
        delimiter = "\t" if ending == ".tsv" else ","
        csv.writer(text, delimiter=delimiter).writerows([COLUMNS, *rows])
        path.write_bytes(text.getvalue().encode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@settings(max_examples=25, deadline=None)
@given(rows=rows_of_cells)
def test_a_table_is_the_same_in_every_format(folder: Path, rows: list[tuple[str, ...]]) -> None:
    for ending in ("csv", "tsv", "json", "jsonl", "xlsx"):
        path = folder / f"t.{ending}"
        write(path, rows)
        layout = Layout(records="items" if ending == "json" else "")
        found = [tuple(record.values.values()) for record in read_records(path, layout)]
        assert found == rows, ending
        first = next(iter(read_records(path, layout)))
        assert list(first.values) == COLUMNS and first.row == 1


def records(path: Path, text: str, **layout: Any) -> list[Record]:
    path.write_text(text)
    return list(read_records(path, Layout(**layout)))


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    found = records(tmp_path / "a.csv", 'a,b\n1,"x\ny"\n2,z\n')
    assert [(r.row, r.line) for r in found] == [(1, 2), (2, 4)]
    assert [r.line for r in records(tmp_path / "a.jsonl", '{}\n\n{"a": 1}')] == [1, 3]
    assert [r.line for r in records(tmp_path / "a.json", "[{}]")] == [None]


def test_columns_without_a_name_get_their_number(tmp_path: Path) -> None:
    assert records(tmp_path / "a.csv", ",a\n0,x\n")[0].values == {"@1": "0", "a": "x"}
    assert records(tmp_path / "a.csv", "0,x\n", header=False)[0].values == {"@1": "0", "@2": "x"}
    assert records(tmp_path / "a.csv", "0,x\n", header=["n", "c"])[0].values == {"n": "0", "c": "x"}


def test_records_of_a_document_are_found_by_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    text = '{"sets": [{"train": {"q1": {"a": 1}, "q2": {"a": 2}}}]}'
    found = records(path, text, records="sets.0.train")
    assert [(r.key, r.values["a"]) for r in found] == [("q1", 1), ("q2", 2)]
    for wrong in ("sets.1.train", "sets.train", "set", "sets.0.train.q1.a"):
        with pytest.raises(ClinpromptError) as caught:
            records(path, text, records=wrong)
        assert caught.value.code == "CP-DATA-082"


@pytest.mark.parametrize(
    ("code", "ending", "text", "where"),
    [
        ("CP-DATA-056", "csv", "a,b\n1,2\n1,2,3\n", ":3: the row has 3 cells"),
        ("CP-DATA-056", "tsv", "a\tb\n1\n", ":2: the row has 1 cells"),
        ("CP-DATA-057", "csv", "a,b\n", ": the file has no rows"),
        ("CP-DATA-057", "csv", "", ": the file has no rows"),
        ("CP-DATA-058", "csv", "a,b,a\n1,2,3\n", ":1: 2 columns are named 'a'"),
        ("CP-DATA-066", "dat", "a\n", ": the file's ending doesn't tell its format"),
        ("CP-DATA-075", "jsonl", '{}\n["a"]\n', ":2: not an object but list"),
        ("CP-DATA-075", "json", "[{}, 3]", ": record 2: not an object but int"),
        ("CP-DATA-082", "json", '"a"', ": no list or object of records at the top"),
    ],
)
def test_malformed_tables_are_refused(
    tmp_path: Path, code: str, ending: str, text: str, where: str
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        records(tmp_path / f"a.{ending}", text)
    assert caught.value.code == code
    assert f"a.{ending}{where}" in str(caught.value)


def test_a_cell_right_of_an_xlsx_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    book = openpyxl.Workbook()
    for row in (["a", "b"], ["1"], ["1", "2", "stray"]):
        book.active.append(row)
    book.save(path)
    with pytest.raises(ClinpromptError, match=r"a\.xlsx:3: the row has 3 cells"):
        list(read_records(path, Layout()))


def test_the_ending_tells_the_format() -> None:
    assert format_of(Path("a.CSV.xz")) == "csv"
    assert format_of(Path("a.b.jsonl")) == "jsonl"
