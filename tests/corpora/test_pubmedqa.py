"""PubMedQA: official test ids, and no conclusion in the context."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinprompt.errors import ClinpromptError
from clinprompt.examples import Example, LabelAnswer, QuestionInput


def article(decision: str, **more: Any) -> dict[str, Any]:
    return {
        "QUESTION": "Does it help?",
        "CONTEXTS": ["We asked.", "We  measured."],
        "LABELS": ["BACKGROUND", "RESULTS"],
        "LONG_ANSWER": "CONCLUSION it helps",
        "final_decision": decision,
    } | more


def files(folder: Path, items: dict[str, Any], truth: dict[str, str]) -> Path:
    (folder / "truth.json").write_text(json.dumps(truth))
    path = folder / "pqal.json"
    path.write_text(json.dumps(items))
    return path


def test_test_is_the_official_ids_and_train_the_rest(tmp_path: Path, run_reader: Callable) -> None:
    path = files(tmp_path, {"1": article("yes"), "2": article("maybe")}, {"2": "maybe"})
    options = {"test_ids": "truth.json"}
    train, _ = run_reader("pubmedqa", path, options, root=tmp_path, split="train")
    test, report = run_reader("pubmedqa", path, options, root=tmp_path, split="test")
    assert train == [
        Example(
            "1",
            "pmid:1",
            QuestionInput("Does it help?", context="We asked.\nWe measured."),
            LabelAnswer("yes"),
        )
    ]
    assert [(e.document, e.answer) for e in test] == [("pmid:2", LabelAnswer("maybe"))]
    assert not report.counts
    assert len(run_reader("pubmedqa", path)[0]) == 2


def test_the_conclusion_is_never_read(tmp_path: Path, run_reader: Callable) -> None:
    path = files(tmp_path, {"1": article("no")}, {})
    for options in ({}, {"sections": True}):
        (example,), _ = run_reader("pubmedqa", path, options)
        assert "CONCLUSION" not in str(example)
    assert example.input.context == "BACKGROUND: We asked.\nRESULTS: We measured."


def test_an_empty_abstract_is_counted(tmp_path: Path, run_reader: Callable) -> None:
    path = files(tmp_path, {"1": article("no", CONTEXTS=[])}, {})
    examples, report = run_reader("pubmedqa", path)
    assert not examples and report.counts == {"empty question or abstract": 1}


@pytest.mark.parametrize(
    ("code", "items", "truth", "message"),
    [
        ("CP-DATA-072", {"1": article("yes")}, {"3": "yes"}, "test id 3 is not in pqal.json"),
        ("CP-DATA-072", {"1": article("yes")}, {"1": "no"}, "test id 1 .* same answer"),
        ("CP-DATA-051", {"1": article("perhaps")}, {}, "unknown decision 'perhaps'"),
        ("CP-DATA-052", {"1": {}}, {}, "article 1: field 'QUESTION' is missing"),
        ("CP-DATA-052", {"1": []}, {}, "article 1: field 'QUESTION' is missing"),
    ],
)
def test_malformed_files_are_refused(
    tmp_path: Path,
    run_reader: Callable,
    code: str,
    items: dict[str, Any],
    truth: dict[str, str],
    message: str,
) -> None:
    path = files(tmp_path, items, truth)
    with pytest.raises(ClinpromptError, match=message) as caught:
        run_reader("pubmedqa", path, {"test_ids": "truth.json"}, root=tmp_path)
    assert caught.value.code == code


def test_an_article_given_twice_is_refused(tmp_path: Path, run_reader: Callable) -> None:
    path = tmp_path / "pqal.json"
    path.write_text('{"1": {}, "1": {}}')
    with pytest.raises(ClinpromptError, match="key '1' stands twice"):
        run_reader("pubmedqa", path)
