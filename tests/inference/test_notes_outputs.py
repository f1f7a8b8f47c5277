from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clinprompt.documents import formats
from clinprompt.documents.formats import WriteOptions
from clinprompt.documents.model import Document, Mention
from clinprompt.errors import ClinpromptError
from clinprompt.inference.notes.outputs import check_formats, place_of, write_format
from clinprompt.report import Report

OPTIONS = WriteOptions(artefact="ab" * 32, made=datetime(2020, 1, 1, tzinfo=UTC))
NOTES = [
    Document(f"{number}", "no fever", (Mention("T1", "Sign", ((3, 8),), 0.5),))
    for number in range(3)
]


def write(name: str, out: Path, documents: list[Document] = NOTES) -> dict:
    return write_format(name, out, lambda: documents, OPTIONS)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", [one.name for one in formats.formats() if one.write])
def test_every_format_is_written_to_its_folder(name: str, tmp_path: Path) -> None:
    found = write(name, tmp_path)
    assert found["written"] == 3
    assert [path.name for path in tmp_path.iterdir()] == [name]
    first = tree(tmp_path)
    assert first
    assert write(name, tmp_path) == found
    assert tree(tmp_path) == first


@pytest.mark.parametrize(
    "name", [one.name for one in formats.formats() if one.write and one.read and one.name != "text"]
)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    write(name, tmp_path)
    found = list(formats.read(name, place_of(tmp_path, name), Report()))
    assert [(m.label, m.spans) for one in found for m in one.mentions] == [("Sign", ((3, 8),))] * 3


def test_what_a_format_can_not_hold_is_counted(tmp_path: Path) -> None:
    assert write("jsonl", tmp_path)["left_out"] == {}
    assert sum(write("brat", tmp_path)["left_out"].values()) == 3  # confidences


def test_old_results_do_not_stay_beside_new_ones(tmp_path: Path) -> None:
    write("brat", tmp_path)
    write("brat", tmp_path, NOTES[:1])
    assert set(tree(tmp_path)) == {"brat/0.txt", "brat/0.ann"}


def test_documents_that_can_not_be_written_are_left_out(tmp_path: Path) -> None:
    bad = Document("note 17", "no fever", NOTES[0].annotations)
    found = write("omop", tmp_path, [*NOTES, bad])
    assert found["written"] == 3
    (error,) = found["errors"]
    assert error["document"] == "note 17"
    assert error["code"].startswith("CP-DOC-")
    before = tree(tmp_path)
    found = write("omop", tmp_path, [bad])
    assert (found["written"], len(found["errors"])) == (0, 1)
    assert tree(tmp_path) == before  # rather old results than none
    assert [path.name for path in tmp_path.iterdir()] == ["omop"]


def test_documents_that_can_not_be_given_are_an_error_of_the_run(tmp_path: Path) -> None:
    def documents() -> Iterator[Document]:
        yield NOTES[0]
        raise ClinpromptError("CP-TEST-001", "changed")

    with pytest.raises(ClinpromptError, match="CP-TEST-001"):
        write_format("jsonl", tmp_path, documents, OPTIONS)
    assert list(tmp_path.iterdir()) == []


def test_left_overs_of_a_killed_run_go_away(tmp_path: Path) -> None:
    for name in (".brat.part", ".brat.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").touch()
    write("brat", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["brat"]


def test_names_of_formats() -> None:
    assert check_formats(["brat", " jsonl", "", "brat"]) == ["brat", "jsonl"]
    with pytest.raises(ClinpromptError, match=r"CP-INF-340.*did you mean 'brat'"):
        check_formats(["jsonl", "brta"])
    with pytest.raises(ClinpromptError, match="CP-INF-340"):
        check_formats(["i2b2-2010"])  # only read
    with pytest.raises(ClinpromptError, match="CP-INF-341"):
        check_formats([""])
