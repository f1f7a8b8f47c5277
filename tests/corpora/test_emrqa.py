"""emrQA's big JSON: lines, evidence, wordings, and the details in which versions differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.documents.fuzzing import Held, mutated, survives

from clinprompt.corpora.registry import read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import QuestionInput, SpanAnswer
from clinprompt.report import Report

Run = Callable[..., Any]
LINES = ["He takes 5 mg .\n", "Nothing else .\n", "He takes 5 mg .\n"]


def question(**changes: Any) -> dict[str, Any]:
    answer = {
        "text": "5 mg",
        "answer_start": [3, 2],
        "evidence": "He takes  5 mg .",
        "evidence_start": 3,
        "answer_entity_type": "single",
    }
    return {
        "id": ["x"],
        "question": ["What dose?", "How much?"],
        "answers": [{**answer, **changes}],
    }


def save(root: Path, *questions: Any, context: Any = LINES, title: str = "medication") -> Path:
    note = {"note_id": "1", "context": context, "qas": list(questions)}
    path = root / "data.json"
    path.write_text(json.dumps({"data": [{"title": title, "paragraphs": [note]}]}))
    return path


def covered(example: Any) -> str:
    assert isinstance(example.input, QuestionInput) and isinstance(example.answer, SpanAnswer)
    ((start, end),) = example.answer.spans
    return f"{start}:{(example.input.context or '')[start:end]}"


def test_the_line_that_holds_the_answer(tmp_path: Path, run_reader: Run) -> None:
    (example,), report = run_reader("emrqa", save(tmp_path, question()))
    assert example.input == QuestionInput("What dose?", "".join(LINES))
    assert covered(example) == "31:He takes 5 mg ." and example.id == "train:1:medication:1:1"
    assert report.counts == {"further wording of a question": 1}


@pytest.mark.parametrize("start", [1, [1], [1, 2], 0])
def test_numbers_choose_the_nearest_place(tmp_path: Path, run_reader: Run, start: Any) -> None:
    path = save(tmp_path, question(evidence_start=start))
    assert covered(run_reader("emrqa", path)[0][0]).startswith("0:")


@pytest.mark.parametrize("context", [["a", "He takes 5 mg ."], "a\nHe takes 5 mg ."])
def test_lines_without_line_ends_or_one_text(tmp_path: Path, run_reader: Run, context: Any) -> None:
    path = save(tmp_path, question(evidence_start=None), context=context)
    assert covered(run_reader("emrqa", path)[0][0]) == "2:He takes 5 mg ."


def test_options(tmp_path: Path, run_reader: Run) -> None:
    path = save(tmp_path, question())
    two, _ = run_reader("emrqa", path, {"paraphrases": 5, "answer": "text", "window": 4})
    assert [e.input.question for e in two] == ["What dose?", "How much?"]
    assert all(covered(e).endswith("5 mg") and len(e.input.context.split()) == 4 for e in two)
    none, report = run_reader("emrqa", path, {"longest": 4})
    assert none == [] and report.counts["answer of more than 4 words"] == 1
    assert run_reader("emrqa", path, {"titles": ["medication"]})[0]
    many = save(tmp_path, *[question()] * 400)
    some, report = run_reader("emrqa", many, {"share": 0.25})
    assert 60 < len(some) < 140
    assert report.counts["question left out by sampling"] == 400 - len(some)


def test_what_has_no_answer_is_counted(tmp_path: Path, run_reader: Run) -> None:
    bad = question(evidence="Gone .")
    complex_one = question(answer_entity_type="complex")
    nested = question(evidence=["a"])
    second = question()
    second["answers"].insert(0, bad["answers"][0])
    path = save(tmp_path, bad, complex_one, nested, second)
    examples, report = run_reader("emrqa", path)
    assert [e.id for e in examples] == ["train:1:medication:4:1"]
    assert report.counts["answer not found in its context"] == 2
    assert report.counts["answer of several entities"] == 2


@pytest.mark.parametrize(
    ("document", "code", "said"),
    [
        ([], "CP-DATA-061", "data.json: the file holds a list"),
        ({"data": [{}]}, "CP-DATA-052", "part 1: field 'title' is missing"),
        (
            {"data": [{"title": "medication", "paragraphs": [{"context": [1], "qas": []}]}]},
            "CP-DATA-620",
            "part 'medication', note 1: field 'context'",
        ),
        ({"data": [{"title": "risk", "paragraphs": []}]}, "CP-DATA-621", "there are: risk"),
        (
            {"data": [{"title": "medication", "paragraphs": [{"context": [], "qas": [{}]}]}]},
            "CP-DATA-052",
            "question 1: field 'answers' is missing",
        ),
    ],
)
def test_malformed(tmp_path: Path, run_reader: Run, document: Any, code: str, said: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ClinpromptError) as caught:
        run_reader("emrqa", path, {"titles": ["medication"]})
    assert caught.value.code == code and said in str(caught.value)


def test_mutated_files_never_break_it(tmp_path: Path) -> None:
    seed = save(tmp_path, question()).read_bytes()
    path = Held(tmp_path / "data.json")

    def check(raw: bytes) -> None:
        path.raw = raw
        read("emrqa", [path], {}, root=tmp_path, split="train", report=Report())

    good, refused = survives(check, mutated([seed], 10_000, 5))
    assert good > 300 and refused > 300
