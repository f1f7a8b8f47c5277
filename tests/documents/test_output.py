"""Names of files, and every writer given ids and annotations that a file can't hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.documents import formats
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import Argument, Document, Event, Link, Mention
from clinprompt.documents.output import document_file, write_bytes
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

NAMES = {"bigbio": "x.parquet"}
FORMATS = [one.name for one in formats.formats() if one.write is not None]
OPTIONS = WriteOptions(note_ids="number")
IDS = [
    "a\0b",
    "\ud800",
    "\udc80",
    "é" * 130,
    ".a",
    "b/.a",
    "__MACOSX/a",
    "",
    "a\n",
    "a|b",
    "\ufeffa",
]


def written(
    name: str, folder: Path, *documents: Document
) -> tuple[list[str] | None, Report, ClinpromptError | None]:
    """Ids that are read back (None for a format that is not read), what the writer counted, and
    why it or the reader refused."""
    report, path = Report(), folder / NAMES.get(name, "x")
    try:
        formats.write(name, path, documents, report, OPTIONS)
        if formats.find(name).read is None:
            return None, report, None
        return [one.id for one in formats.read(name, path, Report())], report, None
    except ClinpromptError as error:
        return None, report, error


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("given", IDS)
def test_an_id_comes_back_or_is_refused_or_counted(tmp_path: Path, name: str, given: str) -> None:
    found, report, refused = written(name, tmp_path, Document(given, "x"))
    if refused is None:
        assert found in (None, [given]) or report.counts
    else:
        assert refused.code.startswith("CP-DOC-") and refused.line is None


@pytest.mark.parametrize("given", [".a", "b/.a", "__MACOSX/a", "x" * 250, "a\0", "a//b", "../a"])
def test_names_that_no_file_may_have(given: str) -> None:
    with pytest.raises(ClinpromptError) as caught:
        document_file(Path(), given, ".txt")
    assert caught.value.code == "CP-DOC-005"


def test_the_longest_name(tmp_path: Path) -> None:
    file = document_file(tmp_path, "x" * 245, ".txt")
    write_bytes(file, b"x")
    assert file.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["folder/x.txt/y", "x" * 300])
def test_a_place_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.txt").write_text("x")
    with pytest.raises(ClinpromptError) as caught:
        write_bytes(tmp_path / name, b"y")
    assert caught.value.code == "CP-DOC-004"


ODD = {
    "no fragments": [Mention("T1", "X", ())],
    "outside": [Mention("T1", "X", ((3, 9),))],
    "no text": [Mention("T1", "X", ((1, 1),))],
    "surrogate in a label": [Mention("T1", "X\ud800", ((0, 2),))],
    "not a probability": [Mention("T1", "X", ((0, 2),), float("nan"))],
    "not a finite one": [
        Mention("T1", "X", ((0, 2),)),
        Link("R1", "L", (Argument("Arg1", "T1"), Argument("Arg2", "T1")), float("inf")),
    ],
    "a trigger that is a relation": [
        Mention("T1", "X", ((0, 2),)),
        Link("R1", "L", (Argument("Arg1", "T1"), Argument("Arg2", "T1"))),
        Event("E1", "R1", (Argument("Who", "T1"),)),
    ],
    "a trigger that is its own": [Event("E1", "E1")],
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", ODD)
def test_what_is_written_can_be_read(tmp_path: Path, name: str, case: str) -> None:
    """Written and read, counted by the writer, or refused: never a file that no reader takes."""
    found, _, refused = written(name, tmp_path, Document("d", "ab cd", tuple(ODD[case])))
    assert refused is None or refused.line is None, "said by the reader, not by the writer"
    assert found in (None, ["d"])


@pytest.mark.parametrize("name", [one for one in FORMATS if formats.find(one).folder])
def test_no_document_is_written_over_another(tmp_path: Path, name: str) -> None:
    _, _, refused = written(name, tmp_path, Document("a", "x"), Document("a", "y"))
    assert refused is not None and refused.code == "CP-DOC-123"
