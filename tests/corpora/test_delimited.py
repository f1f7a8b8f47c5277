"""CSV and TSV rows."""

from __future__ import annotations

import csv
import io
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.corpora.delimited import read_rows
from clinprompt.errors import ClinpromptError

cells = st.text(
    alphabet=st.one_of(
        st.sampled_from("ab,;\t\"'\n\r \\|"),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\ufeff"),
    ),
    max_size=12,
)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6)
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows") / "table.csv"


@given(table=tables, delimiter=st.sampled_from(",;\t"), end=st.sampled_from(["\n", "\r\n"]))
def test_quoted_cells_come_back_with_their_first_line(
    place: Path, table: list[list[str]], delimiter: str, end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=end)
    starts = []
    for row in table:
        # The csv module counts the lines that Python's universal newlines would.
        starts.append(len(io.StringIO(text.getvalue(), newline=None).readlines()) + 1)
        writer.writerow(row)
    place.write_bytes(text.getvalue().encode())
    rows = list(read_rows(place, delimiter=delimiter))
    assert [row for _, row in rows] == table
    assert [line for line, _ in rows] == starts


def test_line_numbers_count_breaks_inside_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,"two\nlines"\n\n2,"say ""hi"""\n')
    assert list(read_rows(path)) == [
        (1, ["id", "text"]),
        (2, ["1", "two\nlines"]),
        (5, ["2", 'say "hi"']),
    ]


def test_xz_is_read_as_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.xz"
    path.write_bytes(lzma.compress(b"a\tb\n"))
    assert list(read_rows(path, delimiter="\t")) == [(1, ["a", "b"])]


@pytest.mark.parametrize("text", ['a,b\n1,"never closed\n2,x\n', 'a,b\n1,"closed"early\n'])
def test_misplaced_quotes_are_refused_where_the_row_starts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ClinpromptError, match=r"a\.csv:2: .*quot") as caught:
        list(read_rows(path))
    assert caught.value.code == "CP-DATA-055"
    assert "never" not in str(caught.value) and "early" not in str(caught.value)


def test_without_quoting_a_row_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('a\t"b\n"c\td\n')
    rows = [row for _, row in read_rows(path, delimiter="\t", quoting=False)]
    assert rows == [["a", '"b'], ['"c', "d"]]


def test_a_note_may_be_longer_than_the_csv_modules_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x" * 300_000)
    assert [len(row[0]) for _, row in read_rows(path)] == [300_000]


def test_the_wrong_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("a,b\n1,30\xb0C\n".encode("cp1252"))
    with pytest.raises(ClinpromptError, match=r"a\.csv:2: byte 0xb0 is not utf-8"):
        list(read_rows(path))
    assert list(read_rows(path, encoding="cp1252"))[1] == (2, ["1", "30°C"])
