"""What a card may say a field is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clinprompt.corpora.fields import field_text, field_texts, raw_text
from clinprompt.corpora.identity import text_id
from clinprompt.corpora.tabular import Record
from clinprompt.errors import ClinpromptError

FILE = Path("data/sets/train.csv.xz")


def record(**values: Any) -> Record:
    return Record(values, FILE, row=3, line=7, key="q9")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("title", "A title"),
        ("{title}: {n}", "A title: 3"),
        ("=Which {disease}?", "Which {disease}?"),
        ("deep.words.1", "two"),
        ("list", "one\ntwo"),
        ("n", "3"),
        ("yes", "true"),
        ("half", "0.5"),
        ("none", ""),
        ("absent?", ""),
        ("title?", "A title"),
        ("@file:@row", "kept"),
        ("{@folder}/{@file}:{@row}:{@key}", "sets/train:3:q9"),
        ("{title|hash}", text_id("a  title!").removeprefix("text:")),
        ("{}", "braces"),
    ],
)
def test_specs(spec: str, expected: str) -> None:
    values = {
        "title": "A title",
        "n": 3.0,
        "yes": True,
        "half": 0.5,
        "none": None,
        "list": ["one", " ", "two"],
        "deep": {"words": ["one", "two"]},
        "@file:@row": "kept",
        "{}": "braces",
    }
    assert field_text(record(**values), spec) == expected


def test_a_column_with_a_dot_or_a_question_mark_comes_first() -> None:
    found = record(**{"a.b": "flat", "a": {"b": "deep"}, "sure?": "x"})
    assert field_text(found, "a.b") == "flat"
    assert field_text(found, "sure?") == "x"


def test_line_ends_are_made_one_kind_but_raw_text_is_kept() -> None:
    found = record(note=" a\r\nb\rc ")
    assert field_text(found, "note") == "a\nb\nc"
    assert raw_text(found, "note") == " a\r\nb\rc "
    assert raw_text(found, "{note}") == "a\nb\nc"


def test_a_list_gives_its_items() -> None:
    assert field_texts(record(choices=["x", 2, None]), "choices") == ["x", "2", ""]
    assert field_texts(record(choices="x"), "choices") == ["x"]


def test_an_unknown_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ClinpromptError, match=r"csv\.xz:7: no column 'premis'.*'premise'"
    ) as caught:
        field_text(record(premise="a"), "{premis}")
    assert caught.value.code == "CP-DATA-064"
    with pytest.raises(ClinpromptError, match="no column '@files'"):
        field_text(record(premise="a"), "@files")


def test_an_object_is_no_text() -> None:
    with pytest.raises(ClinpromptError, match="field 'a' holds an object") as caught:
        field_text(record(a={"b": "c"}), "a")
    assert caught.value.code == "CP-DATA-083"
