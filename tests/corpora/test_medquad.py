"""MedQuAD's archive of pages."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, QuestionInput, TextAnswer

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000001" url="https://a.gov/x{part}">
<QAPairs>{pairs}</QAPairs>
</Document>"""


def pair(pid: int, question: str, answer: str) -> str:
    return (
        f'<QAPair pid="{pid}"><Question qid="1">{question}</Question>'
        f"<Answer>{answer}</Answer></QAPair>"
    )


def archive(folder: Path, **pages: str) -> Path:
    path = folder / "pages.tar.xz"
    with tarfile.open(path, "w:xz") as tar:
        for name, text in pages.items():
            info = tarfile.TarInfo(f"{name.replace('__', '/')}.xml")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def test_pairs_of_pages_of_two_collections(tmp_path: Path, run_reader: Callable) -> None:
    pairs = pair(1, "What is\n  it ?", "It is\n\n   a   test.\n") + pair(2, "Why?", " ")
    path = archive(
        tmp_path,
        A__01=PAGE.format(part="#one", pairs=pairs),
        B__01=PAGE.format(part="#two", pairs=pair(1, "Q?", "A.")),
        B__02="<Document><QAPairs>" + pair(1, "Q?", "A.") + "</QAPairs></Document>",
    )
    examples, report = run_reader("medquad", path)
    assert examples[0] == Example(
        "A/01#1",
        "url:https://a.gov/x",
        QuestionInput("What is\nit ?"),
        TextAnswer("It is\na test."),
    )
    assert [(e.id, e.document) for e in examples[1:]] == [
        ("B/01#1", "url:https://a.gov/x"),
        ("B/02#1", "medquad/B/02"),
    ]
    assert report.counts == {"empty answer": 1}
    assert report.problems[0].file.endswith("pages.tar.xz!A/01.xml")


def test_malformed_pages_are_named_with_line(tmp_path: Path, run_reader: Callable) -> None:
    path = archive(tmp_path, A__01=PAGE.format(part="", pairs="<QAPair>\n"))
    with pytest.raises(ClinpromptError, match=r"tar\.xz!A/01\.xml:4: not well-formed XML"):
        run_reader("medquad", path)
    path = archive(tmp_path, A__01=PAGE.format(part="", pairs=pair(1, "Q", "A") * 2))
    with pytest.raises(ClinpromptError, match="id 'A/01#1' stands twice"):
        run_reader("medquad", path)


def test_an_archive_without_pages_or_a_truncated_one_is_refused(
    tmp_path: Path, run_reader: Callable
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        run_reader("medquad", archive(tmp_path))
    assert caught.value.code == "CP-DATA-084"
    text = "".join(chr(65 + n * n % 23) for n in range(20_000))
    path = archive(tmp_path, A__01=PAGE.format(part="", pairs=pair(1, "Q", text)))
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(ClinpromptError) as caught:
        run_reader("medquad", path)
    assert caught.value.code == "CP-DATA-005"
