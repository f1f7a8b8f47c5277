from __future__ import annotations

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinprompt.documents.csvfile import COLUMNS, rows, write
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import (
    Argument,
    Attribute,
    Comment,
    Document,
    Equivalence,
    Event,
    Link,
    Mention,
    Normalization,
    Passage,
)
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

TEXT = 'No "fever", mild\ncough.'
NOTE = Document(
    "ward/7",
    TEXT,
    (
        Mention("T1", "Sign", ((4, 9),), 0.5),
        Mention("T2", "Sign", ((12, 16), (17, 22))),
        Link("R1", "With", (Argument("Arg1", "T1"), Argument("Arg2", "T2")), 0.25),
        Event("E1", "T2", (Argument("Of", "T1"),)),
        Event("E2", "T99"),
        Attribute("A1", "Negated", "T1"),
        Attribute("A2", "Degree", "T1", "none, really"),
        Normalization("N1", "T1", "MeSH", "D005334", "Fever"),
        Comment("#1", "Note", "T1", "sure?"),
        Equivalence("Same", ("T1", "T2")),
    ),
    (Passage((0, 11), "first"),),
    (("date", "2020"),),
)


def written(tmp_path, *documents, **options):
    report = Report()
    path = tmp_path / "out.csv"
    assert write(path, documents, WriteOptions(**options), report) == len(documents)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), report


def test_each_annotation_has_a_row_in_order(tmp_path):
    found, _ = written(tmp_path, NOTE)
    assert tuple(found[0]) == COLUMNS
    assert [(row["id"], row["kind"], row["label"]) for row in found] == [
        ("T1", "mention", "Sign"),
        ("T2", "mention", "Sign"),
        ("R1", "relation", "With"),
        ("E1", "event", "Sign"),
        ("E2", "event", ""),
        ("A1", "attribute", "Negated"),
        ("A2", "attribute", "Degree"),
        ("N1", "concept", "Reference"),
        ("#1", "comment", "Note"),
        ("", "equivalence", "Same"),
    ]
    first, second, relation, event, loose = found[:5]
    assert first["text"] == "fever" and (first["start"], first["end"]) == ("4", "9")
    assert first["attributes"] == "Negated; Degree=none, really"
    assert first["concept"] == "MeSH:D005334" and first["confidence"] == "0.5"
    assert second["text"] == "mild cough" and second["spans"] == "12-16 17-22"
    assert relation["arguments"] == "Arg1:T1 Arg2:T2" and relation["confidence"] == "0.25"
    assert event["arguments"] == "trigger:T2 Of:T1" and event["text"] == "mild cough"
    assert loose["arguments"] == "trigger:T99" and loose["start"] == ""
    assert found[7]["text"] == "Fever" and found[7]["arguments"] == "target:T1"


def test_quoting_is_that_of_rfc_4180(tmp_path):
    note = Document("a", 'x "y", z\r\nw', (Mention("T1", "A,B", ((0, 11),)),))
    written(tmp_path, note)
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith(",".join(COLUMNS).encode() + b"\r\n")
    assert raw.endswith(b'a,T1,mention,"A,B",0,11,"x ""y"", z\r\nw",0-11,,,,\r\n')


def test_what_has_no_column_is_counted(tmp_path):
    _, report = written(tmp_path, NOTE, Document("empty", "words"))
    assert report.counts == {
        "documents without annotations, which have no row": 1,
        "passages that CSV can't hold": 1,
        "facts on documents that CSV can't hold": 1,
    }


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@A1", "\t=1", "\r=1", "\n=1", "＝1", "'=1"])
def test_a_formula_is_marked_and_counted(tmp_path, text):
    note = Document("d", text, (Mention("T1", "X", ((0, len(text)),)),))
    found, report = written(tmp_path, note)
    assert found[0]["text"] == "'" + text
    assert report.counts["cells like a spreadsheet's formula, marked with an apostrophe"] == 1
    found, report = written(tmp_path, note, formulas="keep")
    assert found[0]["text"] == text and not report.counts


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_marks_can_be_taken_away_exactly(tmp_path_factory, text):
    note = Document(text, text, (Mention("T1", text, ((0, len(text)),)),))
    found, _ = written(tmp_path_factory.mktemp("c"), note)
    for column in ("document", "label", "text"):
        cell = found[0][column]
        assert cell[0] not in "=+-@\t\r\n"
        assert re.sub(r"^'(?='*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20])", "", cell) == text


def test_ordinary_words_are_left_alone():
    cells = [row["text"] for row in rows(NOTE) if row["kind"] == "mention"]
    assert cells == ["fever", "mild cough"]


def test_half_a_surrogate_pair_is_refused(tmp_path):
    note = Document("d", "a\ud800", (Mention("T1", "X", ((0, 2),)),))
    with pytest.raises(ClinpromptError, match="CP-DOC-310"):
        write(tmp_path / "o.csv", [note], WriteOptions(), Report())
    assert list(tmp_path.iterdir()) == []
