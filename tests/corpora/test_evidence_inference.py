"""Evidence Inference: annotations joined with prompts and split by article."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, PremiseInput

PROMPT = {"PromptID": "1", "PMCID": "10", "Outcome": "pain", "Intervention": "A", "Comparator": "B"}
ROW = {
    "PromptID": "1",
    "PMCID": "10",
    "Valid Label": "True",
    "Valid Reasoning": "True",
    "Label": "significantly decreased",
    "Annotations": "Pain fell\n (p&lt;0.01).",
}
OPTIONS = {"annotations": "a.csv", "prompts": "p.csv"}
UP, DOWN, SAME = (
    "significantly increased",
    "significantly decreased",
    "no significant difference",
)


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def read(tmp_path: Path, run_reader: Callable) -> Callable[..., Any]:
    def run(
        *rows: dict[str, str], prompts: tuple[dict[str, str], ...] = (PROMPT,), ids: str = "10"
    ):
        write(tmp_path / "a.csv", [ROW | row for row in rows])
        write(tmp_path / "p.csv", list(prompts))
        (tmp_path / "ids.txt").write_text(ids)
        return run_reader("evidence-inference", tmp_path / "ids.txt", OPTIONS, root=tmp_path)

    return run


def test_a_prompt_with_its_evidence(read: Callable) -> None:
    examples, report = read({})
    assert examples == [
        Example(
            "prompt-1",
            "pmcid:10",
            PremiseInput("Pain fell\n(p<0.01).", "Compared with B, the effect of A on pain."),
            LabelAnswer(DOWN),
        )
    ]
    assert not report.counts


def test_quotes_of_annotators_are_put_together_once(read: Callable) -> None:
    quotes = ["fell by 3 points", "Pain fell by 3 points.", "See Table 2", "Pain fell by 3 points."]
    (example,), _ = read(*({"Annotations": quote} for quote in quotes))
    assert example.input.premise == "Pain fell by 3 points.\nSee Table 2"


def test_misspelt_labels_are_repaired_and_counted(read: Callable) -> None:
    (example,), report = read({"Label": "significantly increase"}, {"Label": UP})
    assert example.answer == LabelAnswer(UP)
    assert report.counts == {"misspelt label repaired": 1}


def test_rejected_rows_are_left_out_and_counted(read: Callable) -> None:
    (example,), report = read(
        {"Valid Label": "False", "Label": UP},
        {"Valid Reasoning": "0", "Label": UP, "Annotations": "wrong"},
        {"Valid Label": "1", "Annotations": "right"},
        {"Annotations": " "},
    )
    assert example.input.premise == "right" and example.answer == LabelAnswer(DOWN)
    assert report.counts == {
        "label rejected by the verifier": 1,
        "evidence rejected by the verifier": 1,
        "empty evidence": 1,
    }
    assert [problem.line for problem in report.problems] == [2, 4, 6]


def test_disagreement_is_left_out_and_counted(read: Callable) -> None:
    examples, report = read({"Label": UP}, {"Label": SAME})
    assert not examples
    assert report.counts == {
        "annotators disagree on the label": 1,
        "article without a usable annotation": 1,
    }


def test_other_articles_belong_to_other_splits(read: Callable) -> None:
    other = PROMPT | {"PromptID": "2", "PMCID": "11"}
    examples, report = read(
        {}, {"PromptID": "2", "PMCID": "11"}, prompts=(PROMPT, other), ids="11\n\n12\n"
    )
    assert [example.id for example in examples] == ["prompt-2"]
    assert report.counts == {"article without a usable annotation": 1}


@pytest.mark.parametrize(
    ("code", "row", "ids", "message"),
    [
        ("CP-DATA-051", {"Label": "better"}, "10", r"a\.csv:2: unknown label 'better'"),
        ("CP-DATA-051", {"Valid Label": "yes"}, "10", "unknown Valid Label 'yes'"),
        ("CP-DATA-076", {"PromptID": "9"}, "10", r"a\.csv:2: there is no prompt 9 of article 10"),
        ("CP-DATA-077", {}, "10\nx\n", r"ids\.txt:2: not an article id"),
    ],
)
def test_malformed_files_are_refused(
    read: Callable, code: str, row: dict[str, str], ids: str, message: str
) -> None:
    with pytest.raises(ClinpromptError, match=message) as caught:
        read(row, ids=ids)
    assert caught.value.code == code


def test_a_prompt_of_another_article_is_refused(read: Callable) -> None:
    with pytest.raises(ClinpromptError, match="no prompt 1 of article 11"):
        read({"PMCID": "11"}, ids="11")
