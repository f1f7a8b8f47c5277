"""What BRAT can't hold is rewritten or left out, and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.documents.standoff import read, written

from clinprompt.documents import formats
from clinprompt.documents.brat_write import RENAMED, REWRITTEN
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
    Passage,
)
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

AB = (Mention("T1", "X", ((0, 1),)), Mention("T2", "Y", ((2, 3),)))


def pair(one: str, other: str) -> tuple[Argument, Argument]:
    return Argument("Arg1", one), Argument("Arg2", other)


def test_ids_of_other_formats_are_numbered_anew_everywhere() -> None:
    annotations: tuple[Annotation, ...] = (
        Mention("17", "X", ((0, 1),)),
        Mention("T1", "Y", ((2, 3),)),
        Event("T2x:", "17", (Argument("Who", "T1"),)),
        Link("R9", "Of", pair("17", "T2x:")),
        Attribute("R1", "N", "T2x:"),
        Normalization("mesh 1", "17", "MeSH", "D1"),
        Comment("c", "Note", "R1", "x"),
        Equivalence("Equiv", ("17", "T1")),
    )
    raw, report = written(Document("n", "a b", annotations))
    assert raw.decode().split("\n") == [
        "T2\tX 0 1\ta",
        "T1\tY 2 3\tb",
        "E1\tX:T2 Who:T1",
        "R9\tOf Arg1:T2 Arg2:E1",
        "A1\tN E1",
        "N1\tReference T2 MeSH:D1\t",
        "#1\tNote A1\tx",
        "*\tEquiv T2 T1",
        "",
    ]
    assert report.counts == {RENAMED: 5}


def test_words_and_values_stay_in_their_column_and_line() -> None:
    annotations: tuple[Annotation, ...] = (
        Mention("T1", "adverse \n event", ((0, 1),)),
        Mention("T2", "", ((0, 5),)),
        Attribute("A1", "a b", "T1", "x\ty\n"),
        Attribute("A2", "b", "T1", ""),
        Normalization("N1", "T1", "a:b", "c\nd", "e\r\nf"),
        Comment("#1", "n o", "T1", "one\ntwo\tthree"),
        Link("R1", "r", (Argument("a b", "T1"), Argument("", "T2"))),
    )
    raw, report = written(Document("n", "a\tb\r\n", annotations))
    assert raw.decode().split("\n") == [
        "T1\tadverse_event 0 1\ta",
        "T2\t_ 0 5\ta b  ",
        "A1\ta_b T1 x y",
        "A2\tb T1",
        "N1\tReference T1 a_b:c d\te f",
        "#1\tn_o T1\tone two\tthree",
        "R1\tr a_b:T1 _:T2",
        "",
    ]
    assert report.counts == {REWRITTEN: 7}
    again, _ = read(b"a\tb\r\n", raw)
    assert len(again.annotations) == 7


def test_what_has_no_place_is_counted_with_all_that_points_at_it() -> None:
    annotations: tuple[Annotation, ...] = (
        *AB,
        Mention("T3", "Z", ()),
        Link("R1", "Three", (*pair("T1", "T2"), Argument("Arg3", "T1"))),
        Link("R2", "OfLink", pair("T1", "R1")),
        Attribute("A1", "N", "R2"),
        Attribute("A2", "N", "A1"),
        Attribute("A3", "N", "nowhere"),
        Event("E1", "T3"),
        Event("E2", "T1", (Argument("Who", "E1"),)),
        Normalization("N1", "T1", "", "x"),
        Comment("#1", "Note", "A2", "x"),
        Comment("#2", "Note", "T1", "x"),
        Equivalence("Equiv", ("T1", "T3")),
        Equivalence("Equiv", ("T1",)),
    )
    raw, report = written(Document("n", "a b", annotations))
    assert raw == b"T1\tX 0 1\ta\nT2\tY 2 3\tb\n#2\tNote T1\tx\n"
    assert report.counts == {
        "mentions that BRAT can't hold": 1,
        "relations that BRAT can't hold": 2,
        "attributes that BRAT can't hold": 3,
        "events that BRAT can't hold": 2,
        "normalisations that BRAT can't hold": 1,
        "comments that BRAT can't hold": 1,
        "equivalences that BRAT can't hold": 2,
    }


def test_passages_metadata_and_confidences_are_counted(tmp_path: Path) -> None:
    document = Document(
        "n",
        "a b",
        (Mention("T1", "X", ((0, 1),), 0.5), AB[1], Link("R1", "r", pair("T1", "T2"), 0.1)),
        (Passage((0, 3), "title"),),
        (("date", "2020"), ("x", "y")),
    )
    report = Report()
    formats.write("brat", tmp_path, [document], report)
    assert report.counts == {
        "passages that BRAT can't hold": 1,
        "metadata that BRAT can't hold": 2,
        "confidences that BRAT can't hold": 2,
    }
    assert {problem.file for problem in report.problems} == {str(tmp_path / "n.ann")}


def test_a_document_without_annotations_gets_an_empty_file(tmp_path: Path) -> None:
    assert formats.write("brat", tmp_path, [Document("n", "x\r\n")], Report()) == 1
    assert (tmp_path / "n.ann").read_bytes() == b""
    assert (tmp_path / "n.txt").read_bytes() == b"x\r\n"


@pytest.mark.parametrize(
    ("documents", "code"),
    [
        ([Document("n", "a", (Mention("T1", "X", ((0, 2),)),))], "CP-DOC-103"),
        ([Document("n", "ab", (Mention("T1", "X", ((1, 1),)),))], "CP-DOC-101"),
        ([Document("n", "ab", (Mention("T1", "X", ((1, 2), (0, 1))),))], "CP-DOC-102"),
        ([Document("n", "ab", (AB[0], Attribute("T1", "N", "T1")))], "CP-DOC-131"),
        ([Document("n", "a"), Document("n", "b")], "CP-DOC-123"),
        ([Document("n", "a\ud800")], "CP-DOC-122"),
        ([Document("../n", "a")], "CP-DOC-005"),
        ([Document("a//n", "a")], "CP-DOC-005"),
        ([Document("a/", "a")], "CP-DOC-005"),
        ([Document("a\0", "a")], "CP-DOC-005"),
        ([Document("a\ud800", "a")], "CP-DOC-005"),
    ],
)
def test_what_is_refused(tmp_path: Path, documents: list[Document], code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        formats.write("brat", tmp_path / "out", documents, Report())
    assert caught.value.code == code
    assert not list(tmp_path.glob("*.txt"))
