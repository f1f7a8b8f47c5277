"""BRAT files: what is read, how offsets are counted, and what is refused."""

from __future__ import annotations

import codecs
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.documents.standoff import read

from clinprompt.documents import formats
from clinprompt.documents.align import REALIGNED
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import (
    Argument,
    Attribute,
    Comment,
    Document,
    Event,
    Link,
    Mention,
    Normalization,
)
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

CRLF = "Chest pain.\r\nNo cough\r\nor fever.\r\n"


def folder(path: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def collection(path: Path, options: ReadOptions | None = None) -> tuple[list[Document], Report]:
    report = Report()
    return list(formats.read("brat", path, report, options)), report


def test_kinds_of_lines() -> None:
    document, report = read(
        b"smokes daily",
        b"T1\tTobacco 0 6\tsmokes\nT2\tStatus 7 12\tdaily\n"
        b"E1\tTobacco:T1 Status:T2 \nE2\tStatus:T2\n"
        b"A1\tStatusVal T2 current\nM1\tPast E1\n\n"
        b"R1\tOf Arg1:T2 Arg2:T1\t\n"
        b"N1\tReference T1 SNOMED CT:77176002:x\tSmoker\n#1\tAnnotatorNotes R1\tsee \tabove\n",
    )
    assert document.annotations == (
        Mention("T1", "Tobacco", ((0, 6),)),
        Mention("T2", "Status", ((7, 12),)),
        Event("E1", "T1", (Argument("Status", "T2"),)),
        Event("E2", "T2"),
        Attribute("A1", "StatusVal", "T2", "current"),
        Attribute("M1", "Past", "E1"),
        Link("R1", "Of", (Argument("Arg1", "T2"), Argument("Arg2", "T1"))),
        Normalization("N1", "T1", "SNOMED CT", "77176002:x", "Smoker"),
        Comment("#1", "AnnotatorNotes", "R1", "see \tabove"),
    )
    assert not report.counts


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_line_ends_and_mark_of_the_annotation_file_are_no_matter(end: str, mark: bytes) -> None:
    lines = end.join(["T1\tX 0 2\tab", "", "A1\tN T1 v w"])
    document, report = read(b"ab", mark + lines.encode())
    assert document.annotations == (
        Mention("T1", "X", ((0, 2),)),
        Attribute("A1", "N", "T1", "v w"),
    )
    assert not report.counts


# ---- how offsets are counted -------------------------------------------------------------------


def offsets_of(text: str, word: str) -> bytes:
    start = text.index(word)
    shown = word.replace("\n", " ")
    return f"T1\tX {start} {start + len(word)}\t{shown}\n".encode()


@pytest.mark.parametrize("word", ["cough", "cough\nor fever", "fever"])
def test_line_ends_counted_as_one_or_two(word: str) -> None:
    """The oracle is Python's own reading of the file with line ends translated."""
    translated = io.TextIOWrapper(io.BytesIO(CRLF.encode()), encoding="utf-8").read()
    whole = word.replace("\n", "\r\n")
    start = CRLF.index(whole)
    expected = (Mention("T1", "X", ((start, start + len(whole)),)),)
    joined, report = read(CRLF.encode(), offsets_of(translated, word))
    assert joined.annotations == expected and joined.text == CRLF
    reason = "offsets counted a CRLF line end as one character, converted"
    assert report.counts == {reason: 1}
    kept, report = read(CRLF.encode(), offsets_of(CRLF, whole).replace(b"\r", b" "))
    assert kept.annotations == expected and not report.counts


def test_all_mentions_of_a_document_decide_together() -> None:
    """``aa`` fits both ways at 0 3; the other mention tells which is meant."""
    text = b"aaaaa\r\naaaaa\r\nx"
    document, report = read(text, b"T1\tX 6 9\taaa\nT2\tX 12 13\tx\n")
    assert [one.spans for one in document.mentions] == [((7, 10),), ((14, 15),)]
    assert sum(report.counts.values()) == 1
    document, report = read(text, b"T1\tX 7 10\taaa\nT2\tX 14 15\tx\n")
    assert [one.spans for one in document.mentions] == [((7, 10),), ((14, 15),)]
    assert not report.counts


def test_where_neither_fits_the_odd_one_is_refused_or_moved() -> None:
    lines = b"T1\tX 15 20\tcough\nT2\tX 24 29\tfever\nT3\tX 1 6\tChest\n"
    with pytest.raises(ClinpromptError) as caught:
        read(CRLF.encode(), lines)
    assert (caught.value.code, caught.value.line) == ("CP-DOC-100", 3)
    assert "'hest '" in caught.value.message and "'Chest'" in caught.value.message
    document, report = read(CRLF.encode(), lines, ReadOptions(mismatch="realign"))
    assert [one.surface(CRLF) for one in document.mentions] == ["cough", "fever", "Chest"]
    assert report.counts[REALIGNED] == 1


@pytest.mark.parametrize(("shift", "unit"), [(0, "characters"), (1, "characters"), (3, "bytes")])
def test_a_mark_before_the_text_may_be_counted(shift: int, unit: str) -> None:
    raw = codecs.BOM_UTF8 + b"ab cd"
    lines = f"T1\tX {3 + shift} {5 + shift}\tcd\n".encode()
    options = ReadOptions(offsets="bytes" if unit == "bytes" else "characters")
    document, report = read(raw, lines, options)
    assert document.text == "ab cd" and document.mentions[0].spans == ((3, 5),)
    assert report.counts["byte-order mark left out"] == 1
    counted = "offsets counted a byte-order mark, converted"
    assert report.counts[counted] == bool(shift)


def test_byte_offsets() -> None:
    text = "é \U0001f600 fever"
    raw = text.encode()
    start = raw.index(b"fever")
    lines = f"T1\tX {start} {start + 5}\tfever\nT2\tX 0 2;3 7\té \U0001f600\n".encode()
    document, _ = read(raw, lines, ReadOptions(offsets="bytes"))
    assert [one.surface(text) for one in document.mentions] == ["fever", "é \U0001f600"]
    with pytest.raises(ClinpromptError) as caught:
        read(raw, "T1\tX 0 1\té\n".encode(), ReadOptions(offsets="bytes"))
    assert caught.value.code == "CP-DOC-104"


def test_windows_1252_by_choice() -> None:
    raw, lines = "5\u20ac café".encode("cp1252"), "T1\tX 3 7\tcafé\n".encode("cp1252")
    document, _ = read(raw, lines, ReadOptions(encoding="cp1252"))
    assert document.mentions[0].surface(document.text) == "café"
    with pytest.raises(ClinpromptError) as caught:
        read(raw, lines)
    assert caught.value.code == "CP-DATA-004"


def test_fragments_out_of_order_are_sorted_and_counted() -> None:
    document, report = read(b"left and right arm", b"T1\tX 15 18;0 4\tarm left\n")
    assert document.mentions[0].spans == ((0, 4), (15, 18))
    assert report.counts == {"fragments out of order, sorted": 1}
    with pytest.raises(ClinpromptError, match="CP-DOC-100"):
        read(b"left and right arm", b"T1\tX 15 18;0 4\tleft arm!\n")


# ---- collections -------------------------------------------------------------------------------


def test_folders_with_subfolders_and_several_annotation_files(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "b.txt": "aspirin helps",
        "b.a1": "T1\tDrug 0 7\taspirin\n",
        "b.a2": "T2\tHelp 8 13\thelps\nE1\tHelp:T2 Agent:T1\n",
        "a/x.v2.txt": "pain",
        "a/x.v2.ann": "T1\tX 0 4\tpain\n",
        "c.txt": "nothing here",
        "annotation.conf": "[entities]\n",
    }
    documents, report = collection(folder(tmp_path, files))
    assert [one.id for one in documents] == ["a/x.v2", "b", "c"]
    assert [len(one.annotations) for one in documents] == [1, 3, 0]
    assert report.counts == {"file that format 'brat' doesn't read": 1}


def test_archives_read_as_they_lie(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"n/1.txt": "pain", "n/1.ann": "T1\tX 0 4\tpain\n"}
    plain, _ = collection(folder(tmp_path / "plain", files))
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as archive:
        archive.write(tmp_path / "plain/n/1.txt", "n/1.txt")
        archive.write(tmp_path / "plain/n/1.ann", "n/1.ann")
    with tarfile.open(tmp_path / "n.tar.gz", "w:gz") as archive_:
        archive_.add(tmp_path / "plain/n", "n")
    assert collection(tmp_path / "n.zip")[0] == plain == collection(tmp_path / "n.tar.gz")[0]


@pytest.mark.parametrize("name", ["n.txt", "n.ann"])
def test_a_single_file_is_read_with_its_partner(tmp_path: Path, name: str) -> None:
    folder(tmp_path, {"n.txt": "pain", "n.ann": "T1\tX 0 4\tpain\n", "m.txt": "no"})
    documents, report = collection(tmp_path / name)
    assert [(one.id, len(one.annotations)) for one in documents] == [("n", 1)]
    assert not report.counts


@pytest.mark.parametrize(
    ("files", "code", "place"),
    [
        ({"n.ann": "", "m.txt": ""}, "CP-DOC-114", "n.ann"),
        ({"x.md": ""}, "CP-DOC-120", ""),
        ({"n.txt": "", "n.TXT": ""}, "CP-DOC-121", "n.txt"),
    ],
)
def test_collections_that_are_refused(
    tmp_path: Path, files: dict[str, str | bytes], code: str, place: str
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        collection(folder(tmp_path, files))
    assert caught.value.code == code
    assert str(caught.value.file).lower() == str(tmp_path / place).lower()


# ---- what is refused ---------------------------------------------------------------------------

GOOD = "T1\tX 0 6\tsmokes\nE1\tX:T1\nA1\tN E1\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("T2\tX 0 6", "CP-DOC-110"),
        ("T2 X 0 6 smokes", "CP-DOC-110"),
        ("T2\tX 0\tsmokes", "CP-DOC-110"),
        ("T2\tX -1 6\tsmokes", "CP-DOC-110"),
        ("T2\tX 0 \u0666\tsmokes", "CP-DOC-110"),
        ("T2\tX 0 6;\tsmokes", "CP-DOC-110"),
        ("T2\tX 0 9999999999999999999999\tsmokes", "CP-DOC-110"),
        ("T2\tAdverse event 0 6\tsmokes", "CP-DOC-110"),
        ("T\tX 0 6\tsmokes", "CP-DOC-110"),
        ("X2\tX 0 6\tsmokes", "CP-DOC-110"),
        ("hello", "CP-DOC-110"),
        ("R2\tOf Arg1:T1", "CP-DOC-110"),
        ("R2\tOf Arg1:T1 Arg2:T1 Arg3:T1", "CP-DOC-110"),
        ("R2\tOf T1 T1", "CP-DOC-110"),
        ("R2\tOf Arg1:T1 Arg2:T1\tmore", "CP-DOC-110"),
        ("E2\tX", "CP-DOC-110"),
        ("E2\t", "CP-DOC-110"),
        ("E2\t:T1", "CP-DOC-110"),
        ("A2\tN", "CP-DOC-110"),
        ("N2\tReference T1 MeSH\tx", "CP-DOC-110"),
        ("#2\tT1", "CP-DOC-110"),
        ("*\tEquiv T1", "CP-DOC-110"),
        ("T1\tX 0 6\tsmokes", "CP-DOC-111"),
        ("A1\tN T1", "CP-DOC-111"),
        ("A2\tN T9", "CP-DOC-112"),
        ("A2\tN A1", "CP-DOC-112"),
        ("E2\tX:E1", "CP-DOC-112"),
        ("E2\tX:T1 R:T7", "CP-DOC-112"),
        ("R2\tOf Arg1:T1 Arg2:A1", "CP-DOC-112"),
        ("N2\tReference T4 a:b\tx", "CP-DOC-112"),
        ("#2\tAnnotatorNotes R7\tx", "CP-DOC-112"),
        ("*\tEquiv T1 T9", "CP-DOC-112"),
        ("E2\tY:T1", "CP-DOC-113"),
        ("T2\tX 0 5\tsmokes", "CP-DOC-100"),
        ("T2\tX 1 7\tsmokes", "CP-DOC-100"),
        ("T2\tX 6 6\t", "CP-DOC-101"),
        ("T2\tX 6 0\tsmokes", "CP-DOC-101"),
        ("T2\tX 0 4;2 6\tsmok okes", "CP-DOC-102"),
        ("T2\tX 7 13\tdaily", "CP-DOC-103"),
    ],
)
def test_lines_that_are_refused_with_their_place(line: str, code: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read(b"smokes daily", f"{GOOD}{line}\n".encode())
    assert (caught.value.code, caught.value.file, caught.value.line) == (code, "n.ann", 4)
    if code != "CP-DOC-100":
        assert "smokes" not in str(caught.value) and "daily" not in str(caught.value)


def test_targets_may_come_later_and_in_other_files(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "n.txt": "ab",
        "n.ann": "A1\tN E1\nE1\tX:T1 R:E2\nE2\tX:T1 R:E1\n",
        "n.a1": "T1\tX 0 2\tab\n",
    }
    (document,), _ = collection(folder(tmp_path, files))
    assert [type(one).__name__ for one in document.annotations] == [
        "Mention",
        "Attribute",
        "Event",
        "Event",
    ]
