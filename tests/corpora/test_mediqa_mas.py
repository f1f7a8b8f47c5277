"""MEDIQA-MAS: answers, questions and summaries joined by question id."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, TextAnswer, TextInput


def files(
    folder: Path,
    answers: list[tuple[object, str, str]],
    questions: str = "3||Why ?\r\n",
    summaries: str = "3||Because.\n",
) -> list[Path]:
    book = openpyxl.Workbook()
    for row in [("question_id", "answer_id", "Answer"), *answers]:
        book.active.append(row)
    book.save(folder / "answers.xlsx")
    (folder / "questions.txt").write_bytes(questions.encode())
    (folder / "summaries.txt").write_text(summaries)
    return [folder / name for name in ("answers.xlsx", "questions.txt", "summaries.txt")]


def test_the_answers_to_a_question_are_one_text(tmp_path: Path, run_reader: Callable) -> None:
    paths = files(tmp_path, [(3, "3_2", "<b>Two</b> || 2"), (3, "3_1", "One"), (3, "3_3", " ")])
    examples, report = run_reader("mediqa-mas", paths)
    assert examples == [
        Example(
            "question-3",
            "mediqa2021:3",
            TextInput("Two || 2\n\nOne", question="Why ?"),
            TextAnswer("Because."),
        )
    ]
    assert report.counts == {"empty answer": 1}
    assert run_reader("mediqa-mas", paths, {"between": " "})[0][0].input.text == "Two || 2 One"


@pytest.mark.parametrize(
    ("code", "more", "message"),
    [
        ("CP-DATA-086", {"summaries": "4||x\n"}, r"summaries\.txt don't match: 3, 4"),
        ("CP-DATA-086", {"questions": "3||a\n4||b\n"}, r"answers\.xlsx don't match: 4"),
        ("CP-DATA-085", {"summaries": "3||x\nno bars\n"}, r"summaries\.txt:2: no '\|\|'"),
        ("CP-DATA-050", {"questions": "3||a\n3||b\n"}, r"questions\.txt:2: id '3' stands twice"),
    ],
)
def test_files_that_don_t_match_are_refused(
    tmp_path: Path, run_reader: Callable, code: str, more: dict[str, str], message: str
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("mediqa-mas", files(tmp_path, [(3, "3_1", "One")], **more))
    assert caught.value.code == code


def test_a_repeated_answer_is_refused(tmp_path: Path, run_reader: Callable) -> None:
    paths = files(tmp_path, [(3, "3_1", "One"), (3, "3_1", "Two")])
    with pytest.raises(ClinpromptError, match=r"answers\.xlsx:3: id '3_1' stands twice"):
        run_reader("mediqa-mas", paths)


def test_three_files_are_needed(tmp_path: Path, run_reader: Callable) -> None:
    with pytest.raises(ClinpromptError, match="takes 3 files") as caught:
        run_reader("mediqa-mas", files(tmp_path, [])[:2])
    assert caught.value.code == "CP-DATA-053"
