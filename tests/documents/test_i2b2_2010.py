"""i2b2 2010 folders: places become offsets, what is wrong is said with file and line."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from tests.documents.fuzzing import mutated, survives

from clinprompt.documents import formats
from clinprompt.documents.formats import ReadOptions
from clinprompt.documents.i2b2_2010 import read_collection, read_document
from clinprompt.documents.model import Argument, Attribute, Document, Link, Mention
from clinprompt.documents.store import Member
from clinprompt.errors import ClinpromptError
from clinprompt.report import Report

TEXT = "Chief complaint :\r\nHe has a dry  cough\nand no fever . 🍺 syrup\n"
CON = (
    'c="a dry cough" 2:2 2:4||t="problem"\nc="cough and no" 2:4 3:1||t="problem"\n\n'
    'c="SYRUP" 3:5 3:5||t="treatment"\n'
)
AST = 'c="a dry cough" 2:2 2:4||t="problem"||a="present"\n'
REL = 'c="syrup" 3:5 3:5||r="TrAP"||c="a dry cough" 2:2 2:4\n'


def folder(root: Path, **changes: str) -> Path:
    files = {"txt": TEXT, "con": CON, "ast": AST, "rel": REL, **changes}
    for kind, content in files.items():
        path = root / {"txt": "txt", "con": "concept"}.get(kind, kind) / f"n1.{kind}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="")
    return root


def read(root: Path, mismatch: str = "refuse") -> tuple[list[Document], Report]:
    report = Report()
    options = ReadOptions(mismatch=mismatch)  # type: ignore[arg-type]
    return list(formats.read("i2b2-2010", root, report, options)), report


def test_a_document(tmp_path: Path) -> None:
    (document,), report = read(folder(tmp_path))
    assert document.id == "n1" and document.text == TEXT
    assert [(m.id, m.label, m.surface(TEXT)) for m in document.mentions] == [
        ("T1", "problem", "a dry  cough"),
        ("T2", "problem", "cough\nand no"),
        ("T3", "treatment", "syrup"),
    ]
    assert list(document.of(Attribute)) == [Attribute("A1", "assertion", "T1", "present")]
    assert document.links == (Link("R1", "TrAP", (Argument("Arg1", "T3"), Argument("Arg2", "T1"))),)
    assert not report.counts


def test_texts_and_annotations_from_two_archives(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    folder(tmp_path / "whole")
    for name, parts in (("texts", ["txt"]), ("gold", ["concept", "ast", "rel"])):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as archive:
            for part in parts:
                archive.add(tmp_path / "whole" / part, f"{name}/{part}")
    paths = [tmp_path / "texts.tar.gz", tmp_path / "gold.tar.gz"]
    together = list(read_collection(paths, ReadOptions(), Report()))
    assert together == read(tmp_path / "whole")[0]
    (tmp_path / "whole" / "readme.pdf").write_bytes(b"")
    assert read(tmp_path / "whole")[1].counts["files that are not .txt, .con, .ast or .rel"] == 1
    report = Report()
    assert list(read_collection(paths[:1], ReadOptions(), report)) == []
    assert list(read_collection(paths[1:], ReadOptions(), report)) == []
    assert report.counts == {"text without a .con file": 1, "annotations without a text": 1}


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"con": 'c="x" 2:2 2:4|t="problem"\n'}, "CP-DATA-600", "n1.con:1: not a line of"),
        ({"ast": "\n\nnonsense\n"}, "CP-DATA-600", "n1.ast:3"),
        ({"rel": 'c="syrup" 3:5 3:5||r="TrAP"\n'}, "CP-DATA-600", "n1.rel:1"),
        ({"con": 'c="x" 9:0 9:0||t="problem"\n'}, "CP-DATA-601", "9:0 to 9:0 is not in the text"),
        ({"con": 'c="x" 2:9 2:9||t="problem"\n'}, "CP-DATA-601", "n1.con:1"),
        ({"con": 'c="a dry cough" 2:4 2:2||t="problem"\n'}, "CP-DATA-601", "n1.con:1"),
        (
            {"con": 'c="a dry cough" 2:1 2:4||t="problem"\n'},
            "CP-DATA-602",
            "n1.con:1: 2:1 to 2:4 reads 'has a dry cough', not 'a dry cough'",
        ),
        ({"rel": 'c="x" 3:5 3:5||r="TrAP"||c="y" 2:2 2:4\n'}, "CP-DATA-602", "n1.rel:1"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, changes: dict[str, str], code: str, said: str
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        read(folder(tmp_path, **changes))
    assert caught.value.code == code and said in str(caught.value)


def test_two_texts_of_one_name(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/n1.txt").write_text("again")
    with pytest.raises(ClinpromptError, match=r"CP-DATA-603.*a second '.txt' file"):
        read(tmp_path)


def test_realigned_or_left_out_and_counted(tmp_path: Path) -> None:
    con = CON + 'c="fever" 2:0 2:0||t="problem"\nc="gone" 1:0 1:0||t="problem"\n'
    con += 'c="a dry cough" 2:2 2:4||t="problem"\n'
    rel = REL + 'c="syrup" 3:5 3:5||r="TrIP"||c="gone" 1:0 1:0\n'
    ast = AST + 'c="fever" 3:2 3:2||t="test"||a="absent"\n'
    (document,), report = read(folder(tmp_path, con=con, rel=rel, ast=ast), "realign")
    assert document.mentions[3] == Mention("T4", "problem", ((46, 51),))
    assert document.text[46:51] == "fever" and len(document.mentions) == 4
    assert report.counts == {
        "concept moved to the nearest occurrence of its text": 1,
        "concept whose text stands nowhere": 2,
        "concept that stands twice": 1,
        "relation of a concept that is not there": 1,
        "assertion of a concept that is not there": 1,
    }
    assert all("cough" not in problem.reason + problem.detail for problem in report.problems)


def _member(kind: str, content: bytes) -> Member:
    return Member(f"n1.{kind}", f"n1.{kind}", lambda: content)


@pytest.mark.parametrize("kind", ["txt", "con", "ast", "rel"])
@pytest.mark.parametrize("mismatch", ["refuse", "realign"])
def test_mutated_files_never_break_it(kind: str, mismatch: str) -> None:
    seeds = {"txt": TEXT, "con": CON, "ast": AST, "rel": REL}
    files = {name: content.encode() for name, content in seeds.items()}

    def check(raw: bytes) -> None:
        contents = {**files, kind: raw}
        kinds = {f".{name}": _member(name, content) for name, content in contents.items()}
        document = read_document("n1", kinds, ReadOptions(mismatch=mismatch), Report())  # type: ignore[arg-type]
        for mention in document.mentions:
            assert 0 <= mention.start < mention.end <= len(document.text)

    good, refused = survives(check, mutated([files[kind]], 1250, 7))
    assert good > 50 and (refused > 50 or kind == "txt" or mismatch == "realign")
