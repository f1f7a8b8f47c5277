"""Plain folders of text."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import Document, Link, Mention
from clinprompt.documents.store import Member
from clinprompt.documents.textfolder import text_of
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report


def collection(path: Path, options: ReadOptions | None = None) -> tuple[list[Document], Report]:
    report = Report()
    return list(formats.read("text", path, report, options)), report


def test_each_text_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "ward").mkdir()
    (tmp_path / "ward" / "2.TXT").write_bytes(b"two\r\n")
    (tmp_path / "1.txt").write_bytes(codecs.BOM_UTF8 + "eins\té".encode())
    (tmp_path / "read.me").write_bytes(b"no")
    documents, report = collection(tmp_path)
    assert documents == [Document("1", "eins\té"), Document("ward/2", "two\r\n")]
    assert report.counts == {
        "file that format 'text' doesn't read": 1,
        "byte-order mark left out": 1,
    }


def test_a_single_file_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "note.md").write_bytes(b"# Plan")
    assert collection(tmp_path / "note.md")[0] == [Document("note", "# Plan")]


def test_encodings_by_choice(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_bytes("5 \u20ac".encode("cp1252"))
    assert collection(tmp_path, ReadOptions(encoding="cp1252"))[0] == [Document("1", "5 \u20ac")]
    for encoding, code in (("utf-8", "CP-DATA-004"), ("cp125", "CP-DATA-008")):
        with pytest.raises(ClinpromptError) as caught:
            collection(tmp_path, ReadOptions(encoding=encoding))
        assert caught.value.code == code


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError) as caught:
        collection(tmp_path)
    assert caught.value.code == "CP-DOC-120"


@given(st.lists(st.text(), max_size=4))
def test_texts_come_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("text")
    documents = [Document(f"d/{i}", text.removeprefix("\ufeff")) for i, text in enumerate(texts)]
    documents.append(Document("last", ""))
    assert formats.write("text", folder, documents, Report()) == len(documents)
    assert collection(folder) == (documents, Report())


def test_annotations_are_counted(tmp_path: Path) -> None:
    mentions = (Mention("T1", "X", ((0, 1),), 0.5), Mention("T2", "X", ((0, 1),)))
    document = Document("n", "ab", (*mentions, Link("R1", "r", ())), metadata=(("a", "b"),))
    report = Report()
    formats.write("text", tmp_path, [document], report)
    assert report.counts == {
        "mentions that plain text can't hold": 2,
        "relations that plain text can't hold": 1,
        "metadata that plain text can't hold": 1,
    }
    assert (tmp_path / "n.txt").read_bytes() == b"ab"


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_mutated_files_are_read_whole_or_refused(encoding: str) -> None:
    def read(raw: bytes) -> None:
        text, marked = text_of(Member("n.txt", "n.txt", lambda: raw), encoding, Report())
        if encoding == "utf-8":
            assert codecs.BOM_UTF8 * marked + text.encode() == raw

    seeds = ["Größe 5 €\r\nNo\tpain \U0001f600\n".encode(encoding, "replace")]
    good, refused = survives(read, mutated(seeds, 10_000, 5))
    assert good > 1000 and refused > 100
