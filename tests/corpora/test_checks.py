"""Checks shared by readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinprompt.corpora.checks import Ids, expect_files, known_label, need, shown
from clinprompt.corpora.registry import Report, Source
from clinprompt.errors import ClinpromptError

FILE = Path("notes.csv")


def test_a_repeated_id_is_refused_with_both_places() -> None:
    ids = Ids()
    assert ids.add("a", FILE, 2) == "a"
    ids.add("b", FILE, 3)
    with pytest.raises(ClinpromptError) as caught:
        ids.add("a", "more.csv", 7)
    assert caught.value.code == "CP-DATA-050"
    assert "more.csv:7" in str(caught.value) and "notes.csv:2" in str(caught.value)


def test_an_unknown_label_is_named_with_the_nearest_known_one() -> None:
    known = {"yes": "1", "no": "0"}
    assert known_label("yes", known, FILE) == "1"
    with pytest.raises(ClinpromptError, match=r"notes\.csv:4.*'yess'.*did you mean 'yes'"):
        known_label("yess", known, FILE, 4)


def test_a_long_value_is_not_quoted() -> None:
    note = "Patient Jane Doe, seen for chest pain and dyspnea on exertion."
    assert "Jane" not in shown(note)
    assert shown("x") == "'x'"
    with pytest.raises(ClinpromptError) as caught:
        known_label(note, {"yes": "yes"}, FILE, 1)
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("item", "kind"), [({}, str), ({"a": 3}, str), ({"a": True}, int), ([], str), (None, str)]
)
def test_a_missing_or_wrong_field_is_named(item: object, kind: type) -> None:
    with pytest.raises(ClinpromptError, match="question 7: field 'a'") as caught:
        need(item, "a", kind, FILE, "question 7")
    assert caught.value.code == "CP-DATA-052"


def test_the_number_of_files_is_checked() -> None:
    source = Source(Path(), (FILE,), "dev", Report())
    assert expect_files(source, "x", "one file") == (FILE,)
    with pytest.raises(ClinpromptError, match=r"takes 2 files a split \(notes, texts\)"):
        expect_files(source, "x", "notes", "texts")
