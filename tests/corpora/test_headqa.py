"""HEAD-QA's nested exams."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import LabelAnswer, QuestionInput


def question(qid: str, ra: str, texts: list[str], **more: Any) -> dict[str, Any]:
    answers = [{"aid": number, "atext": text} for number, text in enumerate(texts, 1)]
    return {"qid": qid, "qtext": f" Q{qid}? ", "ra": ra, "answers": answers, "image": ""} | more


def exams(folder: Path, **data: list[dict[str, Any]]) -> Path:
    path = folder / "dev.json"
    path.write_text(json.dumps({"exams": {name: {"data": items} for name, items in data.items()}}))
    return path


def test_questions_of_two_exams_with_five_and_four_answers(
    tmp_path: Path, run_reader: Callable
) -> None:
    path = exams(
        tmp_path,
        E1=[question("1", "5", list("abcde"))],
        E2=[question("1", "2", list("wxyz")), question("2", "1", list("wxyz"), image="a.jpg")],
    )
    examples, report = run_reader("headqa", path)
    assert [example.id for example in examples] == ["E1:1", "E2:1"]
    assert [example.answer for example in examples] == [LabelAnswer("E"), LabelAnswer("B")]
    assert examples[0].input == QuestionInput("Q1?", choices=tuple("abcde"))
    assert report.counts == {"question about an image": 1}
    kept, report = run_reader("headqa", path, {"images": "keep"})
    assert len(kept) == 3 and not report.counts


def test_the_same_question_of_two_exams_is_one_document(
    tmp_path: Path, run_reader: Callable
) -> None:
    path = exams(
        tmp_path,
        E1=[question("1", "1", ["a", "b"])],
        E2=[question("9", "2", ["b", "a"], qtext="q1 ?"), question("1", "1", ["a", "c"])],
    )
    first, again, other = (example.document for example in run_reader("headqa", path)[0])
    assert first == again != other


def test_an_empty_answer_is_counted(tmp_path: Path, run_reader: Callable) -> None:
    path = exams(tmp_path, E=[question("1", "1", ["a", " "]), question("2", "1", ["a", "b"])])
    examples, report = run_reader("headqa", path)
    assert len(examples) == 1 and report.counts == {"empty question or answer": 1}


@pytest.mark.parametrize(
    ("code", "items", "message"),
    [
        ("CP-DATA-071", [question("1", "5", list("abcd"))], "question E:1: right answer '5'"),
        ("CP-DATA-050", [question("1", "1", list("ab"))] * 2, "id 'E:1' stands twice"),
        ("CP-DATA-052", [{"qid": "4", "qtext": "Q?"}], "question E:4: field 'answers' is missing"),
        ("CP-DATA-052", ["text"], "a question of exam E: field 'qid' is missing"),
    ],
)
def test_malformed_questions_are_refused(
    tmp_path: Path, run_reader: Callable, code: str, items: list[Any], message: str
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("headqa", exams(tmp_path, E=items))
    assert caught.value.code == code and caught.value.file.endswith("dev.json")
