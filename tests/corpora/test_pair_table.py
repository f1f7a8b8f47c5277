"""Tables with a pair of mentions a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora import Report, read
from clinprompt.errors import ClinpromptError
from clinprompt.examples import Entity, Example, LabelAnswer, PairInput

HEADER = "PMID\tTEXT\tGENE\tG0\tG1\tSIGN\tS0\tS1\tREL"
OPTIONS: dict[str, Any] = {
    "document": "PMID",
    "document_prefix": "pmid:",
    "text": "TEXT",
    "label": "REL",
    "labels": {"true": "True", "false": "False"},
    "head": {"type": "Gene", "surface": "GENE", "start": "G0", "end": "G1"},
    "tail": {"type": "Sign", "surface": "SIGN", "start": "S0", "end": "S1"},
    "unescape": True,
}
REVIEW = {"column": "OK?", "keep": "C", "flip": "I", "drop": "U"}
ROW = "7\tp &lt; 5: G1 in &quot;rash&quot;\tG1\t10\t12\trash\t22\t26\tTRUE"


def table(
    folder: Path, *rows: str, header: str = HEADER, **options: object
) -> tuple[list[Example], Report]:
    (folder / "x.tsv").write_text("\n".join((header, *rows)) + "\n")
    report = Report()
    given = OPTIONS | options
    examples = read(
        "pair-table", [folder / "x.tsv"], given, root=folder, split="test", report=report
    )
    return examples, report


def labels(examples: list[Example]) -> list[str]:
    return [example.answer.label for example in examples if isinstance(example.answer, LabelAnswer)]


def test_references_are_resolved_and_offsets_moved(tmp_path: Path) -> None:
    (example,), report = table(tmp_path, ROW)
    assert (example.id, example.document) == ("test:2", "pmid:7")
    text = 'p < 5: G1 in "rash"'
    gene, sign = Entity(((7, 9),), "Gene"), Entity(((14, 18),), "Sign")
    assert example.input == PairInput(text, gene, sign)
    assert (gene.surface(text), sign.surface(text)) == ("G1", "rash")
    assert not report.counts


def test_references_may_stay(tmp_path: Path) -> None:
    (example,), _ = table(tmp_path, ROW, unescape=False)
    assert isinstance(example.input, PairInput)
    assert example.input.text.startswith("p &lt; 5") and example.input.head.spans == ((10, 12),)


def test_labels_in_any_case(tmp_path: Path) -> None:
    rows = [ROW.replace("TRUE", label) for label in ("True", "TRUE", "false", "FALSE")]
    examples, _ = table(tmp_path, *rows)
    assert labels(examples) == ["True", "True", "False", "False"]


def test_review(tmp_path: Path) -> None:
    rows = [
        f"{ROW.replace('TRUE', label)}\t{verdict}"
        for label, verdict in (("True", "C"), ("True", "I"), ("False", "I"), ("True", "U"))
    ]
    examples, report = table(tmp_path, *rows, header=HEADER + "\tOK?", review=REVIEW)
    assert labels(examples) == ["True", "False", "True"]
    assert report.counts["row that the reviewers could not judge"] == 1
    assert labels(table(tmp_path, ROW, review=REVIEW)[0]) == ["True"]  # no such column


def test_repeated_rows(tmp_path: Path) -> None:
    rows = [ROW, ROW.replace("7\t", "8\t", 1), ROW.replace("TRUE", "FALSE"), ROW]
    examples, report = table(tmp_path, *rows, repeated="skip")
    assert [example.id for example in examples] == ["test:2", "test:4", "test:5"]
    assert report.counts == {
        "repeated row left out": 1,
        "pair labelled otherwise in an earlier row, kept": 2,
    }
    assert len(table(tmp_path, *rows)[0]) == 4


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("10\t12", "9\t11", r"offsets 9-11: .* lies \+1 from it"),
        ("10\t12", "12\t10", "the end lies before the start"),
        ("22\t26", "22\t99", "outside the text"),
        ("G1\t10\t12", "lt\t3\t5", "offsets 3-5 cut a character reference"),
    ],
)
def test_wrong_offsets(tmp_path: Path, old: str, new: str, part: str) -> None:
    wrong = ROW.replace(old, new)
    with pytest.raises(ClinpromptError, match=part) as caught:
        table(tmp_path, ROW, wrong)
    assert (caught.value.code, caught.value.line) == ("CP-DATA-020", 3)
    examples, report = table(tmp_path, wrong, ROW, on_mismatch="skip")
    assert [example.id for example in examples] == ["test:3"]
    assert report.counts == {"example with wrong offsets left out": 1}


def test_empty_text_is_left_out_and_counted(tmp_path: Path) -> None:
    examples, report = table(tmp_path, "7\t \tG1\t0\t1\trash\t0\t1\tTRUE", ROW)
    assert len(examples) == 1
    assert report.counts == {"empty text": 1}


@pytest.mark.parametrize(
    ("rows", "options", "code", "line"),
    [
        ([ROW + "\tx"], {}, "CP-DATA-032", 2),
        ([ROW, "7\tx"], {}, "CP-DATA-032", 3),
        ([ROW.replace("10\t", "x\t")], {}, "CP-DATA-033", 2),
        ([ROW.replace("10\t", "-1\t")], {}, "CP-DATA-033", 2),
        ([ROW.replace("TRUE", "maybe")], {}, "CP-DATA-051", 2),
        ([ROW], {"document": "PMIDS"}, "CP-DATA-032", 1),
        ([ROW], {"review": REVIEW, "labels": {"true": "True"}}, "CP-DATA-007", None),
        ([ROW], {"delimiter": "||"}, "CP-DATA-007", None),
    ],
)
def test_what_is_refused(
    tmp_path: Path, rows: list[str], options: dict[str, Any], code: str, line: int | None
) -> None:
    with pytest.raises(ClinpromptError) as caught:
        table(tmp_path, *rows, **options)
    assert (caught.value.code, caught.value.line) == (code, line)
    if "document" in options:
        assert caught.value.hint == "did you mean 'PMID'?"


def test_an_unknown_judgement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError, match="unknown judgement 'X'"):
        table(tmp_path, ROW + "\tX", header=HEADER + "\tOK?", review=REVIEW)
