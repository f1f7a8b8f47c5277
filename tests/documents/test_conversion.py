"""Nothing half-written, nothing written over unasked, and one wrong document stops no other."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest

from clinprompt.documents import conversion, formats
from clinprompt.documents.formats import ReadOptions, WriteOptions
from clinprompt.documents.model import Document, Mention
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report


@pytest.fixture
def notes(tmp_path):
    """A folder of BRAT with two good documents, two wrong ones and files of other kinds."""
    folder = tmp_path / "notes"
    (folder / "b").mkdir(parents=True)
    files = {
        "1.txt": "a fever",
        "1.ann": "T1\tSign 2 7\tfever\n",
        "2.txt": "a cough",
        "2.ann": "T1\tSign 2 7\tfever\n",
        "3.ann": "T1\tSign 2 7\tfever\n",
        "b/4.txt": "cough",
        "b/4.ann": "T1\tSign 0 5\tcough\n",
        "annotation.conf": "[entities]\n",
        "picture.png": "x",
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    return folder


def archived(folder, kind):
    path = folder.parent / f"notes.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(folder.rglob("*.*")):
                archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w:gz") as archive:
            for file in sorted(folder.rglob("*.*")):
                raw = file.read_bytes()
                info = tarfile.TarInfo(str(file.relative_to(folder)))
                info.size = len(raw)
                archive.addfile(info, io.BytesIO(raw))
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_the_other_documents_are_read(notes, kind):
    source = notes if kind == "folder" else archived(notes, kind)
    report, errors = Report(), []
    found = list(conversion.read_each("brat", source, report, ReadOptions(), errors.append))
    assert [one.id for one in found] == ["1", "b/4"]
    separator = "/" if kind == "folder" else "!"
    files = sorted(str(error.file) for error in errors)
    assert files == [f"{source}{separator}2.ann", f"{source}{separator}3.ann"]
    assert sum(report.counts.values()) == 2  # annotation.conf and picture.png


def test_documents_may_be_used_while_others_are_read(notes):
    seen = []
    for one in conversion.read_each("text", notes, Report(), ReadOptions(), seen.append):
        inner = [d.id for d in formats.read("text", notes, Report())]
        assert inner == ["1", "2", "b/4"] and one.id in inner
    assert seen == []


def test_a_collection_of_something_else_is_refused(notes):
    other = notes / "b"
    with pytest.raises(ClinpromptError) as caught:
        list(conversion.read_each("jsonl", notes / "none", Report(), ReadOptions(), print))
    assert caught.value.code == "CP-DOC-001"
    with pytest.raises(ClinpromptError):
        list(conversion.read_each("bioc-xml", other, Report(), ReadOptions(), print))


def test_a_file_of_many_documents_is_read_up_to_its_error(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text('{"id": "a", "text": ""}\n{"id": 3}\n{"id": "c", "text": ""}\n')
    report, errors = Report(), []
    found = list(conversion.read_each("jsonl", path, report, ReadOptions(), errors.append))
    assert [one.id for one in found] == ["a"]
    assert [(error.file, error.line) for error in errors] == [(str(path), 2)]
    assert report.counts == {"files not read beyond their first error": 1}


def test_what_can_not_be_written_is_told_apart(tmp_path):
    good, bad = Document("1", ""), Document("1/../../2", "")
    errors: list[ClinpromptError] = []
    found = conversion.writable(
        [good, bad, good], "text", tmp_path / "o", WriteOptions(), errors.append
    )
    assert list(found) == [good, good]
    assert [error.code for error in errors] == ["CP-DOC-005"]


def test_one_id_comes_once():
    twice = [Document("a", "1"), Document("b", ""), Document("a", "2")]
    with pytest.raises(ClinpromptError, match="CP-DOC-350"):
        list(conversion.distinct(twice))
    errors: list[ClinpromptError] = []
    assert list(conversion.distinct(twice, errors.append)) == twice[:2]
    assert len(errors) == 1


def written(tmp_path, name, target, documents, **more):
    report = Report()
    count = conversion.write_whole(
        name, tmp_path / "in", tmp_path / target, documents, report, WriteOptions(), **more
    )
    return count, report


ONE = Document("1", "a fever", (Mention("T1", "X", ((2, 7),)),), metadata=(("k", "v"),))


def failing():
    yield ONE
    raise ClinpromptError("CP-TEST-001", "no further")


@pytest.mark.parametrize("name", ["jsonl", "fhir", "html", "csv", "brat"])
def test_an_error_leaves_nothing_behind(tmp_path, name):
    with pytest.raises(ClinpromptError, match="CP-TEST-001"):
        written(tmp_path, name, "out", failing())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["jsonl", "fhir"])
def test_an_error_leaves_what_was_there(tmp_path, name):
    written(tmp_path, name, "out", [ONE])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ClinpromptError, match="CP-TEST-001"):
        written(tmp_path, name, "out", failing(), force=True)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", ["jsonl", "fhir"])
def test_nothing_is_written_over_unasked(tmp_path, name):
    written(tmp_path, name, "out", [ONE])
    with pytest.raises(ClinpromptError, match="CP-DOC-352"):
        written(tmp_path, name, "out", [ONE])
    count, _ = written(tmp_path, name, "out", [ONE, Document("2", "")], force=True)
    assert count == 2


def test_other_files_of_a_folder_stay(tmp_path):
    (tmp_path / "out").mkdir()
    assert written(tmp_path, "fhir", "out", [ONE])[0] == 1  # an empty folder may be there
    (tmp_path / "out" / "mine.txt").write_text("x")
    written(tmp_path, "fhir", "out", [Document("sub/2", "")], force=True)
    files = {str(f.relative_to(tmp_path / "out")) for f in tmp_path.rglob("*") if f.is_file()}
    assert files == {"1.json", "mine.txt", "sub/2.json"}


def test_a_second_file_is_not_written_over_either(tmp_path):
    (tmp_path / "out.notes.csv").write_text("mine")
    with pytest.raises(ClinpromptError, match=r"CP-DOC-352.*notes\.csv"):
        conversion.write_whole(
            "omop", tmp_path, tmp_path / "out.csv", [ONE], Report(), WriteOptions(note_ids="number")
        )
    assert [file.name for file in tmp_path.iterdir()] == ["out.notes.csv"]


def test_the_source_is_never_the_target(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(ClinpromptError, match="CP-DOC-351"):
        written(tmp_path, "fhir", "in/../in", [ONE], force=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name, target in (("fhir", "file"), ("jsonl", "folder")):
        with pytest.raises(ClinpromptError, match="CP-DOC-353"):
            written(tmp_path, name, target, [ONE], force=True)


def test_remarks_and_errors_name_the_target(tmp_path):
    _, report = written(tmp_path, "fhir", "out", [ONE])
    assert {one.file for one in report.problems} == {str(tmp_path / "out" / "1.json")}


def test_no_documents_make_an_empty_target(tmp_path):
    written(tmp_path, "fhir", "out", [])
    assert (tmp_path / "out").is_dir()
    written(tmp_path, "jsonl", "out.jsonl", [])
    assert (tmp_path / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize("name", ["text", "brat"])
def test_a_target_inside_the_source_is_refused(notes, name):
    """Read again, the source would hold its own copy."""
    documents = [Document("1", "x")]
    with pytest.raises(ClinpromptError) as caught:
        conversion.write_whole(name, notes, notes / "o", documents, Report(), WriteOptions())
    assert caught.value.code == "CP-DOC-374" and not (notes / "o").exists()
    pages = conversion.write_whole("html", notes, notes / "o", documents, Report(), WriteOptions())
    assert pages == 1


def test_nothing_is_moved_where_a_folder_stands_for_a_file(tmp_path):
    target = tmp_path / "o"
    (target / "b.txt").mkdir(parents=True)
    documents = [Document("a", "x"), Document("b", "y")]
    with pytest.raises(ClinpromptError) as caught:
        conversion.write_whole(
            "text", tmp_path / "in", target, documents, Report(), WriteOptions(), force=True
        )
    assert caught.value.code == "CP-DOC-373" and caught.value.file == str(target / "b.txt")
    assert [one.name for one in target.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("place", ["file/o.csv", "x" * 300])
def test_a_place_that_is_none(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ClinpromptError) as caught:
        conversion.write_whole(
            "csv", tmp_path / "in", tmp_path / place, [], Report(), WriteOptions()
        )
    assert caught.value.code == "CP-DOC-004"


def test_messages_name_no_folder_that_is_gone(tmp_path):
    with pytest.raises(ClinpromptError) as caught:
        conversion.write_whole(
            "pubtator",
            tmp_path / "in",
            tmp_path / "o.pubtator",
            [Document("a", "x"), Document("a", "y")],
            Report(),
            WriteOptions(),
        )
    assert str(caught.value).count(str(tmp_path / "o.pubtator")) == 2
