"""SQuAD-like files, whole and in windows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import QuestionInput, SpanAnswer

TEXT = "Masks in wards\nPMC123\nDOI:10.1/AB.c\n" + " ".join(f"w{n}" for n in range(400))


def asked(qid: Any, text: str, start: int, **more: Any) -> dict[str, Any]:
    answers = [{"text": text, "answer_start": start}]
    return {"id": qid, "question": f"Q{qid}?", "answers": answers, "is_impossible": False} | more


def squad(folder: Path, *questions: Any, context: str = TEXT, **more: Any) -> Path:
    path = folder / "qa.json"
    paragraph = {"context": context, "qas": list(questions)} | more
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    return path


def test_whole_contexts_keep_their_offsets(tmp_path: Path, run_reader: Callable) -> None:
    start = TEXT.index("w17")
    path = squad(tmp_path, asked(1, "w17 w18", start), asked("b", "w1", TEXT.index("w1 ")))
    examples, report = run_reader("squad", path)
    assert examples[0].input == QuestionInput("Q1?", context=TEXT)
    assert examples[0].answer == SpanAnswer(((start, start + 7),))
    assert [example.id for example in examples] == ["1", "b"] and not report.counts


def test_windows_are_counted_and_hold_the_answer(tmp_path: Path, run_reader: Callable) -> None:
    start = TEXT.index("w200")
    path = squad(tmp_path, *(asked(n, "w200 w201", start) for n in range(5)))
    for unit, size in (("words", 20), ("characters", 100)):
        examples, report = run_reader("squad", path, {"window": size, "unit": unit})
        assert report.counts == {"context cut to a window": 5}
        for example in examples:
            ((begin, end),) = example.answer.spans
            context = example.input.context
            assert context[begin:end] == "w200 w201" and context in TEXT
            assert len(context.split() if unit == "words" else context) <= size
    examples, report = run_reader("squad", path, {"window": 1000})
    assert examples[0].input.context == TEXT and not report.counts


def test_shifted_answers_are_found_and_lost_ones_counted(
    tmp_path: Path, run_reader: Callable
) -> None:
    start = TEXT.index("w50")
    path = squad(
        tmp_path, asked(1, " w50 w51", start), asked(2, "w50 \n w51 ", start - 2), asked(3, "zz", 3)
    )
    examples, report = run_reader("squad", path)
    assert [example.answer for example in examples] == [SpanAnswer(((start, start + 7),))] * 2
    assert report.counts == {"answer's offset repaired": 2, "answer not found in its context": 1}


def test_unanswerable_questions_and_further_answers(tmp_path: Path, run_reader: Callable) -> None:
    start = TEXT.index("w9 ")
    two = asked(2, "w9", start)
    two["answers"].append({"text": "w9 w10", "answer_start": start})
    path = squad(
        tmp_path,
        {"id": 1, "question": "Q?", "answers": [], "is_impossible": True},
        two,
        {"id": 3, "question": "Q?", "answers": []},
    )
    examples, report = run_reader("squad", path, {"window": 10})
    assert [example.answer.spans == () for example in examples] == [True, False]
    assert len(examples[0].input.context.split()) == 10
    assert report.counts == {
        "context cut to a window": 2,
        "further answer to a question": 1,
        "question without an answer": 1,
    }


def test_documents_are_named_by_the_first_pattern_that_fits(
    tmp_path: Path, run_reader: Callable
) -> None:
    path = squad(tmp_path, asked(1, "w1", TEXT.index("w1 ")), document_id=77)

    def document(**documents: str) -> str:
        return run_reader("squad", path, {"documents": documents})[0][0].document

    assert document(pmcid=r"PMC(\d+)", doi=r"DOI:(\S+)") == "pmcid:123"
    assert document(pmid=r"PMID:(\d+)", doi=r"DOI:(\S+)") == "doi:10.1/ab.c"
    assert document(pmid=r"PMID:(\d+)") == f"{tmp_path.name}/77"
    for wrong in ("(", "PMC"):
        with pytest.raises(ClinpromptError, match=r"documents.*(pattern|group)"):
            document(pmcid=wrong)


@pytest.mark.parametrize(
    ("code", "question", "message"),
    [
        ("CP-DATA-050", [asked(1, "w1", 0), asked(1, "w1", 0)], "id '1' stands twice"),
        ("CP-DATA-052", [{"question": "Q?"}], "a question: field 'id' is missing"),
        ("CP-DATA-052", [{"id": 1, "question": "Q?"}], "question 1: field 'answers' is missing"),
        ("CP-DATA-052", [asked(1, "w", True)], "field 'answer_start' is bool"),
    ],
)
def test_malformed_questions_are_refused(
    tmp_path: Path, run_reader: Callable, code: str, question: list[Any], message: str
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("squad", squad(tmp_path, *question))
    assert caught.value.code == code
