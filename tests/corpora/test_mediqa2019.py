"""MEDIQA 2019: judged answers in XML, and pairs whose labels stand in another file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.documents.fuzzing import Held, mutated, survives

from clinprompt.corpora.registry import read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import LabelAnswer, PremiseInput, QuestionInput
from clinprompt.report import Report

Run = Callable[..., Any]
ANSWERS = """<QA><Question QID="1"><QuestionText>What is it?</QuestionText><AnswerList>
<Answer AID="1_1" SystemRank="1" ReferenceRank="1" ReferenceScore="4"><AnswerURL>u</AnswerURL>
<AnswerText>It is  this.</AnswerText></Answer>
<Answer AID="1_2" SystemRank="2" ReferenceRank="2" ReferenceScore="2">
<AnswerText>Other.</AnswerText></Answer>
<Answer AID="1_3" ReferenceScore="1"><AnswerText> </AnswerText></Answer>
</AnswerList></Question></QA>"""
PAIRS = [
    {"pairID": "p1", "sentence1": "A.", "sentence2": "B."},
    {"pairID": "p2", "sentence1": "A.", "sentence2": " "},
]


def nli(root: Path, gold: str) -> list[Path]:
    (root / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS))
    (root / "gold.csv").write_text(gold)
    return [root / "pairs.jsonl", root / "gold.csv"]


def test_answers(tmp_path: Path, run_reader: Run) -> None:
    path = tmp_path / "Test.xml"
    path.write_text(ANSWERS)
    examples, report = run_reader("mediqa-qa", path)
    assert [(e.id, e.input, e.answer) for e in examples] == [
        ("Test:1:1_1", QuestionInput("What is it?", "It is this."), LabelAnswer("correct")),
        ("Test:1:1_2", QuestionInput("What is it?", "Other."), LabelAnswer("incorrect")),
    ]
    assert examples[0].document == examples[1].document
    assert report.counts == {"empty question or answer": 1}


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('ReferenceScore="4"', 'ReferenceScore="5"', "CP-DATA-051"),
        ('ReferenceScore="4"', "", "CP-DATA-052"),
        ('AID="1_2"', 'AID="1_1"', "CP-DATA-050"),
        ("</QA>", "", "CP-DATA-073"),
    ],
)
def test_malformed_answers(tmp_path: Path, run_reader: Run, old: str, new: str, code: str) -> None:
    path = tmp_path / "Test.xml"
    path.write_text(ANSWERS.replace(old, new))
    with pytest.raises(ClinpromptError) as caught:
        run_reader("mediqa-qa", path)
    assert caught.value.code == code and caught.value.file == str(path)


@pytest.mark.parametrize("header", ["", "pair_id,label\n"])
def test_pairs_with_labels_apart(tmp_path: Path, run_reader: Run, header: str) -> None:
    files = nli(tmp_path, header + "p2,neutral\np1,contradiction\n")
    (example,), report = run_reader("mediqa-nli", files)
    assert (example.id, example.input) == ("p1", PremiseInput("A.", "B."))
    assert example.answer == LabelAnswer("contradiction") and report.counts == {"empty sentence": 1}


@pytest.mark.parametrize(
    ("gold", "code", "place"),
    [
        ("p1,neutral\n", "CP-DATA-631", "pairs.jsonl:2: pair 'p2' has no label"),
        ("p1,neutral\np2,maybe\n", "CP-DATA-630", "gold.csv:2"),
        ("p1,neutral,1\n", "CP-DATA-630", "gold.csv:1"),
    ],
)
def test_labels_that_do_not_fit(
    tmp_path: Path, run_reader: Run, gold: str, code: str, place: str
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        run_reader("mediqa-nli", nli(tmp_path, gold))
    assert caught.value.code == code and place in str(caught.value)


def test_mutated_files_never_break_it(tmp_path: Path) -> None:
    answers = Held(tmp_path / "Test.xml")
    files = nli(tmp_path, "p1,neutral\np2,neutral\n")

    labels = Held(files[1])

    def check_answers(raw: bytes) -> None:
        answers.raw = raw
        read("mediqa-qa", [answers], {}, root=tmp_path, split="test", report=Report())

    def check_labels(raw: bytes) -> None:
        labels.raw = raw
        read("mediqa-nli", [files[0], labels], {}, root=tmp_path, split="test", report=Report())

    for check, seed in ((check_answers, ANSWERS.encode()), (check_labels, files[1].read_bytes())):
        good, refused = survives(check, mutated([seed], 10_000, 9))
        assert good > 50 and refused > 50
