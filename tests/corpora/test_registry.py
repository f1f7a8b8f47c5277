"""Readers by name, their options, and what they report."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.corpora import Report, Source, names, read
from clinprompt.errors import ClinpromptError


def test_every_reader_is_registered_on_import() -> None:
    assert {"conll", "json-spans", "marked-pairs", "pair-table", "phee", "pubtator"} <= set(names())


def test_unknown_reader_and_options(tmp_path: Path) -> None:
    with pytest.raises(ClinpromptError, match="did you mean 'conll'") as caught:
        read("conl", [], {}, root=tmp_path, split="train", report=Report())
    assert caught.value.code == "CP-DATA-006"
    with pytest.raises(ClinpromptError, match=r"data\.options\.spacng .*did you mean 'spacing'"):
        read("conll", [], {"spacng": "x"}, root=tmp_path, split="train", report=Report())
    with pytest.raises(
        ClinpromptError, match=r"data\.options\.spacing of reader 'conll'"
    ) as caught:
        read("conll", [], {"spacing": "x"}, root=tmp_path, split="train", report=Report())
    assert caught.value.code == "CP-DATA-007"


def test_report_counts() -> None:
    report = Report()
    report.skip("empty text", "x.txt", 3, "note 7")
    report.skip("empty text", "x.txt", count=4)
    report.skip("unseen", "x.txt", count=0)
    assert report.counts == {"empty text": 5}
    assert [(p.line, p.detail) for p in report.problems] == [(3, "note 7"), (None, "")]


def test_places_are_unique_over_files_and_splits(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "x.txt", tmp_path / "b" / "x.txt"
    one = Source(tmp_path, (first,), "test", Report())
    two = Source(tmp_path, (first, second), "train", Report())
    assert one.place(first, 7) == "test:7"
    assert [two.place(file, 7) for file in (first, second)] == ["train:1:7", "train:2:7"]
