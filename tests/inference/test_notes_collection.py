from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.model import Document
from clinprompt.errors import ClinpromptError
from clinprompt.inference.notes.collection import Collection, Unread, unquoted


def write(folder: Path, **files: bytes | str) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(path: Path, name: str = "text", **options: str) -> tuple[list[str], list[Unread]]:
    found = list(Collection(path, name, ReadOptions(**options)))  # type: ignore[arg-type]
    ids = [one.id for one in found if isinstance(one, Document)]
    return ids, [one for one in found if isinstance(one, Unread)]


def test_a_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    write(tmp_path, a_txt="fever", b_txt=b"na\xefve Mustermann", c__d_txt="pain", e_txt=" \n")
    ids, unread = read(tmp_path)
    assert ids == ["a", "c/d"]
    assert [one.error.code for one in unread] == ["CP-DATA-004", "CP-INF-302"]
    assert unread[0].place == str(tmp_path / "b.txt")
    assert unread[0].error.line == 1
    assert unread[1].document == "e"
    assert read(tmp_path, encoding="cp1252")[0] == ["a", "b", "c/d"]


def test_text_is_kept_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, a_txt="\ufefffever\r\nno cough 🩺\n")
    (document,) = Collection(tmp_path, "text")
    assert isinstance(document, Document)
    assert document.text == "fever\r\nno cough 🩺\n"


def test_other_files_are_counted_and_are_no_errors(tmp_path: Path) -> None:
    write(tmp_path, a_txt="fever", scan_pdf=b"%PDF\xff")
    collection = Collection(tmp_path, "text")
    assert len(list(collection)) == 1
    assert [one.file for one in collection.report.problems] == [str(tmp_path / "scan.pdf")]
    assert collection.size == 2  # at most


@pytest.mark.parametrize("name", ["text", "brat"])
def test_a_collection_without_any_note_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClinpromptError, match="CP-DOC-120"):
        read(write(tmp_path, scan_pdf="x", other_csv="y"), name)


def test_annotations_belong_to_the_text_of_their_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_txt="fever",
        a_ann="T1\tSign 0 5\tfever\n",
        b_txt="no",
        c_ann="T1\tSign 0 1\tx\n",
    )
    found = list(Collection(tmp_path, "brat"))
    documents = [one for one in found if isinstance(one, Document)]
    assert [len(one.annotations) for one in documents] == [1, 0]
    (unread,) = (one for one in found if isinstance(one, Unread))
    assert unread.place == str(tmp_path / "c.ann")


def test_a_shifted_offset_concerns_its_own_note_and_quotes_nothing(tmp_path: Path) -> None:
    write(tmp_path, a_txt="Mustermann has fever", a_ann="T1\tSign 4 9\tfever\n", b_txt="cough")
    ids, (unread,) = read(tmp_path, "brat")
    assert ids == ["b"]
    assert unread.error.code.startswith("CP-DOC-")
    assert "fever" not in str(unread.error)
    assert "erman" not in str(unread.error)


def test_archives_are_read_as_they_lie(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as archive:
        for name, content in (("x/a.txt", b"fever"), ("x/b.txt", b"\xff"), ("x/c.txt", b"pain")):
            archive.writestr(name, content)
    with tarfile.open(tmp_path / "n.tar.gz", "w:gz") as tar:
        for name, content in (("x/a.txt", b"fever"), ("x/b.txt", b"\xff"), ("x/c.txt", b"pain")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    for archive_name in ("n.zip", "n.tar.gz"):
        ids, (unread,) = read(tmp_path / archive_name)
        assert ids == ["x/a", "x/c"]
        assert unread.place == f"{tmp_path / archive_name}!x/b.txt"


def test_a_file_of_many_documents(tmp_path: Path) -> None:
    good = '{"id": "%s", "text": "fever"}\n'
    path = tmp_path / "notes.jsonl"
    path.write_text(good % "a" + good % "b" + good % "a" + "{Mustermann}\n" + good % "c")
    ids, unread = read(path, "jsonl")
    assert ids == ["a", "b"]  # behind the broken line nothing is read
    assert [one.error.code for one in unread] == ["CP-INF-301", "CP-DOC-302"]
    assert unread[1].error.line == 4
    assert "Mustermann" not in str(unread[1].error)


def test_one_folder_of_such_files(tmp_path: Path) -> None:
    good = '{"id": "%s", "text": "fever"}\n'
    write(tmp_path, a_jsonl=good % "1" + "{", b_jsonl=good % "2", README_md="# Notes")
    collection = Collection(tmp_path, "jsonl")
    found = list(collection)
    assert [one.id for one in found if isinstance(one, Document)] == ["1", "2"]
    assert [one.place for one in found if isinstance(one, Unread)] == [str(tmp_path / "a.jsonl")]
    assert str(tmp_path / "README.md") in [one.file for one in collection.report.problems]
    assert collection.size is None


def test_an_id_that_can_name_no_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id": "../a", "text": "fever"}\n')
    ids, (unread,) = read(path, "jsonl")
    assert ids == []
    assert unread.error.code == "CP-DOC-005"


def test_what_is_not_there_or_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError, match="CP-DOC-001"):
        Collection(tmp_path / "none", "text")
    with pytest.raises(ClinpromptError, match="CP-DOC-010"):
        Collection(tmp_path, "txet")
    with pytest.raises(ClinpromptError, match="CP-DOC-011"):
        read(write(tmp_path, a_csv="x"), "omop")


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ("T1 covers 'it's' and quotes 'they're'", "T1 covers ..."),
        ('T1 covers "a" here', "T1 covers ... here"),
        ("end 3 is not behind start 5", "end 3 is not behind start 5"),
        ("T1 covers 'a\nb', not 'c'", "T1 covers ..."),
    ],
)
def test_quoted_text_is_taken_out(message: str, left: str) -> None:
    error = unquoted(ClinpromptError("CP-DOC-999", message, line=3), "a.txt")
    assert (error.message, error.file, error.line) == (left, "a.txt", 3)
